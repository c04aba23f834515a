"""The one door for a delivery's status: claim, finish, put back, release, cancel, bounce, send again.

A claim is a lease with a number. The try is counted in the row before the work, so that a message which kills its
worker stops after the third time and is shown; and whoever lost the lease may not close what is no longer theirs.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from invoicing.facts import of_invoice
from merchants import events
from merchants.models import Event, User
from notifications import backoff, turns
from notifications.fanout import new_message_id, new_webhook_id, payload_of
from notifications.models import Attempt, Channel, Delivery, Endpoint
from notifications.transports import Outcome
from notifications.webhooks import formats

State = Delivery.State
# Longer than a try can take. A receiver whose sender died is not sent to for so long, so it is no longer than it must be.
LEASE: dict[str, timedelta] = {Channel.EMAIL: timedelta(seconds=120), Channel.WEBHOOK: timedelta(seconds=60)}
DEATHS = 3  # workers that one delivery may take with it

MOVES: dict[State, frozenset[State]] = {
    # to: from
    State.SENDING: frozenset({State.QUEUED}),
    State.SENT: frozenset({State.SENDING}),
    State.QUEUED: frozenset({State.SENDING}),
    State.FAILED: frozenset({State.SENDING}),
    State.CANCELLED: frozenset({State.QUEUED, State.SENDING}),
}
BOUNCES = frozenset({State.SENT})  # what was delivered can come back, and has failed then


class Refused(Exception):
    """This cannot be done to this delivery; the text says why."""


def _move(delivery: Delivery, to: State, *, under: int, out_of: frozenset[State] | None = None, **changes: Any) -> bool:
    """Take `delivery` through the door if it is still `under` that lease. False when it is not: then nothing changed."""
    rows = Delivery.objects.filter(pk=delivery.pk, status__in=out_of or MOVES[to], lease=under)
    changes["status"] = to
    if not rows.update(**changes):
        return False
    for column, value in changes.items():
        setattr(delivery, column, value)
    return True


def claim(channel: str, *, now: datetime, limit: int, failing: int | None = None, busy: Mapping[int | None, int] | None = None) -> list[Delivery]:
    """Due deliveries, now under the caller's lease until `now` + LEASE; whose turn it is says `notifications.turns`.

    Webhooks: `limit` of them, `failing` at most to endpoints whose last try failed. Mails: so many that each mail server has
    `limit`, with those that it is `busy` with.
    """
    if channel == Channel.EMAIL:
        lanes = turns.senders(now)
        if not lanes:
            return []
        with transaction.atomic():
            return _take(turns.mails(lanes, now=now, limit=limit, busy=busy or {}), now)
    chosen = turns.choose(turns.due_lanes(now), limit=limit, failing=limit if failing is None else failing)
    if not chosen:
        return []
    with transaction.atomic():
        return _take(turns.webhooks(chosen, now=now), now)


def _take(pks: list[int], now: datetime) -> list[Delivery]:
    """Those of them that nobody else takes at this moment."""
    if not pks:
        return []
    waiting = Delivery.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk__in=pks, status=State.QUEUED, next_at__lte=now)
    found = waiting.select_related("merchant__mail_server", "event", "invoice", "endpoint").order_by("id")
    return [delivery for delivery in found if _claim(delivery, now)]


def _claim(delivery: Delivery, now: datetime) -> bool:
    lease, number = delivery.lease, delivery.attempts_made + 1
    with transaction.atomic(savepoint=False):
        if not _move(
            delivery, State.SENDING, under=lease, lease=lease + 1, leased_until=now + LEASE[delivery.channel], attempts_made=number, reason=""
        ):
            return False
        Attempt.objects.create(delivery=delivery, number=number, started_at=now)
    return True


def put_back(delivery: Delivery, *, lease: int) -> bool:
    """It waits again, as it did before it was claimed: nothing was tried, so nothing is counted. False when the lease was
    taken over meanwhile."""
    with transaction.atomic():
        number = delivery.attempts_made
        if not _move(delivery, State.QUEUED, under=lease, leased_until=None, attempts_made=number - 1):
            return False
        delivery.attempts.filter(number=number, succeeded=None).delete()
        return True


def finish(delivery: Delivery, *, lease: int, outcome: Outcome, now: datetime, duration_ms: int = 0) -> bool:
    """Write how the try under `lease` went, and what follows. False when the lease was taken over meanwhile:
    then the try keeps its answer, and the delivery is left to whoever has it now."""
    with transaction.atomic():
        delivery.attempts.filter(number=delivery.attempts_made, succeeded=None).update(
            duration_ms=duration_ms,
            succeeded=outcome.ok,
            is_permanent=outcome.permanent,
            code=outcome.code,
            answer=outcome.answer,
            request=outcome.request,
        )
        if outcome.ok:
            return _move(delivery, State.SENT, under=lease, sent_at=now, leased_until=None, reason="", provider_id=outcome.provider_id[:200])
        if outcome.permanent:
            return _fail(delivery, lease=lease, reason=_short(outcome), now=now)
        luck = random.uniform(-1, 1)  # noqa: S311 - jitter
        pause = backoff.wait(schedule_of(delivery), delivery.attempts_made, luck=luck, retry_after=outcome.retry_after)
        if pause is None:
            tries = ngettext("Given up after %(count)d try.", "Given up after %(count)d tries.", delivery.attempts_made)
            tries %= {"count": delivery.attempts_made}
            return _fail(delivery, lease=lease, reason=f"{tries} {_short(outcome)}", now=now)
        return _move(delivery, State.QUEUED, under=lease, next_at=now + pause, leased_until=None)


def schedule_of(delivery: Delivery) -> str:
    """By which of `backoff.SCHEDULE` it is tried again."""
    if delivery.channel == Channel.EMAIL:
        return "email"
    return formats.wire(delivery.endpoint).schedule if delivery.endpoint else "webhook"


def _short(outcome: Outcome) -> str:
    return f"{outcome.code} {outcome.answer}".strip()[:250]


def _fail(delivery: Delivery, *, lease: int, reason: str, now: datetime) -> bool:
    if not _move(delivery, State.FAILED, under=lease, leased_until=None, reason=reason[:300]):
        return False
    _tell("delivery.failed", delivery, now=now, reason=reason[:300])
    return True


def _tell(kind: str, delivery: Delivery, *, now: datetime, by: User | None = None, **facts: Any) -> Any:
    """The event of what happened to a delivery, on the timeline of its invoice where it has one."""
    about = {"delivery": delivery.pk, "channel": delivery.channel, "template": delivery.template, **facts}
    if delivery.channel == Channel.EMAIL:
        about["recipient"] = delivery.recipient
    if delivery.invoice:
        about["invoice"] = of_invoice(delivery.invoice)
    elif schedule := delivery.event.facts.get("schedule"):
        about["schedule"] = schedule
    return events.record(kind, merchant=delivery.merchant, subject=delivery.invoice or delivery, now=now, by=by, facts=about)


def release_abandoned(now: datetime) -> int:
    """Deliveries whose worker is gone wait again; one whose third worker is gone has failed. How many there were."""
    gone = Delivery.objects.filter(status=State.SENDING, leased_until__lte=now).select_related("merchant", "invoice")
    return sum(_release(delivery, now) for delivery in gone[:500])


def _release(delivery: Delivery, now: datetime) -> bool:
    with transaction.atomic():
        if delivery.attempts.filter(succeeded=None).count() >= DEATHS:
            reason = _("Its worker stopped three times while it was being sent. Look into the log, then send it again.")
            return _fail(delivery, lease=delivery.lease, reason=reason, now=now)
        return _move(delivery, State.QUEUED, under=delivery.lease, leased_until=None, next_at=now)


def cancel(delivery: Delivery, *, reason: str, now: datetime, lease: int | None = None, is_held: bool = False) -> bool:
    """It will not be sent, and `reason` says why to people. `is_held`: it needs a hand, and is an event of the invoice."""
    with transaction.atomic():
        if lease is not None:
            delivery.attempts.filter(number=delivery.attempts_made, succeeded=None).update(succeeded=False, is_permanent=True, answer=reason)
        if not _move(delivery, State.CANCELLED, under=delivery.lease if lease is None else lease, leased_until=None, reason=reason[:300]):
            return False
        if is_held:
            _tell("invoice.mail_held", delivery, now=now, reason=reason)
        return True


def cancel_waiting(endpoint: Endpoint, *, reason: str) -> int:
    """Nothing that waits for `endpoint` will be sent. How many that were."""
    return Delivery.objects.filter(endpoint=endpoint, status=State.QUEUED).update(status=State.CANCELLED, leased_until=None, reason=reason[:300])


def bounced(delivery: Delivery, *, reason: str, now: datetime) -> bool:
    """The mail server had taken it, and it came back all the same. Told as any mail that could not be delivered; twice is once."""
    with transaction.atomic():
        if not _move(delivery, State.FAILED, under=delivery.lease, out_of=BOUNCES, bounced_at=now, reason=reason[:300]):
            return False
        _tell("delivery.failed", delivery, now=now, reason=reason[:300], bounced=True)
        return True


def again(delivery: Delivery, *, by: User, now: datetime, force: bool = False) -> Delivery:
    """What a member's 'send' means: what waits goes at once, anything else becomes a new message. Returns what goes."""
    if delivery.status == State.QUEUED:
        send_now(delivery, now=now, force=force)
        return delivery
    return send_again(delivery, by=by, now=now, force=force)


