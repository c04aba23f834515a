"""What endpoints are told of refunds: every step, with the invoice and the refund as they were, and nothing that opens a page."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.conf import settings

from invoicing.models import Invoice
from merchants.models import Event, Merchant
from notifications import fanout
from notifications.models import Delivery, Endpoint
from notifications.webhooks import event_types
from payments import claims, refunds
from payments.models import Refund
from payments.refunds import MOVES, Seen
from tests.payments.refunding import RefundStory, payers_address

pytestmark = pytest.mark.django_db
TXID = "a" * 64


def told(story: RefundStory, kind: str) -> dict[str, Any]:
    """The `data` of the latest webhook of that kind."""
    while fanout.run(story.now).events:
        pass
    data: dict[str, Any] = json.loads(Delivery.objects.filter(channel="webhook", template=kind).latest("id").payload)["data"]
    return data


def confirmed(story: RefundStory, **more: Any) -> Refund:
    return refunds.found(story.approved(**more), Seen(TXID, 0, 90, "90", story.now, 9), now=story.now)


def test_a_confirmed_refund_is_told_with_its_invoice(endpoint: Endpoint, merchant: Merchant) -> None:
    story = RefundStory(merchant)
    refund = confirmed(story, reason="Two hours were not needed.", note="He was cross.")
    data = told(story, "refund.confirmed")

    assert set(data) == {"invoice", "refund"}
    assert {name: data["invoice"][name] for name in ("status", "credited", "due", "refunded", "returning")} == {
        "status": "paid",
        "credited": "100.00",
        "due": "0.00",
        "refunded": "100.00",
        "returning": "0.00",
    }
    assert data["refund"] == {
        "id": refund.pk,
        "reference": refund.reference,
        "status": "confirmed",
        "basis": "paid",
        "amount": "100.00",
        "currency": "EUR",
        "asset": "sandbox:harbour/token:usdt",
        "symbol": "USDT",
        "network": "sandbox:harbour",
        "network_name": "Sandbox",
        "asset_amount": "108.600000",
        "rate": "0.920810313075506446",
        "rate_source": "credited",
        "reason": "Two hours were not needed.",
        "address": payers_address(),
        "address_by": "payer",
        "txid": TXID,
        "confirmations": 9,
        "credit_note": "CN-000001",
        "why": None,
        "claim_until": None,
    }


def test_every_step_is_told_in_order_with_the_state_it_led_to(endpoint: Endpoint, merchant: Merchant) -> None:
    story = RefundStory(merchant)
    refunds.missing(confirmed(story), why="", now=story.now)
    while fanout.run(story.now).events:
        pass
    posted = Delivery.objects.filter(template__startswith="refund.").order_by("id")
    sent = [json.loads(delivery.payload) for delivery in posted]

    assert [(body["type"], body["data"]["refund"]["status"]) for body in sent] == [
        ("refund.requested", "requested"),
        ("refund.address_given", "requested"),
        ("refund.claimed", "claimed"),
        ("refund.approved", "approved"),
        ("refund.sent", "sent"),
        ("refund.confirmed", "confirmed"),
        ("refund.reopened", "sent"),
    ]
    first = sent[0]["sequence"]
    assert [body["sequence"] for body in sent] == list(range(first, first + 7))


def test_no_webhook_carries_a_link_the_key_of_one_or_the_private_note(endpoint: Endpoint, merchant: Merchant) -> None:
    story = RefundStory(merchant)
    refund = story.ask(note="He was cross.")
    claim = claims.offer(refund, address=payers_address(), last=payers_address()[-4:], now=story.now)
    data = told(story, "refund.address_given")
    posted = "".join(Delivery.objects.filter(channel="webhook").values_list("payload", flat=True))

    assert data["refund"]["address"] is None  # nothing is fixed yet
    for secret in (claims.link_token(refund), claims.confirm_token(claim), refund.nonce, claim.nonce, claim.address, "He was cross.", "/r/"):
        assert secret not in posted


def test_an_invoice_without_payment_notices_still_tells_of_its_refunds(endpoint: Endpoint, merchant: Merchant) -> None:
    story = RefundStory(merchant)
    Invoice.objects.update(notify_webhook=False)
    story.ask()

    assert told(story, "refund.requested")["refund"]["amount"] == "100.00"


def test_the_types_are_listed_where_developers_look() -> None:
    listed = {found.kind: found.data for group in event_types.groups() for found in group.types}
    kinds = {"refund.requested", "refund.address_given", *MOVES}

    assert {kind: listed[kind] for kind in listed if kind.startswith("refund.")} == dict.fromkeys(kinds, "invoice, refund")


def test_the_documented_example_has_the_names_that_are_sent(endpoint: Endpoint, merchant: Merchant) -> None:
    story = RefundStory(merchant)
    confirmed(story)
    page = (settings.BASE_DIR / "docs" / "webhooks.md").read_text().partition("\n## Refunds\n")[2]
    example = json.loads(re.findall(r"```json\n(.*?)```", page, flags=re.S)[-1])
    data = told(story, "refund.confirmed")

    assert {part: set(facts) for part, facts in example.items()} == {part: set(facts) for part, facts in data.items()}
    documented = set(re.findall(r"`(refund\.\w+)`", page))
    assert documented == {"refund.requested", "refund.address_given", *MOVES}
    assert Event.objects.filter(kind="refund.confirmed").count() == 1
