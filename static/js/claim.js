// form[data-claim]: the two ways to fill in an address without typing it, where this browser has them. 'Paste' leaves the last
// characters to be read in the wallet, since a clipboard can be tampered with; 'From my wallet' asks the wallet itself.
const announced = new Map(); // EIP-6963: uuid → {info, provider}
const form = () => document.querySelector("form[data-claim]");

function wallets() {
  if (announced.size) return [...announced.values()].map(({ info, provider }) => ({ name: String(info.name), provider }));
  return window.ethereum ? [{ name: "", provider: window.ethereum }] : [];
}

function say(words) {
  form().querySelector("[data-claim-said]").textContent = words;
}

function fill(name, value) {
  const field = form().elements[name];
  field.value = value;
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

async function paste() {
  let copied = "";
  try {
    copied = (await navigator.clipboard.readText()).trim();
  } catch { /* not allowed */ }
  if (!copied) {
    say(form().dataset.sayBlocked);
    form().elements.address.focus();
    return;
  }
  fill("address", copied);
  say(form().dataset.sayPasted);
  form().elements.last.focus();
}

async function from(provider) {
  form().querySelector("[data-claim-choice]").hidden = true;
  let address = "";
  try {
    [address = ""] = await provider.request({ method: "eth_requestAccounts" });
  } catch { /* refused */ }
  if (!address) {
    say(form().dataset.sayRefused);
    return;
  }
  fill("address", address);
  fill("last", address.slice(-4));
  say(form().dataset.sayFilled);
}

function choose(found) {
  const group = form().querySelector("[data-claim-choice]");
  group.replaceChildren(...found.map(({ name }, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn";
    button.dataset.claimChoose = at;
    button.textContent = name;
    return button;
  }));
  group.hidden = !group.hidden;
  if (!group.hidden) group.firstElementChild.focus();
}

function draw() {
  if (!form()) return;
  const canPaste = typeof navigator.clipboard?.readText === "function";
  const hasWallet = form().dataset.family === "evm" && wallets().length > 0;
  form().querySelector("[data-claim-paste]").hidden = !canPaste;
  form().querySelector("[data-claim-wallet]").hidden = !hasWallet;
  form().querySelector("[data-claim-fill]").hidden = !canPaste && !hasWallet;
}

document.addEventListener("click", (event) => {
  if (!event.target.closest("form[data-claim]")) return;
  const found = wallets();
  if (event.target.closest("[data-claim-paste]")) paste();
  else if (event.target.closest("[data-claim-choose]")) from(found[Number(event.target.closest("[data-claim-choose]").dataset.claimChoose)].provider);
  else if (event.target.closest("[data-claim-wallet]") && found.length > 1) choose(found);
  else if (event.target.closest("[data-claim-wallet]") && found.length) from(found[0].provider);
});

addEventListener("eip6963:announceProvider", (event) => {
  const { info, provider } = event.detail ?? {};
  if (!info?.uuid || typeof provider?.request !== "function") return;
  announced.set(info.uuid, { info, provider });
  draw();
});
addEventListener("ethereum#initialized", draw);
document.addEventListener("followed", draw);
dispatchEvent(new Event("eip6963:requestProvider"));
draw();
