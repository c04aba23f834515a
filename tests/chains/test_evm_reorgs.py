"""What the chain takes back: reorgs, replaced nonces, reverts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.chains.evm_story import ETHERS, EvmStory, installed, live_merchant, story

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
__all__ = ["installed", "story"]

HIGHER = {"gasPrice": hex(5 * 10**9)}
# A token's code that gives half of what is sent: log3(Transfer, caller, calldata[4], calldata[36] / 2), and returns true.
HALVING = (
    "0x60243560011c600052" + "60043533" + "7fddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef" + "60206000a3" + "600160005260206000f3"
)


@pytest.mark.parametrize("symbol", ["ETH", "USDT"])
def test_a_reorg_that_drops_the_payment_takes_its_credit_back(story: EvmStory, symbol: str) -> None:
    txid = story.pay(symbol)
    story.blocks(3)
    assert story.invoice.status == "paid"
    story.anvil.reorg(3, drop=[txid])
    assert (story.look().status, story.invoice.credited_minor, story.outcome()) == ("open", 0, [("dropped", 10_000)])
    assert "payment.dropped" in story.kinds()
    story.blocks(5)
    assert story.outcome() == [("dropped", 10_000)]


def test_a_dropped_payment_that_is_mined_after_all_is_the_same_transfer(story: EvmStory) -> None:
    txid = story.pay()
    story.blocks(2)
    raw = story.anvil.raw(txid)
    story.anvil.reorg(2, again=[])
    assert (story.look().pending_minor, story.outcome()) == (0, [("dropped", 10_000)])
    story.blocks(3)
    story.anvil.rpc("eth_sendRawTransaction", raw[txid])
    assert (story.blocks(3).status, story.outcome()) == ("paid", [("final", 10_000)])


def test_a_payment_that_a_reorg_moves_to_another_block_counts_its_confirmations_anew(story: EvmStory) -> None:
    txid = story.pay()
    story.blocks(3)
    height = story.transfer().block_height
    story.anvil.reorg(3)
    story.look()
    assert story.outcome() == [("dropped", 10_000)]  # it is back in the pool, which EVM nodes do not show
    story.blocks()
    row = story.transfer()
    assert (row.txid, row.status, row.confirmations, row.block_height) == (txid, "seen", 1, height + 3)
    assert (story.blocks(2).status, story.invoice.credited_minor) == ("paid", 10_000)


def test_two_payments_moved_to_another_height_and_another_log_index_stay_two_with_their_credit(story: EvmStory) -> None:
    first = story.pay(units=40_000_000)
    second = story.pay(units=60_000_000)
    story.blocks(2)
    before = {row.txid: (row.place, row.amount_units, row.credit_minor) for row in story.transfers()}
    indexes = {txid: story.anvil.receipt(txid)["logs"][0]["logIndex"] for txid in (first, second)}
    raw = story.anvil.raw(first, second)
    story.anvil.reorg(2, again=[])
    assert (story.look().pending_minor, {status for status, _credit in story.outcome()}) == (0, {"dropped"})
    story.mine()
    for _other in range(3):
        story.anvil.pay(story.anvil.accounts[0], 7, token=story.anvil.dai, **HIGHER)
    for txid in (second, first):
        story.anvil.rpc("eth_sendRawTransaction", raw[txid])
    story.blocks(3)
    moved = {txid: story.anvil.receipt(txid)["logs"][0]["logIndex"] for txid in (first, second)}
    assert all(moved[txid] != indexes[txid] for txid in moved)
    assert {row.txid: (row.place, row.amount_units, row.credit_minor) for row in story.transfers()} == before
    assert ([status for status, _credit in story.outcome()], story.invoice.credited_minor) == (["final", "final"], 9_198)


def test_a_reorg_between_two_passes_that_moves_both_is_seen_at_once(story: EvmStory) -> None:
    """The pass finds them in other blocks at once: withdrawn and added again in one transaction, with no gap between."""
    first, second = story.pay(units=40_000_000), story.pay(units=60_000_000)
    story.blocks(2)
    events = len(story.kinds())
    raw = story.anvil.raw(first, second)
    story.anvil.reorg(2, again=[])
    story.anvil.pay(story.anvil.accounts[0], 7, token=story.anvil.dai, **HIGHER)
    for txid in (second, first):
        story.anvil.rpc("eth_sendRawTransaction", raw[txid])
    story.blocks()
    assert (story.outcome(), story.invoice.pending_minor) == ([("seen", 3_679), ("seen", 5_519)], 9_198)
    assert len(story.kinds()) == events


@pytest.mark.parametrize("symbol", ["ETH", "USDT"])
def test_a_replaced_nonce_that_pays_somebody_else_takes_the_payment_back(story: EvmStory, symbol: str) -> None:
    nonce = story.anvil.rpc("eth_getTransactionCount", story.anvil.accounts[5], "latest")
    txid = story.pay(symbol, sender=5)
    story.blocks(2)
    assert story.invoice.pending_minor == 10_000
    story.anvil.reorg(2, again=[])
    story.anvil.pay(story.anvil.accounts[6], 10**15, sender=5, nonce=nonce, **HIGHER)
    story.blocks(4)
    assert story.anvil.receipt(txid) is None
    assert (story.invoice.status, story.invoice.credited_minor, story.outcome()) == ("open", 0, [("dropped", 10_000)])


def test_a_payment_replaced_in_the_pool_by_one_with_a_higher_fee_counts_once(story: EvmStory) -> None:
    quote = story.quote("ETH")
    nonce = story.anvil.rpc("eth_getTransactionCount", story.anvil.accounts[5], "latest")
    first = story.pay(quote=quote, sender=5)
    story.look()
    second = story.pay(quote=quote, sender=5, nonce=nonce, **HIGHER)
    story.blocks(3)
    assert first != second
    assert ([row.txid for row in story.transfers()], story.invoice.credited_minor) == ([second], 10_000)


def test_a_reorg_that_puts_a_double_spend_in_the_block_of_the_payment_is_noticed(story: EvmStory) -> None:
    """The same height, another block, and in it another transaction of the same nonce to the same invoice, of less."""
    quote = story.quote("ETH")
    nonce = story.anvil.rpc("eth_getTransactionCount", story.anvil.accounts[5], "latest")
    story.pay(quote=quote, sender=5)
    story.blocks()
    story.anvil.reorg(1, again=[])
    story.anvil.pay(quote.receive_address.address, ETHERS // 10, sender=5, nonce=nonce, **HIGHER)
    story.blocks(3)
    assert (story.invoice.credited_minor, story.outcome()) == (1_000, [("dropped", 10_000), ("final", 1_000)])


def test_a_transfer_that_reverts_is_nothing(story: EvmStory) -> None:
    story.anvil.do(story.anvil.moody, "feel(uint8)", 2)
    story.blocks()
    txid = story.pay("MOOD")
    story.blocks(3)
    assert story.anvil.receipt(txid)["status"] == "0x0"
    assert story.transfers() == []


def test_a_transfer_that_came_through_before_a_reorg_and_reverts_after_it_is_taken_back(story: EvmStory) -> None:
    txid = story.pay("MOOD")
    story.blocks(2)
    assert story.invoice.pending_minor == 10_000
    raw = story.anvil.raw(txid)
    story.anvil.reorg(2, again=[])
    story.anvil.do(story.anvil.moody, "feel(uint8)", 2, **HIGHER)
    story.mine()
    story.anvil.rpc("eth_sendRawTransaction", raw[txid])
    story.blocks(3)
    assert story.anvil.receipt(txid)["status"] == "0x0"
    assert (story.invoice.status, story.outcome()) == ("open", [("dropped", 10_000)])


def test_a_transfer_that_brings_less_after_a_reorg_counts_for_what_it_brings(story: EvmStory) -> None:
    """The same transaction, the same log, another amount: what a payment through an exchange contract does."""
    quote = story.quote("MOOD")
    txid = story.pay(quote=quote)
    story.blocks(3)
    assert (story.invoice.status, story.outcome()) == ("paid", [("final", 10_000)])
    raw = story.anvil.raw(txid)
    story.anvil.reorg(3, again=[])
    story.anvil.rpc("anvil_setCode", quote.asset.contract, HALVING)
    story.anvil.rpc("eth_sendRawTransaction", raw[txid])
    story.blocks(4)
    assert (story.transfer().txid, story.transfer().amount_units) == (txid, quote.amount_units // 2)
    assert (story.invoice.status, story.invoice.credited_minor, story.outcome()) == ("open", 5_000, [("final", 5_000)])


def test_a_reorg_deeper_than_the_window_is_followed_to_the_payment(story: EvmStory) -> None:
    txid = story.pay()
    story.blocks(8)
    assert story.invoice.status == "paid"
    story.anvil.reorg(8, drop=[txid])
    story.mine(10)
    assert (story.look().status, story.outcome()) == ("open", [("dropped", 10_000)])


def test_a_shorter_chain_after_a_reorg_is_read(story: EvmStory) -> None:
    txid = story.pay()
    story.blocks(2)
    snapshot = story.anvil.height
    story.anvil.rpc("anvil_rollback", 3)
    story.anvil.rpc("anvil_setCoinbase", "0x" + "12" * 20)
    story.mine()
    assert story.anvil.height == snapshot - 2
    story.blocks(4)
    assert story.anvil.receipt(txid) is None
    assert (story.invoice.pending_minor, story.outcome()) == (0, [("dropped", 10_000)])


def test_what_is_final_by_the_networks_tag_is_final_and_not_before(db: None, anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    evm.install(settings, tmp_path, evm.network_row(anvil, finality="finalized"))
    story = EvmStory(live_merchant(), anvil)
    story.pay()
    story.blocks()
    height = story.transfer().block_height
    shown = []
    while story.invoice.status == "open":
        shown.append((story.transfer().confirmations, int(anvil.rpc("eth_getBlockByNumber", "finalized", False)["number"], 16) >= height))
        story.blocks()
    assert shown == [(1, False), *[(2, False)] * (len(shown) - 1)]
    assert (len(shown), story.transfer().confirmations) == (8, 3)


def test_the_larger_invoice_waits_longer(db: None, anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    evm.install(settings, tmp_path, evm.network_row(anvil, larger=((1000, 6),)))
    merchant = live_merchant()
    small, large = EvmStory(merchant, anvil), EvmStory(merchant, anvil, price="1000.00")
    small.pay()
    large.pay()
    large.blocks(3)
    assert (small.fresh().status, large.fresh().status) == ("paid", "open")
    assert (large.blocks(3).status, large.transfer().confirmations, large.transfer().amount_units) == ("paid", 6, 1_086_960_000)
