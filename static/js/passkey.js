// What went wrong with a passkey is said beside its button, [data-passkey-trouble]; allauth's script only logs it.
document.addEventListener("allauth.error", (event) => {
  const line = document.querySelector("[data-passkey-trouble]");
  if (!line) return;
  event.preventDefault();
  const insecure = event.detail.exception?.name === "SecurityError" || !window.isSecureContext;
  line.querySelector("span").textContent = insecure ? line.dataset.insecure : line.dataset.words;
  line.hidden = false;
});
