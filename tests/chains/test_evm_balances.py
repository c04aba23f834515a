"""Coin that comes by inner calls, as exchanges and multisigs send it: only the address's balance shows it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from payments import quotes
from payments.models import BY_BALANCE
from payments.rails import EvmRail, RailUnreachable
from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.chains.evm_story import ETHERS, FIXED, PRICES, EvmStory, installed, live_merchant, story
from tests.payments.prices import set_prices

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
__all__ = ["installed", "story"]

PAY = "pay(address,uint256)"


def pay_inside(story: EvmStory, units: int = ETHERS) -> str:
    return story.anvil.do(story.anvil.purse, PAY, story.address("ETH"), units)


def end_of_quote(story: EvmStory) -> None:
    story.wait(quotes.LOCK)


def sweep(story: EvmStory, address: str, *, leave: int = 0) -> None:
    """The merchant takes the coin from its address."""
    balance = int(story.anvil.rpc("eth_getBalance", address, "latest"), 16)
    story.anvil.rpc("anvil_impersonateAccount", address)
    fee = 21_000 * 2 * 10**9
    row = {"from": address, "to": story.anvil.accounts[0], "value": hex(balance - fee - leave), "gas": hex(21_000), "gasPrice": hex(2 * 10**9)}
    story.anvil.rpc("eth_sendTransaction", row)


def shown(story: EvmStory) -> list[tuple[bool, int, str]]:
    return [(row.is_by_balance, row.amount_units, row.status) for row in story.transfers()]


def test_a_payment_by_an_inner_call_is_found_when_its_quote_ends(story: EvmStory) -> None:
    address = story.address("ETH")
    pay_inside(story)
    story.blocks(3)
    assert story.transfers() == []
    end_of_quote(story)
    story.look()
    row = story.transfer()
    assert (row.txid, row.amount_units, row.credit_minor, row.is_late) == (BY_BALANCE + address, ETHERS, 10_000, False)
    assert (story.blocks(3).status, story.invoice.credited_minor) == ("paid", 10_000)


def test_the_payer_who_says_so_is_found_at_once(story: EvmStory) -> None:
    pay_inside(story)
    story.mine()
    story.quote("ETH")
    story.hint()
    assert story.look().pending_minor == 10_000
    assert story.blocks(3).status == "paid"


def test_the_transaction_id_of_an_inner_payment_shows_the_payment_itself(story: EvmStory) -> None:
    txid = pay_inside(story)
    story.mine()
    story.hint(txid)
    story.look()
    row = story.transfer()
    assert (row.txid, row.place, row.amount_units, row.credit_minor) == (txid, 10_001, ETHERS, 10_000)
    assert story.blocks(3).status == "paid"
    end_of_quote(story)
    story.blocks(2)
    assert (shown(story), story.invoice.credited_minor) == ([(False, ETHERS, "final")], 10_000)  # the balance explains nothing more


def test_a_payment_known_by_balance_and_later_by_its_transaction_is_one(story: EvmStory) -> None:
    txid = pay_inside(story)
    story.mine()
    story.hint()
    story.blocks(3)
    assert (shown(story), story.invoice.status) == ([(True, ETHERS, "final")], "paid")
    before = story.transfer()
    story.hint(txid)
    story.blocks(2)
    row = story.transfer()
    assert (row.pk, row.txid, row.place, row.credit_minor, row.status) == (before.pk, txid, 10_001, 10_000, "final")
    assert (story.invoice.status, story.invoice.credited_minor) == ("paid", 10_000)


def test_an_inner_payment_and_an_own_one_beside_it_are_two(story: EvmStory) -> None:
    pay_inside(story, ETHERS // 2)
    story.pay("ETH", units=ETHERS // 2)
    story.mine()
    story.hint()
    story.blocks(3)
    assert sorted(shown(story)) == [(False, ETHERS // 2, "final"), (True, ETHERS // 2, "final")]
    assert (story.invoice.credited_minor, story.invoice.status) == (10_000, "paid")


def test_sweeping_the_address_takes_nothing_back(story: EvmStory) -> None:
    address = story.address("ETH")
    pay_inside(story)
    story.mine()
    story.hint()
    story.blocks(3)
    assert story.invoice.status == "paid"
    sweep(story, address)
    story.mine()
    story.hint()
    story.blocks(3)
    story.wait(timedelta(days=1, hours=1))
    story.look()
    assert (story.invoice.status, story.invoice.credited_minor, shown(story)) == ("paid", 10_000, [(True, ETHERS, "final")])


def test_sweeping_while_a_payment_waits_for_its_confirmations_takes_nothing_back(story: EvmStory) -> None:
    address = story.address("ETH")
    pay_inside(story)
    story.mine()
    story.hint()
    story.look()
    sweep(story, address)
    assert (story.blocks(3).status, story.invoice.credited_minor) == ("paid", 10_000)


def test_what_comes_after_a_sweep_is_counted_beside_it(story: EvmStory) -> None:
    address = story.address("ETH")
    pay_inside(story, ETHERS // 2)
    story.mine()
    story.hint()
    story.blocks(3)
    sweep(story, address)
    story.mine()
    story.hint()
    story.look()
    pay_inside(story, ETHERS // 2)
    story.mine()
    story.hint()
    story.blocks(3)
    assert (sum(units for _by, units, _status in shown(story)), story.invoice.credited_minor) == (2 * (ETHERS // 2), 10_000)
    assert story.invoice.status == "paid"


def test_coin_that_was_there_before_the_address_was_handed_out_is_nobodys_payment(story: EvmStory) -> None:
    """Whoever knows the key can send there beforehand; a new invoice is not paid by that."""
    there = story.anvil
    merchant_key_first = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"  # m/44'/60'/0'/0/0
    there.pay(merchant_key_first, 10**18)
    story.mine(20)
    story.look()
    assert story.address("ETH") == merchant_key_first
    story.hint()
    story.blocks(3)
    end_of_quote(story)
    story.look()
    assert (story.transfers(), story.invoice.credited_minor) == ([], 0)


def test_a_reorg_that_drops_an_inner_payment_takes_its_credit_back(story: EvmStory) -> None:
    txid = pay_inside(story)
    story.mine()
    story.hint()
    story.blocks()
    assert story.invoice.pending_minor == 10_000
    story.anvil.reorg(3, drop=[txid])
    story.blocks(2)
    assert (story.invoice.pending_minor, [status for _by, _units, status in shown(story)]) == (0, ["dropped"])


def test_an_inner_payment_that_was_undone_is_nothing(story: EvmStory) -> None:
    txid = story.anvil.do(story.anvil.purse, "payAndUndo(address,uint256)", story.address("ETH"), ETHERS)
    story.mine()
    story.hint(txid)
    story.blocks(3)
    assert story.transfers() == []


def test_another_payers_inner_payment_pasted_credits_nothing(story: EvmStory) -> None:
    other = EvmStory(story.invoice.merchant, story.anvil)
    txid = pay_inside(story)
    story.mine()
    other.now = story.now
    other.quote("ETH")
    other.hint(txid)
    other.look()
    assert (other.transfers(), other.fresh().credited_minor) == ([], 0)


class TestWhereBlocksAreNotRead:
    @pytest.fixture
    def story(self, db: None, anvil: Anvil, settings: Any, tmp_path: Path) -> EvmStory:
        evm.install(settings, tmp_path, evm.network_row(anvil, native="balances"))
        return EvmStory(live_merchant(), anvil)

    def test_a_plain_payment_is_found_with_its_transaction(self, story: EvmStory) -> None:
        txid = story.pay("ETH")
        story.blocks()
        assert (story.transfer().txid, story.invoice.pending_minor) == (txid, 10_000)
        assert story.blocks(2).status == "paid"

    def test_an_inner_payment_is_found_by_the_balance(self, story: EvmStory) -> None:
        pay_inside(story)
        assert (story.blocks().pending_minor, shown(story)) == (10_000, [(True, ETHERS, "seen")])
        assert story.blocks(2).status == "paid"

    def test_at_a_fixed_address_the_coin_is_not_offered(self, story: EvmStory) -> None:
        merchant = live_merchant("fixed", fixed=FIXED, accepted_assets=[])
        assert evm.ETH not in merchant.accepted_assets
        assert evm.usdt(story.anvil) in merchant.accepted_assets
        merchant.accepted_assets = [*merchant.accepted_assets, evm.ETH]  # from another wallet, before
        merchant.save()
        with pytest.raises(quotes.CannotQuote, match="cannot receive ETH"):
            EvmStory(merchant, story.anvil).quote("ETH")

    def test_a_node_that_was_away_when_it_was_quoted_costs_no_payment(self, story: EvmStory, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_args: object, **_named: object) -> None:
            raise RailUnreachable("away for a moment")

        with monkeypatch.context() as patch:
            patch.setattr(EvmRail, "balances", away)
            quote = story.quote("ETH")
        txid = story.pay("ETH", quote=quote)
        assert (story.blocks(3).status, story.transfer().txid) == ("paid", txid)

    def test_a_payment_long_after_its_quote_is_found_within_the_hour(self, story: EvmStory) -> None:
        quote = story.quote("ETH")
        story.blocks()
        story.wait(timedelta(minutes=22))
        story.blocks(2)
        txid = story.pay("ETH", quote=quote)
        story.blocks(2)
        assert story.transfers() == []
        set_prices("EUR", PRICES, at=story.now)
        story.wait(timedelta(minutes=11))
        assert (story.blocks(2).status, story.transfer().txid, story.transfer().is_late) == ("paid", txid, True)

    def test_a_plain_payment_dropped_by_a_reorg_is_taken_back(self, story: EvmStory) -> None:
        txid = story.pay("ETH")
        story.blocks(2)
        story.anvil.reorg(2, drop=[txid])
        story.blocks(2)
        assert (story.invoice.pending_minor, {status for _by, _units, status in shown(story)}) == (0, {"dropped"})
