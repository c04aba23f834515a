"""A list's pages and totals."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from invoicing import attention, queries
from invoicing.filters import ORDERS, Filter
from invoicing.models import Invoice, Status
from invoicing.queries import Figures
from merchants.models import Merchant
from tests.factories import NOW, make_draft, make_merchant, publish


@pytest.fixture
def shelf(merchant: Merchant) -> Merchant:
    """One invoice of every kind, and the same of another merchant that must not leak."""
    for owner in (merchant, make_merchant(slug="other")):
        make_draft(owner, title="draft")
        publish(make_draft(owner, title="scheduled", issue_at=NOW + timedelta(days=3)), now=NOW)
        publish(make_draft(owner, title="open"), now=NOW)
        publish(make_draft(owner, title="overdue", due_at=NOW - timedelta(days=3)), now=NOW - timedelta(days=9))
        confirming = publish(make_draft(owner, title="confirming", due_at=NOW - timedelta(days=1)), now=NOW - timedelta(days=9))
        Invoice.objects.filter(pk=confirming.pk).update(pending_minor=180_000)
        paid = publish(make_draft(owner, title="paid"), now=NOW)
        Invoice.objects.filter(pk=paid.pk).update(status=Status.PAID, credited_minor=180_000)
        missed = make_draft(owner, title="missed", issue_at=NOW - timedelta(days=2))
        Invoice.objects.filter(pk=missed.pk).update(status=Status.MISSED)
    return merchant


# --- pages --------------------------------------------------------------------------------------------------------
@pytest.fixture
def twins(merchant: Merchant) -> Merchant:
    """Eleven rows, most of which are alike in everything but their id; and one of another merchant."""
    for number in range(11):
        currency, due = ("USD", None) if number % 4 == 3 else ("EUR", NOW + timedelta(days=number // 5))
        make_draft(merchant, title=str(number), currency=currency, due_at=due, payer_name="ana" if number % 2 else "Ana")
    make_draft(make_merchant(slug="other"), title="not mine")
    return merchant


def walk(merchant: Merchant, asked: Filter, *, size: int) -> tuple[list[str], list[str]]:
    """The titles on the way to the last page, and those on the way back, page by page."""
    found, there, back, at = asked.apply(merchant, NOW), [], [], ""
    while True:
        shown = queries.page(found, asked.order, at=at, size=size)
        there += [row.title for row in shown.rows]
        if not shown.older:
            break
        at = shown.older
    while shown.newer:
        shown = queries.page(found, asked.order, at=shown.newer, size=size)
        back = [row.title for row in shown.rows] + back
    return there, back


@pytest.mark.parametrize("size", [1, 3, 10, 11, 25])
@pytest.mark.parametrize("sort", ORDERS)
def test_pages_by_key_give_each_row_once_there_and_back_also_among_equals(twins: Merchant, sort: str, size: int) -> None:
    asked = Filter(sort=sort)
    whole = list(asked.apply(twins, NOW).values_list("title", flat=True))
    assert len(whole) == 11
    there, back = walk(twins, asked, size=size)
    assert there == whole
    last = len(whole) - (len(whole) - 1) // size * size
    assert back == whole[: len(whole) - last]


def test_a_row_that_comes_meanwhile_moves_no_other_to_another_page(twins: Merchant) -> None:
    asked = Filter()
    first = queries.page(asked.apply(twins, NOW), asked.order, size=3)
    make_draft(twins, title="new")
    second = queries.page(asked.apply(twins, NOW), asked.order, at=first.older, size=3)
    assert [row.title for row in (*first.rows, *second.rows)] == ["10", "9", "8", "7", "6", "5"]


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"x",
        b"[]",
        b"[true]",
        b"[1, 2]",
        b"[true, 1, 2]",
        b"[true, null]",
        b'[true, "5"]',
        b"[true, 1e400]",
        b"[true, 9223372036854775808]",
        b"[" * 9000,
        b"\xff",
        b"{}",
    ],
)
def test_a_cursor_that_is_none_is_the_first_page(twins: Merchant, written: bytes) -> None:
    token = base64.urlsafe_b64encode(written).decode()
    for sort in ORDERS:
        asked = Filter(sort=sort)
        page = queries.page(asked.apply(twins, NOW), asked.order, at=token, size=3)
        assert [row.title for row in page.rows] == list(asked.apply(twins, NOW).values_list("title", flat=True)[:3])


@pytest.mark.parametrize(
    ("sort", "value"),
    [
        ("payer", '"\\ud800"'),
        ("payer", '"\\u0000"'),
        ("payer", "5"),
        ("amount", '"EUR"'),
        ("due", '"2026-11-17"'),
        ("due", '"0001-01-01T00:00:00+14:00"'),
        ("due", "5"),
    ],
)
def test_nor_is_one_whose_values_cannot_be_sorted_by(twins: Merchant, sort: str, value: str) -> None:
    token = base64.urlsafe_b64encode(f"[true, {value}, 5]".encode()).decode()
    assert queries.Cursor.of(token, ORDERS[sort]) is None


# --- totals -------------------------------------------------------------------------------------------------------
def test_totals_add_up_per_currency_and_count_per_status_in_one_query(shelf: Merchant, django_assert_num_queries: Any) -> None:
    publish(make_draft(shelf, title="yen", currency="JPY", lines=[("Design", "1", "618000")]), now=NOW)
    void = publish(make_draft(shelf, title="void"), now=NOW)
    Invoice.objects.filter(pk=void.pk).update(status=Status.VOID, credited_minor=5_000)
    Invoice.objects.filter(merchant=shelf, title="open").update(credited_minor=30_000)
    with django_assert_num_queries(1):
        found = queries.totals(Filter(), shelf, NOW)
    # EUR: four are open or paid, 1,800.00 each; what came for the void one is there too
    assert found.figures == [Figures("EUR", 720_000, 215_000, 180_000, 330_000), Figures("JPY", 618_000, 0, 0, 618_000)]
    assert found.counts == {
        "all": 9,
        "draft": 1,
        "scheduled": 1,
        "open": 4,
        "overdue": 1,
        "partial": 1,
        "confirming": 1,
        "paid": 1,
        "overpaid": 0,
        "refunded": 0,
        "void": 1,
        "missed": 1,
    }
    assert found.invoices == 9
    assert found.parts["confirming"] == [("EUR", 180_000)]


def test_totals_are_of_what_is_filtered_and_counts_of_every_status_of_it(shelf: Merchant) -> None:
    publish(make_draft(shelf, title="yen", currency="JPY", lines=[("Design", "1", "618000")]), now=NOW)
    found = queries.totals(Filter(show="overdue", currency="EUR"), shelf, NOW)
    assert found.figures == [Figures("EUR", 180_000, 0, 0, 180_000)]
    assert (found.invoices, found.counts["open"], found.counts["all"]) == (1, 3, 7)
    nothing = queries.totals(Filter(q="nowhere"), shelf, NOW)
    assert (nothing.figures, nothing.invoices) == ([], 0)


# --- what needs a hand --------------------------------------------------------------------------------------------
def test_the_attention_list_names_the_trouble_and_the_way_out(shelf: Merchant) -> None:
    part = Invoice.objects.get(merchant=shelf, title="open")
    Invoice.objects.filter(pk=part.pk).update(is_underpaid=True, credited_minor=100_000)
    over = Invoice.objects.get(merchant=shelf, title="paid")
    Invoice.objects.filter(pk=over.pk).update(is_overpaid=True, credited_minor=185_250)
    missed = Invoice.objects.get(merchant=shelf, title="missed")
    found = [(matter.tone, matter.title, matter.text, matter.link) for matter in attention.matters(shelf, NOW)]
    assert found == [
        ("red", "missed could not be sent", "Ana Duarte, planned 15 Nov 2026, 10:00.", f"/m/harbour-pine/invoices/{missed.pk}/"),
        ("amber", "Ana Duarte paid a part", f"800.00 EUR of {part.number} still due.", f"/m/harbour-pine/invoices/{part.pk}/"),
        ("amber", "Ana Duarte paid 52.50 EUR too much", f"{over.number}.", f"/m/harbour-pine/invoices/{over.pk}/refunds/create/?basis=surplus"),
    ]
