"""The sender: what it takes at once, what it gives back, and that a slow receiver holds up nobody else."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from merchants.models import Merchant
from notifications import courier, endpoints, fanout, outbox, turns
from notifications.models import Attempt, Delivery, Endpoint
from notifications.transports import webhook
from tests.factories import NOW, make_draft, make_merchant, make_user, publish
from tests.notifications.conftest import Mailserver

pytestmark = pytest.mark.django_db


def business(slug: str, *, url: str = "", invoices: int = 1, endpoints_of_it: int = 1) -> Merchant:
    merchant = make_merchant(make_user(f"owner@{slug}.example"), slug=slug)
    owner = merchant.members.get()
    for number in range(endpoints_of_it if url else 0):
        endpoints.add(merchant, url=f"{url}{number}", kinds=["invoice.issued"], by=owner, now=NOW)
    for _number in range(invoices):
        publish(make_draft(merchant))
    while fanout.run(NOW).events:
        pass
    return merchant


def of_whom(claimed: list[Delivery]) -> Counter[str]:
    return Counter(delivery.merchant.slug for delivery in claimed)


URL = "https://example.com/hooks"


def test_an_endpoint_has_two_on_their_way_at_most_over_all_senders() -> None:
    business("busy", url=URL, invoices=5)

    assert [len(outbox.claim("webhook", now=NOW, limit=32)) for _sender in range(3)] == [2, 0, 0]


def test_a_merchant_with_many_waiting_does_not_hold_up_another_ones_single_one() -> None:
    business("crowd", url=URL, invoices=6, endpoints_of_it=3)
    business("quiet", url=URL)

    assert of_whom(outbox.claim("webhook", now=NOW, limit=2)) == {"crowd": 1, "quiet": 1}
    assert of_whom(outbox.claim("email", now=NOW, limit=2)) == {"crowd": 1, "quiet": 1}


def test_whoever_has_fewest_on_their_way_comes_first() -> None:
    business("busy", url=URL, invoices=6, endpoints_of_it=3)
    outbox.claim("webhook", now=NOW, limit=3)
    business("idle", url=URL)

    assert of_whom(outbox.claim("webhook", now=NOW, limit=1)) == {"idle": 1}


def test_endpoints_whose_last_try_failed_get_no_more_places_than_are_for_them() -> None:
    for number in range(4):
        business(f"broken-{number}", url=URL)
    Endpoint.objects.update(failures=1)
    business("well", url=URL)

    claimed = of_whom(outbox.claim("webhook", now=NOW, limit=32, failing=2))
    assert (claimed["well"], claimed.total()) == (1, 3)


def test_events_of_merchants_take_turns_too() -> None:
    crowd, quiet = make_merchant(slug="crowd"), make_merchant(slug="quiet")
    for _number in range(5):
        publish(make_draft(crowd))
    publish(make_draft(quiet))
    fanout.run(NOW, limit=2)

    assert sorted(Delivery.objects.values_list("merchant__slug", flat=True)) == ["crowd", "quiet"]


def test_what_a_choice_costs_does_not_grow_with_what_waits(django_assert_num_queries: Any) -> None:
    business("crowd", url=URL, invoices=12)
    with django_assert_num_queries(1):
        turns.due_lanes(NOW)
    with django_assert_num_queries(6):
        turns.mails(turns.senders(NOW), now=NOW, limit=6, busy={})


def test_what_was_not_tried_waits_again_as_before(issued_mail: Delivery) -> None:
    [claimed] = outbox.claim("email", now=NOW, limit=1)
    assert outbox.put_back(claimed, lease=1)
    row = Delivery.objects.get(pk=issued_mail.pk)

    assert (row.status, row.attempts_made, row.next_at, row.leased_until, Attempt.objects.count()) == ("queued", 0, NOW, None, 0)
    [again] = outbox.claim("email", now=NOW, limit=1)
    assert (again.lease, again.attempts_made) == (2, 1)
    assert outbox.put_back(again, lease=1) is False


def test_a_mail_server_that_is_away_costs_one_mail_a_try_and_the_others_none(merchant: Merchant, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    for _number in range(4):
        publish(make_draft(merchant))
    fanout.run(NOW)
    courier.round_of("email", now=NOW)

    assert sorted(Delivery.objects.values_list("status", "attempts_made")) == [("queued", 0), ("queued", 0), ("queued", 0), ("queued", 1)]


def test_many_mails_share_one_connection_and_a_new_one_comes_after_a_hundred(
    merchant: Merchant, mailserver: Mailserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifications.transports.email.MANY", 5)
    for _number in range(8):
        publish(make_draft(merchant))
    fanout.run(NOW)
    courier.round_of("email", now=NOW, limit=8)

    assert (len(mailserver.taken), len(mailserver.sessions)) == (8, 2)


def test_a_bounce_is_a_failure_that_is_told_once(issued_mail: Delivery, mailserver: Mailserver) -> None:
    from merchants.models import Event

    courier.round_of("email", now=NOW)
    row = Delivery.objects.get(pk=issued_mail.pk)
    assert outbox.bounced(row, reason="550 5.1.1 No such person", now=NOW)
    assert outbox.bounced(Delivery.objects.get(pk=issued_mail.pk), reason="Again", now=NOW) is False

    row = Delivery.objects.get(pk=issued_mail.pk)
    assert (row.status, row.reason, row.bounced_at) == ("failed", "550 5.1.1 No such person", NOW)
    assert [event.facts["bounced"] for event in Event.objects.filter(kind="delivery.failed")] == [True]


def test_what_waits_cannot_bounce(issued_mail: Delivery) -> None:
    assert outbox.bounced(issued_mail, reason="What?", now=NOW) is False


@pytest.fixture
def dripping() -> Iterator[str]:
    """A receiver that sends a byte of its headers now and then, and never comes to an end."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip(plug: socket.socket) -> None:
        with plug:
            for byte in b"HTTP/1.1 200 OK\r\nX-Patience: " + b"x" * 1000:
                try:
                    plug.send(bytes([byte]))
                except OSError:
                    return
                if over.wait(0.05):
                    return

    def serve() -> None:
        while True:
            try:
                plug, _address = listener.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=[plug], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    over.set()
    listener.close()


