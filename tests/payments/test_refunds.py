"""The one door for a refund: every move and every refusal of its table, and what each does to the invoice's sums."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from invoicing import lifecycle
from invoicing.models import CreditNote
from merchants import assets
from merchants.models import Event, Merchant
from payments import recorded, refunds, shares
from payments.models import Refund, RefundShare
from payments.rails import sandbox
from payments.refunds import Refused, Terms
from payments.shares import CannotRefund
from tests.factories import make_draft
from tests.payments.money import BTC, ETH, USDT, Story
from tests.payments.refund_states import STATES, at, fresh, move, row, seen, sums
from tests.payments.refunding import RefundStory

pytestmark = pytest.mark.django_db

# What product.md allows, written down once more: event → the states it starts from, and where it leads.
ALLOWED: dict[str, tuple[set[str], str | None]] = {
    "changed": ({"requested", "claimed", "approved"}, None),
    "renewed": ({"requested", "expired"}, "requested"),
    "expired": ({"requested"}, "expired"),
    "claimed": ({"requested"}, "claimed"),
    "restarted": ({"claimed", "approved"}, "requested"),
    "approved": ({"claimed"}, "approved"),
    "rejected": ({"claimed"}, "rejected"),
    "cancelled": ({"requested", "claimed", "approved"}, "cancelled"),
    "sent": ({"approved"}, "sent"),
    "unsent": ({"sent"}, "approved"),
    "failed": ({"sent"}, "failed"),
}
CHANGED = {"requested": "requested", "claimed": "claimed", "approved": "claimed"}


@pytest.fixture
def story(merchant: Merchant) -> RefundStory:
    return RefundStory(merchant)


# --- the table ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("event", "state"), [(event, state) for event, (allowed, _to) in ALLOWED.items() for state in sorted(allowed)])
def test_an_allowed_move_leads_where_it_says_counts_the_version_up_and_is_told(story: RefundStory, event: str, state: str) -> None:
    refund = at(story, state, "other", other_minor=4_000)
    before = fresh(refund)
    if state == "expired":  # it holds nothing meanwhile
        assert sums(story.invoice) == (0, 0, 0, 10_000)
    move(story, refund, event)
    after = fresh(refund)
    to = ALLOWED[event][1] or CHANGED[state]
    assert (after.status, after.version) == (to, before.version + 1)
    told = Event.objects.filter(kind__startswith="refund.").order_by("-id").first()
    assert told is not None and (told.kind, told.facts["refund"]["status"]) == (f"refund.{event}", to)
    assert (told.subject_kind, told.subject_id) == ("invoice", story.invoice.pk)


@pytest.mark.parametrize(
    ("event", "state"),
    [(event, state) for event, (allowed, _to) in ALLOWED.items() for state in STATES if state not in allowed and event != "expired"],
)
def test_every_other_move_is_refused_with_a_sentence_and_changes_nothing(story: RefundStory, event: str, state: str) -> None:
    refund = at(story, state, "other", other_minor=4_000)
    before, events, money = row(refund), Event.objects.count(), sums(story.invoice)
    with pytest.raises(Refused) as refused:
        move(story, refund, event)
    assert (str(refused.value).endswith(".") and refund.reference in str(refused.value)) or "network shows" in str(refused.value)
    assert (row(refund), Event.objects.count(), sums(story.invoice)) == (before, events, money)


@pytest.mark.parametrize("state", [state for state in STATES if state != "requested"])
def test_only_what_waits_for_an_address_expires(story: RefundStory, state: str) -> None:
    refund = at(story, state)
    before = row(refund)
    assert refunds.expire_due(now=story.now + timedelta(days=400)) == 0
    assert row(refund) == before


@pytest.mark.parametrize(("state", "word"), [("cancelled", "cancelled"), ("rejected", "rejected"), ("failed", "failed"), ("expired", "expired")])
def test_what_has_ended_says_so_and_what_to_do(story: RefundStory, state: str, word: str) -> None:
    refund = at(story, state)
    with pytest.raises(Refused) as refused:
        refunds.restart(refund, by=story.owner, now=story.now)
    assert str(refused.value) == f"Refund {refund.reference} has ended ({word}). Create a new one."


@pytest.mark.parametrize("state", ["sent", "confirmed"])
@pytest.mark.parametrize("event", ["changed", "restarted", "rejected", "cancelled"])
def test_what_was_sent_cannot_be_called_back(story: RefundStory, event: str, state: str) -> None:
    refund = at(story, state, "other", other_minor=4_000)
    with pytest.raises(Refused) as refused:
        move(story, refund, event)
    assert str(refused.value) == f"Refund {refund.reference} has been sent; it cannot be called back."


def test_a_whole_story_is_told_event_by_event(story: RefundStory) -> None:
    at(story, "confirmed")
    kinds = [kind for kind in story.kinds() if kind.startswith("refund.")]
    assert kinds == ["refund.requested", "refund.address_given", "refund.claimed", "refund.approved", "refund.sent", "refund.confirmed"]


# --- asking for it ------------------------------------------------------------------------------------------------
def test_a_refund_keeps_what_was_decided(story: RefundStory) -> None:
    refund = fresh(story.ask(deduction_e4=100_000, reason=" Lunch was cold ", note=" Ask Rui "))
    assert (refund.basis, refund.deduction_e4, refund.amount_minor, refund.amount_units) == ("paid", 100_000, 9_000, 97_740_000)
    assert (refund.rate, refund.rate_source, refund.asset_id) == ("0.920810313075506446", "credited", USDT)
    assert (refund.reason, refund.note, refund.created_by, refund.version) == ("Lunch was cold", "Ask Rui", story.owner, 1)
    assert refund.claim_until == refund.created_at + timedelta(days=30)
    assert [(share.transfer, share.minor) for share in refund.shares.all()] == [(story.transfers()[0], 9_000)]
    assert sums(story.invoice) == (0, 9_000, 0, 1_000)


def test_the_same_form_again_is_the_same_refund(story: RefundStory) -> None:
    terms = story.terms("other", other_minor=1_000)
    pair = [refunds.request(story.fresh(), terms, form_key="one form", by=story.owner, now=story.now) for _press in range(2)]
    assert pair[0] == pair[1]
    assert (Refund.objects.count(), story.kinds().count("refund.requested"), sums(story.invoice)) == (1, 1, (0, 1_000, 0, 9_000))


def test_several_refunds_share_what_is_left_and_no_more(story: RefundStory) -> None:
    story.ask("other", other_minor=6_000)
    with pytest.raises(CannotRefund, match="That is more than is left"):
        story.ask("other", other_minor=4_001)
    story.ask("other", other_minor=4_000)
    with pytest.raises(Refused, match="Nothing is left to refund on INV-000001"):
        story.ask("other", other_minor=1)
    assert sums(story.invoice) == (0, 10_000, 0, 0)
    assert sorted(RefundShare.objects.values_list("minor", flat=True)) == [4_000, 6_000]


def test_a_draft_has_nothing_to_refund(merchant: Merchant) -> None:
    draft = make_draft(merchant)
    assert refunds.objection(draft) == "Brand identity, phase 2 has not been issued; there is nothing to refund."


def test_what_is_still_confirming_cannot_be_refunded_yet(merchant: Merchant) -> None:
    story = RefundStory(merchant, paid=False)
    assert refunds.objection(story.fresh()) == "Nothing is left to refund on INV-000001."
    story.pay()
    story.look()
    assert refunds.objection(story.fresh()) == "The payments of INV-000001 are still confirming; they can be refunded once they are final."
    story.blocks(3)
    assert refunds.objection(story.fresh()) == ""


def test_less_than_its_network_sends_cannot_be_asked_for(story: RefundStory) -> None:
    """546 satoshi are 51.8 cents."""
    with pytest.raises(CannotRefund, match="That is less than can be sent in BTC on Sandbox"):
        story.ask("other", asset=BTC, other_minor=51)
    assert not Refund.objects.exists()
    assert story.ask("other", asset=BTC, other_minor=52).amount_units == 548


def test_no_payment_chosen_is_asked_for(story: RefundStory) -> None:
    terms = Terms("paid", assets.asset(USDT), frozenset({("payment", 77)}))
    with pytest.raises(CannotRefund, match="Choose which payment goes back"):
        refunds.request(story.fresh(), terms, form_key="k", by=story.owner, now=story.now)


def test_a_payment_of_another_invoice_cannot_be_named(story: RefundStory, merchant: Merchant) -> None:
    other = Story(merchant)
    other.pay()
    other.blocks(3)
    terms = Terms("paid", assets.asset(USDT), frozenset({("transfer", other.transfers()[0].pk)}))
    with pytest.raises(CannotRefund, match="Choose which payment goes back"):
        refunds.request(story.fresh(), terms, form_key="k", by=story.owner, now=story.now)


@pytest.mark.parametrize(
    ("basis", "asset", "more", "amount", "units", "source"),
    [
        ("paid", USDT, {}, 10_000, 108_600_000, "credited"),
        ("today", USDT, {}, 10_000, 108_590_000, "Sandbox"),  # 100 / 0.920810313076 = 108.5999…
        ("today", ETH, {}, 10_000, 31_171_060_000_000_000, "Sandbox"),  # at 3208.10313076
        ("today", BTC, {}, 10_000, 105_416, "Sandbox"),  # at 94861.878453
        ("other", USDT, {"other_minor": 2_500}, 2_500, 27_140_000, "Sandbox"),
        ("fiat", USDT, {}, 10_000, None, ""),
    ],
)
def test_what_each_basis_is_in_the_token(
    story: RefundStory, basis: str, asset: str, more: dict[str, Any], amount: int, units: int | None, source: str
) -> None:
    refund = fresh(story.ask(basis, asset=asset, **more))
    assert (refund.amount_minor, refund.amount_units, refund.rate_source) == (amount, units, source)


def test_todays_rate_is_without_the_merchants_spread(merchant: Merchant) -> None:
    merchant.spread_e4 = 50_000
    merchant.save()
    story = RefundStory(merchant)
    assert story.ask("today").rate == "0.920810313076"


# --- the invoice's sums -------------------------------------------------------------------------------------------
def test_refunding_never_makes_an_invoice_due_again(story: RefundStory) -> None:
    paid_at = story.invoice.paid_at
    at(story, "confirmed")
    invoice = story.fresh()
    assert (invoice.status, invoice.paid_at, invoice.due_minor, invoice.credited_minor) == ("paid", paid_at, 0, 10_000)
    assert sums(invoice) == (10_000, 0, 0, 0)


@pytest.mark.parametrize("state", STATES)
def test_the_sums_follow_the_state(story: RefundStory, state: str) -> None:
    at(story, state, "other", other_minor=4_000)
    holds = state in ("requested", "claimed", "approved", "sent")
    expected = (4_000, 0, 0, 6_000) if state == "confirmed" else (0, 4_000, 0, 6_000) if holds else (0, 0, 0, 10_000)
    assert sums(story.invoice) == expected


def test_what_was_overpaid_is_so_until_the_surplus_has_arrived(merchant: Merchant) -> None:
    story = RefundStory(merchant, paid=False)
    story.pay(units=120_000_000)
    story.blocks(3)
    assert (story.invoice.is_overpaid, story.invoice.over_minor, story.invoice.credited_minor) == (True, 1_049, 11_049)
    refund = story.ask("surplus")
    assert (refund.amount_minor, refund.amount_units) == (1_049, 11_390_000)  # 120 USDT · 10.49 / 110.49 = 11.392886, down to a payable cent
    assert (story.fresh().is_overpaid, story.invoice.over_minor) == (True, 0)  # on its way: nothing more to send
    story.approve(story.claim(refund))
    refunds.found(fresh(refund), seen(), now=story.now)
    assert (story.fresh().is_overpaid, story.invoice.over_minor, story.invoice.left_minor) == (False, 0, 10_000)
    assert story.kinds().count("payment.overpaid") == 1
    assert not CreditNote.objects.exists()
    with pytest.raises(CannotRefund, match="Nothing would go back"):
        story.ask("surplus")


def test_a_surplus_can_go_back_in_another_token_at_todays_rate(merchant: Merchant) -> None:
    story = RefundStory(merchant, paid=False)
    story.pay(units=120_000_000)
    story.blocks(3)
    refund = story.ask("surplus", asset=ETH)
    assert (refund.amount_minor, refund.amount_units, refund.rate, refund.rate_source) == (1_049, 3_269_840_000_000_000, "3208.10313076", "Sandbox")


def test_all_the_money_on_a_void_invoice_is_too_much(merchant: Merchant) -> None:
    story = RefundStory(merchant, paid=False)
    story.pay(units=43_440_000)
    story.blocks(3)
    lifecycle.void(story.fresh(), by=None, reason="Wrong client", now=story.now)
    refund = story.ask("surplus")
    assert (refund.amount_minor, refund.amount_units) == (4_000, 43_440_000)
    changed = refunds.change(refund, story.terms("surplus", deduction_e4=100_000), by=story.owner, version=refund.version, now=story.now)
    assert (changed.amount_minor, changed.amount_units) == (3_600, 39_090_000)
    story.approve(story.claim(changed))
    refunds.found(fresh(refund), seen(), now=story.now)
    assert (story.fresh().status, sums(story.invoice)) == ("void", (3_600, 0, 0, 400))
    assert not CreditNote.objects.exists()  # a void invoice bills nothing


def test_a_part_payment_can_go_back_and_the_rest_stays_due(merchant: Merchant) -> None:
    story = RefundStory(merchant, paid=False)
    story.pay(units=43_440_000)
    story.blocks(3)
    at(story, "confirmed")
    assert (story.fresh().status, story.invoice.due_minor, sums(story.invoice)) == ("open", 6_000, (4_000, 0, 0, 0))


def test_the_latest_payment_goes_back_first_across_kinds(merchant: Merchant) -> None:
    story = RefundStory(merchant, paid=False)
    story.pay(units=43_440_000)
    story.blocks(3)
    cash = recorded.record(story.fresh(), way="cash", amount_minor=6_000, paid_at=story.now, note="", form_key="till", by=story.owner, now=story.now)
    refund = story.ask("other", other_minor=7_000)
    assert [(share.payment, share.transfer_id, share.minor) for share in refund.shares.order_by("minor")] == [
        (None, story.transfers()[0].pk, 1_000),
        (cash, None, 6_000),
    ]


# --- a payment that is taken back afterwards ----------------------------------------------------------------------
def test_a_payment_taken_back_behind_a_refund_leaves_a_shortfall_until_it_is_there_again(story: RefundStory) -> None:
    refund = at(story, "approved", "other", other_minor=4_000)
    txid = story.transfers()[0].txid
    sandbox.reorg(5, now=story.now, drop=[txid])
    story.look()
    assert (story.invoice.status, story.invoice.due_minor, sums(story.invoice)) == ("open", 10_000, (0, 4_000, 4_000, 0))
    assert shares.is_short(refund, story.invoice)
    sandbox.SandboxTransaction.objects.filter(txid=txid).update(dropped=False, block_height=None)
    story.blocks(4)
    assert (story.invoice.status, sums(story.invoice)) == ("paid", (0, 4_000, 0, 6_000))
    assert not shares.is_short(refund, story.invoice)


def test_a_reversed_payment_behind_a_confirmed_refund_leaves_a_shortfall(merchant: Merchant) -> None:
    story = RefundStory(merchant, paid=False)
    cash = recorded.record(story.fresh(), way="cash", amount_minor=10_000, paid_at=story.now, note="", form_key="till", by=story.owner, now=story.now)
    at(story, "confirmed", "other", other_minor=7_500)
    recorded.reverse(cash, by=story.owner, now=story.now)
    assert sums(story.invoice) == (7_500, 0, 7_500, 0)
    assert refunds.objection(story.fresh()) == "Nothing is left to refund on INV-000001."


def test_a_shortfall_of_one_payment_takes_nothing_from_what_is_left_of_another(merchant: Merchant) -> None:
    story = RefundStory(merchant, paid=False)
    pieces = [
        recorded.record(story.fresh(), way="cash", amount_minor=minor, paid_at=story.now, note="", form_key=f"{minor}", by=None, now=story.now)
        for minor in (3_000, 7_000)
    ]
    at(story, "confirmed", "today", keys=frozenset({("payment", pieces[1].pk)}))
    recorded.reverse(pieces[1], by=None, now=story.now)
    assert (story.fresh().credited_minor, sums(story.invoice)) == (3_000, (7_000, 0, 7_000, 3_000))
    assert story.ask("other", other_minor=3_000).amount_minor == 3_000
    assert sums(story.invoice) == (7_000, 3_000, 7_000, 0)


def test_nobody_approves_what_a_vanished_payment_stands_behind(story: RefundStory) -> None:
    refund = at(story, "claimed")
    sandbox.reorg(5, now=story.now, drop=[story.transfers()[0].txid])
    story.look()
    with pytest.raises(Refused, match="A payment that this goes back on does not count any more"):
        story.approve(refund)
