"""What an endpoint gets besides the news: what it missed while it was off, what a member sends again, and tests.

Sent again is a new event and a new message that keeps its `webhook-id` and its bytes, so that a receiver knows what it has.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from invoicing.facts import of_invoice
from invoicing.models import Invoice
from merchants.events import record
from merchants.models import Event, User
from notifications import fanout, outbox
from notifications.models import Channel, Delivery, Endpoint
from notifications.webhooks import formats

log = logging.getLogger(__name__)
State = Delivery.State
MOST_CAUGHT_UP = 10_000  # messages at once
ON_THE_WAY = (State.QUEUED, State.SENDING)
LOST = (State.FAILED, State.CANCELLED)


class Refused(Exception):
    """This cannot be done to this endpoint; the text says why."""


def test(endpoint: Endpoint, *, kind: str, by: User, now: datetime) -> Delivery:
    """An example of `kind`, marked as a test. Refused while the endpoint is off; KeyError for a kind its format has not."""
    _is_on(endpoint)
    with transaction.atomic():
        facts = {"url": endpoint.url, "kind": kind}
        event = record("endpoint.tested", merchant=endpoint.merchant, subject=endpoint, now=now, by=by, facts=facts)
        made = fanout.webhook(event, endpoint, None, payload=formats.wire(endpoint).example(event, kind, endpoint), now=now)
        made.template = kind
        made.save()
        return made


def _is_on(endpoint: Endpoint) -> None:
    if not endpoint.is_enabled:
        raise Refused(_("This endpoint is switched off. Switch it on first."))


# --- what it missed ---------------------------------------------------------------------------------------------
def missed(endpoint: Endpoint) -> int:
    """How many messages switching it on would send now: MOST_CAUGHT_UP at most."""
    if endpoint.off_at_sequence is None:
        return 0
    fresh = sum(fanout.payload_of(event, endpoint, invoice) is not None for event, invoice in _missed_events(endpoint))
    return min(fresh + len(_given_up(endpoint)), MOST_CAUGHT_UP)


def catch_up(endpoint: Endpoint, *, by: User | None, now: datetime) -> int:
    """Send an endpoint that is on again what it has missed. How many messages that is; none where it is off by now, or somebody
    else has.

    May run twice, and go on where a process that died left it: an event is never made for it twice.
    """
    with transaction.atomic():
        held = _held(endpoint)  # it is not switched off while we look, nor caught up with by two
        if not held.is_enabled or held.removed_at or held.off_at_sequence is None:
            return 0
        made = Delivery.objects.bulk_create(_deliveries(held, now), batch_size=1000, ignore_conflicts=True)
        room = MOST_CAUGHT_UP - len(made)
        again = _send_again(_whole(_given_up(held)[-room:]), by=by, now=now) if room else []
        Endpoint.objects.filter(pk=endpoint.pk).update(off_at_sequence=None)
    endpoint.off_at_sequence = None
    return len(made) + len(again)


def go_on(now: datetime) -> int:
    """Endpoints that were switched on by a process that died before it had sent what they missed. How many. One that cannot
    catch up is logged, and is tried again with the next round: it holds up no other."""
    left = list(Endpoint.objects.filter(is_enabled=True, off_at_sequence__isnull=False, removed_at=None).select_related("merchant"))
    for endpoint in left:
        try:
            catch_up(endpoint, by=None, now=now)
        except Exception:
            log.exception("Endpoint %s could not catch up.", endpoint.pk)
    return len(left)


def _missed_events(endpoint: Endpoint) -> Iterator[tuple[Event, Invoice | None]]:
    """Those since it was switched off of a type that it gets, and that no message was made of: the latest MOST_CAUGHT_UP, the
    oldest first, each with its invoice."""
    made = Delivery.objects.filter(event=OuterRef("pk"), channel=Channel.WEBHOOK, recipient=fanout.recipient(endpoint))
    wanted = Event.objects.filter(merchant=endpoint.merchant_id, sequence__gt=endpoint.off_at_sequence, kind__in=formats.kinds_of(endpoint))
    events = list(wanted.filter(~Exists(made)).order_by("-sequence")[:MOST_CAUGHT_UP])[::-1]
    about = {event.subject_id for event in events if event.subject_kind == "invoice"}
    invoices = {invoice.pk: invoice for invoice in Invoice.objects.filter(merchant=endpoint.merchant_id, pk__in=about)}
    for event in events:
        yield event, invoices.get(event.subject_id) if event.subject_kind == "invoice" else None


def _deliveries(endpoint: Endpoint, now: datetime) -> Iterator[Delivery]:
    for event, invoice in _missed_events(endpoint):
        if delivery := fanout.webhook_of(event, endpoint, invoice, now=now):
            yield delivery


def _given_up(endpoint: Endpoint) -> list[int]:
    """What it did not get since it began to fail, or was switched off, although it was made for it; the oldest first."""
    since = _in_trouble_since(endpoint)
    if since is None:
        return []
    # Trouble begins with an answer; the try that it answers began up to a lease earlier.
    began = since - outbox.LEASE[Channel.WEBHOOK]
    return _latest(endpoint, Delivery.objects.filter(endpoint=endpoint, attempts__started_at__gte=began).distinct(), states=LOST)


def _in_trouble_since(endpoint: Endpoint) -> datetime | None:
    """Since when it failed as it was switched off, or else since when it is off. The event knows: the row forgets how it failed
    when the address is mended, and when it is switched on. It may have been off several times since it last caught up: the
    first counts."""
    told = Event.objects.filter(merchant_id=endpoint.merchant_id, kind="endpoint.disabled", subject_kind="endpoint", subject_id=endpoint.pk)
    off = told.filter(Q(sequence__gt=endpoint.off_at_sequence) | Q(sequence=None)).order_by("id").first()
    if off is None:
        return endpoint.failing_since
    failing = off.facts.get("failing_since")
    return datetime.fromisoformat(failing) if failing else min(off.at, endpoint.failing_since or off.at)


# --- what is sent again -----------------------------------------------------------------------------------------
def to_resend(endpoint: Endpoint, *, since: datetime, until: datetime, only_failed: bool) -> list[int]:
    """What `resend_range` sends: of each message made from `since` until before `until` the latest sending, unless it is still on
    its way; `only_failed`: unless it arrived. Tests are left out. The oldest MOST_CAUGHT_UP."""
    made = Delivery.objects.filter(endpoint=endpoint, created_at__gte=since, created_at__lt=until)
    return _latest(endpoint, made, states=LOST if only_failed else (*LOST, State.SENT))[:MOST_CAUGHT_UP]


def count_range(endpoint: Endpoint, *, since: datetime, until: datetime, only_failed: bool) -> int:
    return len(to_resend(endpoint, since=since, until=until, only_failed=only_failed))


def resend_range(endpoint: Endpoint, *, since: datetime, until: datetime, only_failed: bool, by: User, now: datetime) -> int:
    """Send them again; how many. Refused while the endpoint is off."""
    _is_on(endpoint)
    with transaction.atomic():
        _held(endpoint)  # two clicks at once send once
        return len(_send_again(_whole(to_resend(endpoint, since=since, until=until, only_failed=only_failed)), by=by, now=now))


def _held(endpoint: Endpoint) -> Endpoint:
    return Endpoint.objects.select_for_update(of=("self",), no_key=True).select_related("merchant").get(pk=endpoint.pk)


def _latest(endpoint: Endpoint, among: QuerySet[Delivery], *, states: Sequence[str]) -> list[int]:
    """Of each message `among` those the latest sending, where that ended in one of `states`; the oldest first. Not of tests.
    What could not be written has no bytes yet: it is written when it is tried."""
    tests = Delivery.objects.filter(endpoint=endpoint, event__kind="endpoint.tested").values("webhook_id")
    named = dict(among.exclude(webhook_id__in=tests).order_by("-id").values_list("webhook_id", "pk").iterator())
    if not named:
        return []
    later = Delivery.objects.filter(endpoint=endpoint, pk__gte=min(named.values())).order_by("id").values_list("webhook_id", "pk", "status")
    last = {name: (pk, status) for name, pk, status in later.iterator() if name in named}
    return sorted(pk for pk, status in last.values() if status in states)


def _whole(pks: Sequence[int]) -> list[Delivery]:
    """With their bodies, and all that sending them again asks for."""
    every = Delivery.objects.select_related("merchant", "invoice", "event", "endpoint").order_by("id")
    return [delivery for start in range(0, len(pks), 500) for delivery in every.filter(pk__in=pks[start : start + 500])]


def _send_again(deliveries: Sequence[Delivery], *, by: User | None, now: datetime) -> list[Delivery]:
    """A new message for each, in one bulk. Their events are told to nobody, so they wait for no number."""
    events = Event.objects.bulk_create([_resent(delivery, by, now) for delivery in deliveries], batch_size=1000)
    again = [outbox.anew(delivery, event, now=now) for delivery, event in zip(deliveries, events, strict=True)]
    return Delivery.objects.bulk_create(again, batch_size=1000)


def _resent(delivery: Delivery, by: User | None, now: datetime) -> Event:
    about = {"delivery": delivery.pk, "channel": delivery.channel, "template": delivery.template}
    about["resends"] = delivery.event.facts.get("resends", delivery.event_id)
    if delivery.invoice:
        about["invoice"] = of_invoice(delivery.invoice)
    return Event(
        merchant=delivery.merchant,
        kind="delivery.resent",
        subject_kind="invoice" if delivery.invoice else "delivery",
        subject_id=delivery.invoice_id or delivery.pk,
        actor=by,
        actor_name=by.display_name if by else "",
        facts=about,
        at=now,
        fanned_out_at=now,
    )
