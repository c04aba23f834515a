"""Threads on PostgreSQL, stopped between a check and its write.

`race` runs each call in a thread with a connection of its own. `Meeting` is the barrier: put into the code between the check
and the write, it holds every thread that arrives until all are there, or, when a guard keeps the others out, for a moment.
Then it lets them go one after another: were there another check behind it, the later ones would see what the first wrote.
A race is told twice: the guarded run must hold, and its twin without the named guard must fail in every one of `failures`,
or the test proves nothing.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

PATIENCE = 0.35  # seconds a thread waits for the others, when a guard keeps them out
LONG_PATIENCE = 5.0  # without the guard they all come; on a busy machine not at once
LAG = 0.04  # seconds between the first that goes on and the next: long enough for its writes
TWIN_RUNS = 10

_patience = PATIENCE


class Meeting:
    def __init__(self, parties: int) -> None:
        self._barrier = threading.Barrier(parties)

    def wait(self) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            time.sleep(self._barrier.wait(timeout=_patience) * LAG)

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, called only after the meeting."""

        def met(*args: Any, **kwargs: Any) -> Any:
            self.wait()
            return function(*args, **kwargs)

        return met

    def after(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, and then the meeting: between what it found and what is written."""

        def met(*args: Any, **kwargs: Any) -> Any:
            found = function(*args, **kwargs)
            self.wait()
            return found

        return met


def race(*calls: Callable[[], Any]) -> list[Any]:
    """What each call returned or raised, all begun at once."""
    results: list[Any] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def run(place: int, call: Callable[[], Any]) -> None:
        try:
            start.wait(timeout=10)
            results[place] = call()
        except Exception as error:  # a race's loser is a result
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive(), "a racer hangs"
    return results


def failures(story: Callable[[], None], *, patience: float = LONG_PATIENCE) -> int:
    """In how many of TWIN_RUNS the story's assertions did not hold. `patience`: PATIENCE where another guard still keeps the
    others from the meeting."""
    failed = 0
    with patched((sys.modules[__name__], "_patience", patience)):
        for _run in range(TWIN_RUNS):
            try:
                story()
            except AssertionError:
                failed += 1
    return failed


@contextlib.contextmanager
def patched(*changes: tuple[object, str, Any]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for target, name, value in changes:
            patch.setattr(target, name, value)
        yield
