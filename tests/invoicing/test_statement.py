"""A payer's account over some days: pure, then from the database, then as a page and on paper."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from invoicing import lifecycle, statement
from invoicing.models import Invoice, Payer, Shelf
from invoicing.statement import Kind, Move, TooLong
from merchants.models import Merchant, User
from payments.models import RecordedPayment, Transfer
from tests.factories import make_draft, make_merchant, publish

USDT = "sandbox:harbour/token:usdt"


def at(day: int, hour: int = 12, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def move(kind: Kind, day: int, minor: int, invoice: int = 1, hour: int = 12) -> Move:
    return Move(kind, at(day, hour), minor, invoice, f"INV-{invoice:06d}")


# --- pure -------------------------------------------------------------------------------------------------------
MOVES = [
    move(Kind.INVOICE, 1, 100_000),
    move(Kind.PAYMENT, 5, -60_000),
    move(Kind.INVOICE, 10, 428_040, 2),
    move(Kind.RECORDED, 12, -40_000),
    move(Kind.INVOICE, 15, 72_000, 3),
    move(Kind.PAYMENT, 20, -428_000, 2),
    move(Kind.WRITTEN_OFF, 20, -40, 2),
    move(Kind.VOID, 25, -72_000, 3),
]


def test_a_statement_opens_with_what_stood_before_and_closes_with_what_stands_after() -> None:
    made = statement.made(reversed(MOVES), since=at(8, 0), until=at(21, 0))
    assert made.opening_minor == 40_000
    assert [(line.move.kind, line.move.minor, line.balance_minor) for line in made.lines] == [
        ("invoice", 428_040, 468_040),
        ("recorded", -40_000, 428_040),
        ("invoice", 72_000, 500_040),
        ("payment", -428_000, 72_040),
        ("written_off", -40, 72_000),
    ]
    assert (made.closing_minor, made.invoiced_minor, made.received_minor, made.written_off_minor) == (72_000, 500_040, 468_000, 40)


def test_a_voided_invoice_cancels_its_line_on_the_day_it_was_voided() -> None:
    made = statement.made(MOVES, since=at(1, 0), until=at(30, 0))
    assert (made.invoiced_minor, made.closing_minor, made.lines[-1].balance_minor) == (528_040, 0, 0)
    assert statement.made(MOVES, since=at(1, 0), until=at(25, 0)).closing_minor == 72_000


def test_of_one_instant_the_invoice_comes_first_and_what_cancels_it_last() -> None:
    same = [move(kind, 3, 1) for kind in reversed(Kind)]
    assert [line.move.kind for line in statement.made(same, since=at(1), until=at(9)).lines] == list(Kind)


def test_the_first_moment_is_inside_and_the_last_is_not() -> None:
    edges = [move(Kind.INVOICE, 1, 5, hour=0), move(Kind.INVOICE, 2, 7, 2, hour=0)]
    made = statement.made(edges, since=at(1, 0), until=at(2, 0))
    assert ([line.move.minor for line in made.lines], made.closing_minor) == ([5], 5)


def test_money_beyond_what_was_invoiced_is_owed_back() -> None:
    made = statement.made([move(Kind.PAYMENT, 3, -500)], since=at(1), until=at(9))
    assert (made.closing_minor, made.owed_back_minor) == (-500, 500)


moments = st.integers(0, 60_000).map(lambda minutes: at(1, 0) + timedelta(minutes=minutes))
moves = st.builds(
    Move,
    st.sampled_from(Kind),
    moments,
    st.integers(-(10**15), 10**15),
    st.integers(1, 5),
    st.just("INV"),
)


@given(st.lists(moves, max_size=30), st.tuples(moments, moments, moments).map(sorted), st.integers(-(10**15), 10**15))
def test_opening_and_lines_make_the_closing_which_opens_what_follows(found: list[Move], cuts: list[datetime], before: int) -> None:
    one, two, three = cuts
    first = statement.made(found, since=one, until=two, before_minor=before)
    second = statement.made(found, since=two, until=three, before_minor=before)
    whole = statement.made(found, since=one, until=three, before_minor=before)
    assert first.opening_minor + sum(line.move.minor for line in first.lines) == first.closing_minor == second.opening_minor
    assert [*first.lines, *second.lines] == list(whole.lines)
    assert (whole.opening_minor, whole.closing_minor) == (first.opening_minor, second.closing_minor)
    assert whole.closing_minor == before + sum(each.minor for each in found if each.at < three)


# --- from the database ------------------------------------------------------------------------------------------
@pytest.fixture
def ana(merchant: Merchant) -> Payer:
    return Payer.objects.create(merchant=merchant, name="Ana Duarte", email="ana@duarte.example", address="Rua do Alecrim 41\nLisboa")


def paid(invoice: Invoice, minor: int, when: datetime, **fields: object) -> Transfer:
    values = {"status": "final", "final_at": when, "credit_minor": minor, "asset_id": USDT, "txid": f"tx-{Transfer.objects.count()}"}
    more = {"network": "sandbox:harbour", "place": 0, "amount_units": 1, "first_seen_at": when, "confirmations_needed": 3}
    return Transfer.objects.create(invoice=invoice, **{**more, **values, **fields})


def recorded(invoice: Invoice, minor: int, when: datetime, **fields: object) -> RecordedPayment:
    key = f"{RecordedPayment.objects.count():043d}"
    return RecordedPayment.objects.create(invoice=invoice, form_key=key, way="bank", amount_minor=minor, paid_at=when, recorded_at=at(28), **fields)


@pytest.fixture
def account(ana: Payer) -> Payer:
    """1,800.00 paid in two ways less a forgiven 0.50; 2,400.00 voided; 500.00 open; and what must not count."""
    merchant = ana.merchant
    one = publish(make_draft(merchant, payer=ana), now=at(1))
    two = publish(make_draft(merchant, [("Poster", "1", "2400.00")], payer=ana, title="Poster"), now=at(5))
    three = publish(make_draft(merchant, [("Proofs", "1", "500.00")], payer=ana, title="Proofs"), now=at(20))
    paid(one, 100_000, at(3))
    recorded(one, 79_950, at(4))
    Invoice.objects.filter(pk=one.pk).update(status="paid", paid_at=at(4, 13), credited_minor=179_950, written_off_minor=50)
    lifecycle.void(two, by=None, reason="Agreed", now=at(9))
    # Seen, dropped, held, reversed; another currency; removed; another payer's and another merchant's.
    paid(three, 10_000, at(21), status="seen", final_at=None)
    paid(three, 10_000, at(21), status="dropped")
    paid(three, None, at(21), is_held=True)  # type: ignore[arg-type]
    recorded(three, 10_000, at(21), reversed_at=at(22))
    publish(make_draft(merchant, [("Design", "1", "90000")], payer=ana, currency="JPY"), now=at(2))
    gone = publish(make_draft(merchant, payer=ana), now=at(2))
    Invoice.objects.filter(pk=gone.pk).update(shelf=Shelf.REMOVED)
    make_draft(merchant, payer=ana)
    for payer in (
        Payer.objects.create(merchant=merchant, name="Ana Duarte", email="ana@second.example"),
        Payer.objects.create(merchant=make_merchant(slug="other"), name="Ana Duarte", email="ana@duarte.example"),
    ):
        theirs = publish(make_draft(payer.merchant, payer=payer), now=at(2))
        paid(theirs, 5_000, at(3))
    return ana


def test_the_account_holds_every_invoice_and_all_money_that_counts_and_nothing_else(account: Payer) -> None:
    made = statement.of(account, "EUR", since=at(1, 0), until=at(30, 0))
    shown = [(line.move.kind.value, line.move.number, line.move.how, line.move.minor, line.balance_minor) for line in made.lines]
    assert shown == [
        ("invoice", "INV-000001", "", 180_000, 180_000),
        ("payment", "INV-000001", "USDT on Sandbox", -100_000, 80_000),
        ("recorded", "INV-000001", "Bank transfer", -79_950, 50),
        ("written_off", "INV-000001", "", -50, 0),
        ("invoice", "INV-000002", "", 240_000, 240_000),
        ("void", "INV-000002", "", -240_000, 0),
        ("invoice", "INV-000003", "", 50_000, 50_000),
    ]
    assert statement.currencies(account) == ["EUR", "JPY"]
    assert statement.of(account, "JPY", since=at(1, 0), until=at(30, 0)).closing_minor == 90_000


def test_from_the_database_too_what_closes_opens_what_follows(account: Payer) -> None:
    days = [at(1, 0) + timedelta(days=number) for number in range(29)]
    whole = statement.of(account, "EUR", since=days[0], until=days[-1])
    for cut in days[1:-1]:
        before = statement.of(account, "EUR", since=days[0], until=cut)
        after = statement.of(account, "EUR", since=cut, until=days[-1])
        assert before.closing_minor == after.opening_minor
        assert (*before.lines, *after.lines) == whole.lines


def test_a_statement_takes_as_many_queries_for_a_month_as_for_a_day(account: Payer, django_assert_num_queries: Callable[..., object]) -> None:
    for days in (1, 29):
        with django_assert_num_queries(21):
            statement.of(account, "EUR", since=at(1, 0), until=at(1, 0) + timedelta(days=days))


def test_more_lines_than_a_statement_shows_are_refused_with_their_number(account: Payer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement, "MOST_LINES", 6)
    with pytest.raises(TooLong) as refusal:
        statement.of(account, "EUR", since=at(1, 0), until=at(30, 0))
    assert refusal.value.lines == 7


def test_a_day_is_the_merchants_across_daylight_saving() -> None:
    assert statement.span(date(2026, 10, 25), date(2026, 10, 25), "Europe/Lisbon") == (at(24, 23, 10), at(26, 0, 10))


# --- the page and the paper -------------------------------------------------------------------------------------
def page(client: Client, payer: Payer, name: str = "payer_statement", **asked: str) -> object:
    return client.get(reverse(name, args=[payer.merchant.slug, payer.pk]), asked)


NOVEMBER = {"from": "2026-11-02", "to": "2026-11-08", "currency": "EUR"}


def test_the_page_shows_the_days_asked_for_and_links_the_same_pdf(account: Payer, viewer: User, client_as: Callable[[User], Client]) -> None:
    answer = page(client_as(viewer), account, **NOVEMBER)
    made = answer.context["made"]  # type: ignore[attr-defined]
    assert (made.opening_minor, made.closing_minor, len(made.lines)) == (180_000, 240_000, 4)
    text = answer.content.decode()  # type: ignore[attr-defined]
    for words in ("Received for INV-000001, Bank transfer", "Written off on INV-000001", "2,400.00", "−799.50"):
        assert words in text
    assert "statement.pdf?from=2026-11-02&amp;to=2026-11-08&amp;currency=EUR" in text


def test_without_days_it_is_this_year_up_to_today_in_the_currency_invoiced_last(
    account: Payer, viewer: User, client_as: Callable[[User], Client]
) -> None:
    form = page(client_as(viewer), account).context["form"]  # type: ignore[attr-defined]
    assert form.cleaned_data["since"] == date(form.cleaned_data["until"].year, 1, 1)
    assert form.cleaned_data["currency"] == "EUR"


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"from": "2026-11-08", "to": "2026-11-02"}, "until", "This is before the first day, 8 November 2026. Choose a later day."),
        ({"from": "yesterday"}, "since", "Write the day like 2026-12-01."),
        ({"from": ""}, "since", "Choose the first day."),
        ({"to": ""}, "until", "Choose the last day."),
        ({"from": "1999-12-31"}, "since", "Choose a day after 1999."),
        ({"to": "9999-12-31"}, "until", "Choose a day before 2200."),
        ({"currency": "XXX"}, "currency", "Choose a currency from the list."),
    ],
)
def test_a_wrong_day_is_said_beside_its_field_and_leads_the_pdf_back_to_the_page(
    account: Payer, viewer: User, client_as: Callable[[User], Client], asked: dict[str, str], field: str, words: str
) -> None:
    client = client_as(viewer)
    answer = page(client, account, **{**NOVEMBER, **asked})
    assert answer.status_code == 422  # type: ignore[attr-defined]
    assert answer.context["form"].errors == {field: [words]}  # type: ignore[attr-defined]
    assert words in answer.content.decode()  # type: ignore[attr-defined]
    assert "made" not in answer.context  # type: ignore[attr-defined]
    sent = page(client, account, "payer_statement_pdf", **{**NOVEMBER, **asked})
    assert (sent.status_code, sent.url.partition("?")[0]) == (302, f"/m/harbour-pine/payers/{account.pk}/statement/")  # type: ignore[attr-defined]


def test_too_many_lines_are_said_with_what_to_do(
    account: Payer, viewer: User, client_as: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement, "MOST_LINES", 3)
    text = page(client_as(viewer), account, **NOVEMBER).content.decode()  # type: ignore[attr-defined]
    assert "These days hold 4 lines." in text
    assert "A statement shows up to 3. Choose fewer days." in text
    assert page(client_as(viewer), account, "payer_statement_pdf", **NOVEMBER).status_code == 302  # type: ignore[attr-defined]


@pytest.mark.parametrize(("paper", "width"), [("A4", 595), ("Letter", 612)])
def test_the_paper_says_what_the_page_says_and_can_be_read_aloud(
    account: Payer, viewer: User, client_as: Callable[[User], Client], paper: str, width: int
) -> None:
    Merchant.objects.filter(pk=account.merchant_id).update(paper=paper)
    answer = page(client_as(viewer), account, "payer_statement_pdf", **NOVEMBER)
    assert answer["Content-Type"] == "application/pdf"  # type: ignore[index]
    assert answer["Content-Disposition"] == 'attachment; filename="statement-2026-11-02-2026-11-08-EUR.pdf"'  # type: ignore[index]
    read = PdfReader(io.BytesIO(answer.content))  # type: ignore[attr-defined]
    text = " ".join(read.pages[0].extract_text().split())
    for words in (
        *("Statement", "2 Nov 2026 – 8 Nov 2026", "Harbour & Pine", "Ana Duarte", "Rua do Alecrim 41", "Balance, EUR", "Days are in Lisbon time"),
        *("3 November 2026 Received for INV-000001, USDT on Sandbox −1,000.00 800.00", "Written off on INV-000001 −0.50 0.00"),
        *("INV-000002, Poster 2,400.00 2,400.00", "Balance before 1,800.00", "Invoiced 2,400.00", "Received −1,799.50", "Due 2,400.00"),
    ):
        assert words in text
    assert round(float(read.pages[0].mediabox.width)) == width
    assert read.trailer["/Root"]["/MarkInfo"]["/Marked"] is not None  # type: ignore[index]
