"""`make bench`: how fast it is, each figure beside its bare limit in the same run, on a PostgreSQL of its own.

`python -m tests.bench` takes all, `python -m tests.bench chains pdf` only these parts. Seconds differ from machine to machine; the
ratios should not. Exits with 1 when a bound is missed.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

from tests import postgres
from tests.bench.measuring import CLEAN, copy, missed

PARTS = ("settling", "pdf", "chains", "lists", "messages")


def _works(part: str) -> list[Callable[[], None]]:
    """The figures of a part, in order. Asked once Django is set up."""
    from tests.bench import derived, lists, messages, printing, seen, settling, watching

    return {
        "settling": [settling.settling],
        "pdf": [printing.printing],
        "chains": [derived.deriving, watching.watching, seen.seeing],
        "lists": [lists.pages],
        "messages": [messages.telling],
    }[part]


def main(parts: list[str]) -> int:
    unknown = set(parts) - set(PARTS)
    if unknown:
        print(f"There is no part {', '.join(sorted(unknown))}. There are {', '.join(PARTS)}.")
        return 1
    programs = postgres.programs()
    if programs is None:
        print(postgres.MISSING)
        return 1
    server = postgres.Server(programs)
    server.start()
    try:
        _run(server.url, parts or list(PARTS))
    finally:
        server.stop()
    print("\nMissed: " + "; ".join(missed) if missed else "\nEvery bound holds.")
    return 1 if missed else 0


def _run(url: str, parts: list[str]) -> None:
    os.environ["TEST_DATABASE_URL"] = url
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    import django
    from django.core.management import call_command
    from django.db import connections

    django.setup()
    logging.getLogger("kombu.connection").setLevel(logging.ERROR)  # it misses a host in memory://
    try:
        call_command("migrate", verbosity=0)
        copy(CLEAN)
        for part in parts:
            for work in _works(part):
                work()
    finally:
        connections.close_all()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
