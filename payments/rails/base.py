"""The contract of a rail: one kind of network, behind one face. `tests/payments/rails/contract.py` holds every rail to it.

A rail only reads the chain and hands out addresses. It decides nothing: what a transfer counts for is settlement's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from merchants.assets import Asset, Network


class RailUnreachable(Exception):
    """The network's node cannot be asked now; the watcher tries again on its next pass."""


@dataclass(frozen=True)
class Block:
    height: int
    hash: str
    at: datetime  # aware, UTC; what the chain says


@dataclass(frozen=True)
class Sighting:
    """An output to a watched address, in a block or (block None) in the pool.

    `place` is its place inside the transaction, which a reorg does not move. `units` is above zero.
    """

    txid: str
    place: int
    address: str
    asset_id: str
    units: int
    block: Block | None

    @property
    def key(self) -> tuple[str, int]:
        return self.txid, self.place


class Rail(ABC):
    def __init__(self, network: Network) -> None:
        self.network = network

    @abstractmethod
    def address(self, *, wallet_id: int, index: int) -> str:
        """The receive address number `index` of a wallet: the same every time, another for every other pair."""

    @abstractmethod
    def head(self) -> Block | None:
        """The newest block, None before the first. RailUnreachable when the node cannot be asked."""

    @abstractmethod
    def blocks(self, first: int, last: int) -> list[Block]:
        """The blocks of heights `first` to `last` on the chain as it is now, lowest first; none above the head."""

    @abstractmethod
    def scan(self, addresses: Collection[str], *, first: int, last: int) -> list[Sighting]:
        """Every payment to `addresses` in blocks `first` to `last`, both included."""

    @abstractmethod
    def pool(self, addresses: Collection[str]) -> list[Sighting]:
        """Every payment to `addresses` that waits for a block; empty where the network has no pool to read."""

    @abstractmethod
    def payment_uri(self, asset: Asset, *, address: str, units: int) -> str:
        """What the QR code holds: a URI that wallets understand, or the plain address where URIs are not dependable."""

    def explorer_tx(self, txid: str) -> str:
        """Where a person can look at the transaction; empty where there is no explorer."""
        return self.network.explorer_tx.format(txid=txid) if self.network.explorer_tx else ""
