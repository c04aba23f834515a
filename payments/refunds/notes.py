"""Which credit note goes with which refund: all that hold together take back just what was billed and went back.

Money goes back from a surplus first, and that makes none; a void invoice bills nothing. So it is in whatever order refunds are
confirmed, taken back by their network, and confirmed again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from invoicing import credit_notes
from invoicing.models import CreditNote, Invoice, Status
from invoicing.money import plain
from payments.models import Refund
from payments.refunds import door


def of(refund: Refund, invoice: Invoice, *, now: datetime) -> CreditNote | None:
    """The note of a refund that is being confirmed: the one it had, if that says just what is true now, else the next number."""
    billed = min(max(_billed(invoice, refund.amount_minor) - credit_notes.total(invoice), 0), refund.amount_minor)
    told, had = _paid_back(refund), refund.credit_note
    if had is not None and (had.amount_minor, had.paid_back) == (billed, told):
        credit_notes.restore(had)
        return had
    return _issue(refund, invoice, billed, now)


def withdraw(refund: Refund, *, now: datetime) -> None:
    """Its network took it back: its note does not hold."""
    if refund.credit_note is not None:
        credit_notes.withdraw(refund.credit_note, now=now)


def balance(invoice: Invoice, *, now: datetime) -> None:
    """With a refund taken back the surplus covers more of the others: what their notes take back too much is withdrawn, the latest
    first, and what is left of each gets a note of its own."""
    over = credit_notes.total(invoice) - _billed(invoice, 0)
    others = Refund.objects.filter(invoice=invoice, status=Refund.State.CONFIRMED, credit_note__isnull=False, credit_note__withdrawn_at=None)
    for refund in others.select_related("credit_note").order_by("-confirmed_at", "-id"):
        note = refund.credit_note
        if over <= 0 or note is None:
            return
        less = min(over, note.amount_minor)
        over -= less
        credit_notes.withdraw(note, now=now)
        door.write(refund, {"credit_note": _issue(refund, invoice, note.amount_minor - less, now)})


def _issue(refund: Refund, invoice: Invoice, minor: int, now: datetime) -> CreditNote | None:
    if not minor:
        return None
    return credit_notes.issue(invoice, amount_minor=minor, reason=refund.reason, paid_back=_paid_back(refund), now=now)


def _billed(invoice: Invoice, more_minor: int) -> int:
    """What of all that is refunded, and `more_minor`, was billed."""
    if invoice.status == Status.VOID:
        return 0
    surplus = max(invoice.credited_minor - invoice.total_minor, 0)
    return min(max(invoice.refunded_minor + more_minor - surplus, 0), invoice.total_minor)


def _paid_back(refund: Refund) -> dict[str, Any]:
    asset = door.asset_of(refund)
    return {
        "reference": refund.reference,
        "amount": plain(refund.amount_units or 0, asset.decimals),
        "symbol": asset.symbol,
        "network": asset.network.name,
        "address": refund.address,
        "txid": refund.txid,
        "rate": refund.rate,
    }
