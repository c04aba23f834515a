"""The number series: taking, beginning a new segment, and what must never meet."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from invoicing import lifecycle, numbering
from invoicing.models import Invoice
from merchants import clock
from merchants.models import Event, Merchant, NumberSegment
from tests.factories import NOW, make_draft, make_merchant, publish

pytestmark = pytest.mark.django_db

HERE = "/m/harbour-pine/settings/invoices/numbers/"
LATER = NOW + timedelta(days=1)


def issue(merchant: Merchant, count: int = 1) -> list[str]:
    return [publish(make_draft(merchant)).number for _invoice in range(count)]


def series(merchant: Merchant) -> list[tuple[str, str, str, bool]]:
    merchant.refresh_from_db()
    return [(stretch.first, stretch.last, stretch.started_by, stretch.is_now) for stretch in numbering.stretches(merchant)]


# --- the door -----------------------------------------------------------------------------------------------------
def test_a_series_goes_on_from_one_and_a_new_segment_from_where_it_was_told(merchant, owner):
    assert issue(merchant, 2) == ["INV-000001", "INV-000002"]
    numbering.begin(merchant, prefix="HP-", first=500, by=owner, now=LATER)
    assert issue(merchant, 2) == ["HP-000500", "HP-000501"]
    assert sorted(Invoice.objects.values_list("number", flat=True)) == ["HP-000500", "HP-000501", "INV-000001", "INV-000002"]


def test_a_new_segment_is_recorded_with_the_one_before_it(merchant, owner):
    issue(merchant, 2)
    segment = numbering.begin(merchant, prefix="HP-", first=500, by=owner, now=LATER)
    assert (segment.prefix, segment.first, segment.before, segment.started_at, segment.started_by) == ("HP-", 500, "INV-000002", LATER, owner)
    event = Event.objects.get(kind="merchant.numbering")
    assert (event.actor, event.subject_kind, event.facts) == (
        owner,
        "merchant",
        {"prefix": "HP-", "first": 500, "next": "HP-000500", "before": "INV-000002"},
    )


def test_the_segments_tell_the_whole_series(merchant, owner):
    assert series(merchant) == [("INV-000001", "", "", True)]
    issue(merchant, 3)
    assert series(merchant) == [("INV-000001", "INV-000003", "", True)]
    numbering.begin(merchant, prefix="HP-", first=500, by=owner, now=LATER)
    numbering.begin(merchant, prefix="2027-", first=1, by=owner, now=LATER)  # before any HP- was taken
    issue(merchant)
    assert series(merchant) == [
        ("2027-000001", "2027-000001", "Inês Matos", True),
        ("HP-000500", "", "Inês Matos", False),
        ("INV-000001", "INV-000003", "", False),
    ]


@pytest.mark.parametrize(
    ("prefix", "first", "sentence"),
    [
        ("INV-", 2, "INV-000003 is already taken. Start above it, from 4 on."),
        ("INV-", 3, "INV-000003 is already taken. Start above it, from 4 on."),
        ("INV-", 4, "INV-000004 comes next anyway; nothing would change."),
    ],
)
def test_a_series_never_comes_to_a_number_that_is_taken(merchant, owner, prefix, first, sentence):
    issue(merchant, 3)
    with pytest.raises(numbering.Collides) as refusal:
        numbering.begin(merchant, prefix=prefix, first=first, by=owner, now=LATER)
    assert str(refusal.value) == sentence
    assert not NumberSegment.objects.exists()
    assert issue(merchant) == ["INV-000004"]


def test_coming_back_to_an_old_prefix_starts_above_its_last(merchant, owner):
    issue(merchant, 3)
    numbering.begin(merchant, prefix="HP-", first=1, by=owner, now=LATER)
    issue(merchant)
    with pytest.raises(numbering.Collides, match="INV-000003 is already taken"):
        numbering.begin(merchant, prefix="INV-", first=1, by=owner, now=LATER)
    numbering.begin(merchant, prefix="INV-", first=10, by=owner, now=LATER)
    assert issue(merchant) == ["INV-000010"]


def test_numbers_that_only_read_alike_are_seen_too(merchant, owner):
    """'INV-1' and 000001 is 'INV-' and 1000001."""
    numbering.begin(merchant, prefix="INV-1", first=1, by=owner, now=LATER)
    assert issue(merchant) == ["INV-1000001"]
    with pytest.raises(numbering.Collides, match="Start above it, from 1000002 on"):
        numbering.begin(merchant, prefix="INV-", first=999_999, by=owner, now=LATER)
    numbering.begin(merchant, prefix="inv-", first=1, by=owner, now=LATER)  # another prefix
    assert issue(merchant) == ["inv-000001"]


def test_the_millionth_is_above_the_one_before(merchant, owner):
    numbering.begin(merchant, prefix="", first=999_999, by=owner, now=LATER)
    assert issue(merchant, 2) == ["999999", "1000000"]
    with pytest.raises(numbering.Collides, match="1000000 is already taken"):
        numbering.begin(merchant, prefix="", first=1_000_000, by=owner, now=LATER)


def test_another_merchants_numbers_are_in_nobodys_way(merchant, owner):
    issue(make_merchant(slug="secret-orchard"), 5)
    numbering.begin(merchant, prefix="INV-", first=3, by=owner, now=LATER)
    assert issue(merchant) == ["INV-000003"]


def test_what_was_issued_keeps_its_number_and_a_scheduled_one_takes_the_new(merchant, owner):
    waiting = publish(make_draft(merchant, issue_at=LATER))
    (first,) = issue(merchant)
    numbering.begin(merchant, prefix="HP-", first=500, by=owner, now=NOW)
    issued = lifecycle.issue_due(waiting.pk, now=LATER)
    assert (first, issued.number) == ("INV-000001", "HP-000500")


# --- the page -----------------------------------------------------------------------------------------------------
@pytest.fixture
def desk(client_as, manager) -> Client:
    return client_as(manager)


def test_the_page_shows_the_next_number_and_every_segment(desk, merchant, owner):
    issue(merchant, 2)
    numbering.begin(merchant, prefix="HP-", first=500, by=owner, now=clock.now())
    page = desk.get(HERE).content.decode()
    for words in ("HP-000500", "INV-000001 to INV-000002", "from HP-000500, none taken", "begun by Inês Matos"):
        assert words in page
    assert "HP-000500" in desk.get("/m/harbour-pine/settings/invoices/").content.decode()


def test_it_asks_before_it_begins(desk, merchant, manager):
    issue(merchant, 2)
    page = desk.get(f"{HERE}begin/", {"prefix": "HP-", "first": "500"}).content.decode()
    assert "The next invoice will be HP-000500. INV-000002 and before stay as they are." in page
    assert not NumberSegment.objects.exists()
    assert desk.post(f"{HERE}begin/", {"prefix": "HP-", "first": "500"}).url == HERE
    assert NumberSegment.objects.last().started_by == manager
    assert issue(merchant) == ["HP-000500"]


@pytest.mark.parametrize(
    ("prefix", "first", "field", "sentence"),
    [
        ("INV-", "1", "first", "INV-000002 is already taken. Start above it, from 3 on."),
        ("HP-", "0", "first", "Write a number from 1 on."),
        ("HP-", "soon", "first", "Write a whole number, such as 500."),
        ("HP-", "", "first", "Write the number of the next invoice."),
        ("HP-", "9999999999", "first", "Write a number of at most 999999999."),
        ("../", "1", "prefix", "begin with a letter or a digit"),
        ('H"P', "1", "prefix", "begin with a letter or a digit"),
        ("H\nP", "1", "prefix", "begin with a letter or a digit"),
        ("HARBOUR-PINE-", "1", "prefix", "Shorten this to 12 characters; it has 13."),
    ],
)
def test_a_mistake_is_said_beside_its_field_and_nothing_typed_is_lost(desk, merchant, prefix, first, field, sentence):
    issue(merchant, 2)
    for answer in (desk.get(f"{HERE}begin/", {"prefix": prefix, "first": first}), desk.post(f"{HERE}begin/", {"prefix": prefix, "first": first})):
        form = answer.context["form"]
        assert (answer.status_code, list(form.errors)) == (422, [field])
        assert sentence in str(form.errors[field][0])
        assert (form["prefix"].value(), form["first"].value()) == (prefix, first)
    assert not NumberSegment.objects.exists()


def test_a_viewer_may_not(client_as, merchant, viewer):
    assert client_as(viewer).get(HERE).status_code == 403
    assert client_as(viewer).post(f"{HERE}begin/", {"prefix": "HP-", "first": "500"}).status_code == 403
