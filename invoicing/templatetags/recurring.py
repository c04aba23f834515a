"""Planned times, for the pages about schedules. Always in a named zone."""

from __future__ import annotations

from datetime import datetime

from babel.dates import format_date
from django import template
from django.utils.translation import get_language

from invoicing.money import locale_of
from merchants import clock, moments

register = template.Library()


def _written(value: datetime, zone: str, pattern: str) -> str:
    return format_date(moments.local(value, zone).date(), pattern, locale=locale_of(get_language() or "en"))


@register.filter
def weekday_moment(value: datetime, zone: str) -> str:
    """'Mon 30 Nov 2026, 09:00'."""
    return f"{_written(value, zone, 'EEE d MMM y')}, {clock_hour(value, zone)}"


@register.filter
def weekday_brief(value: datetime, zone: str) -> str:
    """'Mon 30 Nov', with the year when it is not this one."""
    is_this_year = moments.local(value, zone).year == moments.local(clock.now(), zone).year
    return _written(value, zone, "EEE d MMM" if is_this_year else "EEE d MMM y")


@register.filter
def clock_hour(value: datetime, zone: str) -> str:
    """'09:00'."""
    return f"{moments.local(value, zone):%H:%M}"
