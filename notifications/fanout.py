"""Events → deliveries. An event is fanned out once: two workers, a restart, a doubled beat make nothing twice."""

from __future__ import annotations

import json
import logging
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import F

from invoicing.facts import moment
from invoicing.models import Invoice
from merchants.models import Event, Merchant
from notifications.audience import addresses
from notifications.models import Channel, Delivery, Endpoint
from notifications.plans import PLANS, Plan

log = logging.getLogger(__name__)
VERSION = 1  # of the webhook's payload
MOST_TRIES = 1000  # counted; tried for ever
SENT = ("invoice", "origin", "transfer", "payment", "refund", "schedule", "occurrences")  # of an event's facts: what goes to endpoints


@dataclass
class Fanned:
    """What one run did."""

    events: int = 0
    channels: set[str] = field(default_factory=set)  # those that got something to send


def run(now: datetime, *, limit: int = 100) -> Fanned:
    """Fan out the oldest waiting events, each in its own transaction. One that cannot be is logged and goes
    behind the others: it stands in nobody's way, and is never given up."""
    done = Fanned()
    for pk in Event.objects.filter(fanned_out_at=None).order_by("fan_out_tries", "id").values_list("pk", flat=True)[:limit]:
        try:
            made = fan_out(pk, now=now)
        except Exception:
            log.exception("Event %s could not be fanned out; it is tried again, after the others.", pk)
            Event.objects.filter(pk=pk, fan_out_tries__lt=MOST_TRIES).update(fan_out_tries=F("fan_out_tries") + 1)
            continue
        if made is not None:
            done.events += 1
            done.channels.update(delivery.channel for delivery in made)
    return done


def fan_out(pk: int, *, now: datetime) -> list[Delivery] | None:
    """The deliveries of one event; None when somebody else has fanned it out, or is about to."""
    with transaction.atomic():
        event = Event.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=pk, fanned_out_at=None).first()
        # Not the lock but this condition makes it once: SQLite has no row locks.
        if event is None or not Event.objects.filter(pk=pk, fanned_out_at=None).update(fanned_out_at=now):
            return None
        invoice = _locked_invoice(event)
        event.sequence = _next_sequence(event.merchant_id)
        Event.objects.filter(pk=pk).update(sequence=event.sequence)
        return Delivery.objects.bulk_create(_deliveries(event, invoice, now))


def _locked_invoice(event: Event) -> Invoice | None:
    """The invoice it is about, if that is still there. Deliveries refer to it and so wait for its lock: taken after the
    merchant's row, as issuing takes them the other way round, that would be a deadlock. No delivery refers to anything else
    (a schedule, an invitation): what is told of it is in the event, and looked at again as the mail leaves."""
    if event.subject_kind != "invoice":
        return None
    return Invoice.objects.select_for_update(no_key=True).filter(pk=event.subject_id, merchant=event.merchant_id).first()


def _next_sequence(merchant_id: int) -> int:
    """The merchant's next number; its row stays locked until the transaction ends, so numbers follow without a gap."""
    Merchant.objects.filter(pk=merchant_id).update(event_sequence=F("event_sequence") + 1)
    return Merchant.objects.values_list("event_sequence", flat=True).get(pk=merchant_id)


def _deliveries(event: Event, invoice: Invoice | None, now: datetime) -> list[Delivery]:
    plan = PLANS.get(event.kind)
    if plan is None:
        return []
    merchant = event.merchant
    made = [*_mails(event, plan, merchant, invoice), *_webhooks(event, plan, merchant, invoice)]
    for delivery in made:
        delivery.created_at = delivery.next_at = now
    return made


def _mails(event: Event, plan: Plan, merchant: Merchant, invoice: Invoice | None) -> Iterator[Delivery]:
    if event.subject_kind == "invoice" and invoice is None:  # deleted meanwhile: nothing is left that a mail could speak of
        return
    for mail in plan.mails:
        if mail.is_notice and invoice is not None and not invoice.notify_email:
            continue
        for address in addresses(mail, event, invoice):
            yield Delivery(
                merchant=merchant,
                event=event,
                invoice=invoice,
                channel=Channel.EMAIL,
                template=mail.template,
                recipient=address,
                message_id=new_message_id(),
            )


def _webhooks(event: Event, plan: Plan, merchant: Merchant, invoice: Invoice | None) -> Iterator[Delivery]:
    if not plan.webhook or (plan.webhook_is_notice and invoice is not None and not invoice.notify_webhook):
        return
    for endpoint in Endpoint.objects.filter(merchant=merchant, is_enabled=True):
        name = new_webhook_id()
        yield Delivery(
            merchant=merchant,
            event=event,
            invoice=invoice,
            channel=Channel.WEBHOOK,
            template=event.kind,
            recipient=f"endpoint:{endpoint.pk}",
            endpoint=endpoint,
            message_id=name,
            webhook_id=name,
            payload=payload(event),
        )


def payload(event: Event) -> str:
    """The webhook's body: built here once, stored, and sent byte for byte at every try."""
    data: dict[str, Any] = {key: event.facts[key] for key in SENT if key in event.facts}
    body = {
        "type": event.kind,
        "timestamp": moment(event.at),
        "sequence": event.sequence,
        "version": VERSION,
        "id": f"evt_{event.pk}",
        "data": data,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def new_message_id() -> str:
    """A Message-ID (RFC 5322) at this installation's host."""
    return f"<{uuid.uuid4()}@{urlsplit(settings.SITE_URL).hostname or 'localhost'}>"


def new_webhook_id() -> str:
    return "msg_" + secrets.token_urlsafe(16)
