"""Credit notes: one for each refund of something that was billed, numbered without gaps, frozen as they are issued."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Sum

from invoicing import numbering, pdf
from invoicing.models import CreditNote, Invoice
from invoicing.money import half_up


def issue(invoice: Invoice, *, amount_minor: int, reason: str, paid_back: dict[str, Any], now: datetime) -> CreditNote:
    """The next credit note of its merchant, over `amount_minor` of `invoice` (under its lock), tax included. The merchant's lock
    is the last one of the transaction."""
    note = CreditNote.objects.create(
        merchant_id=invoice.merchant_id,
        invoice=invoice,
        number=numbering.take_credit_note(invoice.merchant_id),
        amount_minor=amount_minor,
        taxes=split(amount_minor, invoice),
        reason=reason,
        paid_back=paid_back,
        issued_at=now,
    )
    pdf.request_note(note)
    return note


def total(invoice: Invoice) -> int:
    """What all credit notes of `invoice` that hold take back."""
    found = CreditNote.objects.filter(invoice=invoice, withdrawn_at=None).aggregate(sum=Sum("amount_minor"))["sum"]
    return int(found or 0)


def withdraw(note: CreditNote, *, now: datetime) -> None:
    """The refund it tells of was taken back by its network: it does not hold until that is confirmed again. Its number stays."""
    CreditNote.objects.filter(pk=note.pk, withdrawn_at=None).update(withdrawn_at=now)
    note.withdrawn_at = now


def restore(note: CreditNote) -> None:
    CreditNote.objects.filter(pk=note.pk).update(withdrawn_at=None)
    note.withdrawn_at = None


def split(amount_minor: int, invoice: Invoice) -> list[dict[str, Any]]:
    """`amount_minor`, tax included, over the invoice's tax rates and what bears none, in proportion to their gross. Pure.

    Shares are floored, and what is left over goes to the largest remainders, the first ones among equals; the tax within each
    share is rounded half up. The shares add up to `amount_minor` exactly.
    """
    groups = [(tax["name"], tax["rate_e4"], tax["base_minor"], tax["tax_minor"]) for tax in invoice.tax_lines]
    untaxed = invoice.total_minor - sum(base + tax for _name, _rate, base, tax in groups)
    if untaxed:
        groups.append(("", 0, untaxed, 0))
    whole = sum(base + tax for _name, _rate, base, tax in groups)
    floors = [divmod(amount_minor * (base + tax), whole) for _name, _rate, base, tax in groups]
    over = amount_minor - sum(floor for floor, _rest in floors)
    extra = set(sorted(range(len(groups)), key=lambda at: (-floors[at][1], at))[:over])
    found = []
    for at, (name, rate, base, tax) in enumerate(groups):
        gross = floors[at][0] + (at in extra)
        taken = half_up(gross * tax, base + tax) if base + tax else 0
        found.append({"name": name, "rate_e4": rate, "net_minor": gross - taken, "tax_minor": taken})
    return found
