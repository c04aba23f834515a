"""The one door for a transfer's status: seen → final, seen or final → dropped, dropped → seen.

Everything here runs under the lock of the invoice that the money belongs to. What belongs to none yet is guarded by
conditional updates: it stays whose it was when it was read, or nothing is written.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from invoicing import search
from invoicing.models import Invoice, Status
from invoicing.money import digits
from merchants import assets
from payments import confirmations, credit, matching, rates, settlement, shares
from payments.confirmations import Tip
from payments.models import Quote, ReceiveAddress, Transfer
from payments.rails import Sighting

UNASSIGNED = credit.Credit(None, "")
BEFORE = credit.Credit(None, "before")  # held: it was there before the invoice was

LONG_AWAY = timedelta(days=1)  # from its first sight: what comes back after that is worth what it is worth then


class StillThere(Exception):
    """What this payment was before has not been withdrawn yet, so it cannot be written anew; the next pass tries again."""


def apply(invoice: Invoice | None, sighting: Sighting, *, address: ReceiveAddress, network: str, tip: Tip, now: datetime, source: str = "") -> bool:
    """Write what the chain shows of one payment: create it, move its block, count it up, bring it back. True if anything
    changed. Without `invoice` it is unassigned: kept, followed, and worth nothing yet. `source` is the host that showed it.

    After a reorg a transaction may do something else in its old place; then what it was is to be dropped first, else this
    raises StillThere.
    """
    found = Transfer.objects.filter(network=network, txid=sighting.txid, place=sighting.place)
    transfer = found.select_related("receive_address").first()
    if transfer is None or is_another(transfer, sighting):
        transfer = _first_seen(transfer, invoice, sighting, address, network, now)
        _place(transfer, sighting, tip, source)
        _finish(transfer, invoice, now)
        return True
    if transfer.invoice_id != (invoice.pk if invoice else None):
        return False  # assigned while these blocks were read; the next pass goes by that
    came_back = transfer.status == Transfer.State.DROPPED
    moved = _place(transfer, sighting, tip, source)
    if came_back and _set(transfer, Transfer.State.SEEN, (Transfer.State.DROPPED,)) and invoice:
        _back(invoice, transfer, sighting, address, now)
    finished = _finish(transfer, invoice, now)
    return came_back or moved or finished


def _back(invoice: Invoice, transfer: Transfer, sighting: Sighting, address: ReceiveAddress, now: datetime) -> None:
    """A dropped payment is there again. Long after its first sight the rate of that day is nobody's choice any more; a
    member's decision stays."""
    is_late = _arrived(sighting, now) > transfer.first_seen_at + LONG_AWAY
    anew = is_late and not transfer.is_by_balance and not transfer.credit_reason.startswith("decided_")
    if anew:
        decided = _credit_of(invoice, sighting, address, now)
        _write(transfer, credited(decided, now=now) | {"quote_id": decided.offer.id if decided.offer else None})
        search.note_amount(invoice, transfer.credit_minor)
    settlement.tell("payment.detected", invoice, now=now, transfer=transfer)
    if anew and (transfer.is_late or transfer.is_held):
        settlement.tell("payment.late", invoice, now=now, transfer=transfer)


def drop(invoice: Invoice | None, transfer: Transfer, *, now: datetime) -> bool:
    """The chain no longer has this payment. True if it had counted until now."""
    nowhere = {"block_height": None, "block_hash": "", "block_at": None, "confirmations": 0, "final_at": None}
    if not _set(transfer, Transfer.State.DROPPED, (Transfer.State.SEEN, Transfer.State.FINAL), **nowhere):
        return False
    _tell("payment.dropped", transfer, invoice, now)
    return True


# --- what only a balance shows, see `unexplained` -----------------------------------------------------------------------


