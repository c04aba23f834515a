"""A merchant's webhook endpoints: where they are, what they get, their secrets, and whether they are on.

Every change is an event that names the owners. What was missed, and what is sent again, is `notifications.webhooks.replays`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from merchants import secrets
from merchants.events import record
from merchants.models import Merchant, User
from notifications import outbox
from notifications.audience import owners
from notifications.models import Endpoint, Format
from notifications.transports.guard import objection
from notifications.webhooks import formats, replays
from notifications.webhooks.applications import application, check_api, new_api_secret
from notifications.webhooks.replays import MOST_CAUGHT_UP, Refused, count_range, missed, resend_range, test, to_resend
from notifications.webhooks.signing import keys_of, old_ones

OVERLAP = timedelta(hours=24)  # long enough to put the new secret into a receiver
MOST = 10  # of one merchant

__all__ = [
    "MOST",
    "MOST_CAUGHT_UP",
    "OVERLAP",
    "Refused",
    "add",
    "application",
    "change",
    "check_api",
    "count_range",
    "disable",
    "enable",
    "get",
    "keys_of",
    "listed",
    "missed",
    "new_api_secret",
    "pause",
    "remove",
    "resend_range",
    "resume",
    "rotate_secret",
    "test",
    "to_resend",
    "why_not",
]


def listed(merchant: Merchant) -> QuerySet[Endpoint]:
    """The merchant's endpoints, the oldest first; those that were removed are gone."""
    return Endpoint.objects.filter(merchant=merchant, removed_at=None).order_by("id")


def get(merchant: Merchant, pk: int) -> Endpoint:
    """Endpoint.DoesNotExist when the merchant has no such endpoint, or has none any more."""
    return listed(merchant).select_related("merchant").get(pk=pk)


def why_not(merchant: Merchant, url: str) -> str | None:
    """Why `url` cannot be an endpoint of the merchant, as a sentence for people."""
    return objection(url, settings.WEBHOOK_ALLOW_LOOPBACK and merchant.is_test)


def add(
    merchant: Merchant,
    *,
    url: str,
    by: User,
    now: datetime,
    description: str = "",
    kinds: Sequence[str] = (),
    format: str = Format.STANDARD,
) -> tuple[Endpoint, str]:
    """A new endpoint, switched on, and its secret in plain text: the only time it can be seen. No `kinds`: it gets all."""
    wire = formats.WIRES[format]
    plain = wire.new_secret()
    with transaction.atomic():
        _hold(merchant.pk)  # two at once are not more than MOST
        if listed(merchant).count() >= MOST:
            raise Refused(
                ngettext("More than %(count)d endpoint cannot be added.", "More than %(count)d endpoints cannot be added.", MOST) % {"count": MOST}
            )
        endpoint = Endpoint.objects.create(
            merchant=merchant,
            url=url,
            description=description,
            kinds=_chosen(format, kinds),
            format=format,
            secret=secrets.encrypt(plain),
        )
        application(merchant)
        _tell("endpoint.added", endpoint, now=now, by=by, format=format)
    return endpoint, plain


def _chosen(format: str, kinds: Sequence[str]) -> list[str]:
    """Those that the format knows, in the order of the plans; empty when that is all of them."""
    known = formats.WIRES[format].kinds()
    chosen = [kind for kind in known if kind in kinds]
    return [] if len(chosen) == len(known) else chosen


def change(endpoint: Endpoint, *, url: str, description: str, kinds: Sequence[str], by: User, now: datetime) -> bool:
    """Another address, description or choice of events. Its format, App ID and secrets stay. False when nothing changed."""
    with transaction.atomic():
        held = _locked(endpoint)
        new: dict[str, Any] = {"url": url, "description": description, "kinds": _chosen(held.format, kinds)}
        before = {name: getattr(held, name) for name in new}
        changed = [name for name in new if new[name] != before[name]]
        if not changed:
            return False
        if "url" in changed:  # how the old one answered says nothing of it
            new |= {"failures": 0, "failing_since": None, "blocked_until": None}
        _write(endpoint, new)
        _tell("endpoint.changed", endpoint, now=now, by=by, before=before["url"], fields=changed)
        return True


def rotate_secret(endpoint: Endpoint, *, by: User, now: datetime) -> str:
    """A new secret, in plain text for this once. Where the format has room for several signatures the old one signs beside it
    for OVERLAP, so that no message is lost; so do those before it, each until its own OVERLAP is over."""
    wire = formats.wire(endpoint)
    plain = wire.new_secret()
    with transaction.atomic():
        held = _locked(endpoint)
        last = {"secret": held.secret, "until": (now + OVERLAP).isoformat()}
        old = [last, *old_ones(held, now=now)] if wire.rotates else []
        _write(endpoint, {"secret": secrets.encrypt(plain), "old_secrets": old})
        _tell("endpoint.secret_rotated", endpoint, now=now, by=by)
    return plain


