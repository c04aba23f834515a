"""Pay with browser wallet, in Chromium with a wallet that a test plays: what it is asked for, and every way it can refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Browser, Locator, Page, Route, expect

from invoicing import lifecycle
from merchants import clock
from payments import hints
from payments.models import Hint
from tests.payments.live import ETH, HASH, OWN, USDT, LiveStory, no_nodes, seller

expect.set_options(timeout=30_000)
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ACCOUNT = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")

# A wallet on `chain` that knows `knows`. `refuses` is {method: [code, message, data]}; of `waits` each answers after go(method).
WALLET = """
window.asked = [];
window.waiting = {};
window.go = (method) => window.waiting[method]();
window.makeWallet = (plan) => {
  const knows = [...(plan.knows ?? ["0x1"])];
  let chain = plan.chain ?? "0x1";
  const refused = (code, message, data) => Object.assign(new Error(message), { code, data });
  return {
    request: async ({ method, params }) => {
      window.asked.push([plan.name ?? "", method, params ?? null]);
      if (plan.waits?.includes(method)) await new Promise((done) => { window.waiting[method] = done; });
      const no = plan.refuses?.[method];
      if (no) throw refused(...no);
      switch (method) {
        case "eth_requestAccounts": return plan.accounts ?? ["ACCOUNT"];
        case "eth_chainId": return chain;
        case "wallet_switchEthereumChain":
          if (!knows.includes(params[0].chainId)) throw refused(...(plan.unknown ?? [4902, "Unrecognized chain"]));
          if (!plan.stays) chain = params[0].chainId;
          return null;
        case "wallet_addEthereumChain": knows.push(params[0].chainId); return null;
        case "eth_sendTransaction": return plan.hash ?? "HASH";
      }
      throw refused(4200, "The method is not supported");
    },
  };
};
window.announce = (name, plan = {}) => {
  const detail = { info: { uuid: name, name, icon: "", rdns: name }, provider: window.makeWallet({ ...plan, name }) };
  const tell = () => dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
  addEventListener("eip6963:requestProvider", tell);
  tell();
};
""".replace("ACCOUNT", ACCOUNT).replace("HASH", HASH)


@pytest.fixture
def story(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> LiveStory:
    no_nodes(settings)
    story = LiveStory()
    monkeypatch.setattr(clock, "now", lambda: story.now)
    return story


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Whatever the page complains about fails the test."""
    context = browser.new_context()
    page, errors = context.new_page(), []
    page.add_init_script(WALLET)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Content Security Policy" in message.text else None)
    yield page
    context.close()
    assert errors == []


Opens = Callable[..., Locator]


@pytest.fixture
def opens(page: Page, live_server: Any, story: LiveStory) -> Opens:
    """`opens(USDT, plan)`: the quote's page, in a browser with a wallet that follows `plan`. The button."""

    def open_it(asset: str = USDT, plan: dict[str, Any] | None = None) -> Locator:
        story.quote(asset)
        page.add_init_script(f"window.ethereum = window.makeWallet({json.dumps(plan or {})});")
        page.goto(live_server.url + reverse("checkout", args=[story.invoice.public_id]))
        return page.locator("[data-wallet-pay]")

    return open_it


def asked(page: Page) -> list[str]:
    found: list[str] = page.evaluate("window.asked.map(([, method]) => method).filter((method) => method !== 'eth_chainId')")
    return found


def until_waiting(page: Page, method: str) -> None:
    """Until the wallet holds its answer to `method` back. Asked from here: the page's own policy refuses code to poll with."""
    for _try in range(300):
        if page.evaluate(f"{method!r} in window.waiting"):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"The wallet was not asked for {method}.")


def said(page: Page) -> Locator:
    return page.locator("[data-wallet-said]")


# --- paying -----------------------------------------------------------------------------------------------------
def test_it_sends_exactly_what_is_quoted_and_shows_the_hash_at_once(page: Page, opens: Opens, story: LiveStory) -> None:
    button = opens()
    expect(button).to_have_text("Pay with browser wallet")
    button.click()
    expect(page.get_by_text("0x9c41…e07b").last).to_be_visible()
    assert asked(page) == ["eth_requestAccounts", "eth_sendTransaction"]
    (sent,) = page.evaluate("window.asked.filter(([, method]) => method === 'eth_sendTransaction').map(([, , params]) => params[0])")
    assert sent == {
        "from": ACCOUNT,
        "chainId": "0x1",
        "to": "0xdAC17F958D2ee523a2206206994597C13D831ec7",
        "value": "0x0",
        "data": "0xa9059cbb" + OWN[2:].lower().rjust(64, "0") + f"{108_700_000:064x}",
    }
    expect(page.locator("#said")).to_contain_text("We are looking for it now.")
    assert page.locator("#said a").get_attribute("href") == f"https://etherscan.io/tx/{HASH}"
    assert page.locator("[data-live]").text_content() in ("Sent by your wallet. We are looking for it now.", "Looking for your payment.")
    assert Hint.objects.filter(network="eip155:1").get().txid == HASH
    expect(button).to_have_count(0)
    page.reload()
    expect(page.locator("#said")).to_be_visible()
    expect(page.locator("[data-wallet]")).to_have_count(0)
    assert story.fresh().credited_minor == 0


