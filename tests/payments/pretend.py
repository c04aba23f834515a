"""Two small networks of one family whose chain is a list in memory, so that a test can make a node lag, lie, fall silent or
go away. Amounts are smallest units; blocks come every ten seconds."""

from __future__ import annotations

import copy
import hashlib
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.conf import settings

from merchants import assets
from merchants.assets import Asset, Network
from merchants.models import Merchant
from payments import rails, watcher
from payments.models import ReceiveAddress, Transfer, Wallet, WalletKey
from payments.rails import BadAddress, Balance, Block, Fate, Rail, RailUnreachable, Sighting
from tests.factories import NOW, make_merchant
from tests.payments.money import Story
from tests.payments.prices import set_prices

HOME, AWAY = "eip155:7001", "eip155:7002"
ETH, USDC, AWAY_USDC = f"{HOME}/slip44:60", f"{HOME}/erc20:0xusdc", f"{AWAY}/erc20:0xusdc"

CATALOGUE = """
currencies = ["EUR", "USD"]

[[network]]
id = "eip155:7001"
key = "home"
name = "Homechain"
rail = "pretend"
family = "evm"
urls = ["http://127.0.0.1:1", "http://127.0.0.1:2"]
confirmations = 3
larger = [[1000, 5], [100000, 8]]
grace_minutes = 5
takes = "A minute"
explorer_tx = "https://explorer.example/tx/{txid}"
reorg_depth = 10
poll_seconds = 5

[[network.asset]]
id = "eip155:7001/slip44:60"
symbol = "ETH"
name = "Ether"
decimals = 18
payable_decimals = 8
minimum = "0.00001"
glyph = "Ξ"
colour = "eth"
price = "ETH"

[[network.asset]]
id = "eip155:7001/erc20:0xusdc"
symbol = "USDC"
name = "USD Coin"
decimals = 6
payable_decimals = 2
exact_decimals = 4
minimum = "0.01"
glyph = "$"
colour = "usdc"
price = "USDC"

[[network]]
id = "eip155:7002"
key = "away"
name = "Awaychain"
rail = "pretend"
family = "evm"
confirmations = 3
grace_minutes = 5
takes = "A minute"
explorer_tx = ""
reorg_depth = 10

[[network.asset]]
id = "eip155:7002/erc20:0xusdc"
symbol = "USDC"
name = "USD Coin"
decimals = 6
payable_decimals = 2
minimum = "0.01"
glyph = "$"
colour = "usdc"
price = "USDC"
"""


