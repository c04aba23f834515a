"""What the chain says of refunds, on the sandbox and on a network that lags, lies and forgets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from invoicing.models import CreditNote
from merchants.models import Event, Merchant
from payments import outgoing, refunds, tasks, watcher
from payments.models import Cursor, ReceiveAddress, Refund, SandboxTransaction
from payments.rails import RailUnreachable, rail_for, sandbox
from payments.rails.sandbox import CannotProvoke
from tests.factories import make_merchant
from tests.payments.money import BTC, ETH, NETWORK, USDT, Story
from tests.payments.pretend import ETH as HOME_ETH
from tests.payments.pretend import HOME, USDC, LiveStory, Node, PretendRail, home, living, own_wallet
from tests.payments.refunding import RefundStory, payers_address

pytestmark = pytest.mark.django_db
__all__ = ["home"]

PAYER = "0x" + "ab" * 20


@pytest.fixture
def story(merchant: Merchant) -> RefundStory:
    return RefundStory(merchant)


def stands(refund: Refund) -> tuple[str, int, str]:
    """Its state, its confirmations, and its trouble."""
    refund.refresh_from_db()
    return refund.status, refund.confirmations, refund.trouble


def told_of(refund: Refund) -> list[str]:
    """What was told of it, in order."""
    rows = Event.objects.filter(subject_id=refund.invoice_id, kind__startswith="refund.").order_by("id")
    return [row.kind.removeprefix("refund.") for row in rows if row.facts["refund"]["id"] == refund.pk]


def name(story: Story, refund: Refund, txid: str) -> Refund:
    return refunds.sent(refund, txid=txid, way=Refund.Way.PASTED, by=None, now=story.now)


def another(story: RefundStory) -> RefundStory:
    """Another merchant's, on the same chain, at the same time."""
    other = RefundStory(make_merchant(slug="other"))
    story.now = other.now = max(story.now, other.now)
    return other


