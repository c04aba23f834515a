"""A node that stands in front of a real one and lies, lags, or falls silent as a test wants."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import requests

Bend = Callable[[str, list[Any], Any], Any]  # method, params and the true result → what is answered


class Denied(Exception):
    """Raised by a `bend`: the façade answers this as an error of JSON-RPC."""


class Facade:
    """Passes JSON-RPC on to `target`. `bend` may change any result; `is_down` breaks every connection off."""

    def __init__(self, target: str, bend: Bend | None = None) -> None:
        self.target, self.bend, self.is_down = target, bend, False
        self.calls: Counter[str] = Counter()
        self._session = requests.Session()
        self._session.trust_env = False
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Facade:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._session.close()

    def counted(self, work: Callable[[], object]) -> Counter[str]:
        """The calls that `work` made."""
        self.calls = Counter()
        work()
        return self.calls

    def answer(self, body: Any) -> Any:
        with self._lock:
            true = self._session.post(self.target, json=body, timeout=30).json()
        if not isinstance(body, list):
            return self._bent(body, true)
        by_number = {one["id"]: one for one in true}
        return [self._bent(call, by_number[call["id"]]) for call in body]

    def _bent(self, call: dict[str, Any], true: dict[str, Any]) -> dict[str, Any]:
        self.calls[call["method"]] += 1
        if self.bend is None or "error" in true:
            return true
        try:
            return {**true, "result": self.bend(call["method"], call["params"], true["result"])}
        except Denied as error:
            return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32005, "message": str(error)}}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        facade = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # headers and body are two writes

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if facade.is_down:
                    self.close_connection = True
                    return
                answer = json.dumps(facade.answer(json.loads(body))).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None: ...

        return Handler
