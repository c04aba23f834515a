"""Payments made elsewhere: recorded once, counted at once, reversible, and shown wherever money is listed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from invoicing import facts, lifecycle, pdf
from invoicing.filters import Filter
from invoicing.models import Invoice, Rendering
from invoicing.money import MAX_MINOR
from invoicing.pdf import paper
from merchants import clock
from merchants.models import Event, Merchant, User
from notifications import courier, fanout
from notifications.models import Channel, Delivery, Endpoint
from payments import recorded
from payments.models import RecordedPayment
from payments.recorded import Refused
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.payments.money import Story

BEFORE = NOW - timedelta(hours=3)


@pytest.fixture
def invoice(merchant: Merchant) -> Invoice:
    """INV-000001 to Ana Duarte over 100.00 EUR."""
    return publish(make_draft(merchant, lines=[("Work", "1", "100.00")]), now=NOW)


def record(invoice: Invoice, minor: int, *, key: str = "", by: User | None = None, **fields: Any) -> RecordedPayment:
    values = {"way": "bank", "paid_at": BEFORE, "note": "", "now": NOW} | fields
    return recorded.record(invoice, amount_minor=minor, form_key=key or f"key-{RecordedPayment.objects.count()}", by=by, **values)


def kinds(invoice: Invoice) -> list[str]:
    return list(Event.objects.filter(subject_kind="invoice", subject_id=invoice.pk).order_by("id").values_list("kind", flat=True))


def fresh(invoice: Invoice) -> Invoice:
    return Invoice.objects.get(pk=invoice.pk)


def words(answer: Any) -> str:
    text = re.sub(r"<(script|style|svg|template).*?</\1>|<[^>]+>", " ", answer.content.decode(), flags=re.S)
    return " ".join(text.replace("&amp;", "&").replace("&#x27;", "'").split())


# --- the money ----------------------------------------------------------------------------------------------------
def test_a_part_counts_at_once_as_final_and_in_time(invoice: Invoice, owner: User) -> None:
    record(invoice, 4_000, by=owner)
    found = fresh(invoice)
    assert (found.status, found.credited_minor, found.pending_minor, found.due_minor, found.is_underpaid) == ("open", 4_000, 0, 6_000, True)
    assert kinds(invoice) == ["invoice.issued", "payment.recorded", "payment.part_received"]


def test_the_rest_pays_it_and_asks_for_the_receipt(invoice: Invoice) -> None:
    record(invoice, 4_000)
    record(invoice, 6_000, paid_at=NOW)
    found = fresh(invoice)
    assert (found.status, found.credited_minor, found.paid_at, found.is_paid_late) == ("paid", 10_000, NOW, False)
    assert kinds(invoice)[-2:] == ["payment.recorded", "invoice.paid"]
    assert Rendering.objects.filter(invoice=invoice, kind="receipt").count() == 1


def test_it_adds_up_with_what_came_on_the_chain(merchant: Merchant) -> None:
    story = Story(merchant)
    half = story.quote()
    story.pay(units=half.amount_units // 2, quote=half)
    story.blocks(4)
    record(story.invoice, 5_000, now=story.now)
    found = story.fresh()
    assert (found.status, found.credited_minor, found.is_overpaid) == ("paid", 10_000, False)


def test_a_quote_for_what_is_no_longer_due_ends(merchant: Merchant) -> None:
    story = Story(merchant)
    quote = story.quote()
    record(story.invoice, 2_500)
    quote.refresh_from_db()
    assert (quote.status, story.quote().fiat_minor) == ("expired", 7_500)


def test_more_than_the_total_is_overpaid(invoice: Invoice) -> None:
    record(invoice, 10_100)
    found = fresh(invoice)
    assert (found.status, found.is_overpaid, found.over_minor) == ("paid", True, 100)
    assert "payment.overpaid" in kinds(invoice)


def test_the_event_tells_the_sums_after_it_and_never_the_note(invoice: Invoice, owner: User) -> None:
    payment = record(invoice, 4_000, by=owner, note="Envelope, taken by Rui")
    event = Event.objects.get(kind="payment.recorded")
    assert event.facts["payment"] == {"id": payment.pk, "way": "bank", "amount": "40.00", "paid_at": "2026-11-17T07:00:00Z"}
    assert (event.facts["invoice"]["credited"], event.facts["invoice"]["due"], event.actor) == ("40.00", "60.00", owner)
    assert "Rui" not in str(event.facts)


def test_a_webhook_carries_the_payment(invoice: Invoice, merchant: Merchant) -> None:
    Endpoint.objects.create(merchant=merchant, url="https://hooks.harbourpine.example/", secret=b"")
    payment = record(invoice, 4_000, note="Envelope, taken by Rui")
    fanout.run(NOW)
    payload = Delivery.objects.get(channel="webhook", template="payment.recorded").payload
    assert f'"payment":{{"id":{payment.pk},"way":"bank","amount":"40.00","paid_at":"2026-11-17T07:00:00Z"}}' in payload
    assert "Rui" not in payload


@pytest.mark.parametrize("form_key", ["k" * 43, "short"])
def test_pressed_twice_it_is_one_payment(invoice: Invoice, form_key: str) -> None:
    first = record(invoice, 4_000, key=form_key)
    again = record(invoice, 4_000, key=form_key)
    assert first == again
    assert (RecordedPayment.objects.count(), fresh(invoice).credited_minor) == (1, 4_000)
    assert kinds(invoice).count("payment.recorded") == 1


def test_pressed_twice_when_the_first_has_paid_it_is_no_refusal(invoice: Invoice) -> None:
    assert record(invoice, 10_000, key="same") == record(invoice, 10_000, key="same")


@pytest.mark.parametrize(
    ("minor", "paid_at", "sentence"),
    [
        (0, NOW, "Write an amount above zero."),
        (-100, NOW, "Write an amount above zero."),
        (MAX_MINOR + 1, NOW, "This is more than can be recorded, 9,999,999,999,999.99 EUR."),
        (100, NOW + timedelta(seconds=1), "This is ahead of now. Choose when the money came."),
    ],
)
def test_what_cannot_be_is_refused(invoice: Invoice, minor: int, paid_at: datetime, sentence: str) -> None:
    with pytest.raises(Refused, match=f"^{re.escape(sentence)}$"):
        record(invoice, minor, paid_at=paid_at)
    assert not RecordedPayment.objects.exists()


def test_the_largest_amount_is_recorded(invoice: Invoice) -> None:
    record(invoice, MAX_MINOR)
    assert fresh(invoice).credited_minor == MAX_MINOR


def test_only_open_and_paid_invoices_take_one(merchant: Merchant, invoice: Invoice, owner: User) -> None:
    with pytest.raises(Refused, match=r"^Brand identity, phase 2 has not been issued; a payment can be recorded once it is\.$"):
        record(make_draft(merchant), 100)
    lifecycle.void(invoice, by=owner, reason="Agreed", now=NOW)
    with pytest.raises(Refused, match=r"^INV-000001 is void; a payment cannot be recorded on it\.$"):
        record(invoice, 100)


# --- taking it back -----------------------------------------------------------------------------------------------
def test_reversed_it_opens_what_it_had_paid_and_says_why(invoice: Invoice, owner: User) -> None:
    payment = record(invoice, 10_000)
    recorded.reverse(payment, by=owner, now=NOW + timedelta(minutes=5))
    found = fresh(invoice)
    assert (found.status, found.credited_minor, found.due_minor, found.paid_at) == ("open", 0, 10_000, None)
    assert kinds(invoice)[-2:] == ["payment.reversed", "invoice.reopened"]
    assert Event.objects.get(kind="invoice.reopened").facts["reason"] == "reversed"
    assert Event.objects.get(kind="payment.reversed").facts["invoice"]["credited"] == "0.00"
    assert not Rendering.objects.filter(invoice=invoice, kind="receipt").exists()
    payment.refresh_from_db()
    assert (payment.reversed_at, payment.reversed_by) == (NOW + timedelta(minutes=5), owner)


def test_reversed_twice_is_refused(invoice: Invoice, owner: User) -> None:
    payment = record(invoice, 10_000)
    recorded.reverse(payment, by=owner, now=NOW)
    with pytest.raises(Refused, match=r"^This payment has been reversed already\.$"):
        recorded.reverse(RecordedPayment.objects.get(), by=owner, now=NOW)
    assert kinds(invoice).count("payment.reversed") == 1


def test_of_two_payments_the_payer_is_told_what_is_due_again(invoice: Invoice, owner: User) -> None:
    record(invoice, 4_000)
    second = record(invoice, 6_000)
    recorded.reverse(second, by=owner, now=NOW)
    assert kinds(invoice)[-3:] == ["payment.reversed", "invoice.reopened", "payment.part_received"]
    assert recorded.after_reversal(fresh(invoice), second).mails_payer is False  # it is open now, and they know


def test_an_invoice_that_stays_paid_gets_a_new_receipt(invoice: Invoice, owner: User) -> None:
    twice = [record(invoice, 10_000), record(invoice, 10_000)]
    receipt = Rendering.objects.get(invoice=invoice, kind="receipt")
    recorded.reverse(twice[0], by=owner, now=NOW)
    assert (fresh(invoice).status, fresh(invoice).is_overpaid) == ("paid", False)
    assert Rendering.objects.get(invoice=invoice, kind="receipt").pk != receipt.pk


def test_a_void_invoice_keeps_its_books(invoice: Invoice, owner: User) -> None:
    payment = record(invoice, 4_000)
    lifecycle.void(invoice, by=owner, reason="Agreed", now=NOW)
    recorded.reverse(payment, by=owner, now=NOW)
    assert (fresh(invoice).status, fresh(invoice).credited_minor) == ("void", 0)


# --- the pages ----------------------------------------------------------------------------------------------------
@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User) -> Client:
    return client_as(owner)


def url(name: str, invoice: Invoice, *args: Any) -> str:
    return reverse(name, args=[invoice.merchant.slug, invoice.pk, *args])


def typed(page: Any, **changes: str) -> dict[str, str]:
    form = page.context["form"]
    return {name: str(form[name].value() or "") for name in form.fields} | changes


def test_the_form_starts_with_what_is_still_due_and_now(desk: Client, invoice: Invoice) -> None:
    record(invoice, 4_000)
    page = desk.get(url("payment_record", invoice))
    values = typed(page)
    local = clock.now()
    assert (values["amount"], values["way"], values["day"]) == ("60.00", "bank", f"{local:%Y-%m-%d}")
    assert "60.00 EUR or more pays it: Ana Duarte is mailed a receipt at once." in words(page)


def test_sent_twice_it_is_recorded_once_and_said(desk: Client, invoice: Invoice, owner: User) -> None:
    data = typed(desk.get(url("payment_record", invoice)), note="Ref 88-1")
    for _press in range(2):
        answer = desk.post(url("payment_record", invoice), data, follow=True)
        assert "Recorded. INV-000001 is paid, and Ana Duarte is mailed the receipt." in words(answer) or _press
    payment = RecordedPayment.objects.get()
    assert (payment.amount_minor, payment.way, payment.note, payment.recorded_by) == (10_000, "bank", "Ref 88-1", owner)
    page = words(answer)
    assert "Bank transfer, recorded by Inês Matos Ref 88-1" in page
    assert "Inês Matos recorded a payment of 100.00 EUR: bank transfer" in page


def test_another_payment_from_the_same_page_is_not_swallowed(desk: Client, invoice: Invoice) -> None:
    """Recorded, then Back, another amount, and sent: the browser has brought the form's key back."""
    page = url("payment_record", invoice)
    data = typed(desk.get(page), amount="10.00")
    desk.post(page, data)
    answer = desk.post(page, data | {"amount": "5.00"})
    assert "A payment was recorded from this page already. To record another, send this again." in words(answer)
    desk.post(page, typed(answer))
    assert list(RecordedPayment.objects.order_by("id").values_list("amount_minor", flat=True)) == [1_000, 500]


