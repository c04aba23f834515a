"""Webhooks to a real receiver on this machine, verified with the library that receivers use."""

import gzip
import json
import logging
import socket
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug import Request, Response

from invoicing.models import Invoice
from merchants import clock
from merchants.models import Event, Merchant, User
from notifications import courier, fanout, outbox
from notifications.models import Delivery, Endpoint
from notifications.transports.webhook import parse_retry_after
from notifications.webhooks import endpoints, formats, signing
from tests.factories import NOW, make_draft, publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting(endpoint: Endpoint, invoice: Invoice) -> Delivery:
    fanout.run(NOW)
    return Delivery.objects.get(channel="webhook")


def fresh(delivery: Delivery) -> Delivery:
    return Delivery.objects.get(pk=delivery.pk)


def last(delivery: Delivery) -> tuple[bool | None, bool, str, str]:
    row = delivery.attempts.latest("number")
    return row.succeeded, row.is_permanent, row.code, row.answer


def test_a_receiver_verifies_it_with_the_standard_library(endpoint_and_secret: Any, receiver: HTTPServer, merchant: Merchant) -> None:
    now = clock.now()
    _endpoint, secret = endpoint_and_secret
    receiver.expect_oneshot_request("/hooks", method="POST").respond_with_data("thanks", status=202)
    publish(make_draft(merchant, now=now), now=now)
    fanout.run(now)
    assert courier.round_of("webhook", now=now) == 1

    [(request, _response)] = receiver.log
    sent = Delivery.objects.get(channel="webhook")
    body = Webhook(secret).verify(request.get_data(), dict(request.headers))
    assert (body["type"], body["version"], body["data"]["invoice"]["number"]) == ("invoice.issued", 1, "INV-000001")
    assert request.get_data() == sent.payload.encode()
    assert request.headers["webhook-id"] == sent.message_id == sent.webhook_id
    assert request.headers["webhook-id"].startswith("msg_")
    assert (request.headers["content-type"], request.headers["user-agent"]) == ("application/json", "Quittance/1")
    assert "cookie" not in request.headers
    assert (sent.status, last(sent)) == ("sent", (True, False, "202", "thanks"))


def test_one_that_could_not_be_written_is_written_when_it_is_tried_and_keeps_its_bytes(
    endpoint: Endpoint, invoice: Invoice, receiver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(type(formats.WIRES["standard"]), "payload", lambda *_args: 1 / 0)
        fanout.run(NOW)
        courier.round_of("webhook", now=NOW)
    sent = Delivery.objects.get(channel="webhook")
    assert (sent.status, sent.payload, sent.attempts_made, receiver.log) == ("queued", "", 1, [])

    receiver.expect_request("/hooks").respond_with_data("busy", status=500)
    for hour in (1, 2):
        courier.round_of("webhook", now=NOW + timedelta(hours=hour))
    first, second = [request.get_data() for request, _response in receiver.log]
    sent.refresh_from_db()
    assert json.loads(first)["type"] == "invoice.issued"
    assert first == second == sent.payload.encode()


def test_one_that_can_never_be_written_is_given_up_and_told(endpoint: Endpoint, invoice: Invoice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(formats.WIRES["standard"]), "payload", lambda *_args: 1 / 0)
    fanout.run(NOW)
    for day in range(10):
        courier.round_of("webhook", now=NOW + timedelta(days=2 * day))

    assert list(Delivery.objects.filter(channel="webhook").values_list("status", "attempts_made")) == [("failed", 10)]
    assert Event.objects.filter(kind="delivery.failed", subject_id=invoice.pk).count() == 1


def test_one_that_was_given_up_unwritten_is_sent_again_with_its_range(
    endpoint: Endpoint, invoice: Invoice, owner: User, receiver: HTTPServer
) -> None:
    fanout.run(NOW)
    Delivery.objects.filter(channel="webhook").update(status="failed", payload="")
    receiver.expect_request("/hooks").respond_with_data("thanks")

    span = {"since": NOW - timedelta(days=1), "until": NOW + timedelta(days=1)}
    assert endpoints.resend_range(endpoint, **span, only_failed=True, by=owner, now=NOW) == 1
    courier.round_of("webhook", now=NOW)
    [(request, _response)] = receiver.log
    again = Delivery.objects.filter(channel="webhook").latest("pk")
    assert (again.status, again.payload.encode()) == ("sent", request.get_data())
    assert json.loads(again.payload)["type"] == "invoice.issued"


def test_another_secret_does_not_verify_it(endpoint_and_secret: Any) -> None:
    _endpoint, secret = endpoint_and_secret
    headers = signing.headers([secret], webhook_id="msg_1", at=datetime.now(UTC), body="{}")

    Webhook(secret).verify("{}", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.new_secret()).verify("{}", headers)


def test_a_signature_by_hand() -> None:
    """Worked out with openssl: printf 'msg_1.1794909600.{}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:<32 × 00> -binary | base64"""
    headers = signing.headers(["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="], webhook_id="msg_1", at=NOW, body="{}")

    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1794909600",
        "webhook-signature": "v1,rHOnVQxGBkQF9pDYRZ7hzTVKbsnDdg3IiyK/0LkGFW8=",
    }


