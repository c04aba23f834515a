// form[data-busy="Publishing…"]: the pressed button says so, keeps its width, and a second press does nothing.
const before = new WeakMap(); // button → what it held

function say(button, words) {
  before.set(button, [...button.childNodes]);
  button.style.minInlineSize = `${button.offsetWidth}px`;
  button.setAttribute("aria-busy", "true");
  button.replaceChildren(words);
}

for (const form of document.querySelectorAll("form[data-busy]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    if (event.submitter?.matches(".btn")) say(event.submitter, form.dataset.busy);
  });
}

// A page that comes back from the browser's cache can be sent again.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const button of document.querySelectorAll("[aria-busy]")) {
    button.removeAttribute("aria-busy");
    button.style.minInlineSize = "";
    if (before.has(button)) button.replaceChildren(...before.get(button));
  }
});
