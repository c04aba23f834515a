"""Events → deliveries. An event is fanned out once: two workers, a restart, a doubled beat make nothing twice."""

from __future__ import annotations

import logging
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import F

from invoicing.models import Invoice
from merchants.models import Event, Merchant
from notifications import turns
from notifications.audience import recipients
from notifications.mail import attached
from notifications.models import Channel, Delivery, Endpoint
from notifications.plans import PLANS, Mail, Plan
from notifications.webhooks import formats

log = logging.getLogger(__name__)
MOST_TRIES = 1000  # counted; tried for ever


@dataclass
class Fanned:
    """What one run did."""

    events: int = 0
    channels: set[str] = field(default_factory=set)  # those that got something to send


def run(now: datetime, *, limit: int = 100) -> Fanned:
    """Fan out waiting events, each in its own transaction; merchants take turns. One that cannot be is logged and goes
    behind the others: it stands in nobody's way, and is never given up."""
    done = Fanned()
    for pk in turns.events(limit):
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
    made = [*_mails(event, plan, merchant, invoice), *_webhooks(event, invoice, now)]
    for delivery in made:
        delivery.created_at = delivery.next_at = now
        if delivery.channel == Channel.EMAIL:
            delivery.next_at += attached.patience(merchant, invoice, delivery.template)
    return made


def _mails(event: Event, plan: Plan, merchant: Merchant, invoice: Invoice | None) -> Iterator[Delivery]:
    if event.subject_kind == "invoice" and invoice is None:  # deleted meanwhile: nothing is left that a mail could speak of
        return
    for mail in plan.mails:
        if not is_wanted(mail, event, invoice):
            continue
        for address, copy in recipients(mail, event, invoice):
            yield Delivery(
                merchant=merchant,
                event=event,
                invoice=invoice,
                channel=Channel.EMAIL,
                template=mail.template,
                recipient=address,
                copy=copy,
                message_id=new_message_id(),
                is_forced="tell" in event.facts,  # a member has asked for it
            )


def is_wanted(mail: Mail, event: Event, invoice: Invoice | None) -> bool:
    """Whether this event is to be told by `mail`, as it, the invoice and the merchant have it."""
    if mail.only and not mail.only(event):
        return False
    if mail.is_notice and invoice is not None and not invoice.notify_email:
        return False
    return not (mail.is_optional and mail.template in event.merchant.notices_off)


def _webhooks(event: Event, invoice: Invoice | None, now: datetime) -> Iterator[Delivery]:
    for endpoint in Endpoint.objects.filter(merchant=event.merchant_id, is_enabled=True, removed_at=None).select_related("merchant").order_by("id"):
        if delivery := webhook_of(event, endpoint, invoice, now=now):
            yield delivery


def webhook_of(event: Event, endpoint: Endpoint, invoice: Invoice | None, *, now: datetime) -> Delivery | None:
    """The message that `endpoint` is to get of `event`, not saved; None where it is to get none, as `payload_of` says."""
    payload = payload_of(event, endpoint, invoice)
    return None if payload is None else webhook(event, endpoint, invoice, payload=payload, now=now)


def payload_of(event: Event, endpoint: Endpoint, invoice: Invoice | None) -> str | None:
    """What `endpoint` is to be told of `event`, which has its sequence; None when it does not want it, its format has nothing to
    say of it, or the invoice wants no notice of its payments. Empty where its format fails at it: others do not wait for that,
    and it is written when it is tried."""
    if not formats.wants(endpoint, event.kind):
        return None
    if PLANS[event.kind].webhook_is_notice and invoice is not None and not invoice.notify_webhook:
        return None
    try:
        return formats.wire(endpoint).payload(event, endpoint)
    except Exception:
        log.exception("The webhook of event %s could not be written for endpoint %s.", event.pk, endpoint.pk)
        return ""


def webhook(event: Event, endpoint: Endpoint, invoice: Invoice | None, *, payload: str, now: datetime) -> Delivery:
    """The message with this body, not saved. It is built once, stored, and sent byte for byte at every try."""
    name = new_webhook_id()
    return Delivery(
        merchant=endpoint.merchant,
        event=event,
        invoice=invoice,
        channel=Channel.WEBHOOK,
        template=event.kind,
        recipient=recipient(endpoint),
        endpoint=endpoint,
        message_id=name,
        webhook_id=name,
        payload=payload,
        created_at=now,
        next_at=now,
    )


def recipient(endpoint: Endpoint) -> str:
    """What stands in a delivery for this endpoint."""
    return f"endpoint:{endpoint.pk}"


def new_message_id() -> str:
    """A Message-ID (RFC 5322) at this installation's host."""
    return f"<{uuid.uuid4()}@{urlsplit(settings.SITE_URL).hostname or 'localhost'}>"


def new_webhook_id() -> str:
    return "msg_" + secrets.token_urlsafe(16)