def send_now(delivery: Delivery, *, now: datetime, force: bool = False) -> None:
    """Bring the next try of a waiting delivery forward: the same message, at once. `force` as in `send_again`.

    Refused while its endpoint is off. That of a paused one waits on.
    """
    _has_somewhere_to_go(delivery)
    changes: dict[str, Any] = {"is_forced": True} if force else {}
    if not Delivery.objects.filter(pk=delivery.pk, status=State.QUEUED).update(next_at=now, reason="", **changes):
        raise Refused(_("This is no longer waiting. Look at it again."))


def send_again(delivery: Delivery, *, by: User, now: datetime, force: bool = False) -> Delivery:
    """A new message of the same kind to the same recipient, with its own event. A webhook keeps its `webhook-id` and its
    bytes, so that its receiver can tell it has it already. `force` lets an invoice's mail leave past the due time.

    Refused while one is on its way.
    """
    with transaction.atomic():
        Delivery.objects.select_for_update(of=("self",)).get(pk=delivery.pk)  # two clicks at once make one message
        if _like(delivery).filter(status__in=[State.QUEUED, State.SENDING]).exists():
            raise Refused(_("One is already on its way."))
        _has_somewhere_to_go(delivery)
        payload = _body(delivery)
        event = _tell("delivery.resent", delivery, now=now, by=by, resends=delivery.origin.pk)
        again = anew(delivery, event, now=now)
        again.payload, again.is_forced = payload, force
        again.save(force_insert=True)
        return again


