// 'All of them' and the single tokens agree: [data-tokens] holds one [data-all] box, the others, and [data-chosen].
function setUp(box) {
  const all = box.querySelector("[data-all]");
  const single = [...box.querySelectorAll("input[type=checkbox]:not([data-all])")];
  const chosen = box.querySelector("[data-chosen]");

  function show() {
    const on = single.filter((token) => token.checked).length;
    all.checked = on === single.length;
    all.indeterminate = on > 0 && on < single.length;
    if (chosen) chosen.textContent = chosen.dataset.chosen.replace("{n}", on).replace("{m}", single.length);
  }

  all.addEventListener("change", () => {
    for (const token of single) token.checked = all.checked;
    show();
  });
  for (const token of single) token.addEventListener("change", show);
  if (all.checked) for (const token of single) token.checked = true;
  show();
}

for (const box of document.querySelectorAll("[data-tokens]")) setUp(box);
