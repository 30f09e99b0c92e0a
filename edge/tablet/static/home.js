// Goes back to the start after a time without a touch; nothing is lost by it, these pages take no answers.
"use strict";
const afterMs = 1000 * Number(document.currentScript.dataset.after);
const home = document.currentScript.dataset.home;
let going = 0;

function rest() {
  clearTimeout(going);
  going = setTimeout(() => location.assign(home), afterMs);
}

for (const kind of ["pointerdown", "keydown", "scroll"]) addEventListener(kind, rest, { passive: true });
rest();