class TestFound:
    """Nobody has named its transaction."""

    def test_what_was_paid_exactly_is_found_in_the_pool_and_counted_to_its_end(self, story: RefundStory) -> None:
        refund = story.approved()
        txid = story.send(refund)
        story.look()
        assert stands(refund) == ("sent", 0, "")
        assert (refund.txid, refund.way, refund.place, refund.block_height, refund.confirmations_needed) == (txid, "found", 0, None, 3)
        seen = []
        for _block in range(4):
            invoice = story.blocks()
            seen.append((stands(refund)[:2], invoice.refunded_minor, invoice.returning_minor))
        assert seen == [
            (("sent", 1), 0, 10_000),
            (("sent", 2), 0, 10_000),
            (("confirmed", 3), 10_000, 0),
            (("confirmed", 3), 10_000, 0),
        ]
        assert told_of(refund) == ["requested", "address_given", "claimed", "approved", "sent", "confirmed"]
        assert [(note.amount_minor, note.withdrawn_at) for note in CreditNote.objects.all()] == [(10_000, None)]

    def test_what_was_mined_long_before_anybody_looked_is_confirmed_at_once(self, story: RefundStory) -> None:
        refund = story.approved()
        story.send(refund)
        for _block in range(6):
            story.now += timedelta(seconds=5)
            sandbox.mine(now=story.now)
        story.look()
        assert stands(refund) == ("confirmed", 3, "")

    @pytest.mark.parametrize("off", [-1, 1])
    def test_another_amount_is_nobodys(self, story: RefundStory, off: int) -> None:
        refund = story.approved()
        story.send(refund, units=(refund.amount_units or 0) + off)
        story.blocks(4)
        assert stands(refund) == ("approved", 0, "")

    def test_so_is_another_token(self, story: RefundStory) -> None:
        refund = story.approved()
        sandbox.pay(refund.address, BTC, refund.amount_units or 0, now=story.now)
        story.blocks(4)
        assert stands(refund) == ("approved", 0, "")

    def test_what_came_before_its_approval_is_not_it(self, story: RefundStory) -> None:
        claimed = story.claim(story.ask())
        story.send(claimed)
        story.blocks()
        story.now += timedelta(seconds=1)
        refund = story.approve(claimed)
        story.blocks(3)
        assert (stands(refund), refund.approved_height) == (("approved", 0, ""), 6)
        txid = story.send(refund)
        story.blocks(3)
        assert (stands(refund), refund.txid) == (("confirmed", 3, ""), txid)

    def test_a_transaction_that_a_member_refused_is_never_taken_again(self, story: RefundStory) -> None:
        refund = story.approved()
        txid = story.send(refund)
        story.look()
        sandbox.provoke_refund(Refund.objects.get(), "drop", now=story.now)
        story.blocks()
        refunds.unsent(refund, by=story.owner, now=story.now)
        SandboxTransaction.objects.filter(txid=txid).update(dropped=False, block_height=None)  # it is broadcast once more
        story.blocks(4)
        assert stands(refund) == ("approved", 0, "")
        with pytest.raises(refunds.Refused, match="You said that this transaction is not this refund"):
            name(story, refund, txid)
        second = story.send(refund)
        story.blocks(3)
        assert (stands(refund), refund.txid) == (("confirmed", 3, ""), second)

    def test_what_another_merchant_owes_the_same_person_too_is_found_for_neither(self, story: RefundStory) -> None:
        """The chain does not say who paid."""
        other = another(story)
        theirs, ours = other.approved(), story.approved()
        assert (theirs.address, theirs.asset_id, theirs.amount_units) == (ours.address, ours.asset_id, ours.amount_units)
        txid = story.send(ours)
        story.blocks(4)
        assert (stands(theirs), stands(ours)) == (("approved", 0, ""), ("approved", 0, ""))
        name(story, ours, txid)
        story.look()
        assert (stands(theirs), theirs.txid, stands(ours)) == (("approved", 0, ""), "", ("confirmed", 3, ""))
        again = other.send(theirs)
        story.blocks(4)
        assert stands(theirs) == ("approved", 0, "")
        name(other, theirs, again)
        story.look()
        assert stands(theirs) == ("confirmed", 3, "")

    @pytest.mark.parametrize("off", ["address", "amount"])
    def test_what_another_merchant_owes_otherwise_keeps_nothing_from_being_found(self, story: RefundStory, off: str) -> None:
        other = another(story)
        if off == "address":
            other.approve(other.claim(other.ask(), address=payers_address(3)))
        else:
            other.approved("other", other_minor=4_000)
        ours = story.approved()
        story.send(ours)
        story.blocks(3)
        assert stands(ours) == ("confirmed", 3, "")

    def test_two_refunds_of_one_amount_to_one_address_want_a_payment_each(self, story: RefundStory) -> None:
        first, second = (story.approved("other", other_minor=4_000) for _refund in range(2))
        assert (first.amount_units, first.address) == (second.amount_units, second.address)
        one = story.send(first)
        story.blocks(4)
        assert (stands(first), stands(second)) == (("confirmed", 3, ""), ("approved", 0, ""))
        two = story.send(second)
        story.blocks(4)
        assert (stands(second), first.txid, second.txid) == (("confirmed", 3, ""), one, two)
        assert story.fresh().refunded_minor == 8_000

    def test_several_at_once_each_get_their_own(self, story: RefundStory) -> None:
        first, second = (story.approved("other", other_minor=4_000) for _refund in range(2))
        txids = {story.send(first), story.send(second)}
        story.blocks(3)
        assert (stands(first), stands(second)) == (("confirmed", 3, ""), ("confirmed", 3, ""))
        assert {first.txid, second.txid} == txids

    def test_money_to_an_address_that_also_receives_pays_the_invoice_all_the_same(self, story: RefundStory) -> None:
        other = Story(make_merchant(slug="other"))
        quote = other.quote()
        refund = story.approved()
        Refund.objects.filter(pk=refund.pk).update(address=quote.receive_address.address, amount_units=quote.amount_units)
        refund.refresh_from_db()
        other.now = story.now
        story.send(refund)
        other.blocks(3)
        assert (other.fresh().status, other.invoice.credited_minor, stands(refund)) == ("paid", 10_000, ("confirmed", 3, ""))


