// [data-bundle="working"]: the page is asked again until the zip is ready or broken, and its part put in place. The end is
// spoken; without this module 'Look again' does the same.
const EVERY = 1500;
const says = document.querySelector("[data-bundle-says]");
const part = () => document.querySelector("[data-bundle]");

async function look() {
  if (document.visibilityState === "hidden") return;
  const answer = await fetch(location.href, { credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-bundle]");
  if (!fresh || fresh.innerHTML === part().innerHTML) return;
  const hadFocus = part().contains(document.activeElement);
  part().replaceWith(document.importNode(fresh, true));
  if (hadFocus) part().querySelector("a, button")?.focus();
  if (part().dataset.bundle !== "working") says.textContent = part().querySelector("h2").textContent;
}

async function watch() {
  if (part()?.dataset.bundle !== "working") return;
  await look().catch(() => {});
  setTimeout(watch, EVERY);
}

setTimeout(watch, EVERY);
