"""The hands of the outbox. Each task asks the clock and makes one domain call, again while there is more to do."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from celery import Task, shared_task

from merchants import clock, haste
from notifications import courier, fanout, outbox

log = logging.getLogger(__name__)
BUSY = 20.0  # seconds until a task hands over to the next tick


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


@shared_task(name="notifications.tasks.send_email", soft_time_limit=150, time_limit=180)
def send_email() -> None:
    """Due mails leave."""
    for _turn in _turns():
        if not courier.round_of("email", now=clock.now()):
            return


@shared_task(name="notifications.tasks.send_webhooks", soft_time_limit=150, time_limit=180)
def send_webhooks() -> None:
    """Due webhooks leave."""
    for _turn in _turns():
        if not courier.round_of("webhook", now=clock.now()):
            return


@shared_task(name="notifications.tasks.release_abandoned")
def release_abandoned() -> None:
    """What a dead worker held waits again, or is shown."""
    outbox.release_abandoned(clock.now())


SENDERS: dict[str, Task] = {"email": send_email, "webhook": send_webhooks}


def hurry(**_kwargs: object) -> None:
    """Receiver of `merchants.signals.event_recorded`."""
    haste.wake(fan_out.name)
