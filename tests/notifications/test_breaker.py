"""When a receiver is left alone, and for how long."""

from datetime import timedelta
from typing import Any

import pytest

from invoicing.models import Invoice
from merchants.models import Event, Merchant, User
from notifications import breaker, courier, fanout, outbox
from notifications.mail import emails
from notifications.models import Delivery, Endpoint, MailServer
from notifications.transports import Outcome
from notifications.transports.webhook import Request, judge
from tests.factories import NOW, make_draft, publish

pytestmark = pytest.mark.django_db
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
GOOD = Outcome(True, code="200")
DOWN = Outcome(False, code="503", answer="Service Unavailable", is_down=True)
REFUSED = Outcome(False, code="400", answer="Bad Request")


def state(endpoint: Endpoint) -> tuple[int, Any, Any]:
    row = Endpoint.objects.get(pk=endpoint.pk)
    return row.failures, row.failing_since, row.blocked_until


@pytest.mark.parametrize(("failures", "minutes"), [(0, None), (4, None), (5, 1), (6, 2), (7, 4), (8, 8), (9, 15), (10, 15), (500, 15)])
def test_for_how_long_it_is_left_alone(failures: int, minutes: int | None) -> None:
    assert breaker.block_after(failures) == (None if minutes is None else timedelta(minutes=minutes))


def test_each_failure_in_a_row_is_counted_and_the_fifth_blocks(endpoint: Endpoint) -> None:
    seen = []
    for number in range(10):
        breaker.heard(endpoint, DOWN, now=NOW + number * SECOND)
        failures, since, until = state(endpoint)
        seen.append(until and until - (NOW + number * SECOND))
        assert (failures, since) == (number + 1, NOW)

    assert seen == [None] * 4 + [MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE, 15 * MINUTE, 15 * MINUTE]


def test_a_success_forgets_all_of_it(endpoint: Endpoint) -> None:
    for _number in range(6):
        breaker.heard(endpoint, DOWN, now=NOW)
    breaker.heard(endpoint, GOOD, now=NOW)

    assert state(endpoint) == (0, None, None)


def test_what_is_refused_for_its_own_sake_blocks_nothing_but_is_a_failure(endpoint: Endpoint) -> None:
    for _number in range(9):
        breaker.heard(endpoint, REFUSED, now=NOW)

    assert state(endpoint) == (0, NOW, None)


@pytest.mark.parametrize(
    ("status", "is_down"), [(200, False), (301, False), (400, False), (404, False), (410, False), (429, True), (500, True), (503, True)]
)
def test_which_answers_say_that_it_is_down(status: int, is_down: bool) -> None:
    request = Request("https://example.com/", b"{}", {}, False, lambda status, _body: 200 <= status < 300, NOW)

    assert judge(status, "", "", b"", request).is_down is is_down


def test_while_it_is_blocked_nothing_is_tried_and_no_try_counted(endpoint: Endpoint, invoice: Invoice) -> None:
    fanout.run(NOW)
    for _number in range(5):
        breaker.heard(endpoint, DOWN, now=NOW)

    assert outbox.claim("webhook", now=NOW + 59 * SECOND, limit=10) == []
    [claimed] = outbox.claim("webhook", now=NOW + 60 * SECOND, limit=10)
    assert claimed.attempts_made == 1


def test_after_that_there_is_one_try_at_a_time_until_one_succeeds(merchant: Merchant, endpoint: Endpoint) -> None:
    for _number in range(5):
        publish(make_draft(merchant))
    fanout.run(NOW)
    breaker.heard(endpoint, DOWN, now=NOW)
    [first] = outbox.claim("webhook", now=NOW, limit=10)
    assert outbox.claim("webhook", now=NOW, limit=10) == []

    outbox.finish(first, lease=1, outcome=GOOD, now=NOW)
    breaker.heard(endpoint, GOOD, now=NOW)
    assert len(outbox.claim("webhook", now=NOW, limit=10)) == 2


def test_five_days_without_a_success_switch_it_off_and_tell_why(endpoint: Endpoint) -> None:
    breaker.heard(endpoint, DOWN, now=NOW)
    assert breaker.give_up_on(endpoint, DOWN, now=NOW + 5 * DAY - SECOND) is False
    assert breaker.give_up_on(endpoint, DOWN, now=NOW + 5 * DAY) is True

    event = Event.objects.get(kind="endpoint.disabled")
    assert Endpoint.objects.get(pk=endpoint.pk).is_enabled is False
    assert event.facts["reason"] == "Nothing has succeeded for 5 days. The last answer: 503 Service Unavailable"
    assert (event.facts["failing_since"], event.actor) == (NOW.isoformat(), None)


