// [data-countdown] counts down to data-until by the server's time (data-now); [data-elapsed] counts up from data-since.
// Both may arrive with a swapped fragment, so they are looked for at every tick. Spoken at 5 minutes, 1 minute and 0 only.
const SPOKEN = [300, 60, 0];
const offsets = new WeakMap(); // element → how far the server's clock is ahead of this one
const lastSeen = new WeakMap();

function serverNow(element) {
  if (!offsets.has(element)) offsets.set(element, Number(element.dataset.now) - Date.now());
  return Date.now() + offsets.get(element);
}

function words(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function say(text) {
  const region = document.querySelector("[data-live]");
  if (region && text) region.textContent = text;
}

function over(element) {
  const panel = element.closest("#status");
  if (!panel) return;
  panel.querySelectorAll("[data-while-locked]").forEach((part) => { part.hidden = true; });
  panel.querySelectorAll("[data-when-over]").forEach((part) => { part.hidden = false; });
  panel.dispatchEvent(new CustomEvent("lockended", { bubbles: true }));
}

function down(element) {
  const left = Math.max(Math.ceil((Number(element.dataset.until) - serverNow(element)) / 1000), 0);
  const before = lastSeen.get(element) ?? left + 1;
  if (left === before) return;
  lastSeen.set(element, left);
  element.querySelector("[data-clock]").textContent = words(left);
  element.querySelector("[data-ring]").setAttribute("stroke-dasharray", `${Math.min((left * 100) / Number(element.dataset.whole), 100)} 100`);
  if (left <= 60) {
    const note = element.querySelector("[data-note]");
    element.classList.add("countdown--nearly");
    note.textContent = note.dataset.nearly;
  }
  const passed = SPOKEN.find((mark) => before > mark && left <= mark && left > mark - 5);
  if (passed !== undefined) say(element.getAttribute(`data-say-${passed}`));
  if (left === 0) over(element);
}

function tick() {
  document.querySelectorAll("[data-countdown]").forEach(down);
  document.querySelectorAll("[data-elapsed]").forEach((element) => {
    element.textContent = words(Math.max(Math.floor((serverNow(element) - Number(element.dataset.since)) / 1000), 0));
  });
}

tick();
setInterval(tick, 1000);
document.addEventListener("visibilitychange", tick);
