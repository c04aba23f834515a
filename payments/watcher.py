"""Chain → transfers. One pass per network serves all merchants; a pass is a claimed job, so two workers never share one.

The head is read first and the addresses after it, so that an address handed out meanwhile is in the next pass's blocks;
each pass reads the trailing window again (keys are idempotent), so that a lagging backend loses nothing. Silence withdraws
nothing: a payment in a block is taken back only when the chain shows another block at its height, and it is in none.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from invoicing import lifecycle
from merchants import assets
from merchants.assets import Network
from payments import addresses, balances, confirmations, cursors, hints, matching, settlement, transfers, unexplained
from payments.confirmations import Tip
from payments.cursors import due_networks, states
from payments.matching import Asked, Exact, Key, Owner, Spot
from payments.models import BY_BALANCE, BalanceLook, Cursor, Quote, ReceiveAddress, Transfer
from payments.rails import Balance, Block, Rail, RailUnreachable, Sighting, rail_for
from payments.reach import Reach, reach_of

__all__ = ["due_networks", "read", "states"]

logger = logging.getLogger(__name__)

IN_ONE_QUERY = 5000
HEARD_WITHIN = timedelta(hours=1)  # every node has heard of a payment that waits in a pool

_claim = cursors.claim


def read(network_id: str, *, now: datetime) -> int | None:
    """One pass over a network: how many invoices changed, None when another worker is at it or no node can be asked.

    A pass whose node fails is tried again at once with the next one.
    """
    cursor = _claim(network_id, now)
    if cursor is None:
        return None
    with cursors.kept(cursor, now=now):
        return _read(cursor, now)


def _read(cursor: Cursor, now: datetime) -> int | None:
    network, rail = assets.catalogue().networks[cursor.network], rail_for(cursor.network)
    failed = ""
    for _node in range(max(len(network.urls), 1)):
        try:
            return _pass(network, rail, cursor, now)
        except RailUnreachable as error:
            failed = str(error)
            logger.warning("%s cannot be read: %s", network.name, error)
        except Exception:
            cursors.give_up(cursor, error="The last pass failed; see the log.", now=now)
            raise
    cursors.give_up(cursor, error=failed, now=now)
    return None


# --- what to read -----------------------------------------------------------------------------------------------------


def _pass(network: Network, rail: Rail, cursor: Cursor, now: datetime) -> int:
    head = rail.head()
    if head is None:
        cursors.release(cursor, **_well(rail, now))
        return 0
    waiting = _waiting(network)
    watched = addresses.watched(network, now) | _places(waiting)
    told = {**_well(rail, now), "head_height": head.height, "head_at": head.at}
    if not watched:
        cursors.release(cursor, height=head.height, blocks=[[head.height, head.hash]], unsettled={}, behind_since=None, **told)
        return 0
    reach = reach_of(network, rail, cursor, head, waiting, most=rail.blocks_a_pass)
    seen = _sightings(rail, cursor, watched, reach)
    # A payment mined between these looks is in none of them; that the pool has lost one is only certain on a chain that stood still.
    whole = reach.last == head.height and rail.head() == head
    known = waiting + _final(network, reach)
    by_balance = _by_balance(network, reach)
    looks = _looks(network, rail, known, by_balance, reach, now) if reach.last == head.height else []
    seen = _hidden(network, rail, looks, watched, now) | seen
    seen = _steady(known, seen, reach)
    source = rail.source()[:120]
    lost = {row.pk for row in known if whole and (row.seen_from == source or row.first_seen_at < now - HEARD_WITHIN)}
    gone = [row for row in known if _is_gone(row, seen, watched, reach, is_lost=row.pk in lost)]
    found = Found(watched, known, seen, gone, looks, reach, _tip(network, rail, reach, [*known, *by_balance], seen), source)
    changed, failed = _apply_all(network, cursor, found, now=now)
    told |= _read_to(network, cursor, reach, now)
    trouble = _trouble(head, reach, cursor, found.tip, failed)
    cursors.release(cursor, unsettled=_unsettled(cursor, failed, reach.first), **told | {"error": trouble})
    return changed


def _well(rail: Rail, now: datetime) -> dict[str, object]:
    return {"read_at": now, "source": rail.source()[:120], "failures": 0, "retry_at": None, "error": ""}


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


def _sightings(rail: Rail, cursor: Cursor, watched: dict[str, Spot], reach: Reach) -> dict[Key, Sighting]:
    """What the chain shows of the watched addresses; a payment in both a block and the pool is in its block."""
    found = _again(rail, cursor, watched, reach.first)
    in_blocks = rail.scan(watched.keys(), first=reach.first, last=reach.last)
    found += [*rail.pool(watched.keys()), *in_blocks]
    return {one.key: one for one in found if one.units > 0 and one.address in watched}


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


# --- what it means ----------------------------------------------------------------------------------------------------


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


def _tip(network: Network, rail: Rail, reach: Reach, known: list[Transfer], seen: dict[Key, Sighting]) -> Tip:
    """The chain's top, with the heights that another node disputes among those that would now become final."""
    tip = Tip(reach.head.height, rail.final_height())
    rows = {key: row for row in known if (key := (row.txid, row.place)) not in seen or not transfers.is_another(row, seen[key])}
    blocks = {key: (found.block.height, found.block.hash) for key, found in seen.items() if found.block}
    blocks |= {key: (row.block_height, row.block_hash) for key, row in rows.items() if row.is_by_balance and row.block_height is not None}
    asked: dict[int, str] = {}
    for key, (height, name) in blocks.items():
        row = rows.get(key)
        if row is not None and row.status == Transfer.State.FINAL and row.block_hash == name:
            continue
        needed = row.confirmations_needed if row else network.confirmations
        if confirmations.count(height, needed=needed, tip=tip) >= needed:
            asked[height] = name
    return Tip(tip.head, tip.final, frozenset(rail.disputed(asked))) if asked else tip


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


