"""Sending: claim what is due as long as there is a place for it, hand it to a thread, write down how it went."""

from __future__ import annotations

import logging
import queue
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction

from merchants import clock
from notifications import breaker, outbox
from notifications.mail import copies
from notifications.models import Channel, Delivery, Endpoint, MailServer
from notifications.transports import Outcome, Withheld
from notifications.transports.email import EmailTransport
from notifications.transports.hands import Job
from notifications.transports.webhook import WebhookTransport

log = logging.getLogger(__name__)
TRANSPORTS: dict[str, type[EmailTransport | WebhookTransport]] = {Channel.EMAIL: EmailTransport, Channel.WEBHOOK: WebhookTransport}
GLANCE = 0.05  # seconds between two looks at what has become due, and at what takes too long


def round_of(channel: str, *, now: datetime, limit: int | None = None) -> int:
    """Try the next due deliveries of `channel` once each, and return when all have been; how many there were. The times written
    count from `now`."""
    began = time.monotonic()
    sender = Sender(channel, lambda: now + timedelta(seconds=time.monotonic() - began))
    return sender.round(limit)


def keep_sending(channel: str, *, seconds: float, hand_over: Callable[[], object] = bool) -> int:
    """Send what is due and what becomes due, as places get free, for `seconds` at most; then `hand_over`, and see to the end what
    is still on its way. Returns earlier when there is nothing left. How many were tried."""
    return Sender(channel, clock.now).run(seconds, hand_over)


class Sender:
    """Everything here happens in one thread; those of the transport do network work only."""

    def __init__(self, channel: str, ask_time: Callable[[], datetime]) -> None:
        self.now = ask_time
        self.transport = TRANSPORTS[channel]()
        self.waiting: deque[Delivery] = deque()  # claimed, and not handed over yet
        self.tried = 0

    def round(self, limit: int | None) -> int:
        try:
            claimed = self._claim(limit)
            while self.waiting or self.transport.running:
                self._step()
            return claimed
        finally:
            self.transport.close()

    def run(self, seconds: float, hand_over: Callable[[], object]) -> int:
        until = time.monotonic() + seconds
        look, is_over = 0.0, False
        try:
            while True:
                moment = time.monotonic()
                if not self.waiting and look <= moment < until:
                    look = 0.0 if self._claim(None) else moment + GLANCE
                if not self.waiting and not self.transport.running:
                    return self.tried
                if moment >= until and not is_over:
                    is_over = True
                    self.transport.rest()
                    hand_over()
                if self._step():
                    look = 0.0
        finally:
            self.transport.close()

    def _claim(self, limit: int | None) -> int:
        claimed = self.transport.claim(now=self.now(), limit=limit)
        self.waiting.extend(claimed)
        return len(claimed)

    def _step(self) -> bool:
        """Write down what has come back, and hand over the next one. Whether anything came back."""
        came = self._take(wait=not self.waiting)
        for job in came:
            self._take_back(job)
        if self.waiting:
            self._hand_over(self.waiting.popleft())
        self.transport.watch()
        return bool(came)

    def _take(self, *, wait: bool) -> list[Job]:
        came: list[Job] = []
        try:
            if wait and self.transport.running:
                came.append(self.transport.done.get(timeout=GLANCE))
            while True:
                came.append(self.transport.done.get_nowait())
        except queue.Empty:
            return came

    def _hand_over(self, delivery: Delivery) -> None:
        try:
            if job := self._ready(delivery):
                self.transport.start(job)
                return
        except Exception:  # its lease ends, and it waits again; the others go on
            log.exception("What became of delivery %s could not be written down.", delivery.pk)
        self.tried += 1
        self.transport.dropped(delivery)

    def _ready(self, delivery: Delivery) -> Job | None:
        """What is handed over; None when that cannot be, which is written down."""
        lease = delivery.lease
        try:
            return self.transport.prepare(delivery, now=self.now())
        except Withheld as withheld:
            outbox.cancel(delivery, reason=withheld.reason, lease=lease, is_held=withheld.is_held, now=self.now())
        except Exception as error:
            outbox.finish(delivery, lease=lease, outcome=_not_ready(delivery, error), now=self.now())
        return None

    def _take_back(self, job: Job) -> None:
        """Whatever happens to one of them, the others that are on their way are written down."""
        try:
            self._write_down(job)
        except Exception:  # its lease ends, and it waits again
            log.exception("What became of delivery %s could not be written down.", job.delivery.pk)
        self.transport.recorded(job)
        self.transport.dropped(job.delivery)

    def _write_down(self, job: Job) -> None:
        """How a try went, and what that says of its receiver; a mail that was taken is kept."""
        delivery, now = job.delivery, self.now()
        outcome = _not_understood(delivery, job.error) if job.error else job.outcome
        if outcome is None:
            outbox.put_back(delivery, lease=job.lease)
            return
        self.tried += 1
        receiver = _receiver(job)
        with transaction.atomic():
            ended = outbox.finish(delivery, lease=job.lease, outcome=outcome, duration_ms=job.took_ms, now=now)
            if receiver:
                breaker.heard(receiver, outcome, now=now)
        if ended and outcome.ok and job.letter:
            _keep(delivery, job, now)
        if isinstance(receiver, Endpoint):
            breaker.give_up_on(receiver, outcome, now=now)
        elif isinstance(receiver, MailServer):
            breaker.warn_of(receiver, outcome, now=now)


def _receiver(job: Job) -> breaker.Receiver | None:
    """Who is counted for how it answers. The installation's mail server is not: a mail that it cannot take waits as it must; nor
    is a merchant's for a mail that we could not hand to it."""
    if job.delivery.channel == Channel.WEBHOOK:
        return job.delivery.endpoint
    return MailServer(pk=job.lane) if job.lane is not None and not job.error else None


def _not_understood(delivery: Delivery, error: Exception) -> Outcome:
    """A try that ended in an error nobody foresaw. Of a webhook that is for what its receiver answered."""
    log.error("Delivery %s could not be sent.", delivery.pk, exc_info=error)
    return Outcome(False, answer=f"It could not be sent: {type(error).__name__}. The log says more.", is_down=True)


def _not_ready(delivery: Delivery, error: Exception) -> Outcome:
    log.error("Delivery %s could not be sent.", delivery.pk, exc_info=error)
    return Outcome(False, answer=f"It could not be made ready: {type(error).__name__}. The log says more.")


def _keep(delivery: Delivery, job: Job, now: datetime) -> None:
    try:
        copies.keep(delivery, job.letter, now)
    except Exception:  # it has left; without its copy it is sent all the same
        log.exception("The copy of delivery %s could not be kept.", delivery.pk)
