"""The words in braces of a schedule's texts, filled from the planned date. Pure.

`{month}`, `{year}`, `{period}` and `{n}`, in the invoice's language, by the names and patterns of the CLDR (through Babel).
Anything else in braces is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from babel.dates import format_date, format_interval, format_skeleton

from invoicing import money
from invoicing.recurrence import MONTHS_OF, Rule

WORDS = re.compile(r"\{(month|year|period|n)\}")


@dataclass(frozen=True)
class Filling:
    """What occurrence `k` fills in: its day and the last day before the next one, on the calendar of the schedule's zone."""

    k: int
    day: date
    last: date
    rule: Rule
    language: str

    @property
    def locale(self) -> Any:
        return money.locale_of(self.language)


def fill(text: str, of: Filling, *, most: int | None = None) -> str:
    """`text` with its words filled in, cut to `most` characters."""
    return WORDS.sub(lambda found: WORD[found[1]](of), text)[:most]


def bare(text: str) -> str:
    """`text` as a name, where no date is meant: 'Studio retainer, …'."""
    return WORDS.sub("…", text)


def _month(of: Filling) -> str:
    """'January'. Not the stand-alone form (LLLL): in Babel 2.18 one locale's answer comes out of another, once both are loaded."""
    return format_date(of.day, "MMMM", locale=of.locale)


def _year(of: Filling) -> str:
    return format_date(of.day, "y", locale=of.locale)


def _period(of: Filling) -> str:
    """What one invoice is for: 'January 2027', 'January – February 2027', 'Q1 2027', '2027', '25 – 31 Jan 2027', '25 Jan 2027'.

    Months, quarters and years are whole ones, from that of the planned date on; days and weeks end before the next date.
    """
    every, unit = of.rule.every, of.rule.unit
    if unit == "quarters" and every == 1:
        return format_skeleton("yQQQ", of.day, locale=of.locale)
    if unit == "years":
        return _year(of) if every == 1 else f"{_year(of)}–{format_date(_month_on(of.day, every * 12 - 1), 'y', locale=of.locale)}"
    if unit in MONTHS_OF:
        return str(format_interval(of.day.replace(day=1), _month_on(of.day, every * MONTHS_OF[unit] - 1), "yMMMM", locale=of.locale))
    if of.last <= of.day:
        return format_date(of.day, "d MMM y" if of.language == "en" else "medium", locale=of.locale)
    return str(format_interval(of.day, of.last, "yMMMd", locale="en_GB" if of.language == "en" else of.locale))


def _month_on(day: date, months: int) -> date:
    """The first of the month that is `months` after that of `day`."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)


WORD: dict[str, Callable[[Filling], str]] = {"month": _month, "year": _year, "period": _period, "n": lambda of: str(of.k)}
