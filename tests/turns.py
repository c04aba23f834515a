"""The server of the browser tests shares SQLite's one connection in memory among its threads: requests take turns, or a page's
pictures and styles, asked for at once, would begin transactions inside each other's."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

_turn = threading.RLock()


def one_at_a_time(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def answer(request: HttpRequest) -> HttpResponse:
        with _turn:
            return get_response(request)

    return answer
