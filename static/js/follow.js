// [data-follow]: others have the next move, so the page is asked again, and its part put in place when it says something else
// (data-state). What changed is spoken. A part in which somebody has typed stays.
const EVERY = 5000;
const part = () => document.getElementById("part");

const isTyped = () => [...part().querySelectorAll("input:not([type=hidden]), textarea")].some((field) => (field.type === "checkbox" ? field.checked : field.value));

async function look() {
  if (document.visibilityState === "hidden" || isTyped()) return;
  const answer = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("part");
  if (!fresh || fresh.dataset.state === part().dataset.state || isTyped()) return;
  const before = part().dataset;
  const hadFocus = part().contains(document.activeElement);
  part().replaceWith(document.importNode(fresh, true));
  if (hadFocus) part().querySelector("h1")?.focus();
  const live = document.querySelector("[data-live]");
  if (live && before.says !== part().dataset.says) live.textContent = part().dataset.says;
  document.dispatchEvent(new CustomEvent("followed"));
}

async function watch() {
  if (!part()?.hasAttribute("data-follow")) return;
  await look().catch(() => {});
  setTimeout(watch, EVERY);
}

setTimeout(watch, EVERY);
