// Fills the time zone in from the browser and puts the question away; without this it is simply asked.
for (const field of document.querySelectorAll("[data-zone]")) {
  const select = field.querySelector("select");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const known = select && zone && [...select.options].some((option) => option.value === zone);
  const answered = select && (select.value !== "UTC" || field.querySelector(".field-error"));
  if (known && !answered) {
    select.value = zone;
    field.hidden = true;
  }
}
