"""Deliveries as the pages list them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from merchants.models import Event, Merchant
from notifications import backoff
from notifications.models import Attempt, Channel, Delivery, Endpoint
from notifications.plans import PLANS

State = Delivery.State
SHOWN = 50
COUNTED = 99  # no page counts a whole table

# filter in the address → states
FILTERS: dict[str, tuple[State, ...]] = {
    "": tuple(State),
    "waiting": (State.QUEUED, State.SENDING),
    "delivered": (State.SENT,),
    "failed": (State.FAILED, State.CANCELLED),
}


def deliveries_of(merchant: Merchant) -> QuerySet[Delivery]:
    return Delivery.objects.filter(merchant=merchant).select_related("merchant", "invoice", "endpoint", "event").prefetch_related("attempts")


def webhooks(merchant: Merchant, chosen: str) -> list[Delivery]:
    """The latest webhooks under that filter, newest first."""
    rows = deliveries_of(merchant).filter(channel=Channel.WEBHOOK, status__in=FILTERS[chosen])
    return list(rows.order_by("-id")[:SHOWN])


def filters(merchant: Merchant) -> list[tuple[str, str, str]]:
    """The filters of the list: their value in the address, their name, and of those that want a look how many, '99+' at most."""
    names = {"": _("All"), "waiting": _("Waiting"), "delivered": _("Delivered"), "failed": _("Given up")}
    return [(value, names[value], _tally(merchant, value) if value in ("waiting", "failed") else "") for value in FILTERS]


def _tally(merchant: Merchant, chosen: str) -> str:
    found = Delivery.objects.filter(merchant=merchant, channel=Channel.WEBHOOK, status__in=FILTERS[chosen])[: COUNTED + 1].count()
    return f"{COUNTED}+" if found > COUNTED else str(found)


def last_switched_off(endpoint: Endpoint) -> Event | None:
    """Why and when the endpoint was last switched off."""
    return Event.objects.filter(merchant_id=endpoint.merchant_id, kind="endpoint.disabled", subject_kind="endpoint", subject_id=endpoint.pk).last()


@dataclass(frozen=True)
class Row:
    """A delivery as a page shows it."""

    delivery: Delivery
    about: str  # an invoice or a schedule
    about_url: str
    to: str  # an address, or a host
    request_line: str
    body: str
    last: Attempt | None  # the latest try
    follows: str
    sends: str  # the word on the button: empty while it is being sent
    force: bool  # it is past its due time and would only leave on a member's word


def row(delivery: Delivery, now: datetime) -> Row:
    tries = list(delivery.attempts.all())
    where = urlsplit(delivery.endpoint.url) if delivery.endpoint else None
    force = _is_past_due(delivery, now)
    about, about_url = _about(delivery)
    return Row(
        delivery=delivery,
        about=about,
        about_url=about_url,
        to=(where.hostname or "") if where else delivery.recipient,
        request_line=f"POST {where.path or '/'}" if where else "POST",
        body=pretty(delivery),
        last=tries[-1] if tries else None,
        follows=what_follows(delivery) if delivery.status == State.QUEUED else "",
        sends=_button(delivery, force),
        force=force,
    )


def _about(delivery: Delivery) -> tuple[str, str]:
    """The name and page of what it is about; two empty strings for what has neither."""
    slug = delivery.merchant.slug
    if delivery.invoice:
        return delivery.invoice.name, reverse("invoice", args=[slug, delivery.invoice.pk])
    if schedule := delivery.event.facts.get("schedule"):
        return schedule["title"], reverse("schedule", args=[slug, schedule["id"]])
    return "", ""


def _is_past_due(delivery: Delivery, now: datetime) -> bool:
    invoice = delivery.invoice
    return bool(delivery.template == "issued" and invoice and invoice.due_at and invoice.due_at <= now)


def _button(delivery: Delivery, force: bool) -> str:
    match delivery.status:
        case State.SENDING:
            return ""
        case State.QUEUED:
            return _("Send now")
    return _("Send anyway") if force else _("Send again")


def pretty(delivery: Delivery) -> str:
    """A webhook's body laid out to be read; the bytes that go are the stored ones."""
    return json.dumps(json.loads(delivery.payload), indent=2, ensure_ascii=False) if delivery.payload else ""


def what_follows(delivery: Delivery) -> str:
    """'next; then in 2 h, 5 h, 10 h' for a waiting delivery."""
    later = [backoff.in_words(wait) for wait in backoff.waits_after(delivery.channel, delivery.attempts_made)[:3]]
    return _("next; then in %(waits)s") % {"waits": ", ".join(later)} if later else _("the last try")


def posted() -> list[tuple[str, str]]:
    """The types of event that go to an endpoint, each with the names in its `data`."""
    names = {
        "invoice.issued": _("invoice; origin when a schedule made it: schedule, title, k"),
        "payment.recorded": "invoice, payment",
        "payment.reversed": "invoice, payment",
        "payment.part_received": "invoice",
        "payment.overpaid": "invoice",
        "payment.unassigned": "transfer",
        "payment.handled": _("transfer; invoice when it belongs to one"),
        "payment.dropped": _("transfer; invoice when it belongs to one"),
        "schedule.missed": "schedule, occurrences",
        "schedule.held": "schedule, occurrences",
    }
    of_all = {"invoice": "invoice", "payment": "invoice, transfer", "refund": "invoice, refund", "schedule": "schedule"}
    return [(kind, names.get(kind) or of_all[kind.partition(".")[0]]) for kind, plan in PLANS.items() if plan.webhook]
