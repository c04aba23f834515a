"""What a sender has its work done by: threads that do network work and nothing else.

The main thread of a sender talks to the database. It makes each delivery ready, hands it over as a `Job`, and writes down
what comes back; so a thread that hangs holds no connection, no lock and no transaction.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from notifications.models import Delivery
from notifications.transports import Outcome


class Exchange:
    """One conversation with a receiver, which can be ended from another thread."""

    def __init__(self) -> None:
        self.is_over = False
        self._plug: socket.socket | None = None
        self._lock = threading.Lock()

    def began(self, plug: socket.socket) -> None:
        """`plug` is the connection it is held over. OSError when it was ended before that."""
        copy = socket.socket(fileno=os.dup(plug.fileno()))  # TLS takes the socket over; a second handle on the connection stays with us
        with self._lock:
            if not self.is_over:
                self._forget()
                self._plug = copy
                return
        copy.close()
        raise TimeoutError("It was over before it began.")

    def end(self) -> None:
        """Whoever waits on it is woken by an error."""
        with self._lock:
            self.is_over = True
            if self._plug is not None:
                with contextlib.suppress(OSError):
                    self._plug.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self._lock:
            self.is_over = True
            self._forget()

    def _forget(self) -> None:
        if self._plug is not None:
            self._plug.close()
            self._plug = None


_mine = threading.local()


def watched(plug: socket.socket) -> None:
    """The conversation that this thread holds, if it holds one, goes over `plug`: called by the code that opens connections."""
    exchange: Exchange | None = getattr(_mine, "exchange", None)
    if exchange is not None:
        exchange.began(plug)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[Exchange]:
    """One conversation that this thread holds itself. It is ended after `seconds`, however slowly the receiver goes on."""
    exchange = _mine.exchange = Exchange()
    timer = threading.Timer(seconds, exchange.end)
    timer.daemon = True
    timer.start()
    try:
        yield exchange
    finally:
        timer.cancel()
        _mine.exchange = None
        exchange.close()


def was_ended() -> bool:
    """Whether somebody has ended the conversation that this thread holds."""
    exchange: Exchange | None = getattr(_mine, "exchange", None)
    return exchange is not None and exchange.is_over


@dataclass(eq=False)
class Job:
    """A delivery that is ready to go, and what came of it."""

    delivery: Delivery
    lease: int
    lane: int | None  # the endpoint, or the mail server
    work: Callable[..., Outcome]  # network only; what it is called with is the transport's matter
    is_failing: bool = False  # the lane's last try failed
    letter: Any = None  # of a mail: what is kept of it
    claimed: float = 0.0  # time.monotonic
    outcome: Outcome | None = None  # None after all: it was not tried
    error: Exception | None = None
    began: float = 0.0  # time.monotonic
    took_ms: int = 0
    exchange: Exchange = field(default_factory=Exchange)
    written: threading.Event = field(default_factory=threading.Event)  # how it went is in the database

    def run(self, *arguments: Any) -> None:
        """In a thread: do the work, and keep what came of it."""
        _mine.exchange = self.exchange
        self.began = time.monotonic()
        try:
            self.outcome = self.work(*arguments)
        except Exception as error:  # the main thread logs it
            self.error = error
        finally:
            self.took_ms = round((time.monotonic() - self.began) * 1000)
            _mine.exchange = None
            self.exchange.close()
