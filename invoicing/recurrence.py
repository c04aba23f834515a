"""When the occurrences of a schedule are. Pure: occurrence k is computed from (anchor, k, rule, zone), never from k − 1.

A date that a month does not have is its last day: the 31st is Jan 31, Feb 28 or 29, Mar 31. Times are wall-clock times in
the schedule's zone, so 09:00 stays 09:00 across daylight saving; one that daylight saving skips moves forward by the gap,
one that it repeats is the first of the two (PEP 495, fold=0).
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from invoicing.entry import moment

MONTHS_OF = {"months": 1, "quarters": 3, "years": 12}
LAST = -1


@dataclass(frozen=True)
class Rule:
    """Every `every` days, weeks, months, quarters or years.

    Weeks: on `weekdays` (0 is Monday); without any, on the anchor's. Months, quarters and years: on `day` (1 to 31, or
    LAST for the last day), or on the `nth` (1 to 4, or LAST) of `weekday`; without either, on the anchor's day.
    """

    unit: str
    every: int = 1
    weekdays: frozenset[int] = frozenset()
    day: int | None = None
    nth: int | None = None
    weekday: int | None = None

    def __post_init__(self) -> None:
        if self.unit not in ("days", "weeks", *MONTHS_OF) or self.every < 1:
            raise ValueError(f"every {self.every} {self.unit} is no rule")
        if any(not 0 <= day <= 6 for day in self.weekdays) or (self.weekday is not None and not 0 <= self.weekday <= 6):
            raise ValueError("a weekday is 0 (Monday) to 6")
        if self.day is not None and self.day != LAST and not 1 <= self.day <= 31:
            raise ValueError("a day of the month is 1 to 31, or the last")
        if (self.nth is None) != (self.weekday is None) or (self.nth is not None and self.nth not in (1, 2, 3, 4, LAST)):
            raise ValueError("the nth weekday is the first to the fourth, or the last, of one weekday")


@dataclass(frozen=True)
class Timing:
    """A rule with its start: what says when, without saying what. `at` is on the clocks of `zone` (an IANA name)."""

    rule: Rule
    anchor: date
    at: time
    zone: str

    def planned(self, k: int) -> datetime:
        """When occurrence `k` is, in UTC. ValueError below 1, OverflowError beyond the year 9999."""
        return occurrence(self.anchor, self.at, k, self.rule, self.zone)


def day_of(anchor: date, k: int, rule: Rule) -> date:
    """The date of occurrence `k` (1 is the first that is not before `anchor`)."""
    if k < 1:
        raise ValueError("occurrences are counted from 1")
    if rule.unit == "days":
        return anchor + timedelta(days=(k - 1) * rule.every)
    if rule.unit == "weeks":
        return _in_weeks(anchor, k, rule)
    step = rule.every * MONTHS_OF[rule.unit]
    first = 0 if _in_month(anchor, 0, rule) >= anchor else 1
    return _in_month(anchor, (first + k - 1) * step, rule)


def occurrence(anchor: date, at: time, k: int, rule: Rule, zone: str) -> datetime:
    """When occurrence `k` is, in UTC: `at` on its day, in `zone`."""
    return moment(day_of(anchor, k, rule), at, zone)


def _in_weeks(anchor: date, k: int, rule: Rule) -> date:
    weekdays = sorted(rule.weekdays or {anchor.weekday()})
    monday = anchor - timedelta(days=anchor.weekday())
    gone = sum(day < anchor.weekday() for day in weekdays)  # of the anchor's own week, before the anchor
    week, place = divmod(gone + k - 1, len(weekdays))
    return monday + timedelta(weeks=week * rule.every, days=weekdays[place])


def _in_month(anchor: date, months: int, rule: Rule) -> date:
    """The rule's day in the month that is `months` after the anchor's."""
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    month += 1
    length = calendar.monthrange(year, month)[1]
    if rule.nth is not None and rule.weekday is not None:
        return date(year, month, _nth_weekday(year, month, length, rule.nth, rule.weekday))
    wanted = rule.day if rule.day is not None else anchor.day
    return date(year, month, length if wanted == LAST else min(wanted, length))


def _nth_weekday(year: int, month: int, length: int, nth: int, weekday: int) -> int:
    if nth == LAST:
        return length - (date(year, month, length).weekday() - weekday) % 7
    return 1 + (weekday - date(year, month, 1).weekday()) % 7 + (nth - 1) * 7
