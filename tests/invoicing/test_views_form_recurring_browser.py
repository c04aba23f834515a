"""Writing a schedule in a browser: the dates follow typing, and everyone can read them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from invoicing.models import Schedule
from merchants import clock
from merchants.models import Merchant, User
from tests.factories import make_schedule, start

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")


def signed_in(browser: Browser, address: str, owner: User, **options: Any) -> Any:
    client = Client()
    client.force_login(owner)
    context = browser.new_context(base_url=address, **options)
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": client.cookies[settings.SESSION_COOKIE_NAME].value, "url": address}])
    return context


@pytest.fixture
def page(browser: Browser, live_server: Any, owner: User) -> Iterator[Page]:
    context = signed_in(browser, live_server.url, owner)
    yield context.new_page()
    context.close()


def write(page: Page, **values: str) -> None:
    for name, value in values.items():
        page.locator(f"[name='{name.replace('__', '-')}']").first.fill(value)


def test_the_dates_follow_typing(page: Page, merchant: Merchant) -> None:
    year = clock.now().year + 2  # ahead, whenever this runs; February has 28 days in one of the two that follow
    page.goto(reverse("invoice_new", args=[merchant.slug]))
    dates = page.locator(".dates")
    expect(dates).to_be_hidden()
    page.get_by_text("Recurring", exact=True).click()
    expect(dates).to_be_visible()
    expect(page.locator("#id_issue_date")).to_be_hidden()
    expect(page.locator(".summary .summary-label")).to_have_text("Each invoice")
    write(page, title="Retainer, {month}", lines__0__description="Studio retainer", lines__0__unit_price="2400", first_date=f"{year}-01-31")
    page.select_option("#id_on", "day")
    page.locator("#id_day").fill("31")
    rows = dates.locator("tbody tr")
    expect(rows.nth(0)).to_contain_text(f"31 Jan {year}, 09:00")
    expect(rows.nth(1)).to_contain_text("last day of the month")
    expect(rows.nth(1)).to_contain_text("Retainer, February")
    expect(dates.locator(".dates-head")).to_contain_text("12 invoices, 28,800.00 EUR in all")
    dates.get_by_text("Show all 12").click()
    expect(rows.nth(11)).to_be_visible()
    page.locator("#id_ends_after").fill("10")
    expect(dates.locator(".dates-head")).to_contain_text("10 invoices, 24,000.00 EUR in all")
    expect(rows.nth(9)).to_be_visible()  # what was unfolded stays so
    page.locator("#id_every").fill("2")
    expect(page.locator("#id_unit option:checked")).to_have_text("months")
    expect(page.locator(".summary")).to_contain_text("every 2 months on day 31")


def test_only_what_a_choice_asks_for_is_shown(page: Page, merchant: Merchant) -> None:
    page.goto(reverse("schedule_new", args=[merchant.slug]))
    expect(page.locator("#id_unit option:checked")).to_have_text("month")
    seen = {name: page.locator(where) for name, where in (("week", ".weekdays"), ("on", "#id_on"), ("day", "#id_day"), ("nth", "#id_nth"))}
    wanted: dict[tuple[str, str], set[str]] = {
        ("weeks", "first"): {"week"},
        ("months", "first"): {"on"},
        ("quarters", "day"): {"on", "day"},
        ("years", "nth"): {"on", "nth"},
        ("days", ""): set(),
    }
    for (unit, on), shown in wanted.items():
        page.select_option("#id_unit", unit)
        if on and unit != "weeks":
            page.select_option("#id_on", on)
        for name, place in seen.items():
            expect(place).to_be_visible(visible=name in shown)
    page.get_by_label("Standing: it goes on until you stop it").check()
    expect(page.locator("#id_ends_after")).to_be_hidden()


def test_it_is_written_without_a_script(browser: Browser, live_server: Any, owner: User, merchant: Merchant) -> None:
    context = signed_in(browser, live_server.url, owner, java_script_enabled=False)
    page = context.new_page()
    page.goto(reverse("invoice_new", args=[merchant.slug]))
    page.get_by_text("Recurring", exact=True).click()
    write(page, payer_name="Marlow Yachts Ltd", payer_email="accounts@marlow.example", title="Retainer, {month}")
    write(page, lines__0__description="Studio retainer", lines__0__unit_price="2400", due_after_days="0")
    page.get_by_role("button", name="Show the dates").click()
    expect(page.locator(".dates-head")).to_contain_text("12 invoices, 28,800.00 EUR in all")
    page.get_by_role("button", name="Save draft").click()
    expect(page.locator("#id_due_after_days_error")).to_contain_text("Write a whole number from 1 to 365.")
    write(page, due_after_days="30")
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_role("heading", name="Edit schedule")).to_be_visible()
    assert (Schedule.objects.get().due_after_days, Schedule.objects.get().total_minor) == (30, 240_000)
    context.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_pages_are_readable_by_everyone_and_fit_a_phone(page: Page, merchant: Merchant, scheme: Literal["light", "dark"]) -> None:
    now = clock.now()
    draft = make_schedule(merchant, anchor=now.date() + timedelta(days=9), ends_after=12)
    running = start(make_schedule(merchant, anchor=now.date() + timedelta(days=9)), now=now)
    page.emulate_media(color_scheme=scheme)
    for path in (
        reverse("schedule_new", args=[merchant.slug]),
        reverse("schedule_edit", args=[merchant.slug, draft.pk]),
        reverse("schedule_edit", args=[merchant.slug, running.pk]),
    ):
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(path)
        found = Axe().run(page, options=WCAG)
        assert found.response["violations"] == [], f"{path}: {found.generate_report()}"
        page.set_viewport_size({"width": 360, "height": 740})
        page.locator(".dates-more > summary").click()
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
