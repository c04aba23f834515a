"""Reminders while time moves for all processes: the worker, the fan-out and the mail of a real stack."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.sinks import MailSink
from tests.stack import Stack

pytestmark = pytest.mark.stack
PAYER = "ana@duarte.example"

BEGIN = """
from datetime import timedelta
from django.conf import settings
from invoicing import reminder_rules
from merchants import clock
from tests.factories import make_draft, make_merchant, publish
now = clock.now()
merchant = make_merchant(slug="tide-tables")
owner = merchant.members.get()
reminder_rules.change(merchant, days=[-3, 0, 7], by=owner, now=now)
invoice = publish(make_draft(merchant, due_at=now + timedelta(days=10), language="en"), now=now)
answer = {"pk": invoice.pk, "at": [(row.send_at - now).total_seconds() for row in invoice.reminders.all()]}
"""
BEAT = """
from invoicing.tasks import remind
remind()  # what beat asks a worker for once a minute
"""
SEEN = """
from django.db import transaction
from invoicing import lifecycle
from invoicing.models import Invoice
from merchants import clock
with transaction.atomic():
    held = lifecycle.locked(Invoice.objects.get().pk)
    lifecycle.account(held, lifecycle.Money(0, 5_000, False, False, False), now=clock.now())
"""


def test_reminders_go_out_as_the_days_pass_and_none_while_a_payment_confirms(stack: Stack, mail_sink: MailSink) -> None:
    began = stack.ask(BEGIN)
    passed = timedelta()

    def until(seconds: float, *, meanwhile: str = "") -> None:
        nonlocal passed
        ahead = timedelta(seconds=seconds + 30) - passed
        stack.move_clock(ahead)
        passed += ahead
        stack.ask(meanwhile + BEAT)

    def states() -> dict[int, str]:
        return dict(stack.select("SELECT days, state || ' ' || reason FROM invoicing_reminder"))

    mail_sink.to(PAYER, "INV-000001", timeout=40)
    before, on_the_day, after = began["at"]
    until(before)
    mail_sink.to(PAYER, "Due in 3 days", timeout=40)

    until(on_the_day, meanwhile=SEEN)
    stack.wait_for(lambda: states()[0] != "planned ", what="the decision about the due day")
    until(after, meanwhile=SEEN.replace("5_000", "0"))
    mail_sink.to(PAYER, "Still open", timeout=40)
    assert states() == {-3: "sent ", 0: "dropped A payment was confirming.", 7: "sent "}
    subjects = [mail.subject for mail in mail_sink.all() if PAYER in mail.recipients]
    assert [words.partition(":")[0] for words in subjects] == ["Invoice INV-000001 from Harbour & Pine", "Due in 3 days", "Still open"]