def revalue(invoice: Invoice, transfer: Transfer, units: int, *, address: ReceiveAddress, arrived: datetime, now: datetime) -> None:
    """The amount that a balance shows has changed before it was final. The credit is decided on anew; a member's decision
    keeps its rate."""
    columns: dict[str, Any] = {"amount_units": units}
    if transfer.credit_minor is not None and transfer.credit_reason.startswith("decided_"):
        columns["credit_minor"] = transfer.credit_minor * units // max(transfer.amount_units, 1)
    else:
        decided = _decide(invoice, units, transfer.asset, address, arrived)
        columns |= credited(decided, now=now) | {"quote_id": decided.offer.id if decided.offer else None}
    _write(transfer, columns)


def take_share(transfer: Transfer, units: int) -> int | None:
    """Lower a transfer by `units`, and its credit by their share of it, which is returned; the rest is rounded down."""
    share = None
    columns: dict[str, Any] = {"amount_units": transfer.amount_units - units}
    if transfer.credit_minor is not None:
        columns["credit_minor"] = transfer.credit_minor * (transfer.amount_units - units) // transfer.amount_units
        share = transfer.credit_minor - columns["credit_minor"]
    _write(transfer, columns)
    return share


def become(invoice: Invoice, transfer: Transfer, sighting: Sighting) -> None:
    """What a balance showed is this transaction: one transfer, which keeps its credit."""
    _write(transfer, {"txid": sighting.txid, "place": sighting.place})
    search.note(invoice, sighting.txid)


def split(invoice: Invoice, transfer: Transfer, sighting: Sighting) -> Transfer:
    """A part of what a balance showed is this transaction: it takes its share of the credit along."""
    share = take_share(transfer, sighting.units)
    copied = ("network", "invoice_id", "receive_address_id", "quote_id", "asset_id", "first_seen_at", "confirmations_needed")
    credit_of = ("credit_rate", "credit_source", "credit_reason", "credit_rate_at", "credited_at", "is_late", "is_held")
    columns = {name: getattr(transfer, name) for name in (*copied, *credit_of)}
    search.note(invoice, sighting.txid)
    key = {"txid": sighting.txid, "place": sighting.place}
    part = Transfer.objects.create(**columns, **key, amount_units=sighting.units, credit_minor=share)
    shares.move_over(transfer, part)
    return part


def _write(transfer: Transfer, columns: dict[str, Any]) -> None:
    Transfer.objects.filter(pk=transfer.pk).update(**columns)
    for name, value in columns.items():
        setattr(transfer, name, value)


def is_another(row: Transfer, sighting: Sighting) -> bool:
    """Whether the transaction now pays another address, token or amount in this place than was written down. What only a
    balance shows is `unexplained`'s, which changes its amount itself."""
    if row.is_by_balance:
        return False
    is_moved = row.receive_address is not None and row.receive_address.address != sighting.address
    return is_moved or (row.asset_id, row.amount_units) != (sighting.asset_id, sighting.units)


def is_as_known(row: Transfer, sighting: Sighting, tip: Tip, source: str) -> bool:
    """Whether the chain shows this payment (not a dropped one) just as it was written down; `source` is the host that shows it."""
    if is_another(row, sighting):
        return False
    columns = _placed(row, sighting, tip, source)
    deep = _is_deep(sighting.block.height if sighting.block else None, columns["confirmations"], row.confirmations_needed)
    return deep == (row.status == Transfer.State.FINAL) and all(getattr(row, name) == value for name, value in columns.items())


def _tell(kind: str, transfer: Transfer, invoice: Invoice | None, now: datetime) -> None:
    if invoice is not None:
        settlement.tell(kind, invoice, now=now, transfer=transfer)
    else:
        settlement.tell_of_unassigned(kind, transfer, now=now)


def _set(transfer: Transfer, status: str, allowed: tuple[str, ...], **columns: object) -> bool:
    """Only while it is whose it was: a member may be assigning it."""
    still = Transfer.objects.filter(pk=transfer.pk, status__in=allowed, invoice=transfer.invoice_id)
    if not still.update(status=status, **columns):
        return False
    transfer.status = status
    for name, value in columns.items():
        setattr(transfer, name, value)
    return True