class TestNamed:
    """A member or its wallet has named the transaction."""

    def test_more_than_its_amount_will_do(self, story: RefundStory) -> None:
        refund = story.approved()
        name(story, refund, story.send(refund, units=(refund.amount_units or 0) + 7))
        story.blocks(3)
        assert (stands(refund), refund.way) == (("confirmed", 3, ""), "pasted")

    def test_what_was_paid_before_its_approval_counts_when_it_is_named(self, story: RefundStory) -> None:
        claimed = story.claim(story.ask())
        txid = story.send(claimed)
        story.blocks(30)
        refund = story.approve(claimed)
        story.blocks()
        assert stands(refund) == ("approved", 0, "")
        name(story, refund, txid)
        story.look()
        assert stands(refund)[0] == "sent"  # no other node was asked of its block yet
        story.look()
        assert (stands(refund), refund.block_height) == (("confirmed", 3, ""), 6)

    def test_too_little_is_told_in_figures_and_pays_nothing(self, story: RefundStory) -> None:
        refund = story.approved()
        name(story, refund, story.send(refund, units=54_000_000))
        story.blocks(4)
        assert stands(refund) == ("sent", 0, "It pays 54.00 USDT; this refund is 108.60 USDT.")
        assert (refund.place, story.fresh().refunded_minor) == (None, 0)

    def test_so_is_another_token(self, story: RefundStory) -> None:
        refund = story.approved()
        txid = sandbox.pay(refund.address, ETH, 2 * 10**17, now=story.now).txid
        name(story, refund, txid)
        story.blocks(2)
        assert stands(refund) == ("sent", 0, "It pays 0.20 ETH; this refund is 108.60 USDT.")

    def test_a_transaction_to_somebody_else_pays_nothing_here(self, story: RefundStory) -> None:
        refund = story.approved()
        txid = sandbox.pay(payers_address(7), USDT, refund.amount_units or 0, now=story.now).txid
        name(story, refund, txid)
        story.look()
        assert stands(refund) == ("sent", 0, "")  # it may be another one still
        story.blocks()
        assert stands(refund) == ("sent", 0, "This transaction pays nothing to the address of this refund.")

    def test_one_that_nobody_knows_is_waited_for(self, story: RefundStory) -> None:
        refund = story.approved()
        name(story, refund, "ab" * 32)
        story.blocks(3)
        assert (stands(refund), refund.place) == (("sent", 0, ""), None)

    def test_the_same_transaction_for_two_refunds_pays_the_first(self, story: RefundStory) -> None:
        first, second = (story.approved("other", other_minor=4_000) for _refund in range(2))
        txid = story.send(first)
        for refund in (first, second):
            name(story, refund, txid)
        story.blocks(4)
        assert (stands(first), stands(second)) == (("confirmed", 3, ""), ("sent", 0, "This transaction pays another refund."))
        assert story.fresh().refunded_minor == 4_000

    def test_another_merchant_takes_nothing_away_by_naming_it_first(self, story: RefundStory) -> None:
        other = another(story)
        ours = story.approved()
        txid = story.send(ours)
        theirs = name(other, other.approved(), txid)
        story.blocks(3)
        assert (stands(theirs)[0], stands(ours)[0]) == ("confirmed", "approved")
        name(story, ours, txid)
        story.blocks()
        assert (stands(ours), stands(theirs), ours.place, theirs.place) == (("confirmed", 3, ""), ("confirmed", 3, ""), 0, 0)

    def test_a_second_payment_that_is_exact_takes_the_place_of_one_that_pays_too_little(self, story: RefundStory) -> None:
        refund = story.approved()
        name(story, refund, story.send(refund, units=54_000_000))
        story.blocks(2)
        txid = story.send(refund)
        story.blocks(4)
        assert (stands(refund), refund.txid, refund.way) == (("confirmed", 3, ""), txid, "found")
        assert told_of(refund)[-3:] == ["sent", "sent", "confirmed"]


