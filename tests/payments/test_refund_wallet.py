"""A refund in Chromium, with a wallet that a test plays: the merchant pays it, and the payer takes its address from one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as django_settings
from django.urls import reverse
from playwright.sync_api import Browser, Locator, Page, Route, expect

from merchants import assets, clock
from payments import claims, recorded, refunds
from payments.models import Claim, Refund
from payments.refunds import Seen, Terms
from tests.payments.live import BTC, FIXED, HASH, USDT, LiveStory, no_nodes
from tests.payments.test_checkout_wallet import ACCOUNT, SCHEMES, SEND, WALLET, asked, said, until_waiting
from tests.payments.test_refund_pay import signed_in

expect.set_options(timeout=30_000)
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CONNECT = "eth_requestAccounts"


class LiveRefunds(LiveStory):
    """An invoice of 100.00 EUR that was paid in cash, and refunds of it in real tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.merchant = self.invoice.merchant
        self.owner = self.merchant.memberships.get(role="owner").user
        written: dict[str, Any] = {"way": "cash", "amount_minor": 10_000, "paid_at": self.now, "note": "", "form_key": "c" * 43, "by": self.owner}
        self.payment = recorded.record(self.invoice, **written, now=self.now)

    def ask(self, asset: str = USDT, *, minor: int = 2_500) -> Refund:
        terms = Terms(Refund.Basis.OTHER, assets.asset(asset), frozenset({("payment", self.payment.pk)}), other_minor=minor)
        return refunds.request(self.fresh(), terms, form_key=f"{Refund.objects.count()}" * 43, by=self.owner, now=self.now)

    def approved(self, asset: str = USDT, address: str = FIXED) -> Refund:
        refund = self.ask(asset)
        refund = refunds.claimed(refund, address=address, by=None, nonce=refund.nonce, now=self.now)
        return refunds.approve(refund, by=self.owner, version=refund.version, now=self.now)


