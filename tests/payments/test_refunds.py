"""The one door for a refund: every move and every refusal of its table, what each does to the invoice's sums, and what stays true."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from invoicing import lifecycle
from invoicing.models import CreditNote, Invoice
from merchants import assets
from merchants.models import Event, Merchant
from payments import claims, rates, recorded, refunds, shares
from payments.models import Claim, Refund, RefundShare
from payments.rails import sandbox
from payments.rates.sandbox import FixedRates
from payments.refunds import MovedOn, Refused, Seen, Terms
from payments.shares import CannotRefund
from tests.factories import make_draft, make_merchant
from tests.payments.money import BTC, ETH, NETWORK, USDT, Story
from tests.payments.refunding import RefundStory, payers_address

pytestmark = pytest.mark.django_db

ETHEREUM = "eip155:1/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7"
TXID, OTHER_TXID = "a" * 64, "b" * 64
STATES = [str(state) for state in Refund.State]

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


def seen(txid: str = TXID, *, place: int = 0, height: int | None = 90, block: str = "90", confirmations: int = 3, at: datetime | None = None) -> Seen:
    return Seen(txid, place, height, block if height is not None else "", at, confirmations if height is not None else 0)


def at(story: RefundStory, state: str, basis: str = "paid", **more: Any) -> Refund:
    """A refund of `story` that has come to `state`."""
    refund = story.ask(basis, **more)
    if state == "requested":
        return refund
    if state == "expired":
        story.now += timedelta(days=30)
        refunds.expire_due(now=story.now)
        return fresh(refund)
    if state == "cancelled":
        return refunds.cancel(refund, why="Agreed otherwise", by=story.owner, now=story.now)
    refund = story.claim(refund)
    if state == "claimed":
        return refund
    if state == "rejected":
        return refunds.reject(refund, why="Not ours", by=story.second, now=story.now)
    refund = story.approve(refund)
    if state == "approved":
        return refund
    refund = refunds.sent(refund, txid=TXID, way="pasted", by=story.second, now=story.now)
    if state == "sent":
        return refund
    if state == "failed":
        return refunds.fail(refund, why="It never arrived", by=story.owner, now=story.now)
    return refunds.found(refund, seen(), now=story.now)


def fresh(refund: Refund) -> Refund:
    return Refund.objects.get(pk=refund.pk)


def row(refund: Refund) -> dict[str, Any]:
    return Refund.objects.values().get(pk=refund.pk)


def sums(invoice: Invoice) -> tuple[int, int, int, int]:
    """Refunded, on its way, short, left."""
    invoice.refresh_from_db()
    return invoice.refunded_minor, invoice.returning_minor, invoice.shortfall_minor, invoice.left_minor


def move(story: RefundStory, refund: Refund, event: str) -> Any:
    now = story.now
    calls: dict[str, Callable[[], Any]] = {
        "changed": lambda: refunds.change(refund, story.terms("other", other_minor=50), by=story.owner, version=refund.version, now=now),
        "renewed": lambda: refunds.renew(refund, by=story.owner, now=now),
        "expired": lambda: refunds.expire_due(now=now + timedelta(days=31)),
        "claimed": lambda: refunds.claimed(refund, address=payers_address(5), by=None, nonce=refund.nonce, now=now),
        "restarted": lambda: refunds.restart(refund, by=story.owner, now=now),
        "approved": lambda: refunds.approve(refund, by=story.second, version=refund.version, now=now),
        "rejected": lambda: refunds.reject(refund, why="No", by=story.second, now=now),
        "cancelled": lambda: refunds.cancel(refund, why="No", by=story.owner, now=now),
        "sent": lambda: refunds.sent(refund, txid=OTHER_TXID, way="wallet", by=story.second, now=now),
        "unsent": lambda: refunds.unsent(refund, by=story.owner, now=now),
        "failed": lambda: refunds.fail(refund, why="No", by=story.owner, now=now),
    }
    return calls[event]()


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


# --- changing it --------------------------------------------------------------------------------------------------
def test_a_change_voids_the_approval_and_keeps_the_address(story: RefundStory) -> None:
    refund = at(story, "approved", "other", other_minor=4_000)
    address = refund.address
    changed = refunds.change(refund, story.terms("other", other_minor=9_000), by=story.second, version=refund.version, now=story.now)
    assert (changed.status, changed.amount_minor, changed.address) == ("claimed", 9_000, address)
    assert (changed.approved_at, changed.approved_by, changed.changed_by) == (None, None, story.second)
    assert sums(story.invoice) == (0, 9_000, 0, 1_000)
    assert [share.minor for share in changed.shares.all()] == [9_000]


def test_a_change_may_use_what_the_refund_holds_itself_and_no_more(story: RefundStory) -> None:
    refund = story.ask("other", other_minor=9_000)
    story.ask("other", other_minor=500)
    with pytest.raises(CannotRefund, match="That is more than is left"):
        refunds.change(refund, story.terms("other", other_minor=9_501), by=story.owner, version=refund.version, now=story.now)
    assert (fresh(refund).amount_minor, sums(story.invoice)) == (9_000, (0, 9_500, 0, 500))
    refunds.change(refund, story.terms("other", other_minor=9_500), by=story.owner, version=refund.version, now=story.now)
    assert sums(story.invoice) == (0, 10_000, 0, 0)


@pytest.mark.parametrize("state", ["requested", "claimed", "approved"])
def test_other_words_alone_leave_all_else_as_it_was(story: RefundStory, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    refund = at(story, state, "other", other_minor=4_000, reason="Late", note="Ask Rui")
    before = row(refund)
    monkeypatch.setitem(rates.sources, "sandbox", [FixedRates({"USDT": Decimal("2")})])  # another price than it was asked at
    reworded = story.terms("other", other_minor=4_000, reason="Too late", note="")
    refunds.change(refund, reworded, by=story.second, version=refund.version, now=story.now)
    assert row(refund) == before | {"reason": "Too late", "note": "", "version": before["version"] + 1}
    assert (story.kinds()[-1], Event.objects.latest("id").facts["refund"]["reason"]) == ("refund.changed", "Too late")


def test_the_same_again_is_reckoned_anew(story: RefundStory, monkeypatch: pytest.MonkeyPatch) -> None:
    refund = at(story, "approved", "other", other_minor=4_000, reason="Late")
    monkeypatch.setitem(rates.sources, "sandbox", [FixedRates({"USDT": Decimal("2")})])
    again = story.terms("other", other_minor=4_000, reason="Late")
    changed = refunds.change(refund, again, by=story.second, version=refund.version, now=story.now)
    assert (refund.amount_units, changed.amount_units, changed.status, changed.authors) == (
        43_430_000,
        21_720_000,
        "claimed",
        [story.owner.pk, story.second.pk],
    )


def test_other_words_for_other_payments_are_another_amount(merchant: Merchant) -> None:
    """As much, and of another one: an approval was for the other."""
    story = RefundStory(merchant, paid=False)
    pieces = [
        recorded.record(story.fresh(), way="cash", amount_minor=5_000, paid_at=story.now, note="", form_key=key, by=None, now=story.now)
        for key in ("one", "two")
    ]
    first, second = (frozenset({("payment", piece.pk)}) for piece in pieces)
    refund = at(story, "approved", "today", keys=first, reason="Late")
    terms = story.terms("today", keys=second, reason="Too late")
    assert refunds.change(refund, terms, by=story.owner, version=refund.version, now=story.now).status == "claimed"
    assert RefundShare.objects.get().payment == pieces[1]


def test_a_change_of_what_was_changed_meanwhile_is_refused(story: RefundStory) -> None:
    refund = story.ask("other", other_minor=1_000)
    stale = refund.version
    refunds.change(refund, story.terms("other", other_minor=2_000), by=story.owner, version=stale, now=story.now)
    with pytest.raises(MovedOn, match="This refund was changed while you were looking at it"):
        refunds.change(refund, story.terms("other", other_minor=3_000), by=story.owner, version=stale, now=story.now)
    assert fresh(refund).amount_minor == 2_000


def test_another_network_asks_for_another_address(story: RefundStory) -> None:
    refund = at(story, "approved")
    nonce = refund.nonce
    changed = refunds.change(refund, story.terms("fiat", asset=ETHEREUM), by=story.owner, version=refund.version, now=story.now)
    assert (changed.status, changed.address, changed.approved_by) == ("requested", "", None)
    assert changed.nonce != nonce
    assert story.kinds()[-2:] == ["refund.changed", "refund.restarted"]


def test_another_token_of_the_same_network_keeps_the_address(story: RefundStory) -> None:
    refund = at(story, "claimed")
    changed = refunds.change(refund, story.terms("today", asset=ETH), by=story.owner, version=refund.version, now=story.now)
    assert (changed.status, changed.address, changed.asset_id) == ("claimed", payers_address(), ETH)


def test_an_address_that_waits_for_its_confirmation_is_not_taken_to_another_network(story: RefundStory) -> None:
    refund = story.ask()
    given = claims.offer(refund, address=payers_address(), last=payers_address()[-4:], now=story.now)
    link = claims.link_token(refund)
    refunds.change(refund, story.terms("fiat", asset=ETHEREUM), by=story.owner, version=refund.version, now=story.now)
    given.refresh_from_db()
    with pytest.raises(claims.CannotClaim, match="This link does not hold any more"):
        claims.confirm(given, now=story.now)
    assert (fresh(refund).status, fresh(refund).address, claims.read_token(link)) == ("requested", "", None)
    assert story.kinds()[-2:] == ["refund.changed", "refund.renewed"]  # the payer gets a link that says the new token


# --- expiring and asking again ------------------------------------------------------------------------------------
def test_a_link_that_was_not_used_in_time_ends_the_refund_and_frees_its_money(story: RefundStory) -> None:
    refund = story.ask()
    assert refunds.expire_due(now=refund.claim_until - timedelta(seconds=1)) == 0
    assert refunds.expire_due(now=refund.claim_until) == 1
    assert refunds.expire_due(now=refund.claim_until) == 0
    assert (fresh(refund).status, fresh(refund).ended_at, sums(story.invoice)) == ("expired", refund.claim_until, (0, 0, 0, 10_000))


def test_an_expired_refund_is_asked_for_again_with_a_new_link(story: RefundStory) -> None:
    refund = at(story, "expired")
    link = claims.link_token(refund)
    renewed = refunds.renew(refund, by=story.owner, now=story.now)
    assert (renewed.status, renewed.claim_until, renewed.ended_at) == ("requested", story.now + timedelta(days=30), None)
    assert claims.read_token(link) is None
    assert claims.read_token(claims.link_token(renewed)) == renewed
    assert sums(story.invoice) == (0, 10_000, 0, 0)


def test_an_expired_refund_whose_money_went_elsewhere_is_not_asked_for_again(story: RefundStory) -> None:
    refund = at(story, "expired", "other", other_minor=6_000)
    story.ask("other", other_minor=4_001)
    with pytest.raises(Refused, match="What it was about has gone back otherwise since"):
        refunds.renew(refund, by=story.owner, now=story.now)
    assert (fresh(refund).status, sums(story.invoice)) == ("expired", (0, 4_001, 0, 5_999))


# --- another address ------------------------------------------------------------------------------------------------
def test_once_it_is_approved_only_a_member_can_have_another_address_given(story: RefundStory) -> None:
    """It may be on its way already: who sends it would pay the wrong address, and a second time."""
    refund = at(story, "approved")
    before = row(refund)
    with pytest.raises(Refused, match=r"It is approved and may be on its way\. Write to Harbour & Pine"):
        refunds.restart(refund, by=None, now=story.now)
    assert row(refund) == before
    assert refunds.restart(refund, by=story.owner, now=story.now).status == "requested"


def test_the_payer_can_begin_anew_until_it_is_approved(story: RefundStory) -> None:
    assert refunds.restart(at(story, "claimed"), by=None, now=story.now).status == "requested"


# --- approving ----------------------------------------------------------------------------------------------------
def test_an_amount_in_the_invoices_currency_gets_its_token_amount_at_approval(story: RefundStory, monkeypatch: pytest.MonkeyPatch) -> None:
    refund = at(story, "claimed", "fiat")
    assert refund.amount_units is None
    monkeypatch.setitem(rates.sources, "sandbox", [FixedRates({"USDT": Decimal("2")})])
    story.now += timedelta(days=2)
    refund = story.approve(refund)
    assert (refund.amount_units, refund.rate, refund.rate_at, refund.amount_minor) == (54_300_000, "1.84162062615", story.now, 10_000)


def test_an_approved_amount_is_fixed_anew_once_it_is_approved_again(story: RefundStory, monkeypatch: pytest.MonkeyPatch) -> None:
    refund = refunds.restart(at(story, "approved", "fiat"), by=story.owner, now=story.now)
    assert (refund.amount_units, refund.rate, refund.rate_source, refund.rate_at) == (None, "", "", None)
    monkeypatch.setitem(rates.sources, "sandbox", [FixedRates({"USDT": Decimal("2")})])
    assert story.approve(story.claim(refund)).amount_units == 54_300_000


def test_a_refund_in_another_basis_keeps_its_amount_through_everything(story: RefundStory, monkeypatch: pytest.MonkeyPatch) -> None:
    refund = at(story, "claimed", "today")
    monkeypatch.setitem(rates.sources, "sandbox", [FixedRates({"USDT": Decimal("2")})])
    assert story.approve(story.claim(refunds.restart(refund, by=None, now=story.now))).amount_units == 108_590_000


def test_without_a_price_an_amount_in_the_invoices_currency_waits(story: RefundStory, monkeypatch: pytest.MonkeyPatch) -> None:
    refund = at(story, "claimed", "fiat")
    monkeypatch.setitem(rates.sources, "sandbox", [])
    with pytest.raises(Refused, match="There is no price for USDT on Sandbox now"):
        story.approve(refund)
    assert fresh(refund).status == "claimed"


def test_what_is_worth_less_than_can_be_sent_by_now_is_not_approved(story: RefundStory, monkeypatch: pytest.MonkeyPatch) -> None:
    refund = story.claim(story.ask("fiat", asset=BTC, other_minor=0, deduction_e4=992_000))  # 0.80 EUR are 843 satoshi
    monkeypatch.setitem(rates.sources, "sandbox", [FixedRates({"BTC": Decimal("200000")})])
    with pytest.raises(Refused, match="That is less than can be sent in BTC on Sandbox"):
        story.approve(refund)
    assert (fresh(refund).status, fresh(refund).amount_units) == ("claimed", None)


def test_a_token_that_left_the_catalogue_is_not_approved_and_nothing_is_named_for_it(story: RefundStory) -> None:
    claimed, approved = at(story, "claimed", "fiat", deduction_e4=500_000), at(story, "approved")
    Refund.objects.update(asset_id=f"{NETWORK}/token:gone")
    with pytest.raises(Refused, match="Its token is no longer served here"):
        story.approve(claimed)
    with pytest.raises(Refused, match="Its token is no longer served here"):
        refunds.sent(approved, txid=TXID, way="pasted", by=story.owner, now=story.now)
    assert (fresh(claimed).status, fresh(approved).status) == ("claimed", "approved")


def test_an_approval_is_of_what_was_seen(story: RefundStory) -> None:
    refund = at(story, "claimed", "other", other_minor=1_000)
    looked_at = refund.version
    refunds.change(refund, story.terms("other", other_minor=9_000), by=story.owner, version=looked_at, now=story.now)
    with pytest.raises(MovedOn):
        refunds.approve(refund, by=story.second, version=looked_at, now=story.now)
    assert (fresh(refund).status, fresh(refund).approved_by) == ("claimed", None)


def test_a_rejection_is_kept_with_its_reason_for_the_payer(story: RefundStory) -> None:
    refund = at(story, "rejected")
    assert (refund.ended_by, refund.ended_why, refund.ended_at) == (story.second, "Not ours", story.now)
    assert sums(story.invoice) == (0, 0, 0, 10_000)


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


# --- what is told -------------------------------------------------------------------------------------------------
def test_what_is_told_of_a_refund_opens_nothing_and_holds_no_private_word(story: RefundStory) -> None:
    refund = at(story, "confirmed", note="The client is difficult", reason="Late")
    told = [event.facts for event in Event.objects.filter(kind__startswith="refund.")]
    claim = Claim.objects.get()
    for secret in (refund.nonce, claim.nonce, "The client is difficult", claims.link_token(refund)):
        assert secret not in str(told)
    assert told[-1]["refund"] == {
        "id": refund.pk,
        "reference": refund.reference,
        "status": "confirmed",
        "basis": "paid",
        "amount": "100.00",
        "currency": "EUR",
        "asset": USDT,
        "symbol": "USDT",
        "network": NETWORK,
        "network_name": "Sandbox",
        "asset_amount": "108.600000",
        "rate": "0.920810313075506446",
        "rate_source": "credited",
        "reason": "Late",
        "address": payers_address(),
        "address_by": "payer",
        "txid": TXID,
        "confirmations": 3,
        "credit_note": "CN-000001",
        "why": None,
        "claim_until": None,
    }


def test_the_sums_in_an_event_are_those_after_it(story: RefundStory) -> None:
    at(story, "confirmed", "other", other_minor=4_000)
    last = Event.objects.get(kind="refund.confirmed")
    assert (last.facts["invoice"]["refunded"], last.facts["invoice"]["status"]) == ("40.00", "paid")
