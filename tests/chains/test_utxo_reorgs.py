"""What a Litecoin chain takes back: double spends, payments replaced by a higher fee, reorgs."""

from __future__ import annotations

import pytest

from tests.chains.utxo_story import COIN, UtxoStory, either, installed, story

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
__all__ = ["either", "installed", "story"]


def test_a_double_spend_by_a_higher_fee_takes_the_credit_back(either: UtxoStory) -> None:
    txid = either.pay()
    assert either.look().pending_minor == 10_000
    either.node.double_spend(txid)
    assert (either.look().pending_minor, either.invoice.due_minor, either.outcome()) == (0, 10_000, [("dropped", 10_000)])
    assert either.kinds()[-1] == "payment.dropped"
    assert (either.blocks(4).status, either.outcome()) == ("open", [("dropped", 10_000)])


def test_a_replacement_that_pays_again_counts_in_its_place(either: UtxoStory) -> None:
    quote = either.quote()
    address = quote.receive_address.address
    first = either.pay(quote=quote)
    either.look()
    second = either.node.double_spend(first, to=address, units=COIN)
    assert either.look().pending_minor == 10_000
    assert {row.txid: row.status for row in either.transfers()} == {first: "dropped", second: "seen"}
    assert (either.blocks(3).status, either.invoice.credited_minor) == ("paid", 10_000)


def test_a_replacement_that_pays_less_counts_for_less(story: UtxoStory) -> None:
    quote = story.quote()
    first = story.pay(quote=quote)
    story.look()
    story.node.double_spend(first, to=quote.receive_address.address, units=COIN // 4)
    story.blocks(3)
    assert (story.invoice.status, story.invoice.credited_minor, story.outcome()) == ("open", 2_500, [("dropped", 10_000), ("final", 2_500)])


def test_a_reorg_that_drops_the_payment_takes_its_credit_back(either: UtxoStory) -> None:
    txid = either.pay()
    either.blocks(3)
    assert either.invoice.status == "paid"
    either.node.reorg(3, drop=[txid])
    assert (either.look().status, either.invoice.credited_minor, either.outcome()) == ("open", 0, [("dropped", 10_000)])
    assert either.blocks(5).status == "open"


def test_a_reorg_that_takes_the_payment_back_to_the_pool_makes_it_wait_again(either: UtxoStory) -> None:
    txid = either.pay()
    either.blocks(3)
    height = either.transfer().block_height
    assert (either.invoice.status, height) == ("paid", either.node.height - 2)
    either.node.reorg(3, empty=True)
    assert (either.look().status, either.invoice.pending_minor, either.invoice.credited_minor) == ("open", 10_000, 0)
    row = either.transfer()
    assert (row.txid, row.status, row.confirmations, row.block_height, row.block_hash) == (txid, "seen", 0, None, "")
    assert [either.blocks().status for _block in range(3)] == ["open", "open", "paid"]
    assert (either.transfer().block_height, either.invoice.credited_minor) == (height + 3, 10_000)
    assert "payment.dropped" not in either.kinds()


def test_a_reorg_that_moves_two_payments_of_one_invoice_leaves_two_with_their_credit(either: UtxoStory) -> None:
    address = either.address()
    for units in (40_000_000, 60_000_000):
        either.node.pay_many([(address, units)])
        either.blocks()
    before = [(row.pk, row.txid, row.place, row.credit_minor) for row in either.transfers()]
    heights = [row.block_height for row in either.transfers()]
    either.node.reorg(2)
    either.mine()
    either.look()
    assert [(row.pk, row.txid, row.place, row.credit_minor) for row in either.transfers()] == before
    assert [row.block_height for row in either.transfers()] == [heights[0], heights[0]]  # both in the first of the new blocks
    assert (either.blocks().status, either.invoice.credited_minor, either.outcome()) == ("paid", 10_000, [("final", 4_000), ("final", 6_000)])


def test_a_payment_that_was_dropped_and_is_mined_after_all_is_the_same_transfer(story: UtxoStory) -> None:
    txid = story.pay()
    raw = story.node.rpc("getrawtransaction", txid)
    story.blocks(2)
    top = story.node.rpc("getbestblockhash")
    story.node.reorg(2, drop=[txid])
    assert (story.look().pending_minor, story.outcome()) == (0, [("dropped", 10_000)])
    story.node.rpc("reconsiderblock", story.node.rpc("getblockheader", top)["previousblockhash"])
    story.node.rpc("invalidateblock", story.node.rpc("getblockhash", story.node.height - 1))
    story.node.rpc("reconsiderblock", top)
    assert raw and story.node.rpc("getbestblockhash") == top
    story.look()
    assert (story.transfer().txid, story.outcome(), story.blocks().status) == (txid, [("seen", 10_000)], "paid")


def test_a_reorg_below_the_trailing_window_is_read_from_where_it_began(story: UtxoStory) -> None:
    """What is in the window's lowest block is taken back with it, however deep the reorg went."""
    story.blocks(5)
    txid = story.pay()
    story.blocks(7)
    assert story.invoice.status == "paid"
    story.node.reorg(12, drop=[txid])
    story.blocks()
    assert (story.invoice.status, story.outcome()) == ("open", [("dropped", 10_000)])
