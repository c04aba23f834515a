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
from notifications import courier, fanout, outbox
from notifications.mail import emails, recipients
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


# --- several at once ----------------------------------------------------------------------------------------------
def sent(now: datetime) -> None:
    while courier.round_of("email", now=now):
        pass


def states() -> list[tuple[str, str]]:
    return list(Delivery.objects.filter(template="reminder").order_by("id").values_list("status", "reason"))


LATER = ("cancelled", "It could not be sent in time; the next one took its place.")
TODAY = ("cancelled", "Another one had gone out on that day.")


def test_of_those_that_waited_for_a_mail_server_the_latest_leaves(invoice: Invoice, mailserver: Mailserver) -> None:
    fanout.run(NOW)
    sent(NOW)
    for day in (on(28, month=11), on(30, month=11), on(1)):
        queued(day)
    mailserver.taken.clear()
    sent(on(1) + timedelta(minutes=5))

    assert states() == [LATER, LATER, ("sent", "")]
    [mail] = mailserver.taken
    assert b"Subject: Due today" in mail


def test_one_that_a_limit_moved_to_the_day_of_the_next_makes_room_for_it(invoice: Invoice, mailserver: Mailserver) -> None:
    Merchant.objects.update(daily_mail_limit=0)
    queued(on(30, month=11))
    sent(on(30, month=11))
    Merchant.objects.update(daily_mail_limit=50)
    queued(on(1))
    sent(on(1))

    assert states() == [LATER, ("sent", "")]


def test_one_that_left_after_midnight_is_that_days(invoice: Invoice, mailserver: Mailserver) -> None:
    queued(on(30, month=11))
    sent(on(1, 0))
    queued(on(1))
    sent(on(1))

    assert states() == [("sent", ""), TODAY]


def test_one_that_waits_for_its_next_try_leaves_if_the_later_one_was_not_sent(invoice: Invoice, owner: User, mailserver: Mailserver) -> None:
    earlier = queued(on(30, month=11))
    later = queued(on(1))
    outbox.cancel(later, reason="A payment is confirming; nobody is asked again meanwhile.", now=on(1))

    assert emails.write(earlier, now=on(1)).subject.startswith("Due today")


def test_each_recipient_is_counted_alone(invoice: Invoice, owner: User, mailserver: Mailserver) -> None:
    queued(on(30, month=11))
    sent(on(1, 0))
    copies = {"cc": ["books@duarte.example"]}
    recipients.change(Invoice.objects.get(), main="ana@duarte.example", copies=copies, mail_now=False, by=owner, now=on(1, 1))
    reminders.run_due(now=on(1))
    fanout.run(on(1))
    sent(on(1))

    assert states() == [("sent", ""), TODAY, ("sent", "")]


def again(now: datetime, owner: User) -> Delivery:
    """The reminder of 30 November, which arrived, sent again at `now`."""
    first = queued(on(30, month=11))
    sent(on(30, month=11))
    return outbox.again(Delivery.objects.get(pk=first.pk), by=owner, now=now)


def test_one_sent_again_counts_for_the_day(invoice: Invoice, owner: User, mailserver: Mailserver) -> None:
    again(on(1, 8), owner)
    reminders.run_due(now=on(1))
    fanout.run(on(1))
    sent(on(1))

    assert states() == [("sent", ""), ("sent", "")]
    with pytest.raises(reminders.Refused, match=r"^Ana Duarte has been reminded of INV-000001 today"):
        reminders.remind(invoice, by=owner, now=on(1, 10))


def test_one_sent_again_that_waits_since_yesterday_stands_in_for_todays(invoice: Invoice, owner: User, mailserver: Mailserver) -> None:
    again(on(30, 20, month=11), owner)
    queued(on(1))
    sent(on(1))

    assert states() == [("sent", ""), ("sent", ""), TODAY]


def test_a_member_may_send_one_again_on_its_day(invoice: Invoice, owner: User, mailserver: Mailserver) -> None:
    again(on(30, 10, month=11), owner)
    sent(on(30, 10, month=11))

    assert states() == [("sent", ""), ("sent", "")]
