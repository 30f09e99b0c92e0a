// Corners are shares of the picture's width and height; the picture leaves this page by no way.
"use strict";
const picture = document.getElementById("picture");
const polygon = document.querySelector("#drawn polygon");
const field = document.getElementById("region");
let corners = [];

function show() {
  polygon.setAttribute("points", corners.map((corner) => corner.join(",")).join(" "));
  field.value = JSON.stringify(corners);
}

document.querySelector(".drawing").addEventListener("click", (event) => {
  const box = picture.getBoundingClientRect();
  const share = (value) => Math.min(1, Math.max(0, value));
  corners.push([share((event.clientX - box.left) / box.width), share((event.clientY - box.top) / box.height)]);
  show();
});
document.getElementById("undo").addEventListener("click", () => {
  corners = corners.slice(0, -1);
  show();
});
for (const whole of document.querySelectorAll("[data-region]")) {
  whole.addEventListener("click", () => {
    corners = JSON.parse(whole.dataset.region);
    show();
  });
}
