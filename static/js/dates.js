// 'every 1 month', 'every 2 months': select[data-units="<id of the number>"] has options with data-one and data-many.
for (const select of document.querySelectorAll("select[data-units]")) {
  const number = document.getElementById(select.dataset.units);
  const agree = () => {
    for (const option of select.options) option.textContent = number.value.trim() === "1" ? option.dataset.one : option.dataset.many;
  };
  number.addEventListener("input", agree);
  agree();
}
