"""Whose a payment is: at an invoice's own address, and at a fixed one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from invoicing import lifecycle
from merchants.models import Event, Merchant
from payments import quotes, settlement, watcher
from payments.matching import Owner, Spot, owner
from payments.models import Quote, ReceiveAddress, Transfer
from payments.rails import Sighting
from tests.factories import NOW
from tests.payments.pretend import AWAY, AWAY_USDC, ETH, HOME, USDC, LiveStory, Node, away, fixed_wallet, home, living, own_wallet

__all__ = ["home"]


def sighting(units: int = 5, asset: str = USDC) -> Sighting:
    return Sighting("0xaa", 0, "0xfixed", asset, units, None)


@pytest.mark.parametrize(
    ("spot", "known", "holders", "whose"),
    [
        (Spot(7, 3), {}, {(7, USDC, 5): 4}, Owner(3, 0)),  # an own address, whatever comes
        (Spot(7, None), {}, {(7, USDC, 5): 4}, Owner(4, 0)),
        (Spot(7, None), {}, {(7, USDC, 6): 4}, Owner(0, 7)),  # nearly the amount
        (Spot(7, None), {}, {(7, ETH, 5): 4}, Owner(0, 7)),  # the amount, in another token
        (Spot(7, None), {}, {(8, USDC, 5): 4}, Owner(0, 7)),  # at another's address
        (Spot(7, None), {("0xaa", 0): 9}, {(7, USDC, 5): 4}, Owner(9, 0)),  # assigned once, it stays
        (Spot(7, None), {("0xaa", 0): None}, {(7, USDC, 5): 4}, Owner(0, 7)),  # a later quote takes no older payment
        (Spot(7, None), {("0xaa", 1): 9}, {}, Owner(0, 7)),  # another place of the same transaction
    ],
)
def test_whose_a_payment_is(spot: Spot, known: dict[tuple[str, int], int | None], holders: dict[tuple[int, str, int], int], whose: Owner) -> None:
    assert owner(sighting(), spot, known=known, holders=holders) == whose


pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(home: Node) -> Merchant:
    merchant = living()
    fixed_wallet(merchant)
    return merchant


class TestExactAmounts:
    def test_every_quote_of_a_fixed_address_has_an_amount_of_its_own(self, shop: Merchant, home: Node) -> None:
        stories = [LiveStory(shop, home) for _invoice in range(4)]
        assert [story.quote().amount_units for story in stories] == [108_700_000, 108_700_100, 108_700_200, 108_700_300]
        assert {story.quote().receive_address.address for story in stories} == {"0xfixedlive"}
        assert [story.quote(ETH).amount_units for story in stories[:2]] == [33_333_340_000_000_000, 33_333_350_000_000_000]

    def test_the_amount_tells_the_invoice(self, shop: Merchant, home: Node) -> None:
        stories = [LiveStory(shop, home) for _invoice in range(3)]
        for story in stories:
            story.quote()
        stories[1].pay()
        stories[0].blocks(3)
        assert [story.fresh().status for story in stories] == ["open", "paid", "open"]
        assert (stories[1].transfer().credit_reason, stories[1].transfer().credit_minor) == ("exact", 10_000)

    def test_an_amount_is_held_after_its_quote_is_over_and_until_the_watch_is(self, shop: Merchant, home: Node) -> None:
        first, second = LiveStory(shop, home), LiveStory(shop, home)
        first.pay()
        first.blocks(3)
        paid_at = first.invoice.paid_at
        assert paid_at and second.quote().amount_units == 108_700_100
        watcher.read(HOME, now=paid_at + timedelta(days=30))
        assert quotes.free_amounts(now=paid_at + timedelta(days=30)) == 0
        watcher.read(HOME, now=paid_at + timedelta(days=30, seconds=1))
        assert quotes.free_amounts(now=paid_at + timedelta(days=30, seconds=1)) == 1
        assert list(Quote.objects.order_by("id").values_list("holds_amount", flat=True)) == [False, True]

    def test_nothing_is_freed_before_the_chain_is_read_up_to_now(self, shop: Merchant, home: Node) -> None:
        story = LiveStory(shop, home)
        story.pay()
        story.blocks(3)
        later = story.now + timedelta(days=31)
        assert quotes.free_amounts(now=later) == 0
        watcher.read(HOME, now=later)
        assert quotes.free_amounts(now=later) == 1

    def test_who_asks_again_and_again_keeps_one_amount(self, shop: Merchant, home: Node) -> None:
        story, other = LiveStory(shop, home), LiveStory(shop, home)
        story.quote()
        other.quote()
        asked = []
        for _again in range(3):
            story.now += timedelta(minutes=3)
            Quote.objects.filter(invoice=story.invoice).update(locked_until=story.now)
            asked.append(story.quote().amount_units)
        assert asked == [108_700_000] * 3
        assert Quote.objects.filter(holds_amount=True).count() == 2
        assert Quote.objects.get(holds_amount=True, invoice=story.invoice) == story.quote()

    def test_an_amount_that_somebody_took_a_moment_ago_is_passed_over(self, shop: Merchant, home: Node, monkeypatch: pytest.MonkeyPatch) -> None:
        first, second = LiveStory(shop, home), LiveStory(shop, home)
        first.quote()
        monkeypatch.setattr(quotes, "dict", lambda _rows: {}, raising=False)  # as if it had not been there when asked
        assert second.quote().amount_units == 108_700_100

    def test_without_a_free_amount_the_payer_is_told_to_take_another_token(self, shop: Merchant, home: Node, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(quotes, "MOST_STEPS", 2)
        for _invoice in range(2):
            LiveStory(shop, home).quote()
        third = LiveStory(shop, home)
        with pytest.raises(quotes.CannotQuote, match="Too many payments of this amount are awaited in USDC on Homechain"):
            third.quote()
        assert third.quote(ETH).holds_amount

    def test_a_derived_address_needs_none(self, home: Node) -> None:
        merchant = living()
        own_wallet(merchant)
        assert not LiveStory(merchant, home).quote().holds_amount

    def test_a_late_payment_of_the_exact_amount_is_still_its_invoices(self, shop: Merchant, home: Node) -> None:
        story = LiveStory(shop, home)
        quote = story.quote()
        lifecycle.void(story.invoice, by=None, reason="Wrong client", now=story.now)
        story.now += timedelta(days=20)
        story.pay(quote=quote)
        story.blocks(3)
        assert (story.invoice.status, len(story.transfers()), story.transfer().is_late) == ("void", 1, True)


class TestUnassigned:
    def test_any_other_amount_is_kept_and_told_once(self, shop: Merchant, home: Node) -> None:
        story = LiveStory(shop, home)
        txid = story.pay(units=108_690_000)
        story.blocks(8)
        found = Transfer.objects.get()
        assert (found.invoice, found.credit_minor, found.is_held, found.status, found.confirmations) == (None, None, False, "final", 8)
        event = Event.objects.get(kind="payment.unassigned")
        assert (event.merchant, event.subject_kind, event.subject_id) == (shop, "transfer", found.pk)
        assert event.facts == {
            "transfer": {
                "network": HOME,
                "network_name": "Homechain",
                "asset": USDC,
                "symbol": "USDC",
                "amount": "108.690000",
                "txid": txid,
                "place": 0,
                "status": "seen",
                "confirmations": 0,
                "id": found.pk,
                "address": "0xfixedlive",
            }
        }
        assert (story.fresh().status, story.kinds()) == ("open", ["invoice.issued"])

    def test_a_reorg_takes_it_back_and_brings_it_again(self, shop: Merchant, home: Node) -> None:
        story = LiveStory(shop, home)
        txid = story.pay(units=1_000_000)
        story.blocks(2)
        (kept,) = home.paid
        home.reorg(2, now=story.now, drop=[txid])
        story.look()
        assert Transfer.objects.get().status == "dropped"
        home.pay(kept.address, USDC, 1_000_000, txid=txid)
        story.blocks(8)
        assert (Transfer.objects.get().status, Event.objects.filter(kind="payment.unassigned").count()) == ("final", 1)

    def test_a_later_quote_of_its_very_amount_does_not_take_it(self, shop: Merchant, home: Node) -> None:
        early = LiveStory(shop, home)
        home.pay("0xfixedlive", USDC, 108_700_000)
        early.blocks()
        late = LiveStory(shop, home)
        late.quote()
        late.now = early.now
        late.blocks(8)
        assert (late.fresh().status, Transfer.objects.get().invoice) == ("open", None)

    def test_one_that_cannot_be_stored_holds_up_nobody_and_is_tried_again(self, shop: Merchant, home: Node, monkeypatch: pytest.MonkeyPatch) -> None:
        story = LiveStory(shop, home)
        story.pay()
        home.pay("0xfixedlive", USDC, 7)
        with monkeypatch.context() as patch:
            patch.setattr(settlement, "tell_of_unassigned", lambda *_args, **_named: 1 / 0)
            story.blocks(20)
        assert (story.invoice.status, Transfer.objects.count()) == ("paid", 1)
        story.look()
        assert Transfer.objects.filter(invoice=None, amount_units=7, block_height=10).count() == 1


class TestOtherAssets:
    @pytest.fixture
    def story(self, home: Node) -> LiveStory:
        merchant = living()
        own_wallet(merchant)
        return LiveStory(merchant, home, all_assets=False, asset_ids=[ETH])

    def test_a_token_the_invoice_does_not_accept_is_held_on_it(self, story: LiveStory, home: Node) -> None:
        quote = story.quote(ETH)
        home.pay(quote.receive_address.address, USDC, 50_000_000)
        story.blocks(3)
        row = story.transfer()
        assert (row.credit_minor, row.credit_reason, row.is_held, row.is_late, row.status) == (None, "other_asset", True, False, "final")
        assert story.invoice.status == "open"

    def test_so_is_money_on_another_chain_of_the_family(self, story: LiveStory) -> None:
        quote = story.quote(ETH)
        away().pay(quote.receive_address.address, AWAY_USDC, 50_000_000)
        away().mine(now=NOW)
        story.look(AWAY)
        assert (story.transfer().network, story.transfer().credit_reason, story.transfer().is_held) == (AWAY, "other_asset", True)


def test_an_address_of_a_replaced_wallet_is_still_its_invoices(home: Node) -> None:
    merchant = living()
    old = own_wallet(merchant)
    story = LiveStory(merchant, home)
    first = story.quote()
    old.retired_at = NOW
    old.save()
    fixed_wallet(merchant)
    story.now += timedelta(minutes=16)
    second = story.quote()
    assert first.receive_address_id != second.receive_address_id
    story.pay(quote=first)
    story.blocks(3)
    assert (story.invoice.status, ReceiveAddress.objects.filter(invoice=story.invoice).count()) == ("paid", 1)
