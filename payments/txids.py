"""How a transaction id is spelt: people copy it with 0x or without, in any case, and out of an explorer's link."""

from __future__ import annotations

from merchants import assets
from payments.rails import rail_for


def spelt(network: str, text: str) -> str:
    """The transaction id in `text` as the rail of `network` (CAIP-2) spells it; empty for what is none there, and for a
    network that has left the catalogue."""
    if network not in assets.catalogue().networks:
        return ""
    words = text.strip().rstrip("/").lower()
    bare = words.rpartition("/")[2].partition("?")[0].partition("#")[0]
    rail = rail_for(network)
    return next((one for one in (bare, bare.removeprefix("0x"), f"0x{bare}") if rail.is_txid(one)), "")
