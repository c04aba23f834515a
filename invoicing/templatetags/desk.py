"""Short ways of saying when, for the dashboard's rows. Always in a named zone."""

from __future__ import annotations

from datetime import datetime

from babel.dates import format_date
from django import template
from django.utils.translation import get_language

from invoicing.money import locale_of
from merchants import clock, moments

register = template.Library()


@register.filter
def brief_day(value: datetime | None, zone: str) -> str:
    """'1 Dec', with the year when it is not this one."""
    if value is None:
        return "–"
    day = moments.local(value, zone).date()
    this_year = moments.local(clock.now(), zone).year
    return format_date(day, "d MMM" if day.year == this_year else "d MMM y", locale=locale_of(get_language() or "en"))


@register.simple_tag
def late_days(due_at: datetime, now: datetime, zone: str) -> int:
    """How many days of `zone`'s calendar the due time is past."""
    return max((moments.local(now, zone).date() - moments.local(due_at, zone).date()).days, 0)


@register.simple_tag
def days_ahead(due_at: datetime, now: datetime, zone: str) -> int:
    """How many days of `zone`'s calendar the due time is ahead."""
    return max((moments.local(due_at, zone).date() - moments.local(now, zone).date()).days, 0)


@register.filter
def month_name(value: datetime, zone: str) -> str:
    """'November'."""
    return format_date(moments.local(value, zone).date(), "LLLL", locale=locale_of(get_language() or "en"))
