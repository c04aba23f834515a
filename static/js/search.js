// "/" goes to the search field, [data-search]; the hint for it is in the <kbd> beside the field.
const field = document.querySelector("[data-search]");
const isTyping = (element) => element.isContentEditable || element.matches("input, textarea, select");

if (field) {
  field.parentElement.querySelector("kbd").hidden = false;
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    field.focus();
  });
}
