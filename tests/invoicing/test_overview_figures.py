"""What the overview adds up: per currency, per day of the merchant's zone, and only one's own."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from invoicing import overview_figures
from invoicing.models import Invoice, Occurrence, Schedule, Segment, Status
from invoicing.overview_figures import Figure, Income, Sending
from merchants.models import Merchant
from payments.models import RecordedPayment, Transfer
from tests.factories import NOW, make_draft, make_merchant, publish

USDT, ETH = "sandbox:harbour/token:usdt", "sandbox:harbour/slip44:60"


def sums(merchant: Merchant, now: datetime = NOW) -> overview_figures.Overview:
    return overview_figures.sums(merchant, now, sendings=overview_figures.sendings(merchant, now))


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
    return merchant


def came(invoice: Invoice, minor: int | None, at: datetime, *, asset: str = USDT, **fields: Any) -> Transfer:
    values = {"status": "final", "final_at": at, "confirmations_needed": 3, "place": 0, "network": "sandbox:harbour", "amount_units": 1} | fields
    return Transfer.objects.create(
        invoice=invoice, txid=f"{Transfer.objects.count():064x}", asset_id=asset, credit_minor=minor, first_seen_at=at, **values
    )


def by_hand(invoice: Invoice, minor: int, at: datetime, **fields: Any) -> RecordedPayment:
    key = f"key-{RecordedPayment.objects.count()}"
    return RecordedPayment.objects.create(invoice=invoice, form_key=key, way="bank", amount_minor=minor, paid_at=at, recorded_at=NOW, **fields)


def make_schedule(
    merchant: Merchant, *, anchor: date, unit: str = "weeks", status: str = "active", skipped: tuple[int, ...] = (), **fields: Any
) -> Schedule:
    values: dict[str, Any] = {"title": "Retainer", "payer_name": "Ana Duarte", "currency": "EUR", "total_minor": 50_000, "next_k": 1}
    schedule = Schedule.objects.create(merchant=merchant, status=status, **values | fields)
    segment = Segment.objects.create(schedule=schedule, first_k=1, anchor=anchor, at="09:00", zone="Europe/Lisbon", unit=unit)
    segment.refresh_from_db()
    Schedule.objects.filter(pk=schedule.pk).update(next_at=segment.planned(schedule.next_k))
    for k in skipped:
        Occurrence.objects.create(schedule=schedule, k=k, planned_at=segment.planned(k), state="skipped", at=NOW)
    return schedule


# --- the four figures -------------------------------------------------------------------------------------------
def test_of_nothing_it_is_zero_in_ones_own_currency(merchant: Merchant) -> None:
    zero = [Figure("EUR", 0)]
    assert sums(merchant) == overview_figures.Overview(zero, zero, zero, zero)


def test_it_adds_up_per_currency_and_only_ones_own(shelf: Merchant) -> None:
    publish(make_draft(shelf, title="yen", currency="JPY", lines=[("Design", "1", "618000")]), now=NOW)
    found = sums(shelf)
    assert found.outstanding == [Figure("EUR", 540_000, 3, 180_000), Figure("JPY", 618_000, 1, 0)]
    assert found.overdue == [Figure("EUR", 180_000, 1, 0, NOW - timedelta(days=3))]
    assert found.going_out == [Figure("EUR", 180_000, 1, 0, NOW + timedelta(days=3))]
    assert found.received == [Figure("EUR", 0)]


def test_received_is_what_became_final_and_what_was_recorded_this_month(merchant: Merchant) -> None:
    invoice, theirs = publish(make_draft(merchant)), publish(make_draft(make_merchant(slug="other")))
    for target in (invoice, theirs):
        came(target, 10_000, NOW - timedelta(days=2))
        by_hand(target, 2_500, NOW - timedelta(days=1))
        came(target, 700, datetime(2026, 10, 5, 9, tzinfo=UTC))
        by_hand(target, 50, datetime(2026, 10, 17, 8, 59, tzinfo=UTC))
    # neither of these counts
    came(invoice, 99_000, NOW, status="seen", final_at=None)
    came(invoice, 99_000, NOW, status="dropped")
    came(invoice, None, NOW, is_held=True)
    by_hand(invoice, 99_000, NOW, reversed_at=NOW)
    by_hand(invoice, 99_000, datetime(2026, 10, 17, 9, 1, tzinfo=UTC))  # last month, later in it than now: 10:00 is 09:00 in summer time
    by_hand(invoice, 99_000, datetime(2026, 9, 30, 9, 0, tzinfo=UTC))
    assert sums(merchant).received == [Figure("EUR", 12_500, part_minor=750, before_minor=99_750)]


def test_a_month_begins_at_midnight_of_the_merchants_zone() -> None:
    this, last, so_far = overview_figures.month_starts(datetime(2026, 11, 1, 3, 30, tzinfo=UTC), "America/New_York")
    assert this.astimezone(UTC) == datetime(2026, 10, 1, 4, 0, tzinfo=UTC)
    assert last.astimezone(UTC) == datetime(2026, 9, 1, 4, 0, tzinfo=UTC)
    assert so_far.astimezone(UTC) == datetime(2026, 10, 1, 4, 0, tzinfo=UTC)


# --- what goes out ------------------------------------------------------------------------------------------------
def test_every_date_of_a_schedule_in_the_next_thirty_days_goes_out(merchant: Merchant) -> None:
    weekly = make_schedule(merchant, anchor=date(2026, 11, 20), skipped=(2,))
    once = publish(make_draft(merchant, title="Once", issue_at=datetime(2026, 12, 1, 9, tzinfo=UTC), due_at=datetime(2027, 1, 1, tzinfo=UTC)))
    make_schedule(merchant, anchor=date(2026, 12, 18), unit="months")  # the day after the last of the thirty
    for status in ("paused", "draft"):
        make_schedule(merchant, anchor=date(2026, 11, 20), status=status)
    make_schedule(make_merchant(slug="other"), anchor=date(2026, 11, 20))

    def at(month: int, day: int) -> datetime:
        return datetime(2026, month, day, 9, tzinfo=UTC)

    assert overview_figures.sendings(merchant, NOW) == [
        Sending(at(11, 20), "Ana Duarte", "Retainer", 50_000, "EUR", schedule=weekly.pk),
        Sending(at(12, 1), "Ana Duarte", "Once", 180_000, "EUR", invoice=once.pk),
        Sending(at(12, 4), "Ana Duarte", "Retainer", 50_000, "EUR", schedule=weekly.pk),
        Sending(at(12, 11), "Ana Duarte", "Retainer", 50_000, "EUR", schedule=weekly.pk),
    ]
    assert sums(merchant).going_out == [Figure("EUR", 330_000, 4, at=at(11, 20))]


def test_a_schedule_ends_when_it_has_issued_what_it_should(merchant: Merchant) -> None:
    make_schedule(merchant, anchor=date(2026, 11, 20), ends_after=2)
    make_schedule(merchant, anchor=date(2026, 11, 21), ends_on=date(2026, 11, 27))
    assert [row.at.day for row in overview_figures.sendings(merchant, NOW)] == [20, 21, 27]


def test_three_schedules_cost_as_many_queries_as_one(merchant: Merchant) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as seen:
            overview_figures.sendings(merchant, NOW)
        return len(seen)

    make_schedule(merchant, anchor=date(2026, 11, 20))
    one = asked()
    for day in (21, 22):
        make_schedule(merchant, anchor=date(2026, 11, day), skipped=(3,))
    assert (one, asked()) == (4, 4)


# --- money by day ---------------------------------------------------------------------------------------------------
def test_money_is_of_the_day_it_was_on_the_merchants_clock(merchant: Merchant) -> None:
    merchant.time_zone = "Asia/Tokyo"
    merchant.save()
    invoice, yen = publish(make_draft(merchant)), publish(make_draft(merchant, currency="JPY", lines=[("Design", "1", "618000")]))
    came(invoice, 100, datetime(2026, 11, 14, 14, 59, tzinfo=UTC))
    came(invoice, 200, datetime(2026, 11, 14, 15, 0, tzinfo=UTC))
    came(invoice, 30, datetime(2026, 11, 15, 1, 0, tzinfo=UTC))
    came(invoice, 4, datetime(2026, 11, 15, 1, 0, tzinfo=UTC), asset=ETH)
    came(yen, 618_000, datetime(2026, 11, 15, 1, 0, tzinfo=UTC), asset="sandbox:gone/token:scrip")
    by_hand(invoice, 5_000, datetime(2026, 11, 15, 1, 0, tzinfo=UTC))
    came(invoice, 9, datetime(2026, 11, 1, 14, 59, tzinfo=UTC))  # before
    came(publish(make_draft(make_merchant(slug="other"))), 9_999, NOW)
    found = overview_figures.income(merchant, since=date(2026, 11, 2), now=NOW)
    assert sorted(found, key=lambda row: (row.day, row.series)) == [
        Income(date(2026, 11, 14), "EUR", "USDT", 100),
        Income(date(2026, 11, 15), "EUR", "ETH", 4),
        Income(date(2026, 11, 15), "EUR", "USDT", 230),
        Income(date(2026, 11, 15), "EUR", "recorded", 5_000),
        Income(date(2026, 11, 15), "JPY", "token:scrip", 618_000),
    ]


def test_what_comes_later_or_was_taken_back_is_not_income(merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant))
    came(invoice, 9, NOW + timedelta(minutes=1))
    came(invoice, None, NOW, is_held=True)
    came(invoice, 9, NOW, status="dropped")
    by_hand(invoice, 9, NOW, reversed_at=NOW)
    assert overview_figures.income(merchant, since=date(2026, 11, 1), now=NOW) == []


@pytest.mark.parametrize(
    ("chosen", "count", "first", "last"),
    [
        ("30d", 30, (date(2026, 10, 19), "19 October 2026", "19 Oct"), (date(2026, 11, 17), "17 November 2026", "Today")),
        ("12w", 12, (date(2026, 8, 31), "Week of 31 August 2026", "31 Aug"), (date(2026, 11, 16), "Week of 16 November 2026", "This week")),
        ("12m", 12, (date(2025, 12, 1), "December 2025", "Dec"), (date(2026, 11, 1), "November 2026", "This month")),
    ],
)
def test_a_range_ends_with_the_span_that_is_not_over(chosen: str, count: int, first: Any, last: Any) -> None:
    spans = overview_figures.spans(chosen, NOW, "Europe/Lisbon", "en")
    assert len(spans) == count
    assert [(span.start, span.name, span.tick) for span in (spans[0], spans[-1])] == [first, last]


def test_columns_hold_their_days_and_one_currency() -> None:
    spans = overview_figures.spans("12w", NOW, "Europe/Lisbon", "en")
    found = [
        Income(date(2026, 8, 30), "EUR", "USDT", 9),  # before the first
        Income(date(2026, 8, 31), "EUR", "USDT", 1),
        Income(date(2026, 9, 6), "EUR", "USDT", 2),
        Income(date(2026, 9, 7), "EUR", "ETH", 4),
        Income(date(2026, 11, 17), "EUR", "recorded", 8),
        Income(date(2026, 11, 17), "JPY", "USDT", 9),
    ]
    columns = overview_figures.columns(found, spans, currency="EUR")
    assert [column.values for column in columns if column.values] == [{"USDT": 3}, {"ETH": 4}, {"recorded": 8}]
    assert [row.key for row in overview_figures.series_of(columns)] == ["USDT", "ETH", "recorded"]
    assert [row.colour for row in overview_figures.series_of(columns)] == ["usdt", "eth", "recorded"]


def test_the_figures_read_no_invoice_that_is_settled(merchant: Merchant) -> None:
    """Only the open and the planned are asked for; what was paid long ago costs nothing."""
    with CaptureQueriesContext(connection) as seen:
        sums(merchant)
    about_invoices = [query["sql"] for query in seen if 'FROM "invoicing_invoice"' in query["sql"]]
    assert [sql for sql in about_invoices if "status" not in sql and "_at" not in sql] == []