class TestTakenBack:
    def test_a_block_taken_back_opens_it_again_and_the_next_one_confirms_it_anew(self, story: RefundStory) -> None:
        refund = story.approved()
        txid = story.send(refund)
        story.blocks(4)
        sandbox.reorg(4, now=story.now)
        story.look()
        assert (stands(refund), refund.block_height, story.fresh().refunded_minor, story.invoice.returning_minor) == (
            ("sent", 0, ""),
            None,
            0,
            10_000,
        )
        assert CreditNote.objects.get().withdrawn_at is not None
        story.blocks(3)
        assert (stands(refund), refund.txid, refund.credit_note) == (("confirmed", 3, ""), txid, CreditNote.objects.get())
        assert (story.fresh().refunded_minor, CreditNote.objects.get().withdrawn_at) == (10_000, None)
        assert told_of(refund)[-4:] == ["sent", "confirmed", "reopened", "confirmed"]

    def test_one_that_moves_to_another_block_between_two_looks_is_counted_anew(self, story: RefundStory) -> None:
        refund = story.approved()
        story.send(refund)
        story.blocks(4)
        sandbox.reorg(4, now=story.now)
        story.blocks()
        assert (stands(refund), story.fresh().refunded_minor) == (("sent", 1, ""), 0)
        story.blocks(2)
        assert stands(refund) == ("confirmed", 3, "")

    def test_one_that_vanishes_is_not_there_and_what_is_paid_in_its_place_is_found(self, story: RefundStory) -> None:
        refund = story.approved()
        first = story.send(refund)
        story.blocks(4)
        sandbox.reorg(4, now=story.now, drop=[first])
        story.blocks(2)
        assert (stands(refund), refund.place, refund.txid) == (("sent", 0, ""), None, first)
        second = story.send(refund)
        story.blocks(3)
        assert (stands(refund), refund.txid) == (("confirmed", 3, ""), second)

    def test_one_that_vanishes_from_the_pool_is_not_there(self, story: RefundStory) -> None:
        refund = story.approved()
        txid = story.send(refund)
        story.look()
        assert stands(refund) == ("sent", 0, "") and refund.place == 0
        sandbox.provoke_refund(refund, "drop", now=story.now)
        story.blocks()
        assert (stands(refund), refund.place, refund.txid) == (("sent", 0, ""), None, txid)

    def test_a_refund_that_was_given_up_leaves_its_transaction_to_another(self, story: RefundStory) -> None:
        refund = story.approved()
        txid = story.send(refund)
        story.blocks()
        sandbox.reorg(1, now=story.now, drop=[txid])
        story.blocks()
        refund.refresh_from_db()
        refunds.fail(refund, why="It never arrived.", by=story.owner, now=story.now)
        again = story.approved()
        story.send(again)
        story.blocks(4)
        assert (stands(refund)[0], stands(again)[0], story.fresh().refunded_minor) == ("failed", "confirmed", 10_000)


class HomeRefunds(RefundStory, LiveStory):
    """The same on HOME, a network of its own temper."""

    def terms(self, basis: str = Refund.Basis.PAID, **more: Any) -> refunds.Terms:
        more.setdefault("asset", USDC)
        return super().terms(basis, **more)

    def claim(self, refund: Refund, *, address: str = "") -> Refund:
        return super().claim(refund, address=address or PAYER)

    def send(self, refund: Refund, *, units: int | None = None, place: int = 0, txid: str = "") -> str:
        refund.refresh_from_db()
        amount = refund.amount_units if units is None else units
        return self.node.pay(refund.address, refund.asset_id, amount, place=place, txid=txid)  # type: ignore[arg-type]


@pytest.fixture
def there(home: Node) -> HomeRefunds:
    merchant = living()
    own_wallet(merchant)
    return HomeRefunds(merchant, node=home)


