"""Waking a worker sooner than beat would. Only haste: what is to be done is a row in the database, and is found anyway."""

from __future__ import annotations

import contextlib
from typing import Any

from celery import current_app
from kombu.exceptions import OperationalError

EXPIRES = 30  # seconds; by then beat has come round
# Without a broker, retry=False would be slower: kombu then waits by its own rule, 6 s (measured) of somebody's request.
ONCE_MORE = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}


def wake(task: str, *args: Any) -> None:
    """Enqueue the task of that name. A broker that is away is nobody's error here."""
    with contextlib.suppress(OperationalError, OSError):
        current_app.send_task(task, args=args, expires=EXPIRES, retry=True, retry_policy=ONCE_MORE, ignore_result=True)