def test_a_receiver_that_drips_its_headers_is_cut_off(dripping: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "DEADLINE", 1.0)
    business("patient", url=dripping)
    began = time.monotonic()
    courier.round_of("webhook", now=NOW)

    assert 1.0 <= time.monotonic() - began < 4.0
    attempt = Attempt.objects.get()
    assert (attempt.succeeded, attempt.answer) == (False, "No answer in 1 s.")
    assert Endpoint.objects.get().failures == 1


def test_while_one_receiver_stalls_another_ones_messages_leave(dripping: str, receiver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "DEADLINE", 2.0)
    receiver.expect_request("/hooks0").respond_with_data("")
    business("stalled", url=dripping, invoices=3)
    business("well", url=receiver.url_for("/hooks"), invoices=6)
    courier.keep_sending("webhook", seconds=1)

    times = dict(Attempt.objects.filter(succeeded=True).values_list("delivery", "duration_ms"))
    assert Delivery.objects.filter(merchant__slug="well", status="sent").count() == len(times) == 6
    assert max(times.values()) < 1500
    assert Delivery.objects.filter(merchant__slug="stalled", channel="webhook", status="queued").count() == 3


def test_the_headers_of_a_try_are_kept_as_they_went(receiver: HTTPServer) -> None:
    receiver.expect_request("/hooks0").respond_with_data("")
    business("curious", url=receiver.url_for("/hooks"))
    courier.round_of("webhook", now=NOW)
    [(request, _response)] = receiver.log

    kept = Attempt.objects.get().request
    assert kept["webhook-id"] == request.headers["webhook-id"]
    assert {name: request.headers[name] for name in kept} == kept


def test_one_sender_of_a_channel_works_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from notifications import tasks

    began: list[str] = []
    monkeypatch.setattr(courier, "keep_sending", lambda channel, **_more: (began.append(channel), tasks.send_email(), tasks.send_webhooks()))
    tasks.send_email()

    assert began == ["email", "webhook"]