def test_while_a_secret_rotates_there_is_a_signature_of_each() -> None:
    old, new = signing.new_secret(), signing.new_secret()
    headers = signing.headers([new, old], webhook_id="msg_1", at=datetime.now(UTC), body="{}")

    for key in (old, new):
        Webhook(key).verify("{}", headers)
    assert len(headers["webhook-signature"].split(" ")) == 2


def test_the_time_that_is_signed_is_the_real_one_even_where_the_clock_was_moved(
    waiting: Delivery, receiver: HTTPServer, endpoint_and_secret: Any
) -> None:
    receiver.expect_request("/hooks").respond_with_data("")
    clock.move(timedelta(days=30))
    courier.round_of("webhook", now=clock.now())

    [(request, _response)] = receiver.log
    Webhook(endpoint_and_secret[1]).verify(request.get_data(), dict(request.headers))


def test_a_retry_sends_the_same_bytes_under_the_same_id(waiting: Delivery, receiver: HTTPServer) -> None:
    receiver.expect_ordered_request("/hooks").respond_with_data("upstream is restarting", status=503)
    receiver.expect_ordered_request("/hooks").respond_with_data("", status=204)
    courier.round_of("webhook", now=NOW)
    row = fresh(waiting)
    assert (row.status, last(row)) == ("queued", (False, False, "503", "upstream is restarting"))
    assert timedelta(seconds=4.5) <= row.next_at - NOW <= timedelta(seconds=7.5)
    Invoice.objects.update(title="Changed since")
    courier.round_of("webhook", now=row.next_at)

    (first, _1), (second, _2) = receiver.log
    assert first.get_data() == second.get_data()
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert fresh(waiting).status == "sent"


def test_a_resend_keeps_id_and_bytes_and_is_a_delivery_of_its_own(waiting: Delivery, receiver: HTTPServer, owner: User) -> None:
    receiver.expect_request("/hooks").respond_with_data("")
    courier.round_of("webhook", now=NOW)
    again = outbox.send_again(fresh(waiting), by=owner, now=NOW)
    courier.round_of("webhook", now=NOW)

    (first, _1), (second, _2) = receiver.log
    assert first.get_data() == second.get_data()
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == again.webhook_id
    assert again.message_id != waiting.message_id
    assert [fresh(waiting).status, fresh(again).status] == ["sent", "sent"]


def test_gone_is_final_and_switches_the_endpoint_off(waiting: Delivery, receiver: HTTPServer, endpoint: Endpoint) -> None:
    receiver.expect_request("/hooks").respond_with_data("", status=410)
    courier.round_of("webhook", now=NOW)

    assert (fresh(waiting).status, fresh(waiting).reason) == ("failed", "410 GONE")
    assert Endpoint.objects.get(pk=endpoint.pk).is_enabled is False
    event = Event.objects.get(kind="endpoint.disabled")
    assert (event.subject_kind, event.subject_id) == ("endpoint", endpoint.pk)
    assert event.facts.pop("failing_since").startswith("2026-11-17T10:00:0")
    assert event.facts == {
        "url": endpoint.url,
        "reason": "It answered 410 Gone.",
        "business": "Harbour & Pine",
        "who": "",
        "owners": ["ines@harbourpine.example"],
    }