def _first_seen(was: Transfer | None, invoice: Invoice | None, sighting: Sighting, address: ReceiveAddress, network: str, now: datetime) -> Transfer:
    """Written down and told of; in place of what the transaction `was` before a reorg."""
    asset = assets.asset(sighting.asset_id)
    decided = _credit_of(invoice, sighting, address, now)
    columns: dict[str, Any] = {
        "invoice": invoice,
        "receive_address": address,
        "quote_id": decided.offer.id if decided.offer else None,
        "asset_id": asset.id,
        "amount_units": sighting.units,
        "first_seen_at": now,
        "confirmations_needed": _needed(invoice, asset.network, now),
        **credited(decided, now=now),
    }
    if was is None:
        transfer = Transfer.objects.create(network=network, txid=sighting.txid, place=sighting.place, **columns)
    else:
        transfer = _rewritten(was, columns)
    _announce(transfer, invoice, now)
    return transfer


def _rewritten(was: Transfer, columns: dict[str, Any]) -> Transfer:
    """The row of a withdrawn payment holds another one from now on; what members did with the old one is no word on this."""
    untouched = {"assigned_at": None, "assigned_by": None, "handled_at": None, "handled_by": None, "handled_note": "", "seen_from": ""}
    withdrawn = Transfer.objects.filter(pk=was.pk, status=Transfer.State.DROPPED, invoice=was.invoice_id)
    if not withdrawn.update(status=Transfer.State.SEEN, **columns, **untouched):
        raise StillThere(f"{was} has not been withdrawn from {was.invoice_id or 'nobody'}.")
    return Transfer.objects.get(pk=was.pk)


def _announce(transfer: Transfer, invoice: Invoice | None, now: datetime) -> None:
    if invoice is None:
        settlement.tell_of_unassigned("payment.unassigned", transfer, now=now)
        return
    search.note(invoice, transfer.txid)
    search.note_amount(invoice, transfer.credit_minor)
    settlement.tell("payment.detected", invoice, now=now, transfer=transfer)
    if transfer.is_late or transfer.is_held:
        settlement.tell("payment.late", invoice, now=now, transfer=transfer)


def _credit_of(invoice: Invoice | None, sighting: Sighting, address: ReceiveAddress, now: datetime) -> credit.Credit:
    asset = assets.asset(sighting.asset_id)
    if invoice is None:
        return UNASSIGNED
    if _was_there_before(sighting, address, asset.network):
        return BEFORE
    return _decide(invoice, sighting.units, asset, address, _arrived(sighting, now))


def _arrived(sighting: Sighting, now: datetime) -> datetime:
    """As early as it can have been: what only a balance shows may have come right after the look before."""
    at = sighting.since or (sighting.block.at if sighting.block else now)
    return min(now, at)


def _was_there_before(sighting: Sighting, address: ReceiveAddress, network: assets.Network) -> bool:
    """Whether an invoice's own address got this before it was handed out: then it is the merchant's own doing, and pays nothing.
    What came between that and the first quote on this network is a payer's who took another network than asked."""
    if sighting.block is None or address.invoice_id is None or sighting.block.at >= address.created_at:
        return False
    quoted = Quote.objects.filter(receive_address=address, asset_id__startswith=f"{network.id}/").order_by("created_at", "id")
    from_height = quoted.values_list("from_height", flat=True).first()
    return matching.was_before(sighting.block, since=address.created_at, from_height=from_height, rail=network.rail)


def credited(decided: credit.Credit, *, now: datetime) -> dict[str, Any]:
    """The columns that keep a decision."""
    return {
        "credit_minor": decided.minor,
        "credit_rate": format(decided.rate.value, "f") if decided.rate else "",
        "credit_source": decided.rate.source if decided.rate else "",
        "credit_rate_at": decided.rate.at if decided.rate else None,
        "credit_reason": decided.reason,
        "credited_at": now if decided.minor is not None else None,
        "is_late": decided.is_late,
        "is_held": decided.is_held and decided is not UNASSIGNED,
    }


