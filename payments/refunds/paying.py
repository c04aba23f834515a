"""What pays it: the transaction that a member names or the chain shows. What the chain says is `payments.outgoing`'s to find out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from invoicing.models import Invoice
from merchants import haste
from merchants.models import User
from payments import confirmations, rates
from payments.models import Refund
from payments.refunds import door, notes
from payments.refunds.door import Refused, State

NOWHERE: dict[str, Any] = {"place": None, "block_height": None, "block_hash": "", "block_at": None, "confirmations": 0}


@dataclass(frozen=True)
class Seen:
    """The output that pays a refund, as the chain shows it; `block_*` are None and '' while it waits for one."""

    txid: str
    place: int
    block_height: int | None = None
    block_hash: str = ""
    block_at: datetime | None = None
    confirmations: int = 0

    def columns(self) -> dict[str, Any]:
        return {**vars(self), "trouble": ""}


def sent(refund: Refund, *, txid: str, way: str, by: User | None, now: datetime) -> Refund:
    """It has been paid by `txid`, in the rail's spelling; the watcher finds out whether that is so. Naming the same transaction
    again changes nothing."""
    with transaction.atomic():
        invoice, held = door.locked(refund)
        if held.status == State.SENT and held.txid == txid:
            return held
        if txid in held.refused_txids:
            raise Refused(_("You said that this transaction is not this refund. Name the one that is."))
        deep = needed(held, invoice, now=now)
        columns = door.NOTHING_SENT | {"txid": txid, "way": way, "sent_at": now, "sent_by": by, "confirmations_needed": deep}
        held = door.move(held, invoice, "refund.sent", now=now, by=by, **columns)
        transaction.on_commit(partial(haste.wake, door.WATCH, held.network), robust=True)
        return held


def needed(refund: Refund, invoice: Invoice, *, now: datetime) -> int:
    """How many confirmations make it final."""
    return confirmations.needed(door.asset_of(refund).network, rates.in_usd(refund.amount_minor, invoice.currency, now=now))


def unsent(refund: Refund, *, by: User, now: datetime) -> Refund:
    """The transaction that was named or found is not this refund: it is to be paid still. It is never taken for it again. What the
    chain shows at its address stays what it is: the approval is not for a second payment."""
    with transaction.atomic():
        invoice, held = door.locked(refund)
        if held.place is not None:
            raise Refused(_("The network shows exactly this payment, to exactly this address. Wait until it is confirmed, or taken back."))
        refused = [*dict.fromkeys([*held.refused_txids, held.txid])]
        return door.move(held, invoice, "refund.unsent", now=now, by=by, **door.NOTHING_SENT | {"refused_txids": refused})


class _Taken(Exception):
    """Another refund has this output."""


def found(refund: Refund, seen: Seen, *, now: datetime) -> Refund:
    """The chain shows the output that pays it. Moves its block and counts it up; what was only approved is sent by it. When
    another refund has this output, nothing changes but the `trouble` of one that was sent."""
    try:
        with transaction.atomic():
            if refund.status == State.APPROVED:
                refund = sent(refund, txid=seen.txid, way=Refund.Way.FOUND, by=None, now=now)
            invoice, held = door.locked(refund)
            return _found(held, invoice, seen, now=now)
    except _Taken:
        with transaction.atomic():
            invoice, held = door.locked(refund)
            if held.status == State.CONFIRMED and held.txid == seen.txid:
                held = _reopen(held, invoice, now=now)
            if held.status == State.SENT and held.txid == seen.txid:
                door.write(held, NOWHERE | {"trouble": _("This transaction pays another refund.")})
            return held


def _found(held: Refund, invoice: Invoice, seen: Seen, *, now: datetime) -> Refund:
    if held.status not in (State.SENT, State.CONFIRMED) or held.txid != seen.txid:
        return held
    if held.status == State.CONFIRMED and (held.block_hash, held.block_height) != (seen.block_hash, seen.block_height):
        held = _reopen(held, invoice, now=now)
    try:
        with transaction.atomic():
            door.write(held, seen.columns())
    except IntegrityError:
        raise _Taken from None
    if held.status == State.SENT and held.block_height is not None and held.confirmations >= held.confirmations_needed:
        held = _confirm(held, invoice, now=now)
    return held


def replaced(refund: Refund, *, txid: str, now: datetime) -> Refund:
    """The transaction that was named or found does not pay it, and `txid` does: a wallet has sent it again for a higher fee, or
    after the first one failed. What the chain shows already is not replaced."""
    with transaction.atomic():
        invoice, held = door.locked(refund)
        if held.status != State.SENT or held.place is not None or held.txid != refund.txid:
            return held
        door.write(held, {"txid": txid, "way": Refund.Way.FOUND, "trouble": "", "fee_units": None, "version": held.version + 1})
        door.tell("refund.sent", held, invoice, now=now)
        return held


def missing(refund: Refund, *, why: str, now: datetime) -> Refund:
    """The chain does not show that this transaction pays it, or shows it no more: `why` is a sentence for members, '' while it is
    merely not there. A confirmed refund is sent again."""
    with transaction.atomic():
        invoice, held = door.locked(refund)
        if held.status == State.CONFIRMED:
            held = _reopen(held, invoice, now=now)
        if held.status == State.SENT:
            door.write(held, NOWHERE | {"trouble": why})
        return held


def note_fee(refund: Refund, units: int) -> None:
    """What the network took for it, in its native coin's smallest unit."""
    Refund.objects.filter(pk=refund.pk, fee_units=None).update(fee_units=units)


def _confirm(refund: Refund, invoice: Invoice, *, now: datetime) -> Refund:
    """Final: nothing a member says makes it so."""
    note = notes.of(refund, invoice, now=now)
    return door.move(refund, invoice, "refund.confirmed", now=now, confirmed_at=now, credit_note=note)


def _reopen(refund: Refund, invoice: Invoice, *, now: datetime) -> Refund:
    notes.withdraw(refund, now=now)
    refund = door.move(refund, invoice, "refund.reopened", now=now, confirmed_at=None)
    notes.balance(invoice, now=now)
    return refund