class TestNetworksOfEveryTemper:
    def test_two_outputs_of_one_transaction_pay_two_refunds(self, there: HomeRefunds) -> None:
        first, second = (there.approved("other", other_minor=4_000) for _refund in range(2))
        txid = there.send(first, place=3)
        there.send(second, place=4, txid=txid)
        there.blocks(3)
        assert [(stands(one)[0], one.txid, one.place) for one in (first, second)] == [("confirmed", txid, 3), ("confirmed", txid, 4)]

    def test_the_fee_is_noted_once_for_a_transaction(self, there: HomeRefunds) -> None:
        first, second = (there.approved("other", other_minor=4_000) for _refund in range(2))
        txid = there.send(first, place=3)
        there.send(second, place=4, txid=txid)
        there.node.fees[txid] = 21_000 * 10**9
        there.blocks(3)
        assert (stands(first)[0], first.fee_units, stands(second)[0], second.fee_units) == ("confirmed", 21_000 * 10**9, "confirmed", None)

    def test_one_that_failed_says_so_and_the_next_one_is_found(self, there: HomeRefunds) -> None:
        refund = there.approved()
        txid = "0x" + "cd" * 32
        there.node.failed.add(txid)
        name(there, refund, txid)
        there.look()
        assert stands(refund) == ("sent", 0, "This transaction failed: it moved nothing.")
        again = there.send(refund)
        there.blocks(3)
        assert (stands(refund), refund.txid) == (("confirmed", 3, ""), again)

    def test_what_no_scan_shows_is_asked_for_by_its_id(self, there: HomeRefunds, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(settings, "NETWORK_OVERRIDES", {"home": {"native": "balances"}})
        refund = there.approved("today", asset=HOME_ETH)
        assert not outgoing.finds_by_itself(refund.asset)
        txid = there.send(refund)
        there.blocks(2)
        assert stands(refund) == ("approved", 0, "")
        name(there, refund, txid)
        there.look()
        assert stands(refund) == ("sent", 2, "")
        there.blocks()
        assert stands(refund) == ("confirmed", 3, "")

    def test_a_silent_node_takes_nothing_back(self, there: HomeRefunds) -> None:
        refund = there.approved()
        there.send(refund)
        there.blocks(2)
        there.node.is_silent = True
        there.blocks(2)
        assert stands(refund) == ("confirmed", 3, "")

    def test_a_disputed_block_waits(self, there: HomeRefunds) -> None:
        refund = there.approved()
        there.send(refund)
        there.blocks(1)
        there.node.disputed = {refund.block_height or there.node.head.height}
        there.blocks(4)
        assert stands(refund) == ("sent", 2, "")
        there.node.disputed = set()
        there.look()
        assert stands(refund) == ("confirmed", 3, "")

    def test_so_does_one_that_was_asked_for_by_its_id(self, there: HomeRefunds) -> None:
        claimed = there.claim(there.ask())
        txid = there.send(claimed)
        there.blocks(15)
        refund = name(there, there.approve(claimed), txid)
        there.node.disputed = {11, 12, 13, 14, 15, 16, 17}
        there.blocks(3)
        assert stands(refund)[:2] == ("sent", 2)

    def test_a_block_below_the_window_that_was_replaced_opens_it_again(self, there: HomeRefunds) -> None:
        """Its transaction is in none of the blocks that are read again: it is asked for by its id."""
        refund = there.approved()
        there.send(refund)
        there.blocks()
        Refund.objects.filter(pk=refund.pk).update(confirmations_needed=40)
        there.blocks(14)
        assert stands(refund) == ("sent", 15, "")
        there.node.reorg(15, now=there.now, to_pool=False)
        there.blocks()
        assert (stands(refund), refund.block_hash) == (("sent", 16, ""), there.node.blocks[-16].hash)
        there.node.reorg(16, now=there.now, drop=[refund.txid])
        there.blocks()
        assert (stands(refund), refund.place) == (("sent", 0, ""), None)

    def test_a_node_that_tells_of_no_single_transaction_breaks_no_pass(self, there: HomeRefunds, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_asked: object) -> list[object]:
            raise RailUnreachable("127.0.0.1 refuses.")

        refund = name(there, there.approved(), "0x" + "ef" * 32)
        monkeypatch.setattr(PretendRail, "in_transaction", refuse)
        there.blocks(2)
        cursor = Cursor.objects.get(network=HOME)
        assert (stands(refund), cursor.error, cursor.height) == (("sent", 0, ""), "", there.node.head.height)

    def test_a_block_that_is_gone_opens_it_again_whatever_such_a_node_says(self, there: HomeRefunds, monkeypatch: pytest.MonkeyPatch) -> None:
        refund = there.approved()
        txid = there.send(refund)
        there.blocks(4)
        monkeypatch.setattr(PretendRail, "in_transaction", lambda *_asked: 1 / 0)
        there.node.reorg(4, now=there.now, drop=[txid])
        there.look()
        assert (stands(refund), there.fresh().refunded_minor) == (("sent", 0, ""), 0)

    def test_old_transactions_that_nobody_knows_are_asked_for_rarely(self, there: HomeRefunds) -> None:
        refund = name(there, there.approved(), "0x" + "ef" * 32)
        there.now += timedelta(hours=2)
        there.node.asked.clear()
        there.blocks(30)
        assert there.node.asked.count(refund.txid) == 1

    def test_the_calls_of_a_pass_are_the_same_for_one_refund_and_for_three(self, there: HomeRefunds) -> None:
        counted = []
        for _count in (1, 3):
            while Refund.objects.count() < _count:
                there.send(there.approved("other", other_minor=1_000))
            there.blocks(2)
            there.node.asked.clear()
            with CaptureQueriesContext(connection) as queries:
                watcher.read(HOME, now=there.now)
            counted.append((len(queries), list(there.node.asked)))
        (few, _asked), (many, asked) = counted
        assert (few, len(asked)) == (many, 1)


class TestNothingBreaksAPass:
    def test_one_refund_that_cannot_be_settled_holds_up_neither_payments_nor_others(
        self, story: RefundStory, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken, sound = (story.approved("other", other_minor=minor) for minor in (4_000, 5_000))
        through = refunds.found

        def found(refund: Refund, *args: Any, **kwargs: Any) -> Refund:
            if refund.pk == broken.pk:
                raise ZeroDivisionError
            return through(refund, *args, **kwargs)

        monkeypatch.setattr(refunds, "found", found)
        other = Story(merchant)
        other.now = story.now
        other.pay()
        story.send(broken)
        story.send(sound)
        story.blocks(3)
        assert (stands(broken)[0], stands(sound)[0], other.fresh().status) == ("approved", "confirmed", "paid")
        assert broken.reference in Cursor.objects.get(network=NETWORK).error
        monkeypatch.undo()
        story.blocks()
        assert (stands(broken)[0], Cursor.objects.get(network=NETWORK).error) == ("confirmed", "")

    def test_a_token_that_left_the_catalogue_breaks_no_pass(self, story: RefundStory, merchant: Merchant) -> None:
        refund = story.approved()
        Refund.objects.filter(pk=refund.pk).update(asset_id=f"{NETWORK}/token:gone")
        other = Story(merchant)
        other.now = story.now
        other.pay()
        assert (other.blocks(3).status, Cursor.objects.get(network=NETWORK).error) == ("paid", "")

    def test_a_refund_alone_keeps_its_network_read(self, story: RefundStory) -> None:
        refund = story.approved()
        ReceiveAddress.objects.update(family="elsewhere")
        story.send(refund)
        story.blocks(3)
        assert stands(refund) == ("confirmed", 3, "")

    def test_a_pass_that_lost_its_lease_writes_nothing_of_refunds(self, story: RefundStory, monkeypatch: pytest.MonkeyPatch) -> None:
        refund = story.approved()
        story.send(refund)
        through = outgoing.settle

        def overtaken(*args: Any, **kwargs: Any) -> Any:
            Cursor.objects.update(lease=99)
            return through(*args, **kwargs)

        monkeypatch.setattr(outgoing, "settle", overtaken)
        assert watcher.read(NETWORK, now=story.now) == 0
        assert stands(refund) == ("approved", 0, "")


class TestTheSandbox:
    @pytest.mark.parametrize(
        ("acts", "ends"),
        [
            (["exact"], ("confirmed", 3, "")),
            (["exact", "reorg"], ("confirmed", 3, "")),
            (["exact", "drop"], ("sent", 0, "")),
        ],
    )
    def test_each_temper_ends_as_its_button_says(self, story: RefundStory, acts: list[str], ends: tuple[str, int, str]) -> None:
        refund = story.approved()
        for act in acts:
            sandbox.provoke_refund(refund, act, now=story.now)
            story.blocks(4)
            refund.refresh_from_db()
        assert stands(refund) == ends

    def test_half_of_it_is_told_of_once_it_is_named(self, story: RefundStory) -> None:
        refund = story.approved()
        txid = sandbox.provoke_refund(refund, "part", now=story.now)
        story.blocks(2)
        assert stands(refund) == ("approved", 0, "")
        name(story, refund, txid)
        story.look()
        assert stands(refund) == ("sent", 0, "It pays 54.30 USDT; this refund is 108.60 USDT.")

    def test_nothing_happens_to_one_that_has_no_address_or_no_payment(self, story: RefundStory) -> None:
        with pytest.raises(CannotProvoke):
            sandbox.provoke_refund(story.ask("other", other_minor=1_000), "exact", now=story.now)
        with pytest.raises(CannotProvoke):
            sandbox.provoke_refund(story.approved("other", other_minor=1_000), "drop", now=story.now)

    def test_it_tells_of_single_transactions(self, story: RefundStory) -> None:
        refund = story.approved()
        txid, rail = story.send(refund), rail_for(NETWORK)
        fates = [rail.fate(txid)]
        story.blocks()
        fates.append(rail.fate(txid))
        sandbox.reorg(1, now=story.now, drop=[txid])
        assert [fate.value for fate in (*fates, rail.fate(txid))] == ["waiting", "done", "unknown"]
        assert (rail.in_transaction(txid, [refund.address]), rail.fee(txid)) == ([], None)


def test_links_that_were_not_used_in_time_expire_by_the_clock(story: RefundStory, monkeypatch: pytest.MonkeyPatch) -> None:
    refund = story.ask()
    monkeypatch.setattr(tasks.clock, "now", lambda: story.now + timedelta(days=30))
    tasks.expire_refunds()
    assert (stands(refund)[0], story.fresh().returning_minor) == ("expired", 0)