def test_native_coin_is_sent_by_value_and_the_link_for_apps_steps_back(page: Page, opens: Opens) -> None:
    button = opens(ETH)
    link = page.get_by_role("link", name="Open in wallet")
    expect(button).to_be_visible()
    expect(link).not_to_have_class(re.compile("btn--primary"))
    button.click()
    expect(page.locator("#said")).to_be_visible()
    (sent,) = page.evaluate("window.asked.filter(([, method]) => method === 'eth_sendTransaction').map(([, , params]) => params[0])")
    assert (sent["to"], sent["value"], sent["data"]) == (OWN, hex(33_333_340_000_000_000), "0x")


@pytest.mark.parametrize("unknown", [[4902, "Unrecognized chain"], [-32603, "Internal", {"originalError": {"code": 4902}}]])
def test_a_wallet_that_does_not_know_the_chain_is_given_it(page: Page, opens: Opens, unknown: list[Any]) -> None:
    opens(USDT, {"chain": "0x89", "knows": ["0x89"], "unknown": unknown}).click()
    expect(page.locator("#said")).to_be_visible()
    steps = ["wallet_switchEthereumChain", "wallet_addEthereumChain", "wallet_switchEthereumChain"]
    assert asked(page) == ["eth_requestAccounts", *steps, "eth_sendTransaction"]
    (added,) = page.evaluate("window.asked.filter(([, method]) => method === 'wallet_addEthereumChain').map(([, , params]) => params[0])")
    assert (added["chainId"], added["chainName"], added["nativeCurrency"]["symbol"]) == ("0x1", "Ethereum", "ETH")


# --- refusals ---------------------------------------------------------------------------------------------------
CONNECT, SWITCH, ADD, SEND = "eth_requestAccounts", "wallet_switchEthereumChain", "wallet_addEthereumChain", "eth_sendTransaction"
AWAY = {"chain": "0x89", "knows": ["0x89", "0x1"]}
REFUSALS: list[tuple[str, dict[str, Any], str, bool]] = [
    ("not connected", {"refuses": {CONNECT: [4001, "User rejected"]}}, "Your wallet was not connected, and nothing was sent.", False),
    ("no account", {"accounts": []}, "Your wallet was not connected, and nothing was sent.", False),
    ("asked before", {"refuses": {CONNECT: [-32002, "Already pending"]}}, "Your wallet is still asking. Open it, and answer there.", False),
    ("wrong chain", AWAY | {"refuses": {SWITCH: [4001, "No"]}}, "Your wallet stayed on another network, and nothing was sent.", False),
    ("pretends to switch", AWAY | {"stays": True}, "Your wallet stayed on another network, and nothing was sent.", False),
    ("chain not added", {"chain": "0x89", "knows": ["0x89"], "refuses": {ADD: [4001, "No"]}}, "Your wallet stayed on another network", False),
    ("declined", {"refuses": {SEND: [4001, "User denied"]}}, "You declined in your wallet. Nothing was sent.", True),
    ("no funds", {"refuses": {SEND: [-32000, "insufficient funds for gas * price + value"]}}, "This account has not enough USDT", True),
    (
        "no tokens",
        {"refuses": {SEND: [-32603, "Internal", {"message": "transfer amount exceeds balance"}]}},
        "This account has not enough",
        True,
    ),
    ("broken", {"refuses": {SEND: [-32603, "Internal error"]}}, "Look there whether it was sent before you try again.", True),
]