@pytest.fixture
def story(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> LiveRefunds:
    no_nodes(settings)
    story = LiveRefunds()
    monkeypatch.setattr(clock, "now", lambda: story.now)
    return story


@pytest.fixture
def page(browser: Browser, live_server: Any, story: LiveRefunds) -> Iterator[Page]:
    """The owner's browser. Whatever the page complains about fails the test."""
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    cookie = signed_in(story.merchant).cookies[django_settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    page, errors = context.new_page(), []
    page.add_init_script(WALLET)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Content Security Policy" in message.text else None)
    yield page
    context.close()
    assert errors == []


Opens = Callable[..., Locator]


def address_of(refund: Refund) -> str:
    return reverse("refund_pay", args=[refund.merchant.slug, refund.pk])


@pytest.fixture
def opens(page: Page, live_server: Any) -> Opens:
    """`opens(refund, plan)`: the page it is paid on, in a browser with a wallet that follows `plan`. The button."""

    def open_it(refund: Refund, plan: dict[str, Any] | None = None) -> Locator:
        page.add_init_script(f"window.ethereum = window.makeWallet({json.dumps(plan or {})});")
        page.goto(live_server.url + address_of(refund))
        return page.locator("[data-wallet-pay]")

    return open_it


# --- paying -----------------------------------------------------------------------------------------------------------
def test_the_wallet_sends_exactly_the_refund_and_it_is_noted_at_once(page: Page, opens: Opens, story: LiveRefunds) -> None:
    refund = story.approved()
    button = opens(refund)
    expect(button).to_have_text("Pay with browser wallet")
    button.click()
    expect(page.get_by_role("heading", name="Sent, not seen yet")).to_be_visible()
    (sent,) = page.evaluate("window.asked.filter(([, method]) => method === 'eth_sendTransaction').map(([, , params]) => params[0])")
    assert sent == {
        "from": ACCOUNT,
        "chainId": "0x1",
        "to": "0xdAC17F958D2ee523a2206206994597C13D831ec7",
        "value": "0x0",
        "data": "0xa9059cbb" + FIXED[2:].lower().rjust(64, "0") + f"{27_170_000:064x}",
    }
    refund.refresh_from_db()
    assert (refund.status, refund.txid, refund.way, refund.sent_by) == ("sent", HASH, "wallet", story.owner)
    expect(button).to_have_count(0)
    assert page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('sent-by-wallet:'))") == []


def test_the_page_follows_the_chain_to_its_end(page: Page, opens: Opens, story: LiveRefunds) -> None:
    refund = story.approved()
    opens(refund)
    found = refunds.found(refund, Seen(HASH, 0, 9, "b" * 64, story.now, confirmations=1), now=story.now)
    expect(page.get_by_role("heading", name="Your payment has been seen")).to_be_visible()
    assert page.locator("[data-live]").text_content() == "The refund has been sent. The network is confirming it."
    refunds.found(refund, Seen(HASH, 0, 9, "b" * 64, story.now, confirmations=found.confirmations_needed), now=story.now)
    expect(page.get_by_role("heading", name="Ana Duarte has it back")).to_be_visible()


def test_a_refund_that_was_changed_while_the_wallet_was_open_is_not_sent(page: Page, opens: Opens, story: LiveRefunds) -> None:
    refund = story.approved()
    opens(refund, {"waits": [CONNECT]}).click()
    until_waiting(page, CONNECT)
    refunds.restart(refund, by=story.owner, now=story.now)
    page.evaluate("go('eth_requestAccounts')")
    expect(page.get_by_role("heading", name="Do not pay this now")).to_be_visible()
    page.wait_for_timeout(300)
    assert SEND not in asked(page)


def test_a_refund_whose_payment_was_taken_back_while_the_wallet_was_open_is_not_sent(page: Page, opens: Opens, story: LiveRefunds) -> None:
    refund = story.approved()
    opens(refund, {"waits": [CONNECT]}).click()
    until_waiting(page, CONNECT)
    recorded.reverse(story.payment, by=story.owner, now=story.now)
    page.evaluate("go('eth_requestAccounts')")
    expect(page.get_by_role("heading", name="Do not pay this now")).to_be_visible()
    expect(page.locator("#status strong").filter(has_text="A payment behind it does not count any more")).to_be_visible()
    expect(page.locator("[data-wallet]")).to_have_count(0)
    page.wait_for_timeout(300)
    assert SEND not in asked(page)


def test_a_transaction_that_cannot_be_noted_any_more_stays_in_sight(page: Page, opens: Opens, story: LiveRefunds) -> None:
    refund = story.approved()
    opens(refund, {"waits": [SEND]}).click()
    until_waiting(page, SEND)
    refunds.restart(refund, by=story.owner, now=story.now)
    expect(page.locator("[data-wallet-refused]")).to_be_hidden()
    page.evaluate("go('eth_sendTransaction')")
    lost = page.get_by_role("alert").filter(has_text="Your wallet has sent it, and we could not write this down.")
    expect(lost).to_contain_text(HASH)
    expect(lost).to_contain_text(f"Refund {refund.reference} is at “waiting for an address”")
    expect(page.get_by_role("heading", name="Do not pay this now")).to_be_visible()
    page.wait_for_timeout(300)
    expect(lost).to_contain_text(HASH)  # swapping the rest of the page leaves it
    assert page.evaluate("Object.entries(localStorage).filter(([name]) => name.startsWith('sent-by-wallet:')).map(([, txid]) => txid)") == [HASH]
    page.goto(page.url)
    expect(page.get_by_text(f"The transaction {HASH} is not noted on it. Write it down.")).to_be_visible()


def test_a_redirect_is_not_taken_for_having_been_heard(page: Page, opens: Opens, story: LiveRefunds) -> None:
    refund = story.approved()
    button = opens(refund)
    told: list[str] = []

    def sign_in(route: Route) -> None:
        if route.request.method != "POST":
            return route.fallback()
        told.append(route.request.post_data or "")
        return route.fulfill(status=302, headers={"Location": "/accounts/login/"}) if len(told) == 1 else route.fallback()

    page.route("**/pay/", sign_in)
    button.click()
    expect(page.locator("[data-wallet-sent]")).to_contain_text("0x9c41…e07b")
    expect(page.get_by_role("heading", name="Sent, not seen yet")).to_be_visible()  # told again by itself
    assert [HASH in word for word in told] == [True, True]
    refund.refresh_from_db()
    assert (refund.txid, refund.way) == (HASH, "wallet")
    assert page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('sent-by-wallet:'))") == []