def test_one_that_was_reversed_does_not_count_again_by_the_back_button(desk: Client, invoice: Invoice, owner: User) -> None:
    page = url("payment_record", invoice)
    data = typed(desk.get(page), amount="10.00")
    desk.post(page, data)
    recorded.reverse(RecordedPayment.objects.get(), by=owner, now=clock.now())
    answer = desk.post(page, data)
    assert "This payment was recorded and reversed." in words(answer)
    assert fresh(invoice).credited_minor == 0


def test_the_day_and_time_are_the_merchants(desk: Client, invoice: Invoice, merchant: Merchant) -> None:
    merchant.time_zone = "Asia/Tokyo"
    merchant.save()
    desk.post(url("payment_record", invoice), {"form_key": "k", "way": "cash", "amount": "1,00", "day": "2026-01-05", "at": "08:30"})
    assert not RecordedPayment.objects.exists()
    desk.post(url("payment_record", invoice), {"form_key": "k", "way": "cash", "amount": "1.00", "day": "2026-01-05", "at": "08:30"})
    assert RecordedPayment.objects.get().paid_at == datetime(2026, 1, 4, 23, 30, tzinfo=UTC)


def test_a_year_before_the_invoice_is_the_earliest_day(desk: Client, invoice: Invoice) -> None:
    data = typed(desk.get(url("payment_record", invoice))) | {"day": "2025-11-16", "at": "00:00"}
    desk.post(url("payment_record", invoice), data)
    assert RecordedPayment.objects.get().paid_at == datetime(2025, 11, 16, 0, 0, tzinfo=UTC)


