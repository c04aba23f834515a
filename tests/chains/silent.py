"""A node that takes every connection and never says a word."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType


class Silent:
    """Listens on loopback. `asked` is set once somebody has come; after `let_go` it breaks every connection off at once."""

    def __init__(self) -> None:
        self.asked, self.count = threading.Event(), 0
        self._hangs_up = False
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._take, daemon=True)
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.url = f"http://{self.host}"

    def __enter__(self) -> Silent:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self.let_go()
        self._socket.close()

    def _take(self) -> None:
        while True:
            try:
                taken, _address = self._socket.accept()
            except OSError:
                return
            self.count += 1
            if self._hangs_up:
                taken.close()
            else:
                self._open.append(taken)
            self.asked.set()

    def let_go(self) -> None:
        self._hangs_up = True
        while self._open:
            self._open.pop().close()
