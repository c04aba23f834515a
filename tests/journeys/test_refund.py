"""Money's way back, from a paid invoice to the credit note: the whole stack, a real chain (anvil), a payer who says by mail where it
goes, a second member who approves it, and a browser wallet that pays it."""

from __future__ import annotations

import io
import re

import pypdf
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.journeys.merchant import PASSWORD, PAYER, Merchant, links
from tests.journeys.test_browser_wallet import PROVIDER, connect_wallet, has_prices, live, markets  # noqa: F401  (fixtures)
from tests.sinks import MailSink
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.chain]

OWNER, SECOND, TEAM = "ines@harbourpine.example", "rui@harbourpine.example", "studio@harbourpine.example"
PAID = 3_910_600_000  # 3,597.75 EUR at 0.92 EUR each, rounded up to the cent
BACK = 3_128_480_000  # 80 % of it

COLLEAGUE = f"""
from allauth.account.models import EmailAddress
from merchants.models import Membership, Merchant, User
user = User.objects.create_user("{SECOND}", "{PASSWORD}", name="Rui Costa")
EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
Membership.objects.create(user=user, merchant=Merchant.objects.get(), role="manager")
"""


def set_limit(page: Page, merchant: Merchant) -> None:
    """Above 500 EUR two people are needed."""
    page.goto(f"{merchant.base}settings/refunds/")
    page.locator("[name=limit]").fill("500")
    page.get_by_role("button", name="Save the limit").click()
    page.wait_for_load_state()
    if "reauthenticate" in page.url:
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("button", name="Save the limit").click()
    expect(page.locator("[name=limit]")).to_have_value(re.compile(r"^500(\.00)?$"))


def pay(page: Page, anvil: Anvil, mail: MailSink) -> None:
    page.goto(links(mail.to(PAYER, "INV-000001").html)["Pay Now"])
    page.get_by_role("button", name=re.compile("USDT")).click()
    address = page.locator(".address").inner_text().replace(" ", "").replace("\n", "")
    anvil.pay(address, PAID, token=anvil.usdt, sender=5)
    for _block in range(3):
        anvil.mine()
    expect(page.get_by_role("heading", name="Paid, thank you")).to_be_visible(timeout=90_000)


def create_refund(page: Page, invoice_url: str) -> None:
    page.goto(invoice_url)
    page.get_by_role("link", name="Create refund").first.click()
    page.locator("[name=basis][value=paid]").check()
    page.locator("[name=deduction]").fill("20")
    page.locator("[name=reason]").fill("The second phase is not needed")
    expect(page.locator("[data-part=amount-paid]")).to_contain_text("3,128.48")
    page.get_by_role("button", name="Ask Ana Duarte for an address").click()
    page.wait_for_url(re.compile(r"/refunds/\d+/$"))


def claim(page: Page, mail: MailSink, address: str) -> None:
    """The payer gives an address, compares its end, and confirms it by the second mail."""
    page.goto(links(mail.to(PAYER, "where should it go").html)["Give your address"])
    expect(page.get_by_role("main")).to_contain_text("3,128.48")
    page.locator("[name=address]").fill(address)
    page.locator("[name=last]").fill(address[-4:])
    page.locator("[name=is_mine]").check()
    page.get_by_role("button", name="Send this address").click()
    confirm = mail.to(PAYER, "Is this your address?")
    assert address.lower() in confirm.text.lower()
    page.goto(links(confirm.html)["Confirm this address"])
    assert address.lower() in page.get_by_role("main").inner_text().lower().replace(" ", "").replace("\n", "")
    page.get_by_role("button", name="Yes, it is mine").click()
    expect(page.locator("[data-stage=claimed]")).to_be_visible()


def sign_in(page: Page, stack: Stack, email: str) -> None:
    page.set_default_timeout(30_000)
    page.goto(f"{stack.url}/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/m/**")


def approve(page: Page, refund_url: str) -> None:
    page.goto(refund_url)
    page.get_by_role("link", name="Approve…").first.click()
    expect(page.get_by_role("heading", name="Approve 3,128.48 USDT to Ana Duarte?")).to_be_visible()
    page.get_by_role("button", name="Approve it").click()
    page.wait_for_url(refund_url)


def balance(anvil: Anvil, address: str) -> int:
    return int(anvil.rpc("eth_call", {"to": anvil.usdt, "data": "0x70a08231" + address[2:].lower().rjust(64, "0")}, "latest"), 16)


def test_what_was_paid_goes_back_to_the_address_that_the_payer_confirmed(
    page: Page,
    browser: Browser,
    live: Stack,  # noqa: F811
    anvil: Anvil,
    mail_sink: MailSink,
) -> None:
    merchant = Merchant(page, live, mail_sink, email=OWNER)
    merchant.sign_up()
    merchant.tell_about_the_business()
    connect_wallet(page, evm.XPUBS[0])
    set_limit(page, merchant)
    live.ask(COLLEAGUE)
    live.wait_for(lambda: has_prices(live), what="prices, which beat fetches once a minute", timeout=120)
    merchant.write_invoice()
    merchant.publish()
    invoice_url = page.url

    payer = browser.new_context().new_page()
    payer.set_default_timeout(30_000)
    pay(payer, anvil, mail_sink)
    create_refund(page, invoice_url)
    refund_url = page.url
    home = anvil.accounts[7]
    before = balance(anvil, home)
    claim(payer, mail_sink, home)

    mail_sink.to(TEAM, "To approve: refund of")
    page.reload()
    expect(page.get_by_role("main")).to_contain_text("you asked for this one. Ask a colleague to approve it.")
    expect(page.get_by_role("link", name="Approve…")).to_have_count(0)

    colleague = browser.new_context().new_page()
    sign_in(colleague, live, SECOND)
    approve(colleague, refund_url)
    colleague.expose_function("node", lambda method, params: anvil.rpc(method, *params))
    colleague.add_init_script(PROVIDER)
    colleague.goto(f"{refund_url}pay/")
    expect(colleague.get_by_role("main")).to_contain_text("3,128.48")
    colleague.get_by_role("button", name="Pay with browser wallet").click()
    expect(colleague.locator("#status")).to_have_attribute("data-stage", "sent")
    (txid,) = anvil.waiting()
    for _block in range(3):
        anvil.mine()
    expect(colleague.get_by_role("heading", name="Ana Duarte has it back")).to_be_visible(timeout=90_000)
    assert balance(anvil, home) - before == BACK

    told = mail_sink.to(PAYER, "Refunded: ")
    assert "3,128.48 USDT" in told.text and txid in told.text
    assert links(mail_sink.to(TEAM, "Refunded: ").html)["See the refund"] == refund_url
    note_link = re.search(r"http://\S+/credit-note\.pdf", told.text)
    assert note_link
    answer = live.wait_for(lambda: _pdf(payer, note_link.group()), what="the credit note", timeout=60)
    text = "".join(sheet.extract_text() for sheet in pypdf.PdfReader(io.BytesIO(answer)).pages)
    assert "CN-000001" in text and "INV-000001" in text and "2,878.20" in text  # 80 % of 3,597.75

    page.goto(invoice_url)
    expect(page.get_by_role("main")).to_contain_text("2,878.20")
    payer.goto(links(told.html)["See the refund"])
    expect(payer.get_by_role("heading", name="Refunded")).to_be_visible()
    expect(payer.get_by_role("main")).to_contain_text("CN-000001")


def _pdf(page: Page, url: str) -> bytes:
    """Empty while it is not printed yet."""
    answer = page.request.get(url)
    return answer.body() if answer.ok and answer.body().startswith(b"%PDF") else b""
