"""The watcher against nodes that lag, disagree, fall silent and go away."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from invoicing.models import Invoice
from merchants import assets
from merchants.models import Merchant
from payments import quotes, watcher
from payments.models import Cursor, Quote, ReceiveAddress, Transfer, Wallet
from payments.rails import Rail, RailUnreachable, Sighting
from tests.factories import NOW, make_merchant
from tests.payments.money import NETWORK, Story
from tests.payments.pretend import AWAY, AWAY_USDC, ETH, HOME, LiveStory, Node, PretendRail, away, fixed_wallet, home, living, network, own_wallet
from tests.payments.prices import forget_prices, set_prices

pytestmark = pytest.mark.django_db
__all__ = ["home"]


@pytest.fixture
def story(home: Node) -> LiveStory:
    merchant = living()
    own_wallet(merchant)
    return LiveStory(merchant, home)


def placed(story: LiveStory) -> tuple[str, int | None, int]:
    row = story.transfer()
    return row.status, row.block_height, row.confirmations


class TestBefore:
    """Money at an invoice's own address that was there before the invoice got it."""

    @pytest.mark.parametrize(("early", "counts"), [(timedelta(minutes=6), False), (timedelta(minutes=4), True)])
    def test_it_is_held_and_pays_nothing(self, story: LiveStory, early: timedelta, counts: bool) -> None:
        quote = story.quote()
        story.node.mine(now=story.now - early)
        story.pay(quote=quote)
        story.node.paid[-1] = replace(story.node.paid[-1], block=story.node.head)
        story.blocks(3)
        row = story.transfer()
        expected = ("paid", 10_000, "exact", False) if counts else ("open", None, "before", True)
        assert (story.invoice.status, row.credit_minor, row.credit_reason, row.is_held) == expected

    @pytest.mark.parametrize(("height", "counts"), [(9, True), (10, False)])
    def test_so_is_what_was_in_a_block_that_was_known_when_the_address_was_handed_out(self, story: LiveStory, height: int, counts: bool) -> None:
        story.look()
        story.node.mine(now=story.now - timedelta(seconds=30))
        Cursor.objects.update(head_height=height)
        story.pay()
        story.node.paid[-1] = replace(story.node.paid[-1], block=story.node.head)
        story.blocks(3)
        expected = ("paid", 10_000, "exact") if counts else ("open", None, "before")
        assert (story.invoice.status, story.transfer().credit_minor, story.transfer().credit_reason) == expected

    def test_what_came_to_a_handed_out_address_before_its_network_was_asked_for_is_the_invoices(self, story: LiveStory) -> None:
        quote = story.quote()
        away().pay(quote.receive_address.address, AWAY_USDC, quote.amount_units)
        away().mine(now=story.now + timedelta(seconds=30))
        Cursor.objects.create(network=AWAY, head_height=away().head.height)
        story.now += timedelta(minutes=10)
        assert story.quote(AWAY_USDC).from_height == 10
        story.look(AWAY)
        assert (story.transfer().credit_minor, story.transfer().credit_reason) == (10_000, "exact")


