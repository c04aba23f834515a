// What is slower than the page comes after it: [data-totals] names a fragment, whose [data-fill] parts go into the page's
// parts of the same name. When it does not come, the link that stands there leads to a page with everything in it.
const place = document.querySelector("[data-totals]");

async function fill() {
  const answer = await fetch(place.dataset.totals, { credentials: "same-origin", headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const fragment = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of fragment.querySelectorAll("[data-fill]")) {
    for (const target of document.querySelectorAll(`[data-fill="${CSS.escape(part.dataset.fill)}"]`)) {
      target.replaceChildren(...[...part.childNodes].map((node) => document.importNode(node, true)));
    }
  }
}

if (place && !place.querySelector(".list-sums")) fill().catch(() => {});
