"""What the chain can be made to say by anybody, and what it must not credit."""

from __future__ import annotations

from typing import Any

import pytest

from payments.models import Transfer
from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.chains.evm_story import DOLLARS, ETHERS, FIXED, EvmStory, installed, live_merchant, story
from tests.chains.facade import Facade

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
__all__ = ["installed", "story"]

SAY = "say(address,address,uint256)"


def untouched(story: EvmStory) -> bool:
    return (story.fresh().credited_minor, story.invoice.pending_minor, story.transfers(), Transfer.objects.count()) == (0, 0, [], 0)


def test_a_token_that_shares_the_symbol_credits_nothing(story: EvmStory) -> None:
    story.anvil.pay(story.address(), DOLLARS, token=story.anvil.fake)
    story.blocks(3)
    assert untouched(story)


def test_a_contract_that_emits_what_it_likes_credits_nothing(story: EvmStory) -> None:
    story.anvil.do(story.anvil.liar, SAY, story.anvil.accounts[1], story.address(), DOLLARS)
    story.blocks(3)
    assert untouched(story)


def test_transfers_of_nothing_credit_nothing(story: EvmStory) -> None:
    story.pay(units=0)
    story.pay("ETH", units=0)
    story.blocks(3)
    assert untouched(story)


def test_a_token_that_says_no_credits_nothing(story: EvmStory) -> None:
    story.anvil.do(story.anvil.moody, "feel(uint8)", 1)
    story.blocks()
    story.pay("MOOD")
    story.blocks(3)
    assert untouched(story)


@pytest.mark.parametrize("units", [2**256 - 1, 2**255, 10**40])
def test_an_amount_that_no_invoice_could_have_waits_for_the_merchant_and_holds_up_nobody(story: EvmStory, units: int) -> None:
    neighbour = EvmStory(story.invoice.merchant, story.anvil)
    story.anvil.do(story.anvil.usdt, "mint(address,uint256)", story.address(), units)
    neighbour.pay()
    story.blocks(3)
    row = story.transfer()
    assert (row.amount_units, row.credit_minor, row.is_held, row.status) == (units, None, True, "final")
    assert (story.invoice.status, story.invoice.credited_minor, story.cursor().error) == ("open", 0, "")
    assert neighbour.fresh().status == "paid"


def test_of_a_token_with_a_fee_what_arrived_is_credited(story: EvmStory) -> None:
    story.pay("FEE")
    story.blocks(3)
    assert (story.transfer().amount_units, story.invoice.status, story.invoice.credited_minor) == (DOLLARS * 99 // 100, "open", 9_900)


def test_address_poisoning_credits_nothing(story: EvmStory) -> None:
    """Dust and false tokens between addresses that begin and end like the invoice's."""
    address = story.address()
    lookalike = address[:8].lower() + "0" * 28 + address[-6:].lower()
    story.anvil.pay(lookalike, DOLLARS, token=story.anvil.usdt)
    story.anvil.pay(lookalike, ETHERS)
    story.anvil.do(story.anvil.liar, SAY, lookalike, address, DOLLARS)
    story.anvil.do(story.anvil.liar, SAY, address, lookalike, DOLLARS)
    story.anvil.pay(address, 0, token=story.anvil.usdt)
    story.blocks(3)
    assert untouched(story)


def test_dust_is_its_own_small_worth_and_pays_nothing(story: EvmStory) -> None:
    story.pay(units=1)
    story.blocks(3)
    assert (story.outcome(), story.invoice.status, story.invoice.is_underpaid) == ([("final", 0)], "open", False)


def test_another_payers_transaction_id_credits_nothing_at_own_addresses(story: EvmStory) -> None:
    thief = EvmStory(story.invoice.merchant, story.anvil)
    thief.quote()
    txid = story.pay()
    story.blocks()
    thief.hint(txid)
    story.blocks(2)
    assert (story.fresh().status, thief.look().status, thief.invoice.credited_minor, thief.transfers()) == ("paid", "open", 0, [])


def test_hostile_transfers_to_a_fixed_address_credit_nothing(db: None, installed: Anvil) -> None:
    story = EvmStory(live_merchant(fixed=FIXED), installed)
    quote = story.quote()
    installed.pay(FIXED, quote.amount_units, token=installed.fake)
    installed.do(installed.liar, SAY, installed.accounts[1], FIXED, quote.amount_units)
    installed.pay(FIXED, 0, token=installed.usdt)
    story.blocks(3)
    assert untouched(story)


def test_a_log_of_a_payment_that_was_never_made_credits_nothing(db: None, anvil: Anvil, settings: Any, tmp_path: Any) -> None:
    """A node invents a log, with a transaction that does not exist, or with one that did something else."""
    with Facade(anvil.url) as facade:
        evm.install(settings, tmp_path, evm.network_row(anvil, urls=(facade.url,)))
        story = EvmStory(live_merchant(), anvil)
        address = story.address()
        real = anvil.pay(anvil.accounts[3], 1, token=anvil.usdt)
        story.mine()
        (true,) = anvil.receipt(real)["logs"]
        paid = {**true, "topics": [*true["topics"][:2], "0x" + "0" * 24 + address[2:].lower()], "data": f"0x{DOLLARS:064x}"}
        for made_up in (paid, {**paid, "transactionHash": "0x" + "ab" * 32}, {**paid, "logIndex": "0x9"}, {**paid, "removed": True}):
            facade.bend = lambda method, params, result, made_up=made_up: [made_up] if method == "eth_getLogs" else result
            story.blocks()
            assert untouched(story)
        assert story.cursor().error == ""
