"""A node of Bitcoin's family by its own JSON-RPC (https://developer.bitcoin.org/reference/rpc/): Bitcoin Core, Litecoin Core.

It needs no index and no wallet, and may be pruned beyond the trailing window.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from threading import Lock
from typing import Any

from payments.rails.base import Block, RailUnreachable
from payments.rails.jsonrpc import Call, Node, RpcError
from payments.rails.source import Malformed, Output, Source, Told, block_hash, coins, count, field, moment, rows, script

Place = tuple[str, int, int]  # txid, place, satoshi
Outputs = dict[str, list[Place]]  # by script

NO_SUCH_HEIGHT = -8
NO_SUCH_TRANSACTION = -5
KEPT_OUTPUTS = 300_000  # of read blocks: about 100 MB, more than a trailing window of full blocks
KEPT_HEADERS = 5_000
READ_A_PASS = 50_000  # transactions of the mempool
READ_AT_ONCE = 1_000
PLACES_TRIED = 50  # of a transaction that no index knows
SLOW = (3.0, 30.0)  # seconds; a small computer takes its time to write a full block as JSON


class CoreSource(Source):
    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._headers: OrderedDict[str, Block] = OrderedDict()
        self._blocks: OrderedDict[str, Outputs] = OrderedDict()
        self._kept = 0
        self._lock = Lock()
        self._pool: dict[str, Outputs] = {}  # by txid; replaced whole, never changed

    def genesis(self) -> str:
        return self._read(lambda: block_hash(self.node.call("getblockhash", [0])))

    def head(self) -> Block:
        def newest() -> Block:
            name = block_hash(self.node.call("getbestblockhash"))
            return self._headers.get(name) or self._header(name, self.node.call("getblockheader", [name]))

        return self._read(newest)

    def blocks(self, first: int, last: int) -> list[Block]:
        return self._read(lambda: self._blocks_now(first, last))

    def hashes(self, heights: Collection[int]) -> dict[int, str]:
        return self._read(lambda: self._hashes(heights))

    def mined(self, watched: Mapping[str, str], *, first: int, last: int) -> list[Output]:
        def found() -> list[Output]:
            return [
                Output(txid, place, hit, units, block)
                for block in self._blocks_now(first, last)
                for hit, txid, place, units in _hits(self._outputs(block), watched)
            ]

        return self._read(found)

    def waiting(self, watched: Mapping[str, str]) -> list[Output]:
        def found() -> list[Output]:
            self._read_pool([block_hash(txid) for txid in rows(self.node.call("getrawmempool"))])
            return [Output(txid, place, hit, units, None) for outputs in self._pool.values() for hit, txid, place, units in _hits(outputs, watched)]

        return self._read(found)

    def transaction(self, txid: str, watched: Mapping[str, str]) -> Told | None:
        """Of the mempool; of blocks by the node's index of transactions, or, without one, by what of it is not spent yet."""
        return self._read(lambda: self._told(txid, watched))

    def _told(self, txid: str, watched: Mapping[str, str]) -> Told | None:
        calls: list[Call] = [("getrawtransaction", [txid, 2]), ("getmempoolentry", [txid])]
        row, entry = (None if isinstance(one, RpcError) else one for one in self.node.batch(calls, tolerant=True))
        if row is None:
            return self._unspent(txid, watched)
        if field(row, "txid") != txid:
            raise Malformed("another transaction than it was asked for")
        block = self._of_chain(row["blockhash"]) if row.get("blockhash") else None
        if row.get("blockhash") and block is None:
            return None  # the index remembers blocks that were taken back
        fee = field(entry, "fees", "base") if entry else row.get("fee")
        return Told(tuple(_told_outputs(row, watched, block)), block, None if fee is None else coins(fee))

    def _of_chain(self, name: Any) -> Block | None:
        """The block `name`, if it is on the chain as it is now."""
        block = self._headers.get(block_hash(name)) or self._header(name, self.node.call("getblockheader", [name]))
        return block if self._hashes([block.height]).get(block.height) == block.hash else None

    def _unspent(self, txid: str, watched: Mapping[str, str]) -> Told | None:
        answers = self.node.batch([("gettxout", [txid, place, True]) for place in range(PLACES_TRIED)], tolerant=True)
        there = [(place, answer) for place, answer in enumerate(answers) if isinstance(answer, dict)]
        if not there:
            return None
        deep = count(field(there[0][1], "confirmations"))
        top = self._of_chain(field(there[0][1], "bestblock")) if deep else None
        block = next(iter(self._blocks_now(top.height - deep + 1, top.height - deep + 1)), None) if top else None
        paid = [(place, coins(field(row, "value")), script(field(row, "scriptPubKey", "hex"))) for place, row in there]
        return Told(tuple(Output(txid, place, hit, units, block) for place, units, hit in paid if hit in watched and units), block, None)

    # --- blocks -------------------------------------------------------------------------------------------------
    def _read(self, ask: Any) -> Any:
        """What `ask` finds. A refusal that nobody expected makes the node one that cannot be asked."""
        try:
            return ask()
        except Malformed as error:
            raise self.unusable(str(error)) from None
        except RpcError as error:
            raise RailUnreachable(str(error)) from None

    def _hashes(self, heights: Collection[int]) -> dict[int, str]:
        answers = self.node.batch([("getblockhash", [height]) for height in heights], tolerant=True)
        found = {}
        for height, answer in zip(heights, answers, strict=True):
            if not isinstance(answer, RpcError):
                found[height] = block_hash(answer)
            elif answer.code != NO_SUCH_HEIGHT:
                raise answer
        return found

    def _blocks_now(self, first: int, last: int) -> list[Block]:
        top = count(self.node.call("getblockcount"))
        names = self._hashes(range(max(first, 0), min(last, top) + 1))
        known = {name: self._headers.get(name) for name in names.values()}
        missing = [name for name, block in known.items() if block is None]
        answers = self.node.batch([("getblockheader", [name]) for name in missing])
        known |= {name: self._header(name, answer) for name, answer in zip(missing, answers, strict=True)}
        found = [block for block in known.values() if block is not None]
        if [block.height for block in found] != list(names):
            raise Malformed("a block of another height than it was asked for")
        return found

    def _header(self, name: str, answer: Any) -> Block:
        if field(answer, "hash") != name:
            raise Malformed("another block than it was asked for")
        block = Block(count(field(answer, "height")), name, moment(field(answer, "time")))
        with self._lock:
            self._headers[name] = block
            while len(self._headers) > KEPT_HEADERS:
                self._headers.popitem(last=False)
        return block

    def _outputs(self, block: Block) -> Outputs:
        """What the block pays, by script. A block never changes, so it is read once."""
        with self._lock:
            if block.hash in self._blocks:
                self._blocks.move_to_end(block.hash)
                return self._blocks[block.hash]
        answer = self.node.call("getblock", [block.hash, 2], timeout=SLOW)
        if field(answer, "hash") != block.hash:
            raise Malformed("another block than it was asked for")
        found: Outputs = {}
        for transaction in rows(field(answer, "tx")):
            _add_outputs(found, transaction)
        with self._lock:
            self._keep(block.hash, found)
        return found

    def _keep(self, name: str, found: Outputs) -> None:
        self._blocks[name] = found
        self._kept = sum(len(outputs) for outputs in self._blocks.values())
        while self._kept > KEPT_OUTPUTS and len(self._blocks) > 1:
            _name, outputs = self._blocks.popitem(last=False)
            self._kept -= len(outputs)

    # --- the mempool --------------------------------------------------------------------------------------------
    def _read_pool(self, txids: list[str]) -> None:
        """Read what is new in the mempool. RailUnreachable while there is more than one pass can read: what is not known to be
        there must not look as if it were gone."""
        known = self._pool
        fresh = {txid: known[txid] for txid in txids if txid in known}
        unseen = [txid for txid in txids if txid not in known]
        for start in range(0, min(len(unseen), READ_A_PASS), READ_AT_ONCE):
            some = unseen[start : min(start + READ_AT_ONCE, READ_A_PASS)]
            answers = self.node.batch([("getrawtransaction", [txid, True]) for txid in some], tolerant=True)
            for txid, answer in zip(some, answers, strict=True):
                if (outputs := _waiting(txid, answer)) is not None:
                    fresh[txid] = outputs
        self._pool = fresh
        if len(unseen) > READ_A_PASS:
            raise RailUnreachable(f"{self.node.host} has {len(txids)} waiting transactions, of which {len(fresh)} are read; the next pass goes on.")


