"""anvil as the tests of the EVM rail see it, by itself or behind a facade."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from merchants import assets
from merchants.assets import Asset
from payments.rails import Sighting, rail_for
from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.chains.facade import Facade


class EvmChain:
    def __init__(self, anvil: Anvil, network: str) -> None:
        self.anvil, self.rail = anvil, rail_for(network)
        self.assets = [asset for asset in assets.catalogue().assets.values() if asset.symbol in ("ETH", "USDT", "DAI")]
        self.keys = (f"evm:{evm.XPUBS[0]}", f"evm:{evm.XPUBS[1]}")

    def pay(self, address: str, asset: Asset, units: int) -> str:
        return self.anvil.pay(address, units, token=asset.contract)

    def mine(self, blocks: int = 1) -> None:
        self.anvil.mine(blocks)

    def reorg(self, depth: int, *, drop: list[str]) -> None:
        self.anvil.reorg(depth, drop=drop)


def seen(chain: EvmChain, *addresses: str) -> list[Sighting]:
    head = chain.rail.head()
    assert head
    return chain.rail.scan(set(addresses), first=0, last=head.height)


def outcomes(found: list[Sighting]) -> list[tuple[str, int]]:
    return [(assets.asset(one.asset_id).symbol, one.units) for one in found]


def behind(anvil: Anvil, facade: Facade, settings: Any, folder: Path, **columns: Any) -> EvmChain:
    evm.install(settings, folder, evm.network_row(anvil, urls=(facade.url,), **columns))
    return EvmChain(anvil, evm.NETWORK)
