"""Two beats, and a beat beside a person, at one reminder. Each race has a twin without its guard, which must fail every time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from invoicing import reminder_rules, reminders
from invoicing.models import Invoice, Reminder
from merchants.models import Event, Merchant, User
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.races.harness import TWIN_RUNS, Meeting, failures, patched, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
DUE = NOW + timedelta(days=14)
NINE = datetime(2026, 12, 1, 9, tzinfo=NOW.tzinfo)  # the due day, on Lisbon's clocks

_counter = iter(range(10_000))


def plain(rows: Any, *_args: Any, **_kwargs: Any) -> Any:
    """`select_for_update` that locks nothing."""
    return rows.all()


UNLOCKED = (type(Invoice.objects.all()), "select_for_update", plain)


def unconditional(row: Reminder, state: Any, *, now: datetime, reason: str = "") -> int:
    return Reminder.objects.filter(pk=row.pk).update(state=state, reason=reason, decided_at=now)


UNCONDITIONAL = (reminders, "_swap", unconditional)


def business() -> tuple[Merchant, User]:
    merchant = make_merchant(slug=f"tide-{next(_counter)}")
    owner = merchant.members.get()
    reminder_rules.change(merchant, days=[0], by=owner, now=NOW)
    return merchant, owner


def told(merchant: Merchant) -> int:
    return Event.objects.filter(merchant=merchant, kind="invoice.reminded").count()


def four_beats() -> None:
    merchant, _owner = business()
    publish(make_draft(merchant, due_at=DUE))
    meeting = Meeting(4)
    with patched((reminders, "_swap", meeting.before(reminders._swap)), (reminders.logger, "exception", lambda *_said: None)):
        race(*[lambda: reminders.run_due(now=NINE)] * 4)
    assert told(merchant) == 1


def test_four_beats_at_once_remind_once() -> None:
    four_beats()


def test_without_lock_and_condition_they_remind_more_than_once() -> None:
    with patched(UNLOCKED, UNCONDITIONAL):
        assert failures(four_beats) == TWIN_RUNS


def test_the_condition_alone_keeps_a_reminder_from_going_twice() -> None:
    with patched(UNLOCKED):
        four_beats()


def a_person_reminds_while_beat_does() -> None:
    merchant, owner = business()
    found = publish(make_draft(merchant, due_at=DUE))
    meeting = Meeting(2)
    with patched((reminders, "_tell", meeting.before(reminders._tell)), (reminders.logger, "exception", lambda *_said: None)):
        race(lambda: reminders.run_due(now=NINE), lambda: reminders.remind(found, by=owner, now=NINE))
    reminders.run_due(now=NINE)  # what beat left to the next run because the person had the lock
    assert told(merchant) == 1


def test_a_person_and_beat_remind_once_on_a_day() -> None:
    a_person_reminds_while_beat_does()


def test_without_the_lock_the_payer_is_reminded_twice() -> None:
    with patched(UNLOCKED):
        assert failures(a_person_reminds_while_beat_does) == TWIN_RUNS


def the_rules_change_as_an_invoice_is_issued() -> None:
    """Whichever of the two comes first, the invoice has what the rules say at the end."""
    merchant, owner = business()
    draft = make_draft(merchant, due_at=DUE)
    meeting = Meeting(2)
    with patched((reminders, "plan", meeting.before(reminders.plan)), (reminder_rules, "of", meeting.before(reminder_rules.of))):
        race(lambda: publish(draft), lambda: reminder_rules.change(merchant, days=[-2, 7], by=owner, now=NOW))
    assert list(Reminder.objects.filter(invoice=draft).values_list("days", flat=True)) == [-2, 7]


def test_an_invoice_issued_during_a_change_of_the_rules_follows_it() -> None:
    the_rules_change_as_an_invoice_is_issued()
