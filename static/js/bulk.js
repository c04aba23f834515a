// form[data-bulk]: the box in the table's head chooses every row, and the bar with what can be done comes to the bottom of
// the window with the first one that is chosen. Without this module the bar stands above the table.
const form = document.querySelector("form[data-bulk]");

if (form) {
  const picks = [...form.querySelectorAll("[data-bulk-pick]")];
  const every = form.querySelector("[data-bulk-page]");
  const all = form.querySelector("[data-bulk-all]");
  const words = form.querySelector("[data-bulk-words]");
  const bar = form.querySelector("[data-bulk-bar]");

  const show = () => {
    const count = picks.filter((pick) => pick.checked).length;
    if (!count) all.checked = false;
    bar.hidden = !count;
    every.checked = count === picks.length;
    every.indeterminate = count > 0 && count < picks.length;
    words.textContent = count === 1 ? words.dataset.one : words.dataset.many.replace("%n", count);
    words.hidden = all.checked;
  };

  every.hidden = false;
  words.setAttribute("role", "status");
  form.classList.add("bulk--live");
  every.addEventListener("change", () => {
    for (const pick of picks) pick.checked = every.checked;
    show();
  });
  form.addEventListener("change", show);
  window.addEventListener("pageshow", show); // Back brings the boxes as they were left
  show();
}
