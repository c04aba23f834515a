// button[data-copy="text" data-copied="Address copied"] puts the text on the clipboard and says so.
const live = document.querySelector("[data-live]");

async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await copy(button.dataset.copy);
  button.classList.add("copied");
  live.textContent = "";
  requestAnimationFrame(() => { live.textContent = button.dataset.copied; });
  document.dispatchEvent(new CustomEvent("said", { detail: button.dataset.copied }));
  setTimeout(() => button.classList.remove("copied"), 2000);
});
