"""Invoices paid on a real EVM chain: the coin, tokens, in parts, too much, too late, elsewhere."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from payments import quotes, watcher
from payments.models import ReceiveAddress, Transfer, WalletKey
from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.chains.evm_story import DOLLARS, ETHERS, FIXED, EvmStory, installed, live_merchant, story
from tests.factories import NOW
from tests.payments.prices import set_prices

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
__all__ = ["installed", "story"]


@pytest.mark.parametrize(("symbol", "units"), [("ETH", ETHERS), ("USDT", DOLLARS), ("DAI", DOLLARS * 10**12)])
def test_the_quoted_amount_is_seen_at_once_and_pays_when_it_is_deep_enough(story: EvmStory, symbol: str, units: int) -> None:
    txid = story.pay(symbol)
    assert story.look().pending_minor == 0  # it is in the pool, and may never come
    assert (story.blocks().pending_minor, story.invoice.status) == (10_000, "open")
    row = story.transfer()
    assert (row.txid, row.amount_units, row.confirmations, row.block_height) == (txid, units, 1, story.anvil.height)
    assert [story.blocks().status for _block in range(2)] == ["open", "paid"]
    assert (story.invoice.credited_minor, story.transfer().confirmations, story.outcome()) == (10_000, 3, [("final", 10_000)])
    assert story.kinds()[-3:] == ["payment.detected", "payment.confirmed", "invoice.paid"]


def test_two_tokens_pay_one_invoice_together(story: EvmStory) -> None:
    story.pay("ETH", units=ETHERS // 2)
    story.blocks(3)
    assert (story.invoice.status, story.invoice.credited_minor) == ("open", 5_000)
    rest = story.quote("DAI")
    assert rest.fiat_minor == 5_000
    story.pay(quote=rest)
    assert story.blocks(3).status == "paid"
    assert [(row.asset.symbol, row.credit_minor) for row in story.transfers()] == [("ETH", 5_000), ("DAI", 5_000)]


def test_a_part_and_then_the_rest_pay_it(story: EvmStory) -> None:
    story.pay(units=30_000_000)
    story.blocks(3)
    assert (story.invoice.status, story.invoice.credited_minor, story.invoice.is_underpaid) == ("open", 2_759, True)
    story.pay()
    assert (story.blocks(3).status, story.invoice.credited_minor, story.invoice.is_underpaid) == ("paid", 10_000, False)
    assert "payment.part_received" in story.kinds()


def test_more_than_was_asked_for_is_told(story: EvmStory) -> None:
    story.pay(units=2 * DOLLARS)
    assert (story.blocks(3).status, story.invoice.credited_minor, story.invoice.is_overpaid) == ("paid", 20_000, True)


def test_a_late_payment_keeps_its_rate_while_the_price_has_hardly_moved(story: EvmStory) -> None:
    quote = story.quote()
    story.wait(quotes.LOCK + timedelta(minutes=6))
    quotes.expire(now=story.now)
    set_prices("EUR", {"USDT": "0.91"}, at=story.now)
    story.pay(quote=quote)
    assert (story.blocks(3).status, story.invoice.is_paid_late, story.transfer().credit_reason) == ("paid", True, "late_locked")


def test_a_late_payment_counts_at_the_price_of_its_time_when_that_has_moved(story: EvmStory) -> None:
    quote = story.quote("ETH")
    story.wait(quotes.LOCK + timedelta(minutes=6))
    quotes.expire(now=story.now)
    set_prices("EUR", {"ETH": "1500"}, at=story.now)
    story.pay(quote=quote)
    story.blocks(3)
    assert (story.transfer().credit_reason, story.transfer().credit_minor, story.invoice.status) == ("late_rate", 5_000, "open")


def test_what_was_mined_in_time_is_in_time_however_late_it_is_read(story: EvmStory) -> None:
    story.pay()
    story.mine(3)
    story.wait(timedelta(hours=3))
    quotes.expire(now=story.now)
    assert (story.look().status, story.invoice.is_paid_late, story.transfer().credit_reason) == ("paid", False, "exact")


def test_an_address_handed_out_and_paid_between_two_passes_is_found(story: EvmStory) -> None:
    story.blocks(2)
    story.mine(3)
    story.pay("ETH")
    story.mine(2)
    assert story.look().pending_minor == 10_000


def test_a_payment_made_while_the_server_was_off_is_found_and_nothing_expires_before(story: EvmStory) -> None:
    story.pay()
    story.mine(400)
    story.pay("DAI", units=10**18)
    story.mine(40)
    story.wait(timedelta(days=2))
    assert story.look().status == "paid"
    assert story.cursor().behind_since is not None
    for _pass in range(4):
        story.look()
    assert [(row.asset.symbol, row.status, row.credit_minor) for row in story.transfers()] == [("USDT", "final", 10_000), ("DAI", "final", 91)]
    assert (story.cursor().height, story.cursor().behind_since) == (story.anvil.height, None)


def test_the_cursor_follows_the_head_while_there_is_nobody_to_watch(db: None, installed: Anvil) -> None:
    installed.mine(50)
    watcher.read(evm.NETWORK, now=NOW)
    story = EvmStory(live_merchant(), installed)
    story.pay()
    assert story.blocks(3).status == "paid"


def test_one_pass_serves_all_merchants(db: None, installed: Anvil) -> None:
    stories = [EvmStory(live_merchant(slug, key=key), installed) for slug, key in (("ines", evm.XPUBS[0]), ("marlow", evm.XPUBS[1]))]
    for one in stories:
        one.pay()
    now = stories[0].now + timedelta(minutes=1)
    installed.mine(3, at=now)
    assert watcher.read(evm.NETWORK, now=now) == 2
    assert [one.fresh().status for one in stories] == ["paid", "paid"]


def test_one_address_is_never_two_invoices_also_not_on_two_networks(
    db: None, anvil: Anvil, other_anvil: Anvil, settings: Any, tmp_path: Path
) -> None:
    evm.install(settings, tmp_path, evm.network_row(anvil), evm.network_row(other_anvil))
    merchants = [live_merchant("ines"), live_merchant("marlow")]  # the same key, written by two
    here = [EvmStory(merchant, anvil) for merchant in merchants]
    there = [EvmStory(merchant, other_anvil, evm.OTHER) for merchant in merchants]
    addresses = [one.address() for one in (*here, *there)]
    assert (len(set(addresses)), WalletKey.objects.get().next_index) == (4, 4)
    assert sorted(ReceiveAddress.objects.values_list("index", flat=True)) == [0, 1, 2, 3]
    assert here[0].quote("ETH").receive_address.address == addresses[0]  # one invoice, one address, whatever it is paid with


def test_each_network_of_a_key_is_paid_on_its_own(db: None, anvil: Anvil, other_anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    evm.install(settings, tmp_path, evm.network_row(anvil), evm.network_row(other_anvil))
    merchant = live_merchant()
    here, there = EvmStory(merchant, anvil), EvmStory(merchant, other_anvil, evm.OTHER)
    here.pay()
    there.pay()
    assert (here.blocks(3).status, there.fresh().status) == ("paid", "open")
    assert (there.blocks(3).status, there.transfer().network) == ("paid", evm.OTHER)


def test_a_payment_on_another_chain_is_found_and_waits_for_the_merchant(
    db: None, anvil: Anvil, other_anvil: Anvil, settings: Any, tmp_path: Path
) -> None:
    evm.install(settings, tmp_path, evm.network_row(anvil), evm.network_row(other_anvil))
    merchant = live_merchant()
    merchant.accepted_assets = [name for name in merchant.accepted_assets if name.startswith(f"{evm.NETWORK}/")]
    merchant.save()
    story = EvmStory(merchant, anvil)
    quote = story.quote()
    other_anvil.mine(at=story.now)
    story.look(evm.OTHER)
    other_anvil.pay(quote.receive_address.address, quote.amount_units, token=other_anvil.usdt)
    other_anvil.mine(3, at=story.now + timedelta(minutes=1))
    story.wait(timedelta(minutes=2))
    assert (story.look(evm.OTHER).status, story.invoice.credited_minor) == ("open", 0)
    row = story.transfer()
    assert (row.network, row.is_held, row.credit_reason, row.credit_minor, row.status) == (evm.OTHER, True, "other_asset", None, "final")


def test_a_token_that_the_invoice_does_not_take_waits_for_the_merchant(db: None, installed: Anvil) -> None:
    merchant = live_merchant()
    merchant.accepted_assets = [evm.usdt(installed)]
    merchant.save()
    story = EvmStory(merchant, installed)
    address = story.address()
    installed.pay(address, DOLLARS * 10**12, token=installed.dai)
    installed.pay(address, ETHERS)
    assert (story.blocks(3).status, story.invoice.credited_minor) == ("open", 0)
    assert {(row.asset.symbol, row.is_held, row.credit_reason) for row in story.transfers()} == {
        ("DAI", True, "other_asset"),
        ("ETH", True, "other_asset"),
    }


class TestFixedAddress:
    @pytest.fixture
    def stories(self, db: None, installed: Anvil) -> list[EvmStory]:
        merchant = live_merchant(fixed=FIXED)
        return [EvmStory(merchant, installed) for _invoice in range(3)]

    def test_equal_invoices_ask_for_different_amounts_and_each_is_matched_by_its_own(self, stories: list[EvmStory]) -> None:
        asked = [one.quote() for one in stories]
        assert [quote.amount_units for quote in asked] == [DOLLARS, DOLLARS + 100, DOLLARS + 200]
        assert {quote.receive_address.address for quote in asked} == {FIXED}
        stories[1].pay(quote=asked[1])
        stories[1].blocks(3)
        assert [one.fresh().status for one in stories] == ["open", "paid", "open"]

    def test_any_other_amount_is_nobodys_yet(self, stories: list[EvmStory]) -> None:
        asked = [one.quote() for one in stories]
        stories[0].pay(quote=asked[0], units=DOLLARS - 1)
        stories[0].pay(quote=asked[0], units=DOLLARS + 300)
        stories[0].blocks(3)
        rows = Transfer.objects.order_by("amount_units")
        assert [(row.invoice, row.amount_units, row.status, row.credit_minor) for row in rows] == [
            (None, DOLLARS - 1, "final", None),
            (None, DOLLARS + 300, "final", None),
        ]
        assert [one.fresh().status for one in stories] == ["open"] * 3

    def test_the_right_amount_in_another_token_or_of_another_kind_of_money_is_nobodys(self, stories: list[EvmStory]) -> None:
        quote = stories[0].quote()
        stories[0].anvil.pay(FIXED, quote.amount_units, token=stories[0].anvil.moody)
        stories[0].anvil.pay(FIXED, quote.amount_units)
        stories[0].blocks(3)
        assert [row.invoice for row in Transfer.objects.all()] == [None, None]

    def test_a_pasted_transaction_of_somebody_else_credits_nothing(self, stories: list[EvmStory]) -> None:
        payer, thief = stories[:2]
        asked = [payer.quote(), thief.quote()]
        txid = payer.pay(quote=asked[0])
        thief.hint(txid)
        payer.blocks(3)
        thief.look()
        assert [(one.fresh().status, one.invoice.credited_minor) for one in (payer, thief)] == [("paid", 10_000), ("open", 0)]

    def test_a_transaction_that_matches_nothing_stays_unassigned_though_a_payer_names_it(self, stories: list[EvmStory]) -> None:
        quote = stories[0].quote()
        txid = stories[0].pay(quote=quote, units=DOLLARS - 5_000)
        stories[0].hint(txid)
        stories[0].blocks(3)
        assert [(row.txid, row.invoice) for row in Transfer.objects.all()] == [(txid, None)]
