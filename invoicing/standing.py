"""How an invoice stands, for people: the stored status and what is derived from it, in one function; schedules and refunds beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from invoicing.models import Invoice, Occurrence, Schedule, Status


@dataclass(frozen=True)
class Badge:
    key: str  # CSS: badge--<tone>; tests: the state
    word: str | Promise
    icon: str
    tone: str


DRAFT = Badge("draft", _("Draft"), "pencil-line", "outline")
SCHEDULED = Badge("scheduled", _("Scheduled"), "calendar-clock", "violet")
OPEN = Badge("open", _("Open"), "send", "accent")
OVERDUE = Badge("overdue", _("Overdue"), "clock-alert", "red")
PARTIAL = Badge("partial", _("Partially paid"), "contrast", "amber")
CONFIRMING = Badge("confirming", _("Confirming"), "loader", "cyan")
PAID = Badge("paid", _("Paid"), "circle-check", "green")
OVERPAID = Badge("overpaid", _("Overpaid"), "circle-plus", "amber")
REFUNDED = Badge("refunded", _("Refunded"), "undo-2", "grey")
VOID = Badge("void", _("Void"), "ban", "grey")
MISSED = Badge("missed", _("Missed"), "calendar-x", "red")


def standing(invoice: Invoice, now: datetime) -> Badge:
    """The one badge of an invoice. Money on its way outranks a part already there; both outrank 'overdue'."""
    match invoice.status:
        case Status.DRAFT:
            return DRAFT
        case Status.SCHEDULED:
            return SCHEDULED
        case Status.MISSED:
            return MISSED
        case Status.VOID:
            return VOID
        case Status.PAID:
            if invoice.refunded_minor and invoice.refunded_minor >= invoice.credited_minor:
                return REFUNDED
            return OVERPAID if invoice.is_overpaid else PAID
    if invoice.pending_minor:
        return CONFIRMING
    if invoice.due_at and invoice.due_at <= now:
        return OVERDUE
    return PARTIAL if invoice.credited_minor else OPEN


# --- schedules, and their occurrences -----------------------------------------------------------------------------
ACTIVE = Badge("active", _("Active"), "repeat", "green")
PAUSED = Badge("paused", _("Paused"), "pause", "amber")
STOPPED = Badge("stopped", _("Stopped"), "square", "grey")
COMPLETED = Badge("completed", _("Completed"), "check-check", "grey")
COMING = Badge("coming", _("Coming"), "calendar", "outline")
WAITING = Badge("waiting", _("Waiting"), "pause", "amber")  # its time came while the schedule was paused
SKIPPED = Badge("skipped", _("Skipped"), "skip-forward", "grey")
HELD = Badge("held", _("Held"), "triangle-alert", "amber")

SCHEDULES = {badge.key: badge for badge in (DRAFT, ACTIVE, PAUSED, STOPPED, COMPLETED)}
OCCURRENCES = {badge.key: badge for badge in (MISSED, SKIPPED, HELD)}


# --- refunds: by the stored status, whose words these are too -------------------------------------------------------
REFUNDS = {
    badge.key: badge
    for badge in (
        Badge("requested", _("Waiting for an address"), "mail", "outline"),
        Badge("claimed", _("To be approved"), "scale", "amber"),
        Badge("approved", _("To be paid"), "wallet", "accent"),
        Badge("sent", _("Sent"), "loader", "cyan"),
        Badge("confirmed", _("Refunded"), "undo-2", "grey"),
        Badge("cancelled", _("Cancelled"), "ban", "grey"),
        Badge("rejected", _("Rejected"), "circle-x", "grey"),
        Badge("failed", _("Failed"), "circle-alert", "red"),
        Badge("expired", _("Expired"), "calendar-x", "grey"),
    )
}


def schedule_standing(schedule: Schedule) -> Badge:
    return SCHEDULES[schedule.status]


def occurrence_standing(row: Occurrence, now: datetime) -> Badge:
    """The badge of its invoice once it is issued, else its own."""
    return standing(row.invoice, now) if row.invoice else OCCURRENCES[row.state]
