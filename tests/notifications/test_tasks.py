"""From an event to what leaves, through the tasks."""

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from kombu.exceptions import OperationalError

from merchants import clock, haste
from merchants.models import Merchant
from notifications import courier, fanout, outbox, tasks
from notifications.models import Delivery
from tests.factories import NOW, make_draft, publish

pytestmark = pytest.mark.django_db


def test_a_published_invoice_leaves_as_mail_once_the_tasks_have_run(merchant: Merchant, mailoutbox: list[Any]) -> None:
    now = clock.now()
    for _number in range(7):
        publish(make_draft(merchant, now=now), now=now)
    tasks.fan_out()
    tasks.send_email()
    tasks.send_email()
    tasks.send_webhooks()
    tasks.release_abandoned()

    assert [message.to for message in mailoutbox] == [["ana@duarte.example"]] * 7
    assert set(Delivery.objects.values_list("status", flat=True)) == {"sent"}


def test_an_event_wakes_the_fan_out_once_it_is_committed(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    woken: list[tuple[str, int]] = []
    monkeypatch.setattr(haste.current_app, "send_task", lambda name, **options: woken.append((name, options["expires"])))
    with django_capture_on_commit_callbacks(execute=True):
        publish(make_draft(merchant))

    assert ("notifications.tasks.fan_out", 30) in woken


def test_fan_out_wakes_whoever_has_something_to_send(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[str] = []
    monkeypatch.setattr(haste.current_app, "send_task", lambda name, **_options: woken.append(name))
    publish(make_draft(merchant))
    tasks.fan_out()
    tasks.fan_out()

    assert woken == ["notifications.tasks.send_email"]


def test_without_a_broker_nothing_is_lost_and_nothing_waits(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def down(_name: str, **_options: Any) -> None:
        raise OperationalError("Connection refused")

    monkeypatch.setattr(haste.current_app, "send_task", down)
    with django_capture_on_commit_callbacks(execute=True):
        publish(make_draft(merchant))

    assert fanout.run(NOW).events == 1


def test_a_broker_that_is_really_down_costs_a_request_less_than_a_second() -> None:
    """In a process of its own: Celery keeps what it once learnt of its broker."""
    script = """
import os, time, django
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
django.setup()
from config.celery import app
from notifications import tasks
app.conf.broker_url = "redis://127.0.0.1:9/0"
began = time.monotonic()
tasks.hurry()
print(time.monotonic() - began)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True, timeout=60)

    assert float(done.stdout) < 1


def test_a_delivery_that_cannot_be_made_ready_is_tried_again_and_logged(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publish(make_draft(merchant))
    fanout.run(NOW)
    monkeypatch.setattr("notifications.mail.emails.invoices.document", lambda _invoice: 1 / 0)
    courier.round_of("email", now=NOW)
    delivery = Delivery.objects.get()

    assert (delivery.status, delivery.attempts.get().answer) == ("queued", "It could not be made ready: ZeroDivisionError. The log says more.")
    assert f"Delivery {delivery.pk} could not be sent." in caplog.text


def test_a_worker_that_stops_in_the_middle_leaves_a_delivery_that_comes_back(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch, mailoutbox: list[Any]
) -> None:
    publish(make_draft(merchant))
    fanout.run(NOW)

    def killed(*_args: Any, **_more: Any) -> None:
        raise SystemExit  # nothing that a worker survives

    with monkeypatch.context() as patch:
        patch.setattr("notifications.transports.email.EmailTransport.start", killed)
        with pytest.raises(SystemExit):
            courier.round_of("email", now=NOW)
    assert Delivery.objects.get().status == "sending"

    later = NOW + timedelta(minutes=3)
    assert outbox.release_abandoned(later) == 1
    courier.round_of("email", now=later)
    assert (Delivery.objects.get().status, Delivery.objects.get().attempts_made, len(mailoutbox)) == ("sent", 2, 1)
