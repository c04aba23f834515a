"""A rule in words, for people who read the dashboard. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from babel.dates import format_date, get_day_names
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from invoicing import money
from invoicing.recurrence import LAST, Rule
from merchants.listing import all_of

LONGEST_FEBRUARY = 2028

EVERY: dict[str, Callable[[int], str]] = {
    "days": lambda n: ngettext("every day", "every %(n)d days", n) % {"n": n},
    "weeks": lambda n: ngettext("every week", "every %(n)d weeks", n) % {"n": n},
    "months": lambda n: ngettext("every month", "every %(n)d months", n) % {"n": n},
    "quarters": lambda n: ngettext("every quarter", "every %(n)d quarters", n) % {"n": n},
    "years": lambda n: ngettext("every year", "every %(n)d years", n) % {"n": n},
}


def words(rule: Rule, anchor: date | None = None) -> str:
    """'every 10 days', 'every week on Mon and Fri', 'every 2 months on day 15', 'every year on the second Tuesday of March'.

    `anchor` is the timing's first date: it says the month of a yearly rule, and the day of one that names none.
    """
    every = EVERY[rule.unit](rule.every)
    on = "" if rule.unit == "days" else _weekdays(rule, anchor) if rule.unit == "weeks" else _day(rule, anchor)
    return f"{every} {on}" if on else every


def _weekdays(rule: Rule, anchor: date | None) -> str:
    chosen = sorted(rule.weekdays) or ([anchor.weekday()] if anchor else [])
    if not chosen:
        return ""
    names: Any = get_day_names("abbreviated", locale=_locale())
    return _("on %(weekdays)s") % {"weekdays": all_of(names[day] for day in chosen)}


def _day(rule: Rule, anchor: date | None) -> str:
    month = format_date(anchor, "MMMM", locale=_locale()) if anchor and rule.unit == "years" else ""
    if rule.nth is not None and rule.weekday is not None:
        weekday = get_day_names("wide", locale=_locale())[rule.weekday]
        the = nth_words(rule.nth) % {"weekday": weekday}
        return _("on %(the)s of %(month)s") % {"the": the, "month": month} if month else _("on %(the)s") % {"the": the}
    day = rule.day if rule.day is not None else (anchor.day if anchor else None)
    if day is None:
        return ""
    if month and anchor and day != LAST:
        real = _real_day(anchor.month, day)
        if real is not None:
            return _("on %(day)s") % {"day": format_date(real, "d MMMM", locale=_locale())}
        day = LAST
    if day == LAST:
        return _("on the last day of %(month)s") % {"month": month} if month else _("on the last day")
    return _("on day %(day)d") % {"day": day}


def nth_words(nth: int) -> str:
    """'the second %(weekday)s'."""
    return {
        1: _("the first %(weekday)s"),
        2: _("the second %(weekday)s"),
        3: _("the third %(weekday)s"),
        4: _("the fourth %(weekday)s"),
        LAST: _("the last %(weekday)s"),
    }[nth]


def _real_day(month: int, day: int) -> date | None:
    """That day in a year that has it; None where no year has: the 31st of April is the last of April."""
    try:
        return date(LONGEST_FEBRUARY, month, day)
    except ValueError:
        return None


def _locale() -> Any:
    return money.locale_of(get_language() or "en")
