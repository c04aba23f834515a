"""Mail: a lane for each mail server, which is one connection that sends many, and what the servers' refusals mean."""

from __future__ import annotations

import queue
import smtplib
import threading
import time
from collections import Counter
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.translation import gettext as _

from notifications import outbox
from notifications.mail import emails, mailservers
from notifications.models import Channel, Delivery, MailServer
from notifications.transports import Outcome, readable
from notifications.transports.hands import Job, watched
from notifications.transports.message import build
from notifications.transports.smtp import Unusable, hang_up

AHEAD = 6  # mails that a lane may hold, the one on its way counted
MANY = 100  # mails over one connection; mail servers like to see a new one now and then
DEADLINE = 60.0  # seconds for one mail, whatever the server drips
STALE = 45.0  # seconds after which what was claimed is given back: together they are less than a lease


class EmailTransport:
    """Sends mails, those of each mail server one after the other in a thread of its own."""

    channel = Channel.EMAIL

    def __init__(self) -> None:
        self.done: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.lanes: dict[int | None, Lane] = {}
        self.running: set[Job] = set()
        self.held: Counter[int | None] = Counter()

    def claim(self, *, now: datetime, limit: int | None = None) -> list[Delivery]:
        """What the lanes have room for. A lane gets more when half of what it may hold is gone, and nothing once it is down."""
        room = AHEAD if limit is None else limit
        busy = {key: room if (lane.is_down or self.held[key] > room // 2) else self.held[key] for key, lane in self.lanes.items()}
        if busy.get(None) == room and len(self.lanes) == 1 and not MailServer.objects.filter(is_enabled=True).exists():
            return []
        claimed = outbox.claim(self.channel, now=now, limit=room, busy=busy)
        self.held.update(mailservers.lane_of(delivery) for delivery in claimed)
        return claimed

    def prepare(self, delivery: Delivery, *, now: datetime) -> Job:
        """In the main thread: write the mail. Withheld when it no longer holds."""
        key = mailservers.lane_of(delivery)
        letter = emails.write(delivery, now=now)
        message = build(delivery, letter, now=now, lane=key)
        return Job(delivery, delivery.lease, key, lambda lane: lane.send(message), letter=letter, claimed=time.monotonic())

    def start(self, job: Job) -> None:
        if job.lane not in self.lanes:
            self.lanes[job.lane] = Lane(mailservers.connection(job.lane), self.done)
        self.running.add(job)
        self.lanes[job.lane].inbox.put(job)

    def recorded(self, job: Job) -> None:
        self.running.discard(job)
        job.written.set()

    def dropped(self, delivery: Delivery) -> None:
        """It was claimed, and has left this sender's hands."""
        self.held[mailservers.lane_of(delivery)] -= 1

    def rest(self) -> None:
        """No more is claimed: what the lanes have not begun with is given back, for whoever claims next."""
        for lane in self.lanes.values():
            lane.is_resting = True

    def watch(self) -> None:
        """End what has taken too long."""
        late = time.monotonic() - DEADLINE
        for job in self.running:
            if 0 < job.began < late and not job.exchange.is_over:
                job.exchange.end()

    def close(self) -> None:
        for job in self.running:
            job.written.set()
        for lane in self.lanes.values():
            lane.inbox.put(None)


class Lane:
    """One mail server, and the thread that talks to it. It sends the next mail only when it is written down how the last one
    went: what kills this process leaves one mail a lane of which nobody knows whether it has left."""

    def __init__(self, connection: BaseEmailBackend, done: queue.SimpleQueue[Job]) -> None:
        self.connection, self.done = connection, done
        self.inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.is_down = False  # it could not be reached: the others of this run are given back untried
        self.is_resting = False  # it begins with nothing more
        self.sent = 0
        threading.Thread(target=self._run, name="mail lane", daemon=True).start()

    def _run(self) -> None:
        while (job := self.inbox.get()) is not None:
            if not self.is_down and not self.is_resting and time.monotonic() - job.claimed < STALE:
                job.run(self)
            self.done.put(job)
            job.written.wait()
        self.hang_up()

    def send(self, message: EmailMultiAlternatives) -> Outcome:
        """One try. The connection is opened with the first mail and kept for the next ones."""
        try:
            self._connect()
        except (OSError, smtplib.SMTPException) as error:
            # About the server or our sign-in at it, not about this mail: every such refusal may pass.
            self.hang_up()
            self.is_down = True
            return Outcome(False, code=_code(error), answer=_answer(error), is_down=True)
        try:
            self.connection.send_messages([message])
        except Exception as error:
            if not _is_about_mail(error):
                raise
            is_down = hangs_up(error)
            if is_down:
                self.hang_up()  # the next one gets a connection of its own
            return Outcome(False, permanent=is_permanent(error), code=_code(error), answer=_answer(error), is_down=is_down)
        self.sent += 1
        told = getattr(getattr(message, "anymail_status", None), "message_id", None)
        return Outcome(True, answer=_("Accepted by the mail server."), provider_id=told if isinstance(told, str) else "")

    def _connect(self) -> None:
        if self.sent and self.sent % MANY == 0:
            self.hang_up()
        self.connection.open()
        plug = getattr(getattr(self.connection, "connection", None), "sock", None)
        if plug is not None:
            watched(plug)

    def hang_up(self) -> None:
        hang_up(self.connection)


def in_words(error: Exception) -> str:
    """'535 The mail server refused our sign-in.', for people."""
    return f"{_code(error)} {_answer(error)}".strip()


def _is_about_mail(error: Exception) -> bool:
    """Whether a mail server or provider, or the way to it, is what went wrong."""
    return isinstance(error, OSError | smtplib.SMTPException) or type(error).__module__.startswith("anymail.")


def hangs_up(error: Exception) -> bool:
    """Whether the connection is of no more use: the server does not answer, or closes."""
    if not isinstance(error, OSError | smtplib.SMTPException):
        return False
    return not isinstance(error, smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused) or _code(error) == "421"


def is_permanent(error: Exception) -> bool:
    """5xx about this mail is final; 4xx, a lost connection, and anything about our own sign-in may pass."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            return all(500 <= code < 600 for code, _text in error.recipients.values())
        case smtplib.SMTPAuthenticationError() | smtplib.SMTPConnectError() | smtplib.SMTPHeloError():
            return False
        case smtplib.SMTPResponseException():
            return 500 <= int(error.smtp_code) < 600
        case smtplib.SMTPNotSupportedError():
            return True  # an address the mail server cannot take, such as one beyond ASCII
    return type(error).__name__ == "AnymailRecipientsRefused"


def _refusal(error: Exception) -> tuple[Any, Any] | None:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return next(iter(error.recipients.values()), None)
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code, error.smtp_error
    if status := getattr(error, "status_code", None):  # a mail provider's API, through anymail
        return status, str(error)
    return None


def _code(error: Exception) -> str:
    found = _refusal(error)
    return str(found[0]) if found else ""


def _answer(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return _("The mail server refused our sign-in.")
    if found := _refusal(error):
        return readable(found[1])
    if isinstance(error, TimeoutError):
        return _("The mail server did not answer in %(count)d s.") % {"count": settings.EMAIL_TIMEOUT or 0}
    if isinstance(error, smtplib.SMTPNotSupportedError | Unusable) or not isinstance(error, OSError | smtplib.SMTPException):
        return readable(str(error))
    return _("The mail server could not be reached, or hung up.")
