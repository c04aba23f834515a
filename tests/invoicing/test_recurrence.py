"""When occurrences are: literal tables, and dateutil's rrule where the two must agree."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from dateutil import rrule
from hypothesis import given
from hypothesis import strategies as st

from invoicing.recurrence import LAST, Rule, Timing, day_of, occurrence

MONDAY, TUESDAY, FRIDAY, SUNDAY = 0, 1, 4, 6
NINE = time(9)


def days(anchor: str, rule: Rule, shown: int) -> list[str]:
    return [day_of(date.fromisoformat(anchor), k, rule).isoformat() for k in range(1, shown + 1)]


@pytest.mark.parametrize(
    ("anchor", "rule", "expected"),
    [
        ("2027-01-31", Rule("months"), "2027-01-31 2027-02-28 2027-03-31 2027-04-30 2027-05-31"),
        ("2028-01-31", Rule("months"), "2028-01-31 2028-02-29 2028-03-31"),
        ("2027-01-30", Rule("months"), "2027-01-30 2027-02-28 2027-03-30"),
        ("2028-02-29", Rule("years"), "2028-02-29 2029-02-28 2030-02-28 2031-02-28 2032-02-29"),
        ("2026-11-30", Rule("quarters"), "2026-11-30 2027-02-28 2027-05-30 2027-08-30"),
        ("2026-11-17", Rule("months", day=1), "2026-12-01 2027-01-01 2027-02-01"),
        ("2026-11-01", Rule("months", day=1), "2026-11-01 2026-12-01"),
        ("2026-11-17", Rule("months", day=31), "2026-11-30 2026-12-31 2027-01-31 2027-02-28"),
        ("2026-11-17", Rule("months", day=LAST), "2026-11-30 2026-12-31 2027-01-31 2027-02-28"),
        ("2026-11-17", Rule("months", 2, day=15), "2027-01-15 2027-03-15 2027-05-15"),
        ("2026-11-17", Rule("months", nth=2, weekday=TUESDAY), "2026-12-08 2027-01-12 2027-02-09"),
        ("2026-11-10", Rule("months", nth=2, weekday=TUESDAY), "2026-11-10 2026-12-08"),
        ("2026-11-17", Rule("months", nth=LAST, weekday=FRIDAY), "2026-11-27 2026-12-25 2027-01-29"),
        ("2026-11-17", Rule("days", 10), "2026-11-17 2026-11-27 2026-12-07"),
        ("2026-11-17", Rule("weeks"), "2026-11-17 2026-11-24 2026-12-01"),
        ("2026-11-18", Rule("weeks", weekdays=frozenset({MONDAY, FRIDAY})), "2026-11-20 2026-11-23 2026-11-27 2026-11-30"),
        ("2026-11-18", Rule("weeks", 2, weekdays=frozenset({MONDAY, FRIDAY})), "2026-11-20 2026-11-30 2026-12-04 2026-12-14"),
        ("2026-11-22", Rule("weeks", 2, weekdays=frozenset({MONDAY})), "2026-11-30 2026-12-14"),
    ],
)
def test_the_dates_of_a_rule(anchor: str, rule: Rule, expected: str) -> None:
    assert days(anchor, rule, len(expected.split())) == expected.split()


def test_nine_o_clock_stays_nine_o_clock_across_daylight_saving() -> None:
    moments = [Timing(Rule("days"), date(2027, 3, 26), NINE, "Europe/Lisbon").planned(k) for k in range(1, 5)]
    assert [moment.isoformat() for moment in moments] == [
        "2027-03-26T09:00:00+00:00",
        "2027-03-27T09:00:00+00:00",
        "2027-03-28T08:00:00+00:00",
        "2027-03-29T08:00:00+00:00",
    ]


def test_a_time_that_does_not_exist_moves_forward_by_the_gap() -> None:
    assert occurrence(date(2027, 3, 28), time(1, 30), 1, Rule("days"), "Europe/Lisbon") == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)  # 02:30 there


def test_a_time_that_exists_twice_is_its_first() -> None:
    assert occurrence(date(2027, 10, 31), time(1, 30), 1, Rule("days"), "Europe/Lisbon") == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


def test_an_occurrence_does_not_depend_on_those_before_it() -> None:
    rule = Rule("months")
    assert occurrence(date(2027, 1, 31), NINE, 14, rule, "UTC") == datetime(2028, 2, 29, 9, tzinfo=UTC)
    assert occurrence(date(2027, 1, 31), NINE, 24, rule, "UTC") == datetime(2028, 12, 31, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong",
    [
        {"unit": "fortnights"},
        {"unit": "days", "every": 0},
        {"unit": "weeks", "weekdays": frozenset({7})},
        {"unit": "months", "day": 0},
        {"unit": "months", "day": 32},
        {"unit": "months", "nth": 5, "weekday": 1},
        {"unit": "months", "nth": 2},
        {"unit": "months", "weekday": 2},
    ],
)
def test_what_is_no_rule_is_refused(wrong: dict) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match=r"rule|weekday|day of the month"):
        Rule(**wrong)


def test_there_is_no_occurrence_before_the_first() -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        day_of(date(2027, 1, 1), 0, Rule("days"))


dates = st.dates(date(2020, 1, 1), date(2040, 12, 31))
WEEK = (rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA, rrule.SU)


def agrees(anchor: date, rule: Rule, theirs: rrule.rrule) -> None:
    expected = [moment.date() for _n, moment in zip(range(20), theirs, strict=False)]
    assert [day_of(anchor, k, rule) for k in range(1, 21)] == expected


@given(dates, st.integers(1, 60))
def test_days_agree_with_rrule(anchor: date, every: int) -> None:
    agrees(anchor, Rule("days", every), rrule.rrule(rrule.DAILY, interval=every, dtstart=datetime.combine(anchor, NINE)))


@given(dates, st.integers(1, 8), st.frozensets(st.integers(0, 6), min_size=1))
def test_weeks_on_chosen_weekdays_agree_with_rrule(anchor: date, every: int, weekdays: frozenset[int]) -> None:
    theirs = rrule.rrule(rrule.WEEKLY, interval=every, byweekday=sorted(weekdays), wkst=MONDAY, dtstart=datetime.combine(anchor, NINE))
    agrees(anchor, Rule("weeks", every, weekdays=weekdays), theirs)


@given(dates, st.integers(1, 28))
def test_a_day_that_every_month_has_agrees_with_rrule(anchor: date, day: int) -> None:
    agrees(anchor, Rule("months", day=day), rrule.rrule(rrule.MONTHLY, bymonthday=day, dtstart=datetime.combine(anchor, NINE)))


@given(dates)
def test_the_last_day_agrees_with_rrule(anchor: date) -> None:
    agrees(anchor, Rule("months", day=LAST), rrule.rrule(rrule.MONTHLY, bymonthday=-1, dtstart=datetime.combine(anchor, NINE)))


@given(dates, st.sampled_from([1, 2, 3, 4, LAST]), st.integers(0, 6))
def test_the_nth_weekday_agrees_with_rrule(anchor: date, nth: int, weekday: int) -> None:
    theirs = rrule.rrule(rrule.MONTHLY, byweekday=WEEK[weekday](nth), dtstart=datetime.combine(anchor, NINE))
    agrees(anchor, Rule("months", nth=nth, weekday=weekday), theirs)


@given(dates, st.integers(1, 12), st.integers(1, 200))
def test_every_occurrence_is_later_than_the_one_before_and_none_is_before_the_anchor(anchor: date, every: int, k: int) -> None:
    for unit in ("days", "weeks", "months", "quarters", "years"):
        rule = Rule(unit, every)
        if unit == "years" and every * k > 3000:
            continue
        assert anchor <= day_of(anchor, k, rule) < day_of(anchor, k + 1, rule)
        assert day_of(anchor, 1, rule) - anchor < timedelta(days=366)