def _needed(invoice: Invoice | None, network: assets.Network, now: datetime) -> int:
    """Decided once, by what the invoice is worth now: a payment in parts waits as long as one in whole."""
    usd = rates.in_usd(invoice.total_minor, invoice.currency, now=now) if invoice and network.larger else None
    return confirmations.needed(network, usd)


def _decide(invoice: Invoice, units: int, asset: assets.Asset, address: ReceiveAddress, arrived: datetime) -> credit.Credit:
    quoted = Quote.objects.filter(receive_address=address, asset_id=asset.id, invoice=invoice)
    is_gas = asset.is_native and address.invoice_id is not None and not quoted.exists()  # as far as anybody can tell
    if is_gas and units < asset.minimum_units:
        return credit.Credit(None, credit.DUST)
    if asset.id not in invoice.asset_ids:
        return credit.Credit(None, "other_asset")
    if is_gas and invoice.status != Status.OPEN:
        return credit.Credit(None, "held")
    offers = [offer_of(quote, invoice.currency) for quote in quoted]
    grace = timedelta(minutes=asset.network.grace_minutes)
    return credit.decide(
        units,
        arrived_at=arrived,
        offers=offers,
        grace=grace,
        policy=invoice.late_policy,
        current=None if any(arrived <= offer.locked_until + grace for offer in offers) else _rate(invoice, asset, arrived),
        decimals=asset.decimals,
        digits=digits(invoice.currency),
    )


def _rate(invoice: Invoice, asset: assets.Asset, arrived: datetime) -> rates.Rate | None:
    try:
        return rates.for_merchant(invoice.merchant, asset, invoice.currency, now=arrived)
    except rates.NoRate:
        return None


def offer_of(quote: Quote, currency: str) -> credit.Offer:
    rate = rates.Rate(Decimal(quote.rate), currency, quote.rate_source, quote.rate_at)
    return credit.Offer(quote.pk, quote.amount_units, quote.fiat_minor, rate, quote.created_at, quote.locked_until)


def _placed(transfer: Transfer, sighting: Sighting, tip: Tip, source: str) -> dict[str, Any]:
    """Where the payment is now: its block (None in the pool) and how deep. Never less deep while its block is the same. In the
    pool: `source`, which is where it must be missed.

    Past the needed depth the count is no news; it would touch every old row at every block.
    """
    block = sighting.block
    count = confirmations.count(block.height, needed=transfer.confirmations_needed, tip=tip) if block else 0
    return {
        "block_height": block.height if block else None,
        "block_hash": block.hash if block else "",
        "block_at": block.at if block else None,
        "confirmations": max(count, transfer.confirmations) if block and block.hash == transfer.block_hash else count,
        "seen_from": transfer.seen_from if block else source,
    }


def _place(transfer: Transfer, sighting: Sighting, tip: Tip, source: str) -> bool:
    columns = _placed(transfer, sighting, tip, source)
    if all(getattr(transfer, name) == value for name, value in columns.items()):
        return False
    if not Transfer.objects.filter(pk=transfer.pk, invoice=transfer.invoice_id).update(**columns):
        return False
    for name, value in columns.items():
        setattr(transfer, name, value)
    return True


def _is_deep(height: int | None, confirmations: int, needed: int) -> bool:
    return height is not None and confirmations >= needed


def _finish(transfer: Transfer, invoice: Invoice | None, now: datetime) -> bool:
    deep = _is_deep(transfer.block_height, transfer.confirmations, transfer.confirmations_needed)
    if deep and _set(transfer, Transfer.State.FINAL, (Transfer.State.SEEN,), final_at=now):
        if invoice is not None:
            settlement.tell("payment.confirmed", invoice, now=now, transfer=transfer)
        return True
    return not deep and _set(transfer, Transfer.State.SEEN, (Transfer.State.FINAL,), final_at=None)
