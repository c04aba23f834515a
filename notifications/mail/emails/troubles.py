"""Mails about a message that did not arrive, and about an endpoint that is no longer asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.db.models import Q
from django.utils.translation import gettext as _

from invoicing.timeline import mail_name
from merchants import languages
from merchants.models import Event, Merchant
from notifications.mail.emails.letter import Letterhead, Matter, link
from notifications.models import Delivery, Endpoint
from notifications.transports import Withheld

State = Delivery.State


@dataclass(frozen=True)
class TroubleMatter(Matter):
    merchant: Merchant
    event: Event


def about(delivery: Delivery, now: datetime) -> TroubleMatter:
    merchant = Merchant.objects.select_related("logo").get(pk=delivery.merchant_id)
    return TroubleMatter(delivery, Letterhead.of_merchant(merchant), now, languages.of_members(), merchant, delivery.origin)


def context(matter: TroubleMatter) -> dict[str, Any]:
    return KINDS[matter.delivery.template](matter)


# --- one function per kind --------------------------------------------------------------------------------------
def undelivered(matter: TroubleMatter) -> dict[str, Any]:
    """To the merchant: what a payer was to be told did not arrive, why, and what can be done."""
    told = matter.event.facts
    lost = Delivery.objects.select_related("invoice").filter(pk=told["delivery"], merchant=matter.merchant).first()
    if lost is None or lost.invoice is None:
        raise Withheld(_("The message was deleted before this could be sent."))
    if _went_again(lost):
        raise Withheld(_("It had been sent again before this could be sent."))
    return {
        "invoice": lost.invoice,
        "mail": mail_name(lost.template),
        "recipient": lost.recipient,
        "reason": told.get("reason", ""),
        "at": matter.moment(matter.event.at),
        "desk_url": link("invoice", matter.merchant.slug, lost.invoice.pk) + "#messages",
    }


def endpoint_off(matter: TroubleMatter) -> dict[str, Any]:
    """To every owner: webhooks stopped by themselves. What failed, since when, and how they start again."""
    endpoint = Endpoint.objects.filter(pk=matter.event.subject_id, merchant=matter.merchant, removed_at=None).first()
    if endpoint is None or endpoint.is_enabled:
        raise Withheld(_("It had been switched on again, or removed, before this could be sent."))
    return {
        # The host alone: what follows it may be as good as a key.
        "host": urlsplit(endpoint.url).hostname or "",
        "description": endpoint.description,
        "since": matter.moment(endpoint.failing_since),
        "reason": matter.event.facts.get("reason", ""),
        "at": matter.moment(matter.event.at),
        "desk_url": link("endpoint", matter.merchant.slug, endpoint.pk),
    }


KINDS: dict[str, Callable[[TroubleMatter], dict[str, Any]]] = {"undelivered": undelivered, "endpoint_off": endpoint_off}


# --- their parts ------------------------------------------------------------------------------------------------
def _went_again(lost: Delivery) -> bool:
    """Whether the same has left, or is about to, since: to this address, or to a corrected one. What goes to somebody else beside
    it, with it or sent again, is neither."""
    later = Delivery.objects.filter(merchant=lost.merchant_id, channel=lost.channel, template=lost.template, pk__gt=lost.pk)
    later = later.filter(invoice=lost.invoice_id, status__in=[State.QUEUED, State.SENDING, State.SENT]).exclude(event=lost.event_id)
    later = later.filter(Q(recipient__iexact=lost.recipient) | Q(copy=lost.copy) & ~Q(event__kind="delivery.resent"))
    told_of = lost.origin.facts.get("refund", {}).get("id")  # an invoice may have several refunds
    return any(one.origin.facts.get("refund", {}).get("id") == told_of for one in later.select_related("event"))
