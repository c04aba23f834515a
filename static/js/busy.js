// form[data-busy="Publishing…"]: the pressed button says so, keeps its width, and a second press does nothing.
for (const form of document.querySelectorAll("form[data-busy]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    const button = event.submitter;
    if (!button) return undefined;
    button.style.minInlineSize = `${button.offsetWidth}px`;
    button.setAttribute("aria-busy", "true");
    if (button.classList.contains("btn--primary")) button.textContent = form.dataset.busy;
    return undefined;
  });
}
// A page that comes back from the browser's cache can be sent again.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
});
