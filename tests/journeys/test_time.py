"""Time moves for all processes at once, and beat does the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.merchant import PAYER, Merchant
from tests.sinks import MailSink
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack]


def test_beat_issues_next_weeks_invoice_and_reports_the_one_whose_due_time_passed(page: Page, stack: Stack, mail_sink: MailSink) -> None:
    merchant = Merchant(page, stack, mail_sink, email="time@harbourpine.example", business="Tide & Time")
    merchant.sign_up()
    merchant.tell_about_the_business()
    mail_sink.clear()
    start = datetime.now(UTC)

    def day(days: float) -> tuple[str, str]:
        moment = start + timedelta(days=days)
        return moment.strftime("%Y-%m-%d"), "12:00"

    merchant.write_invoice()
    merchant.set_times(issue=day(7), due=day(21))
    merchant.publish()
    next_week = page.url
    expect(page.locator(".badge").first).to_have_text("Scheduled")

    merchant.write_invoice()
    merchant.set_times(issue=day(2), due=day(4))
    merchant.publish()
    passes_unsent = page.url
    expect(page.locator(".badge").first).to_have_text("Scheduled")
    assert [mail for mail in mail_sink.all() if PAYER in mail.recipients] == []

    stack.move_clock(timedelta(days=8))
    mail_sink.to(PAYER, "INV-000001", timeout=40)
    mail_sink.to("studio@harbourpine.example", timeout=40)
    page.goto(next_week)
    expect(page.locator(".badge").first).to_have_text("Open")
    page.goto(passes_unsent)
    expect(page.locator(".badge").first).to_have_text("Missed")
    page.goto(merchant.base)
    expect(page.get_by_role("main")).to_contain_text("could not be sent")
    assert len([mail for mail in mail_sink.all() if PAYER in mail.recipients]) == 1