def test_a_success_in_between_begins_the_five_days_anew(endpoint: Endpoint) -> None:
    breaker.heard(endpoint, DOWN, now=NOW)
    breaker.heard(endpoint, GOOD, now=NOW + 4 * DAY)
    breaker.heard(endpoint, DOWN, now=NOW + 4 * DAY)

    assert breaker.give_up_on(endpoint, DOWN, now=NOW + 6 * DAY) is False


def test_what_waits_for_an_endpoint_that_is_paused_or_off_goes_out_once_it_is_on_again(endpoint: Endpoint, invoice: Invoice) -> None:
    fanout.run(NOW)
    row = Endpoint.objects.filter(pk=endpoint.pk)
    for off, on in (({"is_enabled": False}, {"is_enabled": True}), ({"paused_at": NOW}, {"paused_at": None})):
        row.update(**off)
        assert courier.round_of("webhook", now=NOW) == 0
        row.update(**on)

    [claimed] = outbox.claim("webhook", now=NOW, limit=10)
    assert claimed.attempts_made == 1


@pytest.fixture
def own_server(merchant: Merchant) -> MailServer:
    return MailServer.objects.create(merchant=merchant, host="127.0.0.1", port=9, security="none", sender="mail@pine.example", is_enabled=True)


def test_a_mail_server_of_a_merchants_own_is_blocked_likewise(own_server: MailServer) -> None:
    for _number in range(5):
        breaker.heard(own_server, DOWN, now=NOW)
    own_server.refresh_from_db()
    assert (own_server.failures, own_server.blocked_until) == (5, NOW + MINUTE)

    breaker.heard(own_server, GOOD, now=NOW)
    own_server.refresh_from_db()
    assert (own_server.failures, own_server.blocked_until) == (0, None)


def test_while_it_is_blocked_the_mails_through_it_wait_and_the_others_leave(own_server: MailServer, invoice: Invoice, mailoutbox: list[Any]) -> None:
    MailServer.objects.update(failures=5, blocked_until=NOW + MINUTE)
    fanout.run(NOW)
    pattern = Delivery.objects.get(template="issued")
    notice = Delivery.objects.create(
        merchant=pattern.merchant,
        event=pattern.event,
        invoice=invoice,
        channel="email",
        template="paid",
        recipient="studio@harbourpine.example",
        message_id="<notice@testserver>",
        next_at=NOW,
        created_at=NOW,
    )
    claimed = outbox.claim("email", now=NOW, limit=10)

    assert [delivery.pk for delivery in claimed] == [notice.pk]
    pattern.refresh_from_db()
    assert (pattern.status, pattern.attempts_made, pattern.next_at) == ("queued", 0, NOW + MINUTE)


def test_a_mail_through_a_server_that_is_away_counts_against_that_server_alone(own_server: MailServer, invoice: Invoice) -> None:
    fanout.run(NOW)
    courier.round_of("email", now=NOW)
    own_server.refresh_from_db()

    assert own_server.failures == 1
    assert Delivery.objects.get(template="issued").status == "queued"


def test_owners_are_mailed_once_of_a_mail_server_that_does_not_answer_for_a_day(own_server: MailServer, owner: User) -> None:
    def tried(outcome: Outcome, *, after: timedelta) -> bool:
        breaker.heard(own_server, outcome, now=NOW + after)
        return breaker.warn_of(own_server, outcome, now=NOW + after)

    assert not tried(DOWN, after=DAY * 0)
    assert not tried(DOWN, after=DAY - SECOND)
    assert [tried(DOWN, after=DAY), tried(DOWN, after=DAY + MINUTE), tried(DOWN, after=2 * DAY)] == [True, False, False]
    fanout.run(NOW + DAY)
    [mail] = Delivery.objects.all()
    found = emails.write(mail, now=NOW + DAY)
    assert (mail.recipient, found.subject) == (owner.email, "The mail server of Harbour & Pine does not answer")
    assert "The mail server 127.0.0.1:9 has not answered for a day, and mails to payers wait." in found.text
    assert "The last it said: 503 Service Unavailable" in found.text

    assert not tried(GOOD, after=2 * DAY)
    assert not tried(DOWN, after=2 * DAY)
    assert tried(DOWN, after=3 * DAY)


def test_what_a_mail_server_says_of_one_mail_is_no_failure_of_the_server(own_server: MailServer) -> None:
    breaker.heard(own_server, REFUSED, now=NOW)

    own_server.refresh_from_db()
    assert (own_server.failures, own_server.failing_since) == (0, None)


def test_the_courier_warns_of_a_mail_server(own_server: MailServer, invoice: Invoice, owner: User) -> None:
    fanout.run(NOW)
    MailServer.objects.update(failing_since=NOW - DAY)
    courier.round_of("email", now=NOW)

    assert Event.objects.get(kind="mail_server.failing").facts["owners"] == [owner.email]
