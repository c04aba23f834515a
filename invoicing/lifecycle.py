"""The one door for an invoice's status.

Every move locks the invoice, checks the table, changes the row only if its status is still the old one, and
writes its event: all in one transaction. A move that is not in the table raises `Refused`, whose text is a
sentence for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing import facts, numbering, payability, pdf, snapshot
from invoicing.models import Invoice, Rendering, Status
from invoicing.models.invoice import EDITABLE
from invoicing.money import MAX_MINOR
from merchants.events import record
from merchants.models import User

MOVES: dict[str, tuple[frozenset[Status], Status]] = {
    # event: (from, to)
    "invoice.scheduled": (frozenset({Status.DRAFT, Status.MISSED}), Status.SCHEDULED),
    "invoice.issued": (frozenset({Status.DRAFT, Status.SCHEDULED, Status.MISSED}), Status.OPEN),
    "invoice.unscheduled": (frozenset({Status.SCHEDULED}), Status.DRAFT),
    "invoice.missed": (frozenset({Status.SCHEDULED}), Status.MISSED),
    "invoice.paid": (frozenset({Status.OPEN}), Status.PAID),
    "invoice.reopened": (frozenset({Status.PAID}), Status.OPEN),
    "invoice.voided": (frozenset({Status.OPEN}), Status.VOID),
}


class Refused(Exception):
    """This cannot be done to this invoice; the text says why, and what can be done."""


class MovedOn(Refused):
    """The invoice was changed by somebody else since this edit began."""


@dataclass(frozen=True)
class Money:
    """The money on an invoice, in its minor unit, as payments.settlement added it up."""

    credited_minor: int
    pending_minor: int
    is_underpaid: bool
    is_overpaid: bool
    is_paid_late: bool


def locked(pk: int) -> Invoice:
    """The invoice under its lock: the first lock of any transaction that touches its money or status."""
    return Invoice.objects.select_for_update().get(pk=pk)


def _move(invoice: Invoice, event: str, *, now: datetime, by: User | None = None, extra: dict[str, Any] | None = None, **changes: Any) -> Invoice:
    """Take `invoice` (under its lock) through the door. `changes` are columns that change with the status."""
    allowed, target = MOVES[event]
    old = Status(invoice.status)
    if old not in allowed:
        raise Refused(_refusal(invoice, event))
    changes |= {"status": target, "version": invoice.version + 1}
    if not _swap(invoice, old, changes):
        raise MovedOn(_("%(name)s has just been changed by somebody else. Look at it again.") % {"name": invoice.name})
    for column, value in changes.items():
        setattr(invoice, column, value)
    record(event, merchant=invoice.merchant, subject=invoice, now=now, by=by, facts={"invoice": facts.of_invoice(invoice), **(extra or {})})
    return invoice


def _swap(invoice: Invoice, old: Status, changes: dict[str, Any]) -> int:
    """Change the row if its status is still `old`; how many rows. SQLite knows no row lock, so this holds there too."""
    return Invoice.objects.filter(pk=invoice.pk, status=old).update(**changes)


def _refusal(invoice: Invoice, event: str) -> str:
    status = str(Status(invoice.status).label).lower()
    sentence = {
        "invoice.scheduled": _("%(name)s is %(status)s; it cannot be scheduled."),
        "invoice.issued": _("%(name)s is %(status)s; it cannot be published again."),
        "invoice.unscheduled": _("%(name)s is %(status)s; only a scheduled invoice can be taken back."),
        "invoice.voided": _("%(name)s is %(status)s; it cannot be voided."),
    }.get(event, _("%(name)s is %(status)s; this does not go with it."))
    return sentence % {"name": invoice.name, "status": status}


def publish(invoice: Invoice, *, by: User | None, version: int, now: datetime) -> Invoice:
    """Publish a draft or a missed invoice: issued at once if its issue time is now, past or not set, else scheduled.

    Refused when it is not whole (see `blockers`), or when it moved on since `version`.
    """
    with transaction.atomic():
        held = locked(invoice.pk)
        if held.status not in (Status.DRAFT, Status.MISSED):
            raise Refused(_refusal(held, "invoice.issued"))
        if held.version != version:
            raise MovedOn(_("This draft was changed while you were looking at it. Look at it again before you publish."))
        reasons = blockers(held, now)
        if reasons:
            raise Refused(" ".join(reasons))
        if held.issue_at and held.issue_at > now:
            return _move(held, "invoice.scheduled", now=now, by=by, published_at=now)
        return _issue(held, now=now, by=by)


def blockers(invoice: Invoice, now: datetime) -> list[str]:
    """Why `invoice` may not be published, as sentences; empty when it may."""
    reasons = []
    if not (invoice.payer_name and invoice.payer_email):
        reasons.append(_("Say who pays: a name and an email address."))
    if not invoice.title:
        reasons.append(_("Give it a title."))
    if invoice.total_minor <= 0:
        reasons.append(_("The total is zero. Add an item with a price."))
    sending = max(invoice.issue_at or now, now)
    if invoice.total_minor > MAX_MINOR:
        reasons.append(_("The total is too large. Split it over several invoices."))
    if invoice.due_at is None:
        reasons.append(_("Say until when it is to be paid."))
    elif invoice.due_at <= sending:
        reasons.append(_("It would be due before it is sent. Choose a later due time."))
    if not snapshot.assets_for(invoice):
        reasons.append(_("Choose at least one token it can be paid with."))
    return reasons or payability.objections(invoice, now)


def _issue(invoice: Invoice, *, now: datetime, by: User | None = None) -> Invoice:
    frozen = snapshot.freeze(invoice, now=now)
    number = numbering.take(invoice.merchant_id)
    _move(invoice, "invoice.issued", now=now, by=by, number=number, issued_at=now, published_at=invoice.published_at or now, **frozen)
    pdf.request(invoice, Rendering.Kind.INVOICE)
    return invoice


def issue_due(pk: int, *, now: datetime) -> Invoice | None:
    """Issue one scheduled invoice whose time has come; past its due time it is missed instead.

    None when there is nothing to do (any more): another worker has it, or it was taken back.
    """
    with transaction.atomic():
        held = (
            Invoice.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("merchant")
            .filter(pk=pk, status=Status.SCHEDULED, issue_at__lte=now)
            .first()
        )
        if held is None:
            return None
        if held.due_at is not None and held.due_at <= now:
            return _move(held, "invoice.missed", now=now, extra={"reason": "past_due"})
        reasons = blockers(held, now)
        if reasons:
            return _move(held, "invoice.missed", now=now, extra={"reason": "not_payable", "detail": " ".join(reasons)})
        return _issue(held, now=now)


def unschedule(invoice: Invoice, *, by: User, now: datetime) -> Invoice:
    """Take a scheduled invoice back to a draft."""
    with transaction.atomic():
        return _move(locked(invoice.pk), "invoice.unscheduled", now=now, by=by, published_at=None)


def void(invoice: Invoice, *, by: User | None, reason: str, now: datetime) -> Invoice:
    """Cancel an open invoice, for good. The payer is told; money on it stays on it and can be refunded."""
    with transaction.atomic():
        return _move(locked(invoice.pk), "invoice.voided", now=now, by=by, voided_at=now, void_reason=reason.strip()[:300])


def viewed(invoice: Invoice, *, now: datetime) -> bool:
    """The payer's page says that it was looked at. True the first time, which is the only one that is an event."""
    with transaction.atomic():
        if not Invoice.objects.filter(pk=invoice.pk, viewed_at=None, status__in=[Status.OPEN, Status.PAID]).update(viewed_at=now):
            return False
        invoice.viewed_at = now
        record("invoice.viewed", merchant=invoice.merchant, subject=invoice, now=now, facts={"invoice": facts.of_invoice(invoice)})
        return True


