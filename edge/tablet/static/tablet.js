// Goes back to the start when nobody touches the screen; asks first, and any touch stays (WCAG 2.2.1).
"use strict";
const dialog = document.getElementById("idle");
const idleMs = 1000 * Number(dialog.dataset.idle);
const warnMs = 1000 * Number(dialog.dataset.warn);
let warning = 0;
let ending = 0;
let told = Date.now();

function rest() {
  clearTimeout(warning);
  clearTimeout(ending);
  warning = setTimeout(() => {
    if (!dialog.open) dialog.showModal();
    ending = setTimeout(() => document.getElementById(dialog.dataset.left).submit(), warnMs);
  }, idleMs - warnMs);
}

function touched() {
  if (dialog.open) dialog.close();
  if (Date.now() - told > 3000) {
    told = Date.now();
    fetch(dialog.dataset.stay, { method: "POST" }).then((answer) => {
      if (answer.status === 410) location.assign(dialog.dataset.over);
    }).catch(() => {});
  }
  rest();
}

for (const kind of ["pointerdown", "keydown", "scroll"]) addEventListener(kind, touched, { passive: true });
rest();