def test_the_message_that_was_answered_gone_is_caught_up_with(waiting: Delivery, receiver: HTTPServer, endpoint: Endpoint, owner: User) -> None:
    """The try began before the answer that switched the endpoint off."""
    receiver.expect_request("/hooks").respond_with_data("", status=410)
    courier.round_of("webhook", now=NOW)
    off = Endpoint.objects.get(pk=endpoint.pk)

    assert endpoints.missed(off) == 1
    assert endpoints.enable(off, by=owner, now=NOW + timedelta(hours=1)) == 1
    assert list(Delivery.objects.filter(webhook_id=waiting.webhook_id).order_by("id").values_list("status", flat=True)) == ["failed", "queued"]


def test_what_waits_for_an_endpoint_that_is_switched_off_waits_until_it_is_on_again(waiting: Delivery, receiver: HTTPServer, owner: User) -> None:
    receiver.expect_request("/hooks").respond_with_data("")
    endpoint = Endpoint.objects.get()
    endpoints.disable(endpoint, reason="", by=owner, now=NOW)
    assert courier.round_of("webhook", now=NOW) == 0
    assert (fresh(waiting).status, fresh(waiting).attempts_made, receiver.log) == ("queued", 0, [])

    endpoints.enable(endpoint, by=owner, now=NOW)
    courier.round_of("webhook", now=NOW)
    assert fresh(waiting).status == "sent"


def test_what_waited_for_an_endpoint_that_was_removed_is_not_sent(waiting: Delivery, receiver: HTTPServer, owner: User) -> None:
    endpoints.remove(Endpoint.objects.get(), by=owner, now=NOW)

    assert courier.round_of("webhook", now=NOW) == 0
    assert (fresh(waiting).status, fresh(waiting).reason) == ("cancelled", "The endpoint was removed before this could be sent.")
    assert receiver.log == []
    with pytest.raises(outbox.Refused, match="switched off"):
        outbox.send_again(fresh(waiting), by=owner, now=NOW)


def test_what_was_made_for_an_endpoint_just_as_it_was_removed_is_not_sent_either(waiting: Delivery, receiver: HTTPServer) -> None:
    Endpoint.objects.update(is_enabled=False, removed_at=NOW)
    courier.round_of("webhook", now=NOW)

    assert (fresh(waiting).status, receiver.log) == ("cancelled", [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_not_a_success(waiting: Delivery, receiver: HTTPServer, status: int) -> None:
    receiver.expect_request("/hooks").respond_with_data("", status=status, headers={"location": receiver.url_for("/elsewhere")})
    receiver.expect_request("/elsewhere").respond_with_data("")
    courier.round_of("webhook", now=NOW)

    assert [request.path for request, _response in receiver.log] == ["/hooks"]
    assert last(waiting) == (False, False, str(status), "It redirects. Webhooks do not follow; write the address it leads to.")
    assert fresh(waiting).status == "queued"


@pytest.mark.parametrize(("status", "state"), [(200, "sent"), (204, "sent"), (400, "queued"), (401, "queued"), (404, "queued"), (500, "queued")])
def test_what_an_answer_means(waiting: Delivery, receiver: HTTPServer, status: int, state: str) -> None:
    receiver.expect_request("/hooks").respond_with_data("", status=status)
    courier.round_of("webhook", now=NOW)

    assert fresh(waiting).status == state


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(waiting: Delivery, receiver: HTTPServer, status: int) -> None:
    receiver.expect_request("/hooks").respond_with_data("", status=status, headers={"retry-after": "3600"})
    courier.round_of("webhook", now=NOW)

    assert timedelta(hours=1) <= fresh(waiting).next_at - NOW <= timedelta(hours=1, seconds=5)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("120", timedelta(seconds=120)),
        ("Tue, 17 Nov 2026 10:05:00 GMT", timedelta(minutes=5)),
        ("Tue, 17 Nov 2026 09:00:00 GMT", timedelta()),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
    ],
)
def test_how_retry_after_is_read(text: str, wait: timedelta | None) -> None:
    assert parse_retry_after(text, NOW) == wait