@dataclass
class Node:
    """What a node says, and how it misbehaves."""

    blocks: list[Block] = field(default_factory=list)
    paid: list[Sighting] = field(default_factory=list)  # with their block, or waiting in the pool
    inner: list[Sighting] = field(default_factory=list)  # shown by `in_transaction` and balances alone
    balances: dict[str, Balance] = field(default_factory=dict)
    final: int | None = None
    disputed: set[int] = field(default_factory=set)
    lags: int = 0  # blocks that it does not know yet
    is_silent: bool = False  # answers [] to every scan
    forgets: bool = False  # keeps the state of its newest block only
    failed: set[str] = field(default_factory=set)  # transactions that moved nothing
    fees: dict[str, int] = field(default_factory=dict)
    away: int = 0  # calls that fail before it answers again
    asked: list[Any] = field(default_factory=list)

    @property
    def head(self) -> Block:
        return self.blocks[-1]

    def mine(self, count: int = 1, *, now: datetime) -> None:
        for _block in range(count):
            block = Block(len(self.blocks), secrets.token_hex(8), now)
            self.blocks.append(block)
            self.paid = [replace(one, block=block) if one.block is None else one for one in self.paid]

    def pay(self, address: str, asset_id: str, units: int, *, place: int = 0, txid: str = "") -> str:
        """Into the pool."""
        found = Sighting(txid or "0x" + secrets.token_hex(32), place, address, asset_id, units, None)
        self.paid.append(found)
        return found.txid

    def pay_inside(self, address: str, asset_id: str, units: int) -> str:
        """By an inner call, in the newest block: no scan shows it."""
        txid = "0x" + secrets.token_hex(32)
        self.inner.append(Sighting(txid, 10_000, address, asset_id, units, self.head))
        return txid

    def sweep(self, address: str) -> None:
        """The merchant takes everything from the address."""
        held = self.balance(address)
        self.balances[address] = Balance(self.balances.get(address, held).units - held.units, held.sent_count + 1, self.head)

    def balance(self, address: str) -> Balance:
        """What came, less what was swept (kept as a negative correction)."""
        return self.balance_at(address, self.head)

    def balance_at(self, address: str, block: Block) -> Balance:
        """The same up to an older block; what was swept is taken as swept before it."""
        there = [one for one in [*self.paid, *self.inner] if one.block and one.block.height <= block.height]
        came = sum(one.units for one in there if one.address == address and one.asset_id.endswith("slip44:60"))
        swept = self.balances.get(address, Balance(0, 0, self.head))
        return Balance(came + swept.units, swept.sent_count, block)

    def reorg(self, depth: int, *, now: datetime, drop: Collection[str] = (), to_pool: bool = True) -> None:
        """Replace the top `depth` blocks: what was in them goes back to the pool, or (`drop`) is gone."""
        first = len(self.blocks) - depth
        self.paid = [one for one in self.paid if one.txid not in drop]
        self.paid = [replace(one, block=None) if one.block and one.block.height >= first else one for one in self.paid]
        waiting, self.paid = ([], self.paid) if not to_pool else (self.waiting, [one for one in self.paid if one.block])
        del self.blocks[first:]
        self.mine(depth, now=now)
        self.paid += waiting

    @property
    def waiting(self) -> list[Sighting]:
        return [one for one in self.paid if one.block is None]


class PretendRail(Rail):
    nodes: ClassVar[dict[str, Node]] = {}

    @property
    def node(self) -> Node:
        node = self.nodes[self.network.id]
        if node.away:
            node.away -= 1
            raise RailUnreachable("127.0.0.1 does not answer.")
        return node

    def address(self, *, key: str, index: int) -> str:
        return f"0x{key.removeprefix('evm:')}{index:04d}"

    def normal(self, address: str) -> str:
        if not address.startswith("0x"):
            raise BadAddress("no")
        return address.strip()

    def is_txid(self, text: str) -> bool:
        return text.startswith("0x") and len(text) == 66

    def head(self) -> Block | None:
        node = self.node
        return node.blocks[len(node.blocks) - 1 - node.lags] if node.blocks else None

    def blocks(self, first: int, last: int) -> list[Block]:
        return [block for block in self.node.blocks[: len(self.node.blocks) - self.node.lags] if first <= block.height <= last]

    def scan(self, addresses: Collection[str], *, first: int, last: int) -> list[Sighting]:
        node = self.node
        node.asked.append((first, last))
        if node.is_silent:
            return []
        return [one for one in self._mined(addresses, first, last) if self.network.native == "blocks" or not one.asset_id.endswith("slip44:60")]

    def _mined(self, addresses: Collection[str], first: int, last: int) -> list[Sighting]:
        return [one for one in self.node.paid if one.block and first <= one.block.height <= last and one.address in addresses]

    def pool(self, addresses: Collection[str]) -> list[Sighting]:
        return [] if self.node.is_silent else [one for one in self.node.waiting if one.address in addresses]

    def payment_uri(self, asset: Asset, *, address: str, units: int) -> str:
        return address

    def source(self) -> str:
        return "127.0.0.1:1"

    def final_height(self) -> int | None:
        return self.node.final

    def disputed(self, blocks: Mapping[int, str]) -> set[int]:
        return self.node.disputed & set(blocks)

    def hides_payments(self, asset: Asset) -> bool:
        return asset.is_native

    def balances(self, addresses: Collection[str], *, height: int | None = None) -> dict[str, Balance]:
        node = self.node
        if height is not None and (node.forgets or height >= len(node.blocks)):
            return {}
        return {address: node.balance(address) if height is None else node.balance_at(address, node.blocks[height]) for address in addresses}

    def native(self, addresses: Collection[str], *, first: int, last: int) -> list[Sighting]:
        return [one for one in self._mined(addresses, first, last) if one.asset_id.endswith("slip44:60")]

    def in_transaction(self, txid: str, addresses: Collection[str]) -> list[Sighting]:
        node = self.node
        node.asked.append(txid)
        return [one for one in [*node.inner, *node.paid] if one.txid == txid and one.block and one.address in addresses]

    def fate(self, txid: str) -> Fate:
        node = self.node
        if txid in node.failed:
            return Fate.FAILED
        there = [one for one in [*node.inner, *node.paid] if one.txid == txid]
        return Fate.UNKNOWN if not there else Fate.DONE if there[0].block else Fate.WAITING

    def fee(self, txid: str) -> int | None:
        return self.node.fees.get(txid)


