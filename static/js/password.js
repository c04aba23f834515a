// [data-password-toggle]: shows the password typed in the field beside it.
for (const button of document.querySelectorAll("[data-password-toggle]")) {
  const field = button.parentElement.querySelector("input");
  if (!field) continue;
  button.hidden = false;
  button.addEventListener("click", () => {
    const hidden = field.type === "password";
    field.type = hidden ? "text" : "password";
    button.setAttribute("aria-pressed", String(hidden));
  });
}