def pause(endpoint: Endpoint, *, by: User, now: datetime) -> bool:
    """What is made for it waits. False when it was paused already."""
    with transaction.atomic():
        if not Endpoint.objects.filter(pk=endpoint.pk, removed_at=None, paused_at=None).update(paused_at=now):
            return False
        endpoint.paused_at = now
        _tell("endpoint.paused", endpoint, now=now, by=by)
        return True


def resume(endpoint: Endpoint, *, by: User, now: datetime) -> bool:
    """What has waited goes out. False when it was not paused."""
    with transaction.atomic():
        if not Endpoint.objects.filter(pk=endpoint.pk, removed_at=None, paused_at__isnull=False).update(paused_at=None):
            return False
        endpoint.paused_at = None
        _tell("endpoint.resumed", endpoint, now=now, by=by)
        return True


def disable(endpoint: Endpoint, *, reason: str, now: datetime, by: User | None = None) -> bool:
    """Switch it off: nothing more is made for it or sent to it, until it is switched on and catches up. `reason` is a sentence,
    empty where a member wished it. False when it was off already, or has another address by now."""
    with transaction.atomic():
        # An event that has its number by now had it before it looked for endpoints: it was made for this one.
        last = Merchant.objects.values_list("event_sequence", flat=True).get(pk=endpoint.merchant_id)
        since_when = Coalesce("off_at_sequence", Value(last))  # the earlier one, where it had not caught up yet
        still = Endpoint.objects.filter(pk=endpoint.pk, url=endpoint.url, is_enabled=True, removed_at=None)
        if not still.update(is_enabled=False, off_at_sequence=since_when):
            return False
        endpoint.refresh_from_db(fields=["is_enabled", "off_at_sequence", "failing_since"])
        since = endpoint.failing_since.isoformat() if endpoint.failing_since else None
        _tell("endpoint.disabled", endpoint, now=now, by=by, reason=reason, failing_since=since)
        return True


def enable(endpoint: Endpoint, *, by: User, now: datetime) -> int:
    """Switch it on again, and send it what it has missed meanwhile: how many messages that is. How it failed is forgotten."""
    with transaction.atomic():
        _hold(endpoint.merchant_id)  # who is fanning out has seen it off, and is waited for; who comes later sees it on
        anew = {"is_enabled": True, "paused_at": None, "failures": 0, "failing_since": None, "blocked_until": None}
        if not Endpoint.objects.filter(pk=endpoint.pk, is_enabled=False, removed_at=None).update(**anew):
            return 0
        endpoint.refresh_from_db()
        _tell("endpoint.enabled", endpoint, now=now, by=by)
    return replays.catch_up(endpoint, by=by, now=now)


def remove(endpoint: Endpoint, *, by: User, now: datetime) -> bool:
    """It is gone from the pages, and what waited for it is not sent. Its deliveries stay to be read. False when it was gone."""
    with transaction.atomic():
        if not Endpoint.objects.filter(pk=endpoint.pk, removed_at=None).update(is_enabled=False, removed_at=now):
            return False
        endpoint.is_enabled, endpoint.removed_at = False, now
        outbox.cancel_waiting(endpoint, reason=_("The endpoint was removed before this could be sent."))
        _tell("endpoint.removed", endpoint, now=now, by=by)
        return True


def _hold(merchant_id: int) -> None:
    """The merchant's lock, which every fan-out takes with its number before it looks for endpoints. Not against its key: an
    event refers to it, and whoever writes one may have an endpoint that we want next."""
    Merchant.objects.select_for_update(no_key=True).get(pk=merchant_id)


def _locked(endpoint: Endpoint) -> Endpoint:
    return Endpoint.objects.select_for_update(of=("self",), no_key=True).get(pk=endpoint.pk, removed_at=None)


def _write(endpoint: Endpoint, columns: dict[str, Any]) -> None:
    """Those columns alone: others count beside us how it answers."""
    Endpoint.objects.filter(pk=endpoint.pk).update(**columns)
    for name, value in columns.items():
        setattr(endpoint, name, value)


def _tell(kind: str, endpoint: Endpoint, *, now: datetime, by: User | None, **more: Any) -> None:
    """Its event. It names the owners: each of them is mailed."""
    merchant = endpoint.merchant
    facts = {"url": endpoint.url, "business": merchant.name, "who": by.display_name if by else "", "owners": owners(merchant), **more}
    record(kind, merchant=merchant, subject=endpoint, now=now, by=by, facts=facts)