def test_only_the_beginning_of_an_answer_is_kept(waiting: Delivery, receiver: HTTPServer) -> None:
    receiver.expect_request("/hooks").respond_with_data(b"\x00\xff" + b"x" * 100_000, status=500)
    courier.round_of("webhook", now=NOW)
    answer = last(waiting)[3]

    assert answer == "\N{REPLACEMENT CHARACTER}" * 2 + "x" * 1998


class Raw:
    """A receiver that answers these bytes, whatever HTTP says to them, for as long as somebody takes them."""

    def __init__(self) -> None:
        self.answer: Iterator[bytes] = iter([])
        self.taken = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/hooks"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            plug, _address = self.listener.accept()
            with plug:
                plug.recv(100_000)
                for piece in self.answer:
                    plug.sendall(piece)
                    self.taken += len(piece)
        except OSError:
            return


@pytest.fixture
def raw(endpoint: Endpoint) -> Iterator[Raw]:
    """Where the endpoint is."""
    receiver = Raw()
    Endpoint.objects.filter(pk=endpoint.pk).update(url=receiver.url)
    yield receiver
    receiver.listener.close()


REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: https://example.com/\r\n"


def test_of_a_redirect_too_only_the_beginning_is_read(raw: Raw, waiting: Delivery) -> None:
    raw.answer = iter([REDIRECT + b"\r\n"] + [b"x" * 1_000_000] * 40)
    courier.round_of("webhook", now=NOW)

    assert last(waiting)[2] == "302"
    assert raw.taken < 10_000_000


def test_a_redirect_is_not_unpacked(raw: Raw, waiting: Delivery) -> None:
    bomb = gzip.compress(b"\0" * 60_000_000)
    raw.answer = iter([REDIRECT + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb), bomb])
    tracemalloc.start()
    courier.round_of("webhook", now=NOW)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert last(waiting)[2] == "302"
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("status", "header"),
    [
        ("302", b"Location: http://["),
        ("302", b"Location: /\xff"),
        ("503", b"Retry-After: Mon, 01 Jan 99999999999999999999 00:00:00 GMT"),
        ("500", b"X: \x00"),
    ],
)
def test_an_answer_is_an_answer_whatever_is_in_its_headers(raw: Raw, waiting: Delivery, endpoint: Endpoint, status: str, header: bytes) -> None:
    raw.answer = iter([b"HTTP/1.1 %s Odd\r\n%s\r\nContent-Length: 0\r\n\r\n" % (status.encode(), header)])
    courier.round_of("webhook", now=NOW)

    assert (fresh(waiting).status, last(waiting)[2]) == ("queued", status)
    assert Endpoint.objects.get(pk=endpoint.pk).failing_since is not None


def test_the_status_line_is_kept_as_every_database_takes_it(raw: Raw, waiting: Delivery) -> None:
    raw.answer = iter([b"HTTP/1.1 500 a\x00b" + b"x" * 3000 + b"\r\nContent-Length: 0\r\n\r\n"])
    courier.round_of("webhook", now=NOW)

    assert (fresh(waiting).status, last(waiting)[3]) == ("queued", "a\N{REPLACEMENT CHARACTER}b" + "x" * 1997)


