"""What is posted of an event, and that receivers of Standard Webhooks verify it: with the library of Python and with that of Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from standardwebhooks import Webhook, WebhookVerificationError

from merchants import clock
from merchants.models import Event, Merchant, User
from notifications import fanout
from notifications.models import Delivery, Endpoint
from notifications.plans import PLANS
from notifications.webhooks import endpoints, formats
from notifications.webhooks.formats import WIRES, samples, standard
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.notifications import hook_stories

pytestmark = pytest.mark.django_db

RECEIVERS = Path(settings.BASE_DIR) / "tests" / "receivers"
# Reads the cases from standard input, and writes the type of each body that verifies.
NODE = """
const { Webhook } = require("standardwebhooks");
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(cases.map(({ secret, body, headers }) => {
  try { return new Webhook(secret).verify(body, headers).type; } catch (error) { return error.message; }
})));
"""


def posted(endpoint: Endpoint) -> list[str]:
    hook_stories.fan_out()
    return list(Delivery.objects.filter(endpoint=endpoint).order_by("id").values_list("template", flat=True))


# --- what is said -----------------------------------------------------------------------------------------------
def test_every_type_that_has_a_webhook_goes_out_in_the_standard_format() -> None:
    assert list(WIRES["standard"].kinds()) == [kind for kind, plan in PLANS.items() if plan.webhook]
    assert "member.joined" not in WIRES["standard"].kinds()
    assert "endpoint.disabled" not in WIRES["standard"].kinds()


def test_there_is_a_sample_of_every_type() -> None:
    assert [kind for kind in WIRES["standard"].kinds() if not samples.facts(kind)] == []


def test_a_body_holds_facts_for_programs_and_nothing_else_the_event_knows(merchant: Merchant) -> None:
    facts = {
        "invoice": {"id": 1},
        "by_hand": True,
        "owners": ["ines@harbourpine.example"],
        "url": "https://hooks.example/secret",
        "note": "He was cross",
    }
    told = standard.body(Event(pk=9, kind="invoice.paid", at=NOW, sequence=4, facts=facts))

    assert told == {
        "type": "invoice.paid",
        "timestamp": "2026-11-17T10:00:00Z",
        "sequence": 4,
        "version": 1,
        "id": "evt_9",
        "data": {"invoice": {"id": 1}},
    }


def test_what_is_missed_in_a_year_of_days_stays_below_20_kilobytes_and_says_how_much_was_left_out() -> None:
    missed = [samples.OCCURRENCE | {"n": n} for n in range(1, 5000)]
    told = standard.body(Event(pk=9, kind="schedule.missed", at=NOW, sequence=4, facts={"schedule": samples.SCHEDULE, "occurrences": missed}))

    assert len(standard.written(told).encode()) <= 20_000
    kept = told["data"]["occurrences"]
    assert (kept[0]["n"], len(kept) + told["data"]["omitted"]) == (1, 4999)
    assert len(kept) > 100


# --- who gets what ----------------------------------------------------------------------------------------------
def test_an_endpoint_gets_the_types_it_chose_and_no_other(merchant: Merchant, owner: User) -> None:
    chosen = endpoints.add(merchant, url="https://hooks.example/", kinds=["invoice.viewed", "payment.confirmed"], by=owner, now=NOW)[0]
    hook_stories.sent_opened_reminded_and_cancelled(merchant, owner)

    assert posted(chosen) == ["invoice.viewed"]


def test_several_endpoints_get_their_own_message_of_one_event(merchant: Merchant, owner: User) -> None:
    one, two = (endpoints.add(merchant, url=f"https://hooks.example/{n}", by=owner, now=NOW)[0] for n in (1, 2))
    paused = endpoints.add(merchant, url="https://hooks.example/3", by=owner, now=NOW)[0]
    endpoints.pause(paused, by=owner, now=NOW)
    off = endpoints.add(merchant, url="https://hooks.example/4", by=owner, now=NOW)[0]
    endpoints.disable(off, reason="", by=owner, now=NOW)
    publish(make_draft(merchant))

    assert [posted(endpoint) for endpoint in (one, two, paused, off)] == [["invoice.issued"], ["invoice.issued"], ["invoice.issued"], []]
    assert len(set(Delivery.objects.filter(channel="webhook").values_list("webhook_id", flat=True))) == 3
    assert len(set(Delivery.objects.filter(channel="webhook").values_list("payload", flat=True))) == 1


def test_no_endpoint_gets_anothers_merchants_events(merchant: Merchant, owner: User) -> None:
    elsewhere = make_merchant(slug="elsewhere")
    theirs = endpoints.add(elsewhere, url="https://elsewhere.example/", by=owner, now=NOW)[0]
    publish(make_draft(merchant))
    assert posted(theirs) == []


def test_an_invoice_that_wants_no_webhooks_of_its_payments_tells_the_rest(merchant: Merchant, owner: User, endpoint: Endpoint) -> None:
    story = hook_stories.Story(merchant, notify_webhook=False)
    story.pay(units=43_440_000)
    story.blocks(5)
    assert Event.objects.filter(kind="payment.part_received").count() == 1
    assert posted(endpoint) == ["invoice.issued"]


def test_fanning_out_asks_as_often_for_five_endpoints_as_for_one(merchant: Merchant, owner: User, endpoint: Endpoint) -> None:
    counts = []
    for more in (0, 4):
        for n in range(more):
            endpoints.add(merchant, url=f"https://hooks.example/{n}", by=owner, now=NOW)
        hook_stories.fan_out()
        publish(make_draft(merchant))
        event = Event.objects.get(fanned_out_at=None)
        with CaptureQueriesContext(connection) as asked:
            fanout.fan_out(event.pk, now=NOW)
        counts.append(len(asked))
    assert counts[0] == counts[1]


# --- the receiver's side ----------------------------------------------------------------------------------------
def cases(merchant: Merchant, endpoint: Endpoint, secret: str, owner: User) -> list[dict[str, Any]]:
    """Messages as they would leave now, in every kind of text, with two secrets in force."""
    now = clock.now()
    new = endpoints.rotate_secret(endpoint, by=owner, now=now)
    found = Endpoint.objects.get(pk=endpoint.pk)
    made = []
    for title in ("Logo and wordmark", "Café “Größe” 😀 中文 العربية", 'Quotes " and \\ and </script>'):
        publish(make_draft(merchant, title=title), now=now)
        hook_stories.fan_out(now)
        delivery = Delivery.objects.filter(endpoint=found).latest("id")
        headers = formats.wire(found).headers(delivery, found, at=now)
        made += [{"secret": key, "body": delivery.payload, "headers": headers} for key in (secret, new)]
    return made


def spoilt(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The same with a wrong body, a wrong secret, an old time, and another id."""
    old = str(int(case["headers"]["webhook-timestamp"]) - 3600)
    return [
        case | {"body": case["body"].replace("invoice", "invoicE", 1)},
        case | {"secret": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        case | {"headers": case["headers"] | {"webhook-timestamp": old}},
        case | {"headers": case["headers"] | {"webhook-id": "msg_another"}},
    ]


def test_the_library_of_python_verifies_it_with_either_secret(merchant: Merchant, owner: User, endpoint_and_secret: tuple[Endpoint, str]) -> None:
    good = cases(merchant, *endpoint_and_secret, owner)
    assert [Webhook(case["secret"]).verify(case["body"], case["headers"])["type"] for case in good] == ["invoice.issued"] * 6
    for case in spoilt(good[0]):
        with pytest.raises(WebhookVerificationError):
            Webhook(case["secret"]).verify(case["body"], case["headers"])


def test_the_library_of_node_verifies_it_with_either_secret(merchant: Merchant, owner: User, endpoint_and_secret: tuple[Endpoint, str]) -> None:
    if not shutil.which("node") or not (RECEIVERS / "node_modules" / "standardwebhooks").is_dir():
        pytest.skip("node or standardwebhooks is not installed: npm ci in tests/receivers")
    good = cases(merchant, *endpoint_and_secret, owner)
    told = json.dumps([*good, *spoilt(good[0])])
    ran = subprocess.run(["node", "-e", NODE], cwd=RECEIVERS, input=told, capture_output=True, text=True, timeout=30, check=True)

    assert json.loads(ran.stdout) == [
        *["invoice.issued"] * 6,
        "No matching signature found",
        "No matching signature found",
        "Message timestamp too old",
        "No matching signature found",
    ]


def test_the_old_secret_signs_for_a_day_and_then_no_more(merchant: Merchant, owner: User, endpoint_and_secret: tuple[Endpoint, str]) -> None:
    endpoint, old = endpoint_and_secret
    endpoints.rotate_secret(endpoint, by=owner, now=NOW)
    publish(make_draft(merchant))
    hook_stories.fan_out()
    delivery, found = Delivery.objects.get(channel="webhook"), Endpoint.objects.get(pk=endpoint.pk)
    wire = formats.wire(found)

    signatures = [wire.headers(delivery, found, at=NOW + timedelta(hours=hours))["webhook-signature"].split() for hours in (0, 23, 24)]
    assert [len(each) for each in signatures] == [2, 2, 1]
    assert old not in str(signatures)
