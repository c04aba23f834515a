// A known payer's name brings the rest, where nothing was written yet: options of <datalist id="payers"> hold it.
const list = document.getElementById("payers");
const name = document.querySelector("input[list=payers]");

name?.addEventListener("change", () => {
  const known = [...(list?.options ?? [])].find((option) => option.value === name.value);
  if (!known) return;
  for (const field of ["email", "address", "tax_id"]) {
    const input = name.form.elements[`payer_${field}`];
    if (input && !input.value) input.value = known.dataset[field] ?? "";
  }
  name.form.dispatchEvent(new Event("input"));
});
