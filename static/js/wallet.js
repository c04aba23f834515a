// [data-wallet]: pay a quote or a refund with a wallet in this browser (EIP-1193, found by EIP-6963 or as window.ethereum). The
// server wrote what to ask for into data-call; here it is asked for once, and every refusal is said beside the button. data-key
// names what is paid, data-tell is told its transaction, data-heard is the answer that says that it is written down (a status,
// or "redirect"), data-until (if it ends) is until when, data-tell-bare says that the word alone is worth telling. The part comes and goes with the swaps of #status: what is known of a key is kept here, and drawn after each.
const announced = new Map(); // EIP-6963: uuid → {info, provider}
const payments = new Map(); // key → {busy, said, txid, isChoosing}
const offsets = new WeakMap(); // part → how far the server's clock is ahead of this one
const MEMORY = "sent-by-wallet:";
const TELL_AGAIN = [0, 2000, 6000, 15000, 40000];
const REFUSED = 409; // HTTP: it is not written down, with a sentence
const REJECTED = 4001; // EIP-1193
const UNKNOWN_CHAIN = 4902; // EIP-3326
const STILL_ASKING = -32002; // EIP-1474
const SHORT = /insufficient (funds|balance)|exceeds (the )?balance|not enough (funds|balance)/i;

class Refusal extends Error {}

const part = () => document.querySelector("[data-wallet]");
const csrf = () => document.querySelector("#status [name=csrfmiddlewaretoken]")?.value ?? "";
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function known(key) {
  if (!payments.has(key)) payments.set(key, { busy: false, said: "", txid: remembered(key), isChoosing: false });
  return payments.get(key);
}

// --- what a reload must not forget: what was sent and could not be told to the server yet
function remembered(key) {
  try {
    return localStorage.getItem(MEMORY + key) ?? "";
  } catch {
    return "";
  }
}

function remember(key, txid) {
  try {
    if (txid) localStorage.setItem(MEMORY + key, txid);
    else localStorage.removeItem(MEMORY + key);
  } catch { /* no storage: the server's word is what is left */ }
}

// --- wallets
function wallets() {
  if (announced.size) return [...announced.values()].map(({ info, provider }) => ({ name: String(info.name), provider }));
  return window.ethereum ? [{ name: "", provider: window.ethereum }] : [];
}

const ask = (provider, method, ...params) => provider.request(params.length ? { method, params } : { method });

// Wallets wrap the errors of other wallets, and of their nodes.
function within(error) {
  const found = [];
  for (let at = error, depth = 0; at && depth < 4; at = at.data?.originalError ?? at.data?.cause ?? at.cause ?? at.error, depth += 1) found.push(at, at.data ?? {});
  return found;
}

const hasCode = (error, code) => within(error).some((at) => Number(at.code) === code);
const isShort = (error) => within(error).some((at) => SHORT.test(String(at.message ?? "")));

async function isOn(provider, chainId) {
  return BigInt(await ask(provider, "eth_chainId")) === BigInt(chainId);
}

// Some wallets answer before they have moved.
async function hasMoved(provider, chainId) {
  for (let tries = 0; tries < 10; tries += 1) {
    if (await isOn(provider, chainId)) return true;
    await pause(200);
  }
  return false;
}

async function moveTo(provider, call) {
  if (await isOn(provider, call.chainId)) return;
  try {
    await ask(provider, "wallet_switchEthereumChain", { chainId: call.chainId });
  } catch (error) {
    if (!hasCode(error, UNKNOWN_CHAIN)) throw error;
    if (!call.add) throw new Refusal("unknown");
    await ask(provider, "wallet_addEthereumChain", call.add);
    if (!(await isOn(provider, call.chainId))) await ask(provider, "wallet_switchEthereumChain", { chainId: call.chainId });
  }
  if (!(await hasMoved(provider, call.chainId))) throw new Refusal("chain");
}

