"""Addresses derived a second, beside what bip_utils takes for them by itself."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from bip_utils import Bip39SeedGenerator, Bip44, Bip44Changes, Bip44Coins, Bip84, Bip84Coins, Bip86, Bip86Coins

from merchants import assets
from payments import keys
from tests.bench.measuring import bound, say, timed

SEED = Bip39SeedGenerator("abandon " * 11 + "about").Generate()
KINDS: dict[str, tuple[str, str, Any, Any]] = {
    "EVM": ("evm", "eip155:1", Bip44, Bip44Coins.ETHEREUM),
    "P2WPKH": ("p2wpkh", "bip122:000000000019d6689c085ae165831e93", Bip84, Bip84Coins.BITCOIN),
    "P2TR": ("p2tr", "bip122:000000000019d6689c085ae165831e93", Bip86, Bip86Coins.BITCOIN),
    "Tron": ("tron", "tron:0x2b6653dc", Bip44, Bip44Coins.TRON),
}
ROUNDS, A_ROUND = 9, 200
LIMIT = 2.0  # times the time that bip_utils takes


def deriving() -> None:
    for name, kind in KINDS.items():
        ours, theirs = _both(*kind)
        assert [ours(index) for index in range(3)] == [theirs(index) for index in range(3)]
        took: dict[Any, list[float]] = {ours: [], theirs: []}
        for turn in range(ROUNDS):
            for make in took:  # in turns, so that a busy machine is busy for both
                first = turn * A_ROUND
                took[make].append(timed(lambda make=make, first=first: [make(index) for index in range(first, first + A_ROUND)]))
        mine, bare = (statistics.median(times) for times in took.values())
        say(f"{name} addresses derived; bip_utils alone", f"{1000 * A_ROUND / mine:,.0f} /s; {1000 * A_ROUND / bare:,.0f} /s")
        bound(f"{name}: time over that of bip_utils alone", mine / bare, LIMIT)


def _both(script: str, network_id: str, bip: Any, coin: Any) -> tuple[Callable[[int], str], Callable[[int], str]]:
    """Index → address, by the product and by bip_utils, of the same public key."""
    network = assets.catalogue().networks[network_id]
    extended = bip.FromSeed(SEED, coin).Purpose().Coin().Account(0).PublicKey().ToExtended()
    spec = keys.parse(extended, family=network.family, script=script).spec
    chain = bip.FromExtendedKey(extended, coin).Change(Bip44Changes.CHAIN_EXT)
    return (lambda index: keys.address(spec, index, network)), (lambda index: str(chain.AddressIndex(index).PublicKey().ToAddress()))
