"""What is known offers itself as one types: payers and saved items, by keyboard, by pointer, and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from invoicing.models import Invoice, Item, Payer
from merchants.models import Merchant, User
from tests.factories import NOW, make_draft, publish

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


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


@pytest.fixture
def studio(merchant: Merchant) -> Merchant:
    """Ana with an invoice, Anabela without one, and items in two currencies."""
    ana = Payer.objects.create(merchant=merchant, name="Ana Duarte", email="ana@duarte.example", address="Rua do Alecrim 41", tax_id="PT 231")
    Payer.objects.create(merchant=merchant, name="Anabela Sá", email="anabela@sa.example")
    publish(make_draft(merchant, payer=ana, payer_address=ana.address), now=NOW)
    Item.objects.create(merchant=merchant, description="Logo and wordmark", currency="EUR", unit_price_minor=180_000, tax_name="VAT", tax_e4=230_000)
    Item.objects.create(merchant=merchant, description="Logo, in yen", currency="JPY", unit_price_minor=160_000)
    return merchant


def test_a_known_payer_is_chosen_by_keyboard_and_fills_the_fields(page: Page, studio: Merchant) -> None:
    page.goto(reverse("invoice_new", args=[studio.slug]))
    name = page.locator("[name=payer_name]")
    name.press_sequentially("ana")
    expect(page.locator(".offers [role=option]")).to_have_text(["Ana Duarte ana@duarte.example", "Anabela Sá anabela@sa.example"])
    expect(page.get_by_text("2 payers you know")).to_have_count(1)
    name.press("Escape")
    expect(page.locator("#offers-1")).to_be_hidden()
    name.press("ArrowDown")
    expect(page.locator(".offers [role=option]").first).to_be_visible()
    name.press("ArrowDown")
    expect(name).to_have_attribute("aria-activedescendant", "offers-1-0")
    name.press("ArrowUp")
    expect(name).to_have_attribute("aria-activedescendant", "offers-1-1")
    name.press("ArrowDown")
    name.press("Enter")
    for field, value in (("name", "Ana Duarte"), ("email", "ana@duarte.example"), ("address", "Rua do Alecrim 41"), ("tax_id", "PT 231")):
        expect(page.locator(f"[name=payer_{field}]")).to_have_value(value)
    expect(page.locator("[data-part=summary]")).to_contain_text("Ana Duarte")
    expect(page.get_by_text("Last invoice: INV-000001, Brand identity, phase 2, 1,800.00 EUR.")).to_be_visible()
    assert Invoice.objects.count() == 1


def test_the_last_invoice_is_copied_while_nothing_else_is_written(page: Page, studio: Merchant) -> None:
    page.goto(reverse("invoice_new", args=[studio.slug]))
    page.locator("[name=payer_email]").press_sequentially("duarte")
    page.locator(".offers [role=option]").click()
    copy = page.get_by_role("button", name="Copy that invoice instead")
    expect(copy).to_be_visible()
    page.locator("[name=title]").press_sequentially("B")
    expect(copy).to_be_hidden()
    page.goto(reverse("invoice_new", args=[studio.slug]))
    page.locator("[name=payer_email]").press_sequentially("duarte")
    page.locator(".offers [role=option]").click()
    copy.click()
    expect(page.locator("[name=lines-0-description]")).to_have_value("Logo and wordmark")
    assert Invoice.objects.get(status="draft").payer_name == "Ana Duarte"


def test_a_saved_item_fills_its_row_also_an_added_one_and_the_total_follows(page: Page, studio: Merchant) -> None:
    page.goto(reverse("invoice_new", args=[studio.slug]))
    page.get_by_role("button", name="Add an item").click()
    page.keyboard.type("lo")
    row = page.locator("[data-line='1']")
    expect(row.get_by_role("option")).to_have_text(["Logo and wordmark 1,800.00 EUR · VAT 23 %"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    for cell, value in (("description", "Logo and wordmark"), ("quantity", "1"), ("unit_price", "1,800.00"), ("tax", "VAT 23 %")):
        expect(row.locator(f"[name=lines-1-{cell}]")).to_have_value(value)
    expect(page.locator(".summary [data-part=total]")).to_have_text("2,214.00 EUR")


def test_what_was_wrong_is_not_marked_any_more_once_it_is_mended_by_hand_or_by_choosing(page: Page, studio: Merchant) -> None:
    page.goto(reverse("invoice_new", args=[studio.slug]))
    for name, value in (("payer_email", "ana@"), ("lines-0-description", "Logo"), ("lines-0-unit_price", "12,5"), ("lines-0-quantity", "-1")):
        page.locator(f"[name={name}]").fill(value)
    page.get_by_role("button", name="Save draft").click()
    expect(page.locator(".field-error")).to_have_count(3)
    expect(page.locator(".line--wrong")).to_have_count(1)
    summary = page.locator("[data-focus]").inner_text()
    page.locator("[name=payer_name]").press_sequentially("ana")
    page.locator(".offers [role=option]").first.click()
    expect(page.locator("[name=payer_email]")).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator(".field--error")).to_have_count(0)
    expect(page.locator(".field-error")).to_have_count(2)
    page.locator("[name=lines-0-description]").fill("")
    page.locator("[name=lines-0-description]").press_sequentially("lo")
    page.locator(".offers [role=option]:visible").first.click()
    expect(page.locator("[name=lines-0-unit_price]")).to_have_value("1,800.00")
    expect(page.locator(".offers [role=option]:visible")).to_have_count(0)
    expect(page.locator(".line--wrong [aria-invalid]")).to_have_count(1)
    page.locator("[name=lines-0-quantity]").fill("2")
    expect(page.locator(".field-error, .line--wrong, [aria-invalid]")).to_have_count(0)
    assert page.locator("[data-focus]").inner_text() == summary


def test_of_two_controls_in_one_field_the_words_stay_until_both_are_mended(page: Page, studio: Merchant) -> None:
    invoice = Invoice.objects.get()
    page.goto(reverse("payment_record", args=[studio.slug, invoice.pk]))
    page.locator("[name=amount]").fill("-5")
    page.locator("[name=day]").fill("2003-01-01")
    page.get_by_role("button", name="Record it").click()
    expect(page.get_by_text("Write an amount above zero.")).to_be_visible()
    page.locator("[name=amount]").fill("5")
    expect(page.get_by_text("Write an amount above zero.")).to_have_count(0)
    page.locator("[name=at]").fill("10:00")
    expect(page.get_by_text("Check the year.")).to_be_visible()
    page.locator("[name=day]").fill("2026-11-17")
    expect(page.locator(".field-error, .field--error, [aria-invalid]")).to_have_count(0)


def test_items_are_those_of_the_chosen_currency(page: Page, studio: Merchant) -> None:
    page.goto(reverse("invoice_new", args=[studio.slug]))
    page.locator("[name=currency]").select_option("JPY")
    page.locator("[name=lines-0-description]").press_sequentially("lo")
    expect(page.locator(".offers [role=option]")).to_have_text(["Logo, in yen 160,000 JPY"])


def test_leaving_the_field_closes_the_list_and_enter_without_a_choice_is_enter(page: Page, studio: Merchant) -> None:
    page.goto(reverse("invoice_new", args=[studio.slug]))
    page.locator("[name=payer_name]").press_sequentially("ana")
    expect(page.locator("#offers-1")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#offers-1")).to_be_hidden()
    expect(page.locator("[name=payer_email]")).to_be_focused()
    expect(page.locator("[name=payer_name]")).to_have_value("ana")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_with_a_list_open_axe_has_nothing_to_say(page: Page, studio: Merchant, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 800})
        for field, typed in (("payer_name", "ana"), ("lines-0-description", "lo")):
            page.goto(reverse("invoice_new", args=[studio.slug]))
            page.locator(f"[name={field}]").press_sequentially(typed)
            expect(page.locator(".offers [role=option]").first).to_be_visible()
            page.keyboard.press("ArrowDown")
            found = [(rule["id"], node["target"]) for rule in Axe().run(page).response["violations"] for node in rule["nodes"]]
            assert found == []
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_without_scripts_the_browsers_own_lists_are_there(browser: Browser, live_server: Any, page: Page, studio: Merchant) -> None:
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False, storage_state=page.context.storage_state())
    bare = context.new_page()
    bare.goto(reverse("invoice_new", args=[studio.slug]))
    assert bare.locator("[name=payer_name]").get_attribute("list") == "payers"
    assert bare.locator("#payers option").count() == 2
    assert bare.locator("[name=lines-0-description]").get_attribute("list") == "saved-items"
    context.close()
