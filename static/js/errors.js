// What was wrong is not called wrong once it is changed: the control, its field, and the words beside it. The summary at the top
// stays as it was said. A module that fills a field in tells of it with a "change".
const FIELD = ".field, .line-cell";

// The words that `part` is described by, if they say what is wrong; and `part` no longer described by them.
function forget(part) {
  const ids = (part.getAttribute("aria-describedby") ?? "").split(/\s+/).filter(Boolean);
  const wrong = ids.filter((id) => document.getElementById(id)?.matches(".field-error"));
  const others = ids.filter((id) => !wrong.includes(id));
  for (const id of wrong) document.getElementById(id).remove();
  if (wrong.length && others.length) part.setAttribute("aria-describedby", others.join(" "));
  else if (wrong.length) part.removeAttribute("aria-describedby");
  part.removeAttribute("aria-invalid");
}

// Checkboxes or radio buttons of one name are one answer.
function answer(control) {
  const isOneOfMany = ["checkbox", "radio"].includes(control.type) && control.form && control.name;
  return isOneOfMany ? [...control.form.querySelectorAll(`[name="${CSS.escape(control.name)}"]`)] : [control];
}

function mended(control) {
  for (const part of [...answer(control), control.closest("fieldset[aria-describedby]")]) if (part) forget(part);
  const field = control.closest(FIELD);
  if (!field || field.querySelector("[aria-invalid]")) return; // its other control is still wrong
  for (const words of field.querySelectorAll(".field-error")) words.remove();
  field.classList.remove("field--error", "line-cell--wrong");
  const row = field.closest(".line--wrong");
  if (row && !row.querySelector("[aria-invalid]")) row.classList.remove("line--wrong");
}

for (const kind of ["input", "change"]) {
  document.addEventListener(kind, (event) => event.target.matches?.("input, select, textarea") && mended(event.target));
}
