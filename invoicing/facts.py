"""What an event says of an invoice: JSON, self-contained, without anything that opens a page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from invoicing.models import Invoice, Schedule
from invoicing.money import digits, plain


def moment(value: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the second: 2026-12-01T18:00:00Z."""
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if value else None


def of_invoice(invoice: Invoice) -> dict[str, Any]:
    """The invoice as it stands. Amounts are decimal strings in its currency; times are ISO 8601 in UTC."""
    places = digits(invoice.currency)
    return {
        "id": invoice.pk,
        "number": invoice.number or None,
        "status": invoice.status,
        "title": invoice.title,
        "reference": invoice.payer_reference or None,
        "currency": invoice.currency,
        "total": plain(invoice.total_minor, places),
        "credited": plain(invoice.credited_minor, places),
        "pending": plain(invoice.pending_minor, places),
        "due": plain(invoice.due_minor, places),
        "refunded": plain(invoice.refunded_minor, places),
        "returning": plain(invoice.returning_minor, places),
        "written_off": plain(invoice.written_off_minor, places),
        "underpaid": invoice.is_underpaid,
        "overpaid": invoice.is_overpaid,
        "paid_late": invoice.is_paid_late,
        "payer": {"name": invoice.payer_name, "email": invoice.payer_email},
        "issue_at": moment(invoice.issue_at),
        "due_at": moment(invoice.due_at),
        "issued_at": moment(invoice.issued_at),
        "paid_at": moment(invoice.paid_at),
        "voided_at": moment(invoice.voided_at),
        "void_reason": invoice.void_reason or None,
    }


def of_schedule(schedule: Schedule) -> dict[str, Any]:
    """The schedule as it stands. Amounts are decimal strings in its currency; times are ISO 8601 in UTC."""
    return {
        "id": schedule.pk,
        "status": schedule.status,
        "title": schedule.title,
        "currency": schedule.currency,
        "total": plain(schedule.total_minor, digits(schedule.currency)),
        "payer": {"name": schedule.payer_name, "email": schedule.payer_email},
        "due_after_days": schedule.due_after_days,
        "ends_after": schedule.ends_after,
        "ends_on": schedule.ends_on.isoformat() if schedule.ends_on else None,
        "next_at": moment(schedule.next_at),
    }


def of_occurrence(k: int, planned_at: datetime) -> dict[str, Any]:
    return {"n": k, "planned_at": moment(planned_at)}
