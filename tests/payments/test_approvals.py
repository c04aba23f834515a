"""Who may approve a refund: above the merchant's limit a second person."""

from __future__ import annotations

from decimal import Decimal

import pytest

from merchants.models import Merchant, Role, User
from payments import approvals, claims, rates, refunds
from payments.models import Refund
from payments.rates.sandbox import FixedRates
from payments.refunds import Refused, Seen
from tests.factories import NOW, add_member
from tests.payments.prices import forget_prices, set_price
from tests.payments.refunding import RefundStory, payers_address

pytestmark = pytest.mark.django_db

ASKED = "Above 50.00 EUR a refund needs a second person, and you asked for this one. Ask a colleague to approve it."
ENTERED = "Above 50.00 EUR a refund needs a second person, and you entered its address. Ask a colleague to approve it."


@pytest.fixture
def limited(merchant: Merchant) -> Merchant:
    """Above 50.00 EUR two people are needed."""
    merchant.refund_limit_minor, merchant.refund_limit_currency = 5_000, "EUR"
    merchant.save()
    return merchant


@pytest.fixture
def story(limited: Merchant) -> RefundStory:
    return RefundStory(limited)


@pytest.fixture
def third(limited: Merchant) -> User:
    return add_member(limited, Role.MANAGER, email="third@harbourpine.example")


def claimed(story: RefundStory, minor: int = 5_001, *, by: User | None = None) -> Refund:
    return story.claim(story.ask("other", other_minor=minor, by=by))


def may(story: RefundStory, refund: Refund, user: User) -> str:
    return approvals.objection(Refund.objects.get(pk=refund.pk), user, now=story.now)


def test_without_a_limit_one_person_does_it_all(merchant: Merchant) -> None:
    story = RefundStory(merchant)
    refund = claims.enter(story.ask(), address=payers_address(), by=story.owner, now=story.now)
    assert story.approve(refund, by=story.owner).approved_by == story.owner


@pytest.mark.parametrize(("minor", "above"), [(5_000, False), (5_001, True), (1, False), (10_000, True)])
def test_exactly_the_limit_is_not_above_it(story: RefundStory, minor: int, above: bool) -> None:
    assert approvals.is_above_limit(story.merchant, minor, "EUR", now=NOW) is above


def test_a_limit_of_zero_needs_two_people_for_everything(story: RefundStory) -> None:
    story.merchant.refund_limit_minor = 0
    assert approvals.is_above_limit(story.merchant, 1, "EUR", now=NOW)
    assert approvals.limit_words(story.merchant) == "0.00 EUR"


def test_who_asked_for_it_may_not_approve_it_and_a_colleague_may(story: RefundStory) -> None:
    refund = claimed(story)
    assert may(story, refund, story.owner) == ASKED
    with pytest.raises(Refused) as refused:
        story.approve(refund, by=story.owner)
    assert str(refused.value) == ASKED
    assert Refund.objects.get().status == "claimed"
    assert story.approve(refund, by=story.second).approved_by == story.second


def test_up_to_the_limit_who_asked_for_it_may_approve_it(story: RefundStory) -> None:
    assert story.approve(claimed(story, 5_000), by=story.owner).status == "approved"


def test_who_entered_the_address_may_not_approve_it(story: RefundStory, third: User) -> None:
    refund = claims.enter(story.ask("other", other_minor=5_001), address=payers_address(), by=story.second, now=story.now)
    assert may(story, refund, story.second) == ENTERED
    assert may(story, refund, story.owner) == ASKED
    assert story.approve(refund, by=third).approved_by == third


def test_who_changed_the_amount_may_not_approve_it(story: RefundStory, third: User) -> None:
    refund = claimed(story, 1_000)
    refunds.change(refund, story.terms("other", other_minor=9_000), by=story.second, version=refund.version, now=story.now)
    assert may(story, refund, story.second) == ASKED
    assert may(story, refund, story.owner) == ASKED
    assert may(story, refund, third) == ""


def test_everybody_who_ever_changed_the_amount_counts_and_who_changed_words_does_not(story: RefundStory, third: User, merchant: Merchant) -> None:
    refund = claimed(story, 6_000)
    for minor, by in ((9_000, story.second), (8_000, third)):
        refund.refresh_from_db()
        refunds.change(refund, story.terms("other", other_minor=minor), by=by, version=refund.version, now=story.now)
    fourth = add_member(merchant, Role.MANAGER, email="fourth@harbourpine.example")
    refund.refresh_from_db()
    refunds.change(refund, story.terms("other", other_minor=8_000, reason="Late"), by=fourth, version=refund.version, now=story.now)
    assert Refund.objects.get().authors == [story.owner.pk, story.second.pk, third.pk]
    assert [may(story, refund, user) for user in (story.owner, story.second, third, fourth)] == [ASKED, ASKED, ASKED, ""]


def test_an_address_that_the_payer_gave_anew_forgets_who_had_entered_the_one_before(story: RefundStory) -> None:
    refund = claims.enter(story.ask("other", other_minor=5_001), address=payers_address(), by=story.second, now=story.now)
    refund = story.claim(refunds.restart(refund, by=story.owner, now=story.now))
    assert may(story, refund, story.second) == ""


