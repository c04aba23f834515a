"""Real money's way, from a connected wallet to the receipt: the whole stack, a real chain (anvil), and a browser whose wallet
signs on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.journeys.merchant import PASSWORD, PAYER, Merchant, links
from tests.payments.rates.markets import Markets
from tests.sinks import MailSink
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.chain]

TOTAL, DOLLARS = "3,597.75", "3,910.60"  # EUR, and at 0.92 EUR each, rounded up to the cent
FIRST = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"  # the key's first address

# What a wallet puts into a page. It begins on another network and does not know the one it is asked for; the node behind
# it holds its account and signs.
PROVIDER = """
const knows = ["0x1"];
let chain = "0x1";
window.asked = [];
window.ethereum = {
  request: async ({ method, params }) => {
    window.asked.push(method);
    switch (method) {
      case "eth_requestAccounts": return window.node("eth_accounts", []).then((accounts) => accounts.slice(1, 2));
      case "eth_chainId": return chain;
      case "wallet_switchEthereumChain":
        if (!knows.includes(params[0].chainId)) throw Object.assign(new Error("Unrecognized chain"), { code: 4902 });
        chain = params[0].chainId;
        return null;
      case "wallet_addEthereumChain": knows.push(params[0].chainId); return null;
      case "eth_sendTransaction":
        if (params[0].chainId !== chain) throw Object.assign(new Error("Another chain"), { code: -32602 });
        return window.node(method, params);
    }
    throw Object.assign(new Error("The method is not supported"), { code: 4200 });
  },
};
"""


@pytest.fixture
def markets() -> Iterator[Markets]:
    with Markets() as markets:
        for name, currency, value in (
            ("ETH", "EUR", "3000"),
            ("ETH", "USD", "3260"),
            ("USDT", "EUR", "0.92"),
            ("USDT", "USD", "1"),
            ("EUR", "USD", "1.087"),
        ):
            markets.set(name, currency, value)
        yield markets


@pytest.fixture
def live(anvil: Anvil, markets: Markets, mail_sink: MailSink, tmp_path: Path) -> Iterator[Stack]:
    """A stack of live businesses, with anvil as its only network."""
    anvil.mine(at=datetime.now(UTC))
    catalogue: Any = SimpleNamespace()
    evm.install(catalogue, tmp_path, evm.network_row(anvil, poll_seconds=1))
    with Stack(
        EMAIL_URL=mail_sink.url,
        DJANGO_SETTINGS_MODULE="tests.live_settings",
        NETWORKS_FILE=str(catalogue.NETWORKS_FILE),
        RATE_SOURCES=",".join(markets.sources()),
    ) as running:
        yield running


def connect_wallet(page: Page, xpub: str) -> None:
    """The owner connects the public key of its wallet, and compares three addresses with it."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Wallets").click()
    page.get_by_role("link", name="Connect a wallet").first.click()
    page.get_by_role("link", name=re.compile("^Choose ")).first.click()
    page.wait_for_url("**/accounts/reauthenticate/**")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("link", name=re.compile("^Extended public key")).click()
    page.get_by_label("Extended public key").fill(xpub)
    page.get_by_role("button", name="Go on to the check").click()
    assert FIRST in page.locator(".connect-addresses").first.inner_text().replace(" ", "").replace("\n", "")
    for box in page.get_by_label("Same").all():
        box.check()
    page.get_by_role("button", name="Connect wallet").click()
    page.wait_for_url("**/wallets/")


def has_prices(stack: Stack) -> bool:
    return len(stack.select("SELECT 1 FROM payments_price WHERE currency = 'EUR' AND refused = ''")) >= 2


def test_a_browser_wallet_pays_an_invoice_into_the_merchants_own_wallet(
    page: Page, browser: Browser, live: Stack, anvil: Anvil, mail_sink: MailSink
) -> None:
    merchant = Merchant(page, live, mail_sink, email="ines@harbourpine.example")
    merchant.sign_up()
    merchant.tell_about_the_business()
    connect_wallet(page, evm.XPUBS[0])
    mail_sink.to("ines@harbourpine.example", "receives money has changed")
    live.wait_for(lambda: has_prices(live), what="prices, which beat fetches once a minute", timeout=120)
    merchant.write_invoice()
    merchant.publish()
    invoice_url = page.url

    payer = browser.new_context().new_page()
    payer.set_default_timeout(30_000)
    payer.expose_function("node", lambda method, params: anvil.rpc(method, *params))
    payer.add_init_script(PROVIDER)
    payer.goto(links(mail_sink.to(PAYER, "INV-000001").html)["Pay Now"])
    payer.get_by_role("button", name=re.compile("USDT")).click()
    expect(payer.locator(".quote-amount")).to_have_text(f"{DOLLARS} USDT on Anvil 31337")
    assert payer.locator(".address").inner_text().replace(" ", "").replace("\n", "") == FIRST

    payer.get_by_role("button", name="Pay with browser wallet").click()
    expect(payer.locator("#said")).to_contain_text("We are looking for it now.")
    steps = ["eth_requestAccounts", "wallet_switchEthereumChain", "wallet_addEthereumChain", "wallet_switchEthereumChain", "eth_sendTransaction"]
    assert [method for method in payer.evaluate("window.asked") if method != "eth_chainId"] == steps
    (txid,) = anvil.waiting()
    link = payer.locator("#said a.txid")
    assert link.get_attribute("href") == f"https://explorer.example/tx/{txid}"
    expect(payer.get_by_role("button", name="Pay with browser wallet")).to_have_count(0)
    expect(payer.locator("#status")).to_have_attribute("data-stage", "quoted")  # a word credits nothing

    anvil.mine()
    expect(payer.get_by_role("heading", name="Your payment has been seen")).to_be_visible(timeout=60_000)
    expect(payer.get_by_text(re.compile("1 of 3 confirmations"))).to_be_visible()
    expect(payer.locator("#main")).to_contain_text(f"Seen on Anvil {anvil.chain_id}")
    anvil.mine()
    anvil.mine()
    expect(payer.get_by_role("heading", name="Paid, thank you")).to_be_visible(timeout=60_000)
    expect(payer.locator("#main")).to_contain_text(f"{txid[:6]}…{txid[-4:]}")

    assert TOTAL in mail_sink.to(PAYER, "Paid").text
    assert links(mail_sink.to("studio@harbourpine.example", "paid").html)["Check Details"] == invoice_url
    page.goto(invoice_url)
    expect(page.locator(".badge").first).to_have_text("Paid")
    balance = anvil.rpc("eth_call", {"to": anvil.usdt, "data": "0x70a08231" + FIRST[2:].lower().rjust(64, "0")}, "latest")
    assert int(balance, 16) == 3_910_600_000
