"""Chain → transfers. One pass per network serves all merchants; a pass is a claimed job, so two workers never share one.

The head is read first and the addresses after it, so that an address handed out meanwhile is in the next pass's blocks;
each pass reads the trailing window again (keys are idempotent), so that a lagging backend loses nothing. A reorg is found
by comparing the window's block hashes; what the chain no longer shows is withdrawn.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from invoicing import lifecycle
from invoicing.models import Status
from merchants import assets
from merchants.assets import Network
from payments import settlement, transfers
from payments.models import Cursor, ReceiveAddress, Transfer
from payments.rails import Block, Rail, RailUnreachable, Sighting, rail_for

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)
BLOCKS_A_PASS = 1000
WATCHED_AFTER = timedelta(days=30)


def read(network_id: str, *, now: datetime) -> int | None:
    """One pass over a network: how many invoices changed, None when another worker is at it or the node is away."""
    cursor = _claim(network_id, now)
    if cursor is None:
        return None
    network = assets.catalogue().networks[network_id]
    try:
        changed = _pass(network, rail_for(network_id), cursor, now)
    except RailUnreachable as error:
        logger.warning("%s cannot be read: %s", network.name, error)
        _release(cursor, error=str(error)[:300])
        return None
    except Exception:
        _release(cursor, error="The last pass failed; see the log.")
        raise
    return changed


def _claim(network_id: str, now: datetime) -> Cursor | None:
    cursor, _created = Cursor.objects.get_or_create(network=network_id)
    free = Cursor.objects.filter(Q(leased_until=None) | Q(leased_until__lte=now), pk=cursor.pk, lease=cursor.lease)
    if not free.update(lease=cursor.lease + 1, leased_until=now + LEASE):
        return None
    cursor.lease += 1
    return cursor


def _release(cursor: Cursor, **columns: object) -> None:
    Cursor.objects.filter(pk=cursor.pk, lease=cursor.lease).update(leased_until=None, **columns)


def _pass(network: Network, rail: Rail, cursor: Cursor, now: datetime) -> int:
    head = rail.head()
    if head is None:
        _release(cursor, read_at=now, error="")
        return 0
    first = _first_to_read(rail, cursor, head, network.reorg_depth)
    last = min(head.height, first + BLOCKS_A_PASS - 1)
    watched = _watched(network, now)
    sightings = [found for found in [*rail.scan(watched.keys(), first=first, last=last), *rail.pool(watched.keys())] if found.units > 0]
    sightings += _again(rail, cursor, watched, first)
    # A payment mined between these looks is in none of them; that the pool has lost one is only certain on a chain that stood still.
    whole = last == head.height and rail.head() == head
    changed, failed = _apply_all(network, cursor, watched, sightings, first=first, last=last, head=head.height, whole=whole, now=now)
    unsettled = {str(pk): min(cursor.unsettled.get(str(pk), first), first) for pk in failed}
    window = [[block.height, block.hash] for block in rail.blocks(max(last - network.reorg_depth + 1, 0), last)]
    error = f"Invoices {failed[:10]} could not be settled; see the log." if failed else ""
    _release(cursor, height=last, blocks=window, unsettled=unsettled, read_at=now, error=error)
    return changed


def _again(rail: Rail, cursor: Cursor, watched: dict[str, ReceiveAddress], first: int) -> list[Sighting]:
    """The older payments of invoices that could not be settled: they are tried again, and hold up nobody else's blocks."""
    found: list[Sighting] = []
    for pk, since in cursor.unsettled.items():
        addresses = [row.address for row in watched.values() if row.invoice_id == int(pk)]
        if addresses and since < first:
            found += [one for one in rail.scan(addresses, first=since, last=first - 1) if one.units > 0]
    return found


def _first_to_read(rail: Rail, cursor: Cursor, head: Block, depth: int) -> int:
    """Above the common ancestor, and at least the trailing window; from the head on for a network never read."""
    if cursor.height < 0:
        return max(head.height - depth, 0)
    ancestor = cursor.height
    if cursor.blocks:
        there = {block.height: block.hash for block in rail.blocks(cursor.blocks[0][0], cursor.height)}
        same = [height for height, known in cursor.blocks if there.get(height) == known]
        ancestor = same[-1] if same else cursor.blocks[0][0] - 1
    return max(min(ancestor + 1, head.height - depth + 1, cursor.height + 1), 0)


