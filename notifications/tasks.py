"""The hands of the outbox. Each task asks the clock and makes one domain call, again while there is more to do."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator

from celery import Task, shared_task

from merchants import clock, haste
from notifications import courier, fanout, outbox
from notifications.webhooks import replays

log = logging.getLogger(__name__)
BUSY = 20.0  # seconds until a task hands over to the next tick
_at_work = {"email": threading.Lock(), "webhook": threading.Lock()}


def _turns(seconds: float = BUSY) -> Iterator[None]:
    until = time.monotonic() + seconds
    while True:
        yield
        if time.monotonic() >= until:
            return


@shared_task(name="notifications.tasks.fan_out")
def fan_out() -> None:
    """Events that wait become deliveries; whoever sends them is woken."""
    woken: set[str] = set()
    for _turn in _turns():
        done = fanout.run(clock.now())
        woken |= done.channels
        if not done.events:
            break
    for channel in sorted(woken):
        haste.wake(SENDERS[channel].name)


@shared_task(name="notifications.tasks.send_email")
def send_email() -> None:
    """Due mails leave."""
    _send("email")


@shared_task(name="notifications.tasks.send_webhooks")
def send_webhooks() -> None:
    """Due webhooks leave."""
    _send("webhook")


def _send(channel: str) -> None:
    """One sender of a channel claims in each process: a second one would only share its places. When its turn is over the next
    one claims, while this one sees to the end what is still on its way: who answers slowly holds up nobody else."""
    if not _at_work[channel].acquire(blocking=False):
        return
    with contextlib.ExitStack() as mark:
        mark.callback(_at_work[channel].release)

        def hand_over() -> None:
            mark.close()
            haste.wake(SENDERS[channel].name)

        courier.keep_sending(channel, seconds=BUSY, hand_over=hand_over)


@shared_task(name="notifications.tasks.release_abandoned")
def release_abandoned() -> None:
    """What a dead worker held waits again, or is shown; what an endpoint missed goes out, if whoever began with it is gone."""
    now = clock.now()
    outbox.release_abandoned(now)
    replays.go_on(now)


SENDERS: dict[str, Task] = {"email": send_email, "webhook": send_webhooks}


def hurry(**_kwargs: object) -> None:
    """Receiver of `merchants.signals.event_recorded`."""
    haste.wake(fan_out.name)
