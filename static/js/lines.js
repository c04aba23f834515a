// Rows are added and removed in place: [data-lines] holds [data-line] rows, <template data-line-new> an empty one.
function numbered(html, number) {
  const holder = document.createElement("template");
  holder.innerHTML = html.replaceAll("__n__", String(number));
  return holder.content.firstElementChild;
}

function setUp(list) {
  const form = list.closest("form");
  const blank = form.querySelector("template[data-line-new]");
  const live = form.querySelector("[data-lines-said]");
  let next = Math.max(0, ...[...list.querySelectorAll("[data-line]")].map((row) => Number(row.dataset.line) + 1));

  function changed(words) {
    if (live) live.textContent = words ?? "";
    form.dispatchEvent(new CustomEvent("lines:changed"));
  }

  function add() {
    const rows = [...list.querySelectorAll("[data-line]")];
    const row = numbered(blank.innerHTML.trim(), next++);
    const tax = rows.at(-1)?.querySelector("[name$='-tax']")?.value;
    if (tax) row.querySelector("[name$='-tax']").value = tax;
    list.append(row);
    row.querySelector("input").focus();
    changed();
  }

  function remove(button) {
    const row = button.closest("[data-line]");
    const near = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    if (!list.querySelector("[data-line]")) add();
    else near?.querySelector("input")?.focus();
    changed(button.dataset.said);
  }

  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[name=add_line], button[name=remove_line]");
    if (!button) return;
    event.preventDefault();
    if (button.name === "add_line") add();
    else remove(button);
  });
}

for (const list of document.querySelectorAll("[data-lines]")) setUp(list);
