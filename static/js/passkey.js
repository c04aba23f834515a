// What went wrong with a passkey is said beside its button, [data-passkey-trouble]; allauth's script only logs it.
document.addEventListener("allauth.error", (event) => {
  const line = document.querySelector("[data-passkey-trouble]");
  if (!line) return;
  event.preventDefault();
  const insecure = event.detail.exception?.name === "SecurityError" || !window.isSecureContext;
  if (insecure) line.querySelector("[data-words]").textContent = line.dataset.insecure;
  line.hidden = false;
});
