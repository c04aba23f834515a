"""One round of a channel: claim what is due, try each, write down how it went."""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from notifications import outbox
from notifications.models import Channel, Delivery
from notifications.transports import Outcome, Withheld
from notifications.transports.email import EmailTransport
from notifications.transports.webhook import WebhookTransport

log = logging.getLogger(__name__)

# At most as many as can all time out within one lease.
TRANSPORTS: dict[str, tuple[type[AbstractContextManager[Any]], int]] = {
    Channel.EMAIL: (EmailTransport, 5),
    Channel.WEBHOOK: (WebhookTransport, 2),
}


def round_of(channel: str, *, now: datetime) -> int:
    """Try the next due deliveries of `channel` once each; how many there were. The times written count from `now`."""
    make, limit = TRANSPORTS[channel]
    claimed = outbox.claim(channel, now=now, limit=limit)
    if not claimed:
        return 0
    began = time.monotonic()
    with make() as transport:
        for delivery in claimed:
            _try(transport, delivery, now=now, began=began)
    return len(claimed)


def _try(transport: Any, delivery: Delivery, *, now: datetime, began: float) -> None:
    lease, started = delivery.lease, time.monotonic()
    try:
        outcome: Outcome = transport.send(delivery, now=now + _since(began))
    except Withheld as withheld:
        outbox.cancel(delivery, reason=withheld.reason, lease=lease, is_held=withheld.is_held, now=now + _since(began))
        return
    except Exception as error:
        log.exception("Delivery %s could not be sent.", delivery.pk)
        outcome = Outcome(False, answer=f"It could not be made ready: {type(error).__name__}. The log says more.")
    took = round((time.monotonic() - started) * 1000)
    outbox.finish(delivery, lease=lease, outcome=outcome, duration_ms=took, now=now + _since(began))


def _since(began: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - began)
