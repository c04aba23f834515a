"""The dates a schedule makes while it is written, and the notes beside them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from invoicing import occurrences, planning, schedules
from invoicing.forecast import Forecast, forecast
from invoicing.models import Schedule
from invoicing.recurrence import LAST, Rule, Timing
from merchants.models import Merchant, User
from tests.factories import NOW, make_schedule, start

LISBON = "Europe/Lisbon"
MONTHLY = Timing(Rule("months", day=31), date(2027, 1, 31), time(9), LISBON)


def like(merchant: Merchant, **fields: Any) -> Schedule:
    return Schedule(merchant=merchant, **{"title": "Retainer, {month}", "language": "en", "due_after_days": 14, **fields})


def made(merchant: Merchant, timing: Timing, *, of: Schedule | None = None, now: datetime = NOW, **fields: Any) -> Forecast:
    return forecast(like(merchant, **fields), timing, of=of, now=now)


def shown(found: Forecast) -> list[tuple[int, str, tuple[str, ...]]]:
    return [(row.k, row.planned_at.isoformat(timespec="minutes")[:16], row.notes) for row in found.rows]


def test_the_month_end_and_the_clocks_are_noted_where_they_surprise(merchant: Merchant) -> None:
    found = made(merchant, MONTHLY, ends_after=12)
    assert shown(found)[:5] == [
        (1, "2027-01-31T09:00", ()),
        (2, "2027-02-28T09:00", ("last day of the month",)),
        (3, "2027-03-31T08:00", ("clocks change on 28 Mar",)),
        (4, "2027-04-30T08:00", ("last day of the month",)),
        (5, "2027-05-31T08:00", ()),
    ]
    assert [row.title for row in found.brief] == ["Retainer, January", "Retainer, February", "Retainer, March", "Retainer, April", "Retainer, May"]
    assert found.rows[0].due_at == datetime(2027, 2, 14, 9, tzinfo=UTC)
    assert (len(found.rows), len(found.rest), found.count, found.last) == (12, 7, 12, datetime(2027, 12, 31, 9, tzinfo=UTC))


def test_the_last_day_was_asked_for_and_is_not_noted(merchant: Merchant) -> None:
    found = made(merchant, Timing(Rule("months", day=LAST), date(2027, 1, 31), time(9), LISBON))
    assert [row.notes for row in found.rows[:2]] == [(), ()]
    assert (found.count, found.last) == (None, None)


def test_a_time_that_is_skipped_that_day_is_noted(merchant: Merchant) -> None:
    found = made(merchant, Timing(Rule("days"), date(2027, 3, 13), time(2, 30), "America/New_York"))
    assert [row.notes for row in found.rows[:3]] == [
        (),
        ("clocks change on 14 Mar", "this time is skipped that day: 02:30 becomes 03:30"),
        (),
    ]


def test_what_goes_out_at_once_and_what_has_passed_is_noted(merchant: Merchant) -> None:
    found = made(merchant, Timing(Rule("days"), date(2026, 11, 16), time(9), LISBON))
    assert [row.notes for row in found.rows[:3]] == [("has passed",), ("goes out at once",), ()]


def test_a_first_date_that_is_not_on_the_rule_is_where_it_begins_to_look(merchant: Merchant) -> None:
    found = made(merchant, Timing(Rule("months", day=LAST), date(2027, 1, 10), time(9), LISBON))
    assert shown(found)[:2] == [(1, "2027-01-31T09:00", ("the first that fits, from 10 Jan on",)), (2, "2027-02-28T09:00", ())]


@pytest.mark.parametrize(
    ("end", "count", "last"),
    [({"ends_on": date(2027, 3, 30)}, 2, "2027-02-28"), ({"ends_after": 1}, 1, "2027-01-31"), ({"ends_on": date(2027, 1, 1)}, 0, None)],
)
def test_an_end_counts_what_comes_before_it(merchant: Merchant, end: dict[str, Any], count: int, last: str | None) -> None:
    found = made(merchant, MONTHLY, **end)
    assert (found.count, found.last and found.last.date().isoformat()) == (count, last)


def test_a_running_schedule_goes_on_with_its_numbers(merchant: Merchant, owner: User) -> None:
    running = start(make_schedule(merchant, ends_after=4))
    schedules.run_due(now=datetime(2026, 11, 30, 9, tzinfo=UTC))
    running.refresh_from_db()
    schedules.skip(running, 3, by=owner, now=NOW)
    running.refresh_from_db()
    timing = planning.upcoming_timing(running)
    assert timing is not None
    found = made(merchant, timing, of=running, ends_after=4)
    assert [row.k for row in found.rows] == [2, 4, 5]
    assert [row.k for row in found.rows] == [coming.k for coming in occurrences.coming(running)]
    assert (found.sent, found.count, found.is_retimed) == (1, 3, False)


def test_a_new_timing_takes_the_numbers_from_the_next_one_on(merchant: Merchant, owner: User) -> None:
    running = start(make_schedule(merchant))
    schedules.run_due(now=datetime(2026, 11, 30, 9, tzinfo=UTC))
    running.refresh_from_db()
    schedules.skip(running, 2, by=owner, now=NOW + timedelta(days=14))
    running.refresh_from_db()
    weekly = Timing(Rule("weeks"), date(2026, 12, 7), time(8), LISBON)
    found = made(merchant, weekly, of=running, now=NOW + timedelta(days=14))
    assert ([row.k for row in found.rows[:3]], found.is_retimed) == ([3, 4, 5], True)
    assert found.rows[0].planned_at == datetime(2026, 12, 7, 8, tzinfo=UTC)


def test_nothing_is_stored_by_looking(merchant: Merchant, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        made(merchant, MONTHLY, ends_after=999)
    assert Schedule.objects.count() == 0
