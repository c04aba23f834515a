"""What a merchant and a payer do in a browser, step by step, against the running stack."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.sinks import MailSink
from tests.stack import Stack

expect.set_options(timeout=30_000)

PASSWORD = "lantern-harbour-42"
PAYER = "ana@duarte.example"


def links(html: str) -> dict[str, str]:
    """The links of a mail by their text."""
    found = re.findall(r'<a[^>]*href="([^"]+)"[^>]*>(.*?)</a>', html, re.DOTALL)
    return {re.sub(r"<[^>]+>", "", text).strip(): href.replace("&amp;", "&") for href, text in found}


class Merchant:
    def __init__(self, page: Page, stack: Stack, mail: MailSink, *, email: str, business: str = "Harbour & Pine") -> None:
        self.page, self.stack, self.mail, self.email, self.business = page, stack, mail, email, business
        page.set_default_timeout(30_000)

    def sign_up(self) -> None:
        page = self.page
        page.goto(f"{self.stack.url}/accounts/signup/")
        page.get_by_label("Your name").fill("Inês Matos")
        page.get_by_label("Email").fill(self.email)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Create the account").click()
        expect(page.get_by_role("main")).to_contain_text(re.compile("mail", re.IGNORECASE))
        verification = self.mail.to(self.email)
        link = re.search(r"http://\S+/accounts/confirm-email/\S+", verification.text)
        assert link, verification.text
        page.goto(link.group())
        page.get_by_role("main").get_by_role("button").first.click()

    def tell_about_the_business(self) -> None:
        page = self.page
        page.wait_for_url("**/welcome/")
        page.get_by_label("Business name").fill(self.business)
        page.get_by_label("Business email").fill("studio@harbourpine.example")
        page.get_by_role("button", name="Open the dashboard").click()
        page.wait_for_url("**/m/**")
        expect(page.get_by_role("main")).to_contain_text("Write your first invoice")

    @property
    def base(self) -> str:
        found = re.match(r"/m/[^/]+/", urlsplit(self.page.url).path)
        assert found, self.page.url
        return self.stack.url + found.group()

    def connect_webhook(self, url: str) -> str:
        """The endpoint's secret, as it is shown once."""
        page = self.page
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Developers").click()
        page.get_by_role("link", name="Add an endpoint").first.click()
        page.wait_for_url("**/accounts/reauthenticate/**")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
        page.locator("[name=url]").fill(url)
        page.get_by_role("button", name="Add it").click()
        secret = page.get_by_text(re.compile(r"^whsec_"))
        expect(secret).to_be_visible()
        text = secret.inner_text()
        page.reload()
        expect(page.get_by_text(re.compile(r"^whsec_"))).to_have_count(0)
        return text

    def write_invoice(self, *files: Path) -> None:
        page = self.page
        page.get_by_role("link", name="Create invoice").click()
        page.locator("[name=payer_name]").fill("Ana Duarte")
        page.locator("[name=payer_email]").fill(PAYER)
        page.locator("[name=title]").fill("Brand identity, phase 2")
        page.locator("[name=description]").fill("Second of three phases.\nFiles are handed over when this is paid.")
        self._line(0, "Logo and wordmark", "1", "1800", "", "23 %")
        page.get_by_role("button", name="Add an item").click()
        self._line(1, "Colour and type system", "1", "1,250.00", "10 %", "23 %")
        expect(page.locator(".summary-total")).to_contain_text("3,597.75")
        page.locator("[name=files]").set_input_files([str(file) for file in files])
        for file in files:
            expect(page.locator("[data-files]")).to_contain_text(file.name)

    def _line(self, number: int, description: str, quantity: str, price: str, discount: str, tax: str) -> None:
        for name, value in (("description", description), ("quantity", quantity), ("unit_price", price), ("discount", discount), ("tax", tax)):
            self.page.locator(f"[name=lines-{number}-{name}]").fill(value)

    def set_times(self, *, issue: tuple[str, str] | None = None, due: tuple[str, str] | None = None) -> None:
        """Date and time as the fields take them: ('2026-11-30', '09:00'), in the merchant's zone."""
        for kind, moment in (("issue", issue), ("due", due)):
            if moment:
                self.page.locator(f"[name={kind}_date]").fill(moment[0])
                self.page.locator(f"[name={kind}_time]").fill(moment[1])

    def publish(self) -> None:
        page = self.page
        page.locator(".summary").get_by_role("button", name="Publish…").click()
        expect(page.locator("h2", has_text="Publish this invoice?")).to_be_visible()
        expect(page.get_by_role("main")).to_contain_text(PAYER)
        page.get_by_role("button", name=re.compile("^Publish and ")).click()
        page.wait_for_url(re.compile(r"/invoices/\d+/$"))


def pay_link(mail: MailSink, *, to: str = PAYER, subject: str = "") -> str:
    return links(mail.to(to, subject).html)["Pay Now"]
