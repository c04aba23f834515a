"""The one door for a transfer's status: seen → final, seen or final → dropped, dropped → seen.

Everything here runs under the lock of the invoice that the money belongs to.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from invoicing import search
from invoicing.models import Invoice
from invoicing.money import digits
from merchants import assets
from payments import credit, rates, settlement
from payments.models import Quote, ReceiveAddress, Transfer
from payments.rails import Sighting


def apply(invoice: Invoice, sighting: Sighting, *, address: ReceiveAddress, network: str, head: int, now: datetime) -> bool:
    """Write what the chain shows of one payment: create it, move its block, count it up, bring it back. True if anything changed."""
    transfer = Transfer.objects.filter(network=network, txid=sighting.txid, place=sighting.place).first()
    if transfer is None:
        transfer = _first_seen(invoice, sighting, address, network, now)
        _place(transfer, sighting, head)
        _finish(transfer, invoice, now)
        return True
    came_back = transfer.status == Transfer.State.DROPPED
    moved = _place(transfer, sighting, head)
    if came_back:
        _set(transfer, Transfer.State.SEEN, (Transfer.State.DROPPED,))
        settlement.tell("payment.detected", invoice, now=now, transfer=transfer)
    finished = _finish(transfer, invoice, now)
    return came_back or moved or finished


def drop(invoice: Invoice, transfer: Transfer, *, now: datetime) -> bool:
    """The chain no longer has this payment. True if it had counted until now."""
    nowhere = {"block_height": None, "block_hash": "", "block_at": None, "confirmations": 0, "final_at": None}
    if not _set(transfer, Transfer.State.DROPPED, (Transfer.State.SEEN, Transfer.State.FINAL), **nowhere):
        return False
    settlement.tell("payment.dropped", invoice, now=now, transfer=transfer)
    return True


def _set(transfer: Transfer, status: str, allowed: tuple[str, ...], **columns: object) -> bool:
    if not Transfer.objects.filter(pk=transfer.pk, status__in=allowed).update(status=status, **columns):
        return False
    transfer.status = status
    for name, value in columns.items():
        setattr(transfer, name, value)
    return True


def _first_seen(invoice: Invoice, sighting: Sighting, address: ReceiveAddress, network: str, now: datetime) -> Transfer:
    asset = assets.asset(sighting.asset_id)
    arrived = min(now, sighting.block.at) if sighting.block else now
    decided = _decide(invoice, sighting, asset, address, arrived)
    transfer = Transfer.objects.create(
        network=network,
        txid=sighting.txid,
        place=sighting.place,
        invoice=invoice,
        receive_address=address,
        quote_id=decided.offer.id if decided.offer else None,
        asset_id=asset.id,
        amount_units=sighting.units,
        first_seen_at=now,
        confirmations_needed=asset.network.confirmations,
        credit_minor=decided.minor,
        credit_rate=format(decided.rate.value, "f") if decided.rate else "",
        credit_source=decided.rate.source if decided.rate else "",
        credit_rate_at=decided.rate.at if decided.rate else None,
        credit_reason=decided.reason,
        credited_at=None if decided.is_held else now,
        is_late=decided.is_late,
        is_held=decided.is_held,
    )
    search.note(invoice, transfer.txid)
    search.note_amount(invoice, transfer.credit_minor)
    settlement.tell("payment.detected", invoice, now=now, transfer=transfer)
    if decided.is_late or decided.is_held:
        settlement.tell("payment.late", invoice, now=now, transfer=transfer)
    return transfer


def _decide(invoice: Invoice, sighting: Sighting, asset: assets.Asset, address: ReceiveAddress, arrived: datetime) -> credit.Credit:
    offers = [_offer(quote, invoice.currency) for quote in Quote.objects.filter(receive_address=address, asset_id=asset.id)]
    try:
        current = rates.current(asset, invoice.currency, now=arrived)
    except rates.NoRate:
        current = None
    return credit.decide(
        sighting.units,
        arrived_at=arrived,
        offers=offers,
        grace=timedelta(minutes=asset.network.grace_minutes),
        policy=invoice.late_policy,
        current=current,
        decimals=asset.decimals,
        digits=digits(invoice.currency),
    )


def _offer(quote: Quote, currency: str) -> credit.Offer:
    rate = rates.Rate(Decimal(quote.rate), currency, quote.rate_source, quote.rate_at)
    return credit.Offer(quote.pk, quote.amount_units, quote.fiat_minor, rate, quote.created_at, quote.locked_until)


def _place(transfer: Transfer, sighting: Sighting, head: int) -> bool:
    """Where the payment is now: its block (None in the pool) and how deep."""
    block = sighting.block
    columns = {
        "block_height": block.height if block else None,
        "block_hash": block.hash if block else "",
        "block_at": block.at if block else None,
        # Past the needed depth the count is no news; it would touch every old row at every block.
        "confirmations": min(max(head - block.height + 1, 0), transfer.confirmations_needed) if block else 0,
    }
    if all(getattr(transfer, name) == value for name, value in columns.items()):
        return False
    Transfer.objects.filter(pk=transfer.pk).update(**columns)
    for name, value in columns.items():
        setattr(transfer, name, value)
    return True


def _finish(transfer: Transfer, invoice: Invoice, now: datetime) -> bool:
    deep = transfer.block_height is not None and transfer.confirmations >= transfer.confirmations_needed
    if deep and _set(transfer, Transfer.State.FINAL, (Transfer.State.SEEN,), final_at=now):
        settlement.tell("payment.confirmed", invoice, now=now, transfer=transfer)
        return True
    return not deep and _set(transfer, Transfer.State.SEEN, (Transfer.State.FINAL,), final_at=None)
