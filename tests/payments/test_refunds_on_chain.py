"""What the chain says of a refund, and the credit note of one that is confirmed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from invoicing import lifecycle
from invoicing.models import CreditNote
from merchants.models import Merchant
from payments import recorded, refunds
from payments.models import Refund
from payments.refunds import Refused
from tests.factories import make_merchant
from tests.payments.refund_states import OTHER_TXID, TXID, at, fresh, row, seen, sums
from tests.payments.refunding import RefundStory, payers_address

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(merchant: Merchant) -> RefundStory:
    return RefundStory(merchant)


# --- what the chain says ------------------------------------------------------------------------------------------
def test_what_the_chain_shows_of_an_approved_refund_sends_it_and_deep_enough_confirms_it(story: RefundStory) -> None:
    refund = at(story, "approved")
    refund = refunds.found(refund, seen(height=None), now=story.now)
    assert (refund.status, refund.txid, refund.way, refund.place, refund.confirmations_needed) == ("sent", TXID, "found", 0, 3)
    refund = refunds.found(refund, seen(confirmations=2), now=story.now)
    assert (refund.status, refund.confirmations, refund.block_height) == ("sent", 2, 90)
    refund = refunds.found(refund, seen(confirmations=3), now=story.now)
    assert (fresh(refund).status, fresh(refund).confirmed_at) == ("confirmed", story.now)
    assert story.kinds().count("refund.sent") == story.kinds().count("refund.confirmed") == 1


def test_naming_the_same_transaction_again_is_nothing_new_and_another_is_refused(story: RefundStory) -> None:
    refund = at(story, "sent")
    assert refunds.sent(refund, txid=TXID, way="pasted", by=story.owner, now=story.now).sent_by == story.second
    assert story.kinds().count("refund.sent") == 1
    with pytest.raises(Refused):
        refunds.sent(refund, txid=OTHER_TXID, way="pasted", by=story.owner, now=story.now)


def test_a_transaction_that_is_not_this_refund_is_put_aside_for_ever(story: RefundStory) -> None:
    refund = refunds.unsent(at(story, "sent"), by=story.owner, now=story.now)
    assert (refund.status, refund.txid, refund.place, refund.sent_at, refund.refused_txids) == ("approved", "", None, None, [TXID])
    with pytest.raises(Refused, match="You said that this transaction is not this refund"):
        refunds.sent(refund, txid=TXID, way="pasted", by=story.owner, now=story.now)
    refund = refunds.unsent(refunds.sent(refund, txid=OTHER_TXID, way="pasted", by=None, now=story.now), by=story.owner, now=story.now)
    assert refund.refused_txids == [TXID, OTHER_TXID]
    assert sums(story.invoice) == (0, 10_000, 0, 0)


@pytest.mark.parametrize("height", [None, 90])
def test_what_the_network_shows_is_this_refund_and_its_approval_is_not_for_a_second_payment(story: RefundStory, height: int | None) -> None:
    refund = refunds.found(at(story, "approved"), seen(height=height, confirmations=1), now=story.now)
    before = row(refund)
    with pytest.raises(Refused, match="The network shows exactly this payment, to exactly this address"):
        refunds.unsent(refund, by=story.owner, now=story.now)
    assert row(refund) == before
    refund = refunds.missing(refund, why="", now=story.now)
    assert refunds.unsent(refund, by=story.owner, now=story.now).status == "approved"


def test_one_output_pays_one_refund_of_each_merchant(story: RefundStory) -> None:
    """What another merchant says of it takes it from nobody."""
    other = RefundStory(make_merchant(slug="other"))
    theirs, ours = at(other, "confirmed"), at(story, "confirmed")
    assert [(refund.status, refund.txid, refund.place, refund.trouble) for refund in (fresh(theirs), fresh(ours))] == [("confirmed", TXID, 0, "")] * 2


def test_one_output_pays_one_refund(story: RefundStory) -> None:
    first = at(story, "confirmed", "other", other_minor=1_000)
    second = at(story, "sent", "other", other_minor=1_000)
    second = refunds.found(second, seen(), now=story.now)
    assert (second.status, second.place, second.trouble) == ("sent", None, "This transaction pays another refund.")
    assert (fresh(first).status, fresh(second).confirmations) == ("confirmed", 0)


def test_another_output_of_the_same_transaction_pays_another_refund(story: RefundStory) -> None:
    at(story, "confirmed", "other", other_minor=1_000)
    second = refunds.found(at(story, "sent", "other", other_minor=1_000), seen(place=1), now=story.now)
    assert (second.status, second.place, second.trouble) == ("confirmed", 1, "")


def test_a_block_taken_back_takes_a_confirmed_refund_back_to_sent(story: RefundStory) -> None:
    refund = at(story, "confirmed")
    story.now += timedelta(minutes=1)
    refund = refunds.missing(refund, why="", now=story.now)
    assert (refund.status, refund.confirmed_at, refund.place, refund.block_height, refund.confirmations) == ("sent", None, None, None, 0)
    assert sums(story.invoice) == (0, 10_000, 0, 0)
    note = CreditNote.objects.get()
    assert note.withdrawn_at == story.now
    refund = refunds.found(refund, seen(height=95, block="95"), now=story.now)
    assert (refund.status, refund.credit_note, CreditNote.objects.get().withdrawn_at) == ("confirmed", note, None)
    assert story.kinds()[-3:] == ["refund.confirmed", "refund.reopened", "refund.confirmed"]


def test_a_confirmed_refund_that_moves_to_another_block_is_confirmed_there_anew(story: RefundStory) -> None:
    refund = at(story, "confirmed")
    refund = refunds.found(refund, seen(height=91, block="91", confirmations=1), now=story.now)
    assert (refund.status, refund.confirmations, refund.block_hash) == ("sent", 1, "91")
    refund = refunds.found(refund, seen(height=91, block="91", confirmations=3), now=story.now)
    assert (refund.status, CreditNote.objects.count(), CreditNote.objects.get().withdrawn_at) == ("confirmed", 1, None)


def test_a_look_at_the_same_block_again_tells_nothing(story: RefundStory) -> None:
    refund = at(story, "confirmed")
    before = story.kinds()
    assert refunds.found(refund, seen(confirmations=9), now=story.now).status == "confirmed"
    assert story.kinds() == before


def test_why_a_transaction_does_not_pay_it_is_kept_until_it_does(story: RefundStory) -> None:
    refund = refunds.missing(at(story, "sent"), why="It pays 40.00 USDT; this refund is 108.60 USDT.", now=story.now)
    assert (fresh(refund).status, fresh(refund).trouble) == ("sent", "It pays 40.00 USDT; this refund is 108.60 USDT.")
    assert refunds.found(refund, seen(), now=story.now).trouble == ""


@pytest.mark.parametrize("state", ["requested", "claimed", "cancelled", "expired"])
def test_what_the_chain_says_moves_nothing_that_was_not_sent(story: RefundStory, state: str) -> None:
    refund = at(story, state)
    before = row(refund)
    refunds.found(refund, seen(), now=story.now)
    refunds.missing(refund, why="Gone.", now=story.now)
    assert row(refund) == before


def test_what_another_transaction_shows_moves_nothing(story: RefundStory) -> None:
    refund = at(story, "sent")
    before = row(refund)
    refunds.found(refund, seen(OTHER_TXID), now=story.now)
    assert row(refund) == before


def test_what_the_network_shows_cannot_be_given_up(story: RefundStory) -> None:
    refund = refunds.found(at(story, "sent"), seen(confirmations=1), now=story.now)
    with pytest.raises(Refused, match="The network shows this payment"):
        refunds.fail(refund, why="", by=story.owner, now=story.now)


def test_what_was_given_up_frees_its_money_and_its_transaction(story: RefundStory) -> None:
    failed = at(story, "failed")
    assert (failed.ended_why, failed.ended_by, sums(story.invoice)) == ("It never arrived", story.owner, (0, 0, 0, 10_000))
    again = refunds.found(at(story, "sent"), seen(), now=story.now)
    assert (again.status, again.txid) == ("confirmed", failed.txid)


def test_a_refund_that_was_taken_back_and_given_up_keeps_its_credit_note_withdrawn(story: RefundStory) -> None:
    refund = refunds.missing(at(story, "confirmed"), why="", now=story.now)
    refunds.fail(refund, why="Double spent", by=story.owner, now=story.now)
    assert (CreditNote.objects.get().withdrawn_at, sums(story.invoice)) == (story.now, (0, 0, 0, 10_000))


def test_the_networks_fee_is_noted_once(story: RefundStory) -> None:
    refund = at(story, "confirmed")
    refunds.note_fee(refund, 21_000)
    refunds.note_fee(refund, 99_000)
    assert fresh(refund).fee_units == 21_000


# --- credit notes -------------------------------------------------------------------------------------------------
def test_a_confirmed_refund_of_what_was_billed_makes_a_credit_note(story: RefundStory) -> None:
    refund = at(story, "confirmed", "other", other_minor=4_000, reason="Lunch was cold")
    note = CreditNote.objects.get()
    assert (note.number, note.amount_minor, note.reason, note.invoice, note.issued_at) == (
        "CN-000001",
        4_000,
        "Lunch was cold",
        story.invoice,
        story.now,
    )
    assert note.paid_back == {
        "reference": refund.reference,
        "amount": "43.430000",  # 40 / 0.9208…, down to a payable cent
        "symbol": "USDT",
        "network": "Sandbox",
        "address": payers_address(),
        "txid": TXID,
        "rate": "0.920810313076",
    }


def overpaid(merchant: Merchant) -> RefundStory:
    """100.00 billed, 120.00 there: 20.00 too much."""
    story = RefundStory(merchant, paid=False)
    recorded.record(story.fresh(), way="cash", amount_minor=12_000, paid_at=story.now, note="", form_key="till", by=None, now=story.now)
    return story


def confirmed(story: RefundStory, minor: int, txid: str) -> Refund:
    refund = story.approve(story.claim(story.ask("other", other_minor=minor)))
    return refunds.found(refund, seen(txid), now=story.now)


def notes() -> list[tuple[str, int]]:
    return list(CreditNote.objects.filter(withdrawn_at=None).order_by("id").values_list("number", "amount_minor"))


def test_a_surplus_goes_back_first_and_only_the_rest_is_credited(merchant: Merchant) -> None:
    story = overpaid(merchant)
    confirmed(story, 500, "1" * 64)
    assert notes() == []
    confirmed(story, 2_500, "2" * 64)  # 15.00 of the surplus and 10.00 that was billed
    assert notes() == [("CN-000001", 1_000)]
    confirmed(story, 9_000, "3" * 64)
    assert notes() == [("CN-000001", 1_000), ("CN-000002", 9_000)]
    assert sums(story.invoice) == (12_000, 0, 0, 0)


def test_in_whatever_order_refunds_are_confirmed_again_the_notes_take_back_what_was_billed_and_went_back(merchant: Merchant) -> None:
    story = overpaid(merchant)
    first, second = confirmed(story, 2_000, "1" * 64), confirmed(story, 3_000, "2" * 64)
    assert notes() == [("CN-000001", 3_000)]
    refunds.missing(first, why="", now=story.now)
    assert notes() == [("CN-000002", 1_000)]  # 30.00 are away, 20.00 of them the surplus
    refunds.found(fresh(first), seen("1" * 64), now=story.now)
    assert notes() == [("CN-000002", 1_000), ("CN-000003", 2_000)]
    refunds.missing(fresh(first), why="", now=story.now)
    refunds.missing(fresh(second), why="", now=story.now)
    assert notes() == []
    refunds.found(fresh(second), seen("2" * 64), now=story.now)
    assert notes() == [("CN-000002", 1_000)]  # it says just what is true again
    refunds.found(fresh(first), seen("1" * 64), now=story.now)
    assert notes() == [("CN-000002", 1_000), ("CN-000003", 2_000)]
    assert (fresh(first).credit_note.number, fresh(second).credit_note.number) == ("CN-000003", "CN-000002")  # type: ignore[union-attr]


def test_a_refund_that_was_the_surplus_takes_back_what_was_billed_once_the_surplus_went_otherwise(merchant: Merchant) -> None:
    """No refund keeps a note of what it was when it was confirmed first."""
    story = overpaid(merchant)
    first, second = (story.approve(story.claim(story.ask("other", other_minor=minor))) for minor in (10_000, 2_000))
    first = refunds.found(first, seen("1" * 64), now=story.now)
    assert notes() == [("CN-000001", 8_000)]
    refunds.missing(first, why="", now=story.now)
    refunds.found(second, seen("2" * 64), now=story.now)
    assert notes() == []
    refunds.found(fresh(first), seen("1" * 64), now=story.now)
    assert (notes(), sums(story.invoice)) == ([("CN-000002", 10_000)], (12_000, 0, 0, 0))


def test_what_was_confirmed_and_given_up_leaves_the_surplus_to_the_others(merchant: Merchant) -> None:
    story = overpaid(merchant)
    first, second = confirmed(story, 2_000, "1" * 64), confirmed(story, 6_000, "2" * 64)
    third = confirmed(story, 1_000, "3" * 64)
    assert notes() == [("CN-000001", 6_000), ("CN-000002", 1_000)]
    refunds.missing(first, why="", now=story.now)
    assert notes() == [("CN-000003", 5_000)]  # the latest first: all of 10.00, and 10.00 of 60.00
    refunds.fail(fresh(first), why="Gone", by=story.owner, now=story.now)
    assert (notes(), sums(story.invoice)) == ([("CN-000003", 5_000)], (7_000, 0, 0, 5_000))
    assert (fresh(second).credit_note.number, fresh(third).credit_note) == ("CN-000003", None)  # type: ignore[union-attr]


@pytest.mark.parametrize("minor", [10_000, 4_000])
def test_a_note_says_the_transaction_and_the_amount_that_went_back_at_last(story: RefundStory, minor: int) -> None:
    refund = refunds.missing(at(story, "confirmed"), why="", now=story.now)
    refund = refunds.unsent(refund, by=story.owner, now=story.now)
    if minor < 10_000:
        terms = story.terms("other", other_minor=minor)
        refund = story.approve(refunds.change(refund, terms, by=story.owner, version=refund.version, now=story.now))
    refund = refunds.found(refund, seen(OTHER_TXID), now=story.now)
    assert (refund.status, notes()) == ("confirmed", [("CN-000002", minor)])
    assert refund.credit_note is not None and refund.credit_note.paid_back["txid"] == OTHER_TXID
    assert CreditNote.objects.get(number="CN-000001").paid_back["txid"] == TXID  # what was frozen stays


def test_a_refund_confirmed_again_on_an_invoice_that_was_voided_meanwhile_takes_nothing_back(merchant: Merchant) -> None:
    story = RefundStory(merchant, paid=False)
    story.pay(units=43_440_000)
    story.blocks(3)
    refund = refunds.missing(at(story, "confirmed"), why="", now=story.now)
    lifecycle.void(story.fresh(), by=story.owner, reason="Wrong client", now=story.now)
    assert (refunds.found(refund, seen(), now=story.now).status, notes()) == ("confirmed", [])


def test_credit_notes_never_take_back_more_than_was_billed(merchant: Merchant) -> None:
    story = overpaid(merchant)
    confirmed(story, 12_000, "1" * 64)
    recorded.record(story.fresh(), way="cash", amount_minor=5_000, paid_at=story.now, note="", form_key="more", by=None, now=story.now)
    confirmed(story, 5_000, "2" * 64)
    assert notes() == [("CN-000001", 10_000)]
