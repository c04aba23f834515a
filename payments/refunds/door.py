"""The one door for a refund's status, and what is told of it.

Every move locks the invoice and then the refund, checks the table, changes the row only if it is still as it was read, adds the
invoice's sums up anew and writes its event: all in one transaction. What cannot be done is `Refused`, whose text is a sentence
for people.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from invoicing import facts, lifecycle
from invoicing.models import Invoice
from invoicing.money import digits, plain
from merchants import assets
from merchants.assets import Asset
from merchants.events import record
from merchants.models import User
from payments import settlement
from payments.models import Refund

State = Refund.State
CLAIM_LASTS = timedelta(days=30)
WATCH = "payments.tasks.watch_network"

MOVES: dict[str, dict[State, State]] = {
    # event: {from: to}
    "refund.changed": {State.REQUESTED: State.REQUESTED, State.CLAIMED: State.CLAIMED, State.APPROVED: State.CLAIMED},
    "refund.renewed": {State.REQUESTED: State.REQUESTED, State.EXPIRED: State.REQUESTED},  # a new link; the one before opens nothing
    "refund.expired": {State.REQUESTED: State.EXPIRED},
    "refund.claimed": {State.REQUESTED: State.CLAIMED},
    "refund.restarted": {State.CLAIMED: State.REQUESTED, State.APPROVED: State.REQUESTED},  # another address is wanted
    "refund.approved": {State.CLAIMED: State.APPROVED},
    "refund.rejected": {State.CLAIMED: State.REJECTED},
    "refund.cancelled": {State.REQUESTED: State.CANCELLED, State.CLAIMED: State.CANCELLED, State.APPROVED: State.CANCELLED},
    "refund.sent": {State.APPROVED: State.SENT},
    "refund.unsent": {State.SENT: State.APPROVED},  # the transaction that was named is not this refund
    "refund.confirmed": {State.SENT: State.CONFIRMED},
    "refund.reopened": {State.CONFIRMED: State.SENT},  # its network took it back
    "refund.failed": {State.SENT: State.FAILED},
}
NOTHING_SENT: dict[str, Any] = {
    "txid": "",
    "way": "",
    "sent_at": None,
    "sent_by": None,
    "place": None,
    "trouble": "",
    "confirmed_at": None,
    "block_height": None,
    "block_hash": "",
    "block_at": None,
    "confirmations": 0,
    "confirmations_needed": 0,
    "fee_units": None,
}
NOT_APPROVED: dict[str, Any] = {"approved_at": None, "approved_by": None, "approved_height": None}
NO_ADDRESS: dict[str, Any] = {"address": "", "claimed_at": None, "claimed_by": None, "by_member": False}


class Refused(Exception):
    """This cannot be done to this refund; the text says why, and what can be done."""


class MovedOn(Refused):
    """The refund was changed since it was looked at."""


def locked(refund: Refund) -> tuple[Invoice, Refund]:
    """The refund's invoice and the refund, each under its lock, in this order."""
    invoice = lifecycle.locked(refund.invoice_id)
    return invoice, Refund.objects.select_for_update(of=("self",)).get(pk=refund.pk)


def move(refund: Refund, invoice: Invoice, event: str, *, now: datetime, by: User | None = None, **columns: Any) -> Refund:
    """Take `refund` (under both locks) through the door; `columns` change with the status."""
    old = State(refund.status)
    target = MOVES[event].get(old)
    if target is None:
        raise Refused(refusal(refund, event))
    columns |= {"status": target, "version": refund.version + 1}
    if not _swap(refund, old, columns):
        raise MovedOn(_("This refund has just been changed by somebody else. Look at it again."))
    for name, value in columns.items():
        setattr(refund, name, value)
    invoice = settlement.settle(invoice, now=now)
    tell(event, refund, invoice, now=now, by=by)
    return refund


def _swap(refund: Refund, old: State, columns: dict[str, Any]) -> int:
    """Change the row if it is still as it was read; how many rows. SQLite knows no row lock, so this holds there too."""
    return Refund.objects.filter(pk=refund.pk, status=old, version=refund.version).update(**columns)


def tell(event: str, refund: Refund, invoice: Invoice, *, now: datetime, by: User | None = None, extra: dict[str, Any] | None = None) -> None:
    """Record `event` about a refund of `invoice`, in the transaction of the change."""
    about = {"invoice": facts.of_invoice(invoice), "refund": facts_of(refund, invoice), **(extra or {})}
    record(event, merchant=invoice.merchant, subject=invoice, now=now, by=by, facts=about)


def refusal(refund: Refund, event: str) -> str:
    """Why `event` does not go with the refund as it stands, as a sentence."""
    names = {"reference": refund.reference, "state": str(State(refund.status).label).lower()}
    if refund.status in (State.SENT, State.CONFIRMED) and event in ("refund.cancelled", "refund.changed", "refund.restarted", "refund.rejected"):
        return _("Refund %(reference)s has been sent; it cannot be called back.") % names
    if refund.status in (State.CANCELLED, State.REJECTED, State.FAILED, State.EXPIRED):
        return _("Refund %(reference)s has ended (%(state)s). Create a new one.") % names
    return _("Refund %(reference)s is at “%(state)s”; this does not go with it now. Look at it again.") % names


def facts_of(refund: Refund, invoice: Invoice) -> dict[str, Any]:
    """A refund in an event: amounts as decimal strings, times in UTC. Nothing that opens a page, and no private note."""
    asset = assets.catalogue().assets.get(refund.asset_id)
    note = refund.credit_note
    places = digits(invoice.currency)
    return {
        "id": refund.pk,
        "reference": refund.reference,
        "status": str(refund.status),
        "basis": refund.basis,
        "amount": plain(refund.amount_minor, places),
        "currency": invoice.currency,
        "asset": refund.asset_id,
        "symbol": asset.symbol if asset else refund.asset_id,
        "network": refund.network,
        "network_name": asset.network.name if asset else refund.network,
        "asset_amount": plain(refund.amount_units, asset.decimals if asset else 0) if refund.amount_units is not None else None,
        "rate": refund.rate or None,
        "rate_source": refund.rate_source or None,
        "reason": refund.reason or None,
        "address": refund.address or None,
        "address_by": ("member" if refund.by_member else "payer") if refund.address else None,
        "txid": refund.txid or None,
        "confirmations": refund.confirmations,
        "credit_note": note.number if note and note.withdrawn_at is None else None,
        "why": refund.ended_why or None,
        "claim_until": facts.moment(refund.claim_until) if refund.status == State.REQUESTED else None,
    }


def also(authors: list[int], by: User | None) -> list[int]:
    """Who decided on the amount, by the user's id, `by` too."""
    return authors if by is None or by.pk in authors else [*authors, by.pk]


def seen(refund: Refund, version: int) -> None:
    """MovedOn when it was changed since `version`."""
    if refund.version != version:
        raise MovedOn(_("This refund was changed while you were looking at it. Look at it again."))


def write(refund: Refund, columns: dict[str, Any]) -> None:
    """Columns that change without its status, under its lock."""
    Refund.objects.filter(pk=refund.pk).update(**columns)
    for name, value in columns.items():
        setattr(refund, name, value)


def asset_of(refund: Refund) -> Asset:
    """Refused once it has left the catalogue: nothing can be sent in it, or looked for."""
    try:
        return refund.asset
    except assets.UnknownAsset:
        raise Refused(_("Its token is no longer served here. Give this refund another one.")) from None
