"""The reminder that a payer is mailed: three tones, and what is asked again as it leaves."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction

from invoicing import lifecycle, reminder_rules, reminders
from invoicing.models import Invoice
from merchants.models import Merchant, User
from notifications import courier, emails, fanout
from notifications.models import Delivery
from notifications.transports import Withheld
from tests.factories import NOW, make_draft, publish
from tests.notifications.conftest import Mailserver

pytestmark = pytest.mark.django_db
PAGE = "http://testserver/i/7Qm2xVb9tKc4/"


def on(day: int, hour: int = 9, month: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=ZoneInfo("Europe/Lisbon"))


@pytest.fixture
def invoice(merchant: Merchant, owner: User) -> Invoice:
    """1,800.00 EUR, due on Tuesday 1 December at 18:00 in Lisbon."""
    reminder_rules.change(merchant, days=[-3, -1, 0, 7], by=owner, now=NOW)
    return publish(make_draft(merchant, due_at=on(1, 18), public_id="7Qm2xVb9tKc4"))


def queued(now: datetime) -> Delivery:
    """The mail of the reminder that is due at `now`."""
    reminders.run_due(now=now)
    fanout.run(now)
    return Delivery.objects.get(template="reminder", event__at=now)


def money(invoice: Invoice, *, credited: int = 0, pending: int = 0) -> None:
    with transaction.atomic():
        lifecycle.account(lifecycle.locked(invoice.pk), lifecycle.Money(credited, pending, bool(credited), False, False), now=NOW)


def test_before_it_is_due_it_reads_as_a_reminder(invoice: Invoice) -> None:
    found = emails.write(queued(on(28, month=11)), now=on(28, month=11))

    assert found.subject == "Due in 3 days: invoice INV-000001 from Harbour & Pine, 1,800.00 EUR"
    assert found.text.startswith(
        f"""\
Hello Ana Duarte,

a short reminder: invoice INV-000001 for Brand identity, phase 2 is due in 3 days.

Amount due: 1,800.00 EUR
by Tuesday 1 December 2026, 18:00, Lisbon time

Pay Now: {PAGE}pay/
The invoice: {PAGE}

Total: 1,800.00 EUR

You can pay with USDT, ETH or BTC.
"""
    )
    assert f'href="{PAGE}pay/"' in found.html
    assert "is due in 3 days." in found.html


@pytest.mark.parametrize(
    ("at", "subject", "sentence"),
    [
        (on(30, month=11), "Due in 1 day: ", "a short reminder: invoice INV-000001 for Brand identity, phase 2 is due in 1 day.\n"),
        (on(1), "Due today: ", "invoice INV-000001 for Brand identity, phase 2 is due today.\n"),
        (on(8), "Still open: ", "invoice INV-000001 for Brand identity, phase 2 was due 7 days ago and is still open.\n"),
    ],
)
def test_each_time_has_its_tone(invoice: Invoice, at: datetime, subject: str, sentence: str) -> None:
    found = emails.write(queued(at), now=at)

    assert found.subject == subject + "invoice INV-000001 from Harbour & Pine, 1,800.00 EUR"
    assert sentence in found.text
    assert ("due since Tuesday 1 December 2026, 18:00, Lisbon time" in found.text) == (at == on(8))
    assert ("answer this email and tell us how" in found.html) == (at == on(8))


@pytest.mark.parametrize(("leaves", "subject"), [(on(1, 8), "Due today"), (on(1, 19), "Still open"), (on(3), "Still open")])
def test_one_that_leaves_late_says_what_is_true_then(invoice: Invoice, leaves: datetime, subject: str) -> None:
    assert emails.write(queued(on(30, month=11)), now=leaves).subject.startswith(subject)


def test_after_a_part_payment_it_asks_for_the_rest(invoice: Invoice) -> None:
    money(invoice, credited=60_000)
    found = emails.write(queued(on(1)), now=on(1))

    assert found.subject.endswith("1,200.00 EUR")
    assert "Still due: 1,200.00 EUR\n" in found.text
    assert "Received: 600.00 EUR\nTotal: 1,800.00 EUR\n" in found.text


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("paid", "The invoice was paid by the time this could be sent."),
        ("void", "The invoice was void by the time this could be sent."),
        ("confirming", "A payment is confirming; nobody is asked again meanwhile."),
        ("off", "Reminders were switched off for this invoice before this could be sent."),
    ],
)
def test_it_is_asked_again_as_the_mail_leaves(invoice: Invoice, owner: User, case: str, reason: str) -> None:
    delivery = queued(on(28, month=11))
    match case:
        case "paid":
            money(invoice, credited=invoice.total_minor)
        case "void":
            lifecycle.void(invoice, by=owner, reason="Agreed", now=NOW)
        case "confirming":
            money(invoice, pending=1)
        case "off":
            reminders.switch(invoice, on=False, by=owner, now=NOW)
    with pytest.raises(Withheld) as withheld:
        emails.write(delivery, now=on(28, 10, month=11))
    assert str(withheld.value) == reason


def test_one_sent_by_hand_leaves_though_reminders_are_off(invoice: Invoice, owner: User) -> None:
    reminders.switch(invoice, on=False, by=owner, now=NOW)
    reminders.remind(invoice, by=owner, now=on(28, month=11))
    fanout.run(on(28, month=11))
    found = emails.write(Delivery.objects.get(template="reminder"), now=on(28, month=11))
    assert found.subject.startswith("Due in 3 days")


def test_it_goes_to_the_payer_and_to_the_webhook_once(invoice: Invoice, endpoint: Any, mailserver: Mailserver) -> None:
    now = on(28, month=11)
    for _beat in range(2):
        reminders.run_due(now=now)
        fanout.run(now)
    while courier.round_of("email", now=now):
        pass

    subjects = [line for mail in mailserver.taken for line in mail.decode().splitlines() if line.startswith("Subject: ")]
    assert [line for line in subjects if "Due in 3 days" in line] == ["Subject: Due in 3 days: invoice INV-000001 from Harbour & Pine, 1,800.00 EUR"]
    body = json.loads(Delivery.objects.get(channel="webhook", template="invoice.reminded").payload)
    assert (body["type"], body["data"]["reminder"]) == ("invoice.reminded", {"days": -3, "by_hand": False})
    assert body["data"]["invoice"]["number"] == "INV-000001"


def test_a_week_without_workers_is_one_mail(invoice: Invoice, mailserver: Mailserver) -> None:
    now = on(8) + timedelta(minutes=7)
    reminders.run_due(now=now)
    fanout.run(now)
    assert Delivery.objects.filter(template="reminder").count() == 1