def test_an_invoice_is_found_by_what_was_recorded_and_not_by_what_is_still_due(invoice: Invoice, merchant: Merchant) -> None:
    record(invoice, 5_025)
    found = [Filter(q=typed).apply(merchant, NOW).count() for typed in ("50.25", "50,25", "100.00", "49.75")]
    assert found == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"amount": ""}, "amount", "Write how much came."),
        ({"amount": "0"}, "amount", "Write an amount above zero."),
        ({"amount": "12,50"}, "amount", "Write the decimals after a point: 12.50."),
        ({"amount": "1.005"}, "amount", "EUR has 2 digits after the point. Write at most that many."),
        ({"way": "barter"}, "way", "Choose how it came."),
        ({"day": ""}, "day", "Choose the day on which it came."),
        ({"amount": "-5"}, "amount", "Write an amount above zero."),
        ({"amount": "\N{MINUS SIGN}5.00"}, "amount", "Write an amount above zero."),
        ({"day": "0001-01-01"}, "day", "This is more than a year before the invoice was issued. Check the year."),
        ({"day": "2025-11-15"}, "day", "This is more than a year before the invoice was issued. Check the year."),
        ({"day": "2999-01-01"}, "day", "This day is ahead. Choose an earlier one."),
        ({"at": "25:00"}, "at", "Write the time like 18:00."),
        ({"note": "x" * 301}, "note", "Shorten this to 300 characters; it has 301."),
    ],
)
def test_an_error_stands_beside_its_field_and_nothing_typed_is_lost(
    desk: Client, invoice: Invoice, changes: dict[str, str], field: str, sentence: str
) -> None:
    data = typed(desk.get(url("payment_record", invoice)), note="Ref 88-1") | changes
    page = desk.post(url("payment_record", invoice), data)
    assert page.context["form"].errors == {field: [sentence]}
    assert sentence.replace("'", "&#x27;") in page.content.decode()
    assert typed(page) == data
    assert not RecordedPayment.objects.exists()


