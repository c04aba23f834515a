// The living part of checkout, #status, is polled by htmx. Nothing is swapped while the server answers 304; when the stage
// changes, the new one is spoken, and a keyboard that was inside the old part goes to the heading of the new one.
let before = document.getElementById("status");
let hadFocus = false;

document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status === 304) {
    event.detail.shouldSwap = false;
    return;
  }
  before = document.getElementById("status");
  hadFocus = Boolean(before && before.contains(document.activeElement));
});

document.body.addEventListener("htmx:afterSettle", () => {
  const after = document.getElementById("status");
  if (!after || after === before) return;
  if (before && before.dataset.stage !== after.dataset.stage) {
    const region = document.querySelector("[data-live]");
    if (region) region.textContent = after.dataset.says;
    if (hadFocus) after.querySelector("h1")?.focus({ preventScroll: false });
  }
  before = after;
});
