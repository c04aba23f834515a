"""What an endpoint gets besides the news: what it missed while it was off, what a member sends again, and tests.

Sent again is a new event and a new message that keeps its `webhook-id` and its bytes, so that a receiver knows what it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from invoicing.facts import of_invoice
from invoicing.models import Invoice
from merchants.events import record
from merchants.models import Event, User
from notifications import fanout, formats
from notifications.models import Channel, Delivery, Endpoint

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
    """How many messages switching it on would send now."""
    return len(_missed_events(endpoint)) + len(_given_up(endpoint)[:MOST_CAUGHT_UP])


def catch_up(endpoint: Endpoint, *, by: User | None, now: datetime) -> int:
    """Send an endpoint that is on again what it has missed, and forget how it failed. How many messages that is.

    May run twice, and go on where a process that died left it: an event is never made for it twice.
    """
    since = endpoint.off_at_sequence
    if since is None:
        return 0
    with transaction.atomic():
        made = Delivery.objects.bulk_create(_deliveries(endpoint, now), batch_size=1000, ignore_conflicts=True)
        again = _send_again(_given_up(endpoint)[:MOST_CAUGHT_UP], by=by, now=now)
        columns = {"off_at_sequence": None, "failures": 0, "failing_since": None, "blocked_until": None}
        if not Endpoint.objects.filter(pk=endpoint.pk, off_at_sequence=since).update(**columns):
            transaction.set_rollback(True)  # somebody else has
            return 0
    for name, value in columns.items():
        setattr(endpoint, name, value)
    return len(made) + len(again)


def go_on(now: datetime) -> int:
    """Endpoints that were switched on by a process that died before it had sent what they missed. How many."""
    left = list(Endpoint.objects.filter(is_enabled=True, off_at_sequence__isnull=False, removed_at=None).select_related("merchant")[:100])
    for endpoint in left:
        catch_up(endpoint, by=None, now=now)
    return len(left)


def _missed_events(endpoint: Endpoint) -> list[Event]:
    """Those since it was switched off that it wants and was not made a message of; the latest MOST_CAUGHT_UP, the oldest first."""
    if endpoint.off_at_sequence is None:
        return []
    made = Delivery.objects.filter(event=OuterRef("pk"), channel=Channel.WEBHOOK, recipient=fanout.recipient(endpoint))
    wanted = Event.objects.filter(merchant=endpoint.merchant_id, sequence__gt=endpoint.off_at_sequence, kind__in=formats.kinds_of(endpoint))
    return list(wanted.filter(~Exists(made)).order_by("-sequence")[:MOST_CAUGHT_UP])[::-1]


def _deliveries(endpoint: Endpoint, now: datetime) -> Iterator[Delivery]:
    events = _missed_events(endpoint)
    about = {event.subject_id for event in events if event.subject_kind == "invoice"}
    invoices = {invoice.pk: invoice for invoice in Invoice.objects.filter(merchant=endpoint.merchant_id, pk__in=about)}
    for event in events:
        invoice = invoices.get(event.subject_id) if event.subject_kind == "invoice" else None
        if delivery := fanout.webhook_of(event, endpoint, invoice, now=now):
            yield delivery


def _given_up(endpoint: Endpoint) -> list[Delivery]:
    """What it did not get since it began to fail, or was switched off, although it was made for it."""
    off = last_switched_off(endpoint)
    since = endpoint.failing_since or (off.at if off else None)
    if since is None:
        return []
    tried = Delivery.objects.filter(endpoint=endpoint, attempts__started_at__gte=since).exclude(event__kind="endpoint.tested").distinct()
    return _latest(endpoint, tried, states=LOST)


def last_switched_off(endpoint: Endpoint) -> Event | None:
    """Why and when the endpoint was last switched off."""
    return Event.objects.filter(merchant_id=endpoint.merchant_id, kind="endpoint.disabled", subject_kind="endpoint", subject_id=endpoint.pk).last()


# --- what is sent again -----------------------------------------------------------------------------------------
def to_resend(endpoint: Endpoint, *, since: datetime, until: datetime, only_failed: bool) -> list[Delivery]:
    """What `resend_range` sends: of each message made from `since` until before `until` the latest sending, unless it is still on
    its way; `only_failed`: unless it arrived. The oldest MOST_CAUGHT_UP."""
    made = Delivery.objects.filter(endpoint=endpoint, created_at__gte=since, created_at__lt=until)
    return _latest(endpoint, made, states=LOST if only_failed else (*LOST, State.SENT))[:MOST_CAUGHT_UP]


def count_range(endpoint: Endpoint, *, since: datetime, until: datetime, only_failed: bool) -> int:
    return len(to_resend(endpoint, since=since, until=until, only_failed=only_failed))


def resend_range(endpoint: Endpoint, *, since: datetime, until: datetime, only_failed: bool, by: User, now: datetime) -> int:
    """Send them again; how many. Refused while the endpoint is off."""
    _is_on(endpoint)
    with transaction.atomic():
        _hold(endpoint)  # two clicks at once send once
        return len(_send_again(to_resend(endpoint, since=since, until=until, only_failed=only_failed), by=by, now=now))


def _hold(endpoint: Endpoint) -> None:
    Endpoint.objects.select_for_update(of=("self",)).get(pk=endpoint.pk)


def _latest(endpoint: Endpoint, among: QuerySet[Delivery], *, states: Sequence[str]) -> list[Delivery]:
    """Of each message `among` those the latest sending, where that ended in one of `states`; the oldest first."""
    named = {delivery.webhook_id: delivery for delivery in among.order_by("id").defer("payload")}
    if not named:
        return []
    first = min(delivery.pk for delivery in named.values())
    later = Delivery.objects.filter(endpoint=endpoint, pk__gte=first).order_by("id").values_list("webhook_id", "pk", "status")
    last = {name: (pk, status) for name, pk, status in later.iterator() if name in named}
    wanted = [pk for pk, status in last.values() if status in states]
    return [delivery for start in range(0, len(wanted), 500) for delivery in _whole(wanted[start : start + 500])]


def _whole(pks: list[int]) -> QuerySet[Delivery]:
    return Delivery.objects.filter(pk__in=pks).select_related("merchant", "invoice", "event", "endpoint").order_by("id")


def _send_again(deliveries: Sequence[Delivery], *, by: User | None, now: datetime) -> list[Delivery]:
    """A new message for each, in one bulk. Their events are told to nobody, so they wait for no number."""
    events = Event.objects.bulk_create([_resent(delivery, by, now) for delivery in deliveries], batch_size=1000)
    again = [
        Delivery(
            merchant=delivery.merchant,
            event=event,
            invoice=delivery.invoice,
            endpoint=delivery.endpoint,
            channel=delivery.channel,
            template=delivery.template,
            recipient=delivery.recipient,
            message_id=fanout.new_webhook_id(),
            webhook_id=delivery.webhook_id,
            payload=delivery.payload,
            next_at=now,
            created_at=now,
        )
        for delivery, event in zip(deliveries, events, strict=True)
    ]
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