@dataclass
class Work:
    """What a pass found for one owner."""

    seen: list[Sighting] = field(default_factory=list)
    gone: list[Transfer] = field(default_factory=list)
    looks: list[tuple[BalanceLook, Balance]] = field(default_factory=list)


def _apply_all(network: Network, cursor: Cursor, found: Found, *, now: datetime) -> tuple[int, list[Owner]]:
    """How many owners' money changed, and those whose could not be settled: one bad payment holds up nobody else's."""
    work = _work(network, found)
    spots = {found.watched[one.address].address_id for _owner, part in work for one in part.seen}
    places = {row.address: row for row in ReceiveAddress.objects.filter(pk__in=spots).select_related("wallet")} if spots else {}
    changed, failed = 0, []
    for owner, part in work:
        if not cursors.is_held(cursor):
            logger.warning("The pass over %s took too long; another worker has it now.", network.name)
            break
        try:
            changed += _apply(owner, part, places, network, found, now)
        except Exception:
            logger.exception("The money of %s could not be settled", owner)
            failed.append(owner)
    return changed, failed


def _work(network: Network, found: Found) -> list[tuple[Owner, Work]]:
    """By owner; what would change nothing is left out. First come those who lose a payment to another owner, since it is
    withdrawn before it is given to anybody."""
    rows = {(row.txid, row.place): row for row in found.known}
    news = [one for key, one in found.seen.items() if key not in rows or not transfers.is_as_known(rows[key], one, found.tip, found.source)]
    rows |= _seen_before(network, [one for one in news if one.key not in rows])
    others = {one.key: rows[one.key] for one in news if one.key in rows and transfers.is_another(rows[one.key], one)}
    known = {key: row.invoice_id for key, row in rows.items() if key not in others}
    asked = _asked(found.watched, [one for one in news if found.watched[one.address].invoice_id is None])
    losing: dict[Owner, Work] = defaultdict(Work)
    work: dict[Owner, Work] = defaultdict(Work)
    for one in news:
        whose = matching.owner(one, found.watched[one.address], rail=network.rail, known=known, asked=asked)
        work[whose].seen.append(one)
        was = others.get(one.key)
        if was is not None and was.status != Transfer.State.DROPPED:
            (work if _owner_of(was) == whose else losing)[_owner_of(was)].gone.append(was)
    for row in found.gone:
        work[_owner_of(row)].gone.append(row)
    for look, balance in found.looks:
        work[Owner.of(look.address.invoice_id, look.address_id)].looks.append((look, balance))
    return [(owner, part[owner]) for part in (losing, work) for owner in sorted(part)]


