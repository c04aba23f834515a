"""CSV: what stands in it, byte for byte, and what cannot be smuggled into a spreadsheet through it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from django.test import Client

from invoicing import exports, occurrences
from invoicing.filters import Filter
from invoicing.models import Invoice, Occurrence, Payer, Shelf, Status
from merchants.models import Merchant, User
from tests.factories import NOW, make_draft, make_merchant, make_schedule, publish
from tests.invoicing.test_views_pages import url

GOLDEN = Path(__file__).with_name("invoices.csv")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+351 210", "'+351 210"),
        ("-5.00", "'-5.00"),
        ("@sum(A1)", "'@sum(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\n=1", "'\n=1"),
        ("  =1", "'  =1"),
        ("＝1", "'＝1"),
        ("a=b", "a=b"),
        ("007", "007"),
        ("12345678901234567890", "12345678901234567890"),
        ("'quoted'", "'quoted'"),
        ("", ""),
    ],
)
def test_words_that_could_begin_a_formula_are_disarmed_and_others_left_alone(text: str, cell: str) -> None:
    assert exports.guarded(text) == cell


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User) -> Client:
    return client_as(owner)


def body(desk: Client, merchant: Merchant, query: str = "") -> str:
    answer = desk.get(url("invoices_csv", merchant) + query)
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode("utf-8-sig")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_file_is_this_one_to_the_byte(desk: Client, merchant: Merchant) -> None:
    """Hostile names, other alphabets, zeros in front, summer time, a currency without a minor unit."""
    late = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)  # 25 October 00:30 in Lisbon, an hour before summer time ends
    hostile = publish(
        make_draft(
            merchant,
            payer_name="=cmd|'/C calc'!A0",
            title='+1 "quoted", with a comma',
            payer_email="evil@duarte.example",
            payer_tax_id="0012345678901234567890",
            payer_reference="-5.00",
            remark="@here\nand below",
            lines=[("Logo", "1", "1000.00", "23")],
            due_at=datetime(2026, 10, 25, 2, 30, tzinfo=UTC),
        ),
        now=late,
    )
    Invoice.objects.filter(pk=hostile.pk).update(
        status=Status.PAID, credited_minor=124_000, refunded_minor=500, is_overpaid=True, paid_at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    )
    make_draft(merchant, payer_name="Kobayashi 株式会社", title="展示ブース設計", currency="JPY", lines=[("設計", "1", "618000")], due_at=None)
    void = publish(make_draft(merchant, title="Storyboards"), now=NOW)
    Invoice.objects.filter(pk=void.pk).update(status=Status.VOID, voided_at=NOW + timedelta(days=1))
    planned = make_schedule(merchant, title="=Retainer", anchor=date(2026, 11, 30), at=time(9))
    invoice, lines = occurrences.unsaved(planned, 1, sent_at=NOW)
    monthly = publish(occurrences.store(invoice, lines, schedule=planned, now=NOW), now=NOW)
    Occurrence.objects.create(schedule=planned, k=1, planned_at=NOW, state="issued", invoice=monthly, at=NOW)
    publish(make_draft(make_merchant(slug="other"), title="not mine"), now=NOW)
    answer = desk.get(url("invoices_csv", merchant))
    written = b"".join(answer.streaming_content)
    assert written == GOLDEN.read_bytes()
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"


def test_the_file_says_what_it_is_and_is_kept_by_nobody(desk: Client, merchant: Merchant) -> None:
    answer = desk.get(url("invoices_csv", merchant))
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="invoices-20')
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert b"".join(answer.streaming_content).startswith(b"\xef\xbb\xbfNumber,Status,Title,Payer,")


@pytest.mark.parametrize(
    "query", ["", "?show=open", "?q=work+1", "?sort=-amount", "?sort=payer&show=draft", "?archived=1", "?currency=JPY", "?from=2026-11-17"]
)
def test_its_rows_are_those_of_the_list_at_the_same_url_in_the_same_order(desk: Client, merchant: Merchant, query: str) -> None:
    for number in range(6):
        currency, total = ("JPY", "500") if number == 2 else ("EUR", f"{(number * 7) % 5 + 1}.00")
        draft = make_draft(merchant, title=f"work {number}", currency=currency, lines=[("x", "1", total)], payer_name=f"P{-number}")
        if number % 2:
            publish(draft, now=NOW - timedelta(days=number % 3))
        if number == 5:
            Invoice.objects.filter(pk=draft.pk).update(shelf=Shelf.ARCHIVED)
    page = desk.get(url("invoices", merchant) + query)
    listed = [row.title for row in page.context["page"].rows]
    assert [row["Title"] for row in rows(body(desk, merchant, query))] == listed
    assert listed


def test_figures_are_numbers_and_nothing_is_read_from_a_live_row(desk: Client, merchant: Merchant) -> None:
    payer = Payer.objects.create(merchant=merchant, name="Ana Duarte", email="ana@duarte.example")
    invoice = publish(make_draft(merchant, payer=payer), now=NOW)
    Invoice.objects.filter(pk=invoice.pk).update(credited_minor=20_050, pending_minor=1, written_off_minor=3)
    before = rows(body(desk, merchant))
    Payer.objects.update(name="Renamed")
    Merchant.objects.filter(pk=merchant.pk).update(accepted_assets=[], name="Renamed", currency="JPY")
    assert rows(body(desk, merchant)) == before
    figures = ("Net", "Discount", "Tax", "Total", "Credited", "Confirming", "Refunded", "Written off", "Still due")
    assert [before[0][name] for name in figures] == ["1800.00", "0.00", "0.00", "1800.00", "200.50", "0.01", "0.00", "0.03", "1599.49"]
    assert before[0]["Accepted tokens"] == "USDT on Sandbox, ETH on Sandbox, BTC on Sandbox"


def test_it_is_read_in_pieces_and_never_whole(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        make_draft(merchant, title=str(number))
    monkeypatch.setattr(exports, "CHUNK", 2)
    found = exports.invoice_rows(Filter().apply(merchant, NOW), merchant=merchant, now=NOW)
    assert [next(found)[2], *(row[2] for row in found)] == ["4", "3", "2", "1", "0"]
