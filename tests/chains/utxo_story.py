"""An invoice of 100.00 EUR of a live merchant, and a Litecoin node under it. One LTC is 100 EUR, a block comes every 150 seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from invoicing.models import Invoice
from merchants.models import Merchant
from payments import wallets, watcher
from payments.models import Cursor, Quote, Transfer
from tests.chains.litecoin import BLOCK_TIME, LTC, NETWORK, Litecoin, catalogue, fresh_key
from tests.factories import NOW, make_merchant
from tests.payments.money import Story
from tests.payments.prices import set_prices

COIN = 10**8
PRICES = {"LTC": "100", "USD": "0.92"}


def live_merchant(slug: str = "harbour-pine", *, key: str = "", fixed: str = "", **fields: Any) -> Merchant:
    """A merchant who receives at addresses of `key` (one of its own without), or at one `fixed` address."""
    merchant = make_merchant(slug=slug, is_test=False, **fields)
    if fixed:
        wallets.connect_fixed(merchant, family="litecoin", address=fixed, name="Fixed", by=None, now=NOW)
    else:
        wallets.connect_key(merchant, family="litecoin", spec=key or fresh_key(), name="Key", by=None, now=NOW)
    merchant.refresh_from_db()
    return merchant


class UtxoStory(Story):
    """The node's clock is the story's."""

    def __init__(self, merchant: Merchant, node: Litecoin, **fields: Any) -> None:
        self.node = node
        super().__init__(merchant, **fields)

    def start_chain(self) -> None:
        """It is there, and was read up to now."""
        self.now = self.node.now
        set_prices("EUR", PRICES, at=self.now)
        watcher.read(NETWORK, now=self.now)

    def quote(self, asset: str = LTC) -> Quote:
        set_prices("EUR", PRICES, at=self.now)
        return super().quote(asset)

    def address(self) -> str:
        return self.quote().receive_address.address

    def pay(self, asset: str = LTC, *, units: int | None = None, quote: Quote | None = None) -> str:
        """Into the mempool: what is quoted, or `units` of it."""
        quote = quote or self.quote()
        return self.node.pay(quote.receive_address.address, quote.amount_units if units is None else units)

    def mine(self, count: int = 1, *, empty: bool = False) -> None:
        """Blocks that nobody reads yet."""
        self.node.mine(count, empty=empty)
        self.now = self.node.now

    def blocks(self, count: int = 1) -> Invoice:
        for _block in range(count):
            self.mine()
            self.look()
        return self.fresh()

    def look(self) -> Invoice:
        self.now = max(self.now, self.node.now)
        watcher.read(NETWORK, now=self.now)
        return self.fresh()

    def wait(self, blocks: int) -> None:
        """As long as so many blocks take, without one."""
        self.node.tick(blocks * BLOCK_TIME)
        self.now = self.node.now

    def transfer(self) -> Transfer:
        (found,) = self.transfers()
        return found

    def outcome(self) -> list[tuple[str, int | None]]:
        """Of each transfer its state and its credit."""
        return [(row.status, row.credit_minor) for row in self.transfers()]

    def cursor(self) -> Cursor:
        return Cursor.objects.get(network=NETWORK)


@pytest.fixture
def installed(litecoin: Litecoin, settings: Any, tmp_path: Path) -> Litecoin:
    """The node, and it is the only network."""
    settings.NETWORKS_FILE = catalogue(tmp_path, [litecoin.url])
    return litecoin


@pytest.fixture
def story(db: None, installed: Litecoin) -> UtxoStory:
    return UtxoStory(live_merchant(), installed)


@pytest.fixture(params=["core", "esplora"])
def either(request: pytest.FixtureRequest, db: None, litecoin: Litecoin, settings: Any, tmp_path: Path) -> UtxoStory:
    """The story, read from the node itself and once more through Esplora."""
    url = litecoin.url if request.param == "core" else request.getfixturevalue("esplora").url
    settings.NETWORKS_FILE = catalogue(tmp_path, [url])
    return UtxoStory(live_merchant(), litecoin)
