"""GET, and nothing more: the one seam from price sources to the network."""

from __future__ import annotations

import time
from types import TracebackType

import requests
from django.utils.translation import gettext as _
from urllib3.exceptions import HTTPError, TimeoutError

from payments.rates.base import SourceFailed

TIMEOUT = (3, 8)  # seconds to connect, and between two bytes of the answer
DEADLINE = 20  # seconds for everything one source is asked at a time
MOST_BYTES = 1024 * 1024
PIECE = 64 * 1024


class Web:
    """One source, as it is asked once: its answers are bounded in time and size, and it cannot lead elsewhere."""

    def __init__(self, label: str, url: str, *, deadline: float = DEADLINE) -> None:
        self.label, self.url = label, url.rstrip("/")
        self.until = time.monotonic() + deadline

    def __enter__(self) -> Web:
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy, no .netrc: the operator wrote down whom to ask
        self.session.headers.update({"user-agent": "Quittance/1", "accept-encoding": "identity"})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.session.close()

    def get(self, path: str, **params: str) -> bytes:
        """The body of a 200. SourceFailed for every other answer, and for none."""
        self._hurry()
        try:
            answer = self.session.get(self.url + path, params=params, timeout=TIMEOUT, allow_redirects=False, stream=True)
            with answer:
                if answer.status_code != requests.codes.ok:
                    raise SourceFailed(_("%(source)s answered %(status)s.") % {"source": self.label, "status": answer.status_code})
                return self._read(answer)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise SourceFailed(_("%(source)s cannot be reached: %(why)s.") % {"source": self.label, "why": _in_words(error)}, is_away=True) from None

    def _read(self, answer: requests.Response) -> bytes:
        body = b""
        while piece := answer.raw.read1(PIECE):
            body += piece
            if len(body) > MOST_BYTES:
                raise SourceFailed(_("%(source)s answered with too much.") % {"source": self.label})
            self._hurry()
        return body

    def _hurry(self) -> None:
        if time.monotonic() > self.until:
            raise SourceFailed(_("%(source)s was too slow.") % {"source": self.label}, is_away=True)


def _in_words(error: Exception) -> str:
    """Without the address that was asked: it can hold a key."""
    match error:
        case requests.exceptions.SSLError():
            return _("its certificate is not good")
        case requests.exceptions.Timeout() | TimeoutError():
            return _("it took too long")
        case _other:
            return _("the connection failed")
