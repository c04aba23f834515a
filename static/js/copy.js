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

// For two seconds the icon is a check.
function check(button) {
  const icon = button.querySelector("svg");
  if (button.classList.contains("copied") || !icon) return;
  const drawn = [...icon.childNodes];
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M20 6 9 17l-5-5");
  icon.replaceChildren(path);
  button.classList.add("copied");
  setTimeout(() => {
    icon.replaceChildren(...drawn);
    button.classList.remove("copied");
  }, 2000);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await copy(button.dataset.copy);
  check(button);
  button.focus();
  live.textContent = "";
  setTimeout(() => { live.textContent = button.dataset.copied; }, 50);
  document.dispatchEvent(new CustomEvent("said", { detail: button.dataset.copied }));
});
