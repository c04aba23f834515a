"""Chain → transfers and refunds. One pass per network serves all merchants; a pass is a claimed job, so two workers never share
one.

The head is read first and the addresses after it, so that an address handed out meanwhile is in the next pass's blocks;
each pass reads the trailing window again (keys are idempotent), so that a lagging backend loses nothing.
"""

from __future__ import annotations

import logging
from datetime import datetime

from merchants import assets
from merchants.assets import Network
from payments import applying, cursors, outgoing, scanning
from payments.confirmations import Tip
from payments.cursors import due_networks, states
from payments.matching import Owner
from payments.models import Cursor
from payments.rails import Block, Rail, RailUnreachable, rail_for
from payments.reach import Reach

__all__ = ["due_networks", "read", "states"]

logger = logging.getLogger(__name__)

_claim = cursors.claim
_apply_all = applying.apply_all


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


def _pass(network: Network, rail: Rail, cursor: Cursor, now: datetime) -> int:
    head = rail.head()
    if head is None:
        cursors.release(cursor, **_well(rail, now))
        return 0
    wanted = scanning.wanted(network, height=min(head.height, cursor.height), now=now)
    told = {**_well(rail, now), "head_height": head.height, "head_at": head.at}
    if not wanted.addresses:
        cursors.release(cursor, height=head.height, blocks=[[head.height, head.hash]], unsettled={}, behind_since=None, **told)
        return 0
    found = scanning.look(network, rail, cursor, head, wanted, now=now)
    changed, failed = _apply_all(network, cursor, found, now=now)
    refunded, stuck = outgoing.settle(found.outgoing, rail, cursor, tip=found.tip, now=now)
    told |= _read_to(network, cursor, found.reach, now)
    trouble = _trouble(head, found.reach, cursor, found.tip, [*map(str, failed), *stuck])
    cursors.release(cursor, unsettled=_unsettled(cursor, failed, found.reach.first), **told | {"error": trouble})
    return changed + refunded


def _well(rail: Rail, now: datetime) -> dict[str, object]:
    return {"read_at": now, "source": rail.source()[:120], "failures": 0, "retry_at": None, "error": ""}


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


def _trouble(head: Block, reach: Reach, cursor: Cursor, tip: Tip, failed: list[str]) -> str:
    said = []
    if failed:
        said.append(f"Invoices {failed[:10]} could not be settled; see the log.")
    if tip.disputed:
        said.append(f"Two nodes show different blocks at {', '.join(map(str, sorted(tip.disputed)[:5]))}; what is in them waits.")
    if cursor.blocks and head.height < cursor.blocks[0][0]:
        said.append(f"The node is at block {head.height}; block {cursor.height} was read already.")
    return " ".join(said)[:300]