def test_an_answer_that_nobody_foresaw_is_a_failure_of_the_endpoint(
    waiting: Delivery, receiver: HTTPServer, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.expect_request("/hooks").respond_with_data("")
    monkeypatch.setattr("notifications.transports.webhook.judge", lambda *_answer: 1 / 0)
    courier.round_of("webhook", now=NOW)
    row = Endpoint.objects.get(pk=endpoint.pk)

    assert (fresh(waiting).status, last(waiting)[3]) == ("queued", "It could not be sent: ZeroDivisionError. The log says more.")
    assert (row.failures, row.failing_since is not None) == (1, True)


def test_a_receiver_that_is_down_is_tried_again(waiting: Delivery, endpoint: Endpoint) -> None:
    Endpoint.objects.filter(pk=endpoint.pk).update(url="http://127.0.0.1:9/hooks")
    courier.round_of("webhook", now=NOW)

    assert (fresh(waiting).status, last(waiting)) == ("queued", (False, False, "", "It refused the connection."))


def test_a_receiver_that_does_not_answer_in_time_is_tried_again(waiting: Delivery, receiver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def sleepy(_request: Request) -> Response:
        import time

        time.sleep(1.3)
        return Response("late")

    receiver.expect_request("/hooks").respond_with_handler(sleepy)
    monkeypatch.setattr("notifications.transports.webhook.DEADLINE", 1.0)
    courier.round_of("webhook", now=NOW)

    assert (fresh(waiting).status, last(waiting)[3]) == ("queued", "No answer in 1 s.")


def test_an_address_inside_is_refused_for_good(waiting: Delivery, endpoint: Endpoint) -> None:
    Endpoint.objects.filter(pk=endpoint.pk).update(url="https://10.0.0.1/hooks")
    courier.round_of("webhook", now=NOW)

    assert (fresh(waiting).status, fresh(waiting).reason) == ("failed", "10.0.0.1 is inside a private network. Webhooks go to public addresses.")


def test_a_merchant_that_is_no_test_does_not_reach_this_machine(waiting: Delivery, receiver: HTTPServer) -> None:
    Merchant.objects.filter(pk=waiting.merchant_id).update(is_test=False)
    courier.round_of("webhook", now=NOW)

    assert fresh(waiting).status == "failed"
    assert waiting.webhook_id not in [request.headers["webhook-id"] for request, _answer in receiver.log]  # a slow answer may end only now


def test_where_it_is_not_allowed_this_machine_is_not_reached(waiting: Delivery, receiver: HTTPServer, settings: Any) -> None:
    settings.WEBHOOK_ALLOW_LOOPBACK = False
    courier.round_of("webhook", now=NOW)

    assert fresh(waiting).status == "failed"
    came = [request.headers["webhook-id"] for request, _answer in receiver.log]  # an answer that was slow may end only now
    assert waiting.webhook_id not in came


def test_an_environment_with_a_proxy_is_not_used(waiting: Delivery, receiver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    receiver.expect_request("/hooks").respond_with_data("")
    courier.round_of("webhook", now=NOW)

    assert fresh(waiting).status == "sent"


def test_the_secret_is_in_no_log_no_row_and_no_request(
    endpoint_and_secret: Any, receiver: HTTPServer, invoice: Invoice, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint, secret = endpoint_and_secret
    bare = secret.removeprefix("whsec_")
    caplog.set_level(logging.DEBUG)
    receiver.expect_request("/hooks").respond_with_data("no", status=500)
    fanout.run(NOW)
    courier.round_of("webhook", now=NOW)

    [(request, _response)] = receiver.log
    delivery = Delivery.objects.get(channel="webhook")
    everything = [caplog.text, str(request.headers), request.get_data(as_text=True), json.dumps(list(Event.objects.values_list("facts", flat=True)))]
    everything += [str(delivery.__dict__), str(delivery.attempts.get().__dict__), Endpoint.objects.get(pk=endpoint.pk).secret]
    assert not any(bare in text for text in everything)


def test_gone_of_an_address_that_was_changed_meanwhile_leaves_the_new_one_on(endpoint: Endpoint) -> None:
    tried = Endpoint.objects.get(pk=endpoint.pk)
    Endpoint.objects.filter(pk=endpoint.pk).update(url="https://moved.example/hooks")
    assert endpoints.disable(tried, reason="It answered 410 Gone.", now=NOW) is False
    assert (Endpoint.objects.get(pk=endpoint.pk).is_enabled, Event.objects.filter(kind="endpoint.disabled").count()) == (True, 0)
