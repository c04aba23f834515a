"""Webhooks on the Developers pages: what was sent and answered, tests, sending again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from invoicing.models import Invoice
from merchants import clock
from merchants.models import Merchant, User
from notifications import fanout, outbox
from notifications.models import Attempt, Delivery, Endpoint
from notifications.webhooks import endpoints, formats
from notifications.webhooks.filters import DeliveryFilter
from tests.factories import NOW, make_draft, make_merchant, publish

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
PAGE = "/m/harbour-pine/developers/"
LIST = f"{PAGE}deliveries/"
URL = "https://erp.harbourpine.example/hooks"


def read(client: Client, path: str = LIST, **query: str) -> str:
    response = client.get(path, query)
    assert response.status_code == 200
    return response.content.decode()


def tried(delivery: Delivery, *, code: str, answer: str = "", ms: int = 212, status: str = "queued") -> Delivery:
    """A try of `delivery` as it would stand there after its answer."""
    number = delivery.attempts_made + 1
    Attempt.objects.create(
        delivery=delivery,
        number=number,
        started_at=NOW,
        duration_ms=ms,
        succeeded=code.startswith("2"),
        code=code,
        answer=answer,
        request={"webhook-id": delivery.webhook_id, "webhook-signature": "v1,K5oZfzN95Z"},
    )
    Delivery.objects.filter(pk=delivery.pk).update(attempts_made=number, status=status, next_at=NOW + timedelta(seconds=5))
    delivery.refresh_from_db()
    return delivery


@pytest.fixture
def issued(endpoint: Endpoint, invoice: Invoice) -> Delivery:
    """The webhook that issuing gave rise to, waiting."""
    fanout.run(NOW)
    return Delivery.objects.get(channel="webhook")


@pytest.fixture
def refused(issued: Delivery) -> Delivery:
    """A webhook that was answered 503 once."""
    return tried(issued, code="503", answer="upstream is <restarting>")


# --- the list -------------------------------------------------------------------------------------------------------
def test_the_list_says_what_was_sent_what_it_answered_and_when_the_next_try_is(client_as: SignIn, viewer: User, refused: Delivery) -> None:
    html = read(client_as(viewer))

    assert "invoice.issued" in html
    assert "INV-000001" in html
    assert "Try 2 at 10:00:05" in html
    assert "503 in 212 ms" in html
    assert "upstream is &lt;restarting&gt;" in html
    assert "next; then in 5 min, 30 min, 2 h<" in html
    assert "POST /hooks" in html
    assert f"webhook-id: {refused.webhook_id}" in html
    assert "webhook-signature: v1,K5oZfzN95Z" in html
    assert "&quot;number&quot;: &quot;INV-000001&quot;" in html
    assert "Send now" not in html  # a viewer looks


def test_a_slow_answer_is_told_in_seconds(client_as: SignIn, viewer: User, issued: Delivery) -> None:
    tried(issued, code="504", ms=15_040)

    assert "504 in 15.0 s" in read(client_as(viewer))


def test_what_waits_for_a_paused_or_blocked_endpoint_says_so(client_as: SignIn, viewer: User, refused: Delivery, endpoint: Endpoint) -> None:
    client = client_as(viewer)
    Endpoint.objects.update(blocked_until=NOW + timedelta(minutes=4))
    assert "Not before 10:04:00" in read(client)
    Endpoint.objects.update(paused_at=NOW)
    assert "Waits, paused" in read(client)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, True),
        ({"state": "waiting"}, True),
        ({"state": "delivered"}, False),
        ({"state": "failed"}, False),
        ({"kind": "invoice.issued"}, True),
        ({"kind": "invoice.paid"}, False),
        ({"endpoint": "this"}, True),
        ({"endpoint": "other"}, False),
        ({"endpoint": "this", "state": "waiting", "kind": "invoice.issued"}, True),
    ],
)
def test_the_filters(client_as: SignIn, owner: User, merchant: Merchant, refused: Delivery, query: dict[str, str], shown: bool) -> None:
    other, _secret = endpoints.add(merchant, url=URL, by=owner, now=NOW)
    names = {"this": str(refused.endpoint_id), "other": str(other.pk)}
    html = read(client_as(owner), **{name: names.get(value, value) for name, value in query.items()})

    assert (f"webhook-id: {refused.webhook_id}" in html) is shown
    assert ("None of these" in html) is not shown


@pytest.mark.parametrize(
    ("query", "notice"),
    [
        ({"state": "nonsense"}, "The state was left out"),
        ({"kind": "nonsense"}, "The type was left out"),
        ({"endpoint": "0"}, "The endpoint was left out"),
        ({"endpoint": "²"}, "The endpoint was left out"),
        ({"before": "nonsense"}, ""),
    ],
)
def test_what_means_nothing_is_left_out_with_a_word(client_as: SignIn, owner: User, refused: Delivery, query: dict[str, str], notice: str) -> None:
    html = read(client_as(owner), **query)

    assert notice in html
    assert refused.webhook_id in html


def test_a_filter_written_to_a_url_and_read_again_is_the_same(endpoint: Endpoint) -> None:
    asked = DeliveryFilter(state="failed", endpoint=endpoint, kind="refund.sent")

    assert asked.to_query() == f"state=failed&endpoint={endpoint.pk}&kind=refund.sent"
    data = {"state": "failed", "endpoint": str(endpoint.pk), "kind": "refund.sent"}
    assert DeliveryFilter.read(data, endpoints=[endpoint]) == (asked, [])


def test_what_is_older_is_on_the_next_page(client_as: SignIn, owner: User, issued: Delivery) -> None:
    copies = [
        Delivery(
            merchant=issued.merchant,
            event=issued.event,
            endpoint=issued.endpoint,
            channel="webhook",
            template="invoice.issued",
            recipient=f"copy:{number}",
            message_id=f"msg_copy{number}",
            webhook_id=f"msg_copy{number}-",
            payload="{}",
            status="sent",
            next_at=NOW,
            created_at=NOW,
        )
        for number in range(60)
    ]
    made = Delivery.objects.bulk_create(copies)
    client = client_as(owner)
    first = read(client, state="delivered")

    assert [f"msg_copy{number}-" in first for number in (59, 10, 9)] == [True, True, False]
    assert f"?state=delivered&amp;before={made[10].pk}" in first
    second = read(client, state="delivered", before=str(made[10].pk))
    assert [f"msg_copy{number}-" in second for number in (10, 9, 0)] == [False, True, True]
    assert "Older" not in second
    assert [f"msg_copy{number}-" in read(client, state="delivered", after=str(made[9].pk)) for number in (59, 10, 9)] == [True, True, False]


def test_the_list_asks_as_often_at_three_rows_as_at_one(client_as: SignIn, owner: User, endpoint: Endpoint, merchant: Merchant) -> None:
    client = client_as(owner)

    def queries(invoices: int) -> int:
        for _number in range(invoices):
            publish(make_draft(merchant))
        fanout.run(NOW)
        for delivery in Delivery.objects.filter(channel="webhook", attempts_made=0):
            tried(delivery, code="503")
        with CaptureQueriesContext(connection) as seen:
            read(client)
        return len(seen)

    read(client)
    assert queries(1) == queries(2)


def test_a_stranger_finds_nothing(client_as: SignIn, issued: Delivery) -> None:
    stranger = make_merchant(slug="elsewhere").members.get()
    client = client_as(stranger)

    for path in (LIST, f"{LIST}{issued.pk}/", f"/m/elsewhere/developers/deliveries/{issued.pk}/"):
        assert client.get(path).status_code == 404
    assert issued.webhook_id not in read(client, "/m/elsewhere/developers/deliveries/")
    assert client.post(f"/m/elsewhere/developers/deliveries/{issued.pk}/again/").status_code == 404
    assert Delivery.objects.filter(channel="webhook").count() == 1


# --- one delivery, again --------------------------------------------------------------------------------------------
def test_a_delivery_has_a_page_of_its_own_an_email_too(client_as: SignIn, viewer: User, issued_mail: Delivery) -> None:
    html = read(client_as(viewer), f"{LIST}{issued_mail.pk}/")

    assert "Email to ana@duarte.example" in html
    assert "Send now" not in html  # a viewer looks
    assert "7Qm2xVb9tKc4" not in html  # the payer's link stays the payer's


def test_send_now_brings_a_waiting_one_forward_and_send_again_makes_a_new_message(client_as: SignIn, manager: User, issued_mail: Delivery) -> None:
    client = client_as(manager)
    again = f"{LIST}{issued_mail.pk}/again/"
    assert client.get(again).status_code == 405
    assert client.post(again)["location"] == f"{LIST}{issued_mail.pk}/"
    assert Delivery.objects.count() == 1

    Delivery.objects.filter(pk=issued_mail.pk).update(status="failed", reason="550 No such person")
    answer = client.post(again, follow=True)
    new = Delivery.objects.latest("pk")
    assert Delivery.objects.count() == 2
    assert answer.redirect_chain == [(f"{LIST}{new.pk}/", 302)]
    assert "It goes out at once." in answer.content.decode()
    assert (new.event.kind, new.event.actor) == ("delivery.resent", manager)


def test_what_waits_for_an_endpoint_that_is_off_cannot_be_sent_now(client_as: SignIn, manager: User, owner: User, issued: Delivery) -> None:
    endpoints.disable(Endpoint.objects.get(), reason="", by=owner, now=NOW)
    html = client_as(manager).post(f"{LIST}{issued.pk}/again/", follow=True).content.decode()

    assert "Its endpoint is switched off. Switch it on first." in html
    assert "at once" not in html


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"paused_at": NOW}, "It waits: its endpoint is paused."),
        ({"blocked_until": NOW.replace(year=2090)}, "It waits: its endpoint did not answer, and is left alone for a while."),
        ({"blocked_until": NOW.replace(year=2020)}, "It goes out at once."),
    ],
)
def test_how_soon_it_goes_is_said_as_it_is(client_as: SignIn, manager: User, issued: Delivery, changes: dict[str, Any], said: str) -> None:
    Endpoint.objects.update(**changes)
    assert said in client_as(manager).post(f"{LIST}{issued.pk}/again/", follow=True).content.decode()


def test_what_could_not_be_written_is_written_when_it_is_sent_again(
    client_as: SignIn, manager: User, issued: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    Delivery.objects.filter(pk=issued.pk).update(status="failed", payload="", attempts_made=0)
    client, again = client_as(manager), f"{LIST}{issued.pk}/again/"
    with monkeypatch.context() as patch:
        patch.setattr(type(formats.WIRES["standard"]), "payload", lambda *_args: 1 / 0)
        assert "It still cannot be written. The log says more." in client.post(again, follow=True).content.decode()
    client.post(again)

    assert list(Delivery.objects.filter(channel="webhook").order_by("id").values_list("payload", "status")) == [
        ("", "failed"),
        (issued.payload, "queued"),
    ]


def test_a_refusal_is_a_sentence_on_the_page(client_as: SignIn, manager: User, issued_mail: Delivery) -> None:
    client = client_as(manager)
    Delivery.objects.filter(pk=issued_mail.pk).update(status="failed")
    client.post(f"{LIST}{issued_mail.pk}/again/")

    assert "One is already on its way." in client.post(f"{LIST}{issued_mail.pk}/again/", follow=True).content.decode()


def test_a_mail_past_its_due_time_is_sent_anyway_by_a_members_word(client_as: SignIn, manager: User, issued_mail: Delivery) -> None:
    Invoice.objects.filter(pk=issued_mail.invoice_id).update(due_at=NOW.replace(year=2020))
    outbox.cancel(issued_mail, reason="The due time passed before this could be sent.", now=NOW, is_held=True)
    client = client_as(manager)
    html = read(client, f"{LIST}{issued_mail.pk}/")
    assert "Send anyway" in html
    assert '<input type="hidden" name="force" value="1">' in html
    client.post(f"{LIST}{issued_mail.pk}/again/", {"force": "1"})

    assert Delivery.objects.latest("pk").is_forced is True


def test_a_waiting_mail_past_its_due_time_goes_by_a_members_word_as_the_same_message(client_as: SignIn, manager: User, issued_mail: Delivery) -> None:
    Invoice.objects.filter(pk=issued_mail.invoice_id).update(due_at=NOW.replace(year=2020))
    client = client_as(manager)
    assert "Send now" in read(client, f"{LIST}{issued_mail.pk}/")
    answer = client.post(f"{LIST}{issued_mail.pk}/again/", {"force": "1"}, follow=True)

    assert "It goes out at once." in answer.content.decode()
    found = Delivery.objects.get()
    assert (found.status, found.is_forced, found.next_at <= clock.now()) == ("queued", True, True)


# --- tests and ranges -----------------------------------------------------------------------------------------------
def test_a_test_event_of_any_type_goes_to_that_endpoint_alone(
    client_as: SignIn, manager: User, merchant: Merchant, owner: User, endpoint: Endpoint
) -> None:
    endpoints.add(merchant, url=URL, by=owner, now=NOW)
    client, path = client_as(manager), f"{PAGE}endpoints/{endpoint.pk}/test/"
    assert '<option value="refund.sent"' in read(client, path)
    answer = client.post(path, {"kind": "refund.sent"}, follow=True)
    made = Delivery.objects.get()

    assert (made.endpoint, made.template, made.status) == (endpoint, "refund.sent", "queued")
    assert json.loads(made.payload)["test"] is True
    assert json.loads(made.payload)["type"] == "refund.sent"
    html = answer.content.decode()
    assert answer.redirect_chain == [(f"{LIST}{made.pk}/", 302)]
    assert '<span class="badge badge--grey">test</span>' in html
    assert "The test goes out at once." in html


def test_a_ccpayment_endpoint_is_tested_with_types_it_knows(client_as: SignIn, manager: User, merchant: Merchant, owner: User) -> None:
    found, _secret = endpoints.add(merchant, url=URL, format="ccpayment", by=owner, now=NOW)
    client, path = client_as(manager), f"{PAGE}endpoints/{found.pk}/test/"
    assert "invoice.issued" not in read(client, path)

    assert client.post(path, {"kind": "invoice.issued"}).status_code == 422
    assert client.post(path, {"kind": "refund.confirmed"}).status_code == 302
    assert json.loads(Delivery.objects.get().payload)["order_type"] == "Refund"


def test_an_endpoint_that_is_off_gets_no_test(client_as: SignIn, manager: User, owner: User, endpoint: Endpoint) -> None:
    endpoints.disable(endpoint, reason="", by=owner, now=NOW)
    answer = client_as(manager).post(f"{PAGE}endpoints/{endpoint.pk}/test/", {"kind": "invoice.paid"}, follow=True)

    assert "This endpoint is switched off. Switch it on first." in answer.content.decode()
    assert Delivery.objects.count() == 0


def test_a_range_is_counted_before_it_is_sent_again(client_as: SignIn, manager: User, issued: Delivery, endpoint: Endpoint) -> None:
    Delivery.objects.filter(pk=issued.pk).update(status="failed")
    client, path = client_as(manager), f"{PAGE}endpoints/{endpoint.pk}/resend-range/"
    assert "Count them" in read(client, path)
    days = {"since": "2026-11-17", "until": "2026-11-17", "which": "failed"}
    html = read(client, path, **days)
    assert "1 webhook to" in html
    assert "Send 1 again" in html
    assert Delivery.objects.filter(channel="webhook").count() == 1

    answer = client.post(path, days, follow=True)
    assert "1 webhook goes out again." in answer.content.decode()
    assert answer.redirect_chain == [(f"{LIST}?endpoint={endpoint.pk}", 302)]
    new = Delivery.objects.latest("pk")
    assert (new.webhook_id, new.payload, new.status) == (issued.webhook_id, issued.payload, "queued")


@pytest.mark.parametrize(
    ("days", "status", "found"),
    [
        ({"since": "2026-11-16", "until": "2026-11-16", "which": "all"}, "sent", 0),
        ({"since": "2026-11-18", "until": "2026-11-18", "which": "all"}, "sent", 0),
        ({"since": "2026-11-17", "until": "2026-11-17", "which": "all"}, "sent", 1),
        ({"since": "2026-11-17", "until": "2026-11-17", "which": "failed"}, "sent", 0),
        ({"since": "2026-11-01", "until": "2026-11-30", "which": "failed"}, "cancelled", 1),
    ],
)
def test_the_days_are_the_merchants_and_both_are_in_it(
    client_as: SignIn, manager: User, issued: Delivery, endpoint: Endpoint, days: dict[str, str], status: str, found: int
) -> None:
    Delivery.objects.filter(pk=issued.pk).update(status=status)
    response = client_as(manager).get(f"{PAGE}endpoints/{endpoint.pk}/resend-range/", days)

    assert response.context["count"] == found


def test_midnight_is_that_of_the_merchants_zone(client_as: SignIn, manager: User, merchant: Merchant, issued: Delivery, endpoint: Endpoint) -> None:
    Merchant.objects.update(time_zone="Asia/Tokyo")  # NOW, 10:00 UTC, is 19:00 there; 16:00 UTC is the 18th
    Delivery.objects.filter(pk=issued.pk).update(status="sent", created_at=NOW + timedelta(hours=6))
    path = f"{PAGE}endpoints/{endpoint.pk}/resend-range/"
    counts = [client_as(manager).get(path, {"since": day, "until": day, "which": "all"}).context["count"] for day in ("2026-11-17", "2026-11-18")]

    assert counts == [0, 1]


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        ({"since": "2026-11-17", "until": "2026-11-16", "which": "all"}, "This is before the first day."),
        ({"since": "0001-01-01", "until": "2026-11-16", "which": "all"}, "This is not a day of this calendar."),
        ({"since": "2026-11-17", "until": "9999-12-31", "which": "all"}, "This is not a day of this calendar."),
    ],
)
def test_days_that_will_not_do_are_answered_beside_the_field(
    client_as: SignIn, manager: User, endpoint: Endpoint, days: dict[str, str], sentence: str
) -> None:
    client = client_as(manager)
    for answer in (
        client.get(f"{PAGE}endpoints/{endpoint.pk}/resend-range/", days),
        client.post(f"{PAGE}endpoints/{endpoint.pk}/resend-range/", days),
    ):
        assert answer.status_code == 422
        assert sentence in answer.content.decode()


def test_a_viewer_sends_nothing(client_as: SignIn, viewer: User, endpoint: Endpoint, issued: Delivery) -> None:
    client: Any = client_as(viewer)
    for path in (f"{PAGE}endpoints/{endpoint.pk}/test/", f"{PAGE}endpoints/{endpoint.pk}/resend-range/", f"{LIST}{issued.pk}/again/"):
        assert client.post(path, {"kind": "invoice.paid"}).status_code == 403
    assert Delivery.objects.filter(channel="webhook").count() == 1