@pytest.mark.parametrize(("plan", "sentence", "got_to_sending"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_refusal_is_said_beside_the_button_which_can_be_pressed_again(
    page: Page, opens: Opens, plan: dict[str, Any], sentence: str, got_to_sending: bool
) -> None:
    button = opens(USDT, plan)
    button.click()
    expect(said(page)).to_contain_text(sentence)
    assert page.locator(".wallet-said").get_attribute("role") == "alert"
    expect(button).to_have_text("Pay with browser wallet")
    expect(button).not_to_have_attribute("aria-busy", "true")
    assert (SEND in asked(page)) is got_to_sending
    assert Hint.objects.count() == 0
    times = asked(page).count(CONNECT)
    button.click()
    expect(said(page)).to_contain_text(sentence)
    assert asked(page).count(CONNECT) == times + 1


def test_a_chain_that_cannot_be_added_is_said(page: Page, opens: Opens, settings: Any) -> None:
    settings.NETWORK_OVERRIDES = settings.NETWORK_OVERRIDES | {"ethereum": {"urls": ["http://127.0.0.1:1"], "wallet_url": ""}}
    opens(USDT, {"chain": "0x89", "knows": ["0x89"]}).click()
    expect(said(page)).to_contain_text("Your wallet does not know Ethereum, and nothing was sent.")


# --- once, and only what is still asked -------------------------------------------------------------------------
def test_while_the_wallet_is_open_the_button_is_busy_keeps_its_width_and_asks_nothing_more(page: Page, opens: Opens, story: LiveStory) -> None:
    button = opens(USDT, {"waits": [SEND]})
    box = button.bounding_box()
    button.click()
    expect(button).to_have_attribute("aria-busy", "true")
    expect(button).to_have_text("Look at your wallet…")
    until_waiting(page, SEND)
    button.click(force=True)
    button.press("Enter")
    now = button.bounding_box()
    assert box and now and (box["width"], box["height"]) == (now["width"], now["height"])
    hints.say(story.fresh(), txid="", now=story.now)  # the page is swapped meanwhile
    expect(page.locator("#said")).to_be_visible()
    expect(button).to_have_attribute("aria-busy", "true")
    button.click(force=True)
    page.evaluate("go('eth_sendTransaction')")
    expect(page.locator("#said")).to_contain_text("0x9c41…e07b")
    assert asked(page) == [CONNECT, SEND]


def test_a_refusal_outlives_a_swap(page: Page, opens: Opens, story: LiveStory) -> None:
    opens(USDT, {"refuses": {SEND: [4001, "No"]}}).click()
    expect(said(page)).to_have_text("You declined in your wallet. Nothing was sent.")
    hints.say(story.fresh(), txid="", now=story.now)
    expect(page.locator("#said")).to_be_visible()
    expect(said(page)).to_have_text("You declined in your wallet. Nothing was sent.")


def _expires(story: LiveStory) -> None:
    story.now = story.quote().locked_until


def _is_void(story: LiveStory) -> None:
    lifecycle.void(story.fresh(), by=None, reason="Wrong amount", now=story.now)


@pytest.mark.parametrize(("happens", "stage"), [(_expires, "expired"), (_is_void, "void")])
def test_what_is_asked_no_more_is_not_sent(page: Page, opens: Opens, story: LiveStory, happens: Callable[[LiveStory], None], stage: str) -> None:
    opens(USDT, {"waits": [CONNECT]}).click()
    until_waiting(page, CONNECT)
    happens(story)
    page.evaluate("go('eth_requestAccounts')")  # at once, before the page has polled
    expect(page.locator(f'#status[data-stage="{stage}"]')).to_be_visible()
    page.wait_for_timeout(300)
    assert SEND not in asked(page)


def test_without_an_answer_from_here_nothing_is_sent(page: Page, opens: Opens) -> None:
    button = opens()
    page.route("**/pay/status/", lambda route: route.abort())
    button.click()
    expect(said(page)).to_contain_text("This page could not be checked, and nothing was sent.")
    assert asked(page) == [CONNECT]


def test_a_hash_that_could_not_be_told_survives_a_reload_and_is_told_then(page: Page, opens: Opens) -> None:
    lost: list[str] = []

    def lose(route: Route) -> None:
        lost.append(route.request.url)
        route.abort()

    button = opens()
    page.route("**/pay/sent/", lose)
    button.click()
    expect(page.locator("[data-wallet-sent]")).to_contain_text("0x9c41…e07b")
    expect(button).to_be_hidden()
    page.reload()
    expect(page.locator("[data-wallet-sent]")).to_contain_text("0x9c41…e07b")
    expect(button).to_be_hidden()
    assert lost and Hint.objects.count() == 0
    page.unroute("**/pay/sent/")
    expect(page.locator("#said")).to_contain_text("0x9c41…e07b")
    assert Hint.objects.filter(network="eip155:1").get().txid == HASH
    assert page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('sent-by-wallet:'))") == []


def test_a_wallet_that_answers_with_no_hash_is_believed_that_it_sent(page: Page, opens: Opens) -> None:
    opens(USDT, {"hash": "queued-17"}).click()
    expect(page.locator("#said")).to_contain_text("We are looking for it now.")
    expect(page.locator("[data-wallet-pay]")).to_be_hidden()
    assert [hint.txid for hint in Hint.objects.all()] == [""]


# --- which wallet -----------------------------------------------------------------------------------------------
def test_without_a_wallet_nothing_is_offered_and_nothing_is_lost(page: Page, live_server: Any, story: LiveStory) -> None:
    story.quote(ETH)
    page.goto(live_server.url + reverse("checkout", args=[story.invoice.public_id]))
    expect(page.locator("[data-wallet]")).to_be_hidden()
    expect(page.get_by_role("link", name="Open in wallet")).to_have_class(re.compile("btn--primary"))
    expect(page.get_by_text("Send exactly", exact=True)).to_be_visible()


def test_without_javascript_the_quote_says_everything_and_takes_the_word(browser: Browser, live_server: Any, story: LiveStory) -> None:
    story.quote(USDT)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(live_server.url + reverse("checkout", args=[story.invoice.public_id]))
    expect(page.locator("[data-wallet]")).to_be_hidden()
    page.get_by_text("Paid, but nothing shows?").click()
    page.get_by_label("Transaction id").fill("0x12")
    page.get_by_role("button", name="I have paid").click()
    expect(page.get_by_text("This is no transaction id.")).to_be_visible()
    expect(page.get_by_label("Transaction id")).to_have_value("0x12")
    page.get_by_label("Transaction id").fill(HASH)
    page.get_by_role("button", name="I have paid").click()
    expect(page.locator("#said")).to_contain_text("We are looking for it now.")
    assert page.url.endswith("/pay/#said")
    context.close()


def test_several_wallets_are_a_choice_by_name(page: Page, opens: Opens) -> None:
    page.add_init_script("announce('Harbour Wallet', { hash: '0x' + '7'.repeat(64) }); announce('<b>Pine</b>');")
    button = opens()
    button.click()
    group = page.get_by_role("group", name="Which wallet?")
    expect(group.get_by_role("button")).to_have_text(["Harbour Wallet", "<b>Pine</b>"])
    expect(group.get_by_role("button").first).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "true")
    group.get_by_role("button", name="<b>Pine</b>").press("Enter")
    expect(page.locator("#said")).to_be_visible()
    assert page.evaluate("[...new Set(window.asked.map(([name]) => name))]") == ["<b>Pine</b>"]


