// A payer who was chosen brings the rest of what is known of them, and their last invoice to copy: [data-last-invoice].
const last = document.querySelector("[data-last-invoice]");

// Whether something was written that copying another invoice would leave behind.
function isWritten(form) {
  if (form.elements.title?.value.trim() || form.elements.description?.value.trim()) return true;
  return [...form.querySelectorAll("[data-line] input[name$='-description'], [data-line] input[name$='-unit_price']")].some((cell) => cell.value.trim());
}

function offerCopy(form, invoice) {
  last.hidden = !invoice;
  if (!invoice) return;
  last.querySelector("[data-last-text]").textContent = invoice.text;
  const button = last.querySelector("button");
  button.setAttribute("formaction", invoice.copy);
  button.hidden = !invoice.copy || isWritten(form);
}

document.addEventListener("offers:chosen", (event) => {
  const { fill, last: invoice } = event.detail;
  const form = event.target.form;
  if (!("payer_name" in fill)) return;
  for (const [name, value] of Object.entries(fill)) {
    const field = form.elements[name];
    if (!field) continue;
    field.value = value;
    field.dispatchEvent(new Event("change", { bubbles: true })); // not "input": that would ask for offers again
  }
  const more = form.elements.payer_address?.closest("details");
  if (more && (fill.payer_address || fill.payer_tax_id)) more.open = true;
  const copies = form.querySelector("[data-copies]");
  if (copies && (fill.mail_to || fill.mail_cc || fill.mail_bcc)) copies.open = true;
  if (last) offerCopy(form, invoice);
});

last?.closest("form").addEventListener("input", (event) => {
  if (last.hidden) return;
  if (event.target.name === "payer_name" || event.target.name === "payer_email") last.hidden = true; // somebody else, perhaps
  else if (isWritten(last.closest("form"))) last.querySelector("button").hidden = true;
});
