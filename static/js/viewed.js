// Tells the merchant, once, that a person looked: form[data-viewed] is posted when the page has been before somebody's
// eyes for a moment. A mail scanner that only fetches the page sends nothing.
const form = document.querySelector("form[data-viewed]");
const A_MOMENT = 1500;
let timer = 0;

function send() {
  fetch(form.action, { method: "POST", body: new FormData(form), keepalive: true, credentials: "same-origin" }).catch(() => {});
  document.removeEventListener("visibilitychange", watch);
}

function watch() {
  clearTimeout(timer);
  if (document.visibilityState === "visible") timer = setTimeout(send, A_MOMENT);
}

if (form) {
  document.addEventListener("visibilitychange", watch);
  watch();
}
