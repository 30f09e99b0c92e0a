// One switch is enough (a key of a switch at the citizen's side): the first press begins to go through the choices, "no"
// first, and the next one takes the choice that is marked. The keys are those that press a button: Space and Enter.
"use strict";
const EVERY_MS = 3000;
const choices = [...document.querySelectorAll(".choice")];
const order = [...choices.slice(1), ...choices.slice(0, 1)];
let at = -1;

function next() {
  at = (at + 1) % order.length;
  order[at].focus();
}

addEventListener("keydown", (event) => {
  if (at >= 0 || ![" ", "Enter"].includes(event.key) || document.activeElement !== document.body) return;
  event.preventDefault();
  next();
  setInterval(next, EVERY_MS);
});
