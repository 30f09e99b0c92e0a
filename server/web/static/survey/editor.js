// The editor works without this: it only hides what a kind of question does not need.
"use strict";
(() => {
  const kind = document.getElementById("i-kind");
  if (!kind) return;
  const update = () => {
    for (const part of document.querySelectorAll("[data-kinds]")) part.hidden = !part.dataset.kinds.split(" ").includes(kind.value);
  };
  kind.addEventListener("change", update);
  update();
})();
