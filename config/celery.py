"""Celery, and the whole beat table.

No task carries state: each looks in the database for what is due. So a tick may be lost, late or doubled;
and each expires after its own interval, so that an hour without workers is not an hour of ticks.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
app = Celery("quittance")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["merchants", "invoicing", "payments", "notifications"])

# task → every … seconds, on queue
BEAT = {
    "invoicing.tasks.issue_due": (5, "issue"),
    "invoicing.tasks.run_schedules": (5, "issue"),
    "invoicing.tasks.remind": (60, "issue"),
    "invoicing.tasks.plan_reminders": (3600, "issue"),
    "invoicing.tasks.make_missing_pdfs": (15, "pdf"),
    "invoicing.tasks.make_waiting_bundles": (15, "pdf"),
    "invoicing.tasks.purge_pending_uploads": (3600, "issue"),
    "invoicing.tasks.purge_bundles": (3600, "issue"),
    "payments.tasks.mine_sandbox": (1, "chain"),
    "payments.tasks.watch_networks": (2, "watch"),  # a hundred PDFs to be made hold up no payment
    "payments.tasks.look_networks_over": (900, "watch"),
    "payments.tasks.expire_quotes": (10, "chain"),
    "payments.tasks.free_amounts": (3600, "chain"),
    "payments.tasks.expire_refunds": (3600, "chain"),
    "payments.tasks.refresh_rates": (60, "watch"),
    "notifications.tasks.fan_out": (3, "issue"),
    "notifications.tasks.send_email": (3, "email"),
    "notifications.tasks.send_webhooks": (3, "webhook"),
    "notifications.tasks.release_abandoned": (15, "issue"),
    "merchants.tasks.heartbeat": (10, "issue"),
}

app.conf.task_routes = {task: {"queue": queue} for task, (_every, queue) in BEAT.items()} | {
    "invoicing.tasks.make_pdf": {"queue": "pdf"},
    "invoicing.tasks.make_bundle": {"queue": "pdf"},
    "payments.tasks.watch_network": {"queue": "watch"},
}
app.conf.beat_schedule = {
    task: {"task": task, "schedule": every, "options": {"expires": max(every, 2), "queue": queue}} for task, (every, queue) in BEAT.items()
}
WATCH = "watch"  # asks other machines and waits for them: a worker of its own, with threads
SEND = ("email", "webhook")  # likewise, so that no PDF holds up a mail; its threads hold neither up for the other, see notifications.tasks
QUEUES = sorted({queue for _every, queue in BEAT.values()} - {WATCH, *SEND})
