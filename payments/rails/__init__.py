"""The registry of rails: network → the object that reads it."""

from __future__ import annotations

from functools import lru_cache

from merchants import assets
from payments.rails.base import BadAddress, Balance, Block, Checked, Fate, Rail, RailUnreachable, Sighting
from payments.rails.evm import EvmRail
from payments.rails.sandbox import SandboxRail
from payments.rails.tron import TronRail
from payments.rails.utxo import UtxoRail

__all__ = ["KINDS", "BadAddress", "Balance", "Block", "Checked", "Fate", "Rail", "RailUnreachable", "Sighting", "rail_for"]

KINDS: dict[str, type[Rail]] = {"evm": EvmRail, "tron": TronRail, "utxo": UtxoRail, "sandbox": SandboxRail}


@lru_cache(maxsize=64)
def _made(network: assets.Network) -> Rail:
    return KINDS[network.rail](network)


def rail_for(network_id: str) -> Rail:
    """The rail of a network of the catalogue. KeyError for one that is not in it."""
    return _made(assets.catalogue().networks[network_id])
