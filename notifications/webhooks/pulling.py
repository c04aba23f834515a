"""A merchant's events in their order, for whoever asks for them instead of, or after, being posted them."""

from __future__ import annotations

from typing import Any

from merchants.models import Event, Merchant
from notifications.plans import PLANS
from notifications.webhooks.formats import standard

MOST = 100
KINDS = tuple(kind for kind, plan in PLANS.items() if plan.webhook)


def events_after(merchant: Merchant, after: int, *, limit: int) -> dict[str, Any]:
    """Up to `limit` events with a sequence above `after`, as a standard webhook says them, whether or not the invoice has
    webhooks switched off. `next` is what to ask with the next time: nothing is left out and nothing comes twice."""
    # Asked before the events: what gets its number meanwhile is above it.
    last = Merchant.objects.values_list("event_sequence", flat=True).get(pk=merchant.pk)
    found = list(Event.objects.filter(merchant=merchant, sequence__gt=after, kind__in=KINDS).order_by("sequence")[: limit + 1])
    told, has_more = found[:limit], len(found) > limit
    ends = told[-1].sequence if told else None
    return {
        "events": [standard.body(event) for event in told],
        "next": ends if has_more else max(last, after, ends or 0),
        "has_more": has_more,
    }
