"""The registry of rails: network → the object that reads it."""

from __future__ import annotations

from functools import lru_cache

from merchants import assets
from payments.rails.base import BadAddress, Balance, Block, Checked, Rail, RailUnreachable, Sighting
from payments.rails.sandbox import SandboxRail

__all__ = ["KINDS", "BadAddress", "Balance", "Block", "Checked", "Rail", "RailUnreachable", "Sighting", "rail_for"]

KINDS: dict[str, type[Rail]] = {"sandbox": SandboxRail}


@lru_cache(maxsize=64)
def _made(network: assets.Network) -> Rail:
    return KINDS[network.rail](network)


def rail_for(network_id: str) -> Rail:
    """The rail of a network of the catalogue. KeyError for one that is not in it."""
    return _made(assets.catalogue().networks[network_id])
