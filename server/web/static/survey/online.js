// The form works without this: it hides what does not apply, counts what has been answered, and reads aloud where the
// device itself has a voice of the page's language (a voice elsewhere would be told what is read).
"use strict";
(() => {
  const form = document.getElementById("survey");
  const reasons = document.getElementById("reasons");
  const chosen = (code) => form.querySelector(`input[name="q_${code}"]:checked`)?.value ?? "";
  const questions = [...form.querySelectorAll("fieldset:not(#reasons)")];
  const isAnswered = (field) => [...field.querySelectorAll("input, textarea")].some((each) => (["radio", "checkbox"].includes(each.type) ? each.checked : each.value.trim()));
  const soFar = document.getElementById("so-far");
  const answered = document.getElementById("answered");
  const update = () => {
    if (reasons) reasons.hidden = !["1", "2", "3"].includes(chosen("overall"));
    for (const field of form.querySelectorAll("[data-asked-if]")) field.hidden = !["", field.dataset.askedFor].includes(chosen(field.dataset.askedIf));
    if (!soFar) return;
    const shown = questions.filter((field) => !field.hidden);
    const done = shown.filter(isAnswered).length;
    soFar.hidden = false;
    soFar.querySelector("progress").max = shown.length;
    soFar.querySelector("progress").value = done;
    answered.textContent = answered.dataset.words.replace("{done}", done).replace(/\d+$/, shown.length);
  };
  form.addEventListener("change", update);
  // Sending twice would only tell that the link is used up.
  form.addEventListener("submit", () => { form.querySelector("button.big").disabled = true; });
  update();

  const listen = document.getElementById("listen");
  const voices = window.speechSynthesis;
  const own = () => voices?.getVoices().find((voice) => voice.localService && voice.lang.slice(0, 2) === listen.lang);
  const offer = () => { listen.hidden = !own(); };
  if (!listen || !voices) return;
  offer();
  voices.addEventListener?.("voiceschanged", offer);
  listen.addEventListener("click", () => {
    const top = soFar.getBoundingClientRect().bottom;
    const field = questions.find((each) => !each.hidden && each.getBoundingClientRect().bottom > top + 24);
    if (!field) return;
    const said = new SpeechSynthesisUtterance([...field.querySelectorAll("legend, label")].map((each) => each.textContent.trim()).join(". "));
    said.voice = own();
    said.lang = listen.lang;
    said.rate = 0.85;
    voices.cancel();
    voices.speak(said);
  });
})();