// --- the page may have moved on while the wallet was open
function secondsLeft(shown) {
  if (!shown.dataset.until) return Infinity;
  if (!offsets.has(shown)) offsets.set(shown, Number(shown.dataset.now) - Date.now());
  return (Number(shown.dataset.until) - Date.now() - offsets.get(shown)) / 1000;
}

async function isStillAsked(key, call) {
  const shown = part();
  if (!shown || shown.dataset.key !== key || shown.dataset.call !== call) throw new Refusal("changed");
  if (secondsLeft(shown) <= 0) throw new Refusal("over");
  const status = document.getElementById("status");
  let answer;
  try {
    answer = await fetch(status.getAttribute("hx-get"), { headers: JSON.parse(status.getAttribute("hx-headers")), credentials: "same-origin", cache: "no-store" });
  } catch {
    throw new Refusal("away");
  }
  if (answer.status === 304) return;
  look();
  throw new Refusal(answer.ok ? "changed" : "away");
}

function look() {
  document.getElementById("status")?.dispatchEvent(new CustomEvent("look"));
}

// --- paying
const WORDS = { eth_requestAccounts: "connect", wallet_switchEthereumChain: "chain", wallet_addEthereumChain: "chain", eth_sendTransaction: "rejected" };

// Which sentence tells of what went wrong while the wallet was asked for `step`.
function reason(error, step) {
  if (error instanceof Refusal) return error.message;
  if (hasCode(error, REJECTED)) return WORDS[step];
  if (hasCode(error, STILL_ASKING)) return "open";
  if (isShort(error)) return "funds";
  return step === "eth_sendTransaction" ? "failed" : WORDS[step];
}

async function pay(shown, provider) {
  const { key, call: written, saySent } = shown.dataset;
  const where = told(shown);
  const state = known(key);
  if (state.busy || state.txid) return;
  Object.assign(state, { busy: true, said: "", isChoosing: false });
  draw();
  let step = "eth_requestAccounts";
  try {
    const call = JSON.parse(written);
    const [from] = await ask(provider, step);
    if (!from) throw new Refusal("connect");
    step = "wallet_switchEthereumChain";
    await moveTo(provider, call);
    await isStillAsked(key, written);
    step = "eth_sendTransaction";
    state.txid = String(await ask(provider, step, { ...call.transaction, from, chainId: call.chainId })).toLowerCase();
    remember(key, state.txid);
  } catch (error) {
    state.said = reason(error, step);
  }
  state.busy = false;
  draw();
  if (!state.txid) return;
  say(saySent);
  await tell(key, state.txid, where);
}

// Where the transaction of this part is told, and how: read before the part is swapped away. `canBeBare`: that it was paid is
// worth telling alone.
function told(shown) {
  return { url: shown.dataset.tell, heard: shown.dataset.heard, token: csrf(), canBeBare: "tellBare" in shown.dataset };
}

// A redirect that leads nobody knows where is proof only to a part that says so: the page for signing in is one, too.
const isHeard = (answer, heard) => (heard === "redirect" ? answer.type === "opaqueredirect" : answer.status === Number(heard));

// The server is told until it has heard; only then may a reload forget.
async function tell(key, txid, { url, heard, token, canBeBare }) {
  let word = txid;
  for (const wait of TELL_AGAIN) {
    await pause(wait);
    try {
      const body = new URLSearchParams({ csrfmiddlewaretoken: csrf() || token, txid: word, way: "wallet" });
      const answer = await fetch(url, { method: "POST", body, redirect: "manual", keepalive: true, credentials: "same-origin" });
      if (isHeard(answer, heard)) {
        remember(key, "");
        look();
        return;
      }
      if (answer.status === REFUSED) {
        refused(txid, await answer.text());
        look();
        return;
      }
      if (answer.status === 422 && !canBeBare) return; // a hash of a kind we do not know: what was sent shows by itself
      if (answer.status === 422) word = ""; // say without it that it was paid
    } catch { /* away: again in a moment */ }
  }
}

