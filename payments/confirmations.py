"""How many confirmations a payment needs, and how many it has. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from merchants.assets import Network


@dataclass(frozen=True)
class Tip:
    """The top of a chain in one pass.

    `final` is the height up to which the network itself calls the chain final, None where confirmations decide. At the
    heights of `disputed` another node has another block.
    """

    head: int
    final: int | None = None
    disputed: frozenset[int] = frozenset()


def needed(network: Network, usd: Decimal | None) -> int:
    """What a payment of an invoice worth `usd` US dollars waits for; of unknown worth, as long as the largest."""
    counts = [network.confirmations, *(count for at_least, count in network.larger if usd is None or usd >= at_least)]
    return max(counts)


def count(height: int, *, needed: int, tip: Tip) -> int:
    """The confirmations of a payment in block `height`, from 0 to `needed`, which is final.

    Where the network has a finality of its own, only that gives the last one; a disputed block does not get it either.
    """
    have = min(max(tip.head - height + 1, 0), needed)
    if tip.final is not None:
        have = needed if height <= tip.final else min(have, needed - 1)
    return max(min(have, needed - 1), 0) if height in tip.disputed else max(have, 0)
