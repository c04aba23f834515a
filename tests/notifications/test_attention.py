"""What needs a hand, as the overview lists it: mails that were held back, and PDFs that could not be made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from invoicing import schedules
from invoicing.attention import matters
from invoicing.models import Rendering
from merchants import team
from merchants.models import Membership, Merchant, User
from notifications import breaker, courier, fanout, outbox
from notifications.models import Delivery, Endpoint, MailServer
from notifications.transports import Outcome
from tests.factories import NOW, make_draft, make_merchant, make_schedule, publish, start

pytestmark = pytest.mark.django_db

LATE = NOW + timedelta(days=15)


def titles(merchant: Merchant) -> list[str]:
    return [matter.title for matter in matters(merchant, LATE)]


def test_a_mail_held_back_past_the_due_time_is_listed_until_it_is_sent_anyway(merchant: Merchant, owner: User) -> None:
    publish(make_draft(merchant), now=NOW)
    publish(make_draft(make_merchant(slug="another")), now=NOW)
    fanout.run(NOW)
    assert titles(merchant) == []
    courier.round_of("email", now=LATE)
    assert titles(merchant) == ["Ana Duarte has not been told of INV-000001"]
    held = Delivery.objects.get(merchant=merchant, status="cancelled")
    outbox.send_again(held, by=owner, now=LATE, force=True)
    assert titles(merchant) == []


def test_a_pdf_that_could_not_be_made_three_times_is_listed(merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant), now=NOW)
    Rendering.objects.filter(invoice=invoice).update(attempts=2)
    assert titles(merchant) == []
    Rendering.objects.filter(invoice=invoice).update(attempts=3)
    assert titles(merchant) == ["The PDF of INV-000001 could not be made"]


def test_a_mail_server_of_its_own_that_is_left_alone_is_listed_until_it_answers_or_is_off(merchant: Merchant) -> None:
    server = MailServer.objects.create(merchant=merchant, host="mail.example.com", sender="b@example.com", is_enabled=True, tested_at=NOW)
    down = Outcome(False, answer="Away", is_down=True)
    for _number in range(4):
        breaker.heard(server, down, now=NOW)
    assert titles(merchant) == []
    breaker.heard(server, down, now=NOW)
    [row] = matters(merchant, LATE)
    assert (row.title, row.link, row.needs) == ("Your mail server does not answer", "/m/harbour-pine/settings/mail/", "profile")
    assert row.text == "Mails to payers wait for mail.example.com:587 and are tried again. Switched off, they leave through this site."
    assert matters(merchant, LATE, member=Membership(user=User(), role="viewer")) == []
    MailServer.objects.update(is_enabled=False)
    assert titles(merchant) == []
    MailServer.objects.update(is_enabled=True)
    breaker.heard(server, Outcome(True), now=NOW)
    assert titles(merchant) == []


# --- schedules, and messages about no invoice -----------------------------------------------------------------------
FIRST = datetime(2026, 11, 30, 9, tzinfo=UTC)


def test_missed_and_held_dates_are_one_row_a_schedule_until_they_are_decided(merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant, title="Studio retainer"))
    start(make_schedule(make_merchant(slug="another"), title="Elsewhere"))
    schedules.run_due(now=datetime(2027, 1, 10, tzinfo=UTC))
    (row,) = (matter for matter in matters(merchant, LATE) if matter.icon == "calendar-x")

    assert (row.title, row.text) == ("Studio retainer could not be sent", "Planned 30 Nov 2026, 09:00. Nothing is sent late.")
    assert row.link == f"/m/harbour-pine/recurring/{schedule.pk}/"
    schedules.skip(schedule, 1, by=owner, now=LATE)
    assert titles(merchant) == []


def test_several_missed_dates_are_counted_and_a_held_one_says_why(merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant, title="Studio retainer, {month}"))
    schedules.run_due(now=datetime(2027, 2, 10, tzinfo=UTC))
    (row,) = matters(merchant, LATE)
    assert (row.title, row.text) == (
        "Studio retainer, November and 1 more could not be sent",
        "The first one was planned 30 Nov 2026, 09:00. Nothing is sent late.",
    )
    Merchant.objects.update(accepted_assets=[])
    schedules.run_due(now=datetime(2027, 2, 28, 9, tzinfo=UTC))
    (row,) = matters(merchant, LATE)
    assert (row.title, row.text) == ("Studio retainer, November and 2 more could not be sent", "Choose at least one token it can be paid with.")
    schedules.stop(schedule, by=merchant.members.get(), now=LATE)
    assert titles(merchant) == []


def test_an_invitation_that_could_not_be_delivered_is_listed_while_it_waits(merchant: Merchant, owner: User) -> None:
    invitation = team.invite(merchant, email="rui@lopes.example", role="viewer", by=owner, now=NOW)
    fanout.run(NOW)
    Delivery.objects.update(status="failed")
    (row,) = matters(merchant, NOW)
    delivery = Delivery.objects.get()

    assert (row.title, row.text) == ("An invitation could not be delivered", "Invitation, to rui@lopes.example.")
    assert row.link == f"/m/harbour-pine/messages/{delivery.pk}/"
    assert matters(make_merchant(slug="another"), NOW) == []
    renewed = team.renew(invitation, by=owner, now=NOW)
    fanout.run(NOW)
    assert matters(merchant, NOW) == []
    Delivery.objects.update(status="failed")
    assert titles(merchant) == ["An invitation could not be delivered"]
    team.withdraw(renewed, by=owner, now=NOW)
    assert titles(merchant) == []


def test_a_message_about_no_invoice_is_listed_until_it_is_sent_again(merchant: Merchant, owner: User) -> None:
    endpoint = Endpoint.objects.create(merchant=merchant, url="https://hooks.harbourpine.example/", secret="x")
    schedules.stop(start(make_schedule(merchant)), by=owner, now=NOW)
    fanout.run(NOW)
    Delivery.objects.update(status="failed")

    assert [(matter.title, matter.text, matter.link) for matter in matters(merchant, NOW)] == [
        (
            "A message could not be delivered",
            "Schedule ended, to studio@harbourpine.example.",
            f"/m/harbour-pine/messages/{Delivery.objects.get(channel='email').pk}/",
        ),
        ("2 webhooks could not be delivered", "About recurring schedules.", "/m/harbour-pine/developers/deliveries/?state=failed"),
    ]
    for delivery in Delivery.objects.filter(status="failed"):
        outbox.send_again(delivery, by=owner, now=NOW)
    assert titles(merchant) == []
    assert endpoint.is_enabled


def test_the_list_costs_the_same_for_one_and_for_three_schedules(merchant: Merchant, owner: User, django_assert_num_queries: Any) -> None:
    def grow() -> None:
        start(make_schedule(merchant))
        schedules.run_due(now=datetime(2027, 1, 20, tzinfo=UTC))
        fanout.run(NOW)
        Delivery.objects.filter(invoice=None).update(status="failed")

    grow()
    with CaptureQueriesContext(connection) as one:
        assert len(matters(merchant, LATE)) == 2
    grow()
    grow()
    with django_assert_num_queries(len(one)):
        assert len(matters(merchant, LATE)) == 6
