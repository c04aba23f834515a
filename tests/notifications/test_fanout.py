import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from invoicing import facts, lifecycle
from invoicing.models import Invoice
from merchants.events import record
from merchants.models import Event, Merchant, User
from notifications import fanout
from notifications.models import Delivery, Endpoint
from notifications.webhooks import endpoints, formats
from tests.factories import NOW, make_draft, make_merchant, publish

pytestmark = pytest.mark.django_db


def happen(invoice: Invoice, kind: str, **more: Any) -> Event:
    with transaction.atomic():
        return record(kind, merchant=invoice.merchant, subject=invoice, now=NOW, facts={"invoice": facts.of_invoice(invoice), **more})


def made_by(event: Event) -> list[tuple[str, str, str]]:
    fanout.run(NOW)
    return sorted(event.deliveries.values_list("channel", "template", "recipient"))


def test_an_issued_invoice_is_a_mail_to_the_payer_and_a_webhook(endpoint: Endpoint, invoice: Invoice) -> None:
    fanout.run(NOW)

    assert sorted(Delivery.objects.filter(invoice=invoice).values_list("channel", "template", "recipient", "status")) == [
        ("email", "issued", "ana@duarte.example", "queued"),
        ("webhook", "invoice.issued", f"endpoint:{endpoint.pk}", "queued"),
    ]


def test_fanning_out_twice_makes_the_deliveries_once(endpoint: Endpoint, invoice: Invoice) -> None:
    event = Event.objects.get(kind="invoice.issued")
    first, second = fanout.fan_out(event.pk, now=NOW), fanout.fan_out(event.pk, now=NOW)

    assert (len(first or []), second) == (2, None)
    assert event.deliveries.count() == 2


