"""Webhooks: a signed POST of the stored bytes."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType

import requests
from django.conf import settings
from django.utils.translation import gettext as _
from urllib3.exceptions import HTTPError

from merchants import clock
from notifications import endpoints, signing
from notifications.models import Delivery, Endpoint
from notifications.transports import Outcome, Withheld, readable
from notifications.transports.guard import AddressRefused, GuardedAdapter, objection

TIMEOUT = (5, 15)  # seconds to connect, and between two bytes of the answer
DEADLINE = 20  # seconds for the whole answer
READ = 2000  # bytes of it


class WebhookTransport:
    """Sends webhooks. One session for a batch: connections are kept, cookies, proxies and .netrc are not."""

    def __enter__(self) -> WebhookTransport:
        self.sessions = {ok: self._session(ok) for ok in (False, True)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for session in self.sessions.values():
            session.close()

    @staticmethod
    def _session(loopback_ok: bool) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        adapter = GuardedAdapter(loopback_ok=loopback_ok)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def send(self, delivery: Delivery, *, now: datetime) -> Outcome:
        """One try. Withheld when the endpoint has been switched off; a 410 switches it off."""
        endpoint = delivery.endpoint
        if endpoint is None or not endpoint.is_enabled:
            raise Withheld(_("The endpoint was switched off before this could be sent."))
        outcome = self._post(delivery, endpoint, now)
        if outcome.code == "410":
            endpoints.disable(endpoint, reason=_("It answered 410 Gone."), now=now)
        return outcome

    def _post(self, delivery: Delivery, endpoint: Endpoint, now: datetime) -> Outcome:
        loopback_ok = settings.WEBHOOK_ALLOW_LOOPBACK and delivery.merchant.is_test
        if reason := objection(endpoint.url, loopback_ok):
            return Outcome(False, permanent=True, answer=reason)
        began = time.monotonic()
        try:
            with self.sessions[loopback_ok].post(
                endpoint.url,
                data=delivery.payload.encode(),
                headers=request_headers(delivery, endpoint, now),
                timeout=TIMEOUT,
                allow_redirects=False,  # a redirect could lead anywhere
                stream=True,
            ) as response:
                return judge(response.status_code, response.reason, response.headers.get("retry-after", ""), _read(response, began), now)
        except AddressRefused as error:
            return Outcome(False, permanent=True, answer=str(error))
        except requests.RequestException as error:
            return Outcome(False, answer=_in_words(error))
        finally:
            self.sessions[loopback_ok].cookies.clear()


def request_headers(delivery: Delivery, endpoint: Endpoint, now: datetime) -> dict[str, str]:
    """All headers of the request but those of HTTP itself. The signed time is the real one, which a receiver checks
    against its own clock; a demonstration's moved clock is not."""
    signed = signing.headers(endpoints.keys_of(endpoint, now=now), webhook_id=delivery.webhook_id, at=now - clock.offset(), body=delivery.payload)
    return {"content-type": "application/json", "user-agent": "Quittance/1", "accept-encoding": "identity", **signed}


def judge(status: int, phrase: str | None, retry_after: str, body: bytes, now: datetime) -> Outcome:
    """What an answer means: 2xx is received; 410 is final; everything else is worth another try."""
    answer = readable(body) or phrase or ""
    wish = parse_retry_after(retry_after, now) if status in (429, 503) else None
    if 300 <= status < 400:
        answer = _("It redirects. Webhooks do not follow; write the address it leads to.")
    return Outcome(200 <= status < 300, permanent=status == 410, code=str(status), answer=answer, retry_after=wish)


def parse_retry_after(text: str, now: datetime) -> timedelta | None:
    """'120' or an HTTP date → how long; None for anything else."""
    if re.fullmatch(r"\s*\d{1,9}\s*", text):
        return timedelta(seconds=int(text))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((until if until.tzinfo else until.replace(tzinfo=UTC)) - now, timedelta())


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


def _in_words(error: requests.RequestException) -> str:
    """A failure to talk, in a sentence, without the addresses and object names of the libraries."""
    match error:
        case requests.exceptions.ConnectTimeout():
            return _("It could not be reached in %(count)d s.") % {"count": TIMEOUT[0]}
        case requests.exceptions.Timeout():
            return _("No answer in %(count)d s.") % {"count": TIMEOUT[1]}
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
