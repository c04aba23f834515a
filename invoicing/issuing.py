"""Scheduled invoices whose time has come: found in the database, issued one transaction each."""

from __future__ import annotations

import logging
from datetime import datetime

from invoicing import lifecycle
from invoicing.models import Invoice, Status

logger = logging.getLogger(__name__)
BATCH = 200


def run_due(*, now: datetime, limit: int = BATCH) -> int:
    """Issue (or miss) what is due, oldest first. How many; any number of workers may run this at once.

    One that cannot be issued is logged and tried again by the next run; it holds up none of those behind it.
    """
    due = Invoice.objects.filter(status=Status.SCHEDULED, issue_at__lte=now).order_by("issue_at", "id")
    return sum(_issue(pk, now) for pk in list(due.values_list("pk", flat=True)[:limit]))


def _issue(pk: int, now: datetime) -> bool:
    try:
        return lifecycle.issue_due(pk, now=now) is not None
    except Exception:
        logger.exception("Invoice %s could not be issued", pk)
        return False
