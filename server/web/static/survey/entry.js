// Data entry without a mouse: a code, then one key a question.
"use strict";
(() => {
  const get = (id) => document.getElementById(id);
  const form = get("entry"), code = get("code"), fields = get("fields"), problem = get("problem");
  const words = JSON.parse(form.dataset.words);
  const say = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  const token = form.querySelector("input[name=csrf]").value;
  let inputs = [], busy = false, entered = 0;

  const tell = (text) => { problem.textContent = text; problem.hidden = !text; };
  const call = async (path, body) => {
    const options = body ? { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", "X-CSRF-Token": token } } : {};
    const answer = await fetch(path, { ...options, headers: { ...options.headers, Accept: "application/json" } });
    const text = await answer.text();
    let data = {};
    try { data = JSON.parse(text); } catch { data = { error: new DOMParser().parseFromString(text, "text/html").querySelector("[role=alert]")?.textContent }; }
    if (!answer.ok) throw new Error(data.error || data.detail || `${answer.status}`);
    return data;
  };
  const allowed = (input) => input.dataset.keys;

  const build = (list) => {
    fields.replaceChildren(...list.map((field) => {
      const label = document.createElement("label");
      const name = document.createElement("b");
      name.textContent = field.code === "overall" ? "0" : field.code;
      const input = document.createElement("input");
      input.maxLength = field.keys ? 1 : 200; input.inputMode = field.keys ? "numeric" : "text"; input.id = `q_${field.code}`; input.dataset.code = field.code;
      input.dataset.keys = field.keys;
      const text = document.createElement("span");
      text.textContent = field.hint ? `${field.text} (${field.hint})` : field.text;
      label.append(name, input, text);
      return label;
    }));
    inputs = [...fields.querySelectorAll("input")];
    fields.hidden = false;
    get("reasonrow").hidden = true;
  };

  const clear = () => {
    code.value = ""; fields.replaceChildren(); fields.hidden = true; inputs = [];
    get("which").textContent = ""; get("reasons").value = ""; get("reasonrow").hidden = true; tell(""); code.focus();
  };

  const open = async () => {
    if (busy) return;
    busy = true;
    try {
      const found = await call(`/survey/entry/forms/${encodeURIComponent(code.value.trim())}`);
      code.value = found.code; tell("");
      get("which").textContent = `${found.agency} · ${found.round}${found.state === "half" ? ` · ${words.second}` : ""}`;
      build(found.fields);
      inputs[0].focus();
    } catch (error) { tell(error.message); code.select(); } finally { busy = false; }
  };

  const next = (input) => {
    const place = inputs.indexOf(input);
    if (place + 1 < inputs.length) { inputs[place + 1].focus(); inputs[place + 1].select(); return; }
    const low = ["1", "2", "3"].includes(inputs[0].value);
    get("reasonrow").hidden = !low;
    (low ? get("reasons") : get("save")).focus();
  };

  fields.addEventListener("keydown", (event) => {
    const input = event.target;
    if (!input.dataset.keys && (event.key === " " || event.key.length === 1 || event.key.startsWith("Arrow"))) return; // typed, ends with Enter
    if (event.key === " ") { event.preventDefault(); input.value = ""; input.classList.remove("wrong"); next(input); }
    else if (event.key === "Backspace" && !input.value) { event.preventDefault(); const place = inputs.indexOf(input); if (place) { inputs[place - 1].focus(); inputs[place - 1].select(); } }
    else if (event.key === "ArrowDown" || event.key === "ArrowRight") { event.preventDefault(); next(input); }
    else if (event.key === "ArrowUp" || event.key === "ArrowLeft") { event.preventDefault(); const place = inputs.indexOf(input); if (place) inputs[place - 1].focus(); }
    else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      if (allowed(input).includes(event.key)) { input.value = event.key; input.classList.remove("wrong"); tell(""); next(input); }
      else { input.classList.add("wrong"); tell(say(words.only, { question: input.dataset.code, keys: [...allowed(input)].join(", ") })); }
    }
  });

  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { event.preventDefault(); clear(); }
    else if (event.key === "Enter" && event.target === code) { event.preventDefault(); open(); }
    else if (event.key === "Enter" && inputs.includes(event.target)) { event.preventDefault(); next(event.target); }
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    if (!inputs.length) { open(); return; }
    busy = true;
    const codes = get("reasons").dataset.codes.split(",");
    const reasons = get("reasons").value.split(/[ ,;]+/).filter(Boolean).map((text) => codes[Number(text) - 1] ?? text);
    const answers = Object.fromEntries(inputs.filter((input) => input.value).map((input) => [input.dataset.code, input.dataset.keys ? Number(input.value) : input.value]));
    try {
      const done = await call("/survey/entry/forms", { code: code.value, day: get("day").value.trim(), answers, reasons, decide: Boolean(get("decide")?.checked) });
      const text = `${done.code}: ${words[done.result]}`;
      get("done").textContent = text;
      const line = document.createElement("li");
      line.textContent = text;
      get("log").prepend(line);
      while (get("log").children.length > 20) get("log").lastChild.remove();
      get("count").textContent = String(++entered);
      clear();
    } catch (error) { tell(error.message); inputs[0].focus(); } finally { busy = false; }
  });
})();