def _watched(network: Network, now: datetime) -> dict[str, ReceiveAddress]:
    """Addresses of open invoices, and for 30 days those of paid and void ones."""
    since = now - WATCHED_AFTER
    alive = Q(invoice__status=Status.OPEN) | Q(invoice__paid_at__gte=since) | Q(invoice__voided_at__gte=since)
    return {row.address: row for row in ReceiveAddress.objects.filter(alive, family=network.family)}


def _apply_all(
    network: Network,
    cursor: Cursor,
    watched: dict[str, ReceiveAddress],
    sightings: Iterable[Sighting],
    *,
    first: int,
    last: int,
    head: int,
    whole: bool,
    now: datetime,
) -> tuple[int, list[int]]:
    """How many invoices changed, and the ids of those that could not be settled: one bad payment holds up nobody else's.

    `whole`: nothing was mined that `sightings` cannot know of, so that a payment in neither block nor pool is gone.
    """
    seen: dict[int, list[Sighting]] = defaultdict(list)
    for found in sightings:
        seen[watched[found.address].invoice_id].append(found)
    gone: dict[int, list[Transfer]] = defaultdict(list)
    keys = {found.key for rows in seen.values() for found in rows}
    in_reach = Q(block_height__range=(first, last))
    if whole:
        in_reach |= Q(block_height=None, status=Transfer.State.SEEN)
    known = {row.pk: row for row in Transfer.objects.filter(in_reach, network=network.id).exclude(status=Transfer.State.DROPPED)}
    addresses = {row.pk for row in watched.values()}
    for transfer in known.values():
        if (transfer.txid, transfer.place) not in keys and transfer.receive_address_id in addresses and transfer.invoice_id:
            gone[transfer.invoice_id].append(transfer)
    settled = _settled(network, keys)
    changed, failed = 0, []
    for invoice_id in sorted(seen.keys() | gone.keys()):
        fresh = [found for found in seen[invoice_id] if settled.get(found.key) != (found.block.hash if found.block else "")]
        if not fresh and not gone[invoice_id]:
            continue
        if not Cursor.objects.filter(pk=cursor.pk, lease=cursor.lease).exists():
            logger.warning("The pass over %s took too long; another worker has it now.", network.name)
            break
        try:
            changed += _apply(invoice_id, fresh, gone[invoice_id], watched, network, head, now)
        except Exception:
            logger.exception("Invoice %s could not be settled", invoice_id)
            failed.append(invoice_id)
    return changed, failed


def _settled(network: Network, keys: set[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """Final transfers by key, with their block: what needs no second look while it stays in that block."""
    rows = Transfer.objects.filter(network=network.id, status=Transfer.State.FINAL, txid__in={txid for txid, _place in keys})
    return {(row.txid, row.place): row.block_hash for row in rows}


def _apply(
    invoice_id: int, seen: list[Sighting], gone: list[Transfer], watched: dict[str, ReceiveAddress], network: Network, head: int, now: datetime
) -> int:
    """Everything about one invoice in one transaction: withdrawn first, then what is there, then the sum."""
    with transaction.atomic():
        invoice = lifecycle.locked(invoice_id)
        dropped = [transfers.drop(invoice, transfer, now=now) for transfer in gone]
        applied = [transfers.apply(invoice, found, address=watched[found.address], network=network.id, head=head, now=now) for found in seen]
        if not any(dropped) and not any(applied):
            return 0
        settlement.settle(invoice, now=now)
        return 1


def lag(*, now: datetime) -> dict[str, float | None]:
    """Seconds since each network was last read; None for one never read."""
    cursors = {row.network: row for row in Cursor.objects.all()}
    found: dict[str, float | None] = {}
    for network_id in assets.catalogue().networks:
        row = cursors.get(network_id)
        found[network_id] = (now - row.read_at).total_seconds() if row and row.read_at else None
    return found