def test_a_wallet_that_announces_itself_late_is_found(page: Page, live_server: Any, story: LiveStory) -> None:
    story.quote(USDT)
    page.goto(live_server.url + reverse("checkout", args=[story.invoice.public_id]))
    expect(page.locator("[data-wallet]")).to_be_hidden()
    page.evaluate("announce('Late')")
    expect(page.locator("[data-wallet-pay]")).to_be_visible()


# --- the field --------------------------------------------------------------------------------------------------
def test_what_is_being_typed_outlives_a_swap(page: Page, opens: Opens, story: LiveStory) -> None:
    opens()
    page.get_by_text("Paid, but nothing shows?").click()
    page.get_by_label("Transaction id").press_sequentially("0x9c41")
    hints.say(story.fresh(), txid="", now=story.now)
    expect(page.locator("#said")).to_be_visible()
    field = page.get_by_label("Transaction id")
    expect(field).to_be_visible()
    expect(field).to_be_focused()
    expect(field).to_have_value("0x9c41")
    expect(page.locator("[data-live]")).to_have_text("Looking for your payment.")


def test_a_wrong_spelling_has_the_focus_and_is_read_with_its_error(page: Page, opens: Opens) -> None:
    opens()
    page.get_by_text("Paid, but nothing shows?").click()
    page.get_by_label("Transaction id").fill("0x12")
    page.get_by_label("Transaction id").press("Enter")
    field = page.get_by_label("Transaction id")
    expect(field).to_be_focused()
    expect(field).to_have_accessible_description(re.compile("This is no transaction id"))
    page.wait_for_timeout(3500)  # a poll goes by
    expect(field).to_have_value("0x12")


def _fixed(_story: LiveStory) -> LiveStory:
    return LiveStory(seller("fixed", fixed=True))


def _said(story: LiveStory) -> LiveStory:
    story.quote()
    hints.say(story.fresh(), txid=HASH, now=story.now)
    return story


@pytest.mark.parametrize("reach", [lambda story: story, _fixed, _said])
def test_everyone_can_read_it(page: Page, live_server: Any, story: LiveStory, reach: Callable[[LiveStory], LiveStory]) -> None:
    shown = reach(story)
    shown.quote()
    page.add_init_script("announce('Harbour Wallet', { refuses: { eth_requestAccounts: [4001, 'No'] } }); announce('Pine');")
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.goto(live_server.url + reverse("checkout", args=[shown.invoice.public_id]))
        for summary in page.locator("details.quiet > summary").all():
            summary.click()
        if page.locator("[data-wallet-pay]").count():
            page.locator("[data-wallet-pay]").click()
            page.get_by_role("button", name="Harbour Wallet").click()
            expect(said(page)).not_to_be_empty()
            page.locator("[data-wallet-pay]").click()
        found = Axe().run(page).response["violations"]
        assert [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found] == []
