"""Payments made elsewhere and written down by a member: the one place where they are recorded and reversed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from invoicing import lifecycle, pdf, search
from invoicing.lifecycle import Refused
from invoicing.models import Invoice, Rendering, Status
from invoicing.money import MAX_MINOR, format_minor
from merchants.models import User
from payments import settlement
from payments.models import RecordedPayment

RECORDABLE = (Status.OPEN, Status.PAID)

PRESSED_TWICE = timedelta(minutes=10)


def objection(invoice: Invoice) -> str:
    """Why nothing can be recorded on `invoice` as it stands, as a sentence; empty when it can."""
    if invoice.status in RECORDABLE:
        return ""
    if invoice.status == Status.VOID:
        return _("%(name)s is void; a payment cannot be recorded on it.") % {"name": invoice.name}
    return _("%(name)s has not been issued; a payment can be recorded once it is.") % {"name": invoice.name}


def rest_minor(invoice: Invoice) -> int:
    """From how much on a recorded payment makes an open invoice paid: what is not credited, less the tolerance.

    Never below 0; what is still confirming does not count before it is final.
    """
    if invoice.status != Status.OPEN:
        return 0
    return max(invoice.total_minor - invoice.tolerance_minor - invoice.credited_minor, 0)


@dataclass(frozen=True)
class After:
    """What a reversal would leave: for the page that asks."""

    is_open_again: bool
    due_minor: int
    mails_payer: bool  # that a part is still due


def after_reversal(invoice: Invoice, payment: RecordedPayment) -> After:
    """How `invoice` would stand without `payment`. Reads only; the deed itself settles anew."""
    credited = invoice.credited_minor - payment.amount_minor
    enough = credited >= invoice.total_minor - invoice.tolerance_minor
    is_open = invoice.status == Status.OPEN or (invoice.status == Status.PAID and not enough)
    is_open_again = is_open and invoice.status == Status.PAID
    due = max(invoice.total_minor - credited - invoice.pending_minor, 0) if is_open else 0
    return After(is_open_again, due, mails_payer=is_open_again and credited > 0 and not invoice.pending_minor)


def record(
    invoice: Invoice, *, way: str, amount_minor: int, paid_at: datetime, note: str, form_key: str, by: User | None, now: datetime
) -> RecordedPayment:
    """Write down that `amount_minor` (of the invoice's currency) came at `paid_at`, and settle: it counts at once, as
    final and in time. The same `form_key` again is the same payment.

    Refused, with a sentence, unless the invoice is open or paid, for no amount, too large a one, or a time ahead of `now`.
    """
    _check(invoice, amount_minor, paid_at, now)
    with transaction.atomic():
        held = lifecycle.locked(invoice.pk)
        said = {"way": way, "amount_minor": amount_minor, "paid_at": paid_at, "note": note.strip()[:300]}
        if before := RecordedPayment.objects.filter(invoice=held, form_key=form_key).first():
            return _again(before, said)
        if reason := objection(held):
            raise Refused(reason)
        told = {**said, "recorded_at": now, "recorded_by": by}
        try:
            with transaction.atomic():
                payment = _create(held, form_key, told)
        except IntegrityError:  # SQLite knows no row lock: there the constraint tells that the form was pressed twice
            return RecordedPayment.objects.get(invoice=held, form_key=form_key)
        search.note_amount(held, amount_minor)
        _settle("payment.recorded", held, payment, by=by, now=now)
    return payment


def _again(before: RecordedPayment, said: dict[str, Any]) -> RecordedPayment:
    """What the same form recorded before, if this is the same payment and it still counts; else Refused, for a form of its own."""
    if before.reversed_at is not None:
        raise Refused(_("This payment was recorded and reversed. To record it again, open the page anew."))
    is_same = all(getattr(before, name) == said[name] for name in ("way", "amount_minor", "note"))
    if not is_same or abs(before.paid_at - said["paid_at"]) > PRESSED_TWICE:  # a form without a time says 'now' each time
        raise Refused(_("A payment was recorded from this page already. To record another, send this again."))
    return before


def reverse(payment: RecordedPayment, *, by: User | None, now: datetime) -> Invoice:
    """Take back what was recorded; it stays in the books, struck out. An invoice that it paid is open again.

    Refused when it has been reversed already.
    """
    with transaction.atomic():
        held = lifecycle.locked(payment.invoice_id)
        if not _take_back(payment, reversed_at=now, reversed_by=by):
            raise Refused(_("This payment has been reversed already."))
        payment.refresh_from_db()
        return _settle("payment.reversed", held, payment, by=by, now=now)


def _create(invoice: Invoice, form_key: str, told: dict[str, Any]) -> RecordedPayment:
    return RecordedPayment.objects.create(invoice=invoice, form_key=form_key, **told)


def _take_back(payment: RecordedPayment, **columns: Any) -> int:
    """Mark it as reversed unless it is already; how many rows."""
    return RecordedPayment.objects.filter(pk=payment.pk, reversed_at=None).update(**columns)


def _check(invoice: Invoice, amount_minor: int, paid_at: datetime, now: datetime) -> None:
    if amount_minor <= 0:
        raise Refused(_("Write an amount above zero."))
    if amount_minor > MAX_MINOR:
        most = f"{format_minor(MAX_MINOR, invoice.currency)} {invoice.currency}"
        raise Refused(_("This is more than can be recorded, %(most)s.") % {"most": most})
    if paid_at > now:
        raise Refused(_("This is ahead of now. Choose when the money came."))


def _settle(kind: str, invoice: Invoice, payment: RecordedPayment, *, by: User | None, now: datetime) -> Invoice:
    was_paid = invoice.status == Status.PAID
    settlement.tell(kind, invoice, now=now, payment=payment, by=by)
    invoice = settlement.settle(invoice, now=now, because="reversed" if payment.reversed_at else "")
    if was_paid and invoice.status == Status.PAID:  # the receipt lists what was paid: it is printed anew
        pdf.forget_receipt(invoice)
        pdf.request(invoice, Rendering.Kind.RECEIPT)
    return invoice
