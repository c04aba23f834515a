"""Families of networks: one wallet serves one family, since its networks share addresses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bip_utils import Base58Encoder
from django.utils.functional import cached_property

from merchants import assets
from merchants.assets import Asset, Network
from merchants.listing import all_of
from payments import addresses, keys
from payments.models import Wallet
from payments.rails import rail_for

Way = Wallet.Way


@dataclass(frozen=True)
class Family:
    """The networks of the catalogue that one wallet serves; those that are switched on, or all of them when none is."""

    key: str
    networks: tuple[Network, ...]

    @cached_property
    def assets(self) -> list[Asset]:
        ids = {network.id for network in self.networks}
        return [asset for asset in assets.catalogue().assets.values() if asset.network.id in ids]

    @property
    def names(self) -> list[str]:
        return [network.name for network in self.networks]

    @property
    def name(self) -> str:
        """'Ethereum, Polygon and Base'."""
        return all_of(self.names) or self.key

    @property
    def symbols(self) -> list[str]:
        return list(dict.fromkeys(asset.symbol for asset in self.assets))

    @property
    def face(self) -> Asset | None:
        """The asset whose disc stands for the family: its own coin, where one is received."""
        return next((asset for asset in self.assets if asset.is_native), self.assets[0] if self.assets else None)

    @property
    def is_beta(self) -> bool:
        return any(network.beta for network in self.networks)

    @property
    def is_test(self) -> bool:
        return any(network.test for network in self.networks)

    @property
    def is_bitcoin_like(self) -> bool:
        return any(network.rail == "utxo" for network in self.networks)

    @property
    def ways(self) -> tuple[Way, ...]:
        """How a wallet can be connected, the recommended way first: one address where collecting from many costs gas at each
        of them, a key where a wallet collects by itself and nobody should see all payments at one address."""
        return (Way.KEY, Way.FIXED) if self.is_bitcoin_like else (Way.FIXED, Way.KEY)

    @property
    def only_by_key(self) -> list[str]:
        """The labels of what a fixed address cannot receive."""
        return [asset.label for asset in self.assets if not addresses.is_noticed(asset, way=Way.FIXED)]

    @property
    def scripts(self) -> dict[str, str]:
        """The kinds of addresses a key can make here, each with its name, the usual one first."""
        network = self.networks[0]
        if not self.is_bitcoin_like:
            return {network.rail: str(keys.SCRIPT_NAMES[network.rail])}
        starts = {"p2pkh": _start(network.p2pkh), "p2sh-p2wpkh": _start(network.p2sh)}
        if network.bech32:
            starts |= {"p2wpkh": f"{network.bech32}1q", "p2tr": f"{network.bech32}1p"}
        order = ("p2wpkh", "p2tr", "p2sh-p2wpkh", "p2pkh")
        return {script: f"{keys.SCRIPT_NAMES[script]} ({starts[script]}…)" for script in order if starts.get(script)}

    def address(self, spec: str, index: int) -> str:
        return keys.address(spec, index, self.networks[0])

    def normal(self, address: str) -> str:
        """The one spelling of an address that a person typed. `rails.BadAddress` for what is none here."""
        return rail_for(self.networks[0].id).normal(address)


def _start(version: int) -> str:
    """The letter that base58 addresses of a version byte begin with; empty for a network without them."""
    return str(Base58Encoder.CheckEncode(bytes([version]) + b"\x80" * 20)[0]) if version >= 0 else ""


def families() -> list[Family]:
    """Those that a merchant can connect a wallet for, in the order of the catalogue."""
    return _grouped(network for network in assets.catalogue().networks.values() if network.enabled and not network.test)


def family(key: str) -> Family:
    """The family `key` as it is now, also when it is switched off or gone from the catalogue."""
    of_it = [network for network in assets.catalogue().networks.values() if network.family == key]
    return Family(key, tuple([network for network in of_it if network.enabled] or of_it))


def _grouped(networks: Iterable[Network]) -> list[Family]:
    grouped: dict[str, list[Network]] = {}
    for network in networks:
        grouped.setdefault(network.family, []).append(network)
    return [Family(key, tuple(found)) for key, found in grouped.items()]
