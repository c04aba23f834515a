// [data-dialog="id"] opens the <dialog>; without this script it is the link or button it is.
for (const opener of document.querySelectorAll("[data-dialog]")) {
  const dialog = document.getElementById(opener.dataset.dialog);
  if (!dialog) continue;
  opener.setAttribute("aria-haspopup", "dialog");
  opener.addEventListener("click", (event) => {
    event.preventDefault();
    dialog.showModal();
  });
}
document.addEventListener("click", (event) => {
  // A press on the dark around a dialog hits the dialog itself; one inside hits what is in it.
  const dialog = event.target.matches("dialog") ? event.target : event.target.closest("[data-dialog-close]")?.closest("dialog");
  dialog?.close();
});
