"""What needs a hand about money that could go back, or is going back: who sees it, where it leads, and when it is gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from invoicing import lifecycle
from invoicing.attention import Matter, matters
from merchants.models import Membership, Merchant, Role, User
from payments import refunds
from payments.models import Refund
from payments.rails import sandbox
from payments.refunds import Seen
from tests.factories import add_member, make_merchant
from tests.payments.money import Story
from tests.payments.refunding import RefundStory, payers_address

pytestmark = pytest.mark.django_db

TXID = "a" * 64


def seen(story: RefundStory, user: User | None = None) -> list[Matter]:
    member = Membership.objects.get(merchant=story.merchant, user=user or story.owner)
    return matters(story.merchant, story.now, member=member)


def rows(story: RefundStory, user: User | None = None) -> list[tuple[str, str]]:
    return [(matter.title, matter.text) for matter in seen(story, user)]


def overpaid(merchant: Merchant, *, like: RefundStory | None = None) -> RefundStory:
    """100.00 EUR, of which 110.00 came; with the people of `like`."""
    if like is None:
        story = RefundStory(merchant, paid=False)
    else:
        story = RefundStory.__new__(RefundStory)
        Story.__init__(story, merchant)
        story.merchant, story.owner, story.second, story.number = merchant, like.owner, like.second, 0
    quote = story.quote()
    story.pay(quote=quote, units=quote.amount_units * 110 // 100)
    story.blocks(5)
    return story


def viewer(story: RefundStory) -> User:
    return add_member(story.merchant, Role.VIEWER, email="viewer@harbourpine.example")


# --- what could go back -----------------------------------------------------------------------------------------
def test_a_surplus_offers_to_be_refunded(merchant: Merchant) -> None:
    story = overpaid(merchant)
    (matter,) = seen(story)

    assert (matter.tone, matter.title, matter.text) == ("amber", "Ana Duarte paid 10.00 EUR too much", "INV-000001.")
    assert (matter.action, matter.link) == ("Refund the surplus", f"/m/harbour-pine/invoices/{story.invoice.pk}/refunds/create/?basis=surplus")


def test_a_viewer_sees_the_surplus_and_no_closed_door(merchant: Merchant) -> None:
    story = overpaid(merchant)
    (matter,) = seen(story, viewer(story))

    assert (matter.title, matter.action, matter.link) == (
        "Ana Duarte paid 10.00 EUR too much",
        "Look at it",
        f"/m/harbour-pine/invoices/{story.invoice.pk}/",
    )


def test_a_surplus_on_its_way_back_is_no_longer_listed_and_returns_when_its_refund_ends(merchant: Merchant) -> None:
    story = overpaid(merchant)
    refund = story.ask("surplus")
    assert rows(story) == []
    refunds.cancel(refund, why="Agreed otherwise", by=story.owner, now=story.now)
    assert rows(story) == [("Ana Duarte paid 10.00 EUR too much", "INV-000001.")]


def test_what_a_deduction_left_of_the_surplus_is_listed_where_it_is_worth_it(merchant: Merchant) -> None:
    story = overpaid(merchant)
    half = story.ask("surplus", deduction_e4=500_000)
    assert rows(story) == [("Ana Duarte paid 5.00 EUR too much", "INV-000001.")]
    refunds.cancel(half, why="", by=story.owner, now=story.now)
    story.ask("surplus", deduction_e4=20_000)  # leaves 0.20 EUR: less than 0.5 % of 100.00
    assert rows(story) == []


def test_a_void_invoice_with_money_offers_to_refund_it_until_it_goes_back(merchant: Merchant) -> None:
    story = RefundStory(merchant, paid=False)
    quote = story.quote()
    lifecycle.void(story.invoice, by=None, reason="Wrong client", now=story.now)
    story.pay(quote=quote)
    story.blocks(5)
    (matter,) = seen(story)

    assert (matter.title, matter.text, matter.action) == ("Ana Duarte paid a void invoice", "100.00 EUR on INV-000001.", "Refund it")
    assert matter.link == f"/m/harbour-pine/invoices/{story.invoice.pk}/refunds/create/"
    story.ask("other", other_minor=4000)
    assert rows(story) == [("Ana Duarte paid a void invoice", "60.00 EUR on INV-000001.")]
    story.ask("paid")
    assert rows(story) == []


def test_the_matters_of_another_business_stay_there(merchant: Merchant) -> None:
    story = overpaid(merchant)
    story.claim(story.ask("other", other_minor=2500))

    assert matters(make_merchant(slug="another"), story.now) == []


# --- what goes back ---------------------------------------------------------------------------------------------
def test_a_refund_waiting_for_its_address_needs_no_hand(merchant: Merchant) -> None:
    story = RefundStory(merchant)
    story.ask()
    assert rows(story) == []


def test_a_claimed_refund_is_to_be_approved_by_those_who_may_say_yes(merchant: Merchant) -> None:
    story = RefundStory(merchant)
    refund = story.claim(story.ask())
    expected = [("A refund to Ana Duarte is to be approved", "100.00 EUR of INV-000001.")]

    assert rows(story) == rows(story, story.second) == expected
    assert seen(story)[0].link == f"/m/harbour-pine/refunds/{refund.pk}/"
    assert rows(story, viewer(story)) == []


def test_above_the_limit_it_is_listed_for_the_second_person_alone(merchant: Merchant) -> None:
    Merchant.objects.filter(pk=merchant.pk).update(refund_limit_minor=9_999, refund_limit_currency="EUR")
    merchant.refresh_from_db()
    story = RefundStory(merchant)
    story.claim(story.ask())

    assert rows(story) == []
    assert rows(story, story.second) == [("A refund to Ana Duarte is to be approved", "100.00 EUR of INV-000001.")]


def test_the_limit_costs_the_same_for_one_refund_and_for_three(merchant: Merchant, django_assert_num_queries: Any) -> None:
    """In another currency than the invoices', whose rate is asked for once."""
    Merchant.objects.filter(pk=merchant.pk).update(refund_limit_minor=100, refund_limit_currency="GBP")
    merchant.refresh_from_db()
    story = RefundStory(merchant)
    story.claim(story.ask("other", other_minor=1_000))
    with CaptureQueriesContext(connection) as one:
        assert len(matters(merchant, story.now)) == 1
    for _more in range(2):
        story.claim(story.ask("other", other_minor=1_000))
    with django_assert_num_queries(len(one)):
        assert len(matters(merchant, story.now)) == 3


