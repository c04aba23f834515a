"""The Tron rail: the same calls as of an EVM node, so anvil stands in for one; addresses are Tron's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from merchants import assets
from merchants.assets import Asset
from payments.rails import BadAddress, rail_for
from payments.rails.tron import TronRail
from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.payments.rails.contract import RailContract

pytestmark = pytest.mark.chain

USDT = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"


class TronChain:
    def __init__(self, anvil: Anvil) -> None:
        self.anvil, self.rail = anvil, rail_for(evm.TRON)
        self.assets = list(assets.catalogue().assets.values())
        self.keys = (f"tron:{evm.TRON_XPUBS[0]}", f"tron:{evm.TRON_XPUBS[1]}")

    def pay(self, address: str, asset: Asset, units: int) -> str:
        token = self.rail.raw(asset.contract)
        return self.anvil.pay(self.rail.raw(address), units, token=token).removeprefix("0x")

    def mine(self, blocks: int = 1) -> None:
        self.anvil.mine(blocks)

    def reorg(self, depth: int, *, drop: list[str]) -> None:
        self.anvil.reorg(depth, drop=["0x" + txid for txid in drop])


@pytest.fixture
def chain(anvil: Anvil, settings: Any, tmp_path: Path) -> TronChain:
    evm.install(settings, tmp_path, evm.tron_row(anvil))
    return TronChain(anvil)


class TestTronRail(RailContract):
    @pytest.fixture
    def chain(self, chain: TronChain) -> TronChain:
        return chain


@pytest.fixture
def rail() -> TronRail:
    """Of the network as the product ships it; nothing is asked."""
    return TronRail(assets.catalogue().networks["tron:0x2b6653dc"])


def test_the_address_of_tether_is_its_twenty_bytes_in_base58(rail: TronRail) -> None:
    assert rail.raw(USDT) == "0xa614f803b6fd780986a42c78ec9c7f77e6ded13c"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (USDT, "contract of USDT on Tron"),
        (USDT[:-1] + "u", "letter of this address is wrong"),
        ("TZJozAg1ruapycCicgz31GxvYJ1G1qELV7", "letter of this address is wrong"),  # of 0x42 and twenty bytes
        ("T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb", "belongs to nobody"),
        ("0xa614f803b6fd780986a42c78ec9c7f77e6ded13c", "begin with T"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "begin with T"),
        (USDT.replace("7", "0", 1), "begin with T"),
    ],
)
def test_what_is_no_wallet_of_tron_is_refused_with_the_reason(rail: TronRail, typed: str, why: str) -> None:
    with pytest.raises(BadAddress, match=why):
        rail.normal(typed)


def test_a_transaction_of_tron_is_found_by_its_id_without_0x(chain: TronChain, anvil: Anvil) -> None:
    address = chain.rail.address(key=chain.keys[0], index=0)
    txid = chain.pay(address, chain.assets[0], 5)
    chain.mine()
    (found,) = chain.rail.in_transaction(txid, {address})
    assert (found.txid, found.units, found.address, len(txid)) == (txid, 5, address, 64)


def test_the_coin_of_tron_is_left_alone(chain: TronChain, anvil: Anvil) -> None:
    address = chain.rail.address(key=chain.keys[0], index=0)
    txid = anvil.pay(chain.rail.raw(address), 10**18)
    anvil.mine()
    head = chain.rail.head()
    assert chain.rail.scan({address}, first=0, last=head.height) == []
    assert chain.rail.native({address}, first=0, last=head.height) == []
    assert chain.rail.in_transaction(txid.removeprefix("0x"), {address}) == []


def test_a_browser_wallet_is_not_asked_for_tron(chain: TronChain) -> None:
    address = chain.rail.address(key=chain.keys[0], index=0)
    assert chain.rail.wallet_call(chain.assets[0], address=address, units=5) is None
    assert chain.rail.payment_uri(chain.assets[0], address=address, units=5) == address
