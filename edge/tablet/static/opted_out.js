// "Stopped for this visit" must not stand on the screen for the next citizen: asks whether it still holds.
"use strict";
setInterval(() => {
  fetch("/opt-out").then((answer) => {
    if (answer.status === 410) location.reload();
  }).catch(() => {});
}, 3000);
