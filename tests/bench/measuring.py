"""Figures, each beside its bare limit in the same run, and the databases they are taken on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

MAIN = "postgres"
CLEAN = "clean"  # MAIN as it was before the first figure
missed: list[str] = []


def milliseconds(call: Callable[[], Any], rounds: int = 30) -> tuple[float, float]:
    """p50 and p95 of `call`, after three rounds to warm up."""
    for _warm in range(3):
        call()
    took = []
    for _round in range(rounds):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), sorted(took)[int(rounds * 0.95) - 1]


def timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def say(what: str, figure: str) -> None:
    print(f"{what:<58} {figure}", flush=True)


def bound(what: str, value: float, limit: float) -> None:
    verdict = "ok" if value <= limit else "MISSED"
    say(what, f"{value:.2f}   (bound {limit:g}: {verdict})")
    if value > limit:
        missed.append(what)


def settle_down() -> None:
    """What autovacuum would have done by the time somebody looks."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def use(database: str) -> None:
    from django.db import connection

    connection.close()
    connection.settings_dict["NAME"] = database


def copy(database: str, *, of: str = MAIN) -> None:
    """A copy of the database as it is now, to be measured beside what it becomes."""
    from django.db import connection

    before = connection.settings_dict["NAME"]
    use("template1")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {database} TEMPLATE {of}")
    use(before)


def drop(database: str) -> None:
    """From another one."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
