// What is known offers itself while one types: input[data-offers="<url>"] asks it with ?q=, shows the answer as a listbox
// (https://www.w3.org/WAI/ARIA/apg/patterns/combobox/), and tells the page with "offers:chosen" what was taken.
// data-offers-with names another field of the form that is asked along; data-offers-label names the list.
const PAUSE = 150;
let made = 0;

class Offers {
  constructor(input) {
    this.input = input;
    this.at = -1;
    this.offers = [];
    this.list = document.createElement("ul");
    this.list.id = `offers-${++made}`;
    this.list.className = "offers";
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", input.dataset.offersLabel);
    this.live = document.createElement("span");
    this.live.className = "visually-hidden";
    this.live.setAttribute("role", "status");
    this.place = document.createElement("div");
    this.place.className = "offers-place";
    this.place.append(this.list);
    this.place.hidden = true;
    input.after(this.place, this.live);
    const said = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": this.list.id };
    for (const [name, value] of Object.entries(said)) input.setAttribute(name, value);
    input.addEventListener("input", () => this.soon());
    input.addEventListener("keydown", (event) => this.pressed(event));
    input.addEventListener("blur", () => this.close());
    input.form?.addEventListener("submit", () => this.close());
    this.list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
    this.list.addEventListener("click", (event) => this.choose([...this.list.children].indexOf(event.target.closest("[role=option]"))));
  }

  get isOpen() {
    return !this.place.hidden;
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PAUSE);
  }

  async ask() {
    clearTimeout(this.timer);
    this.running?.abort();
    this.running = new AbortController();
    const url = new URL(this.input.dataset.offers, location.href);
    url.searchParams.set("q", this.input.value);
    const other = this.input.dataset.offersWith;
    if (other) url.searchParams.set(other, this.input.form.elements[other].value);
    try {
      const answer = await fetch(url, { signal: this.running.signal, credentials: "same-origin" });
      if (answer.ok) this.show(await answer.json());
    } catch (error) {
      if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error; // away for a moment: the next key asks again
    }
  }

  show({ offers, said }) {
    if (document.activeElement !== this.input) return;
    this.offers = offers;
    this.list.replaceChildren(...offers.map((offer, index) => this.option(offer, index)));
    this.place.hidden = offers.length === 0;
    this.input.setAttribute("aria-expanded", String(this.isOpen));
    this.live.textContent = said;
    this.mark(-1);
  }

  option(offer, index) {
    const row = document.createElement("li");
    row.id = `${this.list.id}-${index}`;
    row.className = "offer";
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", "false");
    for (const [name, text] of [["offer-label", offer.label], ["offer-note", offer.note]]) {
      const part = document.createElement("bdi");
      part.className = name;
      part.textContent = text;
      row.append(part, " ");
    }
    return row;
  }

  mark(index) {
    this.at = index;
    [...this.list.children].forEach((row, place) => row.setAttribute("aria-selected", String(place === index)));
    const row = this.list.children[index];
    row?.scrollIntoView({ block: "nearest" });
    if (row) this.input.setAttribute("aria-activedescendant", row.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  pressed(event) {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (!this.isOpen) this.ask();
      else this.mark((this.at + step + this.offers.length + (this.at < 0 && step < 0 ? 1 : 0)) % this.offers.length);
    } else if (event.key === "Enter" && this.isOpen && this.at >= 0) {
      event.preventDefault();
      this.choose(this.at);
    } else if (event.key === "Escape" && this.isOpen) {
      event.preventDefault();
      this.close();
    }
  }

  choose(index) {
    const offer = this.offers[index];
    if (!offer) return;
    this.close();
    this.input.dispatchEvent(new CustomEvent("offers:chosen", { bubbles: true, detail: offer }));
    this.input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  close() {
    clearTimeout(this.timer);
    this.running?.abort();
    this.place.hidden = true;
    this.live.textContent = "";
    this.input.setAttribute("aria-expanded", "false");
    this.mark(-1);
  }
}

const known = new WeakSet();
function setUp(input) {
  if (known.has(input)) return;
  known.add(input);
  input.removeAttribute("list"); // the browser's own list is for where there is no JavaScript
  new Offers(input);
}

for (const input of document.querySelectorAll("input[data-offers]")) setUp(input);
// Rows that were added later.
document.addEventListener("focusin", (event) => event.target.matches?.("input[data-offers]") && setUp(event.target));