def pretending(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """The chain of HOME, with ten blocks; AWAY has as many. Prices in EUR are as old as NOW."""
    file = folder / "networks.toml"
    file.write_text(CATALOGUE)
    monkeypatch.setattr(settings, "NETWORKS_FILE", file)
    monkeypatch.setattr(settings, "NETWORK_OVERRIDES", {})
    monkeypatch.setitem(rails.KINDS, "pretend", PretendRail)
    nodes = {HOME: Node(), AWAY: Node()}
    monkeypatch.setattr(PretendRail, "nodes", nodes)
    for node in nodes.values():
        node.mine(10, now=NOW - timedelta(minutes=1))
    return nodes[HOME]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    return pretending(tmp_path, monkeypatch)


def away() -> Node:
    return PretendRail.nodes[AWAY]


def network(network_id: str = HOME) -> Network:
    return assets.catalogue().networks[network_id]


def price(at: datetime) -> None:
    """1 ETH is 3,000 EUR, 1 USDC 0.92 and 1 USD 0.80: as of `at`."""
    set_prices("EUR", {"ETH": "3000", "USDC": "0.92", "USD": "0.8"}, at=at)


def living(slug: str = "live", **fields: Any) -> Merchant:
    """A live merchant; it accepts everything, and prices are known."""
    price(NOW)
    return make_merchant(slug=slug, is_test=False, **fields)


def own_wallet(merchant: Merchant) -> Wallet:
    """A key of its own: each invoice gets an address of it."""
    key = WalletKey.objects.create(identity=hashlib.sha256(merchant.slug.encode()).hexdigest())
    return Wallet.objects.create(merchant=merchant, family="evm", name="Key", way=Wallet.Way.KEY, key=key, spec=f"evm:{merchant.slug}")


def fixed_wallet(merchant: Merchant, address: str = "") -> Wallet:
    address = address or f"0xfixed{merchant.slug}"
    wallet = Wallet.objects.create(merchant=merchant, family="evm", name="Fixed", way=Wallet.Way.FIXED, fixed_address=address)
    ReceiveAddress.objects.create(wallet=wallet, family="evm", address=address, created_at=NOW)
    return wallet


class LiveStory(Story):
    """An open invoice of 100.00 EUR of a live merchant, on HOME; each block is ten seconds later."""

    def __init__(self, merchant: Merchant, node: Node, **fields: Any) -> None:
        self.node = node
        super().__init__(merchant, **fields)

    def start_chain(self) -> None:
        """It is there."""

    def quote(self, asset: str = USDC) -> Any:
        price(self.now)
        return super().quote(asset)

    def pay(self, asset: str = USDC, *, units: int | None = None, quote: Any = None, place: int = 0) -> str:
        quote = quote or self.quote(asset)
        return self.node.pay(quote.receive_address.address, quote.asset_id, quote.amount_units if units is None else units, place=place)

    def blocks(self, count: int = 1, *, look: bool = True) -> Any:
        for _block in range(count):
            self.now += timedelta(seconds=10)
            self.node.mine(now=self.now)
            if look:
                self.look()
        return self.fresh()

    def look(self, network_id: str = HOME) -> Any:
        watcher.read(network_id, now=self.now)
        return self.fresh()

    def transfer(self) -> Transfer:
        (found,) = self.transfers()
        return copy.copy(found)
