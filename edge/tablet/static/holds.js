// What the page tells of one citizen's choice must not stand on the screen for the next: asks whether it still holds.
"use strict";
const ask = document.currentScript.dataset.ask;
setInterval(() => {
  fetch(ask).then((answer) => {
    if (answer.status === 410) location.reload();
  }).catch(() => {});
}, 3000);
