// A saved item that was chosen in the description of a [data-line] fills that row: description, unit price, tax.
document.addEventListener("offers:chosen", (event) => {
  const row = event.target.closest("[data-line]");
  if (!row) return;
  for (const [name, value] of Object.entries(event.detail.fill)) {
    const cell = row.querySelector(`[name$='-${name}']`);
    if (!cell) continue;
    cell.value = value;
    cell.dispatchEvent(new Event("change", { bubbles: true })); // not "input": that would ask for offers again
  }
});
