"""Refunds on an EVM chain: the merchant's wallet pays, the chain says whether that is so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from payments import refunds
from payments.models import Refund
from payments.rails import Fate, rail_for
from payments.rails import evm_format as fmt
from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.chains.evm_story import ETHERS, EvmStory, installed, live_merchant
from tests.chains.refunding import OnChain, stands

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
__all__ = ["installed"]

PAYER = "0x52908400098527886E0F7030069857D2E4169EE7"
ELSEWHERE = "0x8617E340B3D01FA5F11F306F4090FD50E238070D"
DEAR = {"gasPrice": hex(5 * 10**9)}


class EvmRefunds(OnChain, EvmStory):
    payer = PAYER

    def __init__(self, anvil: Anvil, symbol: str = "USDT", **fields: Any) -> None:
        self.symbol = symbol
        super().__init__(live_merchant(), anvil=anvil, paid=False, **fields)
        self.coin = self.asset(symbol)
        self.pay(symbol)
        self.blocks(3)

    def send(self, refund: Refund, *, units: int | None = None, to: str = "", symbol: str = "", **fields: Any) -> str:
        """Into the pool; nobody is told."""
        refund.refresh_from_db()
        token = self.asset(symbol).rpartition(":")[2] if symbol else refund.asset.contract
        amount = refund.amount_units or 0 if units is None else units
        return self.anvil.pay(to or refund.address, amount, token=token, **fields)


@pytest.fixture
def story(db: None, installed: Anvil) -> EvmRefunds:
    return EvmRefunds(installed)


@pytest.mark.parametrize(("symbol", "units"), [("USDT", 108_700_000), ("ETH", ETHERS)])
def test_what_was_paid_goes_back_and_is_confirmed_with_its_fee(db: None, installed: Anvil, symbol: str, units: int) -> None:
    story = EvmRefunds(installed, symbol)
    refund = story.approved()
    assert (refund.amount_units, story.fresh().status) == (units, "paid")
    txid = story.send(refund)
    seen = [(stands(refund)[:2], story.blocks().refunded_minor) for _block in range(4)]
    assert seen == [(("approved", 0), 0), (("sent", 1), 0), (("sent", 2), 10_000), (("confirmed", 3), 10_000)]
    receipt = story.anvil.receipt(txid)
    assert (refund.txid, refund.way, refund.place) == (txid, "found", 0 if symbol == "ETH" else 1)
    assert refund.fee_units == int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16) > 0
    assert (story.invoice.status, story.invoice.left_minor) == ("paid", 0)


def test_it_may_go_out_in_another_token(story: EvmRefunds) -> None:
    refund = story.approved("today", asset=story.asset("DAI"))
    assert refund.amount_units == 108_690_000_000_000_000_000
    story.send(refund)
    story.blocks(3)
    assert (stands(refund), story.fresh().refunded_minor) == (("confirmed", 3, ""), 10_000)


def test_a_reorg_takes_it_back_to_sent_and_its_next_block_confirms_it_anew(story: EvmRefunds) -> None:
    refund = story.approved()
    txid = story.send(refund)
    story.blocks(4)
    assert stands(refund) == ("confirmed", 3, "")
    raw = story.anvil.raw(txid)
    story.anvil.reorg(4, again=[])
    assert (story.look().refunded_minor, story.invoice.returning_minor) == (0, 10_000)
    assert (stands(refund), refund.block_height, refund.txid) == (("sent", 0, ""), None, txid)
    story.anvil.rpc("eth_sendRawTransaction", raw[txid])
    story.blocks(3)
    assert (stands(refund), story.fresh().refunded_minor) == (("confirmed", 3, ""), 10_000)
    assert [kind for kind in story.kinds() if kind.startswith("refund.")][-4:] == [
        "refund.sent",
        "refund.confirmed",
        "refund.reopened",
        "refund.confirmed",
    ]


def test_a_wallet_that_sends_it_again_for_a_higher_fee_pays_it_once(story: EvmRefunds) -> None:
    """Its first transaction is never mined; the second has its number, and another id."""
    refund = story.approved()
    nonce = story.anvil.rpc("eth_getTransactionCount", story.anvil.accounts[5], "latest")
    first = story.send(refund, sender=5)
    story.name(refund, first)
    story.look()
    assert stands(refund) == ("sent", 0, "")
    second = story.send(refund, sender=5, nonce=nonce, **DEAR)
    story.blocks(3)
    assert story.anvil.receipt(first) is None
    assert (stands(refund), refund.txid) == (("confirmed", 3, ""), second)


def test_too_little_another_token_and_another_address_each_say_what_is_wrong(story: EvmRefunds) -> None:
    refund = story.approved()
    said = []
    for paid in ({"units": 54_000_000}, {"units": 5 * 10**18, "symbol": "DAI"}, {"to": ELSEWHERE}):
        story.name(refund, story.send(refund, **paid))
        story.blocks(4)
        said.append(stands(refund))
        refunds.unsent(refund, by=story.owner, now=story.now)
    assert said == [
        ("sent", 0, "It pays 54.00 USDT; this refund is 108.70 USDT."),
        ("sent", 0, "It pays 5.00 DAI; this refund is 108.70 USDT."),
        ("sent", 0, "This transaction pays nothing to the address of this refund."),
    ]
    assert story.fresh().refunded_minor == 0


def test_a_token_that_only_calls_itself_so_pays_nothing(story: EvmRefunds) -> None:
    refund = story.approved()
    txid = story.anvil.pay(PAYER, refund.amount_units or 0, token=story.anvil.fake)
    story.blocks(2)
    assert stands(refund) == ("approved", 0, "")
    story.name(refund, txid)
    story.look()
    assert stands(refund) == ("sent", 0, "This transaction pays nothing to the address of this refund.")


@pytest.mark.parametrize("symbol", ["USDT", "ETH"])
def test_one_that_failed_pays_nothing_and_says_so(db: None, installed: Anvil, symbol: str) -> None:
    story = EvmRefunds(installed, symbol)
    refund = story.approved()
    refused = {"ETH": lambda: story.anvil.send(story.anvil.usdt, 1), "USDT": lambda: story.send(refund, units=10**40)}
    txid = refused[symbol]()
    story.name(refund, txid)
    story.look()
    assert (rail_for(evm.NETWORK).fate(txid), stands(refund)) == (Fate.WAITING, ("sent", 0, ""))
    story.blocks(3)
    assert (rail_for(evm.NETWORK).fate(txid), stands(refund)) == (Fate.FAILED, ("sent", 0, "This transaction failed: it moved nothing."))


def test_one_transaction_for_two_refunds_pays_each_by_its_own_output(story: EvmRefunds) -> None:
    first, second = (story.approved("other", other_minor=minor) for minor in (4_000, 5_000))
    addresses, amounts = [PAYER, PAYER], [first.amount_units or 0, second.amount_units or 0]
    txid = story.anvil.do(story.anvil.usdt, "transferMany(address[],uint256[])", addresses, amounts)
    story.blocks(3)
    assert [(stands(one)[0], one.txid) for one in (first, second)] == [("confirmed", txid), ("confirmed", txid)]


def test_one_output_for_two_refunds_pays_one(story: EvmRefunds) -> None:
    first, second = (story.approved("other", other_minor=4_000) for _refund in range(2))
    txid = story.send(first)
    for refund in (first, second):
        story.name(refund, txid)
    story.blocks(3)
    assert (stands(first), stands(second)) == (("confirmed", 3, ""), ("sent", 0, "This transaction pays another refund."))


def test_native_coin_where_blocks_are_not_read_is_found_by_its_transaction(db: None, anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    evm.install(settings, tmp_path, evm.network_row(anvil, native="balances"))
    story = EvmRefunds(anvil)
    refund = story.approved("today", asset=story.asset("ETH"))
    txid = story.send(refund)
    story.blocks(2)
    assert stands(refund) == ("approved", 0, "")
    story.name(refund, txid)
    story.look()
    assert stands(refund) == ("sent", 2, "")
    assert (story.blocks().refunded_minor, stands(refund)) == (10_000, ("confirmed", 3, ""))


def test_native_coin_that_a_contract_sends_on_is_found_where_the_node_traces(db: None, installed: Anvil) -> None:
    story = EvmRefunds(installed, "ETH")
    refund = story.approved()
    txid = story.anvil.do(story.anvil.purse, "pay(address,uint256)", PAYER, refund.amount_units or 0)
    story.blocks(2)
    assert stands(refund)[0] == "approved"
    story.name(refund, txid)
    story.blocks(2)
    assert stands(refund) == ("confirmed", 3, "")


def test_a_fee_on_a_chain_above_another_includes_what_that_one_takes() -> None:
    row = {"blockNumber": "0x1", "blockHash": "0x" + "11" * 32, "status": "0x1", "logs": [], "gasUsed": "0x5208", "effectiveGasPrice": "0x3b9aca00"}
    assert fmt.receipt(row).fee == 21_000 * 10**9
    assert fmt.receipt(row | {"l1Fee": "0x64"}).fee == 21_000 * 10**9 + 100
    assert fmt.receipt(row | {"gasUsed": "many"}).fee is None