def test_an_approved_refund_is_to_be_paid(merchant: Merchant) -> None:
    story = RefundStory(merchant)
    story.approved("other", other_minor=2500)

    assert rows(story) == [("A refund to Ana Duarte is to be paid", "25.00 EUR of INV-000001.")]
    assert rows(story, viewer(story)) == []


def test_a_sent_refund_is_listed_once_its_network_does_not_show_it_or_shows_something_else(merchant: Merchant) -> None:
    story = RefundStory(merchant)
    refund = refunds.sent(story.approved(), txid=TXID, way="pasted", by=story.owner, now=story.now)
    assert rows(story) == []
    story.now += timedelta(hours=2)
    assert rows(story) == [("The refund to Ana Duarte has not arrived", "The network does not show its transaction.")]
    refunds.missing(refund, why="It pays 40.00 USDT, 10 % less than this refund.", now=story.now)
    assert rows(story, viewer(story)) == [("The refund to Ana Duarte has not arrived", "It pays 40.00 USDT, 10 % less than this refund.")]
    refunds.found(refund, Seen(TXID, 0), now=story.now)
    assert rows(story) == []


def take_back(story: RefundStory) -> None:
    """The network drops the payment behind the refund."""
    txid = story.transfers()[0].txid
    sandbox.reorg(5, now=story.now, drop=[txid])
    story.look()


def test_a_refund_whose_payment_was_taken_back_is_not_to_be_paid(merchant: Merchant) -> None:
    story = RefundStory(merchant)
    story.approved()
    take_back(story)
    found = [row for row in rows(story) if "refund" in row[0]]

    assert found == [
        ("Do not pay the refund to Ana Duarte", "A payment of INV-000001 that it goes back on does not count any more. Change it, or call it off.")
    ]


def test_what_was_refunded_on_a_payment_that_was_taken_back_is_a_shortfall(merchant: Merchant) -> None:
    story = RefundStory(merchant)
    refund = story.approved("other", other_minor=2500)
    refund = refunds.found(refund, Seen(TXID, 0), now=story.now)
    take_back(story)

    assert Refund.objects.get(pk=refund.pk).status == "sent"
    assert (
        "Ana Duarte got back what does not count any more",
        "25.00 EUR more went back on INV-000001 than its payments count for. Often a payment comes back in a later block.",
    ) in rows(story)


# --- the page ---------------------------------------------------------------------------------------------------
def test_the_overview_shows_each_member_what_concerns_them(merchant: Merchant, client: Client) -> None:
    story = overpaid(merchant)
    client.force_login(story.owner)
    assert b"Refund the surplus" in client.get("/m/harbour-pine/").content
    client.force_login(viewer(story))
    page = client.get("/m/harbour-pine/").content
    assert b"Refund the surplus" not in page
    assert b"Ana Duarte paid 10.00 EUR too much" in page


def test_the_list_costs_the_same_for_one_and_for_three_of_each(merchant: Merchant, django_assert_num_queries: Any) -> None:
    first = overpaid(merchant)

    def grow(story: RefundStory) -> None:
        story.claim(story.ask("other", other_minor=100), address=payers_address(1))
        story.approve(story.claim(story.ask("other", other_minor=200), address=payers_address(2)))

    grow(first)
    with CaptureQueriesContext(connection) as one:
        assert len(matters(merchant, first.now)) == 3
    for _more in range(2):
        grow(overpaid(merchant, like=first))
    with django_assert_num_queries(len(one)):
        assert len(matters(merchant, first.now)) == 9
