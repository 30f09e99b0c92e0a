// A screen that nobody touches shows the newest figures; where the server does not answer, it keeps what it shows.
"use strict";
const afterMs = 1000 * Number(document.currentScript.dataset.after);
setInterval(() => {
  fetch(location.href, { method: "HEAD" }).then((answer) => {
    if (answer.ok || answer.status === 405) location.reload();
  }).catch(() => {});
}, afterMs);
