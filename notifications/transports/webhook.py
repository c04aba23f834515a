"""Webhooks: a signed POST of the stored bytes."""

from __future__ import annotations

import queue
import re
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy

import requests
from django.conf import settings
from django.utils.translation import gettext as _
from urllib3.exceptions import HTTPError

from notifications import outbox
from notifications.models import Channel, Delivery, Endpoint
from notifications.transports import Outcome, Withheld, readable
from notifications.transports.guard import CONNECT, AddressRefused, GuardedAdapter, objection
from notifications.transports.hands import Job, was_ended
from notifications.webhooks import formats

PLACES = 32  # webhooks on their way at once
DEADLINE = 20.0  # seconds for the whole exchange, connecting included, whatever drips in
READ = 2000  # bytes of the answer


@dataclass(frozen=True)
class Request:
    """Everything that the thread which posts it has to know."""

    url: str
    body: bytes
    headers: dict[str, str]
    loopback_ok: bool
    is_received: Callable[[int, bytes], bool]
    now: datetime  # for a date in Retry-After


class WebhookTransport:
    """Sends webhooks by up to PLACES threads. A connection for each: one that was kept may be closed by its other end just
    as it is used, and what was sent then has failed through no fault of anybody. No cookies, proxies or .netrc."""

    channel = Channel.WEBHOOK

    def __init__(self) -> None:
        self.done: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.threads = ThreadPoolExecutor(PLACES, thread_name_prefix="webhook")
        self.running: set[Job] = set()
        self.sessions = {ok: _session(ok) for ok in (False, True)}

    def claim(self, *, now: datetime, limit: int | None = None) -> list[Delivery]:
        free = PLACES - len(self.running)
        if free <= 0:
            return []
        failing = PLACES // 2 - Counter(job.is_failing for job in self.running)[True]
        return outbox.claim(self.channel, now=now, limit=free if limit is None else min(free, limit), failing=failing)

    def prepare(self, delivery: Delivery, *, now: datetime) -> Job:
        """In the main thread. Withheld when its endpoint is gone; Refused while its body cannot be written."""
        endpoint = delivery.endpoint
        if endpoint is None or endpoint.removed_at is not None:
            raise Withheld(_("The endpoint was removed before this could be sent."))
        loopback_ok = settings.WEBHOOK_ALLOW_LOOPBACK and delivery.merchant.is_test
        job = Job(delivery, delivery.lease, endpoint.pk, lambda: Outcome(False), is_failing=endpoint.failures > 0)
        if reason := objection(endpoint.url, loopback_ok):
            job.work = lambda: Outcome(False, permanent=True, answer=reason)
            return job
        if not delivery.payload:
            outbox.write(delivery)
        wire, headers = formats.wire(endpoint), request_headers(delivery, endpoint, now)
        request = Request(endpoint.url, delivery.payload.encode(), headers, loopback_ok, wire.is_received, now)
        job.work = lambda: post(self.sessions[loopback_ok], request)
        return job

    def start(self, job: Job) -> None:
        self.running.add(job)
        job.began = time.monotonic()
        self.threads.submit(self._run, job)

    def _run(self, job: Job) -> None:
        job.run()
        self.done.put(job)

    def recorded(self, job: Job) -> None:
        self.running.discard(job)

    def dropped(self, delivery: Delivery) -> None:
        """It was claimed, and has left this sender's hands."""

    def rest(self) -> None:
        """No more is claimed: what was is on its way, or is about to be."""

    def watch(self) -> None:
        """End what has taken too long. The thread comes back with an error as soon as it notices."""
        late = time.monotonic() - DEADLINE
        for job in self.running:
            if job.began < late and not job.exchange.is_over:
                job.exchange.end()

    def close(self) -> None:
        self.threads.shutdown(wait=False)
        for session in self.sessions.values():
            session.close()


class _Session(requests.Session):
    def get_redirect_target(self, _response: requests.Response) -> None:
        """None is taken for a redirect: of one, the whole body would be read and its address made sense of, though it is not followed."""


