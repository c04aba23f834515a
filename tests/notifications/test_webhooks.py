"""Webhooks to a real receiver on this machine, verified with the library that receivers use."""

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug import Request, Response

from invoicing.models import Invoice
from merchants import clock
from merchants.models import Event, Merchant, User
from notifications import courier, endpoints, fanout, outbox, signing
from notifications.models import Delivery, Endpoint
from notifications.transports.webhook import parse_retry_after
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
    ],
)
def test_how_retry_after_is_read(text: str, wait: timedelta | None) -> None:
    assert parse_retry_after(text, NOW) == wait


def test_only_the_beginning_of_an_answer_is_kept(waiting: Delivery, receiver: HTTPServer) -> None:
    receiver.expect_request("/hooks").respond_with_data(b"\x00\xff" + b"x" * 100_000, status=500)
    courier.round_of("webhook", now=NOW)
    answer = last(waiting)[3]

    assert answer == "\N{REPLACEMENT CHARACTER}" * 2 + "x" * 1998


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
    monkeypatch.setattr("notifications.transports.webhook.TIMEOUT", (5, 1))
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