def test_a_draft_or_a_void_invoice_is_told_so(desk: Client, merchant: Merchant) -> None:
    draft = make_draft(merchant)
    assert "has not been issued" in words(desk.get(url("payment_record", draft), follow=True))


def test_reversing_asks_first_and_says_what_will_happen(desk: Client, invoice: Invoice) -> None:
    payment = record(invoice, 10_000, note="Ref 88-1")
    page = words(desk.get(url("payment_reverse", invoice, payment.pk)))
    assert "Reverse the payment of 100.00 EUR?" in page
    assert "INV-000001 is open again, and 100.00 EUR is due. The receipt is withdrawn. Ana Duarte gets no mail about it; tell them." in page
    assert RecordedPayment.objects.get().reversed_at is None
    answer = desk.post(url("payment_reverse", invoice, payment.pk), follow=True)
    assert "Reversed. INV-000001 is open again." in words(answer)
    assert "Open again: a payment recorded by hand was reversed" in words(answer)
    assert "Reversed by Inês Matos," in words(answer)
    assert "already" in words(desk.post(url("payment_reverse", invoice, payment.pk), follow=True))


def test_a_payment_is_found_under_its_own_invoice_only(desk: Client, invoice: Invoice, merchant: Merchant) -> None:
    payment = record(invoice, 4_000)
    other = publish(make_draft(merchant), now=NOW)
    theirs = record(publish(make_draft(make_merchant(slug="other")), now=NOW), 100)
    assert desk.get(url("payment_reverse", other, payment.pk)).status_code == 404
    assert desk.post(url("payment_reverse", invoice, theirs.pk)).status_code == 404


def test_a_viewer_sees_it_and_finds_no_button(client_as: Callable[[User], Client], viewer: User, invoice: Invoice) -> None:
    record(invoice, 4_000)
    page = words(client_as(viewer).get(url("invoice", invoice)))
    assert "Bank transfer, recorded by hand" in page
    assert "Reverse…" not in page
    assert "Record a payment" not in page


