"""Writing an invoice in a browser: the total follows typing, rows and files come and go, and everyone can read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from invoicing.models import Attachment, Invoice
from merchants.models import Merchant, User
from tests.factories import NOW, make_draft, publish
from tests.invoicing.files import PDF

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")


@pytest.fixture
def page(browser: Browser, live_server: Any, owner: User) -> Iterator[Page]:
    signed_in = Client()
    signed_in.force_login(owner)
    context = browser.new_context(base_url=live_server.url)
    context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": signed_in.cookies[settings.SESSION_COOKIE_NAME].value, "url": live_server.url}]
    )
    yield context.new_page()
    context.close()


def cell(page: Page, row: int, name: str) -> Any:
    return page.locator(f"[name='lines-{row}-{name}']")


def test_the_total_follows_typing_and_rows_come_and_go(page: Page, merchant: Merchant) -> None:
    page.goto(reverse("invoice_new", args=[merchant.slug]))
    for name, value in (("description", "Logo"), ("unit_price", "1800"), ("tax", "23 %")):
        cell(page, 0, name).fill(value)
    total = page.locator(".summary [data-part=total]")
    expect(total).to_have_text("2,214.00 EUR")
    page.get_by_role("button", name="Add an item").click()
    expect(cell(page, 1, "description")).to_be_focused()
    expect(cell(page, 1, "tax")).to_have_value("23 %")
    cell(page, 1, "description").fill("Type")
    cell(page, 1, "unit_price").fill("10,50")
    expect(page.locator("[data-part='line-1']")).to_have_text("–")
    cell(page, 1, "unit_price").fill("10.50")
    expect(total).to_have_text("2,226.92 EUR")
    page.get_by_role("button", name="Remove this item").first.click()
    expect(total).to_have_text("12.92 EUR")


def test_a_file_is_stored_at_once_survives_an_error_and_is_saved(page: Page, merchant: Merchant) -> None:
    page.goto(reverse("invoice_new", args=[merchant.slug]))
    files = [{"name": "work.pdf", "mimeType": "application/pdf", "buffer": PDF}, {"name": "fake.png", "mimeType": "image/png", "buffer": b"<html>"}]
    page.set_input_files("#files", files)  # type: ignore[arg-type]
    expect(page.locator("[data-file-problems]")).to_contain_text("fake.png was not added. Its name ends in .png, but that is not what is inside.")
    expect(page.locator("[data-file]")).to_contain_text("work.pdf")
    assert Attachment.objects.get().invoice is None
    page.get_by_label("Payer’s email").fill("ana@")
    page.get_by_role("button", name="Save draft").click()
    expect(page.locator(".field-error").first).to_contain_text("This is not an email address.")
    page.get_by_label("Payer’s email").fill("ana@duarte.example")
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_role("heading", name="Edit invoice")).to_be_visible()
    assert Attachment.objects.get().invoice == Invoice.objects.get()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_pages_are_readable_by_everyone_and_fit_a_phone(page: Page, merchant: Merchant, scheme: Literal["light", "dark"]) -> None:
    draft, issued = make_draft(merchant), publish(make_draft(merchant), now=NOW)
    page.emulate_media(color_scheme=scheme)
    args = {"invoice": [issued.pk], "invoice_edit": [draft.pk], "invoice_publish": [draft.pk], "invoice_void": [issued.pk]}
    for name in ("overview", "invoices", "invoice_new", *args):
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(reverse(name, args=[merchant.slug, *args.get(name, [])]))
        found = Axe().run(page, options=WCAG)
        assert found.response["violations"] == [], f"{name}: {found.generate_report()}"
        page.set_viewport_size({"width": 360, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
