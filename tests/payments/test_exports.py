"""The CSV of payments: one row per transfer and recorded payment, of exactly the invoices that the list shows."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from invoicing.models import Invoice
from merchants.models import Merchant, User
from payments.models import RecordedPayment, Transfer
from tests.factories import NOW, make_draft, make_merchant, publish

GOLDEN = Path(__file__).parent / "payments.csv"
USDT, ETH = "sandbox:harbour/token:usdt", "sandbox:harbour/slip44:60"


@pytest.fixture
def desk(client_as: Callable[[User], Client], viewer: User) -> Client:
    return client_as(viewer)


def transfer(invoice: Invoice, number: int, *, asset: str = USDT, **fields: Any) -> Transfer:
    seen = NOW + timedelta(minutes=number)
    values = {
        "network": "sandbox:harbour",
        "txid": f"{number:064x}",
        "place": 0,
        "asset_id": asset,
        "amount_units": 108_600_000,
        "status": "final",
        "first_seen_at": seen,
        "block_at": seen + timedelta(seconds=12),
        "final_at": seen + timedelta(seconds=36),
        "confirmations_needed": 3,
        "credit_minor": 10_000,
        "credit_rate": "0.9208103130755065",
        "credit_source": "sandbox",
        "credit_rate_at": seen - timedelta(minutes=5),
        "credit_reason": "exact",
    }
    return Transfer.objects.create(invoice=invoice, **values | fields)


def by_hand(invoice: Invoice, minutes: int, **fields: Any) -> RecordedPayment:
    values = {"way": "bank", "amount_minor": 5_000, "paid_at": NOW + timedelta(minutes=minutes), "recorded_at": NOW, "note": "Rui took it"}
    return RecordedPayment.objects.create(invoice=invoice, form_key=f"key-{minutes}", **values | fields)


def some(merchant: Merchant) -> Invoice:
    """Every kind of payment on two invoices, one of them with words that a spreadsheet would run."""
    merchant.time_zone = "America/New_York"
    merchant.save()
    invoice = publish(make_draft(merchant, title='=HYPERLINK("https://evil.example")', payer_name="@SUM(A1)"), now=NOW)
    yen = publish(make_draft(merchant, title="Seal, one piece", currency="JPY", lines=[("Design", "1", "618000")]), now=NOW)
    transfer(invoice, 1)
    transfer(invoice, 2, asset=ETH, amount_units=12_345_678_901_234_567_891, credit_reason="late_rate", is_late=True, credit_minor=2_913_042)
    transfer(invoice, 3, status="dropped", block_at=None, final_at=None)
    transfer(
        invoice,
        4,
        status="seen",
        final_at=None,
        credit_minor=None,
        credit_rate="",
        credit_source="",
        credit_rate_at=None,
        credit_reason="held",
        is_held=True,
    )
    by_hand(invoice, 5)
    by_hand(invoice, 6, way="cash", reversed_at=NOW + timedelta(hours=1))
    transfer(yen, 7, credit_minor=618_000)
    return invoice


def told(desk: Client, merchant: Merchant, query: str = "") -> str:
    answer = desk.get(reverse("payments_csv", args=[merchant.slug]) + query)
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode("utf-8-sig")


def test_the_file_is_the_one_kept_beside_this_test(desk: Client, merchant: Merchant) -> None:
    some(merchant)
    assert told(desk, merchant) == GOLDEN.read_bytes().decode()


def test_what_counts_nothing_has_no_value(desk: Client, merchant: Merchant) -> None:
    some(merchant)
    rows = list(csv.DictReader(told(desk, merchant).splitlines()))
    assert [(row["State"], row["Value"]) for row in rows] == [
        ("final", "618000"),
        ("reversed", ""),
        ("final", "50.00"),
        ("seen", ""),
        ("dropped", ""),
        ("final", "29130.42"),
        ("final", "100.00"),
    ]


def test_it_is_a_download_named_after_the_day(desk: Client, merchant: Merchant) -> None:
    answer = desk.get(reverse("payments_csv", args=[merchant.slug]))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="payments-20')


def test_the_lists_filter_holds_and_the_notes_and_the_neighbours_stay_out(desk: Client, merchant: Merchant) -> None:
    some(merchant)
    transfer(publish(make_draft(make_merchant(slug="other"), title="Cider press"), now=NOW), 9)
    everything = told(desk, merchant)
    assert ("Cider press" in everything, "Rui" in everything, len(everything.splitlines())) == (False, False, 8)
    assert len(told(desk, merchant, "?currency=JPY").splitlines()) == 2
    assert len(told(desk, merchant, "?show=void").splitlines()) == 1


def test_archived_invoices_are_in_a_whole_file_and_alone_where_they_are_asked_for(desk: Client, merchant: Merchant) -> None:
    invoice = some(merchant)
    whole = told(desk, merchant)
    Invoice.objects.filter(pk=invoice.pk).update(shelf="archived")
    assert told(desk, merchant) == whole
    lines = [len(told(desk, merchant, query).splitlines()) for query in ("?archived=1", "?currency=JPY", "?currency=EUR", "?q=Seal", "?show=draft")]
    assert lines == [7, 2, 7, 2, 1]
    days = [len(told(desk, merchant, f"?from={day}").splitlines()) for day in ("2026-11-17", "2026-11-18")]
    assert days == [8, 1]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("pro_rata", "in proportion to the quote"),
        ("late_locked", "late at the locked rate"),
        ("dust", "too little to count"),
        ("no_quote", "without a quote at the rate of that time"),
        ("decided_locked", "decided at the quoted rate"),
        ("decided_today", "decided at the rate of that day"),
    ],
)
def test_why_it_counts_so_is_said_in_words(desk: Client, merchant: Merchant, reason: str, words: str) -> None:
    transfer(publish(make_draft(merchant), now=NOW), 1, credit_reason=reason)
    assert [row["Credit reason"] for row in csv.DictReader(told(desk, merchant).splitlines())] == [words]


def test_however_long_it_is_two_queries_read_it(desk: Client, merchant: Merchant) -> None:
    def asked() -> int:
        told(desk, merchant)
        with CaptureQueriesContext(connection) as seen:
            told(desk, merchant)
        return len(seen)

    invoice = publish(make_draft(merchant), now=NOW)
    transfer(invoice, 1)
    by_hand(invoice, 1)
    one = asked()
    for number in range(2, 5):
        other = publish(make_draft(merchant), now=NOW)
        transfer(other, number)
        by_hand(other, number)
    assert asked() == one