def test_the_page_asks_the_database_as_often_for_three_recorded_payments_as_for_one(desk: Client, invoice: Invoice, owner: User) -> None:
    def asked() -> int:
        desk.get(url("invoice", invoice))
        with CaptureQueriesContext(connection) as seen:
            desk.get(url("invoice", invoice))
        return len(seen)

    record(invoice, 100, by=owner)
    one = asked()
    for _payment in range(2):
        recorded.reverse(record(invoice, 100, by=owner), by=owner, now=NOW)
    assert asked() == one


# --- what the payer and the team are told ---------------------------------------------------------------------------
def test_the_checkout_shows_the_part_and_asks_for_the_rest(client: Client, invoice: Invoice) -> None:
    record(invoice, 4_000, note="Envelope, taken by Rui")
    page = words(client.get(reverse("checkout", args=[invoice.public_id])))
    assert "Still due 60.00 EUR" in page
    assert "Bank transfer recorded by Harbour & Pine, 17 Nov 2026, 07:00 40.00 EUR" in page
    assert "Rui" not in page


def test_the_paid_page_says_how_it_was_paid(client: Client, invoice: Invoice) -> None:
    record(invoice, 10_000, way="cash")
    page = words(client.get(reverse("checkout", args=[invoice.public_id])))
    assert "Paid with Cash, 100.00 EUR Received 17 November 2026" in page


def test_a_waiting_page_notices_it(client: Client, invoice: Invoice) -> None:
    address = reverse("checkout_status", args=[invoice.public_id])
    before = client.get(address)["ETag"]
    record(invoice, 4_000)
    assert client.get(address, headers={"If-None-Match": before}).status_code == 200


def test_the_receipt_lists_it_and_never_its_note(invoice: Invoice, owner: User) -> None:
    recorded.reverse(record(invoice, 500, way="card"), by=owner, now=NOW)
    record(invoice, 10_000, note="Envelope, taken by Rui")
    found = fresh(invoice)
    from invoicing.snapshot import document

    assert list(paper.counted(found, document(found))) == [paper.Counted("Bank transfer, 100.00 EUR", came_on="17 November 2026")]
    page = paper.html(found, "receipt")
    assert "Bank transfer, 100.00 EUR" in page
    assert "Rui" not in page
    assert pdf.content(pdf.ensure(found.pk, kind="receipt", now=NOW)).startswith(b"%PDF")


def test_the_mails_name_it(invoice: Invoice) -> None:
    record(invoice, 4_000)
    record(invoice, 6_000, way="cash", note="Envelope, taken by Rui")
    fanout.run(NOW)
    while courier.round_of(Channel.EMAIL, now=NOW):
        pass
    receipt = next(letter for letter in mail.outbox if letter.subject == "Paid, thank you: INV-000001")
    assert "Bank transfer, received 17 November 2026: 40.00 EUR\nCash, received 17 November 2026: 60.00 EUR\n" in receipt.body
    assert "Rui" not in receipt.body + receipt.alternatives[0].content


@pytest.mark.parametrize(("first", "payer_told"), [(0, False), (4_000, True)])
def test_a_reversal_is_mailed_to_the_merchant_with_its_reason(invoice: Invoice, owner: User, first: int, payer_told: bool) -> None:
    if first:
        record(invoice, first)
    payment = record(invoice, 10_000 - first)
    fanout.run(NOW)
    while courier.round_of(Channel.EMAIL, now=NOW):
        pass
    mail.outbox.clear()
    assert recorded.after_reversal(fresh(invoice), payment).mails_payer is payer_told
    recorded.reverse(payment, by=owner, now=NOW)
    fanout.run(NOW)
    while courier.round_of(Channel.EMAIL, now=NOW):
        pass
    told = {letter.to[0]: letter for letter in mail.outbox}
    letter = told["studio@harbourpine.example"]
    assert letter.subject == "A payment of INV-000001 was reversed"
    assert "was paid and is open again: a payment recorded by hand was reversed." in letter.body
    assert "network" not in letter.body + letter.alternatives[0].content
    assert ("ana@duarte.example" in told) is payer_told


def test_facts_of_an_invoice_stay_free_of_notes(invoice: Invoice) -> None:
    record(invoice, 4_000, note="Envelope, taken by Rui")
    assert "Rui" not in str(facts.of_invoice(fresh(invoice)))
