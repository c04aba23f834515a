// A known payer's name brings the rest, where nothing was written yet: options of <datalist id="payers"> hold it.
const list = document.getElementById("payers");
const name = document.querySelector("input[list=payers]");

// On input, so that it is there before the next field is entered: filled under a cursor, it would mix with what is typed.
name?.addEventListener("input", () => {
  const known = [...(list?.options ?? [])].find((option) => option.value === name.value);
  if (!known) return;
  for (const field of ["email", "address", "tax_id"]) {
    const input = name.form.elements[`payer_${field}`];
    if (input && !input.value) input.value = known.dataset[field] ?? "";
  }
});
