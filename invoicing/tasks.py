"""Celery's side of invoicing: ids in, one domain call."""

import contextlib

from celery import shared_task

from invoicing import bundles, issuing, pdf, reminder_rules, reminders, schedules, uploads
from merchants import clock


@shared_task(name="invoicing.tasks.issue_due")
def issue_due() -> None:
    issuing.run_due(now=clock.now())


@shared_task(name="invoicing.tasks.run_schedules")
def run_schedules() -> None:
    schedules.run_due(now=clock.now())


@shared_task(name="invoicing.tasks.remind")
def remind() -> None:
    reminders.run_due(now=clock.now())


@shared_task(name="invoicing.tasks.plan_reminders")
def plan_reminders() -> None:
    reminder_rules.catch_up(now=clock.now())


@shared_task(name="invoicing.tasks.purge_pending_uploads")
def purge_pending_uploads() -> None:
    uploads.purge(now=clock.now())


@shared_task(name="invoicing.tasks.make_bundle")
def make_bundle(pk: int) -> None:
    bundles.make(pk, now=clock.now())


@shared_task(name="invoicing.tasks.make_waiting_bundles")
def make_waiting_bundles() -> None:
    for pk in bundles.waiting(clock.now()):
        make_bundle(pk)


@shared_task(name="invoicing.tasks.purge_bundles")
def purge_bundles() -> None:
    bundles.purge(now=clock.now())


@shared_task(name="invoicing.tasks.make_pdf")
def make_pdf(invoice_id: int, kind: str) -> None:
    with contextlib.suppress(pdf.NotMade):  # the reason is on its row, and the sweep comes back to it
        pdf.ensure(invoice_id, kind=kind, now=clock.now())


@shared_task(name="invoicing.tasks.make_credit_note")
def make_credit_note(note_id: int) -> None:
    with contextlib.suppress(pdf.NotMade):
        pdf.ensure_note(note_id, now=clock.now())


@shared_task(name="invoicing.tasks.make_missing_pdfs")
def make_missing_pdfs() -> None:
    for rendering in pdf.missing(clock.now()):
        if rendering.note_id is not None:
            make_credit_note(rendering.note_id)
        else:
            make_pdf(rendering.invoice_id, rendering.kind)
