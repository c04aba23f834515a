"""Endpoints as the pages show them: how each is doing, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from merchants.models import Event, Merchant
from notifications.models import Delivery, Endpoint
from notifications.webhooks import endpoints, formats

COUNTED = 99  # no page counts a whole table


@dataclass(frozen=True)
class Row:
    endpoint: Endpoint
    state: str  # 'healthy', 'failing', 'blocked', 'paused' or 'off'
    switched_off: Event | None  # of one that is off: why and when

    @property
    def host(self) -> str:
        return host(self.endpoint)

    @property
    def reason(self) -> str:
        """Why it was switched off by itself; empty where a member did it."""
        return str(self.switched_off.facts.get("reason", "")) if self.switched_off else ""

    @property
    def kinds(self) -> tuple[str, ...]:
        return formats.kinds_of(self.endpoint)

    @property
    def is_rotating(self) -> bool:
        """Whether the secret before the current one can sign beside it."""
        return formats.wire(self.endpoint).rotates


def host(endpoint: Endpoint) -> str:
    return urlsplit(endpoint.url).hostname or endpoint.url


def state_of(endpoint: Endpoint, *, now: datetime) -> str:
    if not endpoint.is_enabled:
        return "off"
    if endpoint.paused_at:
        return "paused"
    if endpoint.blocked_until and endpoint.blocked_until > now:
        return "blocked"
    return "failing" if endpoint.failing_since else "healthy"


def rows(merchant: Merchant, *, now: datetime) -> list[Row]:
    """Every endpoint of the merchant, the oldest first."""
    found = list(endpoints.listed(merchant))
    off = _switched_off(merchant, [endpoint.pk for endpoint in found if not endpoint.is_enabled])
    return [Row(endpoint, state_of(endpoint, now=now), off.get(endpoint.pk)) for endpoint in found]


def row(endpoint: Endpoint, *, now: datetime) -> Row:
    off = {} if endpoint.is_enabled else _switched_off(endpoint.merchant, [endpoint.pk])
    return Row(endpoint, state_of(endpoint, now=now), off.get(endpoint.pk))


def _switched_off(merchant: Merchant, pks: list[int]) -> dict[int, Event]:
    """When and why each of them was last switched off: one question for all."""
    told = Event.objects.filter(merchant=merchant, kind="endpoint.disabled", subject_kind="endpoint", subject_id__in=pks)
    return {event.subject_id: event for event in told.order_by("id")}


def waiting(endpoint: Endpoint) -> str:
    """How many messages wait for it, '99+' at most."""
    found = Delivery.objects.filter(endpoint=endpoint, status=Delivery.State.QUEUED)[: COUNTED + 1].count()
    return f"{COUNTED}+" if found > COUNTED else str(found)
