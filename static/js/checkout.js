// The living part of checkout, #status, is polled by htmx. Nothing is swapped while the server answers 304; when the stage
// changes, the new one is spoken, and a keyboard that was inside the old part goes to the heading of the new one. What the
// payer has opened (details[data-keep]) and typed there outlives a swap.
let before = document.getElementById("status");
let hadFocus = false;
let kept = [];

function keep(status) {
  kept = [...(status?.querySelectorAll("details[data-keep]") ?? [])].map((part) => {
    const field = part.querySelector("input[name=txid]");
    const isTyping = field !== null && field === document.activeElement;
    return { name: part.dataset.keep, open: part.open, typed: field?.value, isTyping, at: isTyping ? field.selectionStart : 0 };
  });
}

function putBack(status) {
  for (const { name, open, typed, isTyping, at } of kept) {
    const part = status.querySelector(`details[data-keep="${name}"]`);
    const field = part?.querySelector("input[name=txid]");
    if (!part) continue;
    part.open ||= open;
    if (field && typed) field.value = typed;
    if (field && isTyping) {
      field.focus();
      field.setSelectionRange(at, at);
    }
  }
}

document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status === 304) {
    event.detail.shouldSwap = false;
    return;
  }
  before = document.getElementById("status");
  keep(before);
  hadFocus = Boolean(before && before.contains(document.activeElement));
});

document.body.addEventListener("htmx:afterSettle", () => {
  const after = document.getElementById("status");
  if (!after || after === before) return;
  putBack(after);
  if (before && before.dataset.says !== after.dataset.says) {
    const region = document.querySelector("[data-live]");
    if (region) region.textContent = after.dataset.says;
  }
  const isTyping = after.contains(document.activeElement);
  if (before && before.dataset.stage !== after.dataset.stage && hadFocus && !isTyping) after.querySelector("h1")?.focus({ preventScroll: false });
  before = after;
});
