"""The catalogue of networks and assets: operator configuration, read once from NETWORKS_FILE.

A network is named by CAIP-2 (https://chainagnostic.org/CAIPs/caip-2), an asset by CAIP-19
(https://chainagnostic.org/CAIPs/caip-19).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

if TYPE_CHECKING:
    from merchants.models import Merchant


WIDE = Context(prec=100)


@dataclass(frozen=True)
class Network:
    id: str  # CAIP-2
    name: str
    rail: str
    family: str  # one wallet serves one family
    test: bool
    confirmations: int
    grace_minutes: int
    takes: str  # how long a payment takes, in words
    explorer_tx: str  # a URL with {txid}, or empty
    reorg_depth: int


@dataclass(frozen=True)
class Asset:
    id: str  # CAIP-19
    symbol: str
    name: str
    network: Network
    decimals: int
    payable_decimals: int
    minimum_units: int
    glyph: str
    colour: str
    price: str  # the name under which price sources know it

    @property
    def label(self) -> str:
        """As on screen: 'USDT on Tron'."""
        return f"{self.symbol} on {self.network.name}"

    @property
    def payable_unit(self) -> int:
        """The step that quotes are rounded up to, in smallest units."""
        return int(10 ** (self.decimals - self.payable_decimals))

    def frozen(self) -> dict[str, Any]:
        """What an issued invoice keeps of this asset."""
        return {
            "id": self.id,
            "symbol": self.symbol,
            "name": self.name,
            "network": self.network.name,
            "decimals": self.decimals,
            "glyph": self.glyph,
            "colour": self.colour,
        }


@dataclass(frozen=True)
class Catalogue:
    networks: dict[str, Network]
    assets: dict[str, Asset]
    currencies: tuple[str, ...]


class UnknownAsset(LookupError):
    """No asset of this id in the catalogue."""


def parse(text: str) -> Catalogue:
    """Read a catalogue. KeyError for a missing key, ValueError for a doubled id."""
    data = tomllib.loads(text)
    networks: dict[str, Network] = {}
    assets: dict[str, Asset] = {}
    for row in data["network"]:
        rows = row.pop("asset", [])
        network = Network(**row)
        if network.id in networks:
            raise ValueError(f"{network.id} is listed twice")
        networks[network.id] = network
        for raw in rows:
            asset = Asset(network=network, minimum_units=_units(raw.pop("minimum"), raw), **raw)
            if asset.id in assets:
                raise ValueError(f"{asset.id} is listed twice")
            assets[asset.id] = asset
    return Catalogue(networks, assets, tuple(data["currencies"]))


def _units(text: str, row: dict[str, Any]) -> int:
    """The minimum in smallest units. ValueError for what this asset cannot hold, so that it is found at start."""
    if row["payable_decimals"] > row["decimals"]:
        raise ValueError(f"{row['id']}: payable_decimals is above decimals")
    units = Decimal(text).scaleb(row["decimals"], WIDE)
    if units != units.to_integral_value() or units < 0:
        raise ValueError(f"{row['id']}: the minimum {text} is not a whole number of its smallest unit")
    return int(units)


@lru_cache(maxsize=4)
def _load(path: str) -> Catalogue:
    return parse(Path(path).read_text())


def catalogue() -> Catalogue:
    return _load(str(settings.NETWORKS_FILE))


def asset(asset_id: str) -> Asset:
    try:
        return catalogue().assets[asset_id]
    except KeyError:
        raise UnknownAsset(asset_id) from None


def usable_by(merchant: Merchant) -> list[Asset]:
    """What this merchant may ever switch on: a test merchant the sandbox only, others anything but."""
    return [found for found in catalogue().assets.values() if found.network.test == merchant.is_test]


def accepted_by(merchant: Merchant) -> list[Asset]:
    """The assets this merchant accepts now, in its order; what the catalogue dropped is left out."""
    return among(usable_by(merchant), merchant.accepted_assets)


def among(assets: Iterable[Asset], ids: Iterable[str]) -> list[Asset]:
    """Those of `assets` that `ids` names, in the order of `ids`."""
    known = {found.id: found for found in assets}
    return [known[name] for name in ids if name in known]