def anew(delivery: Delivery, event: Event, *, now: datetime) -> Delivery:
    """The same message to the same recipient, due at once under an `event` of its own; not saved. A webhook keeps its
    `webhook-id` and its bytes."""
    return Delivery(
        merchant=delivery.merchant,
        event=event,
        invoice=delivery.invoice,
        endpoint=delivery.endpoint,
        channel=delivery.channel,
        template=delivery.template,
        recipient=delivery.recipient,
        copy=delivery.copy,
        message_id=new_message_id() if delivery.channel == Channel.EMAIL else new_webhook_id(),
        webhook_id=delivery.webhook_id,
        payload=delivery.payload,
        next_at=now,
        created_at=now,
    )


def _has_somewhere_to_go(delivery: Delivery) -> None:
    if delivery.channel == Channel.WEBHOOK and not (delivery.endpoint and delivery.endpoint.is_enabled):
        raise Refused(_("Its endpoint is switched off. Switch it on first."))


def _body(delivery: Delivery) -> str:
    """A webhook's bytes as they are stored; written now where they could not be before."""
    if delivery.payload or delivery.channel != Channel.WEBHOOK or delivery.endpoint is None:
        return delivery.payload
    if payload := payload_of(delivery.origin, delivery.endpoint, delivery.invoice):
        return payload
    raise Refused(_("It still cannot be written. The log says more."))


def write(delivery: Delivery) -> None:
    """Store the body of a webhook that could not be written before. Refused while it still cannot, or is not wanted any more."""
    delivery.payload = _body(delivery)
    Delivery.objects.filter(pk=delivery.pk, payload="").update(payload=delivery.payload)


def _like(delivery: Delivery) -> QuerySet[Delivery]:
    """Every message that says the same to the same recipient: of a webhook the same bytes, of a mail the same kind about the
    same invoice, or about the same event where there is no invoice, or several refunds of it have mails of one kind."""
    same = Delivery.objects.filter(merchant=delivery.merchant, channel=delivery.channel, template=delivery.template, recipient=delivery.recipient)
    if delivery.channel == Channel.WEBHOOK:
        return same.filter(webhook_id=delivery.webhook_id)
    origin = delivery.origin
    if delivery.invoice and "refund" not in origin.facts:
        return same.filter(invoice=delivery.invoice)
    return same.filter(Q(event=origin) | Q(event__facts__resends=origin.pk), invoice=delivery.invoice)
