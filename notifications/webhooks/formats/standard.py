"""Standard Webhooks (https://www.standardwebhooks.com): our own events, self-contained."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from invoicing.facts import moment
from merchants import clock
from merchants.models import Event
from notifications.models import Delivery, Endpoint
from notifications.plans import PLANS
from notifications.webhooks import signing
from notifications.webhooks.formats import samples

VERSION = 1  # of the body; another one when what a name means changes
# Of an event's facts: what goes out.
SENT = ("invoice", "origin", "transfer", "payment", "refund", "schedule", "occurrences", "reminder")
LARGEST = 20_000  # bytes of a body: what the standard asks for


class Standard:
    schedule = "webhook"
    rotates = True

    def kinds(self) -> tuple[str, ...]:
        return tuple(kind for kind, plan in PLANS.items() if plan.webhook)

    def new_secret(self) -> str:
        return signing.new_secret()

    def payload(self, event: Event, endpoint: Endpoint) -> str | None:
        return written(body(event))

    def example(self, event: Event, kind: str, endpoint: Endpoint) -> str:
        if kind not in self.kinds():
            raise KeyError(kind)
        return written(body(Event(pk=event.pk, kind=kind, at=event.at, sequence=0, facts=samples.facts(kind))) | {"test": True})

    def headers(self, delivery: Delivery, endpoint: Endpoint, *, at: datetime) -> dict[str, str]:
        keys = signing.keys_of(endpoint, now=at)
        signed = signing.headers(keys, webhook_id=delivery.webhook_id, at=at - clock.offset(), body=delivery.payload)
        return {"content-type": "application/json", **signed}

    def is_received(self, status: int, body: bytes) -> bool:
        return 200 <= status < 300


def body(event: Event) -> dict[str, Any]:
    """What is said of `event`. A very long list in it is cut, and `omitted` says how many of its end are missing."""
    data: dict[str, Any] = {key: event.facts[key] for key in SENT if key in event.facts}
    told = {
        "type": event.kind,
        "timestamp": moment(event.at),
        "sequence": event.sequence,
        "version": VERSION,
        "id": f"evt_{event.pk}",
        "data": data,
    }
    found = data.get("occurrences")
    while found and len(written(told).encode()) > LARGEST:
        found = found[: len(found) // 2]
        told["data"] = data | {"occurrences": found, "omitted": len(data["occurrences"]) - len(found)}
    return told


def written(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))