def account(invoice: Invoice, money: Money, *, now: datetime) -> Invoice:
    """Write the money on `invoice` (under its lock) and move its status where the money says so.

    Called by settlement only. Paid when what is credited reaches the total less the tolerance; what the tolerance
    forgave is written off. Reopened when it falls below again. A void invoice only keeps its books.
    """
    changes: dict[str, Any] = {
        "credited_minor": money.credited_minor,
        "pending_minor": money.pending_minor,
        "is_underpaid": money.is_underpaid,
        "is_overpaid": money.is_overpaid,
        "is_paid_late": money.is_paid_late,
    }
    enough = money.credited_minor >= invoice.total_minor - invoice.tolerance_minor
    if invoice.status == Status.OPEN and enough:
        changes["written_off_minor"] = max(invoice.total_minor - money.credited_minor, 0)
        _move(invoice, "invoice.paid", now=now, paid_at=now, **changes)
        pdf.request(invoice, Rendering.Kind.RECEIPT)
        return invoice
    if invoice.status == Status.PAID and not enough:
        pdf.forget_receipt(invoice)
        return _move(invoice, "invoice.reopened", now=now, paid_at=None, **changes | {"written_off_minor": 0})
    if invoice.status == Status.PAID:
        changes["written_off_minor"] = max(invoice.total_minor - money.credited_minor, 0)
    Invoice.objects.filter(pk=invoice.pk).update(**changes)
    for column, value in changes.items():
        setattr(invoice, column, value)
    return invoice


def claim_edit(invoice: Invoice, *, version: int) -> Invoice:
    """Lock `invoice` for an edit that began at `version`, and count the version up. Inside a transaction.

    MovedOn when somebody else saved it meanwhile; Refused when it is issued.
    """
    held = locked(invoice.pk)
    if held.status not in EDITABLE:
        raise Refused(_("%(name)s has been issued; what it says can no longer be changed. Void it and duplicate it.") % {"name": held.name})
    if held.version != version:
        raise MovedOn(_("Somebody else saved this draft while you were writing."))
    Invoice.objects.filter(pk=held.pk).update(version=version + 1)
    held.version = version + 1
    return held
