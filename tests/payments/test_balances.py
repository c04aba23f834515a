"""Payments that no block lists: found by the balance, counted once, and taken over by their transaction when it turns up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from invoicing import ledger
from invoicing.snapshot import document
from payments import checkout, hints, quotes
from payments.models import BalanceLook, Quote, Transfer
from payments.rails import Balance, RailUnreachable
from tests.payments.pretend import ETH, HOME, USDC, LiveStory, Node, PretendRail, home, living, own_wallet, price
from tests.payments.prices import set_prices

__all__ = ["home"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(home: Node) -> LiveStory:
    merchant = living()
    own_wallet(merchant)
    return LiveStory(merchant, home)


def rows(story: LiveStory) -> list[tuple[bool, str, int | None]]:
    return [(row.is_by_balance, row.status, row.credit_minor) for row in story.transfers()]


def until_the_lock_ends(story: LiveStory) -> None:
    story.now = Quote.objects.latest("id").locked_until - timedelta(seconds=10)
    price(story.now)
    story.blocks()


def place(story: LiveStory) -> str:
    return story.quote(ETH).receive_address.address


class TestInnerPayments:
    def test_one_is_found_when_the_quote_ends_and_confirms(self, story: LiveStory, home: Node) -> None:
        quote = story.quote(ETH)
        home.pay_inside(quote.receive_address.address, ETH, quote.amount_units)
        story.blocks(2)
        assert rows(story) == []
        until_the_lock_ends(story)
        assert rows(story) == [(True, "seen", 10_000)]
        story.blocks(2)
        assert (rows(story), story.invoice.status) == ([(True, "final", 10_000)], "paid")
        row = story.transfer()
        assert (row.txid, row.place, row.credit_reason, row.is_late) == (f"balance:{quote.receive_address.address}", 0, "exact", False)

    def test_what_the_address_held_when_it_was_handed_out_is_no_payment(self, story: LiveStory, home: Node) -> None:
        home.balances["0xlive0000"] = Balance(10**18, 4, home.head)
        quote = story.quote(ETH)
        until_the_lock_ends(story)
        assert rows(story) == []
        home.pay_inside(quote.receive_address.address, ETH, quote.amount_units)
        story.now += timedelta(minutes=4, seconds=50)  # the end of the grace
        story.blocks()
        assert rows(story) == [(True, "seen", 10_000)]

    def test_it_is_looked_at_once_a_day_while_the_invoice_is_open(self, story: LiveStory, home: Node) -> None:
        address = place(story)
        until_the_lock_ends(story)
        story.now += timedelta(minutes=6)
        story.blocks()
        assert BalanceLook.objects.get().due_at == story.now + timedelta(days=1)
        home.pay_inside(address, ETH, 10**15)
        story.now += timedelta(hours=23)
        story.blocks()
        assert rows(story) == []
        story.now += timedelta(hours=1)
        story.blocks()
        assert [(by_balance, status) for by_balance, status, _credit in rows(story)] == [(True, "seen")]

    def test_a_part_more_before_it_is_final_is_one_recomputed_row(self, story: LiveStory, home: Node) -> None:
        quote = story.quote(ETH)
        until_the_lock_ends(story)
        half = quote.amount_units // 2
        for _part in range(2):
            home.pay_inside(quote.receive_address.address, ETH, half)
            hints.say(story.invoice, txid="", now=story.now)
            story.blocks()
        assert rows(story) == [(True, "seen", 10_000)]
        assert story.transfer().amount_units == 2 * half

    def test_what_comes_after_a_final_one_is_a_row_of_its_own(self, story: LiveStory, home: Node) -> None:
        quote = story.quote(ETH)
        until_the_lock_ends(story)
        for _part in range(2):
            home.pay_inside(quote.receive_address.address, ETH, quote.amount_units // 2)
            hints.say(story.invoice, txid="", now=story.now)
            story.blocks(3)
        assert [(status, credit) for _by, status, credit in rows(story)] == [("final", 5_000), ("final", 5_000)]
        assert (story.invoice.status, story.kinds().count("invoice.reopened")) == ("paid", 0)

    def test_a_node_that_tells_no_balances_holds_up_nothing(self, story: LiveStory, home: Node, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(*_args: object) -> None:
            raise RailUnreachable("no")

        with monkeypatch.context() as patch:
            patch.setattr(PretendRail, "balances", refused)
            quote = story.quote(ETH)
            assert BalanceLook.objects.get().baseline_units is None
            story.pay(quote=quote)
            until_the_lock_ends(story)
            story.blocks(3)
        assert story.invoice.status == "paid"
        story.look()  # now the baseline is taken, with what was paid in it
        assert (BalanceLook.objects.get().received_units, len(story.transfers())) == (quote.amount_units, 1)

    def test_a_reorg_takes_it_back(self, story: LiveStory, home: Node) -> None:
        quote = story.quote(ETH)
        until_the_lock_ends(story)
        home.pay_inside(quote.receive_address.address, ETH, quote.amount_units)
        hints.say(story.invoice, txid="", now=story.now)
        story.blocks(3)
        assert story.invoice.status == "paid"
        home.inner.clear()
        home.reorg(3, now=story.now)
        story.look()
        assert ([status for _by, status, _credit in rows(story)], story.fresh().status) == (["dropped"], "open")


class TestWhereBlocksAreNotRead:
    @pytest.fixture(autouse=True)
    def by_balances(self, home: Node, settings: Any) -> None:
        settings.NETWORK_OVERRIDES = {"home": {"native": "balances"}}

    def test_a_direct_payment_is_found_at_once_with_its_transaction(self, story: LiveStory, home: Node) -> None:
        txid = story.pay(ETH)
        story.blocks(3)
        assert (rows(story), story.transfer().txid, story.invoice.status) == ([(False, "final", 10_000)], txid, "paid")

    def test_one_whose_transaction_cannot_be_told_counts_by_its_balance(self, story: LiveStory, home: Node, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(*_args: object, **_named: object) -> None:
            raise RailUnreachable("no")

        monkeypatch.setattr(PretendRail, "native", refused)
        story.pay(ETH)
        story.blocks(3)
        assert (rows(story), story.invoice.status) == ([(True, "final", 10_000)], "paid")

    def test_without_a_live_quote_nobody_looks_at_every_pass(self, story: LiveStory, home: Node, monkeypatch: pytest.MonkeyPatch) -> None:
        place(story)
        story.blocks()
        story.now += timedelta(minutes=30)
        story.blocks(2)
        asked: list[object] = []

        def balances(_rail: PretendRail, addresses: object) -> dict[str, Balance]:
            asked.append(addresses)
            return {}

        monkeypatch.setattr(PretendRail, "balances", balances)
        story.blocks(3)
        assert asked == []

    def test_a_payment_long_before_the_look_is_found_with_its_transaction(self, story: LiveStory, home: Node) -> None:
        quote = story.quote(ETH)
        story.blocks()
        txid = story.pay(quote=quote)
        story.blocks(700, look=False)
        for _pass in range(4):  # two hundred blocks each
            story.look()
        assert (rows(story), story.transfer().txid, story.transfer().is_late) == ([(False, "final", 10_000)], txid, False)

    @pytest.mark.parametrize(("quoted", "every"), [(timedelta(0), timedelta(minutes=10)), (timedelta(days=3), timedelta(hours=1))])
    def test_an_open_invoice_is_looked_at_often(self, story: LiveStory, quoted: timedelta, every: timedelta) -> None:
        place(story)
        story.now += timedelta(minutes=30) + quoted
        story.blocks()
        assert BalanceLook.objects.get().due_at == story.now + every


class TestABaselineTakenLate:
    @pytest.fixture
    def quote(self, story: LiveStory, home: Node, monkeypatch: pytest.MonkeyPatch) -> Quote:
        """Its node could not be asked when it was made, and two blocks came since."""
        home.balances["0xlive0000"] = Balance(10**18, 4, home.head)
        story.blocks()

        def refused(*_args: object, **_named: object) -> None:
            raise RailUnreachable("no")

        with monkeypatch.context() as patch:
            patch.setattr(PretendRail, "balances", refused)
            quote: Quote = story.quote(ETH)
        story.blocks(2, look=False)
        assert BalanceLook.objects.get().baseline_units is None
        return quote

    def test_is_what_was_there_when_the_address_was_handed_out(self, story: LiveStory, home: Node, quote: Quote) -> None:
        home.pay_inside(quote.receive_address.address, ETH, quote.amount_units)
        story.blocks(3)
        assert BalanceLook.objects.get().baseline_units == 10**18
        assert (rows(story), story.transfer().is_late, story.invoice.status) == ([(True, "final", 10_000)], False, "paid")

    def test_waits_for_a_network_that_cannot_be_read(self, story: LiveStory, home: Node, quote: Quote) -> None:
        home.pay_inside(quote.receive_address.address, ETH, quote.amount_units)
        home.away = 2
        story.look()
        assert BalanceLook.objects.get().baseline_units is None
        story.blocks(3)
        assert story.invoice.status == "paid"

    @pytest.mark.parametrize("tells", [True, False])
    def test_where_no_node_knows_it_any_more_plain_payments_are_looked_for_first(
        self, story: LiveStory, home: Node, quote: Quote, settings: Any, monkeypatch: pytest.MonkeyPatch, tells: bool
    ) -> None:
        settings.NETWORK_OVERRIDES = {"home": {"native": "balances"}}
        home.forgets = True
        txid = story.pay(quote=quote)
        story.blocks(4, look=False)
        if not tells:

            def refused(*_args: object, **_named: object) -> None:
                raise RailUnreachable("no")

            with monkeypatch.context() as patch:
                patch.setattr(PretendRail, "native", refused)
                story.blocks()
            assert (rows(story), BalanceLook.objects.get().baseline_units) == ([], None)
        story.look()
        assert BalanceLook.objects.get().baseline_units == 10**18 + quote.amount_units
        assert (rows(story), story.transfer().txid, story.invoice.status) == ([(False, "final", 10_000)], txid, "paid")
        story.now += timedelta(minutes=20)
        story.blocks(2)
        assert len(story.transfers()) == 1

    def test_where_no_node_knows_it_any_more_what_is_there_is_no_payment(self, story: LiveStory, home: Node, quote: Quote) -> None:
        home.forgets = True
        until_the_lock_ends(story)
        assert (rows(story), BalanceLook.objects.get().baseline_units) == ([], 10**18)


class TestWhenItCame:
    """The look before is the earliest that it can have come."""

    def test_what_comes_in_the_grace_is_in_time(self, story: LiveStory, home: Node) -> None:
        quote = story.quote(ETH)
        story.now = quote.locked_until + timedelta(seconds=20)
        price(story.now)
        story.blocks()
        home.pay_inside(quote.receive_address.address, ETH, quote.amount_units)
        story.now = quote.locked_until + timedelta(minutes=5, seconds=-5)
        price(story.now)
        story.blocks(4)
        assert (rows(story), story.transfer().is_late) == ([(True, "final", 10_000)], False)

    def test_what_came_while_nobody_looked_is_in_time(self, story: LiveStory, home: Node) -> None:
        quote = story.quote(ETH)
        story.blocks()
        home.pay_inside(quote.receive_address.address, ETH, quote.amount_units)
        story.now = quote.locked_until + timedelta(minutes=30)
        set_prices("EUR", {"ETH": "2800", "USDC": "0.92", "USD": "0.8"}, at=story.now)
        story.blocks(4)
        assert (rows(story), story.transfer().is_late) == ([(True, "final", 10_000)], False)

    def test_what_comes_after_the_grace_is_late(self, story: LiveStory, home: Node) -> None:
        quote = story.quote(ETH)
        end = quote.locked_until + timedelta(minutes=5)
        story.now = end - timedelta(seconds=15)
        price(story.now)
        story.blocks()
        story.now = end + timedelta(seconds=1)
        story.look()  # no block since
        story.blocks()
        home.pay_inside(quote.receive_address.address, ETH, quote.amount_units)
        story.now += timedelta(days=1)
        set_prices("EUR", {"ETH": "2800", "USDC": "0.92", "USD": "0.8"}, at=end)
        story.blocks(4)
        assert (story.transfer().is_late, story.transfer().credit_reason, story.transfer().credit_minor) == (True, "late_rate", 9_333)

    def test_a_part_of_another_quote_goes_by_its_own_rate(self, story: LiveStory, home: Node) -> None:
        first = story.quote(ETH)
        story.now = first.locked_until + timedelta(minutes=1)
        price(story.now)
        story.blocks()
        story.now += timedelta(seconds=30)
        set_prices("EUR", {"ETH": "2000", "USDC": "0.92", "USD": "0.8"}, at=story.now)
        second = quotes.ask(story.fresh(), ETH, now=story.now)
        story.blocks()
        home.pay_inside(second.receive_address.address, ETH, second.amount_units // 2)
        story.now = second.locked_until
        story.blocks()
        assert (story.transfer().quote_id, story.transfer().credit_minor) == (second.pk, 5_000)


class TestGasMoney:
    """Coin that a merchant sends to an invoice's address, to collect tokens from there."""

    @pytest.fixture
    def address(self, story: LiveStory) -> str:
        quote = story.quote()
        story.pay(quote=quote)
        return quote.receive_address.address

    @pytest.mark.parametrize("inside", [True, False])
    def test_too_little_to_count_is_kept_and_asks_nobody(self, story: LiveStory, home: Node, address: str, inside: bool) -> None:
        (home.pay_inside if inside else home.pay)(address, ETH, 10**13 - 1)
        hints.say(story.invoice, txid="", now=story.now)
        story.blocks(6)
        dust = next(row for row in story.transfers() if row.asset_id == ETH)
        assert (dust.credit_minor, dust.credit_reason, dust.is_held, dust.status) == (None, "dust", False, "final")
        assert (story.invoice.status, story.invoice.credited_minor, "payment.late" in story.kinds()) == ("paid", 10_000, False)
        (row,) = [row for row in ledger.payments(story.invoice, document(story.invoice)) if isinstance(row, ledger.Row) and row.pk == dust.pk]
        assert (row.note, row.is_counted, row.is_held) == ("too little to count", False, False)
        assert [found.transfer.asset_id for found in checkout.situation(story.invoice, now=story.now).received] == [USDC]

    def test_more_is_held_once_the_invoice_is_paid(self, story: LiveStory, home: Node, address: str) -> None:
        story.blocks(6)
        assert story.invoice.status == "paid"
        home.pay(address, ETH, 3 * 10**14)
        story.blocks(4)
        gas = story.transfers()[-1]
        assert (gas.credit_minor, gas.credit_reason, gas.is_held) == (None, "held", True)
        assert (story.fresh().credited_minor, story.invoice.is_overpaid) == (10_000, False)

    def test_more_pays_an_open_invoice_that_takes_it(self, story: LiveStory, home: Node) -> None:
        home.pay(story.quote().receive_address.address, ETH, 10**16)
        story.blocks(4)
        assert (story.transfer().credit_reason, story.transfer().credit_minor) == ("no_quote", 3_000)

    def test_a_little_in_answer_to_a_quote_counts(self, story: LiveStory, home: Node) -> None:
        story.pay(ETH, units=9 * 10**12)
        story.blocks(4)
        assert (story.transfer().credit_reason, story.transfer().credit_minor) == ("pro_rata", 2)


