"""Events for a merchant's own programs: in their order, each once, for whoever has the App ID and the secret."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from invoicing import lifecycle
from invoicing.models import Invoice
from merchants.events import record
from merchants.models import Event, Merchant, User
from notifications import fanout
from notifications.models import Application, Delivery, Endpoint
from notifications.views import api
from notifications.webhooks import endpoints
from tests.factories import NOW, make_draft, make_merchant, publish

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nobody_has_asked_before() -> None:
    cache.clear()


@pytest.fixture
def key(merchant: Merchant, owner: User) -> str:
    return endpoints.new_api_secret(merchant, by=owner, now=NOW)


def ask(merchant: Merchant, key: str, **query: Any) -> Any:
    app_id = endpoints.application(merchant).app_id
    return Client().get("/api/events", query, headers=basic(app_id, key))


def basic(app_id: str, key: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{app_id}:{key}".encode()).decode()}


def happened(merchant: Merchant, count: int) -> list[Invoice]:
    made = [publish(make_draft(merchant)) for _each in range(count)]
    while fanout.run(NOW).events:
        pass
    return made


def test_events_come_in_their_order_each_as_its_webhook_says_it(merchant: Merchant, endpoint: Endpoint, key: str) -> None:
    happened(merchant, 3)
    told = ask(merchant, key).json()
    posted = [json.loads(body) for body in Delivery.objects.filter(channel="webhook").order_by("event__sequence").values_list("payload", flat=True)]

    assert told["events"] == posted
    assert [event["data"]["invoice"]["number"] for event in told["events"]] == ["INV-000001", "INV-000002", "INV-000003"]
    assert (told["next"], told["has_more"]) == (Merchant.objects.get().event_sequence, False)


def test_pages_follow_each_other_without_a_gap_and_without_a_repeat(merchant: Merchant, key: str) -> None:
    happened(merchant, 5)
    seen: list[str] = []
    after, pages = 0, 0
    while True:
        told = ask(merchant, key, after=after, limit=2).json()
        seen += [event["data"]["invoice"]["number"] for event in told["events"]]
        after, pages = told["next"], pages + 1
        if not told["has_more"]:
            break
    assert (seen, pages) == ([f"INV-{n:06}" for n in range(1, 6)], 3)
    assert ask(merchant, key, after=after).json() == {"events": [], "next": after, "has_more": False}

    happened(merchant, 1)
    assert [event["data"]["invoice"]["number"] for event in ask(merchant, key, after=after).json()["events"]] == ["INV-000006"]


def test_what_is_no_news_for_programs_is_passed_over(merchant: Merchant, owner: User, key: str) -> None:
    happened(merchant, 1)
    with transaction.atomic():
        record("merchant.changed", merchant=merchant, subject=merchant, now=NOW, by=owner, facts={"fields": ["name"]})
    fanout.run(NOW)
    told = ask(merchant, key).json()

    assert [event["type"] for event in told["events"]] == ["invoice.issued"]
    assert told["next"] == Event.objects.get(kind="merchant.changed").sequence


def test_an_event_that_has_no_number_yet_is_not_told(merchant: Merchant, key: str) -> None:
    publish(make_draft(merchant))
    assert ask(merchant, key).json()["events"] == []


def test_an_invoice_without_webhooks_is_told_of_all_the_same(merchant: Merchant, key: str) -> None:
    invoice = publish(make_draft(merchant, notify_webhook=False))
    with transaction.atomic():
        lifecycle.account(lifecycle.locked(invoice.pk), lifecycle.Money(invoice.total_minor, 0, False, False, False), now=NOW)
    fanout.run(NOW)
    assert "invoice.paid" in [event["type"] for event in ask(merchant, key).json()["events"]]


def test_nobody_sees_anothers_events(merchant: Merchant, key: str) -> None:
    happened(make_merchant(slug="elsewhere", name="Elsewhere"), 1)
    assert ask(merchant, key).json()["events"] == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer abc"},
        {"authorization": "Basic not base64"},
        {"authorization": "Basic /w=="},
        {"authorization": "Basic YXBwX3g="},  # no colon
        {"authorization": "Basic YXBwAF94OmE="},  # a NUL
    ],
)
def test_without_app_id_and_secret_there_is_nothing(merchant: Merchant, key: str, headers: dict[str, str]) -> None:
    happened(merchant, 1)
    refused = Client().get("/api/events", headers=headers)
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, 'Basic realm="Quittance API", charset="UTF-8"')
    assert "INV-" not in refused.content.decode()


def test_a_wrong_secret_another_app_id_and_the_secret_of_an_endpoint_open_nothing(
    merchant: Merchant, key: str, endpoint_and_secret: tuple[Endpoint, str]
) -> None:
    elsewhere = make_merchant(slug="elsewhere")
    app_id = endpoints.application(merchant).app_id
    for name, secret in [
        (app_id, key[:-1]),
        (app_id, ""),
        (app_id, endpoint_and_secret[1]),
        (endpoints.application(elsewhere).app_id, key),
        (endpoints.application(elsewhere).app_id, ""),  # it has none
        ("app_nobody", key),
    ]:
        assert Client().get("/api/events", headers=basic(name, secret)).status_code == 401


def test_a_new_secret_ends_the_one_before_and_is_stored_encrypted(merchant: Merchant, owner: User, key: str) -> None:
    new = endpoints.new_api_secret(merchant, by=owner, now=NOW)

    assert (ask(merchant, key).status_code, ask(merchant, new).status_code) == (401, 200)
    assert new not in Application.objects.get().secret
    told = Event.objects.filter(kind="application.secret_made").values_list("facts", flat=True)
    assert len(told) == 2
    assert new not in str(list(told))
    assert [facts["owners"] for facts in told] == [["ines@harbourpine.example"]] * 2


@pytest.mark.parametrize(
    "query", [{"after": "-1"}, {"after": "x"}, {"after": "9" * 30}, {"limit": "0"}, {"limit": "101"}, {"after": "1.5"}, {"after": "٣"}]
)
def test_what_is_no_number_is_said(merchant: Merchant, key: str, query: dict[str, str]) -> None:
    refused = ask(merchant, key, **query)
    assert refused.status_code == 400
    assert "is a whole number from" in refused.json()["detail"]


def test_it_only_reads_and_keeps_no_session(merchant: Merchant, key: str) -> None:
    headers = basic(endpoints.application(merchant).app_id, key)
    assert Client().post("/api/events", headers=headers).status_code == 405
    answer = Client(enforce_csrf_checks=True).get("/api/events", headers=headers)
    assert (answer.status_code, answer.cookies, answer["Content-Type"]) == (200, {}, "application/json")
    assert "no-store" in answer["Cache-Control"]


def test_too_many_requests_of_one_app_are_put_off_and_nobody_elses(
    merchant: Merchant, key: str, owner: User, monkeypatch: Any, time_machine: Any
) -> None:
    monkeypatch.setattr(api, "OF_AN_APP", 2)
    time_machine.move_to(NOW, tick=False)  # so that no minute ends meanwhile
    elsewhere = make_merchant(slug="elsewhere")
    other = endpoints.new_api_secret(elsewhere, by=owner, now=NOW)

    assert [ask(merchant, key).status_code for _each in range(3)] == [200, 200, 429]
    assert 0 < int(ask(merchant, key)["Retry-After"]) <= 60
    assert ask(elsewhere, other).status_code == 200


def test_guesses_from_one_address_are_put_off_and_stop_nobody_elsewhere(merchant: Merchant, key: str, monkeypatch: Any, time_machine: Any) -> None:
    monkeypatch.setattr(api, "OF_AN_ADDRESS", 3)
    time_machine.move_to(NOW, tick=False)
    headers = basic(endpoints.application(merchant).app_id, "wrong")
    codes = [Client(REMOTE_ADDR="203.0.113.9").get("/api/events", headers=headers).status_code for _each in range(4)]

    assert codes == [401, 401, 401, 429]
    assert ask(merchant, key).status_code == 200


def test_a_page_asks_the_database_the_same_number_of_times_for_three_events_and_for_six(
    merchant: Merchant, key: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    headers = basic(endpoints.application(merchant).app_id, key)
    for count in (3, 6):
        happened(merchant, 3)
        with django_assert_num_queries(3):
            assert len(Client().get("/api/events", headers=headers).json()["events"]) == count
