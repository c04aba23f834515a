"""The catalogue of networks and assets: operator configuration, read once from NETWORKS_FILE.

A network is named by CAIP-2 (https://chainagnostic.org/CAIPs/caip-2), an asset by CAIP-19
(https://chainagnostic.org/CAIPs/caip-19).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext

if TYPE_CHECKING:
    from merchants.models import Merchant


WIDE = Context(prec=100)


@dataclass(frozen=True)
class Network:
    """A row of the catalogue; docs/networks.md explains each key."""

    id: str  # CAIP-2
    name: str
    rail: str
    family: str  # one wallet serves one family
    confirmations: int
    grace_minutes: int
    takes: str  # how long a payment takes, in words
    explorer_tx: str  # a URL with {txid}, or empty
    reorg_depth: int  # the trailing window of blocks that each pass reads again
    key: str = ""  # its name in the environment and in commands
    test: bool = False
    beta: bool = False
    enabled: bool = True
    urls: tuple[str, ...] = ()  # nodes, first come first asked
    poll_seconds: int = 1
    larger: tuple[tuple[int, int], ...] = ()  # (from so many USD, so many confirmations), ascending
    finality: str = ""  # EVM: the block tag up to which the node calls the chain final; confirmations are then only shown
    chain_id: int = 0  # EVM
    native: str = "blocks"  # EVM: how payments in the native coin are found: blocks, balances, none
    max_range: int = 100  # EVM: the most blocks one eth_getLogs asks for
    wallet_url: str = ""  # EVM: the public node a payer's wallet is given when it does not know the chain
    uri_scheme: str = ""  # Bitcoin family: bitcoin, litecoin (BIP-21)
    bech32: str = ""  # Bitcoin family: the human-readable part of SegWit addresses (BIP-173)
    p2pkh: int = -1  # Bitcoin family: version bytes of base58 addresses
    p2sh: int = -1
    explorer_address: str = ""  # a URL with {address}, or empty


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
    exact_decimals: int = -1  # on a fixed address amounts differ down to this digit; payable_decimals without it
    peg: str = ""  # the currency a stablecoin is worth one of
    contract_symbol: str = ""  # what the contract calls itself, where that is not `symbol`

    @property
    def is_native(self) -> bool:
        return "/slip44:" in self.id

    @property
    def contract(self) -> str:
        """The address of a token's contract; empty for the native coin."""
        return "" if self.is_native else self.id.rpartition(":")[2]

    @property
    def label(self) -> str:
        """As on screen: 'USDT on Tron'."""
        return gettext("%(symbol)s on %(network)s") % {"symbol": self.symbol, "network": self.network.name}

    @property
    def payable_unit(self) -> int:
        """The step that quotes are rounded up to, in smallest units."""
        return int(10 ** (self.decimals - self.payable_decimals))

    @property
    def exact_unit(self) -> int:
        """The step by which amounts on one fixed address differ, in smallest units."""
        return int(10 ** (self.decimals - (self.payable_decimals if self.exact_decimals < 0 else self.exact_decimals)))

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


def parse(text: str, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Catalogue:
    """Read a catalogue; `overrides` are columns by a network's key. KeyError for a missing key, ValueError for a doubled id
    or an override of a network that is not there."""
    data = tomllib.loads(text)
    overrides = dict(overrides or {})
    networks: dict[str, Network] = {}
    assets: dict[str, Asset] = {}
    for row in data["network"]:
        rows = row.pop("asset", [])
        network = _network(row, overrides)
        if network.id in networks:
            raise ValueError(f"{network.id} is listed twice")
        networks[network.id] = network
        for raw in rows:
            asset = Asset(network=network, minimum_units=_units(raw.pop("minimum"), raw), **raw)
            if asset.id in assets:
                raise ValueError(f"{asset.id} is listed twice")
            assets[asset.id] = asset
    if overrides:
        raise ValueError(f"the environment sets {', '.join(sorted(overrides))}, and no network has that key")
    return Catalogue(networks, assets, tuple(data["currencies"]))


def _network(row: dict[str, Any], overrides: dict[str, Mapping[str, Any]]) -> Network:
    row = {**row, **overrides.pop(row.get("key", ""), {})}
    row["urls"] = tuple(row.get("urls", ()))
    row["larger"] = tuple((usd, count) for usd, count in row.get("larger", ()))
    network = Network(**row)
    if not all(map(_is_node, network.urls)):  # which of them is not said: a password may stand in it
        raise ValueError(f"{network.name}: the URL of a node begins with http:// or https://, or with esplora+ before that")
    most = max([network.confirmations, *(count for _usd, count in network.larger)])
    if most > network.reorg_depth:
        raise ValueError(f"{network.name}: reorg_depth is {network.reorg_depth}, less than the {most} confirmations asked for")
    return network


def _is_node(url: str) -> bool:
    try:
        parts = urlsplit(url.removeprefix("esplora+"))
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        return False


def _units(text: str, row: dict[str, Any]) -> int:
    """The minimum in smallest units. ValueError for what this asset cannot hold, so that it is found at start."""
    if max(row["payable_decimals"], row.get("exact_decimals", -1)) > row["decimals"]:
        raise ValueError(f"{row['id']}: payable_decimals or exact_decimals is above decimals")
    units = Decimal(text).scaleb(row["decimals"], WIDE)
    if units != units.to_integral_value() or units < 0:
        raise ValueError(f"{row['id']}: the minimum {text} is not a whole number of its smallest unit")
    return int(units)


@lru_cache(maxsize=8)
def _load(path: str, overrides: str) -> Catalogue:
    return parse(Path(path).read_text(), json.loads(overrides))


def catalogue() -> Catalogue:
    return _load(str(settings.NETWORKS_FILE), json.dumps(settings.NETWORK_OVERRIDES, sort_keys=True))


def asset(asset_id: str) -> Asset:
    try:
        return catalogue().assets[asset_id]
    except KeyError:
        raise UnknownAsset(asset_id) from None


def usable_by(merchant: Merchant) -> list[Asset]:
    """What this merchant may ever switch on: a test merchant the sandbox only, others anything but."""
    return [found for found in catalogue().assets.values() if found.network.enabled and found.network.test == merchant.is_test]


def accepted_by(merchant: Merchant) -> list[Asset]:
    """The assets this merchant accepts now, in its order; what the catalogue dropped is left out."""
    return among(usable_by(merchant), merchant.accepted_assets)


def among(assets: Iterable[Asset], ids: Iterable[str]) -> list[Asset]:
    """Those of `assets` that `ids` names, in the order of `ids`."""
    known = {found.id: found for found in assets}
    return [known[name] for name in ids if name in known]
