"""Credit notes: one for each refund of something that was billed, numbered without gaps, frozen as they are issued."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from math import floor
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
        taxes=split(amount_minor, invoice, earlier=list(CreditNote.objects.filter(invoice=invoice, withdrawn_at=None).order_by("id"))),
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


def split(amount_minor: int, invoice: Invoice, *, earlier: Sequence[CreditNote] = ()) -> list[dict[str, Any]]:
    """`amount_minor`, tax included, over the invoice's tax rates and what bears none, in proportion to their gross. Pure.

    `earlier` are the notes that hold already: together they and this one are split as one note would be, so that notes over the
    whole invoice take back its very taxes. Shares are floored, and what is left over goes to the largest remainders, the first ones
    among equals; the tax within a share is rounded half up. The shares add up to `amount_minor` exactly.
    """
    groups = [(tax["name"], tax["rate_e4"], tax["base_minor"] + tax["tax_minor"], tax["tax_minor"]) for tax in invoice.tax_lines]
    untaxed = invoice.total_minor - sum(gross for _name, _rate, gross, _tax in groups)
    if untaxed:
        groups.append(("", 0, untaxed, 0))
    before = [sum(note.taxes[at]["net_minor"] + note.taxes[at]["tax_minor"] for note in earlier) for at in range(len(groups))]
    taxed = [sum(note.taxes[at]["tax_minor"] for note in earlier) for at in range(len(groups))]
    whole, reached = sum(group[2] for group in groups), sum(before) + amount_minor
    wanted = [max(Fraction(reached * group[2], whole) - taken, Fraction(0)) for group, taken in zip(groups, before, strict=True)]
    found = []
    for at, share in enumerate(_whole_shares(wanted, amount_minor)):
        name, rate, gross, tax = groups[at]
        due = half_up((before[at] + share) * tax, gross) - taxed[at] if gross else 0
        taken = min(max(due, 0), share)
        found.append({"name": name, "rate_e4": rate, "net_minor": share - taken, "tax_minor": taken})
    return found


def _whole_shares(wanted: Sequence[Fraction], amount: int) -> list[int]:
    """`wanted`, which add up to `amount` or a little more, as whole numbers that add up to it."""
    shares = [floor(want) for want in wanted]
    by_rest = sorted(range(len(wanted)), key=lambda at: (shares[at] - wanted[at], at))
    over = amount - sum(shares)
    for at in by_rest[: max(over, 0)]:
        shares[at] += 1
    for at in reversed(by_rest):
        less = min(max(-over, 0), shares[at])
        shares[at] -= less
        over += less
    return shares
