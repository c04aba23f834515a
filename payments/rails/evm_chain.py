"""Reading an EVM chain: blocks by their hashes, logs by windows, receipts.

What a hash names never changes, so what a node said of a block is kept by its hash, for that node, and shared by threads: a
pass over a window in which nothing moved costs a call for the head and one for the logs. All other state belongs to the thread.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from merchants.assets import Network
from payments.rails import evm_format as fmt
from payments.rails.base import RailUnreachable
from payments.rails.evm_format import Garbled, Header, Log, Payment, Receipt, Sent
from payments.rails.jsonrpc import Client, Node, RpcError

V = TypeVar("V")

ADDRESSES_A_CALL = 500  # geth and others refuse more than 1,000
UNFILTERED_FROM = 10_000  # addresses from which all transfers of the tokens are read, and compared here
HEADERS_A_BATCH = 100
BLOCKS_A_BATCH = 10  # full blocks are big
RECEIPTS_KEPT = 4096
BRIEF = (1.5, 3.0)  # timeouts where silence does no harm
PATIENCE = 90.0  # seconds without a new block before the other nodes are asked for theirs


class Kept(Generic[V]):
    """A bounded store that threads share; what was put in first goes first."""

    def __init__(self, most: int) -> None:
        self._most, self._rows, self._lock = most, OrderedDict[object, V](), threading.Lock()

    def get(self, key: object) -> V | None:
        return self._rows.get(key)

    def clear(self) -> None:
        with self._lock:
            self._rows.clear()

    def forget(self, key: object) -> None:
        with self._lock:
            self._rows.pop(key, None)

    def put(self, key: object, value: V) -> None:
        with self._lock:
            self._rows[key] = value
            while len(self._rows) > self._most:
                self._rows.popitem(last=False)


class Chain:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.client = Client(network.urls, verify=self._verify)
        self._headers = Kept[Header](max(4 * network.reorg_depth, 4096))
        self._sent = Kept[tuple[Sent, ...]](max(2 * network.reorg_depth, 256))
        self._receipts = Kept[Receipt](RECEIPTS_KEPT)
        self._stood: dict[Node, tuple[str, float]] = {}  # each node's head, and since when
        self._mine = threading.local()

    def _verify(self, node: Node) -> None:
        try:
            found = fmt.quantity(node.call("eth_chainId"))
        except Garbled as error:
            raise RailUnreachable(f"{node.host} {error}.") from None
        if found != self.network.chain_id:
            raise RailUnreachable(f"{node.host} serves chain {found}, and not {self.network.chain_id}.")

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around calls that a sound node does not refuse: one that does, or answers nonsense, is left."""
        try:
            yield
        except RpcError:
            self.client.leave()
            raise
        except Garbled as error:
            raise self.broken(str(error)) from None

    def broken(self, why: str) -> RailUnreachable:
        host = self.client.host
        self.client.leave()
        return RailUnreachable(f"{host} {why}.")

    # --- blocks -------------------------------------------------------------------------------------------------
    def pick(self) -> Header | None:
        """The head, of the node that is asked from now on: not of one that stands still while others go on."""
        head = self.client.pick(_latest)
        if head and self._stands_still(self.client.node, head) and self._is_passed(head):
            self.client.leave()
            return self.client.pick(_latest)
        return head

    def _stands_still(self, node: Node, head: Header) -> bool:
        known, since = self._stood.get(node, ("", 0.0))
        if known != head.hash:
            self._stood[node] = head.hash, time.monotonic()
            return False
        return time.monotonic() - since > PATIENCE

    def _is_passed(self, head: Header) -> bool:
        for node in self.client.others:
            try:
                there = _latest(self.client.verified(node), timeout=BRIEF)
            except RailUnreachable:
                self.client.set_aside(node)
            else:
                if there and there.height > head.height:
                    return True
        return False

    def latest(self) -> Header | None:
        with self.asking():
            return self._kept(self.client.call("eth_getBlockByNumber", ["latest", False]))

    def headers(self, first: int, last: int) -> list[Header]:
        """The blocks `first` to `last` as the chain is now, lowest first, each the parent of the next."""
        head = self.latest()
        if head is None or first > min(last, head.height):
            return []
        with self.asking():
            top = head
            if head.height - last > 2 * self.network.reorg_depth:  # catching up: nothing that deep hangs on the head any more
                top = self._by_number([last])[0]
            return [found for found in self._down(top, first) if found.height <= last]

    def _down(self, top: Header, first: int) -> list[Header]:
        line = [top]
        while line[-1].height > first:
            child = line[-1]
            parent = self._headers.get((self.client.node, child.parent))
            if parent is None:
                self._by_number(range(max(first, child.height - HEADERS_A_BATCH), child.height))
                parent = self._headers.get((self.client.node, child.parent))
            if parent is None or parent.height != child.height - 1:
                self._headers.clear()
                raise self.broken("showed another chain in the middle of a pass")
            line.append(parent)
        return line[::-1]

    def _by_number(self, heights: Iterable[int]) -> list[Header]:
        answers = self.client.batch([("eth_getBlockByNumber", [hex(height), False]) for height in heights])
        found = [self._kept(answer) for answer in answers]
        if not all(found):
            raise self.broken("lost blocks in the middle of a pass")
        return [one for one in found if one]

    def _kept(self, answer: Any) -> Header | None:
        if answer is None:
            return None
        found = fmt.header(answer)
        self._headers.put((self.client.node, found.hash), found)
        return found

    def header_at(self, height: int) -> Header | None:
        with self.asking():
            return self._kept(self.client.call("eth_getBlockByNumber", [hex(height), False]))

    def height_of(self, tag: str) -> int:
        """How high the block is that the node calls `tag`; -1 where it knows none yet."""
        with self.asking():
            answer = self.client.call("eth_getBlockByNumber", [tag, False])
            return -1 if answer is None else fmt.header(answer).height

    def payments(self, headers: Sequence[Header], addresses: Collection[str]) -> Iterator[tuple[Header, Payment]]:
        """What the transactions of these blocks themselves send to `addresses`, each with its block."""
        for at in range(0, len(headers), BLOCKS_A_BATCH):
            part = headers[at : at + BLOCKS_A_BATCH]
            found = {header.hash: self._sent.get((self.client.node, header.hash)) for header in part}
            missing = [name for name, sent in found.items() if sent is None]
            with self.asking():
                for name, answer in zip(missing, self.client.batch([("eth_getBlockByHash", [name, True]) for name in missing]), strict=True):
                    if answer is None or fmt.header(answer).hash != name:
                        raise self.broken("lost blocks in the middle of a pass")
                    found[name] = fmt.sent(answer)
                    self._sent.put((self.client.node, name), found[name] or ())
                hits = [(header, payment) for header in part for payment in self._read(header, found[header.hash] or (), addresses)]
            yield from hits

    def _read(self, header: Header, sent: Iterable[Sent], addresses: Collection[str]) -> list[Payment]:
        try:
            return fmt.payments_to(addresses, sent)
        except Garbled:
            self._sent.forget((self.client.node, header.hash))  # it may speak sense the next time
            raise

    # --- logs and receipts --------------------------------------------------------------------------------------
    def transfers(self, contracts: Collection[str], addresses: Collection[str], *, first: int, last: int) -> list[Log]:
        """The token transfers of these blocks to `addresses`, as the node says. The window of blocks that one call asks for is
        halved when the node refuses it, and grows back."""
        found: list[Log] = []
        for recipients in _asked_for(addresses):
            asked = {"address": sorted(contracts), "topics": [fmt.TRANSFER, None, recipients] if recipients else [fmt.TRANSFER]}
            at = first
            while at <= last:
                until = min(last, at + self._window - 1)
                logs = self._logs(asked, addresses, at, until)
                if logs is None:
                    continue
                found += logs
                at = until + 1
                self._window = min(self._window * 2, self.network.max_range)
        return found

    @property
    def _window(self) -> int:
        return getattr(self._mine, "window", self.network.max_range)

    @_window.setter
    def _window(self, blocks: int) -> None:
        self._mine.window = max(blocks, 1)

    def _logs(self, asked: dict[str, Any], addresses: Collection[str], first: int, last: int) -> list[Log] | None:
        """Those to `addresses`; None when the node refuses so many blocks; the window is smaller then."""
        with self.asking():
            try:
                return fmt.logs_to(addresses, self.client.call("eth_getLogs", [{**asked, "fromBlock": hex(first), "toBlock": hex(last)}]))
            except RpcError:
                if first == last:
                    raise
            except RailUnreachable:  # it may have been too much to answer in time
                self._window = (last - first + 1) // 2
                raise
        self._window = (last - first + 1) // 2
        return None

    def receipts(self, wanted: Iterable[tuple[str, str]]) -> dict[str, Receipt]:
        """The receipts of transactions, by txid, as far as there are any. Asked for by txid and block hash."""
        asked = dict.fromkeys(wanted)
        found = {txid: kept for txid, block in asked if (kept := self._receipts.get((self.client.node, txid, block)))}
        missing = [txid for txid, _block in asked if txid not in found]
        with self.asking():
            answers = self.client.batch([("eth_getTransactionReceipt", [txid]) for txid in missing])
            return found | {txid: fmt.receipt(answer) for txid, answer in zip(missing, answers, strict=True) if answer is not None}

    def keep(self, txid: str, receipt: Receipt) -> None:
        """Ask for this receipt no more: it bears out what else was said. One that does not may be whole the next time."""
        self._receipts.put((self.client.node, txid, receipt.block_hash), receipt)

    def own_payment(self, txid: str, addresses: Collection[str]) -> list[Payment]:
        """What a transaction itself sends to one of `addresses`; empty for nothing."""
        with self.asking():
            answer = self.client.call("eth_getTransactionByHash", [txid])
            return fmt.payments_to(addresses, fmt.sent({"transactions": [answer]})) if answer else []

    def is_known(self, txid: str) -> bool:
        """Whether the node has heard of a transaction, in a block or not."""
        with self.asking():
            return self.client.call("eth_getTransactionByHash", [txid]) is not None

    def inner_payments(self, txid: str) -> list[tuple[int, str, int]]:
        """(position, to, units) of what its inner calls send; empty where the node does not trace, or not quickly: anybody
        can name a transaction that takes long, and the node is sound all the same."""
        try:
            return fmt.inner_payments(self.client.node.call("debug_traceTransaction", [txid, {"tracer": "callTracer"}], timeout=BRIEF))
        except (RailUnreachable, Garbled):
            return []

    # --- accounts -----------------------------------------------------------------------------------------------
    def accounts(self, addresses: Sequence[str], at: Header) -> list[tuple[int, int]]:
        """(balance, transactions sent) of each address at a block."""
        with self.asking():
            return self._accounts(addresses, at)

    def past_accounts(self, addresses: Sequence[str], at: Header) -> list[tuple[int, int]]:
        """The same at an older block; empty where the node refuses: most keep the state of the last 128 blocks, and are sound."""
        try:
            return self._accounts(addresses, at)
        except RpcError:
            return []
        except Garbled as error:
            raise self.broken(str(error)) from None

    def _accounts(self, addresses: Sequence[str], at: Header) -> list[tuple[int, int]]:
        calls = [(method, (address, hex(at.height))) for address in addresses for method in ("eth_getBalance", "eth_getTransactionCount")]
        answers = [fmt.quantity(answer) for answer in self.client.batch(calls)]
        return list(zip(answers[::2], answers[1::2], strict=True))

    # --- all nodes ----------------------------------------------------------------------------------------------
    def objections(self) -> list[str]:
        """What is wrong with each configured node, one sentence each. RailUnreachable when it is something with all."""
        heads: dict[Node, Header | None] = {}
        failures: dict[Node, RailUnreachable] = {}
        for node in self.client.nodes:
            try:
                self._verify(node)
                heads[node] = _latest(node)
            except RailUnreachable as failure:
                failures[node] = failure
                self.client.set_aside(node)
        if failures and not heads:
            raise list(failures.values())[-1]
        top = max((head.height for head in heads.values() if head), default=0)
        behind = {node: top - (head.height if head else 0) for node, head in heads.items()}
        said = {node: f"{node.host} is {blocks} blocks behind." for node, blocks in behind.items() if blocks > self.network.reorg_depth}
        return [str(remark) for node in self.client.nodes if (remark := failures.get(node) or said.get(node))]

    def disputed(self, blocks: dict[int, str]) -> set[int]:
        calls = [("eth_chainId", ()), *(("eth_getBlockByNumber", (hex(height), False)) for height in blocks)]
        found: set[int] = set()
        for node in self.client.others if blocks else []:
            try:
                chain, *answers = node.batch(calls, timeout=BRIEF)
                if fmt.quantity(chain) == self.network.chain_id:
                    found |= {height for height, answer in zip(blocks, answers, strict=True) if answer and fmt.header(answer).hash != blocks[height]}
            except RpcError:
                continue
            except (RailUnreachable, Garbled):
                self.client.set_aside(node)
        return found


def _latest(node: Node, *, timeout: tuple[float, float] | None = None) -> Header | None:
    answer = node.call("eth_getBlockByNumber", ["latest", False], timeout=timeout)
    try:
        return None if answer is None else fmt.header(answer)
    except Garbled as error:
        raise RailUnreachable(f"{node.host} {error}.") from None


def _asked_for(addresses: Collection[str]) -> list[list[str] | None]:
    """Which recipients each call asks for, as topics. None for all there are: so many are compared here."""
    if len(addresses) > UNFILTERED_FROM:
        return [None]
    topics = sorted(fmt.padded(address) for address in addresses)
    return [topics[at : at + ADDRESSES_A_CALL] for at in range(0, len(topics), ADDRESSES_A_CALL)]
