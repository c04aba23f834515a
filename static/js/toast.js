// Toasts go after five seconds; what a script says (event "said") is shown as one too, and read out elsewhere.
const LASTS = 5000;
const part = (toast) => setTimeout(() => {
  toast.classList.add("toast--gone");
  setTimeout(() => toast.remove(), 200);
}, LASTS);

document.querySelectorAll("[data-toasts] .toast").forEach(part);
document.querySelector("[data-focus]")?.focus();

document.addEventListener("said", (event) => {
  let toasts = document.querySelector("[data-said]");
  if (!toasts) {
    toasts = document.createElement("div");
    toasts.className = "toasts";
    toasts.dataset.said = "";
    toasts.setAttribute("aria-hidden", "true");
    document.body.append(toasts);
  }
  const toast = document.createElement("p");
  toast.className = "toast";
  toast.textContent = event.detail;
  toasts.replaceChildren(toast);
  part(toast);
});
