"""Where the messages arrive: a mail server that takes everything, and a receiver that fails, stalls and drops."""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

from tests.stack import free_port

MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>]+>)", re.IGNORECASE | re.MULTILINE)
STALL = 17.0  # seconds; longer than the sender waits for an answer


@dataclass(frozen=True)
class Arrival:
    name: str  # Message-ID or webhook-id
    at: float  # time.time
    was_taken: bool  # answered as received; what was not is rightly sent again


class Sink:
    def __init__(self) -> None:
        self._arrivals: list[Arrival] = []
        self._lock = threading.Lock()

    def came(self, name: str, *, was_taken: bool = True) -> None:
        with self._lock:
            self._arrivals.append(Arrival(name, time.time(), was_taken))

    def arrivals(self) -> list[Arrival]:
        with self._lock:
            return list(self._arrivals)

    def taken(self) -> Counter[str]:
        return Counter(arrival.name for arrival in self.arrivals() if arrival.was_taken)


class Mails(Sink):
    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        found = MESSAGE_ID.search(envelope.content)
        self.came(found.group(1).decode() if found else "nameless")
        return "250 Kept"

    def __enter__(self) -> Mails:
        logging.getLogger("mail.log").setLevel(logging.WARNING)  # it writes a line for each command
        self.controller.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.controller.stop()


class Webhooks(Sink):
    """Of a hundred requests six are answered 500, four 503, four are dropped and one stalls, drawn from a fixed seed."""

    def __init__(self) -> None:
        super().__init__()
        self.moods = Counter[str]()
        self._draw = random.Random(6)
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def mood(self) -> str:
        with self._lock:
            drawn = self._draw.choices(["well", "fails", "full", "drops", "stalls"], [850, 60, 40, 40, 10])[0]
            self.moods[drawn] += 1
            return drawn

    def __enter__(self) -> Webhooks:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, _request: Any, _address: Any) -> None:
        """The sender was killed, or did not wait."""


def _handler(sink: Webhooks) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            mood = sink.mood()
            sink.came(self.headers["webhook-id"], was_taken=mood == "well")
            self.close_connection = True
            if mood == "stalls":
                time.sleep(STALL)
            elif mood != "drops":
                status = {"well": 200, "fails": 500, "full": 503}[mood]
                self.wfile.write(f"HTTP/1.1 {status} .\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

        def log_message(self, *_arguments: object) -> None:
            """Nothing: the test looks into the sink."""

    return Handler
