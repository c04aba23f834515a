"""Whose a payment is: at an invoice's own address, and at a fixed one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from invoicing import lifecycle
from merchants.models import Event, Merchant
from payments import quotes, settlement, transfers, unassigned, watcher
from payments.matching import Asked, Owner, Spot, owner, was_before
from payments.models import Cursor, Quote, ReceiveAddress, Transfer
from payments.rails import Block, Sighting
from tests.factories import NOW, make_user
from tests.payments.pretend import AWAY, AWAY_USDC, ETH, HOME, USDC, LiveStory, Node, away, fixed_wallet, home, living, own_wallet
from tests.payments.prices import set_prices

__all__ = ["home"]


MINUTE = timedelta(minutes=1)
FOUR = Asked(4, NOW, 100)


def sighting(block: Block | None = None) -> Sighting:
    return Sighting("0xaa", 0, "0xfixed", USDC, 5, block)


@pytest.mark.parametrize(
    ("spot", "known", "asked", "whose"),
    [
        (Spot(7, 3), {}, {(7, USDC, 5): FOUR}, Owner(3, 0)),  # an own address, whatever comes
        (Spot(7, None), {}, {(7, USDC, 5): FOUR}, Owner(4, 0)),
        (Spot(7, None), {}, {(7, USDC, 6): FOUR}, Owner(0, 7)),  # nearly the amount
        (Spot(7, None), {}, {(7, ETH, 5): FOUR}, Owner(0, 7)),  # the amount, in another token
        (Spot(7, None), {}, {(8, USDC, 5): FOUR}, Owner(0, 7)),  # at another's address
        (Spot(7, None), {("0xaa", 0): 9}, {(7, USDC, 5): FOUR}, Owner(9, 0)),  # assigned once, it stays
        (Spot(7, None), {("0xaa", 0): None}, {(7, USDC, 5): FOUR}, Owner(0, 7)),  # a later quote takes no older payment
        (Spot(7, None), {("0xaa", 1): 9}, {}, Owner(0, 7)),  # another place of the same transaction
    ],
)
def test_whose_a_payment_is(spot: Spot, known: dict[tuple[str, int], int | None], asked: dict[tuple[int, str, int], Asked], whose: Owner) -> None:
    assert owner(sighting(), spot, rail="evm", known=known, asked=asked) == whose


@pytest.mark.parametrize(("height", "whose"), [(100, Owner(0, 7)), (101, Owner(4, 0))])
def test_money_at_a_fixed_address_is_only_his_who_asked_before_it_came(height: int, whose: Owner) -> None:
    block = Block(height, "aa", NOW - MINUTE)
    assert owner(sighting(block), Spot(7, None), rail="evm", known={}, asked={(7, USDC, 5): FOUR}) == whose


@pytest.mark.parametrize(
    ("height", "at", "from_height", "rail", "before"),
    [
        (90, NOW - MINUTE, 100, "evm", True),  # a block that was known then
        (101, NOW - MINUTE, 100, "evm", False),  # a newer one; its clock may be wrong
        (101, NOW - 5 * MINUTE, 100, "evm", False),
        (101, NOW - 6 * MINUTE, 100, "evm", True),  # as wrong as that it is not
        (101, NOW - 6 * MINUTE, None, "tron", True),
        (101, NOW - MINUTE, None, "evm", False),
        (100, NOW, 100, "evm", False),  # it took that height in a reorg
        (101, NOW - 120 * MINUTE, 100, "utxo", False),
        (101, NOW - 121 * MINUTE, None, "utxo", True),
    ],
)
def test_what_was_there_before(height: int, at: datetime, from_height: int | None, rail: str, before: bool) -> None:
    assert was_before(Block(height, "aa", at), since=NOW, from_height=from_height, rail=rail) is before
    assert not was_before(None, since=NOW, from_height=from_height, rail=rail)


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

    @pytest.mark.parametrize(("price", "again"), [("0.919984", 108_700_000), ("0.95", 105_270_000)])
    def test_who_asks_again_pays_no_old_amount_that_is_much_dearer_and_may_still_send_it(
        self, shop: Merchant, home: Node, price: str, again: int
    ) -> None:
        story = LiveStory(shop, home)
        old = story.quote()
        story.now += 16 * MINUTE
        set_prices("EUR", {"USDC": price, "USD": "0.8"}, at=story.now)
        assert quotes.ask(story.fresh(), USDC, now=story.now).amount_units == again
        story.pay(quote=old)
        story.blocks(3)
        assert (len(story.transfers()), story.transfer().amount_units) == (1, 108_700_000)

    def test_at_most_twenty_steps_above_the_price_are_kept(self, shop: Merchant, home: Node) -> None:
        story = LiveStory(shop, home)
        story.quote()
        quote = Quote.objects.get()
        asked = []
        for steps in (20, 21):
            quote.amount_units = 108_700_000 + steps * 100
            Quote.objects.filter(pk=quote.pk).update(amount_units=quote.amount_units, locked_until=story.now, status="expired")
            Quote.objects.exclude(pk=quote.pk).delete()
            Quote.objects.filter(pk=quote.pk).update(holds_amount=True)
            asked.append(story.quote().amount_units)
        assert asked == [108_702_000, 108_700_000]

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

    @pytest.mark.parametrize("early", [20 * MINUTE, MINUTE])
    def test_what_was_there_before_anybody_asked_for_it_pays_nobody(self, shop: Merchant, home: Node, early: timedelta) -> None:
        """Read later: the network was being caught up with."""
        story = LiveStory(shop, home)
        story.look()
        home.pay("0xfixedlive", USDC, 108_700_000)
        home.mine(now=story.now - early)
        Cursor.objects.filter(network=HOME).update(head_height=home.head.height)
        assert story.quote().from_height == home.head.height
        story.blocks(8)
        found = Transfer.objects.get()
        assert (found.invoice, found.credit_minor, found.status, story.fresh().status) == (None, None, "final", "open")
        assert [(one.invoice, one.likeness) for one in unassigned.suggestions(found, shop)] == [(story.invoice, unassigned.Likeness.EXACT)]

    def test_an_invoice_that_asks_again_is_paid_by_what_came_since_it_asked_first(self, shop: Merchant, home: Node) -> None:
        story = LiveStory(shop, home)
        story.look()
        first = story.quote()
        story.pay(quote=first)
        story.blocks(look=False)
        Cursor.objects.filter(network=HOME).update(head_height=home.head.height)
        story.now += 16 * MINUTE
        again = story.quote()
        assert (again.amount_units, again.from_height, first.from_height) == (108_700_000, 10, 9)
        story.blocks(3)
        assert (story.invoice.status, story.transfer().is_late) == ("paid", False)

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


class TestAfterAReorg:
    """A transaction whose inner doings depend on the block it is in: the same id and place, other money."""

    @pytest.fixture
    def merchant(self, home: Node) -> Merchant:
        merchant = living()
        own_wallet(merchant)
        return merchant

    def other(self, home: Node, txid: str, **other: object) -> None:
        """The newest block is replaced, and in the next one the transaction does something else."""
        (paid,) = home.paid
        home.reorg(1, now=home.head.at, drop=[txid])
        home.paid.append(replace(paid, block=None, **other))  # type: ignore[arg-type]

    def test_another_amount_is_credited_anew(self, merchant: Merchant, home: Node) -> None:
        story = LiveStory(merchant, home)
        txid = story.pay()
        story.blocks()
        assert (story.transfer().credit_minor, story.transfer().credit_reason) == (10_000, "exact")
        self.other(home, txid, units=10_870_000)
        story.blocks(5)
        row = story.transfer()
        assert (row.amount_units, row.credit_minor, row.credit_reason, row.status, row.block_height) == (10_870_000, 1_000, "pro_rata", "final", 11)
        assert (story.invoice.status, story.invoice.credited_minor, story.invoice.pending_minor) == ("open", 1_000, 0)
        assert story.kinds() == [
            "invoice.issued",
            "payment.detected",
            "payment.dropped",
            "payment.detected",
            "payment.confirmed",
            "payment.part_received",
        ]

    def test_so_is_another_amount_of_what_had_paid_the_invoice(self, merchant: Merchant, home: Node) -> None:
        story = LiveStory(merchant, home)
        txid = story.pay()
        story.blocks(3)
        assert story.invoice.status == "paid"
        (paid,) = home.paid
        home.reorg(3, now=story.now, drop=[txid])
        home.paid.append(replace(paid, block=None, units=10_000))
        story.blocks(5)
        assert (story.invoice.status, story.invoice.credited_minor, story.transfer().amount_units) == ("open", 0, 10_000)

    def test_another_token_is_credited_as_that(self, merchant: Merchant, home: Node) -> None:
        story = LiveStory(merchant, home)
        txid = story.pay()
        story.blocks()
        self.other(home, txid, asset_id=ETH, units=10**16)
        story.blocks(5)
        row = story.transfer()
        assert (row.asset_id, row.credit_minor, row.credit_reason, row.quote) == (ETH, 3_000, "no_quote", None)

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_another_receiver_is_credited_and_the_first_no_more(self, merchant: Merchant, home: Node, order: tuple[int, int]) -> None:
        stories = [LiveStory(merchant, home) for _invoice in range(2)]
        first, second = stories[order[0]], stories[order[1]]
        asked = second.quote()
        txid = first.pay()
        first.blocks()
        self.other(home, txid, address=asked.receive_address.address)
        first.blocks()
        assert ((first.fresh().pending_minor, first.transfers()), second.fresh().pending_minor) == ((0, []), 10_000)
        first.blocks(4)
        row = second.transfer()
        assert (row.quote, row.receive_address, row.status, row.first_seen_at) == (asked, asked.receive_address, "final", NOW + timedelta(seconds=20))
        assert (first.fresh().status, second.fresh().status) == ("open", "paid")
        assert (first.kinds()[-1], second.kinds()[1:]) == ("payment.dropped", ["payment.detected", "payment.confirmed", "invoice.paid"])

    def test_two_that_change_places_are_both_credited(self, merchant: Merchant, home: Node) -> None:
        one, two = LiveStory(merchant, home), LiveStory(merchant, home, price="50.00")
        txids = [one.pay(), two.pay()]
        one.blocks()
        paid = list(home.paid)
        home.reorg(1, now=one.now, drop=txids)
        home.paid += [replace(old, block=None, txid=txid) for old, txid in zip(paid, reversed(txids), strict=True)]
        one.blocks(3)
        assert [(story.fresh().status, story.transfer().txid) for story in (one, two)] == [("paid", txids[1]), ("paid", txids[0])]

    def test_one_that_was_withdrawn_long_ago_is_its_new_owners(self, merchant: Merchant, home: Node) -> None:
        first, second = LiveStory(merchant, home), LiveStory(merchant, home)
        asked = second.quote()
        txid = first.pay()
        first.look()
        (paid,) = home.paid
        home.paid = []
        first.look()
        assert first.transfer().status == "dropped"
        home.paid = [replace(paid, address=asked.receive_address.address)]
        first.blocks(3)
        assert (first.transfers(), second.fresh().status, second.transfer().txid) == ([], "paid", txid)

    def test_at_a_fixed_address_the_new_amount_tells_whose_it_is(self, home: Node) -> None:
        shop = living()
        fixed_wallet(shop)
        first, second = LiveStory(shop, home), LiveStory(shop, home)
        txid = first.pay()
        wanted = second.quote().amount_units
        first.blocks()
        self.other(home, txid, units=wanted)
        first.blocks()
        assert (first.fresh().pending_minor, second.fresh().pending_minor) == (0, 10_000)
        self.other(home, txid, units=7)
        first.blocks(8)
        row = Transfer.objects.get()
        assert (row.invoice, row.amount_units, row.credit_minor, row.quote, row.status) == (None, 7, None, None, "final")
        assert [(story.fresh().status, story.invoice.pending_minor) for story in (first, second)] == [("open", 0)] * 2

    def test_what_a_member_said_of_the_old_money_is_no_word_on_the_new(self, home: Node) -> None:
        shop = living()
        fixed_wallet(shop)
        story = LiveStory(shop, home)
        txid = story.pay(units=7_000_000)
        story.blocks()
        unassigned.assign(Transfer.objects.get(), story.invoice, "today", by=make_user(), now=story.now)
        assert story.fresh().pending_minor == 644
        self.other(home, txid, units=8_000_000)
        story.blocks()
        row = Transfer.objects.get()
        assert (row.invoice, row.amount_units, row.assigned_at, row.assigned_by, row.credit_reason) == (None, 8_000_000, None, None, "")
        assert story.fresh().pending_minor == 0

    def test_one_whose_old_owner_cannot_be_settled_waits_for_that(self, merchant: Merchant, home: Node, monkeypatch: pytest.MonkeyPatch) -> None:
        first, second = LiveStory(merchant, home), LiveStory(merchant, home)
        asked = second.quote()
        txid = first.pay()
        first.blocks()
        self.other(home, txid, address=asked.receive_address.address)
        with monkeypatch.context() as patch:
            patch.setattr(transfers, "drop", lambda *_args, **_named: 1 / 0)
            first.blocks(20)
        assert (first.fresh().pending_minor, second.fresh().status, Cursor.objects.get().unsettled.keys()) == (
            10_000,
            "open",
            {str(first.invoice.pk), str(second.invoice.pk)},
        )
        first.blocks(3)
        assert (first.fresh().pending_minor, second.fresh().status, Cursor.objects.get().unsettled) == (0, "paid", {})


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
