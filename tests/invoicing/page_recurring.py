"""What a browser sends from the page on which a schedule is written."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from django.urls import reverse

from invoicing import schedules
from invoicing.models import Schedule
from merchants.models import Merchant
from tests.factories import make_schedule, start
from tests.invoicing.page import row, sent

KEY, HIS = "f" * 43, "m" * 43
NOV = datetime(2026, 11, 30, 9, tzinfo=UTC)

RETAINER = row(description="Studio retainer", unit_price="2,400.00")
TIMES: dict[str, Any] = {
    "kind": "recurring",
    "every": "1",
    "unit": "months",
    "weekdays": [],
    "on": "last",
    "day": "",
    "nth": "1",
    "weekday": "0",
    "first_date": "2027-01-31",
    "first_time": "09:00",
    "due_after_days": "14",
    "ends": "after",
    "ends_after": "12",
    "ends_on": "",
}


def recurring(*rows: dict[str, str], **changes: Any) -> dict[str, Any]:
    """A retainer for Marlow Yachts, twelve times from 31 January 2027 on; `changes` replace fields, None leaves one out."""
    words = {"payer_name": "Marlow Yachts Ltd", "payer_email": "accounts@marlow.example", "title": "Retainer, {month}", "description": ""}
    return sent(*(rows or (RETAINER,)), **{**words, **TIMES, **changes})


def url(name: str, merchant: Merchant, *args: Any) -> str:
    return reverse(name, args=[merchant.slug, *args])


def going(merchant: Merchant, **fields: Any) -> Schedule:
    """One that runs, whose first invoice has been sent and whose next is planned for 31 December."""
    running = start(make_schedule(merchant, **fields))
    schedules.run_due(now=NOV)
    return Schedule.objects.get(pk=running.pk)


def next_of(saved: Schedule, /, **changes: Any) -> dict[str, Any]:
    """What its page sends when nothing but `changes` was changed."""
    kept = {"version": str(saved.version), "form_key": KEY, "first_date": "2026-12-31", "standing": "on"}
    kept["shown_next"] = saved.next_at.isoformat() if saved.next_at else ""
    return recurring(**{**kept, **changes})


def words_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())
