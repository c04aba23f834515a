"""A refund on its way: changed, expired, with another address, approved; and what is told of each."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from merchants.models import Event, Merchant
from payments import claims, rates, recorded, refunds
from payments.models import Claim, Refund, RefundShare
from payments.rates.sandbox import FixedRates
from payments.refunds import MovedOn, Refused
from payments.shares import CannotRefund
from tests.payments.money import BTC, ETH, NETWORK, USDT
from tests.payments.refund_states import ETHEREUM, TXID, at, fresh, row, sums
from tests.payments.refunding import RefundStory, payers_address

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(merchant: Merchant) -> RefundStory:
    return RefundStory(merchant)


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
