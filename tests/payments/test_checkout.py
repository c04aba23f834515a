"""The read model: which stage a payer is in, and what its words say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from invoicing import lifecycle
from invoicing.models import Invoice
from invoicing.snapshot import document
from merchants.models import Merchant
from payments import quotes
from payments.checkout import Situation, Stage, situation
from payments.models import Quote, Transfer
from payments.rails import sandbox
from payments.slips import Received, plain_units, roughly, usual_time
from tests.factories import NOW
from tests.payments.money import ETH, USDT, Story

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(merchant: Merchant) -> Story:
    return Story(merchant)


def at(story: Story, *, choosing: bool = False) -> Situation:
    return situation(story.fresh(), now=story.now, choosing=choosing)


def test_nothing_chosen_yet_asks_to_choose(story: Story) -> None:
    found = at(story)
    assert (found.stage, found.asked, found.rest_minor) == (Stage.CHOOSE, None, 10000)


def test_a_live_quote_is_shown_with_its_exact_amount_and_address(story: Story) -> None:
    quote = story.quote()
    found = at(story)
    assert found.stage is Stage.QUOTED
    assert found.asked is not None
    assert found.asked.quote == quote
    assert found.asked.amount_to_copy == "108.6"
    assert found.asked.rate == "1 EUR = 1.0860 USDT"
    assert found.asked.locked_until_words == "10:15 Lisbon time"
    assert (found.asked.clock, found.asked.ring, found.asked.seconds_left) == ("15:00", 100, 900)
    assert "".join(found.asked.address_groups) == quote.receive_address.address
    assert {len(group) for group in found.asked.address_groups[:-1]} == {4}


def test_of_two_live_quotes_the_one_asked_for_last_is_shown(story: Story) -> None:
    story.quote(USDT)
    story.now += timedelta(seconds=5)
    story.quote(ETH)
    story.now += timedelta(seconds=5)
    again = story.quote(USDT)
    found = at(story)
    assert found.asked is not None
    assert found.asked.quote == again


def test_choosing_again_shows_the_tokens_though_a_quote_lives(story: Story) -> None:
    story.quote()
    assert at(story, choosing=True).stage is Stage.CHOOSE


def test_a_quote_ends_with_its_lock_before_any_task_says_so(story: Story) -> None:
    quote = story.quote()
    story.now = quote.locked_until - timedelta(seconds=1)
    assert at(story).stage is Stage.QUOTED
    story.now = quote.locked_until
    found = at(story)
    assert found.stage is Stage.EXPIRED
    assert found.asked is not None
    assert (found.asked.quote.status, found.asked.clock, found.asked.ring) == (Quote.State.LIVE, "0:00", 0)


def test_seen_is_confirming_however_often_one_looks_and_even_while_choosing(story: Story) -> None:
    story.pay()
    story.look()
    found = at(story, choosing=True)
    assert (found.stage, found.rest_minor) == (Stage.CONFIRMING, 0)
    assert found.slowest is not None
    assert found.slowest.segments == ["now", "left", "left"]
    story.blocks(2)
    found = at(story)
    assert found.slowest is not None
    assert found.slowest.segments == ["done", "done", "now"]


def test_a_payment_that_is_settled_while_one_looks_is_not_asked_for_again(story: Story) -> None:
    story.pay()
    read_before = Invoice.objects.get(pk=story.invoice.pk)
    story.look()
    assert read_before.due_minor == 10_000
    assert situation(read_before, now=story.now).stage is Stage.CONFIRMING


def test_three_confirmations_make_it_paid(story: Story) -> None:
    story.pay()
    story.blocks(3)
    found = at(story)
    assert (found.stage, found.is_over, len(found.counted)) == (Stage.PAID, True, 1)


def test_a_part_leaves_the_rest_due(story: Story) -> None:
    story.pay(units=54_300_000)
    story.blocks(3)
    found = at(story)
    assert (found.stage, found.rest_minor, found.received_share, found.pending_share) == (Stage.PART, 5000, 500, 0)
    assert found.received[0].asked is not None
    assert found.received[0].asked.amount_units == 108_600_000


def test_a_part_that_is_still_confirming_already_shows_the_rest(story: Story) -> None:
    story.pay(units=54_300_000)
    story.look()
    found = at(story)
    assert (found.stage, found.rest_minor, found.received_share, found.pending_share) == (Stage.PART, 5000, 0, 500)


def test_a_quote_for_the_rest_is_shown_over_the_part(story: Story) -> None:
    story.pay(units=54_300_000)
    story.blocks(3)
    story.quote()
    found = at(story)
    assert found.stage is Stage.QUOTED
    assert found.asked is not None
    assert found.asked.amount_to_copy == "54.3"


def test_a_late_payment_under_a_hold_policy_is_held(merchant: Merchant) -> None:
    Merchant.objects.filter(pk=merchant.pk).update(late_policy="hold")
    merchant.refresh_from_db()
    story = Story(merchant)
    sandbox.provoke(story.quote(), "late", now=story.now)
    story.blocks(3)
    quotes.expire(now=story.now)
    found = at(story)
    assert (found.stage, len(found.held)) == (Stage.HELD, 1)


def test_a_payment_that_vanishes_is_told_and_asks_again(story: Story) -> None:
    quote = story.quote()
    story.pay(quote=quote)
    story.look()
    sandbox.provoke(quote, "drop", now=story.now)
    story.look()
    found = at(story, choosing=True)
    assert (found.stage, found.rest_minor, len(found.dropped), found.counted) == (Stage.CHOOSE, 10000, 1, [])


def test_void_ends_it(story: Story) -> None:
    story.quote()
    lifecycle.void(story.fresh(), by=None, reason="Wrong amount", now=story.now)
    found = at(story)
    assert (found.stage, found.asked, found.is_over) == (Stage.VOID, None, True)


def test_the_validator_changes_with_what_is_shown_and_with_nothing_else(story: Story) -> None:
    quote = story.quote()
    first = at(story).etag
    story.now += timedelta(seconds=60)
    assert at(story).etag == first
    story.pay(quote=quote)
    story.look()
    seen = at(story).etag
    story.blocks(1)
    one = at(story).etag
    story.blocks(2)
    assert len({first, seen, one, at(story).etag}) == 4


def test_an_asset_that_left_the_catalogue_is_read_from_the_invoice(story: Story) -> None:
    story.quote()
    terms = dict(story.fresh().terms)
    terms["assets"] = [{**found, "id": "gone:1/token:usdt"} if found["id"] == USDT else found for found in terms["assets"]]
    Invoice.objects.filter(pk=story.invoice.pk).update(terms=terms)
    Quote.objects.update(asset_id="gone:1/token:usdt")
    found = at(story)
    assert found.asked is not None
    assert (found.asked.asset["symbol"], found.asked.asset["network"], found.asked.uri) == ("USDT", "Sandbox", found.asked.address)


def test_many_confirmations_share_twelve_segments(story: Story) -> None:
    transfer = Transfer(confirmations=32, confirmations_needed=64)
    shown = document(story.fresh())
    segments = Received(transfer, {}, shown, NOW).segments
    assert segments == ["done"] * 6 + ["now"] + ["left"] * 5


def test_the_qr_code_of_a_short_address_is_never_a_micro_one(story: Story) -> None:
    story.quote()
    found = at(story)
    assert found.asked is not None
    assert found.asked.uri == found.asked.address  # the sandbox has no payment link
    assert found.asked.wallet_link == ""
    assert found.asked.qr.startswith("data:image/svg+xml;charset=utf-8,%3Csvg")


@pytest.mark.parametrize(
    ("units", "decimals", "expected"),
    [
        (4_648_510_000, 6, "4648.51"),
        (4_000_000, 6, "4"),
        (1, 18, "0.000000000000000001"),
        (100, 0, "100"),
        (10**40 + 1, 18, "10000000000000000000000.000000000000000001"),
    ],
)
def test_an_amount_to_copy_has_no_grouping_and_loses_nothing(units: int, decimals: int, expected: str) -> None:
    assert plain_units(units, decimals) == expected


@pytest.mark.parametrize(
    ("units", "decimals", "expected"),
    [
        (4_648_510_000, 6, "4,648.51"),
        (1_334_246_390_000_000_000, 18, "1.3343"),
        (4_512_245, 8, "0.045123"),
        (546, 8, "0.00000546"),
        (100_000_000, 8, "1.00"),
        (12_345_678_901, 6, "12,345.68"),
        (1234, 0, "1,234"),
    ],
)
def test_an_estimate_is_short_and_never_too_little(units: int, decimals: int, expected: str) -> None:
    assert roughly(units, decimals) == expected


def test_the_usual_time_reads_inside_a_sentence_and_is_empty_for_a_network_that_is_gone() -> None:
    assert usual_time(USDT) == "under a minute"
    assert usual_time("gone:1/token:usdt") == ""


def test_options_name_every_frozen_asset(story: Story) -> None:
    assert [option.asset.id for option in quotes.options(story.fresh(), now=NOW)] == [asset["id"] for asset in document(story.fresh()).assets]
