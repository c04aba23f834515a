// Below 1024 px the sidebar is a drawer; the page behind it is out of reach while it is open.
// Without this script the menu link jumps to it (:target).
const app = document.querySelector("[data-drawer]");
const opener = document.querySelector("[data-drawer-open]");
const sidebar = document.getElementById("sidebar");
const page = document.querySelector(".app-main");

function set(open) {
  app.classList.toggle("drawer-open", open);
  opener.setAttribute("aria-expanded", String(open));
  page.inert = open;
  if (open) requestAnimationFrame(() => requestAnimationFrame(() => sidebar.querySelector("summary").focus()));
}

if (app && opener && sidebar && page) {
  opener.setAttribute("role", "button");
  opener.setAttribute("aria-controls", "sidebar");
  set(false);
  opener.addEventListener("click", (event) => {
    event.preventDefault();
    event.stopPropagation();
    set(true);
  });
  document.addEventListener("click", (event) => {
    if (!app.classList.contains("drawer-open") || sidebar.contains(event.target)) return;
    event.preventDefault();
    set(false);
    opener.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !app.classList.contains("drawer-open") || sidebar.querySelector("details[open]")) return;
    set(false);
    opener.focus();
  });
  matchMedia("(min-width: 1024px)").addEventListener("change", () => set(false));
}
