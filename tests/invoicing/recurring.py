"""Schedules with a past, and how the tests of their pages read a page."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

from django.db import transaction
from django.urls import reverse

from invoicing import lifecycle, schedules
from invoicing.models import Invoice, Schedule
from merchants import clock
from merchants.models import Merchant
from tests.factories import NOW, make_schedule, start

NOV, DEC, JAN = (datetime(y, m, d, 9, tzinfo=UTC) for y, m, d in ((2026, 11, 30), (2026, 12, 31), (2027, 1, 31)))
MAY = date(2026, 5, 31)


def at(moment: datetime) -> None:
    """Every page of this test is opened at `moment`, or a moment later."""
    clock.move(moment - clock.now())


def url(name: str, merchant: Merchant, *args: Any) -> str:
    return reverse(name, args=[merchant.slug, *args])


def words(answer: Any) -> str:
    """The text of a page, without its tags."""
    text = re.sub(r"<(script|style|svg|template).*?</\1>|<[^>]+>", " ", answer.content.decode(), flags=re.S)
    return re.sub(r" (?=[,.])", "", " ".join(text.replace("&amp;", "&").replace("&#x27;", "'").split()))


def since_may(merchant: Merchant, **fields: Any) -> Schedule:
    """Since May, the last day of every month: all sent but August, skipped, and October, missed. It is 17 November now."""
    began = datetime(2026, 5, 20, 10, tzinfo=UTC)
    schedule = start(make_schedule(merchant, anchor=MAY, **fields), now=began)
    owner = merchant.memberships.get(role="owner").user
    for month, day in ((5, 31), (6, 30), (7, 31)):
        schedules.run_due(now=datetime(2026, month, day, 9, 1, tzinfo=UTC))
    schedules.skip(schedule, 4, by=owner, now=datetime(2026, 8, 2, tzinfo=UTC))
    schedules.run_due(now=datetime(2026, 9, 30, 9, 1, tzinfo=UTC))
    schedules.run_due(now=datetime(2026, 11, 16, 9, tzinfo=UTC))
    return Schedule.objects.get(pk=schedule.pk)


def settle(invoice: Invoice) -> None:
    """Paid in full."""
    with transaction.atomic():
        lifecycle.account(lifecycle.locked(invoice.pk), lifecycle.Money(invoice.total_minor, 0, False, False, False), now=NOW)
