"""What the Bitcoin-family rail asks of whoever shows it the chain: a node's own JSON-RPC, or an Esplora server.

Nothing that comes from outside is taken as it is: the readers here turn an answer into a number, a hash or a script, or say
that it is none.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from payments.rails.base import Block, RailUnreachable
from payments.rails.jsonrpc import Node

HASH = re.compile(r"[0-9a-f]{64}")
SCRIPT = re.compile(r"(?:[0-9a-f]{2})*")
MOST_UNITS = 2**63 - 1  # consensus holds amounts as int64
MOST_SECONDS = 2**32 - 1  # and a block's time as uint32
SATOSHI = 8  # decimals


class Malformed(ValueError):
    """The answer is not what it should be; the text says what, and holds nothing of the answer."""


@dataclass(frozen=True, slots=True)
class Output:
    """An output above zero to a watched script, in a block or (block None) in the mempool."""

    txid: str
    place: int
    script: str  # hex
    units: int  # satoshi
    block: Block | None


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of one transaction: its outputs to watched scripts, each with its block as here."""

    outputs: tuple[Output, ...]
    block: Block | None  # None while it waits in the mempool
    fee: int | None  # satoshi


class Source(ABC):
    """Every method raises RailUnreachable when there is no sensible answer."""

    def __init__(self, node: Node) -> None:
        self.node = node

    @abstractmethod
    def genesis(self) -> str:
        """The hash of block 0."""

    @abstractmethod
    def head(self) -> Block:
        """The newest block. A new pass begins with it."""

    @abstractmethod
    def blocks(self, first: int, last: int) -> list[Block]:
        """The blocks of these heights as the chain is now, lowest first; none above the head."""

    @abstractmethod
    def hashes(self, heights: Collection[int]) -> dict[int, str]:
        """The hashes of the blocks at `heights`, without those above the head."""

    @abstractmethod
    def mined(self, watched: Mapping[str, str], *, first: int, last: int) -> list[Output]:
        """The outputs to `watched` (script → address) in blocks `first` to `last`, lowest first."""

    @abstractmethod
    def waiting(self, watched: Mapping[str, str]) -> list[Output]:
        """The outputs to `watched` (script → address) of transactions in the mempool."""

    @abstractmethod
    def transaction(self, txid: str, watched: Mapping[str, str]) -> Told | None:
        """One transaction, with its outputs to `watched` (script → address); None for one that is neither in the mempool nor in
        a block of the chain as it is now, as far as can be told."""

    def unusable(self, what: str) -> RailUnreachable:
        return RailUnreachable(f"{self.node.host} gave {what}.")


def field(row: Any, *names: str) -> Any:
    """What stands in `row` under a path of names."""
    for name in names:
        if not isinstance(row, dict) or name not in row:
            raise Malformed(f"an answer without {name}")
        row = row[name]
    return row


def rows(found: Any) -> list[Any]:
    if not isinstance(found, list):
        raise Malformed("an answer that is no list")
    return found


def count(found: Any, *, most: int = MOST_UNITS) -> int:
    """A whole number from 0 to `most`."""
    if type(found) is not int or not 0 <= found <= most:
        raise Malformed("a number that cannot be")
    return found


def coins(found: Any) -> int:
    """An amount in whole coins, as JSON has it, in satoshi. Exact: what does not come out even is refused, never rounded."""
    if type(found) is int:
        found = Decimal(found)
    if not isinstance(found, Decimal) or not 0 <= found <= MOST_UNITS:
        raise Malformed("an amount that cannot be")
    units = found.scaleb(SATOSHI)
    if units > MOST_UNITS or units != units.to_integral_value() or bool(found) != bool(units):  # far below one it becomes zero
        raise Malformed("an amount that cannot be")
    return int(units)


def block_hash(found: Any) -> str:
    if not isinstance(found, str) or not HASH.fullmatch(found):
        raise Malformed("a hash that is none")
    return found


def script(found: Any) -> str:
    if not isinstance(found, str) or not SCRIPT.fullmatch(found):
        raise Malformed("a script that is none")
    return found


def moment(found: Any) -> datetime:
    return datetime.fromtimestamp(count(found, most=MOST_SECONDS), UTC)
