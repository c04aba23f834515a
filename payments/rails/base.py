"""The contract of a rail: one kind of network, behind one face. `tests/payments/rails/contract.py` holds every rail to it.

A rail only reads the chain and makes addresses. It decides nothing: what a transfer counts for is settlement's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from merchants.assets import Asset, Network


class RailUnreachable(Exception):
    """The network's node cannot be asked now; the watcher tries again on its next pass. The text is for operators and names
    a host, never a whole URL: that can hold a password."""


class BadAddress(ValueError):
    """This is no address of the network; the text says why, for the person who typed it."""


@dataclass(frozen=True)
class Block:
    height: int
    hash: str
    at: datetime  # aware, UTC; what the chain says


@dataclass(frozen=True)
class Sighting:
    """An output to a watched address, in a block or (block None) in the pool.

    `place` is its place inside the transaction, which a reorg does not move. `units` is above zero. Of money that only a balance
    shows, `block` is the one of the look, and `since` from when on it can have come.
    """

    txid: str
    place: int
    address: str
    asset_id: str
    units: int
    block: Block | None
    since: datetime | None = None

    @property
    def key(self) -> tuple[str, int]:
        return self.txid, self.place


@dataclass(frozen=True)
class Balance:
    """What an address holds of the native coin, and how many transactions it has ever sent, at one height."""

    units: int
    sent_count: int
    block: Block


@dataclass(frozen=True)
class Checked:
    """What `manage.py networks` prints of one network."""

    source: str  # the host that answered
    chain: str  # chain id or genesis, as the node says
    head: Block | None
    remarks: tuple[str, ...] = ()  # what is wrong: a URL that does not answer, a token whose contract says otherwise


class Fate(Enum):
    """What has become of a transaction, as far as a node tells."""

    UNKNOWN = "unknown"  # the node has not heard of it, or cannot be asked for single transactions
    WAITING = "waiting"  # for a block
    DONE = "done"  # in a block, and carried out
    FAILED = "failed"  # in a block, and undone: it moved nothing


class Rail(ABC):
    """Addresses come and go in their normal form (see `normal`). Every reading method raises RailUnreachable when no node
    can be asked, or when the one that is asked changes in the middle of a pass."""

    blocks_a_pass = 200  # so many are read at once while catching up; a pass must end within its lease

    def __init__(self, network: Network) -> None:
        self.network = network

    @abstractmethod
    def address(self, *, key: str, index: int) -> str:
        """The receive address number `index` of a key (`Wallet.spec`): the same every time, another for every other pair."""

    @abstractmethod
    def normal(self, address: str) -> str:
        """The one spelling of an address that a person typed. BadAddress for what is none on this network, or has a wrong
        checksum."""

    @abstractmethod
    def is_txid(self, text: str) -> bool:
        """Whether this is the spelling of a transaction id, in lower case and as sightings have it."""

    @abstractmethod
    def head(self) -> Block | None:
        """The newest block, None before the first. It also settles which node is asked for the rest of the pass."""

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

    def token_link(self, asset: Asset, *, address: str, units: int) -> str:
        """A link that opens a wallet with a payment in a token; empty where there is none. Not every wallet reads it whole, so it
        is no `payment_uri`: it is offered behind a warning only."""
        return ""

    def source(self) -> str:
        """The host that is asked now; empty where there is none to speak of."""
        return ""

    def final_height(self) -> int | None:
        """Up to where the network itself calls the chain final; None where confirmations are counted instead."""
        return None

    def disputed(self, blocks: Mapping[int, str]) -> set[int]:
        """Those heights of `blocks` (height → hash) at which another configured node, if it can be asked, has another block."""
        return set()

    def hides_payments(self, asset: Asset) -> bool:
        """Whether payments in `asset` can come in ways that `scan` does not see, so that balances are looked at."""
        return False

    def balances(self, addresses: Collection[str], *, height: int | None = None) -> dict[str, Balance]:
        """What each address holds of the native coin: at the head, or at the block `height`. Empty where that is not there, or the
        node keeps no state so old. Asked only where `hides_payments`."""
        return {}

    def native(self, addresses: Collection[str], *, first: int, last: int) -> list[Sighting]:
        """The native payments of these blocks, where `scan` leaves them out (`native = "balances"`)."""
        return []

    def in_transaction(self, txid: str, addresses: Collection[str]) -> list[Sighting]:
        """The payments to `addresses` of one transaction, inner calls included where the node can trace them; also of one in
        the pool, where the node shows that. Empty where single transactions cannot be asked for."""
        return []

    def fate(self, txid: str) -> Fate:
        """What has become of one transaction."""
        return Fate.UNKNOWN

    def fee(self, txid: str) -> int | None:
        """What the network took for a transaction, in the smallest unit of its native coin; None where that is not known."""
        return None

    def wallet_call(self, asset: Asset, *, address: str, units: int) -> dict[str, Any] | None:
        """What a browser wallet (EIP-1193) is asked for, as JSON: the chain, and the very transaction. None where there is none."""
        return None

    def check(self) -> Checked:
        """A look at the network as it is configured, for operators. RailUnreachable when no node answers."""
        return Checked(source=self.source(), chain=self.network.id, head=self.head())

    def explorer_tx(self, txid: str) -> str:
        """Where a person can look at the transaction; empty where there is no explorer."""
        return self.network.explorer_tx.format(txid=txid) if self.network.explorer_tx else ""

    def explorer_address(self, address: str) -> str:
        return self.network.explorer_address.format(address=address) if self.network.explorer_address else ""
