"""What one pass of the watcher reads: the transactions to every address that somebody waits at, and where they stand. Nothing
is written here.

Silence withdraws nothing: a payment in a block is taken back only when the chain shows another block at its height, and it is
in none.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from merchants.assets import Network
from payments import addresses, balances, confirmations, hints, outgoing, transfers
from payments.confirmations import Tip
from payments.matching import Key, Spot
from payments.models import BY_BALANCE, BalanceLook, Cursor, Quote, Refund, Transfer
from payments.outgoing import Outgoing
from payments.rails import Balance, Block, Rail, RailUnreachable, Sighting
from payments.reach import Reach, reach_of

logger = logging.getLogger(__name__)

HEARD_WITHIN = timedelta(hours=1)  # every node has heard of a payment that waits in a pool


@dataclass
class Found:
    """All that one pass found."""

    watched: dict[str, Spot]
    known: list[Transfer]  # as they were written down before it
    seen: dict[Key, Sighting]
    gone: list[Transfer]
    looks: list[tuple[BalanceLook, Balance]]
    reach: Reach
    tip: Tip
    source: str  # the host that was asked
    outgoing: Outgoing  # the refunds


@dataclass(frozen=True)
class Wanted:
    """What a pass looks for."""

    waiting: list[Transfer]
    watched: dict[str, Spot]
    refunds: list[Refund]
    since: int  # confirmed refunds in older blocks are not among them

    @property
    def addresses(self) -> set[str]:
        return {*self.watched, *(refund.address for refund in self.refunds)}


def wanted(network: Network, *, height: int, now: datetime) -> Wanted:
    """What to look for, on a chain of `height` blocks at least."""
    waiting = _waiting(network)
    since = max(height - 2 * network.reorg_depth, 0)
    return Wanted(waiting, addresses.watched(network, now) | _places(waiting), outgoing.followed(network, first=since), since)


def look(network: Network, rail: Rail, cursor: Cursor, head: Block, of: Wanted, *, now: datetime) -> Found:
    """All that the chain shows of what is wanted, in the blocks of this pass and in its pool."""
    reach = reach_of(network, rail, cursor, head, of.waiting, also=outgoing.heights(of.refunds), most=rail.blocks_a_pass)
    refunds = outgoing.followed(network, first=reach.first) if reach.first < of.since else of.refunds
    shown = _sightings(rail, cursor, of, reach)
    # A payment mined between these looks is in none of them; that the pool has lost one is only certain on a chain that stood still.
    whole = reach.last == head.height and rail.head() == head
    known = of.waiting + _final(network, reach)
    by_balance = _by_balance(network, reach)
    looks = _looks(network, rail, known, by_balance, reach, now) if reach.last == head.height else []
    seen = _hidden(network, rail, looks, of.watched, now) | {key: one for key, one in shown.items() if one.address in of.watched}
    seen = _steady(known, seen, reach)
    source = rail.source()[:120]
    lost = {row.pk for row in known if whole and (row.seen_from == source or row.first_seen_at < now - HEARD_WITHIN)}
    gone = [row for row in known if _is_gone(row, seen, of.watched, reach, is_lost=row.pk in lost)]
    paid = outgoing.placed(refunds, shown, reach, network, now=now)
    tip = _tip(network, rail, reach, [*known, *by_balance], seen, paid)
    return Found(of.watched, known, seen, gone, looks, reach, tip, source, paid)


def _waiting(network: Network) -> list[Transfer]:
    """Everything on its way, wherever it was seen last. What a balance shows is `balances`' own."""
    rows = Transfer.objects.filter(network=network.id, status=Transfer.State.SEEN).exclude(txid__startswith=BY_BALANCE)
    return list(rows.select_related("receive_address").order_by("id"))


def _final(network: Network, reach: Reach) -> list[Transfer]:
    rows = Transfer.objects.filter(network=network.id, block_height__gte=reach.first, status=Transfer.State.FINAL)
    return list(rows.exclude(txid__startswith=BY_BALANCE).select_related("receive_address").order_by("id"))


def _places(rows: list[Transfer]) -> dict[str, Spot]:
    """A payment on its way is followed to its end, also when its invoice is watched no more."""
    return {place.address: Spot(place.pk, place.invoice_id) for row in rows if (place := row.receive_address)}


def _sightings(rail: Rail, cursor: Cursor, of: Wanted, reach: Reach) -> dict[Key, Sighting]:
    """What the chain shows of the wanted addresses; a payment in both a block and the pool is in its block."""
    wanted = of.addresses
    found = _again(rail, cursor, of.watched, reach.first)
    in_blocks = rail.scan(wanted, first=reach.first, last=reach.last)
    found += [*rail.pool(wanted), *in_blocks]
    return {one.key: one for one in found if one.units > 0 and one.address in wanted}


