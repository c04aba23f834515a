"""What must hold before an invoice may be published, beyond the invoice itself.

The floors above know more (prices, minimums): they add their checks here when the app starts. A check gets the
invoice and `now`, and returns a sentence for people, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from invoicing.models import Invoice

Check = Callable[[Invoice, datetime], str | None]
checks: list[Check] = []


def register(check: Check) -> Check:
    if check not in checks:
        checks.append(check)
    return check


def objections(invoice: Invoice, now: datetime) -> list[str]:
    return [reason for check in checks if (reason := check(invoice, now))]
