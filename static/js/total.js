// The total follows typing: the server adds up, the page shows it. form[data-totals="<url>"], parts by [data-part].
const PAUSE = 250;

function swap(html) {
  const answer = new DOMParser().parseFromString(html, "text/html");
  for (const fresh of answer.querySelectorAll("[data-part]")) {
    for (const place of document.querySelectorAll(`[data-part="${CSS.escape(fresh.dataset.part)}"]`)) {
      if (place.innerHTML === fresh.innerHTML) continue;
      const opened = [...place.querySelectorAll("details")].map((one) => one.open);
      place.replaceChildren(...fresh.cloneNode(true).childNodes);
      place.querySelectorAll("details").forEach((one, index) => (one.open = opened[index] ?? one.open)); // what was unfolded stays so
    }
  }
}

function follow(form) {
  let timer = 0;
  let running = null;

  async function count() {
    running?.abort();
    running = new AbortController();
    const values = new FormData(form);
    for (const [name, value] of [...values]) if (value instanceof File) values.delete(name);
    try {
      const answer = await fetch(form.dataset.totals, { method: "POST", body: values, signal: running.signal, credentials: "same-origin" });
      if (answer.ok) swap(await answer.text());
    } catch (error) {
      if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error; // away for a moment: the next key asks again
    }
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(count, PAUSE);
  }

  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  form.addEventListener("lines:changed", soon);
}

for (const form of document.querySelectorAll("form[data-totals]")) follow(form);
