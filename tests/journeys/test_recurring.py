"""A standing schedule over three months: written in a browser, sent by beat, with the clock of every process moved on."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.merchant import PAYER, Merchant
from tests.sinks import Mail, MailSink
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack]


def test_three_months_of_a_standing_schedule(page: Page, stack: Stack, mail_sink: MailSink) -> None:
    merchant = Merchant(page, stack, mail_sink, email="rhythm@harbourpine.example", business="Rhythm and Rope")
    merchant.sign_up()
    merchant.tell_about_the_business()
    mail_sink.clear()
    first = datetime.now(UTC) + timedelta(days=2)

    # Written: the dates are there while it is typed.
    page.get_by_role("link", name="Create invoice").click()
    page.locator("label", has_text="Recurring").first.click()
    page.locator("[name=payer_name]").fill("Ana Duarte")
    page.locator("[name=payer_email]").fill(PAYER)
    page.locator("[name=title]").fill("Retainer for {month}, no. {n}")
    merchant._line(0, "Studio retainer, {period}", "1", "2400", "", "23 %")
    page.locator("[name=first_date]").fill(f"{first:%Y-%m-%d}")
    page.locator("[name=first_time]").fill("09:00")
    page.get_by_label("Standing: it goes on until you stop it").check()
    dates = page.locator("[data-part=dates]")
    expect(dates).to_contain_text(f"Retainer for {first:%B}, no. 1")
    expect(dates.locator("tbody tr")).to_have_count(12)

    # Previewed: page, mail and PDF are what the payer will get.
    page.get_by_role("button", name="Preview").click()
    page.wait_for_url(re.compile(r"/recurring/\d+/preview/"))
    expect(page.frame_locator("iframe").locator("body")).to_contain_text(f"Retainer for {first:%B}, no. 1")
    page.get_by_role("link", name="Email", exact=True).click()
    expect(page.frame_locator("iframe").locator("body")).to_contain_text("2,952.00")

    # Published: nothing is sent before its time.
    page.get_by_role("link", name="Publish…").click()
    expect(page.locator("h2", has_text="Publish this schedule?")).to_be_visible()
    page.get_by_role("button", name="Publish", exact=True).click()
    page.wait_for_url(re.compile(r"/recurring/\d+/$"))
    schedule = page.url
    expect(page.locator(".badge").first).to_have_text("Active")
    assert invoices(mail_sink) == []

    # Two months pass; each brings one invoice, and one mail.
    stack.move_clock(timedelta(days=3))
    mail_sink.to(PAYER, "INV-000001", timeout=60)
    stack.move_clock(timedelta(days=31))
    mail_sink.to(PAYER, "INV-000002", timeout=60)

    # The third is skipped.
    page.goto(schedule)
    expect(row(page, 1)).to_contain_text("INV-000001")
    row(page, 3).get_by_role("button", name="Skip").click()
    expect(row(page, 3)).to_contain_text("Skipped")
    stack.move_clock(timedelta(days=31))
    later = datetime.now(UTC) + timedelta(days=65)

    # From the fourth on it is weekly, on a new first day; what was sent stays.
    page.goto(schedule)
    page.get_by_role("link", name="Edit", exact=True).click()
    expect(page.get_by_role("main")).to_contain_text("What has been sent stays as it is")
    page.locator("[name=unit]").select_option("weeks")
    page.locator("[name=first_date]").fill(f"{later + timedelta(days=2):%Y-%m-%d}")
    page.locator(".summary").get_by_role("button", name="Save changes").click()
    page.wait_for_url(re.compile(r"/recurring/\d+/$"))
    expect(page.get_by_role("main")).to_contain_text("every week")
    expect(row(page, 2)).to_contain_text("INV-000002")
    stack.move_clock(timedelta(days=3))
    mail_sink.to(PAYER, "INV-000003", timeout=60)
    page.goto(schedule)
    expect(row(page, 4)).to_contain_text("INV-000003")

    # Stopped, for good.
    page.get_by_role("link", name="Stop…").click()
    expect(page.get_by_role("main")).to_contain_text("3 invoices were sent to Ana Duarte")
    page.get_by_role("button", name="Stop it for good").click()
    page.wait_for_url(re.compile(r"/recurring/\d+/$"))
    expect(page.locator(".badge").first).to_have_text("Stopped")
    stack.move_clock(timedelta(days=40))
    mail_sink.to("studio@harbourpine.example", "Stopped", timeout=60)
    stack.wait_for(lambda: not stack.select("SELECT 1 FROM merchants_event WHERE fanned_out_at IS NULL"), what="fan-out")
    numbers = [found.group() for mail in invoices(mail_sink) if (found := re.search(r"INV-\d+", mail.subject))]
    assert numbers == ["INV-000001", "INV-000002", "INV-000003"]
    states = stack.select("SELECT k, state FROM invoicing_occurrence ORDER BY k")
    assert states == [(1, "issued"), (2, "issued"), (3, "skipped"), (4, "issued")]


def row(page: Page, k: int) -> Locator:
    return page.locator("tr.occurrence").filter(has=page.locator(".occ-no", has_text=re.compile(rf"^{k}$")))


def invoices(mail: MailSink) -> list[Mail]:
    return [sent for sent in mail.all() if PAYER in sent.recipients]
