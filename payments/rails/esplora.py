"""A chain as an Esplora server shows it (https://github.com/Blockstream/esplora/blob/master/API.md), for those without a node.

It is asked about each address, since it cannot be asked for blocks at a sensible cost: a first look at the address's
counts, and its transactions only where there are some and something may have changed.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from payments.rails.base import Block, RailUnreachable
from payments.rails.jsonrpc import Node
from payments.rails.source import Malformed, Output, Source, Told, block_hash, count, field, moment, rows

T = TypeVar("T")

MOST_BYTES = 32 * 2**20  # one page of transactions with large witnesses
MOST_PAGES = 200
KEPT_HEADERS = 5_000
KEPT_ADDRESSES = 50_000
WALKED = 100  # blocks below the newest, that are reached from it link by link
REST = 30.0  # seconds to keep quiet after HTTP 429, doubled each time
LONGEST_REST = 600.0


class Site(Node):
    """The server, asked by GET. When it says that it was asked too often, it is left alone for a while."""

    def __init__(self, url: str) -> None:
        super().__init__(url, most_bytes=MOST_BYTES)
        self._parts = urlsplit(self._url)
        self._rest = 0.0
        self._quiet_until = 0.0  # by time.monotonic()

    def get(self, path: str) -> str | None:
        """What stands at `path`; None where there is nothing (HTTP 404)."""
        if time.monotonic() < self._quiet_until:
            raise self._failed("was asked too often, and is left alone for a while")
        parts = self._parts
        status, body = self._sent(None, url=urlunsplit(parts._replace(path=parts.path.rstrip("/") + path)))
        if status == 429:
            self._rest = min(self._rest * 2 or REST, LONGEST_REST)
            self._quiet_until = time.monotonic() + self._rest
            raise self._failed("was asked too often (HTTP 429)")
        if status not in (200, 404):
            raise self._failed(f"answered HTTP {status}")
        self._rest = 0.0
        return body.decode(errors="replace") if status == 200 else None

    def json(self, path: str) -> Any:
        text = self.get(path)
        try:
            return None if text is None else json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise Malformed("an answer that is no JSON") from None


@dataclass(frozen=True)
class Header:
    block: Block
    previous: str


@dataclass(frozen=True)
class Stats:
    """How much an address was ever paid, in blocks and in the mempool."""

    mined: tuple[int, int, int]  # transactions, outputs to it, satoshi
    waiting: tuple[int, int, int]


@dataclass(frozen=True)
class Seen:
    """What is known of an address: all of its outputs from block `floor` on, and those in the mempool."""

    stats: Stats
    tip: str
    floor: int
    outputs: tuple[Output, ...]


class EsploraSource(Source):
    node: Site

    def __init__(self, node: Site) -> None:
        super().__init__(node)
        self._headers: dict[str, Header] = {}
        self._seen: dict[str, Seen] = {}  # by address, over passes
        self._hashes_below: tuple[str, dict[int, str | None]] = ("", {})  # by height, under one tip
        self._pass = threading.local()  # the tip, and what this thread has looked at since head()

    def genesis(self) -> str:
        return self._read(lambda: block_hash((self.node.get("/block-height/0") or "").strip()))

    def head(self) -> Block:
        tip = self._read(self._tip)
        self._pass.tip, self._pass.seen = tip.block, {}
        return tip.block

    def blocks(self, first: int, last: int) -> list[Block]:
        return self._read(lambda: self._blocks_now(max(first, 0), last))

    def hashes(self, heights: Collection[int]) -> dict[int, str]:
        def found() -> dict[int, str]:
            texts = {height: self.node.get(f"/block-height/{height}") for height in heights}
            return {height: block_hash(text.strip()) for height, text in texts.items() if text is not None}

        return self._read(found)

    def mined(self, watched: Mapping[str, str], *, first: int, last: int) -> list[Output]:
        def found() -> list[Output]:
            seen = [one for hit, address in watched.items() for one in self._look(address, hit, first=first).outputs]
            here = [one for one in seen if one.block and first <= one.block.height <= last and self._stands(one.block)]
            return sorted(here, key=lambda one: (one.block.height if one.block else 0, one.txid, one.place))

        return self._read(found)

    def waiting(self, watched: Mapping[str, str]) -> list[Output]:
        """Also those whose block is above the head of this pass, or not the one at its height: the server's index of addresses may
        be ahead of what it said before, or behind. Such a payment is there; its block is not certain."""

        def found() -> list[Output]:
            seen = [one for hit, address in watched.items() for one in self._look(address, hit, first=None).outputs]
            return [replace(one, block=None) for one in seen if one.block is None or not self._may_stand(one.block)]

        return self._read(found)

    def transaction(self, txid: str, watched: Mapping[str, str]) -> Told | None:
        """Of blocks only: servers remember transactions of blocks that were taken back, and show them as if they waited."""

        def found() -> Told | None:
            row = self.node.json(f"/tx/{block_hash(txid)}")
            if row is None:
                return None
            if field(row, "txid") != txid:
                raise Malformed("another transaction than it was asked for")
            there = _place_of(row)
            if there is None or there.height > self._tip_of_pass().height or not self._stands(there):
                return None
            outputs = [output for hit in watched for output in _outputs(row, there, hit)]
            return Told(tuple(outputs), there, count(row["fee"]) if row.get("fee") is not None else None)

        return self._read(found)

    def _read(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except Malformed as error:
            raise self.unusable(str(error)) from None

    # --- blocks -------------------------------------------------------------------------------------------------
    def _tip(self) -> Header:
        name = block_hash((self.node.get("/blocks/tip/hash") or "").strip())
        known = self._headers.get(name)
        if known is not None:
            return known
        header = _header(self.node.json(f"/block/{name}"))
        if header.block.hash != name:
            raise Malformed("another block than it was asked for")
        self._keep([header])
        return header

    def _blocks_now(self, first: int, last: int) -> list[Block]:
        """Down from the highest block, each by the hash that the one above it names, so that they are one chain."""
        at = self._tip()
        if at.block.height - last > WALKED:
            at = self._page(last)[0]
        found = []
        while True:
            if at.block.height <= last:
                found.append(at.block)
            if at.block.height <= first:
                return found[::-1] if at.block.height == first else []
            at = self._below(at)

    def _below(self, upper: Header) -> Header:
        height = upper.block.height - 1
        lower = self._headers.get(upper.previous) or self._page(height)[0]
        if lower.block.hash != upper.previous:
            raise RailUnreachable(f"{self.node.host} changed its chain while it was read.")
        if lower.block.height != height:
            raise Malformed("blocks that are no chain")
        return lower

    def _page(self, height: int) -> list[Header]:
        """The block at `height` and some below it, highest first."""
        found = [_header(row) for row in rows(self.node.json(f"/blocks/{height}"))]
        if [header.block.height for header in found] != list(range(height, height - len(found), -1)) or not found:
            raise Malformed("other blocks than it was asked for")
        if any(upper.previous != lower.block.hash for upper, lower in pairwise(found)):
            raise Malformed("blocks that are no chain")
        self._keep(found)
        return found

    def _keep(self, found: list[Header]) -> None:
        """Headers by their hash never change, so threads may share them."""
        if len(self._headers) > KEPT_HEADERS:
            self._headers = {}
        self._headers |= {header.block.hash: header for header in found}

    def _stands(self, block: Block) -> bool:
        """Whether the block that a payment is said to be in is the one at its height."""
        tip = self._tip_of_pass().hash
        if self._hashes_below[0] != tip:
            self._hashes_below = (tip, {})
        known = self._hashes_below[1]
        if block.height not in known:
            known[block.height] = self.hashes([block.height]).get(block.height)
        return known[block.height] == block.hash

    def _may_stand(self, block: Block) -> bool:
        """As far as was asked in this pass."""
        tip, known = self._tip_of_pass(), self._hashes_below
        return block.height <= tip.height and (known[0] != tip.hash or known[1].get(block.height, block.hash) == block.hash)

    def _tip_of_pass(self) -> Block:
        return getattr(self._pass, "tip", None) or self.head()

    # --- addresses ----------------------------------------------------------------------------------------------
    def _look(self, address: str, hit: str, *, first: int | None) -> Seen:
        """All outputs to an address from block `first` on (None: none of a block is asked for), and those in the mempool."""
        tip = self._tip_of_pass()
        floor = tip.height + 1 if first is None else first
        now: Seen | None = self._pass.seen.get(address)
        if now is not None and now.floor <= floor:
            return now
        stats = _stats(self.node.json(f"/address/{address}"))
        known = self._seen.get(address)
        # A payment that replaces another in the mempool can leave every count as it was.
        if known is None or known.floor > floor or stats.waiting[0] or (known.stats, known.tip) != (stats, tip.hash):
            known = self._transactions(address, hit, stats, tip, floor)
            self._remember(address, known)
        self._pass.seen[address] = known
        return known

    def _remember(self, address: str, known: Seen) -> None:
        if len(self._seen) > KEPT_ADDRESSES:
            self._seen = {}
        self._seen[address] = known

    def _transactions(self, address: str, hit: str, stats: Stats, tip: Block, floor: int) -> Seen:
        """Newest first, a page at a time, until the blocks below `floor` are reached. How long a page is differs."""
        outputs: list[Output] = []
        mined, path = 0, f"/address/{address}/txs"
        if not stats.mined[0] and not stats.waiting[0]:
            return Seen(stats, tip.hash, 0, ())
        for page in range(MOST_PAGES):
            found = [(row, _place_of(row)) for row in rows(self.node.json(path))]
            outputs += [output for row, block in found for output in _outputs(row, block, hit)]
            deep = [(field(row, "txid"), block.height) for row, block in found if block is not None]
            mined += len(deep)
            lowest = min((height for _txid, height in deep), default=0)
            if mined >= stats.mined[0] or (page and not deep):
                return Seen(stats, tip.hash, 0, tuple(dict.fromkeys(outputs)))
            if deep and lowest < floor:
                return Seen(stats, tip.hash, lowest + 1, tuple(dict.fromkeys(outputs)))
            # A first page may be full of what waits.
            path = f"/address/{address}/txs/chain" + (f"/{block_hash(deep[-1][0])}" if deep else "")
        raise Malformed(f"more than {MOST_PAGES} pages of one address")


def _header(row: Any) -> Header:
    height = count(field(row, "height"))
    block = Block(height, block_hash(field(row, "id")), moment(field(row, "timestamp")))
    return Header(block, block_hash(field(row, "previousblockhash")) if height else "")


def _stats(row: Any) -> Stats:
    def of(part: str) -> tuple[int, int, int]:
        numbers = [count(field(row, part, name)) for name in ("tx_count", "funded_txo_count", "funded_txo_sum")]
        return numbers[0], numbers[1], numbers[2]

    return Stats(of("chain_stats"), of("mempool_stats"))


def _place_of(row: Any) -> Block | None:
    status = field(row, "status")
    confirmed = field(status, "confirmed")
    if not isinstance(confirmed, bool):
        raise Malformed("a status that is none")
    if not confirmed:
        return None
    return Block(count(field(status, "block_height")), block_hash(field(status, "block_hash")), moment(field(status, "block_time")))


def _outputs(row: Any, block: Block | None, hit: str) -> list[Output]:
    txid = block_hash(field(row, "txid"))
    paid = [
        (place, output) for place, output in enumerate(rows(field(row, "vout"))) if isinstance(output, dict) and output.get("scriptpubkey") == hit
    ]
    found = [Output(txid, place, hit, count(field(output, "value")), block) for place, output in paid]
    return [output for output in found if output.units]
