"""What a list is narrowed to and how it is sorted; each filter beside rows that could leak in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.http import QueryDict

from invoicing.filters import ORDERS, SHOWS, Filter
from invoicing.models import Invoice, Payer, Shelf, Status
from invoicing.standing import standing
from merchants.models import Merchant
from payments.models import Transfer
from tests.factories import NOW, make_draft, make_merchant, publish

USDT, ETH = "sandbox:harbour/token:usdt", "sandbox:harbour/slip44:1"


def set_columns(invoice: Invoice, **columns: Any) -> Invoice:
    Invoice.objects.filter(pk=invoice.pk).update(**columns)
    return invoice


def titles(merchant: Merchant, asked: Filter) -> list[str]:
    return sorted(asked.apply(merchant, NOW).values_list("title", flat=True))


def read(merchant: Merchant, query: str) -> tuple[Filter, list[str]]:
    return Filter.read(QueryDict(query), merchant=merchant)


@pytest.fixture
def world(merchant: Merchant) -> Merchant:
    """One of each standing for two merchants, on the desk; and of each shelf besides."""
    late, before = NOW - timedelta(days=3), NOW - timedelta(days=9)
    for owner in (merchant, make_merchant(slug="other")):
        make_draft(owner, title="draft")
        publish(make_draft(owner, title="scheduled", issue_at=NOW + timedelta(days=3)), now=NOW)
        publish(make_draft(owner, title="open"), now=NOW)
        publish(make_draft(owner, title="overdue", due_at=late), now=before)
        set_columns(publish(make_draft(owner, title="confirming", due_at=late), now=before), pending_minor=180_000)
        set_columns(publish(make_draft(owner, title="partial"), now=NOW), credited_minor=100)
        set_columns(publish(make_draft(owner, title="partial, overdue", due_at=late), now=before), credited_minor=100)
        settled = {"status": Status.PAID, "credited_minor": 180_000, "paid_at": NOW}
        set_columns(publish(make_draft(owner, title="paid"), now=NOW), **settled)
        set_columns(publish(make_draft(owner, title="overpaid"), now=NOW), **settled | {"credited_minor": 190_000, "is_overpaid": True})
        set_columns(publish(make_draft(owner, title="refunded"), now=NOW), **settled | {"refunded_minor": 180_000, "is_overpaid": True})
        set_columns(publish(make_draft(owner, title="refunded in part"), now=NOW), **settled | {"refunded_minor": 1})
        set_columns(publish(make_draft(owner, title="void"), now=NOW), status=Status.VOID, voided_at=NOW, credited_minor=5)
        set_columns(make_draft(owner, title="missed", issue_at=before), status=Status.MISSED)
        set_columns(publish(make_draft(owner, title="archived"), now=NOW), shelf=Shelf.ARCHIVED, **settled)
        set_columns(publish(make_draft(owner, title="removed"), now=NOW), shelf=Shelf.REMOVED, status=Status.VOID, voided_at=NOW)
    return merchant


OPEN = ["confirming", "open", "overdue", "partial", "partial, overdue"]
PAID = ["overpaid", "paid", "refunded", "refunded in part"]


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        ("all", sorted(["draft", "scheduled", *OPEN, *PAID, "void", "missed"])),
        ("draft", ["draft"]),
        ("scheduled", ["scheduled"]),
        ("open", OPEN),
        ("overdue", ["overdue", "partial, overdue"]),
        ("partial", ["partial"]),
        ("confirming", ["confirming"]),
        ("paid", PAID),
        ("overpaid", ["overpaid"]),
        ("refunded", ["refunded"]),
        ("void", ["void"]),
        ("missed", ["missed"]),
    ],
)
def test_a_status_shows_what_stands_so_and_only_ones_own_on_the_desk(world: Merchant, show: str, expected: list[str]) -> None:
    assert titles(world, Filter(show=show)) == expected


def test_sql_and_the_badge_agree_about_every_invoice(world: Merchant) -> None:
    rows = list(Invoice.objects.all())
    for key, show in SHOWS.items():
        shown = set(Invoice.objects.filter(show.condition(NOW)).values_list("pk", flat=True))
        assert shown == {row.pk for row in rows if standing(row, NOW).key in show.states}, key


def test_archived_ones_are_shown_when_asked_for_and_removed_ones_never(world: Merchant) -> None:
    assert titles(world, Filter(archived=True)) == ["archived"]
    assert titles(world, Filter(archived=True, show="void")) == []


def test_the_days_are_those_of_the_merchants_zone_and_both_count(merchant: Merchant) -> None:
    Merchant.objects.filter(pk=merchant.pk).update(time_zone="America/New_York")
    merchant.refresh_from_db()
    moments = {
        "the last of 16 Nov": datetime(2026, 11, 17, 4, 59, 59, tzinfo=UTC),
        "the first of 17 Nov": datetime(2026, 11, 17, 5, tzinfo=UTC),
        "the last of 18 Nov": datetime(2026, 11, 19, 4, 59, 59, 999_999, tzinfo=UTC),
        "the first of 19 Nov": datetime(2026, 11, 19, 5, tzinfo=UTC),
    }
    for title, at in moments.items():
        publish(make_draft(merchant, title=title, due_at=at + timedelta(days=9)), now=at)
    make_draft(merchant, title="without a date")
    make_draft(merchant, title="planned for 18 Nov", issue_at=datetime(2026, 11, 18, 12, tzinfo=UTC))
    both = Filter(since=date(2026, 11, 17), until=date(2026, 11, 18))
    assert titles(merchant, both) == ["planned for 18 Nov", "the first of 17 Nov", "the last of 18 Nov"]
    assert titles(merchant, Filter(since=date(2026, 11, 19))) == ["the first of 19 Nov"]
    assert titles(merchant, Filter(until=date(2026, 11, 16))) == ["the last of 16 Nov"]


def test_a_payer_a_token_and_a_currency_leave_the_others_out(merchant: Merchant) -> None:
    ana = Payer.objects.create(merchant=merchant, name="Ana Duarte", email="ana@duarte.example")
    same = Payer.objects.create(merchant=merchant, name="Ana Duarte", email="other@duarte.example")
    for title, payer, currency in (("hers", ana, "EUR"), ("of her namesake", same, "EUR"), ("of nobody", None, "USD")):
        publish(make_draft(merchant, title=title, payer=payer, currency=currency), now=NOW)
    for title, asset, status in (("hers", USDT, "final"), ("hers", USDT, "seen"), ("of her namesake", USDT, "dropped"), ("of nobody", ETH, "final")):
        transfers = {"network": "sandbox:harbour", "place": 0, "amount_units": 1, "first_seen_at": NOW, "confirmations_needed": 3}
        invoice = Invoice.objects.get(merchant=merchant, title=title)
        Transfer.objects.create(invoice=invoice, asset_id=asset, status=status, txid=f"{title} {asset} {status}", **transfers)
    assert titles(merchant, Filter(payer=ana)) == ["hers"]
    assert titles(merchant, Filter(asset=USDT)) == ["hers"]
    assert titles(merchant, Filter(currency="USD")) == ["of nobody"]
    assert titles(merchant, Filter(currency="USD", asset=USDT)) == []


# --- the URL ------------------------------------------------------------------------------------------------------
def test_a_filter_comes_back_from_its_own_query(merchant: Merchant) -> None:
    payer = Payer.objects.create(merchant=merchant, name="Ana", email="ana@duarte.example")
    asked = Filter("overdue", "ana & 1,800 %", date(2026, 10, 1), date(2026, 11, 17), payer, USDT, "EUR", True, "-amount")
    assert read(merchant, asked.to_query()) == (asked, [])
    assert read(merchant, Filter().to_query()) == (Filter(), [])
    assert (Filter().to_query(), Filter(q="ana").to_query(totals="1")) == ("", "q=ana&totals=1")


def test_what_is_unknown_or_another_merchants_is_left_out_and_said(merchant: Merchant) -> None:
    theirs = Payer.objects.create(merchant=make_merchant(slug="other"), name="Vera", email="vera@secret.example")
    asked, notices = read(merchant, f"show=lost&from=2026-02-30&payer={theirs.pk}&asset=eip155:1/slip44:60&currency=XXX&sort=colour&q=ana")
    assert asked == Filter(q="ana")
    assert notices == [
        "A date was left out: it is not a day of the calendar.",
        "The payer was left out: there is none like it in your directory.",
        "The status was left out: there is none of that name.",
        "The token was left out: it is none of yours.",
        "The currency was left out: it is not used here.",
        "The order was left out: rows cannot be sorted like that.",
    ]


@pytest.mark.parametrize(
    "query",
    [
        "payer=99999999999999999999999",
        "payer=-1",
        "payer=%00",
        "from=99999-01-01",
        "from=0001-01-01",
        "to=9999-12-31",
        "from=20261117",
        "show=%00",
        "q=%00%00",
    ],
)
def test_no_query_is_an_error(merchant: Merchant, query: str) -> None:
    asked, _notices = read(merchant, query)
    assert asked == Filter()
    assert list(asked.apply(merchant, NOW)) == []


def test_dates_the_wrong_way_round_are_left_out(merchant: Merchant) -> None:
    assert read(merchant, "from=2026-11-17&to=2026-11-16") == (Filter(), ["The dates were left out: the first is after the last."])


# --- orders -------------------------------------------------------------------------------------------------------
@pytest.fixture
def rows(merchant: Merchant) -> Merchant:
    """(title, payer, total, currency, days until due)"""
    for title, payer, total, currency, days in (
        ("a", "bea", "9.00", "EUR", 3),
        ("b", "Ana", "100.00", "EUR", 1),
        ("c", "Cay", "5.00", "USD", None),
        ("d", "ana", "100.00", "EUR", 2),
        ("e", "Bea", "50", "JPY", 1),
    ):
        due = NOW + timedelta(days=days) if days else None
        make_draft(merchant, title=title, payer_name=payer, currency=currency, lines=[("x", "1", total)], due_at=due)
    return merchant


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", "edcba"),
        ("due", "bedac"),
        ("-due", "adebc"),
        ("amount", "abdec"),
        ("-amount", "cedba"),
        ("payer", "bdaec"),
        ("-payer", "ceadb"),
    ],
)
def test_rows_come_in_the_order_that_was_asked_for(rows: Merchant, sort: str, expected: str) -> None:
    assert "".join(Filter(sort=sort).apply(rows, NOW).values_list("title", flat=True)) == expected


def test_within_dates_the_latest_issued_come_first_unless_asked_otherwise() -> None:
    assert Filter(since=date(2026, 1, 1)).order == ORDERS["-issued"]
    assert Filter(since=date(2026, 1, 1), sort="due").order == ORDERS["due"]
    assert Filter().order == ORDERS[""]
