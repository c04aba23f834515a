"""Celery's side of invoicing: ids in, one domain call."""

from celery import shared_task

from invoicing import issuing
from merchants import clock


@shared_task(name="invoicing.tasks.issue_due")
def issue_due() -> None:
    issuing.run_due(now=clock.now())
