"""From the chain to a paid invoice: the whole payments floor, told as stories on the sandbox."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from invoicing import lifecycle
from invoicing.attention import matters
from invoicing.lifecycle import Money
from merchants import assets
from merchants.models import Event, Merchant, User
from payments import held, rates, settlement, watcher
from payments.models import Cursor, Quote, SandboxTransaction, Transfer
from payments.rails import Rail, Sighting, rail_for, sandbox
from payments.rates.sandbox import FixedRates
from payments.settlement import Counted, add_up
from tests.payments.money import BTC, ETH, NETWORK, USDT, Story

pytestmark = pytest.mark.django_db


def test_a_payment_is_seen_confirms_and_pays(merchant: Merchant) -> None:
    story = Story(merchant)
    story.pay()
    seen = story.look()
    assert (seen.status, seen.pending_minor, seen.credited_minor, seen.due_minor) == ("open", 10_000, 0, 0)
    assert [story.blocks().status for _block in range(3)] == ["open", "open", "paid"]
    assert (story.invoice.pending_minor, story.invoice.credited_minor, story.invoice.paid_at) == (0, 10_000, story.now)
    assert story.kinds() == ["invoice.issued", "payment.detected", "payment.confirmed", "invoice.paid"]
    assert Quote.objects.get().status == "used"


def test_a_transfer_keeps_what_its_credit_was_decided_by(merchant: Merchant) -> None:
    story = Story(merchant)
    story.pay()
    story.blocks(3)
    (transfer,) = story.transfers()
    assert (transfer.credit_minor, transfer.credit_reason) == (10_000, "exact")
    assert (transfer.credit_rate, transfer.credit_source) == ("0.920810313076", "Sandbox")
    assert (transfer.status, transfer.confirmations, transfer.quote) == ("final", 3, Quote.objects.get())


def test_reading_the_same_blocks_again_changes_nothing(merchant: Merchant) -> None:
    story = Story(merchant)
    story.pay()
    story.blocks(3)
    before = (story.kinds(), Transfer.objects.values().get())
    for _again in range(3):
        assert watcher.read(NETWORK, now=story.now) == 0
        settlement.reconsider(story.invoice.pk, now=story.now)
    Cursor.objects.all().delete()
    watcher.read(NETWORK, now=story.now)
    assert (story.kinds(), Transfer.objects.values().get()) == before


def test_a_part_then_the_rest_in_another_token(merchant: Merchant) -> None:
    story = Story(merchant)
    story.pay(units=43_440_000)  # 40 % of 108.60
    story.blocks(3)
    assert (story.invoice.credited_minor, story.invoice.due_minor, story.invoice.is_underpaid) == (4_000, 6_000, True)
    rest = story.quote(ETH)
    assert rest.fiat_minor == 6_000
    story.pay(quote=rest)
    story.blocks(3)
    assert (story.invoice.status, story.invoice.credited_minor, story.invoice.is_underpaid) == ("paid", 10_000, False)
    assert story.kinds().count("invoice.paid") == 1
    assert story.kinds().count("payment.part_received") == 1


def test_a_part_is_told_when_what_was_on_its_way_beside_it_is_lost(merchant: Merchant) -> None:
    story = Story(merchant)
    story.pay(units=43_440_000)
    story.blocks(2)
    rest = story.pay(ETH)
    story.blocks()
    assert (story.invoice.credited_minor, story.invoice.pending_minor, story.kinds().count("payment.part_received")) == (4_000, 6_000, 0)
    sandbox.reorg(1, now=story.now, drop=[rest])
    story.blocks(3)
    assert (story.invoice.credited_minor, story.invoice.pending_minor, story.kinds().count("payment.part_received")) == (4_000, 0, 1)


def test_a_payer_whose_second_payment_was_taken_back_after_the_receipt_hears_what_is_due(merchant: Merchant) -> None:
    story = Story(merchant)
    story.pay(units=43_440_000)
    story.blocks(3)
    rest = story.pay(ETH)
    story.blocks(3)
    assert (story.invoice.status, story.kinds().count("payment.part_received")) == ("paid", 1)
    sandbox.reorg(3, now=story.now, drop=[rest])
    story.blocks(3)
    assert (story.invoice.status, story.invoice.credited_minor, story.invoice.due_minor) == ("open", 4_000, 6_000)
    assert story.kinds()[-3:] == ["payment.dropped", "invoice.reopened", "payment.part_received"]


def test_a_part_payment_ends_the_other_live_quotes(merchant: Merchant) -> None:
    story = Story(merchant)
    story.quote(BTC)
    story.pay(units=43_440_000)
    story.look()
    assert {quote.asset_id: quote.status for quote in Quote.objects.all()} == {BTC: "expired", USDT: "used"}


def test_too_much_is_credited_whole_and_flagged(merchant: Merchant) -> None:
    story = Story(merchant)
    story.pay(units=120_000_000)
    story.blocks(3)
    assert (story.invoice.status, story.invoice.credited_minor, story.invoice.over_minor, story.invoice.is_overpaid) == ("paid", 11_049, 1_049, True)
    assert story.kinds().count("payment.overpaid") == 1


@pytest.mark.parametrize(("credited", "over"), [(10_050, False), (10_051, True)])
def test_half_a_percent_too_much_is_not_called_overpaid(credited: int, over: bool) -> None:
    money = add_up([Counted(credited, True, False, 1)], total_minor=10_000, tolerance_minor=0)
    assert money == Money(credited, 0, is_underpaid=False, is_overpaid=over, is_paid_late=False)


@pytest.mark.parametrize(("credited", "over"), [(103, False), (104, True)])
def test_one_payable_unit_too_much_is_not_called_overpaid(credited: int, over: bool) -> None:
    assert add_up([Counted(credited, True, False, 3)], total_minor=100, tolerance_minor=0).is_overpaid is over


@pytest.mark.parametrize(
    ("in_time", "late", "paid_late"),
    [(10_000, 0, False), (0, 10_000, True), (4_000, 6_000, True), (10_000, 10_000, False), (9_900, 100, False), (0, 4_000, True)],
)
def test_an_invoice_paid_in_time_is_not_paid_late_by_what_comes_after(in_time: int, late: int, paid_late: bool) -> None:
    counted = [Counted(in_time, True, False, 1), Counted(late, True, True, 1)]
    assert add_up(counted, total_minor=10_000, tolerance_minor=100).is_paid_late is paid_late


def test_what_the_tolerance_forgives_is_written_off(merchant: Merchant) -> None:
    merchant.tolerance_e4 = 10_000  # 1 %
    merchant.save()
    story = Story(merchant)
    story.pay(units=107_600_000)
    story.blocks(3)
    assert (story.invoice.status, story.invoice.is_underpaid) == ("paid", False)
    assert (story.invoice.credited_minor, story.invoice.written_off_minor) == (9_907, 93)


def test_the_tolerance_is_the_one_frozen_at_issue(merchant: Merchant) -> None:
    story = Story(merchant)
    Merchant.objects.update(tolerance_e4=500_000)
    story.pay(units=107_600_000)
    story.blocks(3)
    assert story.invoice.status == "open"


def test_a_payment_in_the_grace_after_the_lock_is_in_time(merchant: Merchant) -> None:
    story = Story(merchant)
    quote = story.quote()
    story.now += timedelta(minutes=19)
    story.pay(quote=quote)
    story.blocks(3)
    assert (story.invoice.status, story.invoice.is_paid_late) == ("paid", False)


def test_a_block_older_than_our_own_outage_counts_as_its_time(merchant: Merchant) -> None:
    story = Story(merchant)
    quote = story.quote()
    story.pay(quote=quote)
    for minute in range(4):
        sandbox.mine(now=story.now + timedelta(minutes=minute))
    story.now += timedelta(days=2)
    story.look()
    assert (story.invoice.status, story.invoice.is_paid_late, story.transfers()[0].credit_reason) == ("paid", False, "exact")


def test_a_late_payment_at_an_unmoved_price_counts_at_the_locked_rate(merchant: Merchant) -> None:
    story = Story(merchant)
    quote = story.quote()
    story.now += timedelta(hours=3)
    story.pay(quote=quote)
    story.blocks(3)
    assert (story.invoice.status, story.invoice.is_paid_late, story.transfers()[0].credit_reason) == ("paid", True, "late_locked")
    assert "payment.late" in story.kinds()


def test_a_late_payment_after_the_price_moved_counts_at_the_new_one(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(merchant)
    quote = story.quote()
    monkeypatch.setitem(rates.sources, "sandbox", [FixedRates({"USDT": Decimal("0.5")})])
    story.now += timedelta(hours=3)
    story.pay(quote=quote)
    story.blocks(3)
    assert (story.invoice.status, story.invoice.credited_minor, story.invoice.is_underpaid) == ("open", 5_000, True)


def test_a_late_payment_without_a_price_is_held_and_not_lost(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(merchant)
    quote = story.quote()
    monkeypatch.setitem(rates.sources, "sandbox", [])
    story.now += timedelta(hours=3)
    story.pay(quote=quote)
    story.blocks(3)
    (transfer,) = story.transfers()
    assert (transfer.status, transfer.is_held, transfer.credit_minor) == ("final", True, None)
    assert (story.invoice.status, story.invoice.credited_minor) == ("open", 0)


def test_a_stored_credit_is_not_recomputed_from_todays_prices(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(merchant)
    story.pay(units=50_000_000)
    story.blocks(1)
    monkeypatch.setitem(rates.sources, "sandbox", [FixedRates({"USDT": Decimal("7")})])
    story.blocks(3)
    assert story.transfers()[0].credit_minor == 4_604


def test_a_reorg_that_drops_the_payment_opens_the_invoice_again(merchant: Merchant) -> None:
    story = Story(merchant)
    txid = story.pay()
    story.blocks(3)
    sandbox.reorg(3, now=story.now, drop=[txid])
    reopened = story.look()
    assert (reopened.status, reopened.credited_minor, reopened.due_minor, reopened.paid_at) == ("open", 0, 10_000, None)
    assert story.transfers()[0].status == "dropped"
    assert story.kinds()[-2:] == ["payment.dropped", "invoice.reopened"]


def test_a_reorg_that_moves_the_payment_keeps_one_transfer_and_its_credit(merchant: Merchant) -> None:
    story = Story(merchant)
    story.pay()
    story.blocks(3)
    sandbox.reorg(3, now=story.now)
    assert (story.look().status, story.invoice.pending_minor) == ("open", 10_000)
    story.blocks(3)
    (transfer,) = story.transfers()
    assert (transfer.status, transfer.credit_minor, transfer.block_height) == ("final", 10_000, 4)
    assert (story.invoice.status, story.invoice.credited_minor) == ("paid", 10_000)


def test_a_dropped_payment_that_comes_back_counts_again_with_its_old_credit(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(merchant)
    txid = story.pay()
    story.blocks(2)
    sandbox.reorg(2, now=story.now, drop=[txid])
    assert story.look().pending_minor == 0
    sandbox.SandboxTransaction.objects.filter(txid=txid).update(dropped=False, block_height=None)
    monkeypatch.setitem(rates.sources, "sandbox", [])
    story.blocks(3)
    assert (story.invoice.status, story.invoice.credited_minor, Transfer.objects.count()) == ("paid", 10_000, 1)


def test_money_on_a_void_invoice_stays_on_it(merchant: Merchant) -> None:
    story = Story(merchant)
    quote = story.quote()
    lifecycle.void(story.invoice, by=None, reason="Wrong client", now=story.now)
    story.pay(quote=quote)
    story.blocks(3)
    assert (story.invoice.status, story.invoice.credited_minor) == ("void", 10_000)


def test_an_address_is_watched_for_thirty_days_after_paying(merchant: Merchant) -> None:
    story = Story(merchant)
    story.pay()
    story.blocks(3)
    story.now += timedelta(days=29)
    story.pay(quote=Quote.objects.get())
    story.blocks(3)
    assert (story.invoice.credited_minor, story.invoice.is_overpaid) == (20_000, True)
    story.now += timedelta(days=2)
    story.pay(quote=Quote.objects.get())
    story.blocks(3)
    assert len(story.transfers()) == 2


def test_an_address_handed_out_and_paid_between_two_passes_is_found(merchant: Merchant) -> None:
    story = Story(merchant)
    story.look()
    story.pay()
    for _block in range(5):
        sandbox.mine(now=story.now)
    story.look()
    assert story.invoice.status == "paid"


def test_the_watcher_catches_up_after_downtime_in_bounded_passes(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rail, "blocks_a_pass", 40)
    story = Story(merchant)
    story.look()
    story.pay()
    for _block in range(100):
        sandbox.mine(now=story.now)
    heights = []
    for _pass in range(6):
        story.look()
        heights.append(Cursor.objects.get().height)
    assert heights[-1] == 100
    assert heights == sorted(heights)
    assert story.invoice.status == "paid"


def test_a_payment_mined_while_the_pool_is_read_is_not_called_dropped(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(merchant)
    story.pay()
    story.look()
    read_pool = sandbox.SandboxRail.pool

    def mined_first(rail: sandbox.SandboxRail, addresses: Collection[str]) -> list[Sighting]:
        sandbox.mine(now=story.now)
        return read_pool(rail, addresses)

    with monkeypatch.context() as patch:
        patch.setattr(sandbox.SandboxRail, "pool", mined_first)
        story.look()
    story.blocks(3)
    assert story.kinds() == ["invoice.issued", "payment.detected", "payment.confirmed", "invoice.paid"]


def test_a_payment_mined_beyond_the_blocks_of_a_pass_is_not_called_dropped(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rail, "blocks_a_pass", 40)
    story = Story(merchant)
    story.pay()
    story.look()
    SandboxTransaction.objects.update(not_before=60)
    for _block in range(100):
        sandbox.mine(now=story.now)
    for _pass in range(6):
        story.look()
    assert story.kinds() == ["invoice.issued", "payment.detected", "payment.confirmed", "invoice.paid"]


def test_a_zero_value_transfer_is_nothing(merchant: Merchant) -> None:
    story = Story(merchant)
    story.pay(units=0)
    story.blocks(3)
    assert story.transfers() == []


def test_the_largest_amount_there_is_is_kept_exactly_and_held(merchant: Merchant) -> None:
    story = Story(merchant)
    story.pay(ETH, units=2**256 - 1)
    story.blocks(3)
    (transfer,) = story.transfers()
    assert (transfer.amount_units, transfer.is_held, story.invoice.status) == (2**256 - 1, True, "open")


def test_an_invoice_that_cannot_be_settled_holds_up_no_other(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, sound = Story(merchant), Story(merchant)
    broken.pay()
    sound.pay()
    settle = settlement.settle

    def fails_for_one(invoice, *, now):  # type: ignore[no-untyped-def]
        if invoice.pk == broken.invoice.pk:
            raise ArithmeticError("out of cheese")
        return settle(invoice, now=now)

    with monkeypatch.context() as patch:
        patch.setattr(settlement, "settle", fails_for_one)
        sound.blocks(3)
        assert (sound.invoice.status, broken.fresh().credited_minor) == ("paid", 0)
        assert "could not be settled" in Cursor.objects.get().error
        sound.blocks(30)  # the others' blocks go on, far past what is read again at each pass
        assert Cursor.objects.get().height == rail_for(NETWORK).head().height
    assert broken.look().status == "paid"
    assert (Cursor.objects.get().unsettled, Cursor.objects.get().error) == ({}, "")


def test_a_pass_that_lost_its_lease_writes_nothing_more(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(merchant)
    story.look()
    story.pay()
    through = watcher._apply_all

    def overtaken(*args: object, **kwargs: object) -> object:
        Cursor.objects.update(lease=99)
        return through(*args, **kwargs)

    monkeypatch.setattr(watcher, "_apply_all", overtaken)
    assert watcher.read(NETWORK, now=story.now) == 0
    assert story.transfers() == []


def test_what_needs_a_hand_about_money_is_listed(merchant: Merchant) -> None:
    taken, void = Story(merchant), Story(merchant)
    txid = taken.pay()
    quote = void.quote()
    lifecycle.void(void.invoice, by=None, reason="Wrong client", now=void.now)
    void.pay(quote=quote)
    taken.blocks(3)
    sandbox.reorg(3, now=taken.now, drop=[txid])
    taken.look()
    taken.blocks(4)
    assert [matter.title for matter in matters(merchant, taken.now)] == ["The network took a payment back", "Ana Duarte paid a void invoice"]


def test_a_pass_that_another_worker_holds_is_left_to_it(merchant: Merchant) -> None:
    story = Story(merchant)
    story.look()
    Cursor.objects.update(leased_until=story.now + timedelta(seconds=60))
    assert watcher.read(NETWORK, now=story.now) is None
    assert watcher.read(NETWORK, now=story.now + timedelta(seconds=61)) == 0


def test_every_payment_event_says_what_arrived_where(merchant: Merchant) -> None:
    story = Story(merchant)
    txid = story.pay()
    story.look()
    facts = Event.objects.get(kind="payment.detected").facts
    assert facts["transfer"] == {
        "id": Transfer.objects.get().pk,
        "network": "sandbox:harbour",
        "network_name": "Sandbox",
        "asset": USDT,
        "symbol": "USDT",
        "amount": "108.600000",
        "txid": txid,
        "place": 0,
        "status": "seen",
        "confirmations": 0,
        "credit": "100.00",
        "rate": "0.920810313076",
        "rate_source": "Sandbox",
        "per_usd": "0.920810313076",
        "late": False,
        "held": False,
    }
    assert (facts["invoice"]["number"], facts["invoice"]["total"]) == ("INV-000001", "100.00")


def test_a_payment_event_tells_the_invoice_with_that_payment_in_its_sums(merchant: Merchant) -> None:
    story = Story(merchant)
    story.pay(units=43_440_000)
    story.blocks(3)
    said = [(event.kind, event.facts["invoice"]) for event in Event.objects.filter(kind__startswith="payment.").order_by("id")]
    assert [(kind, told["pending"], told["credited"], told["due"], told["underpaid"]) for kind, told in said] == [
        ("payment.detected", "40.00", "0.00", "60.00", False),
        ("payment.confirmed", "0.00", "40.00", "60.00", True),
        ("payment.part_received", "0.00", "40.00", "60.00", True),
    ]


def test_an_asset_that_left_the_catalogue_still_counts_and_holds_up_nothing(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(merchant)
    story.pay(units=43_440_000)
    story.blocks(2)
    rest = story.quote(ETH)
    whole = assets.catalogue()
    fewer = assets.Catalogue(whole.networks, {name: asset for name, asset in whole.assets.items() if name != USDT}, whole.currencies)
    monkeypatch.setattr(assets, "catalogue", lambda: fewer)
    story.pay(quote=rest)
    story.blocks(3)
    assert (story.invoice.status, story.invoice.credited_minor, Cursor.objects.get().error) == ("paid", 10_000, "")


def test_an_idle_pass_costs_the_same_for_one_and_for_three_invoices(merchant: Merchant) -> None:
    stories = [Story(merchant) for _invoice in range(3)]
    counts = []
    for paid in (1, 3):
        for story in stories[:paid]:
            if not story.transfers():
                story.pay()
        stories[0].blocks(4)
        with CaptureQueriesContext(connection) as queries:
            stories[0].look()
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_member_decides_on_a_held_payment_once(merchant: Merchant, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    Merchant.objects.update(late_policy="hold")
    story = Story(Merchant.objects.get())
    quote = story.quote()
    story.now += timedelta(hours=3)
    story.pay(quote=quote)
    story.blocks(3)
    (transfer,) = story.transfers()
    assert [(choice.key, choice.minor) for choice in held.choices(transfer, now=story.now)] == [("locked", 10_000), ("today", 10_000)]
    held.decide(transfer, "locked", by=owner, now=story.now)
    assert (story.fresh().status, story.invoice.credited_minor, story.transfers()[0].is_held) == ("paid", 10_000, False)
    assert Event.objects.get(kind="payment.decided").actor == owner
    with pytest.raises(held.CannotDecide, match="already decided"):
        held.decide(transfer, "today", by=owner, now=story.now)


def test_a_held_payment_that_nobody_asked_for_has_only_todays_value(merchant: Merchant, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(merchant)
    with monkeypatch.context() as patch:
        quote = story.quote(ETH)
        patch.setitem(rates.sources, "sandbox", [])
        sandbox.pay(quote.receive_address.address, USDT, 50_000_000, now=story.now)
        story.blocks(1)
        (transfer,) = story.transfers()
        assert held.choices(transfer, now=story.now) == []
        with pytest.raises(held.CannotDecide, match="no such rate"):
            held.decide(transfer, "today", by=owner, now=story.now)
    held.decide(transfer, "today", by=owner, now=story.now)
    assert (story.fresh().pending_minor, story.transfers()[0].credit_reason) == (4_604, "decided_today")
