"""The main job, from nothing to paid: real browser, web server, worker, beat, broker, mail server and webhook receiver."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader
from standardwebhooks import Webhook

from tests.journeys.merchant import PAYER, Merchant, links, pay_link
from tests.sinks import MailSink, Received, WebSink
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    work = tmp_path / "statement-of-work.txt"
    work.write_text("Logo, colours, type.\n")
    rates = tmp_path / "rates.csv"
    rates.write_text("what,price\nlogo,1800.00\n")
    return work, rates


def pdf_text(page: Page, url: str) -> str:
    answer = page.request.get(url)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/pdf")
    return "\n".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(answer.body())).pages)


def test_from_sign_up_to_paid(page: Page, browser: Browser, stack: Stack, mail_sink: MailSink, web_sink: WebSink, files: tuple[Path, Path]) -> None:
    merchant = Merchant(page, stack, mail_sink, email="ines@harbourpine.example")
    merchant.sign_up()
    merchant.tell_about_the_business()
    secret = merchant.connect_webhook(web_sink.url)
    merchant.write_invoice(*files)
    merchant.publish()
    expect(page.locator("h1")).to_contain_text("INV-000001")
    invoice_url = page.url

    issued = mail_sink.to(PAYER, "INV-000001")
    assert "3,597.75" in issued.text and "statement-of-work.txt" in issued.text
    assert str(issued.message["Reply-To"]) == "studio@harbourpine.example"

    payer = browser.new_context().new_page()
    payer.set_default_timeout(30_000)
    payer.goto(links(issued.html)["Pay Now"])
    expect(payer.locator("h1")).to_contain_text("How will you pay?")
    payer.get_by_role("button", name=re.compile("USDT")).click()
    expect(payer.get_by_text("Send exactly", exact=True)).to_be_visible()
    payer.get_by_role("button", name="Copy the address").click()
    expect(payer.locator("[data-live]")).to_have_text("Address copied")

    payer.get_by_role("button", name="Pay half").click()
    expect(payer.locator("#status .badge").first).to_have_text("Part received")
    expect(payer.locator("#main")).to_contain_text("1,798.87")
    payer.get_by_role("link", name="Pay the rest").click()
    payer.get_by_role("button", name=re.compile("ETH")).click()
    payer.get_by_role("button", name="Pay, but slowly").click()  # so that its confirming is there to be seen
    expect(payer.get_by_role("heading", name="Your payment has been seen")).to_be_visible()
    expect(payer.get_by_role("heading", name="Paid, thank you")).to_be_visible(timeout=60_000)

    receipt = mail_sink.to(PAYER, "Paid")
    assert "3,597.75" in receipt.text
    notice = mail_sink.to("studio@harbourpine.example", "paid")
    assert links(notice.html)["Check Details"] == invoice_url
    page.goto(invoice_url)
    expect(page.locator(".badge").first).to_have_text("Paid")

    seen = web_sink.wait_for(lambda request: b'"invoice.paid"' in request.body)
    assert verified(seen, secret)["data"]["invoice"]["credited"] == "3597.75"
    bodies = [verified(request, secret) for request in web_sink.all()]
    assert [body["type"] for body in bodies if body["type"].startswith("invoice.")].count("invoice.paid") == 1
    assert {"invoice.issued", "invoice.viewed", "payment.detected", "invoice.paid"} <= {body["type"] for body in bodies}
    ids = [request.headers["webhook-id"] for request in web_sink.all()]
    assert len(ids) == len(set(ids))

    public = re.sub(r"pay/$", "", payer.url)
    assert "3,597.75" in pdf_text(payer, f"{public}invoice.pdf")
    assert "INV-000001-R1" in pdf_text(payer, f"{public}receipt.pdf")
    assert "3,597.75" in pdf_text(page, f"{invoice_url}invoice.pdf")
    file_links = re.findall(r'href="(/i/[^"]+/files/[^"]+)"', payer.request.get(public).text())
    assert len(file_links) == 2
    attached = payer.request.get(stack.url + file_links[0])
    assert attached.body() == files[0].read_bytes()
    assert attached.headers["x-content-type-options"] == "nosniff"
    assert len([mail for mail in mail_sink.all() if PAYER in mail.recipients and mail.subject.startswith("Invoice ")]) == 1


def verified(request: Received, secret: str) -> dict[str, object]:
    """The body, after the receiver's own library found the signature right."""
    found = Webhook(secret).verify(request.body, request.headers)
    assert found == json.loads(request.body)
    return found


def test_the_same_from_the_checkout_on_without_javascript(page: Page, browser: Browser, stack: Stack, mail_sink: MailSink) -> None:
    merchant = Merchant(page, stack, mail_sink, email="rui@harbourpine.example", business="Pine & Sons")
    merchant.sign_up()
    merchant.tell_about_the_business()
    mail_sink.clear()
    merchant.write_invoice()
    merchant.publish()

    payer = browser.new_context(java_script_enabled=False).new_page()
    payer.set_default_timeout(30_000)
    payer.goto(pay_link(mail_sink))
    payer.get_by_role("button", name=re.compile("USDT")).click()
    expect(payer.locator(".address")).to_contain_text("sbx1")
    payer.get_by_role("button", name="Pay half").click()
    reload_until(payer, "Part received", stack)
    payer.get_by_role("link", name="Pay the rest").click()
    payer.get_by_role("button", name=re.compile("USDT")).click()
    payer.get_by_role("button", name="Pay exactly").click()
    reload_until(payer, "Paid, thank you", stack)
    with payer.expect_download() as download:
        payer.get_by_role("link", name="Download receipt").click()
    assert PdfReader(download.value.path()).pages[0].extract_text().count("INV-000001-R1") >= 1
    mail_sink.to(PAYER, "Paid")


def reload_until(page: Page, text: str, stack: Stack) -> None:
    def there() -> bool:
        if page.get_by_text(text).count():
            return True
        page.get_by_role("link", name="Reload").click()
        return False

    stack.wait_for(there, what=text, timeout=60)