def test_a_refusal_is_said_and_it_can_be_tried_again(page: Page, opens: Opens, story: LiveRefunds) -> None:
    refund = story.approved()
    button = opens(refund, {"refuses": {SEND: [4001, "User denied"]}})
    button.click()
    expect(said(page)).to_have_text("You declined in your wallet. Nothing was sent.")
    button.click()
    expect(said(page)).to_have_text("You declined in your wallet. Nothing was sent.")
    assert asked(page).count(SEND) == 2
    refund.refresh_from_db()
    assert refund.status == "approved"


def test_a_hash_that_could_not_be_told_survives_a_reload_and_is_told_then(page: Page, opens: Opens, story: LiveRefunds) -> None:
    refund = story.approved()
    button = opens(refund)

    def lose(route: Route) -> None:
        if route.request.method == "POST":
            route.abort()
        else:
            route.fallback()

    page.route("**/pay/", lose)
    button.click()
    expect(page.locator("[data-wallet-sent]")).to_contain_text("0x9c41…e07b")
    page.reload()
    expect(page.locator("[data-wallet-sent]")).to_contain_text("0x9c41…e07b")
    expect(button).to_be_hidden()
    page.unroute("**/pay/")
    expect(page.get_by_role("heading", name="Sent, not seen yet")).to_be_visible()
    refund.refresh_from_db()
    assert refund.txid == HASH


def test_a_wallet_that_answers_with_no_hash_is_not_asked_twice(page: Page, opens: Opens, story: LiveRefunds) -> None:
    refund = story.approved()
    button = opens(refund, {"hash": "queued-17"})
    button.click()
    expect(page.locator("[data-wallet-sent]")).to_be_visible()
    page.reload()
    expect(page.locator("[data-wallet-sent]")).to_be_visible()
    expect(button).to_be_hidden()
    refund.refresh_from_db()
    assert (refund.status, refund.txid) == ("approved", "")


def test_after_it_was_not_that_transaction_it_can_be_sent_again(page: Page, opens: Opens, story: LiveRefunds) -> None:
    refund = story.approved()
    button = opens(refund)
    button.click()
    expect(page.get_by_role("heading", name="Sent, not seen yet")).to_be_visible()
    refunds.unsent(Refund.objects.get(pk=refund.pk), by=story.owner, now=story.now)
    expect(button).to_be_visible()
    expect(page.locator("[data-wallet-sent]")).to_be_hidden()


def test_without_javascript_the_page_says_everything_and_takes_the_word(browser: Browser, live_server: Any, story: LiveRefunds) -> None:
    refund = story.approved()
    cookie = signed_in(story.merchant).cookies[django_settings.SESSION_COOKIE_NAME]
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    page = context.new_page()
    page.goto(live_server.url + address_of(refund))
    expect(page.locator("[data-wallet]")).to_be_hidden()
    page.get_by_text("Sent, but nothing shows?").click()
    page.get_by_label("Transaction id").fill("0x12")
    page.get_by_role("button", name="I have sent it").click()
    expect(page.get_by_text("This is no transaction id.")).to_be_visible()
    page.get_by_label("Transaction id").fill(HASH)
    page.get_by_role("button", name="I have sent it").click()
    expect(page.get_by_role("heading", name="Sent, not seen yet")).to_be_visible()
    context.close()


# --- the payer's address --------------------------------------------------------------------------------------------
def claim_link(refund: Refund) -> str:
    return reverse("refund_claim", args=[claims.link_token(refund)])


def test_the_address_comes_from_the_payers_own_wallet(page: Page, live_server: Any, story: LiveRefunds) -> None:
    refund = story.ask()
    page.add_init_script("announce('Harbour Wallet', { refuses: { eth_requestAccounts: [4001, 'No'] } }); announce('Pine');")
    page.goto(live_server.url + claim_link(refund))
    page.get_by_role("button", name="From my wallet").click()
    page.get_by_role("button", name="Harbour Wallet").click()
    expect(page.get_by_text("Your wallet was not connected. Paste the address instead.")).to_be_visible()
    page.get_by_role("button", name="From my wallet").click()
    page.get_by_role("button", name="Pine").click()
    expect(page.get_by_label("Your USDT address on Ethereum")).to_have_value(ACCOUNT)
    expect(page.get_by_label("Its last 4 characters")).to_have_value("2266")
    assert set(asked(page)) == {CONNECT}
    page.get_by_label("This address is mine").check()
    page.get_by_role("button", name="Send this address").click()
    expect(page.get_by_text("One more step: confirm it from your mail.")).to_be_visible()
    assert Claim.objects.get().address == ACCOUNT


