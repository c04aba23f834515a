// Repaints the sample and says how white text reads on the colour while it is being chosen.
// The same formula as merchants/branding.py (WCAG 2).
const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

const contrastWithWhite = (color) => {
  const [red, green, blue] = [1, 3, 5].map((place) => linear(parseInt(color.slice(place, place + 2), 16) / 255));
  return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05);
};

const SEEN_ON_PAPER = 1.5; // paler ones are refused as the form is saved

// The contrast of white with ink #131A2C is 17.3; below 4.5 against the colour, black is used.
const textOn = (ratio) => {
  if (ratio >= 4.5) return "#FFFFFF";
  return contrastWithWhite("#131A2C") / ratio >= 4.5 ? "#131A2C" : "#000000";
};

for (const form of document.querySelectorAll("[data-brand]")) {
  const input = form.querySelector("[data-brand-input]");
  const verdict = form.querySelector("[data-brand-verdict]");
  const buttons = form.querySelectorAll("[data-brand-color]");
  const mark = (color) => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.brandColor === color.toUpperCase()));
  };
  const paint = () => {
    const color = input.value.trim();
    mark(color);
    if (!/^#[0-9a-f]{6}$/i.test(color)) return;
    const ratio = contrastWithWhite(color);
    const text = textOn(ratio);
    form.querySelector("[data-brand-fill]").setAttribute("fill", color);
    form.querySelector("[data-brand-text]").setAttribute("fill", text);
    const isWhite = text === "#FFFFFF";
    const isPale = ratio < SEEN_ON_PAPER;
    const words = isPale ? verdict.dataset.pale : isWhite ? verdict.dataset.white : verdict.dataset.ink;
    verdict.hidden = false;
    verdict.textContent = words.replace("RATIO", ratio.toFixed(1));
    verdict.classList.toggle("state--green", isWhite);
    verdict.classList.toggle("state--grey", !isWhite && !isPale);
    verdict.classList.toggle("state--amber", isPale);
  };
  input.addEventListener("input", paint);
  form.querySelector("[data-brand-colors]").hidden = false;
  mark(input.value.trim());
  for (const button of buttons) {
    button.addEventListener("click", () => {
      input.value = button.dataset.brandColor;
      paint();
    });
  }
}
