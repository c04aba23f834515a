"""Every schedule of tries while time moves for all processes: a mail server that puts off, and receivers that fail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.sinks import Answer, MailSink, WebSink
from tests.stack import Stack

pytestmark = pytest.mark.stack

MINUTE, HOUR = 60, 3600
WAITS = {  # seconds between two tries; then it is given up
    "webhook": [5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR],
    "ccpayment": [30, 90, 210, 450, 930, 1890],
    "email": [30, 2 * MINUTE, 10 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR],
}
JITTER = {"webhook": 0.1, "ccpayment": 0.0, "email": 0.0}
CLOSE = 20  # seconds: the stack looks every three, on a busy machine

BEGIN = """
from datetime import timedelta
from merchants import clock
from notifications.webhooks import endpoints
from tests.factories import make_draft, make_merchant, publish
now = clock.now()
merchant = make_merchant(slug="tide-tables")
owner = merchant.members.get()
endpoints.add(merchant, url=URL + "/webhook", kinds=["invoice.issued"], by=owner, now=now)
old, _secret = endpoints.add(merchant, url=URL + "/ccpayment", format="ccpayment", by=owner, now=now)
endpoints.test(old, kind="payment.confirmed", by=owner, now=now)
publish(make_draft(merchant, due_at=now + timedelta(days=60)), now=now)
"""
MESSAGES = """
SELECT d.id, CASE d.channel WHEN 'email' THEN 'email' ELSE replace(e.format, 'standard', 'webhook') END, d.status, d.attempts_made, d.next_at
FROM notifications_delivery d LEFT JOIN notifications_endpoint e ON e.id = d.endpoint_id WHERE d.channel = 'webhook' OR d.template = 'issued'"""
TRIES = "SELECT started_at FROM notifications_attempt WHERE delivery_id = ? ORDER BY number"


class Ledger:
    """What the stack's database says of the three messages: (id, schedule, status, tries, next)."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def messages(self) -> list[tuple[Any, ...]]:
        return self.stack.select(MESSAGES)

    def has_tried(self, pk: int, more_than: int) -> bool:
        return any(row[0] == pk and row[3] > more_than and row[2] != "sending" for row in self.messages())

    def waits(self, pk: int) -> list[float]:
        return [
            (after - before).total_seconds() for before, after in pairwise(datetime.fromisoformat(row[0]) for row in self.stack.select(TRIES, pk))
        ]

    def now(self) -> datetime:
        """By the clock of the stack, in UTC, as the database writes it."""
        ahead = float(self.stack.clock_file.read_text()) if self.stack.clock_file.exists() else 0.0
        return datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=ahead)


def test_each_message_is_tried_when_its_schedule_says_and_then_given_up(stack: Stack, mail_sink: MailSink, web_sink: WebSink) -> None:
    mail_sink.answer = "451 Try later"
    web_sink.answer = Answer(status=500, body=b"Broken")
    ledger = Ledger(stack)
    stack.ask(f"URL = {web_sink.url!r}\n{BEGIN}")
    stack.wait_for(lambda: [row[3] for row in ledger.messages()] == [1, 1, 1], what="the first tries")

    while left := [row for row in ledger.messages() if row[2] != "failed"]:
        pk, _schedule, _status, made, following = min(left, key=lambda row: str(row[4]))
        stack.move_clock(max(datetime.fromisoformat(following) - ledger.now(), timedelta()) + timedelta(seconds=1))
        stack.wait_for(lambda pk=pk, made=made: ledger.has_tried(pk, made), what=f"try {made + 1}")  # type: ignore[misc]
        assert made < 12

    for pk, schedule, _status, _made, _next in ledger.messages():
        waits = ledger.waits(pk)
        assert len(waits) == len(WAITS[schedule]), schedule
        for wait, planned in zip(waits, WAITS[schedule], strict=True):
            assert planned * (1 - JITTER[schedule]) <= wait <= planned * (1 + JITTER[schedule]) + CLOSE, (schedule, waits)
    paths = [request.path for request in web_sink.all()]
    assert {path: paths.count(path) for path in paths} == {"/hook/webhook": 10, "/hook/ccpayment": 7}
