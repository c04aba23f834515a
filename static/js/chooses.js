// [data-chooses="name=value"]: who types in it means the choice it stands beside.
for (const field of document.querySelectorAll("[data-chooses]")) {
  const [name, value] = field.dataset.chooses.split("=");
  const choice = field.form?.querySelector(`input[name="${CSS.escape(name)}"][value="${CSS.escape(value)}"]`);
  if (!choice) continue;
  field.addEventListener("input", () => (choice.checked = true));
}
