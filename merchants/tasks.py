"""Celery's side of merchants."""

from __future__ import annotations

from celery import shared_task
from celery.signals import before_task_publish

from merchants import heartbeats


@shared_task(name=heartbeats.TASK)
def heartbeat() -> None:
    heartbeats.seen(heartbeats.WORKER)


@before_task_publish.connect(sender=heartbeats.TASK, dispatch_uid="merchants.beat_is_alive")
def beat_is_alive(**_kwargs: object) -> None:
    """Nobody but beat sends this task."""
    heartbeats.seen(heartbeats.BEAT)
