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
      if (kept && !field.value) field.value = kept;
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

function offerPrinting() {
  window.addEventListener("beforeprint", () => {
    for (const closed of document.querySelectorAll("details:not([open])")) closed.open = true;
  });
  for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => window.print());
}

keepDrafts();
sendOnce();
listenForKeys();
followWork();
offerPrinting();
