// The form works without this: it only hides what does not apply.
"use strict";
(() => {
  const form = document.getElementById("survey");
  const reasons = document.getElementById("reasons");
  const chosen = (code) => form.querySelector(`input[name="q_${code}"]:checked`)?.value ?? "";
  const update = () => {
    if (reasons) reasons.hidden = !["1", "2", "3"].includes(chosen("overall"));
    for (const field of form.querySelectorAll("[data-asked-if]")) field.hidden = !["", field.dataset.askedFor].includes(chosen(field.dataset.askedIf));
  };
  form.addEventListener("change", update);
  // Sending twice would only tell that the link is used up.
  form.addEventListener("submit", () => { form.querySelector("button").disabled = true; });
  update();
})();