def test_two_workers_that_read_the_same_event_make_its_deliveries_once(invoice: Invoice, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one stands between reading and claiming while the first one does it all."""
    event = Event.objects.get(kind="invoice.issued")
    real = fanout._next_sequence
    seen: list[Any] = []

    def meanwhile(merchant_id: int) -> int:
        if not seen:
            seen.append(None)
            seen.append(fanout.fan_out(event.pk, now=NOW))
        return real(merchant_id)

    monkeypatch.setattr(fanout, "_next_sequence", meanwhile)
    made = fanout.fan_out(event.pk, now=NOW)

    assert (len(made or []), seen[1]) == (1, None)
    assert event.deliveries.count() == 1


def test_the_database_refuses_the_same_delivery_of_an_event_twice(issued_mail: Delivery) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Delivery.objects.create(
            merchant=issued_mail.merchant,
            event=issued_mail.event,
            channel="email",
            template="issued",
            recipient="ana@duarte.example",
            message_id="<another>",
            next_at=NOW,
            created_at=NOW,
        )


def test_sequence_numbers_of_a_merchant_follow_each_other_without_a_gap(invoice: Invoice, owner: User) -> None:
    other = make_merchant(slug="elsewhere", name="Elsewhere")
    publish(make_draft(other))
    lifecycle.viewed(invoice, now=NOW)
    lifecycle.void(invoice, by=owner, reason="", now=NOW)
    fanout.run(NOW)

    assert list(Event.objects.filter(merchant=invoice.merchant).order_by("sequence").values_list("sequence", "kind")) == [
        (1, "invoice.issued"),
        (2, "invoice.viewed"),
        (3, "invoice.voided"),
    ]
    assert list(Event.objects.filter(merchant=other).values_list("sequence", flat=True)) == [1]
    assert Merchant.objects.get(pk=invoice.merchant_id).event_sequence == 3


def test_the_payload_is_built_once_and_says_what_was_true_then(endpoint: Endpoint, invoice: Invoice) -> None:
    event = Event.objects.get(kind="invoice.issued")
    Invoice.objects.filter(pk=invoice.pk).update(title="Changed since")
    fanout.run(NOW + timedelta(hours=1))
    payload = Delivery.objects.get(channel="webhook").payload

    assert json.loads(payload) == {
        "type": "invoice.issued",
        "timestamp": "2026-11-17T10:00:00Z",
        "sequence": event.sequence or Event.objects.get(pk=event.pk).sequence,
        "version": 1,
        "id": f"evt_{event.pk}",
        "data": {
            "invoice": {
                "id": invoice.pk,
                "number": "INV-000001",
                "status": "open",
                "title": "Brand identity, phase 2",
                "reference": None,
                "currency": "EUR",
                "total": "4280.40",
                "credited": "0.00",
                "pending": "0.00",
                "due": "4280.40",
                "refunded": "0.00",
                "returning": "0.00",
                "written_off": "0.00",
                "underpaid": False,
                "overpaid": False,
                "paid_late": False,
                "payer": {"name": "Ana Duarte", "email": "ana@duarte.example"},
                "issue_at": "2026-11-17T10:00:00Z",
                "due_at": "2026-12-01T10:00:00Z",
                "issued_at": "2026-11-17T10:00:00Z",
                "paid_at": None,
                "voided_at": None,
                "void_reason": None,
            }
        },
    }


def test_a_payload_with_everything_in_it_stays_below_20_kilobytes(endpoint: Endpoint, merchant: Merchant, owner: User) -> None:
    invoice = publish(make_draft(merchant, title="😀" * 160, payer_name="😀" * 120, payer_reference="😀" * 60))
    lifecycle.void(invoice, by=owner, reason="😀" * 300, now=NOW)
    fanout.run(NOW)

    assert max(len(body.encode()) for body in Delivery.objects.filter(channel="webhook").values_list("payload", flat=True)) < 20_000


def test_a_payload_carries_the_transfer_of_a_payment(endpoint: Endpoint, invoice: Invoice) -> None:
    transfer = {"asset": "a", "symbol": "USDT", "network": "n", "amount": "12.5", "status": "seen"}
    happen(invoice, "payment.detected", transfer=transfer)
    fanout.run(NOW)

    assert json.loads(Delivery.objects.get(template="payment.detected").payload)["data"]["transfer"] == transfer


HOOK = "endpoint:{}"


@pytest.mark.parametrize(
    ("kind", "mails"),
    [
        ("invoice.viewed", []),
        ("payment.detected", []),
        ("payment.confirmed", []),
        (
            "payment.part_received",
            [("email", "part_paid", "studio@harbourpine.example"), ("email", "part_received", "ana@duarte.example")],
        ),
        ("payment.overpaid", [("email", "overpaid", "studio@harbourpine.example")]),
        ("payment.late", [("email", "late", "studio@harbourpine.example")]),
        ("invoice.paid", [("email", "paid", "studio@harbourpine.example"), ("email", "receipt", "ana@duarte.example")]),
        ("invoice.reopened", [("email", "reopened", "studio@harbourpine.example")]),
        ("invoice.voided", [("email", "cancelled", "ana@duarte.example")]),
        ("invoice.missed", [("email", "missed", "studio@harbourpine.example")]),
    ],
)
def test_who_hears_of_what(endpoint: Endpoint, invoice: Invoice, kind: str, mails: list[tuple[str, str, str]]) -> None:
    assert made_by(happen(invoice, kind)) == [*mails, ("webhook", kind, f"endpoint:{endpoint.pk}")]


@pytest.mark.parametrize("kind", ["invoice.scheduled", "invoice.unscheduled", "merchant.changed", "delivery.failed", "something.else"])
def test_nobody_is_told_of_the_rest(endpoint: Endpoint, invoice: Invoice, kind: str) -> None:
    assert made_by(happen(invoice, kind)) == []


def test_the_invoice_chooses_about_payment_notices_and_nothing_else(endpoint: Endpoint, merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant, notify_email=False, notify_webhook=False))

    assert made_by(happen(invoice, "invoice.paid")) == [("email", "receipt", "ana@duarte.example")]
    assert made_by(happen(invoice, "payment.detected")) == []
    assert made_by(happen(invoice, "invoice.missed")) == [
        ("email", "missed", "studio@harbourpine.example"),
        ("webhook", "invoice.missed", f"endpoint:{endpoint.pk}"),
    ]


def test_who_invoices_themselves_gets_both_the_receipt_and_the_notice(merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant, payer_email=merchant.email))

    assert made_by(happen(invoice, "invoice.paid")) == [
        ("email", "paid", "studio@harbourpine.example"),
        ("email", "receipt", "studio@harbourpine.example"),
    ]


def test_the_mail_to_the_merchant_goes_to_the_address_on_the_invoice(merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant, merchant_email="books@harbourpine.example"))

    assert made_by(happen(invoice, "invoice.paid"))[0] == ("email", "paid", "books@harbourpine.example")


def test_an_endpoint_that_is_off_gets_nothing_and_neither_does_another_merchants(endpoint: Endpoint, invoice: Invoice) -> None:
    Endpoint.objects.create(merchant=make_merchant(slug="elsewhere"), url="https://elsewhere.example/", secret="x")
    Endpoint.objects.filter(pk=endpoint.pk).update(is_enabled=False)
    fanout.run(NOW)

    assert Delivery.objects.filter(channel="webhook").count() == 0


def test_a_webhook_that_cannot_be_written_holds_up_neither_mails_nor_other_endpoints(
    endpoint: Endpoint, invoice: Invoice, owner: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other, _secret = endpoints.add(invoice.merchant, url="https://other.example/", by=owner, now=NOW)
    standard = type(formats.WIRES["standard"])
    write = standard.payload

    def fails_for_one(self: Any, event: Event, found: Endpoint) -> str | None:
        if found == endpoint:
            raise ArithmeticError
        return write(self, event, found)

    monkeypatch.setattr(standard, "payload", fails_for_one)
    fanout.run(NOW)

    assert sorted(Delivery.objects.filter(invoice=invoice).values_list("recipient", "status", "reason")) == [
        ("ana@duarte.example", "queued", ""),
        (f"endpoint:{endpoint.pk}", "queued", ""),
        (f"endpoint:{other.pk}", "queued", ""),
    ]
    assert f"could not be written for endpoint {endpoint.pk}" in caplog.text


def test_one_event_that_cannot_be_fanned_out_holds_up_no_other(endpoint: Endpoint, invoice: Invoice, caplog: pytest.LogCaptureFixture) -> None:
    broken = Event.objects.get(kind="endpoint.added")
    Event.objects.filter(pk=broken.pk).update(facts=7)
    done = fanout.run(NOW)

    assert (done.events, done.channels) == (1, {"email", "webhook"})
    assert Event.objects.get(pk=broken.pk).fanned_out_at is None
    assert f"Event {broken.pk} could not be fanned out" in caplog.text


def test_an_event_that_cannot_be_fanned_out_blocks_nobody_and_is_never_given_up(invoice: Invoice, monkeypatch: pytest.MonkeyPatch) -> None:
    fanout.run(NOW)
    broken, sound = happen(invoice, "invoice.viewed"), happen(invoice, "invoice.reopened")
    through = fanout._deliveries

    def fails_for_one(event: Event, *args: Any) -> Any:
        if event.pk == broken.pk:
            raise ArithmeticError("out of cheese")
        return through(event, *args)

    with monkeypatch.context() as patch:
        patch.setattr(fanout, "_deliveries", fails_for_one)
        Event.objects.filter(pk=broken.pk).update(fan_out_tries=fanout.MOST_TRIES)
        fanout.run(NOW, limit=1)
        assert Event.objects.get(pk=sound.pk).fanned_out_at == NOW
        assert fanout.run(NOW).events == 0
    assert fanout.run(NOW).events == 1
