"""The sender: what it takes at once, what it gives back, and that a slow receiver holds up nobody else."""

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from merchants import clock, haste
from merchants.models import Merchant
from notifications import courier, fanout, outbox, tasks, turns
from notifications.models import Attempt, Delivery, Endpoint
from notifications.transports import webhook
from notifications.webhooks import endpoints
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
    began: list[str] = []
    monkeypatch.setattr(courier, "keep_sending", lambda channel, **_more: (began.append(channel), tasks.send_email(), tasks.send_webhooks()))
    tasks.send_email()

    assert began == ["email", "webhook"]


def test_who_answers_slowly_holds_up_nobody_else_once_the_turn_of_a_sender_is_over(
    dripping: str, receiver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next tick comes while the slow one is still on its way."""
    receiver.expect_request("/well0").respond_with_data("")
    business("slow", url=dripping)
    business("well", url=receiver.url_for("/well"))
    webhooks = Delivery.objects.filter(channel="webhook")
    webhooks.filter(merchant__slug="well").update(next_at=clock.now() + timedelta(hours=1))
    seen: list[dict[str, str]] = []

    def tick(_task: str) -> None:
        monkeypatch.setattr(haste, "wake", seen.append)
        webhooks.filter(merchant__slug="well").update(next_at=clock.now())
        tasks.send_webhooks()
        seen.append(dict(webhooks.values_list("merchant__slug", "status")))

    monkeypatch.setattr(webhook, "DEADLINE", 4.0)
    monkeypatch.setattr(tasks, "BUSY", 0.3)
    monkeypatch.setattr(haste, "wake", tick)
    tasks.send_webhooks()

    assert seen == [{"slow": "sending", "well": "sent"}]
    assert dict(webhooks.values_list("merchant__slug", "attempts_made")) == {"slow": 1, "well": 1}


def test_mails_that_wait_behind_a_slow_one_are_given_back_when_the_turn_is_over(
    merchant: Merchant, mailserver: Mailserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, is_over = mailserver.handle_DATA, threading.Event()

    async def slowly(*anything: Any) -> str:
        while not is_over.is_set():
            await asyncio.sleep(0.05)
        return await take(*anything)

    monkeypatch.setattr(mailserver, "handle_DATA", slowly)
    for _number in range(3):
        publish(make_draft(merchant))
    fanout.run(NOW)
    tried = courier.keep_sending("email", seconds=3, hand_over=is_over.set)

    assert tried == 1
    assert sorted(Delivery.objects.values_list("status", "attempts_made")) == [("queued", 0), ("queued", 0), ("sent", 1)]


def test_what_became_of_one_not_being_written_down_touches_no_other(
    receiver: HTTPServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for slug in ("odd", "well"):
        receiver.expect_request(f"/{slug}0").respond_with_data("")
        business(slug, url=receiver.url_for(f"/{slug}"))
    odd = Delivery.objects.get(channel="webhook", merchant__slug="odd")
    finish = outbox.finish

    def refuse(delivery: Delivery, **how: Any) -> bool:
        if delivery.pk == odd.pk:
            raise ValueError("A string literal cannot contain NUL (0x00) characters.")
        return finish(delivery, **how)

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "finish", refuse)
        assert courier.round_of("webhook", now=NOW) == 2
    assert dict(Delivery.objects.filter(channel="webhook").values_list("merchant__slug", "status")) == {"odd": "sending", "well": "sent"}
    assert f"What became of delivery {odd.pk} could not be written down." in caplog.text

    later = NOW + timedelta(minutes=2)
    outbox.release_abandoned(later)
    courier.round_of("webhook", now=later)
    assert [request.path for request, _answer in receiver.log].count("/well0") == 1
    assert Delivery.objects.get(pk=odd.pk).status == "sent"


def test_what_cannot_be_written_before_it_leaves_touches_no_other_either(
    merchant: Merchant, mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _number in range(2):
        publish(make_draft(merchant))
    fanout.run(NOW)
    first = Delivery.objects.earliest("pk")
    build = courier.EmailTransport.prepare

    def prepare(self: Any, delivery: Delivery, *, now: Any) -> Any:
        if delivery.pk == first.pk:
            raise ZeroDivisionError
        return build(self, delivery, now=now)

    def refuse(*_anything: Any, **_more: Any) -> Any:
        raise ValueError

    monkeypatch.setattr(courier.EmailTransport, "prepare", prepare)
    monkeypatch.setattr(courier, "_not_ready", refuse)
    courier.round_of("email", now=NOW)

    assert list(Delivery.objects.order_by("pk").values_list("status", flat=True)) == ["sending", "sent"]
    assert len(mailoutbox) == 1
