"""Bitcoin and its family: outputs to a script, seen in the mempool and in blocks.

A payment's key is its transaction id and the number of its output. Replaced by fee (BIP-125), double spent or taken back with
its block, it is no longer in the mempool nor in a block. Sources may differ in kind: a node's own JSON-RPC, or Esplora.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from typing import TypeVar

from merchants import assets
from merchants.assets import WIDE, Asset, Network
from payments import keys
from payments.rails import scripts
from payments.rails.base import Block, Checked, Fate, Rail, RailUnreachable, Sighting
from payments.rails.bitcoind import CoreSource
from payments.rails.esplora import EsploraSource, Site
from payments.rails.jsonrpc import Client, Node
from payments.rails.source import HASH, Output, Source

T = TypeVar("T")

ESPLORA = "esplora+"
KEPT_SCRIPTS = 100_000


class UtxoRail(Rail):
    blocks_a_pass = 24  # a full block of Bitcoin's takes a node about a second

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self._client = Client(network.urls, verify=self._verify, make=_node)
        self._sources: dict[Node, Source] = {node: _source(node) for node in self._client.nodes}
        self._scripts: dict[str, str] = {}  # by address: decoding one costs more than looking for it

    # --- addresses ----------------------------------------------------------------------------------------------
    def address(self, *, key: str, index: int) -> str:
        return keys.address(key, index, self.network)

    def normal(self, address: str) -> str:
        return scripts.normal(address, self.network)

    def is_txid(self, text: str) -> bool:
        return HASH.fullmatch(text) is not None

    def payment_uri(self, asset: Asset, *, address: str, units: int) -> str:
        """BIP-21: the amount in whole coins, never with an exponent."""
        amount = Decimal(units).scaleb(-asset.decimals, WIDE).normalize(WIDE)
        return f"{self.network.uri_scheme}:{address}?amount={amount:f}"

    # --- the chain ----------------------------------------------------------------------------------------------
    def head(self) -> Block | None:
        return self._client.pick(lambda node: self._sources[node].head())

    def blocks(self, first: int, last: int) -> list[Block]:
        return self._asked(lambda source: source.blocks(first, last))

    def scan(self, addresses: Collection[str], *, first: int, last: int) -> list[Sighting]:
        watched = self._watched(addresses)
        return self._sightings(self._asked(lambda source: source.mined(watched, first=first, last=last)), watched)

    def pool(self, addresses: Collection[str]) -> list[Sighting]:
        watched = self._watched(addresses)
        return self._sightings(self._asked(lambda source: source.waiting(watched)), watched)

    def in_transaction(self, txid: str, addresses: Collection[str]) -> list[Sighting]:
        watched = self._watched(addresses)
        told = self._asked(lambda source: source.transaction(txid, watched))
        return self._sightings(told.outputs, watched) if told else []

    def fate(self, txid: str) -> Fate:
        told = self._asked(lambda source: source.transaction(txid, {}))
        if told is None:
            return Fate.UNKNOWN
        return Fate.DONE if told.block else Fate.WAITING

    def fee(self, txid: str) -> int | None:
        told = self._asked(lambda source: source.transaction(txid, {}))
        return told.fee if told else None

    def disputed(self, blocks: Mapping[int, str]) -> set[int]:
        found: set[int] = set()
        for node in self._client.others if blocks else ():
            try:
                self._client.verified(node)
                there = self._sources[node].hashes(blocks.keys())
            except RailUnreachable:
                continue
            found |= {height for height, hash_there in there.items() if hash_there != blocks[height]}
        return found

    def source(self) -> str:
        return self._client.host

    def check(self) -> Checked:
        remarks, heads = [], []
        for node in self._client.nodes:
            try:
                self._verify(node)
                heads.append((node.host, self._sources[node].head()))
            except RailUnreachable as error:
                remarks.append(str(error))
        if not heads:
            raise RailUnreachable(" ".join(remarks) or "No node is configured.")
        host, head = heads[0]
        top = max(found.height for _host, found in heads)
        remarks += [f"{behind} is {top - found.height} blocks behind." for behind, found in heads if top - found.height > 1]
        return Checked(source=host, chain=_reference(self.network), head=head, remarks=tuple(remarks))

    # --- how it asks --------------------------------------------------------------------------------------------
    def _verify(self, node: Node) -> None:
        """CAIP-2 names a chain of this family by the first 32 digits of its genesis block's hash
        (https://chainagnostic.org/CAIPs/caip-4 and its profile bip122)."""
        genesis = self._sources[node].genesis()
        if genesis[:32] != _reference(self.network):
            raise RailUnreachable(f"{node.host} is a node of another chain: its first block is {genesis[:32]}.")

    def _asked(self, ask: Callable[[Source], T]) -> T:
        """What the source of this pass says. One that fails is left for the next pass."""
        try:
            return ask(self._sources[self._client.node])
        except RailUnreachable:
            self._client.leave()
            raise

    def _watched(self, addresses: Iterable[str]) -> dict[str, str]:
        """Script → address."""
        if len(self._scripts) > KEPT_SCRIPTS:
            self._scripts = {}
        known = self._scripts
        for address in addresses:
            if address not in known:
                known[address] = scripts.script(address, self.network)
        return {known[address]: address for address in addresses}

    def _sightings(self, outputs: Iterable[Output], watched: Mapping[str, str]) -> list[Sighting]:
        coin = next(asset.id for asset in assets.catalogue().assets.values() if asset.is_native and asset.network.id == self.network.id)
        return [Sighting(one.txid, one.place, watched[one.script], coin, one.units, one.block) for one in outputs]


def _reference(network: Network) -> str:
    return network.id.partition(":")[2]


def _node(url: str) -> Node:
    return Site(url.removeprefix(ESPLORA)) if url.startswith(ESPLORA) else Node(url)


def _source(node: Node) -> Source:
    return EsploraSource(node) if isinstance(node, Site) else CoreSource(node)