def _owner_of(row: Transfer) -> Owner:
    return Owner.of(row.invoice_id, row.receive_address_id or 0)


def _seen_before(network: Network, found: list[Sighting]) -> dict[Key, Transfer]:
    """The payments of these transactions that were written down in earlier passes, dropped ones too."""
    rows: dict[Key, Transfer] = {}
    txids = sorted({one.txid for one in found})
    for at in range(0, len(txids), IN_ONE_QUERY):
        part = Transfer.objects.filter(network=network.id, txid__in=txids[at : at + IN_ONE_QUERY]).select_related("receive_address")
        rows |= {(row.txid, row.place): row for row in part}
    return rows


def _asked(watched: dict[str, Spot], found: list[Sighting]) -> dict[Exact, Asked]:
    """Which invoice's quote holds which exact amount, at the fixed addresses and of the amounts that were seen; and since when
    that invoice asks for it."""
    asked: dict[Exact, Asked] = {}
    units = sorted({one.units for one in found})
    there = Quote.objects.filter(receive_address__in={watched[one.address].address_id for one in found})
    for at in range(0, len(units), IN_ONE_QUERY):
        near = there.filter(amount_units__in=units[at : at + IN_ONE_QUERY])
        rows = near.filter(holds_amount=True).values_list("receive_address", "asset_id", "amount_units", "invoice")
        holders = {(address, asset, amount): invoice for address, asset, amount, invoice in rows}
        latest_first = near.filter(invoice__in=set(holders.values())).order_by("-created_at", "-id") if holders else near.none()
        for quote in latest_first:
            exact = (quote.receive_address_id, quote.asset_id, quote.amount_units)
            if holders.get(exact) == quote.invoice_id:
                asked[exact] = Asked(quote.invoice_id, quote.created_at, quote.from_height)
    return asked


def _apply(owner: Owner, part: Work, places: dict[str, ReceiveAddress], network: Network, found: Found, now: datetime) -> int:
    """Everything about one owner in one transaction: withdrawn first, then what is there, then what only balances show, then
    the sum."""
    with transaction.atomic():
        invoice = lifecycle.locked(owner.invoice_id) if owner.invoice_id else None
        done = [transfers.drop(invoice, row, now=now) for row in part.gone]
        for one in part.seen:
            if invoice is not None:
                unexplained.resolve(invoice, one, address=places[one.address], network=network.id, now=now)
            place = places[one.address]
            done.append(transfers.apply(invoice, one, address=place, network=network.id, tip=found.tip, now=now, source=found.source))
        if invoice is None:
            return int(any(done))
        for look, balance in part.looks:
            stands = found.reach.stands
            done.append(unexplained.look(invoice, look.pk, balance, network=network, tip=found.tip, stands=stands, now=now))
        if any(done):
            settlement.settle(invoice, now=now)
        return int(any(done))


# --- how far it came ----------------------------------------------------------------------------------------------------


def _read_to(network: Network, cursor: Cursor, reach: Reach, now: datetime) -> dict[str, object]:
    """The cursor's place. A node that lags behind what was read already, on the same chain, moves it nowhere."""
    if reach.last == reach.head.height < cursor.height and reach.replaced_from is None:
        return {"behind_since": None}
    window = range(max(reach.last - network.reorg_depth + 1, 0), reach.last + 1)
    behind_since = (cursor.behind_since or now) if reach.last < reach.head.height else None
    blocks = [[height, reach.shown[height].hash] for height in window if height in reach.shown]
    return {"height": reach.last, "blocks": blocks, "behind_since": behind_since}


def _unsettled(cursor: Cursor, failed: list[Owner], first: int) -> dict[str, int]:
    return {str(owner): min(cursor.unsettled.get(str(owner), first), first) for owner in failed}


def _trouble(head: Block, reach: Reach, cursor: Cursor, tip: Tip, failed: list[Owner]) -> str:
    said = []
    if failed:
        said.append(f"Invoices {[str(owner) for owner in failed[:10]]} could not be settled; see the log.")
    if tip.disputed:
        said.append(f"Two nodes show different blocks at {', '.join(map(str, sorted(tip.disputed)[:5]))}; what is in them waits.")
    if cursor.blocks and head.height < cursor.blocks[0][0]:
        said.append(f"The node is at block {head.height}; block {cursor.height} was read already.")
    return " ".join(said)[:300]
