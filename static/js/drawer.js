// Below 1024 px the sidebar is a drawer. Without this script the menu link jumps to it (:target).
const app = document.querySelector("[data-drawer]");
const opener = document.querySelector("[data-drawer-open]");
const sidebar = document.getElementById("sidebar");
if (app && opener && sidebar) {
  const set = (open) => {
    app.classList.toggle("drawer-open", open);
    opener.setAttribute("aria-expanded", String(open));
    if (open) sidebar.querySelector("a, summary")?.focus();
  };
  set(false);
  opener.addEventListener("click", (event) => { event.preventDefault(); event.stopPropagation(); set(true); });
  document.addEventListener("click", (event) => { if (!sidebar.contains(event.target)) set(false); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && app.classList.contains("drawer-open")) { set(false); opener.focus(); }
  });
}
