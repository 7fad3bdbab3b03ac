// The console's own script: keys of the review queue, text that survives an expired session, pages that follow work.
// Every page works without it.
"use strict";

const SUBMITTED = "console:submitted";

function draftKey(form, field) {
  return `console:draft:${form.dataset.draft}:${field.name}`;
}

function draftFields(form) {
  return form.querySelectorAll("textarea, input:not([type]), input[type=text]");
}

// What was typed and not yet taken is kept in this browser and put back; once a page says "done" it is forgotten.
function keepDrafts() {
  const submitted = sessionStorage.getItem(SUBMITTED);
  if (submitted && document.querySelector("[data-done]")) {
    for (const key of Object.keys(sessionStorage)) {
      if (key.startsWith(`console:draft:${submitted}:`)) sessionStorage.removeItem(key);
    }
    sessionStorage.removeItem(SUBMITTED);
  }
  for (const form of document.querySelectorAll("form[data-draft]")) {
    for (const field of draftFields(form)) {
      if (field.name === "code") continue;
      const kept = sessionStorage.getItem(draftKey(form, field));
      if (kept && (!field.value || "draftOver" in form.dataset) && kept !== field.value) {
        field.value = kept;
        for (const told of document.querySelectorAll("[data-restored]")) told.hidden = false;
      }
      field.addEventListener("input", () => sessionStorage.setItem(draftKey(form, field), field.value));
    }
    form.addEventListener("submit", () => sessionStorage.setItem(SUBMITTED, form.dataset.draft));
  }
}

// A form is sent once, however often its button is pressed.
function sendOnce() {
  for (const form of document.querySelectorAll("form[method=post]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
    });
  }
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
}

function isTyping(target) {
  return target.matches("input:not([type=radio]), textarea, select");
}

function choose(form, key) {
  const choice = form.querySelector(`input[data-key="${key}"]`);
  if (!choice) return false;
  choice.checked = true;
  form.querySelector(key === "a" ? "button.main" : "textarea").focus();
  return true;
}

function listenForKeys() {
  const form = document.getElementById("review");
  const next = document.getElementById("next-claim");
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && form) {
      event.preventDefault();
      form.requestSubmit();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const key = event.key.toLowerCase();
    if (key === "n" && next) {
      event.preventDefault();
      next.click();
    } else if (form && choose(form, key)) {
      event.preventDefault();
    }
  });
}

function followWork() {
  const working = document.querySelector("[data-refresh]");
  if (working) setTimeout(() => location.replace(location.pathname), Number(working.dataset.refresh) * 1000);
}

// Where a fault names a line, a click leads into that line of the text.
function leadToLines() {
  for (const link of document.querySelectorAll("a[data-line]")) {
    const field = document.querySelector(link.getAttribute("href"));
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const lines = field.value.split("\n");
      const number = Number(link.dataset.line) - 1;
      const start = lines.slice(0, number).reduce((sum, line) => sum + line.length + 1, 0);
      field.focus();
      field.setSelectionRange(start, start + lines[number].length);
      field.scrollTop = (field.scrollHeight / lines.length) * Math.max(number - 4, 0);
      field.scrollLeft = 0;
    });
  }
}

// A fault names its field as the form does, and leads there; without this it shows the field's code.
function leadToFields() {
  for (const code of document.querySelectorAll("[data-field]")) {
    const field = document.querySelector(
      `form[method=post] [name="${CSS.escape(code.dataset.field)}"]:not([type=hidden])`) ||
      document.querySelector(`form [name="${CSS.escape(code.dataset.field)}"]:not([type=hidden])`);
    const label = field && (field.getAttribute("aria-label") || labelText(field));
    if (!label) continue;
    field.setAttribute("aria-invalid", "true");
    const link = document.createElement("a");
    link.href = "#";
    link.textContent = label;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      for (let around = field.closest("details"); around; around = around.parentElement.closest("details")) {
        around.open = true;
      }
      field.focus();
    });
    code.replaceWith(link);
  }
}

function labelText(field) {
  const label = field.labels && field.labels[0];
  if (!label) return "";
  const own = [...label.childNodes].find((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
  return (own || label).textContent.trim();
}

// Long work is followed: the answer comes in lines of JSON, how far it is, and at last the part of the page.
async function readProgress(form, shown, told) {
  const bar = told.querySelector("progress");
  const words = told.querySelector("span");
  const answer = await fetch(form.action, {
    method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/x-ndjson" },
  });
  if (!answer.headers.get("Content-Type").startsWith("application/x-ndjson")) return false;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const said = JSON.parse(line);
      if (said.html === undefined) {
        bar.max = said.of;
        bar.value = said.done;
        words.textContent = told.dataset.counting.replace("{done}", said.done).replace("{of}", said.of);
      } else {
        shown.innerHTML = said.html;
        document.dispatchEvent(new Event("console:figures"));
        shown.focus();
        return true;
      }
    }
  }
  throw new Error("cut off");
}

function followProgress() {
  for (const form of document.querySelectorAll("form[data-progress]")) {
    const shown = document.getElementById(form.dataset.progress);
    const told = document.getElementById("progress");
    form.addEventListener("submit", async (event) => {
      if (event.defaultPrevented) return;
      event.preventDefault();
      told.hidden = false;
      told.querySelector("progress").removeAttribute("value");
      told.querySelector("span").textContent = told.dataset.starting;
      shown.replaceChildren();
      try {
        if (!(await readProgress(form, shown, told))) {
          form.submit();
          return;
        }
        told.hidden = true;
      } catch {
        told.querySelector("span").textContent = told.dataset.broken;
      }
      delete form.dataset.sent;
    });
  }
}

function offerPrinting() {
  window.addEventListener("beforeprint", () => {
    for (const closed of document.querySelectorAll("details:not([open])")) closed.open = true;
  });
  for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => window.print());
}

// Copies a command; where the browser gives no clipboard, the text is marked for the person to copy.
function offerCopies() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = button.dataset.copied;
      } catch {
        getSelection().selectAllChildren(source);
      }
    });
  }
}

keepDrafts();
sendOnce();
offerCopies();
listenForKeys();
followWork();
leadToLines();
leadToFields();
followProgress();
offerPrinting();
