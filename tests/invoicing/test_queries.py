"""The list's filters and pages, and the overview's figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from invoicing import attention, queries
from invoicing.models import Invoice, Status
from invoicing.queries import Sum_
from merchants.models import Merchant
from tests.factories import NOW, make_draft, make_merchant, publish


def names(merchant: Merchant, **how: str) -> list[str]:
    return sorted(queries.find(merchant, now=NOW, **how).values_list("title", flat=True))


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


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        ("all", ["confirming", "draft", "missed", "open", "overdue", "paid", "scheduled"]),
        ("draft", ["draft"]),
        ("scheduled", ["scheduled"]),
        ("open", ["confirming", "open", "overdue"]),
        ("overdue", ["overdue"]),
        ("paid", ["paid"]),
        ("void", []),
        ("missed", ["missed"]),
    ],
)
def test_a_filter_shows_that_state_and_only_ones_own(shelf: Merchant, show: str, expected: list[str]) -> None:
    assert names(shelf, show=show) == expected


@pytest.mark.parametrize("search", ["brand ana", "ANA@DUARTE", "INV-000001", "po-77", "  Duarte  "])
def test_every_word_is_searched_in_number_title_payer_and_reference(merchant: Merchant, search: str) -> None:
    publish(make_draft(merchant, title="Brand", payer_reference="PO-77"), now=NOW)
    make_draft(merchant, title="Other", payer_name="Kobayashi", payer_email="k@k.example")
    publish(make_draft(make_merchant(slug="other"), title="Brand", payer_reference="PO-77"), now=NOW)
    assert names(merchant, search=search) == ["Brand"]


def test_a_percent_sign_searches_for_itself(merchant: Merchant) -> None:
    make_draft(merchant, title="Discount of 10 %")
    make_draft(merchant, title="Other")
    assert names(merchant, search="%") == ["Discount of 10 %"]


def test_pages_go_back_and_forth_by_key_and_meet(merchant: Merchant) -> None:
    ids = [make_draft(merchant, title=str(number)).pk for number in range(7)][::-1]
    found = queries.find(merchant, now=NOW)

    def page(**key: int) -> tuple[list[int], int | None, int | None]:
        shown = queries.page(found, size=3, **key)
        return [row.pk for row in shown.rows], shown.newer, shown.older

    assert page() == (ids[:3], None, ids[2])
    assert page(before=ids[2]) == (ids[3:6], ids[3], ids[5])
    assert page(before=ids[5]) == (ids[6:], ids[6], None)
    assert page(after=ids[6]) == (ids[3:6], ids[3], ids[5])
    assert page(after=ids[3]) == (ids[:3], None, ids[2])
    assert page(after=ids[0]) == ([], None, None)


def test_the_overview_of_nothing_is_zero_in_ones_own_currency(merchant: Merchant) -> None:
    zero = [Sum_("EUR", 0)]
    assert queries.overview_sums(merchant, NOW) == queries.Overview(zero, zero, zero, zero)


def test_the_overview_adds_up_per_currency_and_only_ones_own(shelf: Merchant) -> None:
    publish(make_draft(shelf, title="yen", currency="JPY", lines=[("Design", "1", "618000")]), now=NOW)
    sums = queries.overview_sums(shelf, NOW)
    assert sums.outstanding == [Sum_("EUR", 540_000, 3, 180_000), Sum_("JPY", 618_000, 1, 0)]
    assert sums.overdue == [Sum_("EUR", 180_000, 1, 0, NOW - timedelta(days=3))]
    assert sums.going_out == [Sum_("EUR", 180_000, 1, 0, NOW + timedelta(days=3))]
    assert sums.received == [Sum_("EUR", 0)]


def test_a_month_begins_at_midnight_of_the_merchants_zone() -> None:
    this, last, so_far = queries.month_starts(datetime(2026, 11, 1, 3, 30, tzinfo=UTC), "America/New_York")
    assert this.astimezone(UTC) == datetime(2026, 10, 1, 4, 0, tzinfo=UTC)
    assert last.astimezone(UTC) == datetime(2026, 9, 1, 4, 0, tzinfo=UTC)
    assert so_far.astimezone(UTC) == datetime(2026, 10, 1, 4, 0, tzinfo=UTC)


def test_the_attention_list_names_the_trouble_and_the_way_out(shelf: Merchant) -> None:
    part = Invoice.objects.get(merchant=shelf, title="open")
    Invoice.objects.filter(pk=part.pk).update(is_underpaid=True, credited_minor=100_000)
    over = Invoice.objects.get(merchant=shelf, title="paid")
    Invoice.objects.filter(pk=over.pk).update(is_overpaid=True, credited_minor=185_250)
    missed = Invoice.objects.get(merchant=shelf, title="missed")
    found = [(matter.tone, matter.title, matter.text, matter.link) for matter in attention.matters(shelf, NOW)]
    assert found == [
        ("red", "missed could not be sent", "Ana Duarte, planned 15 Nov 2026, 10:00.", f"/m/harbour-pine/invoices/{missed.pk}/"),
        ("amber", "Ana Duarte paid 52.50 EUR too much", f"{over.number}.", f"/m/harbour-pine/invoices/{over.pk}/"),
        ("amber", "Ana Duarte paid a part", f"800.00 EUR of {part.number} still due.", f"/m/harbour-pine/invoices/{part.pk}/"),
    ]
