// [data-dialog="id"] opens the <dialog>; without this script it is the link or button it is.
for (const opener of document.querySelectorAll("[data-dialog]")) {
  const dialog = document.getElementById(opener.dataset.dialog);
  if (!dialog) continue;
  opener.addEventListener("click", (event) => {
    event.preventDefault();
    dialog.showModal();
  });
}
document.addEventListener("click", (event) => {
  event.target.closest("[data-dialog-close]")?.closest("dialog")?.close();
});