def test_a_raised_amount_needs_the_second_person_that_the_small_one_did_not(story: RefundStory) -> None:
    refund = story.approve(claimed(story, 5_000), by=story.owner)
    raised = refunds.change(refund, story.terms("other", other_minor=5_001), by=story.owner, version=refund.version, now=story.now)
    assert raised.status == "claimed"
    assert may(story, refund, story.owner) == ASKED


def test_a_lowered_limit_holds_for_what_waits_already(story: RefundStory) -> None:
    refund = claimed(story, 4_000)
    assert may(story, refund, story.owner) == ""
    Merchant.objects.update(refund_limit_minor=3_999)
    assert may(story, refund, story.owner).startswith("Above 39.99 EUR")


def test_nobody_passes_the_limit_in_pieces(story: RefundStory) -> None:
    """What goes back on an invoice counts together, whatever has become of each piece."""
    first = claimed(story, 3_000)
    assert may(story, first, story.owner) == ""
    second = claimed(story, 2_001)
    assert may(story, first, story.owner) == may(story, second, story.owner) == ASKED
    refunds.found(story.approve(first), Seen("a" * 64, 0, 90, "90", story.now, 9), now=story.now)
    assert (story.fresh().refunded_minor, may(story, second, story.owner)) == (3_000, ASKED)
    assert story.approve(second).approved_by == story.second


@pytest.mark.parametrize("ended", ["cancel", "reject"])
def test_what_goes_back_no_more_does_not_count(story: RefundStory, ended: str) -> None:
    first, second = claimed(story, 3_000), claimed(story, 2_001)
    getattr(refunds, ended)(first, why="", by=story.owner, now=story.now)
    assert may(story, second, story.owner) == ""


def test_another_invoices_refunds_count_for_themselves(story: RefundStory) -> None:
    other = RefundStory(story.merchant)
    for one in (story, other):
        assert may(one, claimed(one, 5_000), story.owner) == ""


def test_what_it_is_worth_today_counts_where_that_is_more(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    """108.60 USDT for 100.00 EUR: worth 5430.00 EUR once one is 50 EUR. At less than it came for, what it counts for is compared."""
    merchant.refund_limit_minor, merchant.refund_limit_currency = 10_000, "EUR"
    merchant.save()
    story = RefundStory(merchant)
    refund = story.claim(story.ask())
    assert may(story, refund, story.owner) == ""
    monkeypatch.setitem(rates.sources, "sandbox", [FixedRates({"USDT": Decimal("54.3")})])
    assert may(story, refund, story.owner).startswith("Above 100.00 EUR a refund needs a second person, and you asked")
    monkeypatch.setitem(rates.sources, "sandbox", [FixedRates({"USDT": Decimal("0.5")})])
    assert may(story, refund, story.owner) == ""
    merchant.refund_limit_minor = 9_999
    merchant.save()
    assert may(story, refund, story.owner).startswith("Above 99.99 EUR")


def test_without_a_price_it_may_be_worth_anything(story: RefundStory, monkeypatch: pytest.MonkeyPatch) -> None:
    refund, fixed_later = claimed(story, 1_000), story.claim(story.ask("fiat", deduction_e4=900_000))
    monkeypatch.setitem(rates.sources, "sandbox", [])
    assert may(story, refund, story.owner) == ASKED
    assert may(story, fixed_later, story.owner) == ""  # in the invoice's currency it is worth what it says


@pytest.mark.parametrize(("minor", "above"), [(4_347, False), (4_348, True)])
def test_another_currency_is_compared_in_dollars(story: RefundStory, minor: int, above: bool) -> None:
    set_price("USD", "EUR", "0.92", at=NOW)
    set_price("USD", "GBP", "0.80", at=NOW)
    # 50.00 EUR are 54.347… USD, and those are 43.478… GBP
    assert approvals.is_above_limit(story.merchant, minor, "GBP", now=NOW) is above


def test_what_cannot_be_compared_is_above(story: RefundStory) -> None:
    forget_prices()
    assert approvals.is_above_limit(story.merchant, 1, "GBP", now=NOW)
    assert not approvals.is_above_limit(story.merchant, 5_000, "EUR", now=NOW)  # its own currency needs no price


def test_the_limit_in_words(story: RefundStory) -> None:
    assert approvals.limit_words(story.merchant) == "50.00 EUR"
    story.merchant.refund_limit_minor = None
    assert approvals.limit_words(story.merchant) == ""


def test_who_asked_for_it_counts_although_they_are_not_in_the_list(story: RefundStory) -> None:
    refund = claimed(story)
    Refund.objects.update(authors=[])
    assert approvals.involved(Refund.objects.get(pk=refund.pk)) == {story.owner.pk}
    assert may(story, refund, story.owner) == ASKED


def test_an_account_that_is_gone_keeps_nobody_else_from_approving(story: RefundStory, third: User) -> None:
    refund = claimed(story, by=third)
    third.delete()
    assert (Refund.objects.get().created_by, may(story, refund, story.owner)) == (None, "")
    assert story.approve(refund, by=story.owner).approved_by == story.owner