def _again(rail: Rail, cursor: Cursor, watched: dict[str, Spot], first: int) -> list[Sighting]:
    """The older payments of invoices that could not be settled: they are tried again, and hold up nobody else's blocks."""
    found: list[Sighting] = []
    for name, since in cursor.unsettled.items():
        if since < first and (mine := _addresses_of(name, watched)):
            found += rail.scan(mine, first=since, last=first - 1)
    return found


def _addresses_of(name: str, watched: dict[str, Spot]) -> list[str]:
    kind, _colon, number = name.rpartition(":")
    fixed = {int(number)} if kind else set(Quote.objects.filter(invoice=int(number), holds_amount=True).values_list("receive_address", flat=True))
    return [address for address, spot in watched.items() if spot.address_id in fixed or (not kind and spot.invoice_id == int(number))]


def _by_balance(network: Network, reach: Reach) -> list[Transfer]:
    """The rows that only a balance shows, and that this pass may still have to do with."""
    if balances.coin_of(network) is None:
        return []
    rows = Transfer.objects.filter(network=network.id, txid__startswith=BY_BALANCE).exclude(status=Transfer.State.DROPPED)
    return list(rows.filter(Q(status=Transfer.State.SEEN) | Q(block_height__gte=reach.first)))


def _looks(
    network: Network, rail: Rail, known: list[Transfer], by_balance: list[Transfer], reach: Reach, now: datetime
) -> list[tuple[BalanceLook, Balance]]:
    """The balances to be looked at in this pass: those that are due, of rows that are on their way, and of addresses from which
    a block was taken back."""
    also = {row.receive_address_id for row in by_balance if row.status == Transfer.State.SEEN or not reach.stands(row)}
    also |= {row.receive_address_id for row in known if "/slip44:" in row.asset_id and row.block_height is not None and not reach.stands(row)}
    looks = balances.due(network, also={pk for pk in also if pk}, now=now)
    told = balances.ask(rail, looks)
    return [(look, told[look.pk]) for look in looks if look.pk in told]


def _hidden(network: Network, rail: Rail, looks: list[tuple[BalanceLook, Balance]], watched: dict[str, Spot], now: datetime) -> dict[Key, Sighting]:
    """What no scan shows: the transactions behind a balance that grew, where blocks are not read for them, and those that
    payers told of. A node that cannot say is not asked again in this pass; nothing depends on it."""
    found: list[Sighting] = []
    try:
        found += balances.behind(rail, looks)
        for txid, own in hints.to_try(network, now=now):
            found += rail.in_transaction(txid, own)
    except RailUnreachable as error:
        logger.warning("%s does not tell of single transactions: %s", network.name, error)
        looks[:] = [pair for pair in looks if not pair[0].is_late]  # a baseline of now would hide what they were
    return {one.key: one for one in found if one.units > 0 and one.address in watched}


def _steady(known: list[Transfer], seen: dict[Key, Sighting], reach: Reach) -> dict[Key, Sighting]:
    """`seen`, and every known payment whose block stands: it is still there when a lagging node says nothing of it, shows it
    in its pool only, or when it is older than the blocks of this pass."""
    found = dict(seen)
    for row in known:
        shown = found.get((row.txid, row.place))
        if (shown is None or shown.block is None) and reach.stands(row) and row.receive_address and row.block_at:
            block = Block(row.block_height or 0, row.block_hash, row.block_at)
            found[row.txid, row.place] = Sighting(row.txid, row.place, row.receive_address.address, row.asset_id, row.amount_units, block)
    return found


def _is_gone(row: Transfer, seen: dict[Key, Sighting], watched: dict[str, Spot], reach: Reach, *, is_lost: bool) -> bool:
    """Whether the chain took this payment back: its block was replaced and no block has it, or (`is_lost`) it is missing in a
    pool that had it, or must have heard of it, on a chain that stood still."""
    if (row.txid, row.place) in seen or row.receive_address is None or row.receive_address.address not in watched:
        return False
    if row.block_height is None:
        return is_lost
    return not reach.stands(row) and (row.block_height <= reach.last or reach.last == reach.head.height)


def _tip(network: Network, rail: Rail, reach: Reach, known: list[Transfer], seen: dict[Key, Sighting], paid: Outgoing) -> Tip:
    """The chain's top, with the heights that another node disputes among those that would now become final."""
    tip = Tip(reach.head.height, rail.final_height())
    rows = {key: row for row in known if (key := (row.txid, row.place)) not in seen or not transfers.is_another(row, seen[key])}
    blocks = {key: (found.block.height, found.block.hash) for key, found in seen.items() if found.block}
    blocks |= {key: (row.block_height, row.block_hash) for key, row in rows.items() if row.is_by_balance and row.block_height is not None}
    asked = paid.about_to_be_final(tip)
    for key, (height, name) in blocks.items():
        row = rows.get(key)
        if row is not None and row.status == Transfer.State.FINAL and row.block_hash == name:
            continue
        needed = row.confirmations_needed if row else network.confirmations
        if confirmations.count(height, needed=needed, tip=tip) >= needed:
            asked[height] = name
    return Tip(tip.head, tip.final, frozenset(rail.disputed(asked))) if asked else tip