def _session(loopback_ok: bool) -> requests.Session:
    session = _Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = GuardedAdapter(loopback_ok=loopback_ok)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def post(session: requests.Session, request: Request) -> Outcome:
    """In a thread: one POST, and what its answer means."""
    began = time.monotonic()
    try:
        with session.post(
            request.url,
            data=request.body,
            headers=request.headers,
            timeout=(CONNECT, DEADLINE),
            allow_redirects=False,  # a redirect could lead anywhere
            stream=True,
        ) as response:
            if was_ended():  # the head of the answer broke off where we cut it: what there is of it says nothing
                raise requests.ReadTimeout
            body = _read(response, began)
            answer = (response.status_code, response.reason, response.headers.get("retry-after", ""), body)
            return judge(*answer, request)
    except AddressRefused as error:
        return Outcome(False, permanent=True, answer=str(error), request=request.headers)
    except requests.RequestException as error:
        return Outcome(False, answer=_in_words(error, time.monotonic() - began), is_down=True, request=request.headers)


def request_headers(delivery: Delivery, endpoint: Endpoint, now: datetime) -> dict[str, str]:
    """All headers of the request but those of HTTP itself. Those of its format say when it is signed."""
    signed = formats.wire(endpoint).headers(delivery, endpoint, at=now)
    return {"user-agent": "Quittance/1", "accept-encoding": "identity", "connection": "close", **signed}


def judge(status: int, phrase: str | None, retry_after: str, body: bytes, request: Request) -> Outcome:
    """What an answer means: received, if the format says so; 410 is final; everything else is worth another try."""
    received = request.is_received(status, body)
    wish = parse_retry_after(retry_after, request.now) if status in (429, 503) else None
    return Outcome(
        received,
        permanent=status == 410,
        code=str(status),
        answer=_said(status, body, phrase, received),
        retry_after=wish,
        is_down=status == 429 or status >= 500,
        request=request.headers,
    )


def _said(status: int, body: bytes, phrase: str | None, received: bool) -> str:
    answer = readable(body or phrase or "")
    if 300 <= status < 400:
        return _("It redirects. Webhooks do not follow; write the address it leads to.")
    if 200 <= status < 300 and not received:
        return readable(_("Its answer does not say 'success', which this format asks for: %(answer)s") % {"answer": answer})
    return answer


def parse_retry_after(text: str, now: datetime) -> timedelta | None:
    """'120' or an HTTP date → how long; None for anything else."""
    if re.fullmatch(r"\s*\d{1,9}\s*", text):
        return timedelta(seconds=int(text))
    try:
        until = parsedate_to_datetime(text)
        return max((until if until.tzinfo else until.replace(tzinfo=UTC)) - now, timedelta())
    except (ValueError, OverflowError):
        return None


def _read(response: requests.Response, began: float) -> bytes:
    """The first bytes of the answer; what comes after the deadline is left unread."""
    body = b""
    try:
        while len(body) < READ and time.monotonic() - began < DEADLINE:
            piece = response.raw.read1(READ - len(body))
            if not piece:
                break
            body += piece
    except (HTTPError, OSError):  # the status has been answered; a broken body changes nothing
        return body
    return body


def _in_words(error: requests.RequestException, seconds: float) -> str:
    """A failure to talk, in a sentence, without the addresses and object names of the libraries."""
    if seconds >= DEADLINE or was_ended():
        return _("No answer in %(count)d s.") % {"count": DEADLINE}
    match error:
        case requests.exceptions.ConnectTimeout():
            return _("It could not be reached in %(count)d s.") % {"count": CONNECT}
        case requests.exceptions.Timeout():
            return _("No answer in %(count)d s.") % {"count": DEADLINE}
        case requests.exceptions.SSLError():
            return _("Its certificate cannot be trusted, or it does not speak TLS.")
        case requests.exceptions.InvalidURL():
            return _("Its address cannot be used. Save another one.")
    text = str(error)
    if "NameResolutionError" in text or "Failed to resolve" in text:
        return _("Its name is not known to the domain name system.")
    if "refused" in text:
        return _("It refused the connection.")
    return _("The connection broke off before it answered.")