def _told_outputs(row: Any, watched: Mapping[str, str], block: Block | None) -> list[Output]:
    found: Outputs = {}
    _add_outputs(found, row)
    return [Output(txid, place, hit, units, block) for hit in watched for txid, place, units in found.get(hit, [])]


def _waiting(txid: str, answer: Any) -> Outputs | None:
    """The outputs of a transaction in the mempool; None when it has left it meanwhile."""
    if isinstance(answer, RpcError):
        if answer.code != NO_SUCH_TRANSACTION:
            raise answer
        return None
    if field(answer, "txid") != txid:
        raise Malformed("another transaction than it was asked for")
    if answer.get("blockhash"):
        return None
    found: Outputs = {}
    _add_outputs(found, answer)
    return found


def _add_outputs(found: Outputs, transaction: Any) -> None:
    txid = block_hash(field(transaction, "txid"))
    for output in rows(field(transaction, "vout")):
        if isinstance(output, dict) and "scriptPubKey" not in output:  # Litecoin's MWEB hides amount and receiver
            continue
        units = coins(field(output, "value"))
        if units:
            place = count(field(output, "n"), most=2**32 - 1)
            found.setdefault(script(field(output, "scriptPubKey", "hex")), []).append((txid, place, units))


def _hits(outputs: Outputs, watched: Mapping[str, str]) -> list[tuple[str, str, int, int]]:
    few, many = (watched, outputs) if len(watched) < len(outputs) else (outputs, watched)
    found = [(hit, *place) for hit in few if hit in many for place in outputs[hit]]
    return sorted(found, key=lambda row: row[1:3]) if len(found) > 1 else found
