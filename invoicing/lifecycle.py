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

from invoicing import conflicts, facts, numbering, payability, pdf, reminders, search, snapshot
from invoicing.models import Invoice, Rendering, Status
from invoicing.models.invoice import EDITABLE, ISSUED, new_public_id
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
    """The invoice was changed since this edit began."""


@dataclass(frozen=True)
class Money:
    """The money on an invoice, in its minor unit, as payments.settlement added it up."""

    credited_minor: int
    pending_minor: int
    is_underpaid: bool
    is_overpaid: bool
    is_paid_late: bool
    refunded_minor: int = 0
    returning_minor: int = 0
    shortfall_minor: int = 0


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
        return issue(held, now=now, by=by)


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


def issue(invoice: Invoice, *, now: datetime, by: User | None = None, extra: dict[str, Any] | None = None) -> Invoice:
    """Issue `invoice`, which is locked or made by this very transaction, and has no `blockers`. `extra` are facts for its event."""
    frozen = snapshot.freeze(invoice, now=now)
    replaced = _succeed(invoice)  # before the number: whoever waits for an invoice does not hold its merchant
    number = numbering.take(invoice.merchant_id)
    _move(invoice, "invoice.issued", now=now, by=by, extra=extra, number=number, issued_at=now, published_at=invoice.published_at or now, **frozen)
    search.refresh(invoice)
    reminders.plan(invoice, now=now)
    if replaced is not None:
        about = {"invoice": facts.of_invoice(replaced), "replacement": number}
        record("invoice.replaced", merchant=invoice.merchant, subject=replaced, now=now, by=by, facts=about)
    pdf.request(invoice, Rendering.Kind.INVOICE)
    return invoice


def _succeed(invoice: Invoice) -> Invoice | None:
    """Make `invoice` (under its lock) what the cancelled page of the one it replaces leads to; that one, locked now too.

    None when it replaces none, or when that has a successor already: the first one issued is it.
    """
    if not invoice.replaces_id:
        return None
    replaced = Invoice.objects.select_for_update(of=("self",)).filter(pk=invoice.replaces_id, merchant=invoice.merchant_id).first()
    return replaced if replaced is not None and _lead_on(replaced, invoice) else None


def _lead_on(replaced: Invoice, successor: Invoice) -> int:
    """Whether it is still void and without a successor is asked in the change itself."""
    return Invoice.objects.filter(pk=replaced.pk, status=Status.VOID, replaced_by=None).update(replaced_by=successor)


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
        return issue(held, now=now)


def unschedule(invoice: Invoice, *, by: User, now: datetime) -> Invoice:
    """Take a scheduled invoice back to a draft."""
    with transaction.atomic():
        return _move(locked(invoice.pk), "invoice.unscheduled", now=now, by=by, published_at=None)


def void(invoice: Invoice, *, by: User | None, reason: str, now: datetime) -> Invoice:
    """Cancel an open invoice, for good. The payer is told; money on it stays on it and can be refunded."""
    with transaction.atomic():
        return _move(locked(invoice.pk), "invoice.voided", now=now, by=by, voided_at=now, void_reason=reason.strip()[:300])


def replace_link(invoice: Invoice, *, by: User, now: datetime) -> Invoice:
    """Give an issued invoice a new link. The old one opens nothing from now on, and the PDF is printed anew with the new one.

    Refused while it has no link, and when its link was replaced meanwhile. The event says nothing of either link.
    """
    with transaction.atomic():
        held = locked(invoice.pk)
        if held.status not in ISSUED:
            raise Refused(_("%(name)s has not been issued; it has no link yet.") % {"name": held.name})
        link = new_public_id()
        if not Invoice.objects.filter(pk=held.pk, public_id=invoice.public_id).update(public_id=link):
            raise MovedOn(_("The link of %(name)s has just been replaced.") % {"name": held.name})
        held.public_id = link
        pdf.forget(held, Rendering.Kind.INVOICE)
        pdf.request(held, Rendering.Kind.INVOICE)
        record("invoice.link_replaced", merchant=held.merchant, subject=held, now=now, by=by, facts={"invoice": facts.of_invoice(held)})
        return held


def viewed(invoice: Invoice, *, now: datetime) -> bool:
    """The payer's page says that it was looked at. True the first time, which is the only one that is an event."""
    with transaction.atomic():
        if not Invoice.objects.filter(pk=invoice.pk, viewed_at=None, status__in=[Status.OPEN, Status.PAID]).update(viewed_at=now):
            return False
        invoice.viewed_at = now
        record("invoice.viewed", merchant=invoice.merchant, subject=invoice, now=now, facts={"invoice": facts.of_invoice(invoice)})
        return True


def account(invoice: Invoice, money: Money, *, now: datetime, because: str = "") -> Invoice:
    """Write the money on `invoice` (under its lock) and move its status where the money says so.

    Called by settlement only. Paid when what is credited reaches the total less the tolerance; what the tolerance
    forgave is written off. Reopened when it falls below again, with `because` as the reason told. A void invoice only
    keeps its books.
    """
    changes: dict[str, Any] = {
        "credited_minor": money.credited_minor,
        "pending_minor": money.pending_minor,
        "refunded_minor": money.refunded_minor,
        "returning_minor": money.returning_minor,
        "shortfall_minor": money.shortfall_minor,
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
        told = {"reason": because} if because else None
        return _move(invoice, "invoice.reopened", now=now, extra=told, paid_at=None, **changes | {"written_off_minor": 0})
    if invoice.status == Status.PAID:
        changes["written_off_minor"] = max(invoice.total_minor - money.credited_minor, 0)
    Invoice.objects.filter(pk=invoice.pk).update(**changes)
    for column, value in changes.items():
        setattr(invoice, column, value)
    return invoice


def claim_edit(invoice: Invoice, *, version: int, by: User | None = None, now: datetime | None = None) -> Invoice:
    """Lock `invoice` for an edit that began at `version`, and count the version up. Inside a transaction.

    MovedOn when it was saved meanwhile, by somebody else or by `by` in another tab: it says who and when; Refused when it
    is issued.
    """
    held = locked(invoice.pk)
    if held.status not in EDITABLE:
        raise Refused(_("%(name)s has been issued; what it says can no longer be changed. Void it and duplicate it.") % {"name": held.name})
    if held.version != version:
        raise MovedOn(conflicts.said(held, by=by, now=now))
    Invoice.objects.filter(pk=held.pk).update(version=version + 1)
    held.version = version + 1
    return held
