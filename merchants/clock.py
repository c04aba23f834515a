"""The one clock of web, worker and beat.

Domain code takes `now` as an argument; views, tasks and commands ask here once. Where settings name a
CLOCK_FILE (demo and tests, never production), the file holds an offset in seconds and moves the clock of
every process that reads it, so that a journey can let a week pass.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings


def offset() -> timedelta:
    """How far this installation's clock is ahead of the real one."""
    path = settings.CLOCK_FILE
    if not path:
        return timedelta()
    try:
        text = Path(path).read_text()
    except FileNotFoundError:
        return timedelta()
    return timedelta(seconds=float(text or 0))


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC) + offset()


def move(by: timedelta) -> None:
    """Let `by` pass for every process at once. Refused where no CLOCK_FILE is set."""
    if not settings.CLOCK_FILE:
        raise RuntimeError("This installation's clock cannot be moved: CLOCK_FILE is not set.")
    path = Path(settings.CLOCK_FILE)
    total = (offset() + by).total_seconds()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(str(total))
    part.replace(path)
