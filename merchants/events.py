"""What happened, written in the same transaction as the change it tells of."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.db import models, transaction

from merchants.models import Event, Merchant, User
from merchants.signals import event_recorded


def record(
    kind: str,
    *,
    merchant: Merchant,
    subject: models.Model,
    now: datetime,
    by: User | None = None,
    facts: dict[str, Any] | None = None,
) -> Event:
    """Write the event `kind` about `subject`; must run inside the transaction of the change itself.

    `facts` is JSON, self-contained: messages are built from it, later. `by` is the member who did it, None
    for the system or a payer.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("An event is recorded in the transaction of the change it tells of.")
    event = Event.objects.create(
        merchant=merchant,
        kind=kind,
        subject_kind=str(subject._meta.model_name),
        subject_id=subject.pk,
        actor=by,
        actor_name=by.display_name if by else "",
        facts=facts or {},
        at=now,
    )
    transaction.on_commit(partial(event_recorded.send_robust, sender=Event, event_id=event.pk))
    return event
