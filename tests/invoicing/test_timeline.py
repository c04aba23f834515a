"""Events as sentences, and messages told with the event they come from."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from invoicing import timeline
from merchants.models import Event
from tests.factories import NOW

ABOUT = {"invoice": {"currency": "EUR", "payer": {"name": "Ana Duarte"}, "issue_at": "2026-12-01T09:00:00Z", "void_reason": "Wrong address."}}
BACK = {"reference": "F-7KQ2WM", "amount": "1052.50", "currency": "EUR", "network_name": "Base"}
SEEN = {"symbol": "USDC", "network": "eip155:8453", "network_name": "Base", "amount": "651.6", "credit": "600.00"}


def said(kind: str, *, who: str = "", **facts: Any) -> str:
    event = Event(kind=kind, facts={**ABOUT, **facts}, actor_name=who, at=NOW)
    return timeline.entry(event, zone="Europe/Lisbon").text


@pytest.mark.parametrize(
    ("kind", "facts", "sentence"),
    [
        ("invoice.created", {"who": "Inês Matos"}, "Inês Matos created the draft"),
        ("invoice.scheduled", {"who": "Inês Matos"}, "Inês Matos scheduled it for 1 Dec 2026, 09:00"),
        ("invoice.issued", {}, "Issued"),
        ("invoice.viewed", {}, "Ana Duarte opened the invoice"),
        ("invoice.voided", {"who": "Inês Matos"}, "Inês Matos voided it: Wrong address."),
        ("invoice.missed", {}, "It could not be sent. Its due time had passed."),
        ("invoice.missed", {"detail": "Choose a token."}, "It could not be sent. Choose a token."),
        ("payment.detected", {"transfer": SEEN}, "600.00 EUR seen on Base, confirming"),
        ("payment.detected", {"transfer": {**SEEN, "credit": None}}, "651.6 USDC seen on Base, confirming"),
        ("payment.confirmed", {"transfer": {**SEEN, "credit": "1500.00"}}, "1,500.00 EUR received on Base"),
        ("payment.late", {"transfer": {**SEEN, "held": True}}, "600.00 EUR on Base came late and is held"),
        ("payment.decided", {"who": "Inês Matos", "transfer": SEEN}, "Inês Matos decided on a held payment: it counts as 600.00 EUR"),
        ("delivery.failed", {"template": "issued", "channel": "email", "reason": "550 gone"}, "Invoice issued could not be delivered. 550 gone"),
        (
            "delivery.resent",
            {"who": "Inês Matos", "template": "invoice.paid", "channel": "webhook"},
            "Inês Matos sent it again: Webhook invoice.paid",
        ),
        ("refund.requested_by_hand", {}, "Refund requested by hand"),
    ],
)
def test_an_event_is_a_sentence(kind: str, facts: dict[str, Any], sentence: str) -> None:
    assert said(kind, **facts) == sentence


@pytest.mark.parametrize(
    ("kind", "who", "facts", "sentence"),
    [
        ("requested", "Inês Matos", {}, "Inês Matos asked for refund F-7KQ2WM of 1,052.50 EUR"),
        ("changed", "Inês Matos", {}, "Inês Matos changed refund F-7KQ2WM to 1,052.50 EUR"),
        ("renewed", "Inês Matos", {}, "Inês Matos sent a new link for refund F-7KQ2WM"),
        ("renewed", "", {}, "Ana Duarte got a new link for refund F-7KQ2WM"),
        ("expired", "", {}, "Refund F-7KQ2WM expired: no address was given in time"),
        ("address_given", "", {}, "Ana Duarte gave an address for refund F-7KQ2WM, to be confirmed by mail"),
        ("claimed", "", {"address_by": "payer"}, "Ana Duarte confirmed the address of refund F-7KQ2WM"),
        ("claimed", "Inês Matos", {"address_by": "member"}, "Inês Matos entered the address of refund F-7KQ2WM"),
        ("restarted", "Inês Matos", {}, "Inês Matos asked for another address for refund F-7KQ2WM"),
        ("restarted", "", {}, "Ana Duarte wants to give another address for refund F-7KQ2WM"),
        ("approved", "Rui Lopes", {}, "Rui Lopes approved refund F-7KQ2WM of 1,052.50 EUR"),
        ("rejected", "Rui Lopes", {"why": "Not ours."}, "Rui Lopes rejected refund F-7KQ2WM: Not ours."),
        ("cancelled", "Rui Lopes", {"why": None}, "Rui Lopes called off refund F-7KQ2WM"),
        ("sent", "Rui Lopes", {}, "Rui Lopes sent refund F-7KQ2WM of 1,052.50 EUR"),
        ("sent", "", {}, "Refund F-7KQ2WM of 1,052.50 EUR found on Base, confirming"),
        ("unsent", "Rui Lopes", {}, "Rui Lopes said that the transaction named is not refund F-7KQ2WM: it is to be paid still"),
        ("confirmed", "", {}, "1,052.50 EUR refunded on Base"),
        ("confirmed", "", {"credit_note": "CN-000001"}, "1,052.50 EUR refunded on Base, credit note CN-000001"),
        ("reopened", "", {}, "Refund F-7KQ2WM was taken back by its network"),
        ("failed", "Rui Lopes", {"why": "50 % fee."}, "Rui Lopes gave up refund F-7KQ2WM: it never arrived: 50 % fee."),
    ],
)
def test_what_happens_to_a_refund_is_a_sentence(kind: str, who: str, facts: dict[str, Any], sentence: str) -> None:
    assert said(f"refund.{kind}", who=who, refund={**BACK, **facts}) == sentence


def test_other_words_for_a_refund_are_no_other_amount() -> None:
    assert said("refund.changed", who="Inês Matos", refund=BACK, only_words=True) == "Inês Matos changed the words of refund F-7KQ2WM"


def test_an_event_without_facts_is_still_a_sentence() -> None:
    for kind in timeline.SENTENCES:
        assert timeline.entry(Event(kind=kind, facts={}, at=NOW), zone="UTC").text


def message(event: int, template: str, **fields: Any) -> SimpleNamespace:
    given = {"channel": "email", "recipient": "ana@duarte.example", "status": "sent", "sent_at": NOW, "created_at": NOW}
    return SimpleNamespace(event_id=event, template=template, **{**given, **fields})


def told(events: list[Event], *messages: SimpleNamespace) -> list[str]:
    found = timeline.entries(events, messages, payer="Ana Duarte", payer_email="ana@duarte.example", zone="UTC")
    return [entry.text for entry in found]


def test_a_mail_that_reached_the_payer_is_told_with_its_event() -> None:
    events = [Event(pk=1, kind="invoice.issued", facts=ABOUT, at=NOW), Event(pk=2, kind="invoice.paid", facts=ABOUT, at=NOW + timedelta(days=1))]
    assert told(events, message(1, "issued"), message(2, "receipt")) == ["Paid, mailed to Ana Duarte", "Issued and mailed to Ana Duarte"]


def test_every_other_message_is_told_on_its_own_newest_first() -> None:
    events = [Event(pk=1, kind="invoice.paid", facts=ABOUT, at=NOW)]
    messages = (
        message(1, "receipt", status="queued", sent_at=None, created_at=NOW + timedelta(minutes=1)),
        message(1, "paid", recipient="studio@harbourpine.example", sent_at=NOW + timedelta(minutes=2)),
        message(1, "invoice.paid", channel="webhook", recipient="endpoint:1", sent_at=NOW + timedelta(minutes=3)),
        message(1, "issued", status="failed"),
    )
    assert told(events, *messages) == [
        "Webhook invoice.paid delivered",
        "Invoice paid, mailed to studio@harbourpine.example",
        "Receipt, on its way to ana@duarte.example",
        "Paid",
    ]