class TestSweeping:
    def test_one_that_the_addresss_own_count_does_not_show_takes_nothing_away(self, story: LiveStory, home: Node) -> None:
        """EIP-7702: somebody else's transaction can empty an address."""
        quote = story.quote(ETH)
        address = quote.receive_address.address
        until_the_lock_ends(story)
        home.pay_inside(address, ETH, quote.amount_units // 2)
        hints.say(story.invoice, txid="", now=story.now)
        story.blocks(4)
        assert rows(story) == [(True, "final", 5_000)]
        home.balances[address] = Balance(-home.balance(address).units, 0, home.head)
        story.now += timedelta(days=1, minutes=30)
        price(story.now)
        story.blocks(4)
        assert (rows(story), story.fresh().credited_minor) == ([(True, "final", 5_000)], 5_000)
        home.pay_inside(address, ETH, quote.amount_units)
        hints.say(story.invoice, txid="", now=story.now)
        story.blocks(4)
        assert [row.amount_units for row in story.transfers()] == [quote.amount_units // 2, quote.amount_units]

    def test_the_merchant_sweeping_the_address_takes_no_credit_away(self, story: LiveStory, home: Node) -> None:
        quote = story.quote(ETH)
        address = quote.receive_address.address
        home.pay_inside(address, ETH, quote.amount_units)
        until_the_lock_ends(story)
        home.sweep(address)
        story.blocks(3)
        assert (rows(story), story.invoice.status) == ([(True, "final", 10_000)], "paid")
        home.pay_inside(address, ETH, 10**15)
        hints.say(story.invoice, txid="", now=story.now)
        story.blocks(3)
        assert [row.amount_units for row in story.transfers()] == [quote.amount_units, 10**15]

    def test_a_direct_payment_that_is_swept_is_one_transfer(self, story: LiveStory, home: Node) -> None:
        quote = story.quote(ETH)
        story.pay(quote=quote)
        story.blocks(3)
        home.sweep(quote.receive_address.address)
        until_the_lock_ends(story)
        story.blocks(2)
        assert rows(story) == [(False, "final", 10_000)]


class TestTheTransactionTurnsUp:
    def paid_inside(self, story: LiveStory, units: int | None = None, *, final: bool = True) -> Transfer:
        quote = story.quote(ETH)
        until_the_lock_ends(story)
        story.node.pay_inside(quote.receive_address.address, ETH, units or quote.amount_units)
        hints.say(story.invoice, txid="", now=story.now)
        story.blocks(3 if final else 1)
        return story.transfer()

    @pytest.mark.parametrize("final", [True, False])
    def test_it_takes_the_row_over_with_its_credit(self, story: LiveStory, home: Node, final: bool) -> None:
        row = self.paid_inside(story, final=final)
        hints.say(story.invoice, txid=home.inner[0].txid, now=story.now)
        story.look()
        story.blocks(2)
        found = story.transfer()
        assert (found.pk, found.txid, found.place, found.credit_minor, found.status) == (row.pk, home.inner[0].txid, 10_000, 10_000, "final")
        assert (story.invoice.status, story.kinds().count("payment.detected")) == ("paid", 1)
        story.now += timedelta(days=2)
        story.blocks()
        assert len(story.transfers()) == 1

    def test_a_smaller_one_takes_its_part_and_no_cent_is_lost(self, story: LiveStory, home: Node) -> None:
        quote = story.quote(ETH)
        until_the_lock_ends(story)
        third = quote.amount_units // 3
        for part in (third, quote.amount_units - third):
            home.pay_inside(quote.receive_address.address, ETH, part)
        hints.say(story.invoice, txid="", now=story.now)
        story.blocks(3)
        assert (rows(story), story.invoice.status) == ([(True, "final", 10_000)], "paid")
        hints.say(story.invoice, txid=home.inner[0].txid, now=story.now)
        story.look()
        assert [(row.txid == home.inner[0].txid, row.amount_units, row.status) for row in story.transfers()] == [
            (False, quote.amount_units - third, "final"),
            (True, third, "final"),
        ]
        assert (story.fresh().credited_minor, story.invoice.status) == (10_000, "paid")
        hints.say(story.invoice, txid=home.inner[1].txid, now=story.now)
        story.look()
        assert [row.is_by_balance for row in story.transfers()] == [False, False]
        assert (story.fresh().credited_minor, story.kinds().count("invoice.reopened")) == (10_000, 0)

    def test_a_payment_in_a_later_block_is_new_money_and_takes_nothing_over(self, story: LiveStory, home: Node) -> None:
        row = self.paid_inside(story)
        home.pay(row.receive_address.address if row.receive_address else "", ETH, row.amount_units)
        story.blocks(3)
        assert [(found.is_by_balance, found.amount_units, found.status) for found in story.transfers()] == [
            (True, row.amount_units, "final"),
            (False, row.amount_units, "final"),
        ]
        story.now += timedelta(days=1)
        story.blocks(3)
        assert len(story.transfers()) == 2

    def test_a_direct_one_that_a_lagging_scan_missed_is_one_transfer_in_the_end(self, story: LiveStory, home: Node) -> None:
        quote = story.quote(ETH)
        until_the_lock_ends(story)
        home.is_silent = True
        txid = story.pay(quote=quote)
        hints.say(story.invoice, txid="", now=story.now)
        story.blocks()
        assert rows(story) == [(True, "seen", 10_000)]
        home.is_silent = False
        story.blocks(2)
        assert (rows(story), story.transfer().txid, story.invoice.status) == ([(False, "final", 10_000)], txid, "paid")


class TestHints:
    def test_a_transaction_id_finds_an_inner_payment_to_the_invoices_own_address(self, story: LiveStory, home: Node) -> None:
        quote = story.quote(ETH)
        txid = home.pay_inside(quote.receive_address.address, ETH, quote.amount_units)
        story.blocks()
        assert rows(story) == []
        hints.say(story.invoice, txid=f"  {txid.upper().replace('0X', '')} ", now=story.now)
        story.blocks(3)
        assert (rows(story), story.transfer().txid, story.invoice.status) == ([(False, "final", 10_000)], txid, "paid")

    def test_somebody_elses_transaction_credits_nothing(self, story: LiveStory, home: Node) -> None:
        other = LiveStory(story.invoice.merchant, home)
        quote = other.quote(ETH)
        story.quote(ETH)
        txid = home.pay_inside(quote.receive_address.address, ETH, quote.amount_units)
        hints.say(story.invoice, txid=txid, now=story.now)
        story.blocks(3)
        assert (story.transfers(), story.fresh().credited_minor) == ([], 0)

    @pytest.mark.parametrize("text", ["hello", "0x12", "balance:0xlive0000", "0x" + "g" * 64])
    def test_what_is_no_transaction_id_is_refused(self, story: LiveStory, text: str) -> None:
        if text.endswith("g"):
            text = text[:-1]
        with pytest.raises(hints.CannotSay, match="no transaction id"):
            hints.say(story.invoice, txid=text, now=story.now)

    def test_twenty_are_enough_and_the_same_one_may_be_said_again(self, story: LiveStory) -> None:
        for number in range(20):
            hints.say(story.invoice, txid=f"0x{number:064x}", now=story.now)
        hints.say(story.invoice, txid=f"0x{3:064x}", now=story.now)
        with pytest.raises(hints.CannotSay, match="Write to Harbour & Pine"):
            hints.say(story.invoice, txid=f"0x{20:064x}", now=story.now)
        assert len({hint.txid for hint in hints.given(story.invoice)}) == 20

    def test_it_wakes_the_watcher_for_its_network(
        self, story: LiveStory, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: object
    ) -> None:
        story.quote(ETH)
        woken: list[tuple[str, ...]] = []
        monkeypatch.setattr(hints.haste, "wake", lambda *args: woken.append(args))
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
            hints.say(story.invoice, txid="", now=story.now)
        assert woken == [("payments.tasks.watch_network", HOME)]
        assert BalanceLook.objects.get().due_at == story.now


def test_a_token_quote_is_looked_after_too_and_the_sandbox_never(story: LiveStory) -> None:
    story.quote()
    look = BalanceLook.objects.get()
    assert (look.network, look.baseline_units, look.due_at) == (HOME, 0, story.now + quotes.LOCK)