// It was sent, and is not written down: [data-wallet-refused], outside of what is swapped, says so with the transaction.
function refused(txid, why) {
  const shown = document.querySelector("[data-wallet-refused]");
  if (!shown) return;
  shown.querySelector("[data-wallet-why]").textContent = why;
  shown.querySelector("[data-wallet-lost]").textContent = txid;
  shown.hidden = false;
}

function say(text) {
  const region = document.querySelector("[data-live]");
  if (region) region.textContent = text;
}

// --- showing
function choices(shown, state, found) {
  const group = shown.querySelector("[data-wallet-choice]");
  group.hidden = !state.isChoosing || found.length < 2;
  if (group.childElementCount === found.length && [...group.children].every((button, at) => button.textContent === found[at].name)) return;
  group.replaceChildren(...found.map(({ name }, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn";
    button.dataset.walletChoose = at;
    button.textContent = name;
    return button;
  }));
}

function sent(shown, txid) {
  shown.querySelector("[data-wallet-sent]").hidden = !txid;
  if (!txid) return;
  const link = shown.querySelector("[data-wallet-link]");
  if (shown.dataset.explorer) link.href = shown.dataset.explorer.replace("{txid}", encodeURIComponent(txid));
  shown.querySelector("[data-wallet-txid]").textContent = `${txid.slice(0, 6)}…${txid.slice(-4)}`;
}

function draw() {
  const shown = part();
  if (!shown) return;
  secondsLeft(shown);
  const state = known(shown.dataset.key);
  const found = wallets();
  const button = shown.querySelector("[data-wallet-pay]");
  const label = shown.querySelector("[data-wallet-label]");
  const said = shown.querySelector("[data-wallet-said]");
  shown.hidden = !found.length && !state.txid;
  document.querySelector("[data-wallet-open]")?.classList.toggle("btn--primary", shown.hidden);
  label.dataset.idle ??= label.textContent;
  button.hidden = Boolean(state.txid);
  if (state.busy) button.style.minInlineSize = `${button.offsetWidth}px`;
  for (const name of ["aria-busy", "aria-disabled"]) {
    if (state.busy) button.setAttribute(name, "true");
    else button.removeAttribute(name);
  }
  if (found.length > 1) button.setAttribute("aria-expanded", String(state.isChoosing));
  else button.removeAttribute("aria-expanded");
  const text = state.busy ? shown.dataset.sayBusy : label.dataset.idle;
  if (label.textContent !== text) label.textContent = text;
  const words = state.said ? shown.getAttribute(`data-say-${state.said}`) : "";
  if (said.textContent !== words) said.textContent = words;
  choices(shown, state, found);
  sent(shown, state.txid);
}

// A reload in the middle of telling goes on with it.
function resume() {
  const shown = part();
  const txid = shown && remembered(shown.dataset.key);
  if (txid) tell(shown.dataset.key, txid, told(shown));
}

document.addEventListener("click", (event) => {
  const shown = event.target.closest("[data-wallet]");
  const pressed = shown && event.target.closest("[data-wallet-pay], [data-wallet-choose]");
  if (!pressed) return;
  const state = known(shown.dataset.key);
  if (state.busy || state.txid) return;
  const found = wallets();
  if (pressed.matches("[data-wallet-choose]")) {
    shown.querySelector("[data-wallet-pay]").focus();
    pay(shown, found[Number(pressed.dataset.walletChoose)].provider);
  } else if (found.length > 1) {
    state.isChoosing = !state.isChoosing;
    draw();
    if (state.isChoosing) shown.querySelector("[data-wallet-choose]").focus();
  } else if (found.length) pay(shown, found[0].provider);
});

addEventListener("eip6963:announceProvider", (event) => {
  const { info, provider } = event.detail ?? {};
  if (!info?.uuid || typeof provider?.request !== "function") return;
  announced.set(info.uuid, { info, provider });
  draw();
});
addEventListener("ethereum#initialized", draw);
document.body.addEventListener("htmx:afterSettle", draw);
dispatchEvent(new Event("eip6963:requestProvider"));
draw();
resume();