def test_a_pasted_address_is_compared_by_hand(page: Page, live_server: Any, story: LiveRefunds) -> None:
    refund = story.ask()
    page.goto(live_server.url + claim_link(refund))
    expect(page.get_by_role("button", name="From my wallet")).to_be_hidden()
    page.evaluate("(text) => navigator.clipboard.writeText(text)", f"  {FIXED}\n")
    page.get_by_role("button", name="Paste").click()
    expect(page.get_by_label("Your USDT address on Ethereum")).to_have_value(FIXED)
    expect(page.get_by_label("Its last 4 characters")).to_have_value("")
    expect(page.get_by_label("Its last 4 characters")).to_be_focused()
    expect(page.get_by_text("Pasted. Compare it with your wallet.")).to_be_visible()


def test_a_wallet_of_another_kind_of_network_is_not_offered(page: Page, live_server: Any, story: LiveRefunds) -> None:
    page.add_init_script("announce('Pine');")
    page.goto(live_server.url + claim_link(story.ask(BTC)))
    expect(page.get_by_role("button", name="Paste")).to_be_visible()
    expect(page.get_by_role("button", name="From my wallet")).to_be_hidden()


def test_what_can_spend_is_gone_from_the_page(page: Page, live_server: Any, story: LiveRefunds) -> None:
    page.goto(live_server.url + claim_link(story.ask()))
    field = page.get_by_label("Your USDT address on Ethereum")
    field.fill("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")
    page.get_by_label("Its last 4 characters").fill("2318")
    page.get_by_role("button", name="Send this address").click()
    expect(page.get_by_text("That is a key or a phrase that can spend your money.")).to_be_visible()
    expect(field).to_have_value("")
    expect(field).to_be_focused()
    expect(field).to_have_accessible_description(re.compile("Show it to nobody"))


def test_the_page_follows_what_others_do(page: Page, live_server: Any, story: LiveRefunds) -> None:
    refund = story.ask()
    refund = refunds.claimed(refund, address=FIXED, by=None, nonce=refund.nonce, now=story.now)
    page.goto(live_server.url + claim_link(refund))
    expect(page.locator('#part[data-stage="claimed"]')).to_be_visible()
    refunds.approve(refund, by=story.owner, version=refund.version, now=story.now)
    expect(page.locator('#part[data-stage="approved"]')).to_be_visible()
    expect(page.locator("[data-live]")).to_have_text("The refund is approved and is to be paid.")


def test_the_link_is_told_to_no_other_site(page: Page, live_server: Any, story: LiveRefunds) -> None:
    refund = story.approved()
    refunds.sent(refund, txid=HASH, way="pasted", by=story.owner, now=story.now)
    referrers: list[str | None] = []

    def explorer(route: Route) -> None:
        referrers.append(route.request.headers.get("referer"))
        route.fulfill(body="an explorer", content_type="text/plain")

    page.context.route("https://etherscan.io/**", explorer)
    page.goto(live_server.url + claim_link(Refund.objects.get(pk=refund.pk)))
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=re.compile("0x9c41…e07b")).click()
    opened.value.wait_for_load_state()
    assert referrers == [None]


def test_everyone_can_read_it(page: Page, live_server: Any, story: LiveRefunds) -> None:
    given = story.ask(minor=1_000)
    claims.offer(given, address=ACCOUNT, last=ACCOUNT[-4:], now=story.now)
    second = reverse("refund_confirm", args=[claims.confirm_token(Claim.objects.get())])
    sent = refunds.found(story.approved(), Seen(HASH, 0, 9, "b" * 64, story.now, confirmations=1), now=story.now)
    owed = story.approved()
    shown = [claim_link(story.ask(minor=500)), claim_link(given), second, claim_link(sent), address_of(sent), address_of(owed), "/r/none/"]
    page.add_init_script("announce('Pine');")
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for path in shown:
            page.goto(live_server.url + path)
            for summary in page.locator("details.quiet > summary").all():
                summary.click()
            found = Axe().run(page).response["violations"]
            assert [(path, rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found] == []
