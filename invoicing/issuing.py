"""Scheduled invoices whose time has come: found in the database, issued one transaction each."""

from __future__ import annotations

from datetime import datetime

from invoicing import lifecycle
from invoicing.models import Invoice, Status

BATCH = 200


def run_due(*, now: datetime, limit: int = BATCH) -> int:
    """Issue (or miss) what is due, oldest first. How many; any number of workers may run this at once."""
    due = Invoice.objects.filter(status=Status.SCHEDULED, issue_at__lte=now).order_by("issue_at", "id")
    return sum(lifecycle.issue_due(pk, now=now) is not None for pk in list(due.values_list("pk", flat=True)[:limit]))
