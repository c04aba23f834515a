"""Which blocks a pass reads, and what the chain is in it. Nothing is written here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from merchants.assets import Network
from payments.matching import Owner
from payments.models import Cursor, Transfer
from payments.rails import Block, Rail

MOST_WAITING = 200  # payments in blocks older than the window that are looked after in one pass


class Placed(Protocol):
    """What was seen in a block."""

    block_height: int | None
    block_hash: str


@dataclass
class Reach:
    """The blocks of one pass: `first` to `last` are scanned, `shown` is the chain at every height that was asked for."""

    head: Block
    first: int
    last: int
    shown: dict[int, Block]
    replaced_from: int | None = None  # from here on upward the chain is another than it was

    def stands(self, row: Placed) -> bool:
        """Whether the block that something was mined in is still there; also when the chain does not show that height."""
        height = row.block_height
        if height is None:
            return False
        if height in self.shown:
            return self.shown[height].hash == row.block_hash
        return self.replaced_from is None or height < self.replaced_from


def reach_of(network: Network, rail: Rail, cursor: Cursor, head: Block, waiting: list[Transfer], *, also: Iterable[int] = (), most: int) -> Reach:
    """Above the common ancestor, and at least the trailing window; near the head for a network never read.

    From further down when a payment on its way was in a block that is there no more: it may be in any since. At most `most`
    blocks, or twice the window. The heights of `also` are shown too.
    """
    recorded: dict[int, str] = dict(cursor.blocks)
    usual = max(head.height - network.reorg_depth + 1, 0)
    usual = min(cursor.height + 1, usual) if cursor.height >= 0 else max(usual - 1, 0)
    older = [row for row in waiting if row.block_height is not None and row.block_height < usual and not _is_unsettled(row, cursor)]
    heights = {height for height in [*recorded, *also] if height <= head.height} | {
        row.block_height for row in older[:MOST_WAITING] if row.block_height
    }
    shown = _blocks(rail, heights)
    replaced = min((height for height, known in recorded.items() if height in shown and shown[height].hash != known), default=None)
    lost = [row.block_height for row in older if row.block_height in shown and shown[row.block_height].hash != row.block_hash]
    first = max(min([usual, *(height for height in [replaced, *lost] if height is not None)]), 0)
    last = min(head.height, first + max(most, 2 * network.reorg_depth) - 1)
    window = set(range(max(last - network.reorg_depth + 1, 0), last + 1))
    return Reach(head, first, last, shown | _blocks(rail, window - shown.keys()), replaced)


def _is_unsettled(row: Transfer, cursor: Cursor) -> bool:
    """Such a payment is read again on its own, and draws nobody else's blocks along."""
    return str(Owner.of(row.invoice_id, row.receive_address_id or 0)) in cursor.unsettled


def _blocks(rail: Rail, heights: Iterable[int]) -> dict[int, Block]:
    """The chain's blocks at these heights; neighbours are asked for together."""
    found: dict[int, Block] = {}
    run: list[int] = []
    for height in [*sorted(heights), None]:
        if run and (height is None or height != run[-1] + 1):
            found |= {block.height: block for block in rail.blocks(run[0], run[-1])}
            run = []
        if height is not None:
            run.append(height)
    return found
