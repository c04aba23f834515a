// button[data-copy="text" data-copied="Address copied"] puts the text on the clipboard and says so.
const live = document.querySelector("[data-live]");

function byHand(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no clipboard outside https, or not allowed
    byHand(text);
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await copy(button.dataset.copy);
  button.classList.add("copied");
  button.focus();
  live.textContent = "";
  setTimeout(() => { live.textContent = button.dataset.copied; }, 50);
  document.dispatchEvent(new CustomEvent("said", { detail: button.dataset.copied }));
  setTimeout(() => button.classList.remove("copied"), 2000);
});
