"""Eight beats, a person and a clock at one schedule. Each race has a twin without its guard, which must fail every time."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from invoicing import lifecycle, schedules, snapshot
from invoicing.models import Invoice, Occurrence, Schedule
from merchants.models import Event, Merchant
from tests.factories import NOW, make_merchant, make_schedule, start
from tests.invoicing.test_schedules import NOV
from tests.races.harness import PATIENCE, TWIN_RUNS, Meeting, failures, patched, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

_counter = iter(range(10_000))


def fresh_merchant() -> Merchant:
    return make_merchant(slug=f"rhythm-{next(_counter)}")


def plain(rows: Any, *_args: Any, **_kwargs: Any) -> Any:
    """`select_for_update` that locks nothing."""
    return rows.all()


UNLOCKED = (type(Schedule.objects.all()), "select_for_update", plain)
UNCONDITIONAL = (schedules, "_take", lambda _schedule: 1)


def careless(held: Schedule, k: int, planned: Any, state: Any, *, row: Any, now: Any, invoice: Any = None, reason: str = "") -> None:
    """`_decide` that looks first and does not mind what is there, as a table without its unique key would let it."""
    if not Occurrence.objects.filter(schedule=held, k=k).exists():
        with transaction.atomic():
            Occurrence.objects.bulk_create(
                [Occurrence(schedule=held, k=k, planned_at=planned, state=state, at=now, invoice=invoice)], ignore_conflicts=True
            )


def eight_beats() -> None:
    merchant = fresh_merchant()
    for _schedule in range(3):
        start(make_schedule(merchant))
    meeting, logged = Meeting(2), []
    with patched((snapshot, "freeze", meeting.before(snapshot.freeze)), (schedules.logger, "exception", lambda *said: logged.append(said))):
        results = race(*[lambda: schedules.run_due(now=NOV)] * 8)
    assert ([result for result in results if isinstance(result, Exception)], logged) == ([], [])
    assert sum(results) == 3
    assert sorted(Invoice.objects.filter(merchant=merchant).values_list("number", flat=True)) == ["INV-000001", "INV-000002", "INV-000003"]
    assert Event.objects.filter(merchant=merchant, kind="invoice.issued").count() == 3
    assert Occurrence.objects.filter(schedule__merchant=merchant, state="issued", k=1).count() == 3


def test_eight_beats_at_once_issue_each_occurrence_once() -> None:
    eight_beats()


def test_without_lock_condition_and_unique_key_eight_beats_issue_twice() -> None:
    with patched(UNLOCKED, UNCONDITIONAL, (schedules, "_decide", careless)):
        assert failures(eight_beats, patience=PATIENCE) == TWIN_RUNS


def lock_and_condition_gone() -> None:
    """Only the unique key is left: nothing is issued twice, and the losers say so in the log."""
    merchant = fresh_merchant()
    start(make_schedule(merchant))
    meeting = Meeting(2)
    with patched(
        UNLOCKED, UNCONDITIONAL, (snapshot, "freeze", meeting.before(snapshot.freeze)), (schedules.logger, "exception", lambda *_said: None)
    ):
        race(*[lambda: schedules.run_due(now=NOV)] * 4)
    assert Invoice.objects.filter(merchant=merchant).count() == 1


def test_the_unique_key_alone_keeps_an_occurrence_from_being_issued_twice() -> None:
    lock_and_condition_gone()


def test_without_the_unique_key_it_would_not() -> None:
    with patched((schedules, "_decide", careless)):
        assert failures(lock_and_condition_gone, patience=PATIENCE) == TWIN_RUNS


def a_person_skips_what_beat_is_issuing() -> None:
    merchant = fresh_merchant()
    owner = merchant.members.get()
    schedule = start(make_schedule(merchant))
    meeting, logged = Meeting(2), []
    with patched(
        (snapshot, "freeze", meeting.before(snapshot.freeze)),
        (schedules, "_row", meeting.before(schedules._row)),
        (schedules.logger, "exception", lambda *said: logged.append(said)),
    ):
        results = race(lambda: schedules.run_due(now=NOV), lambda: schedules.skip(schedule, 1, by=owner, now=NOV))
    assert logged == []  # nobody ran into the other's row
    row = schedule.occurrences.get()
    issued = Invoice.objects.filter(merchant=merchant).count()
    assert (row.state, issued) in (("issued", 1), ("skipped", 0))
    refused = [result for result in results if isinstance(result, lifecycle.Refused)]
    assert len(refused) == issued  # who lost to beat is told so; what lost to the person does nothing
    assert not [result for result in results if isinstance(result, Exception) and not isinstance(result, lifecycle.Refused)]


def test_a_person_who_skips_what_beat_is_issuing_wins_or_is_told() -> None:
    a_person_skips_what_beat_is_issuing()


def test_without_the_lock_they_collide() -> None:
    with patched(UNLOCKED, (schedules, "locked", lambda pk: Schedule.objects.select_related("merchant").get(pk=pk)), UNCONDITIONAL):
        assert failures(a_person_skips_what_beat_is_issuing) == TWIN_RUNS


def sent_twice_by_hand() -> None:
    merchant = fresh_merchant()
    owner = merchant.members.get()
    schedule = start(make_schedule(merchant))
    meeting = Meeting(2)
    with patched((snapshot, "freeze", meeting.before(snapshot.freeze))):
        results = race(*[lambda: schedules.send_now(schedule, 1, by=owner, now=NOW)] * 2)
    assert sorted(type(result).__name__ for result in results) == ["Invoice", "Refused"]
    assert Invoice.objects.filter(merchant=merchant).count() == 1


def test_sent_now_by_two_people_it_is_sent_once() -> None:
    sent_twice_by_hand()


def test_without_the_lock_and_the_unique_key_it_is_sent_twice() -> None:
    with patched((schedules, "locked", lambda pk: Schedule.objects.select_related("merchant").get(pk=pk)), (schedules, "_decide", careless)):
        assert failures(sent_twice_by_hand, patience=PATIENCE) == TWIN_RUNS
