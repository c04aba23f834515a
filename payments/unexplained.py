"""Money that only a balance shows, as transfers: `balance:<address>` instead of a transaction id.

Of each address at most one such row is open: it is recomputed at every look, never added up. Once it is final it keeps its
amount, and what comes after that gets the next place. A transaction that turns up later takes the row over: it is the
same money, and keeps its credit. Everything here runs under the lock of the invoice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from invoicing.models import Invoice
from merchants import assets
from merchants.assets import Asset, Network
from payments import balances, transfers
from payments.confirmations import Tip
from payments.models import BY_BALANCE, BalanceLook, ReceiveAddress, Transfer
from payments.rails import Balance, Block, Sighting

State = Transfer.State


def _rows(address: ReceiveAddress, network: str) -> list[Transfer]:
    """Open, final and dropped ones, by place."""
    return list(Transfer.objects.filter(network=network, txid=BY_BALANCE + address.address).order_by("place"))


@dataclass(frozen=True)
class Found:
    """What a look found that no transaction explains: `units` in all up to `block`, the newest of it not before `since`."""

    units: int
    block: Block
    since: datetime


# --- a look -------------------------------------------------------------------------------------------------------------


def look(invoice: Invoice, look_id: int, balance: Balance, *, network: Network, tip: Tip, stands: Callable[[Transfer], bool], now: datetime) -> bool:
    """Write down what a balance says, and recompute what nothing else explains. True if any money changed.

    `stands`: whether a row's block is still there.
    """
    coin = balances.coin_of(network)
    found = BalanceLook.objects.select_related("address").get(pk=look_id)
    found.due_at = balances.next_look(found.address, network, status=invoice.status, looked_at=balance.block.at, now=now)
    if coin is None or (found.height is not None and balance.block.height < found.height):
        found.save(update_fields=["due_at"])
        return False
    then, listed = (_listed(found.address, coin, up_to=height) for height in (found.height, balance.block.height))
    kept = sum(row.amount_units for row in _rows(found.address, network.id) if row.status != State.DROPPED and stands(row))
    book = balances.book_of(found).looked(balance, then=then, now=listed, kept=kept)
    since = max(found.address.created_at, found.looked_at or found.address.created_at)
    balances.keep(found, book)
    found.looked_at = balance.block.at
    found.save(update_fields=["due_at", "baseline_units", "sent_count", "before_units", "received_units", "height", "looked_at"])
    found_now = Found(max(book.received - listed, 0), balance.block, since)
    return _recompute(invoice, found.address, coin, found_now, tip=tip, stands=stands, now=now)


def _listed(address: ReceiveAddress, coin: Asset | None, *, up_to: int | None) -> int:
    """What the address's transactions in blocks up to that height bring together; 0 before the first look."""
    if coin is None or up_to is None:
        return 0
    real = Transfer.objects.filter(receive_address=address, asset_id=coin.id, block_height__lte=up_to).exclude(status=State.DROPPED)
    return sum(real.exclude(txid__startswith=BY_BALANCE).values_list("amount_units", flat=True))


def _recompute(
    invoice: Invoice,
    address: ReceiveAddress,
    coin: Asset,
    found: Found,
    *,
    tip: Tip,
    stands: Callable[[Transfer], bool],
    now: datetime,
) -> bool:
    """Make the rows of `address` amount to what was found."""
    rows = _rows(address, coin.network.id)
    final = [row for row in rows if row.status == State.FINAL and stands(row)]
    rest, block = found.units - sum(row.amount_units for row in final), found.block
    changed = [_lower(invoice, row, by, now) for row, by in _too_much(final, -rest)]
    loose = [row for row in rows if row not in final]
    kept, others = loose[:1], [row for row in loose[1:] if row.status != State.DROPPED]
    changed += [transfers.drop(invoice, row, now=now) for row in others]
    if rest <= 0:
        return any([*changed, *(transfers.drop(invoice, row, now=now) for row in kept)])
    place = kept[0].place if kept else next(free for free in count() if free not in {row.place for row in rows})
    if kept and kept[0].amount_units != rest:
        transfers.revalue(invoice, kept[0], rest, address=address, arrived=_arrived(kept[0], rest, found.since, now), now=now)
        changed.append(True)
    elif kept and kept[0].status != State.DROPPED and stands(kept[0]) and kept[0].block_at:
        block = Block(kept[0].block_height or 0, kept[0].block_hash, kept[0].block_at)
    shown = Sighting(BY_BALANCE + address.address, place, address.address, coin.id, rest, block, found.since)
    return any([*changed, transfers.apply(invoice, shown, address=address, network=coin.network.id, tip=tip, now=now)])


def _arrived(row: Transfer, units: int, since: datetime, now: datetime) -> datetime:
    """What is more than before came since then; what is left of a payment in time stays in time."""
    is_left = units < row.amount_units and row.quote is not None and not row.is_late
    return min(now, since, row.quote.locked_until) if is_left and row.quote else min(now, since)


def _too_much(final: list[Transfer], units: int) -> list[tuple[Transfer, int]]:
    """Which final rows are to be lowered by how much, the newest first, when they are `units` too many together."""
    found = []
    for row in reversed(final):
        if units > 0:
            found.append((row, min(row.amount_units, units)))
            units -= found[-1][1]
    return found


def _lower(invoice: Invoice, row: Transfer, by: int, now: datetime) -> bool:
    if by == row.amount_units:
        return transfers.drop(invoice, row, now=now)
    transfers.take_share(row, by)
    return True


# --- a transaction that turns up ----------------------------------------------------------------------------------------


def resolve(invoice: Invoice, sighting: Sighting, *, address: ReceiveAddress, network: str, now: datetime) -> None:
    """Before a transaction is written for the first time: the row that showed its money already becomes its own, or gives
    up its part. Only what was in a block at the last look can have been in that balance."""
    if sighting.block is None or address.invoice_id is None or not _is_coin(sighting.asset_id, network):
        return
    last = BalanceLook.objects.filter(address=address, network=network).values_list("height", flat=True).first()
    rows = [row for row in _rows(address, network) if row.status != State.DROPPED]
    if not rows or last is None or sighting.block.height > last:
        return
    if Transfer.objects.filter(network=network, txid=sighting.txid, place=sighting.place).exists():
        return
    same = next((row for row in rows if row.amount_units == sighting.units), None)
    larger = next((row for row in reversed(rows) if row.amount_units > sighting.units), None)
    if same:
        transfers.become(invoice, same, sighting)
    elif larger:
        transfers.split(invoice, larger, sighting)
    else:
        for row, by in _too_much(rows, sighting.units):
            _lower(invoice, row, by, now)


def _is_coin(asset_id: str, network: str) -> bool:
    coin = balances.coin_of(assets.catalogue().networks[network])
    return coin is not None and coin.id == asset_id
