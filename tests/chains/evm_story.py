"""An invoice of 100.00 EUR of a live merchant, and anvil under it. One ETH is 3,000 EUR, one dollar of any kind 0.92."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from invoicing.models import Invoice
from merchants import assets
from merchants.models import Merchant
from payments import hints, wallets, watcher
from payments.models import Cursor, Quote, Transfer
from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.factories import NOW, make_merchant
from tests.payments.money import Story
from tests.payments.prices import set_prices

BLOCK_TIME = timedelta(seconds=12)
PRICES = {"ETH": "3000", "USDT": "0.92", "DAI": "0.92", "FEE": "0.92", "MOOD": "0.92", "USD": "0.92"}
FIXED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
ETHERS = 33_333_340_000_000_000  # what 100.00 EUR are, rounded up to the eighth digit
DOLLARS = 108_700_000  # and to the cent


def live_merchant(slug: str = "harbour-pine", *, key: str = evm.XPUBS[0], fixed: str = "", **fields: Any) -> Merchant:
    """A merchant who receives at addresses of `key`, or at one `fixed` address."""
    set_prices("EUR", PRICES, at=NOW)
    merchant = make_merchant(slug=slug, is_test=False, **fields)
    if fixed:
        wallets.connect_fixed(merchant, family="evm", address=fixed, name="Fixed", by=None, now=NOW)
    else:
        wallets.connect_key(merchant, family="evm", spec=f"evm:{key}", name="Key", by=None, now=NOW)
    merchant.refresh_from_db()
    return merchant


class EvmStory(Story):
    """Each block comes twelve seconds after the last; `network` is the one that is looked at."""

    def __init__(self, merchant: Merchant, anvil: Anvil, network: str = evm.NETWORK, **fields: Any) -> None:
        self.anvil, self.network = anvil, network
        super().__init__(merchant, **fields)

    def start_chain(self) -> None:
        """It is there, and was read up to now."""
        self.anvil.mine(at=self.now)
        watcher.read(self.network, now=self.now)

    def asset(self, symbol: str) -> str:
        return next(asset.id for asset in assets.catalogue().assets.values() if asset.network.id == self.network and asset.symbol == symbol)

    def quote(self, symbol: str = "USDT") -> Quote:
        set_prices("EUR", PRICES, at=self.now)
        return super().quote(self.asset(symbol))

    def address(self, symbol: str = "USDT") -> str:
        return self.quote(symbol).receive_address.address

    def pay(self, symbol: str = "USDT", *, units: int | None = None, quote: Quote | None = None, sender: int | None = None, **fields: Any) -> str:
        """Into the pool: what is quoted, or `units` of it."""
        quote = quote or self.quote(symbol)
        amount = quote.amount_units if units is None else units
        return self.anvil.pay(quote.receive_address.address, amount, token=quote.asset.contract, sender=sender, **fields)

    def mine(self, count: int = 1) -> None:
        """Blocks that nobody reads yet."""
        self.anvil.mine(count, at=self.now + BLOCK_TIME, seconds=BLOCK_TIME.seconds)
        self.now += count * BLOCK_TIME

    def blocks(self, count: int = 1) -> Invoice:
        for _block in range(count):
            self.mine()
            self.look()
        return self.fresh()

    def look(self, network: str = "") -> Invoice:
        watcher.read(network or self.network, now=self.now)
        return self.fresh()

    def wait(self, time: timedelta) -> None:
        self.now += time

    def hint(self, txid: str = "") -> None:
        hints.say(self.fresh(), txid=txid, now=self.now)

    def transfer(self) -> Transfer:
        (found,) = self.transfers()
        return found

    def outcome(self) -> list[tuple[str, int | None]]:
        """Of each transfer its state and its credit."""
        return [(row.status, row.credit_minor) for row in self.transfers()]

    def cursor(self) -> Cursor:
        return Cursor.objects.get(network=self.network)


@pytest.fixture
def installed(anvil: Anvil, settings: Any, tmp_path: Path) -> Anvil:
    """anvil, and it is the only network."""
    evm.install(settings, tmp_path, evm.network_row(anvil))
    return anvil


@pytest.fixture
def story(db: None, installed: Anvil) -> Iterator[EvmStory]:
    return EvmStory(live_merchant(), installed)
