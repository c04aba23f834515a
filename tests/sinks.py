"""Where messages of a journey arrive: a real mail server and a real web server on this machine."""

from __future__ import annotations

import email
import email.policy
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Generic, TypeVar

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.stack import free_port

Kept = TypeVar("Kept")


class Box(Generic[Kept]):
    """What has arrived, in order; written by the server's thread, read by the test's."""

    def __init__(self) -> None:
        self._kept: list[Kept] = []
        self._news = threading.Condition()

    def put(self, thing: Kept) -> None:
        with self._news:
            self._kept.append(thing)
            self._news.notify_all()

    def all(self) -> list[Kept]:
        with self._news:
            return list(self._kept)

    def clear(self) -> None:
        with self._news:
            self._kept.clear()

    def wait_for(self, wanted: Callable[[Kept], bool], timeout: float = 45.0) -> Kept:
        """The first that is wanted, as soon as it is there. AssertionError, with what came instead, when it does not come."""
        until = time.monotonic() + timeout
        with self._news:
            while True:
                if found := next((thing for thing in self._kept if wanted(thing)), None):
                    return found
                left = until - time.monotonic()
                if left <= 0 or not self._news.wait(left):
                    came = "\n".join(str(thing)[:300] for thing in self._kept) or "nothing"
                    raise AssertionError(f"Waited {timeout:.0f} seconds; what came instead:\n{came}")


@dataclass
class Mail:
    """One mail as the server took it."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    raw: bytes

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return str(part.get_content()).replace("\r\n", "\n") if part else ""

    def __str__(self) -> str:
        return f"{self.subject!r} to {', '.join(self.recipients)}"


class MailSink(Box[Mail]):
    """A mail server on a free loopback port that keeps what it is given, or answers as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: str | None = None  # such as '451 Try later'; None takes the mail
        self.controller = Controller(_Taker(self), hostname="127.0.0.1", port=free_port())

    @property
    def url(self) -> str:
        """EMAIL_URL for it."""
        return f"smtp://127.0.0.1:{self.controller.port}"

    def to(self, recipient: str, subject: str = "", timeout: float = 45.0) -> Mail:
        """The first mail to `recipient` with `subject` in its subject."""
        return self.wait_for(lambda mail: recipient in mail.recipients and subject in mail.subject, timeout)

    def __enter__(self) -> MailSink:
        self.controller.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.controller.stop()


class _Taker:
    def __init__(self, sink: MailSink) -> None:
        self.sink = sink

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.sink.answer:
            return self.sink.answer
        raw = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        message = email.message_from_bytes(raw, policy=email.policy.default)
        self.sink.put(Mail(envelope.mail_from or "", list(envelope.rcpt_tos), message, raw))
        return "250 Kept"


@dataclass
class Received:
    """One request as it came: the body byte for byte, headers with their names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    answered: int
    at: float = field(default_factory=time.monotonic)


@dataclass
class Answer:
    status: int = 200
    body: bytes = b"Success"
    headers: dict[str, str] = field(default_factory=dict)
    after_seconds: float = 0.0


class WebSink(Box[Received]):
    """A web server on a free loopback port that keeps every request, and answers as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = Answer()  # to every request, unless one is in `next`
        self.next: list[Answer] = []  # one each, first in first out
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def take_answer(self) -> Answer:
        with self._lock:
            return self.next.pop(0) if self.next else self.answer

    def __enter__(self) -> WebSink:
        self._thread.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def _handler(sink: WebSink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = sink.take_answer()
            sink.put(Received(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body, answer.status))
            if answer.after_seconds:
                time.sleep(answer.after_seconds)
            try:
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)
            except (BrokenPipeError, ConnectionResetError):
                return  # it did not wait for a late answer, as it should

        do_GET = do_POST = do_PUT = do_HEAD = take

        def log_message(self, *_arguments: object) -> None:
            """Nothing: the test looks into the box."""

    return Handler
