"""A merchant's webhook endpoint: where it is, its secret, and whether it is on. Every change is an event."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from merchants import secrets
from merchants.events import record
from merchants.models import Merchant, User
from notifications import signing
from notifications.audience import owners
from notifications.models import Application, Endpoint
from notifications.transports.guard import objection

OVERLAP = timedelta(hours=24)  # long enough to put the new secret into a receiver


def application(merchant: Merchant) -> Application:
    """The merchant's App ID, made when it is first looked for."""
    return Application.objects.get_or_create(merchant=merchant)[0]


def of(merchant: Merchant) -> Endpoint | None:
    """The merchant's endpoint: the one that is on, else the latest."""
    return Endpoint.objects.filter(merchant=merchant).order_by("-is_enabled", "-id").first()


def why_not(merchant: Merchant, url: str) -> str | None:
    """Why `url` cannot be the merchant's endpoint, as a sentence for people."""
    return objection(url, settings.WEBHOOK_ALLOW_LOOPBACK and merchant.is_test)


def save(merchant: Merchant, *, url: str, by: User, now: datetime) -> tuple[Endpoint, str | None]:
    """Point the merchant's webhooks at `url` and switch them on. With the first address comes the secret, in plain text:
    the only time it can be seen. An address that changes keeps App ID and secret."""
    with transaction.atomic():
        Merchant.objects.select_for_update().get(pk=merchant.pk)  # two first addresses at once make one endpoint
        endpoint = of(merchant)
        if endpoint is None:
            plain = signing.new_secret()
            endpoint = Endpoint.objects.create(merchant=merchant, url=url, secret=secrets.encrypt(plain))
            _tell("endpoint.added", endpoint, now=now, by=by)
            return endpoint, plain
        before, was_on = endpoint.url, endpoint.is_enabled
        if (before, was_on) != (url, True):
            endpoint.url, endpoint.is_enabled = url, True
            endpoint.save(update_fields=["url", "is_enabled"])
            _tell("endpoint.changed", endpoint, now=now, by=by, before=before, was_on=was_on)
        return endpoint, None


def rotate_secret(endpoint: Endpoint, *, by: User, now: datetime) -> str:
    """A new secret, in plain text for this once; the old one signs beside it for OVERLAP, so that no message is lost."""
    plain = signing.new_secret()
    with transaction.atomic():
        held = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
        endpoint.old_secret, endpoint.old_secret_until = held.secret, now + OVERLAP
        endpoint.secret = secrets.encrypt(plain)
        endpoint.save(update_fields=["secret", "old_secret", "old_secret_until"])
        _tell("endpoint.secret_rotated", endpoint, now=now, by=by)
    return plain


def keys_of(endpoint: Endpoint, *, now: datetime) -> list[str]:
    """The secrets that sign now, in plain text: the current one, and for a while the one before it."""
    keys = [secrets.decrypt(endpoint.secret)]
    if endpoint.old_secret and endpoint.old_secret_until and now < endpoint.old_secret_until:
        keys.append(secrets.decrypt(endpoint.old_secret))
    return keys


def switch_off(merchant: Merchant, *, by: User, now: datetime) -> bool:
    """No more webhooks, by a member's wish. False when there were none."""
    endpoint = of(merchant)
    return endpoint is not None and disable(endpoint, reason="", by=by, now=now)


def disable(endpoint: Endpoint, *, reason: str, now: datetime, by: User | None = None) -> bool:
    """Switch it off: nothing more is sent to it. False when it was off already, or has another address by now."""
    with transaction.atomic():
        if not Endpoint.objects.filter(pk=endpoint.pk, url=endpoint.url, is_enabled=True).update(is_enabled=False):
            return False
        endpoint.is_enabled = False
        _tell("endpoint.disabled", endpoint, now=now, by=by, reason=reason)
        return True


def _tell(kind: str, endpoint: Endpoint, *, now: datetime, by: User | None, **more: Any) -> None:
    """Its event. It names the owners: each of them is mailed."""
    merchant = endpoint.merchant
    facts = {"url": endpoint.url, "business": merchant.name, "who": by.display_name if by else "", "owners": owners(merchant), **more}
    record(kind, merchant=merchant, subject=endpoint, now=now, by=by, facts=facts)
