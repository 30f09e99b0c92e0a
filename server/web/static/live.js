// Replaces the part of the page marked data-live with its newest state; stops when asked to. Without scripts a link reloads the page.
"use strict";
const part = document.querySelector("[data-live]");
const button = document.querySelector("[data-live-button]");
if (part && button) {
  const seconds = Number(part.dataset.live);
  let running = true;
  button.hidden = false;
  const label = () => { button.textContent = running ? button.dataset.pause : button.dataset.resume; };
  button.addEventListener("click", () => { running = !running; label(); });
  label();
  const update = async () => {
    if (running && !part.contains(document.activeElement)) {
      try {
        const answer = await fetch(location.href, { headers: { "X-Part": "live" }, credentials: "same-origin" });
        if (answer.ok) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          const fresh = page.querySelector("[data-live]");
          if (fresh && fresh.innerHTML !== part.innerHTML) { part.replaceChildren(...fresh.childNodes); }
        }
      } catch { /* the server is away for a moment: the next round asks again */ }
    }
    setTimeout(update, seconds * 1000);
  };
  setTimeout(update, seconds * 1000);
}
