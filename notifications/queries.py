"""Deliveries as the pages list them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import SplitResult, urlsplit

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from merchants.models import Merchant
from notifications import backoff, outbox
from notifications.models import Attempt, Delivery

State = Delivery.State


def deliveries_of(merchant: Merchant) -> QuerySet[Delivery]:
    return Delivery.objects.filter(merchant=merchant).select_related("merchant", "invoice", "endpoint", "event").prefetch_related("attempts")


@dataclass(frozen=True)
class Row:
    """A delivery as a page shows it."""

    delivery: Delivery
    about: str  # an invoice or a schedule
    about_url: str
    to: str  # an address, or a host
    request_line: str
    headers: list[tuple[str, str]]  # of the latest request, as they went
    body: str
    last: Attempt | None  # the latest try
    follows: str
    is_test: bool  # an example that a member sent
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
        request_line=_request_line(where),
        headers=list(tries[-1].request.items()) if tries else [],
        body=pretty(delivery),
        last=tries[-1] if tries else None,
        follows=what_follows(delivery) if delivery.status == State.QUEUED else "",
        is_test=delivery.event.kind == "endpoint.tested",
        sends=_button(delivery, force),
        force=force,
    )


def _request_line(where: SplitResult | None) -> str:
    """'POST /hooks?from=quittance'."""
    return f"POST {where.path or '/'}{'?' + where.query if where.query else ''}" if where else "POST"


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
    later = [backoff.in_words(wait) for wait in backoff.waits_after(outbox.schedule_of(delivery), delivery.attempts_made)[:3]]
    return _("next; then in %(waits)s") % {"waits": ", ".join(later)} if later else _("the last try")