class TestPool:
    """A payment that waits for a block is missed where it was seen."""

    def source(self, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
        monkeypatch.setattr(PretendRail, "source", lambda _rail: host)

    def test_a_node_that_had_it_and_has_it_no_more_takes_it_back_at_once(self, story: LiveStory) -> None:
        story.pay()
        story.look()
        assert story.transfer().seen_from == "127.0.0.1:1"
        story.node.paid = []
        story.look()
        assert (story.transfer().status, story.invoice.pending_minor) == ("dropped", 0)

    def test_one_that_has_not_heard_of_it_takes_it_back_after_an_hour(self, story: LiveStory, monkeypatch: pytest.MonkeyPatch) -> None:
        story.pay()
        story.look()
        story.node.paid = []
        self.source(monkeypatch, "node.example")
        for later, status in [(timedelta(0), "seen"), (timedelta(minutes=60), "seen"), (timedelta(minutes=60, seconds=1), "dropped")]:
            watcher.read(HOME, now=NOW + later)
            assert story.transfer().status == status

    def test_once_that_one_has_shown_it_too_it_is_missed_there(self, story: LiveStory, monkeypatch: pytest.MonkeyPatch) -> None:
        story.pay()
        story.look()
        self.source(monkeypatch, "node.example")
        story.look()
        assert story.transfer().seen_from == "node.example"
        story.node.paid = []
        story.look()
        assert story.transfer().status == "dropped"

    def test_a_block_takes_it_from_wherever_it_was_seen(self, story: LiveStory, monkeypatch: pytest.MonkeyPatch) -> None:
        story.pay()
        story.look()
        self.source(monkeypatch, "node.example")
        story.blocks(3)
        assert (placed(story), story.invoice.status) == (("final", 10, 3), "paid")


class TestComingBack:
    """What was seen, taken back and comes again: at the rate of its first sight for a day, and no longer."""

    @pytest.fixture
    def lost(self, story: LiveStory) -> list[Sighting]:
        story.pay(ETH)
        story.look()
        kept, story.node.paid = story.node.paid, []
        story.look()
        assert story.transfer().status == "dropped"
        return kept

    def later(self, story: LiveStory, after: timedelta) -> None:
        story.now += after
        set_prices("EUR", {"ETH": "2000", "USDC": "0.92", "USD": "0.8"}, at=story.now)

    @pytest.mark.parametrize(
        ("after", "credit"), [(timedelta(days=1, seconds=-10), (10_000, "exact", False)), (timedelta(days=1), (6_666, "late_rate", True))]
    )
    def test_its_rate_is_kept_for_a_day(self, story: LiveStory, lost: list[Sighting], after: timedelta, credit: tuple[int, str, bool]) -> None:
        self.later(story, after)
        story.node.paid = lost
        story.blocks(3)
        row = story.transfer()
        assert ((row.credit_minor, row.credit_reason, row.is_late), row.status, row.first_seen_at) == (credit, "final", NOW)
        assert story.invoice.credited_minor == credit[0]
        assert ("payment.late" in story.kinds()) == credit[2]

    def test_going_through_the_pool_first_keeps_no_more(self, story: LiveStory, lost: list[Sighting]) -> None:
        self.later(story, timedelta(days=10))
        story.node.paid = lost
        story.look()
        assert (story.transfer().credit_minor, story.transfer().credit_reason, story.invoice.pending_minor) == (6_666, "late_rate", 6_666)

    def test_what_a_member_decided_stays(self, story: LiveStory, lost: list[Sighting]) -> None:
        Transfer.objects.update(credit_minor=9_000, credit_reason="decided_today")
        self.later(story, timedelta(days=10))
        story.node.paid = lost
        story.blocks(3)
        assert (story.transfer().credit_minor, story.transfer().credit_reason) == (9_000, "decided_today")

    def test_one_that_was_never_taken_back_keeps_its_rate(self, story: LiveStory) -> None:
        story.pay(ETH)
        story.look()
        self.later(story, timedelta(days=10))
        story.blocks(3)
        assert (story.transfer().credit_minor, story.transfer().credit_reason) == (10_000, "exact")


class TestSilence:
    def test_a_node_that_answers_nothing_withdraws_nothing_and_the_count_goes_on(self, story: LiveStory) -> None:
        story.pay()
        story.blocks()
        story.node.is_silent = True
        story.blocks(2)
        assert (placed(story), story.invoice.status) == (("final", 10, 3), "paid")
        assert "payment.dropped" not in story.kinds()

    def test_a_node_that_lags_lowers_no_count_and_moves_the_cursor_nowhere(self, story: LiveStory) -> None:
        story.pay()
        story.blocks(2)
        before = Cursor.objects.values("height", "blocks").get()
        story.node.lags = 2
        story.look()
        assert placed(story) == ("seen", 10, 2)
        assert Cursor.objects.values("height", "blocks").get() == before

    def test_a_node_that_lags_and_has_the_payment_in_its_pool_does_not_take_it_out_of_its_block(self, story: LiveStory) -> None:
        story.pay()
        story.blocks(3)
        (mined,) = story.node.paid
        story.node.lags = 3
        story.node.paid = [type(mined)(mined.txid, mined.place, mined.address, mined.asset_id, mined.units, None)]
        story.look()
        assert (placed(story), story.invoice.status) == (("final", 10, 3), "paid")

    def test_final_stays_final_while_its_block_stays(self, story: LiveStory) -> None:
        story.pay()
        story.blocks(3)
        story.node.lags, story.node.is_silent = 1, True
        story.look()
        story.node.lags = 0
        story.blocks(4)
        assert (placed(story), story.invoice.status) == (("final", 10, 3), "paid")

    def test_another_block_at_its_height_does_withdraw(self, story: LiveStory) -> None:
        txid = story.pay()
        story.blocks(3)
        story.node.reorg(3, now=story.now, drop=[txid])
        story.look()
        assert (story.transfer().status, story.invoice.status) == ("dropped", "open")

    def test_a_shorter_chain_of_other_blocks_withdraws_too(self, story: LiveStory) -> None:
        txid = story.pay()
        story.blocks(3)
        story.node.reorg(4, now=story.now, drop=[txid])
        story.node.blocks.pop()
        story.look()
        assert (story.transfer().status, Cursor.objects.get().height) == ("dropped", 11)

    def test_withdrawal_comes_before_what_is_there_instead(self, story: LiveStory) -> None:
        txid = story.pay()
        story.blocks(3)
        story.node.reorg(3, now=story.now, drop=[txid])
        story.pay(quote=Quote.objects.get())
        story.blocks()
        story.blocks(2)
        assert [row.status for row in story.transfers()] == ["dropped", "final"]
        assert (story.invoice.status, story.invoice.credited_minor, story.invoice.is_overpaid) == ("paid", 10_000, False)
        assert story.kinds()[-5:] == ["payment.dropped", "payment.detected", "invoice.reopened", "payment.confirmed", "invoice.paid"]


class TestDowntime:
    def test_a_payment_seen_before_we_were_off_for_long_becomes_final(self, story: LiveStory) -> None:
        story.pay()
        story.blocks()
        story.blocks(40, look=False)  # four windows
        story.look()
        assert (placed(story), story.invoice.status) == (("final", 10, 3), "paid")

    def test_one_that_was_moved_meanwhile_is_found_where_it_is(self, story: LiveStory) -> None:
        story.pay()
        story.blocks()
        story.node.reorg(1, now=story.now)
        story.blocks(40, look=False)
        story.look()
        assert (placed(story), story.invoice.status) == (("final", 11, 3), "paid")
        assert "payment.dropped" not in story.kinds()

    def test_one_that_was_dropped_meanwhile_is_withdrawn(self, story: LiveStory) -> None:
        txid = story.pay()
        story.blocks()
        story.node.reorg(1, now=story.now, drop=[txid])
        story.blocks(40, look=False)
        story.look()
        assert story.transfer().status == "dropped"

    def test_a_payment_made_while_we_were_off_is_in_time_and_nothing_expires_before_it_is_read(
        self, story: LiveStory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Rail, "blocks_a_pass", 40)
        story.look()
        quote = story.quote()
        story.look()
        story.pay(quote=quote)
        story.blocks(130, look=False)  # more than the lock and the grace
        assert quotes.expire(now=story.now) == 0
        story.look()
        state = next(state for state in watcher.states(story.now) if state.network.id == HOME)
        assert (state.behind, state.behind_since, state.is_well) == (90, story.now, False)
        assert quotes.expire(now=story.now) == 0
        for _pass in range(3):
            story.look()
        assert (story.invoice.status, story.transfer().credit_reason, story.transfer().is_late) == ("paid", "exact", False)
        assert Quote.objects.get().status == "used"

    def test_a_network_nobody_waits_on_is_not_read_block_by_block(self, home: Node) -> None:
        merchant = living()
        own_wallet(merchant)
        home.mine(5000, now=NOW)
        watcher.read(HOME, now=NOW)
        assert (Cursor.objects.get().height, home.asked) == (home.head.height, [])

    def test_an_address_handed_out_and_paid_after_such_a_pass_is_found(self, story: LiveStory) -> None:
        story.look()
        story.pay()
        story.blocks(30, look=False)
        story.look()
        assert story.invoice.status == "paid"


class TestNodes:
    def test_a_pass_is_tried_again_at_once_with_the_next_node(self, story: LiveStory) -> None:
        story.pay()
        story.node.away = 1
        assert watcher.read(HOME, now=story.now) == 1
        assert (Cursor.objects.get().failures, Cursor.objects.get().source) == (0, "127.0.0.1:1")

    def test_when_none_answers_each_failure_doubles_the_wait(self, story: LiveStory, monkeypatch: pytest.MonkeyPatch) -> None:
        waits = []
        for _failure in range(5):
            story.node.away = 2
            assert watcher.read(HOME, now=NOW) is None
            retry_at = Cursor.objects.get().retry_at
            waits.append((retry_at - NOW).seconds if retry_at else 0)
        assert waits == [10, 20, 40, 60, 60]
        cursor = Cursor.objects.get()
        assert (cursor.failures, cursor.error, cursor.leased_until) == (5, "127.0.0.1 does not answer.", None)
        assert HOME not in watcher.due_networks(NOW + timedelta(seconds=59))
        assert HOME in watcher.due_networks(NOW + timedelta(seconds=60))
        story.look()
        assert (Cursor.objects.get().failures, Cursor.objects.get().retry_at, Cursor.objects.get().error) == (0, None, "")

    def test_an_unreachable_network_changes_no_money(self, story: LiveStory) -> None:
        story.pay()
        story.blocks(2)
        story.node.away = 2
        story.look()
        assert placed(story) == ("seen", 10, 2)

    def test_what_fails_in_the_middle_of_a_pass_is_read_again(self, story: LiveStory, monkeypatch: pytest.MonkeyPatch) -> None:
        story.pay()
        story.blocks()
        through, calls = PretendRail.pool, []

        def fails_once(rail: PretendRail, addresses: Any) -> Any:
            calls.append(1)
            if len(calls) == 1:
                raise RailUnreachable("gone")
            return through(rail, addresses)

        monkeypatch.setattr(PretendRail, "pool", fails_once)
        story.blocks(2)
        assert story.invoice.status == "paid"

    def test_a_pass_that_breaks_is_not_tried_at_every_tick(self, story: LiveStory, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(PretendRail, "scan", lambda *_args, **_named: 1 / 0)
        story.quote()
        with pytest.raises(ZeroDivisionError):
            watcher.read(HOME, now=NOW)
        cursor = Cursor.objects.get()
        assert (cursor.error, cursor.retry_at, cursor.leased_until) == ("The last pass failed; see the log.", NOW + timedelta(seconds=10), None)


class TestWhichNetworks:
    def test_only_those_that_a_wallet_receives_on(self, home: Node) -> None:
        merchant = living()
        assert watcher.due_networks(NOW) == []
        own_wallet(merchant)
        assert watcher.due_networks(NOW) == [HOME, AWAY]

    def test_those_of_a_retired_wallet_too_and_never_one_that_is_off(self, home: Node, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
        wallet = own_wallet(living())
        wallet.retired_at = NOW
        wallet.save()
        settings.NETWORK_OVERRIDES = {"away": {"enabled": False}}
        assert watcher.due_networks(NOW) == [HOME]

    def test_each_at_its_own_interval(self, story: LiveStory) -> None:
        story.look(HOME)
        story.look(AWAY)
        assert watcher.due_networks(NOW) == []
        assert watcher.due_networks(NOW + timedelta(seconds=1)) == [AWAY]
        assert watcher.due_networks(NOW + timedelta(seconds=5)) == [HOME, AWAY]

    def test_the_sandbox_is_read_only_where_it_is_open(self, merchant: Merchant, settings: Any) -> None:
        told = Story(merchant)
        told.quote()
        assert watcher.due_networks(NOW) == [NETWORK]
        settings.SANDBOX_OPEN = False
        assert watcher.due_networks(NOW) == []

    def test_a_network_says_how_it_is(self, story: LiveStory) -> None:
        story.quote()
        story.look()
        at_home, abroad = watcher.states(NOW)
        assert (at_home.height, at_home.head, at_home.behind, at_home.read_at, at_home.source) == (9, 9, 0, NOW, "127.0.0.1:1")
        assert (at_home.is_used, at_home.is_well, at_home.error) == (True, True, "")
        assert (abroad.height, abroad.is_used, abroad.is_well) == (None, True, False)
        assert not watcher.states(NOW + timedelta(minutes=2))[0].is_well


class TestConfirmations:
    @pytest.mark.parametrize(("price", "needed"), [("100.00", 3), ("799.99", 3), ("800.00", 5), ("79999.99", 5), ("80000.00", 8)])
    def test_a_larger_invoice_wants_more(self, home: Node, price: str, needed: int) -> None:
        merchant = living()
        own_wallet(merchant)
        story = LiveStory(merchant, home, price=price)
        story.pay()
        story.look()
        assert story.transfer().confirmations_needed == needed

    def test_without_a_rate_to_usd_it_is_the_most(self, story: LiveStory) -> None:
        quote = story.quote()
        forget_prices()
        story.pay(quote=quote)
        story.look()
        assert story.transfer().confirmations_needed == 8

    def test_where_the_network_calls_blocks_final_only_that_counts(self, story: LiveStory) -> None:
        story.node.final = 9
        story.pay()
        story.blocks(30)
        assert (placed(story), story.invoice.status) == (("seen", 10, 2), "open")
        story.node.final = 10
        story.look()
        assert (placed(story), story.invoice.status) == (("final", 10, 3), "paid")

    def test_a_block_that_another_node_disputes_stays_one_short_of_final(self, story: LiveStory) -> None:
        story.pay()
        story.node.disputed = {10}
        story.blocks(4)
        assert (placed(story), story.invoice.status) == (("seen", 10, 2), "open")
        assert Cursor.objects.get().error == "Two nodes show different blocks at 10; what is in them waits."
        story.node.disputed = set()
        story.blocks()
        assert (placed(story), Cursor.objects.get().error) == (("final", 10, 3), "")


def many_more(count: int, story: LiveStory) -> None:
    """So many open invoices with an address each."""
    wallet, like = Wallet.objects.get(), story.fresh()
    columns = {"merchant": like.merchant, "status": "open", "currency": "EUR", "total_minor": 1, "issued_at": NOW, "due_at": like.due_at}
    first = Invoice.objects.count()
    Invoice.objects.bulk_create(Invoice(**columns, title="x", number=f"X{n}", issue_at=NOW) for n in range(first, first + count))
    ReceiveAddress.objects.bulk_create(
        ReceiveAddress(wallet=wallet, invoice=row, family="evm", address=f"0xmany{row.pk}", key=wallet.key, index=row.pk + 1000, created_at=NOW)
        for row in Invoice.objects.filter(number__startswith="X", addresses=None)
    )


def test_a_pass_asks_the_database_as_often_for_many_addresses_as_for_few(story: LiveStory) -> None:
    story.pay()
    story.blocks()
    counts = []
    for more in (10, 300):
        many_more(more, story)
        with CaptureQueriesContext(connection) as queries:
            story.look()
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_wallets_addresses_are_watched_on_every_network_of_its_family(story: LiveStory) -> None:
    quote = story.quote()
    away().pay(quote.receive_address.address, f"{AWAY}/erc20:0xusdc", 5_000_000)
    away().mine(now=NOW)
    story.look(AWAY)
    assert (story.transfer().network, story.transfer().asset.network) == (AWAY, network(AWAY))


def test_a_fixed_address_is_watched_for_ever(home: Node) -> None:
    merchant = living()
    wallet = fixed_wallet(merchant)
    wallet.retired_at = NOW
    wallet.save()
    home.pay(wallet.fixed_address, assets.catalogue().networks[HOME].id + "/erc20:0xusdc", 5_000_000)
    home.mine(now=NOW)
    watcher.read(HOME, now=NOW + timedelta(days=400))
    assert (Transfer.objects.get().invoice, Transfer.objects.get().amount_units) == (None, 5_000_000)


def test_two_merchants_are_read_in_one_pass(home: Node) -> None:
    stories = []
    for slug in ("one", "two"):
        merchant = living(slug) if slug == "one" else make_merchant(slug=slug, is_test=False)
        own_wallet(merchant)
        stories.append(LiveStory(merchant, home))
    for story in stories:
        story.pay()
    stories[0].blocks(3)
    assert [story.fresh().status for story in stories] == ["paid", "paid"]
