"""The coming dates of a schedule, as its form shows them. Always in a named zone."""

from __future__ import annotations

from datetime import datetime

from babel.dates import format_date, format_datetime
from django import template
from django.utils.translation import get_language

from invoicing import rule_words
from invoicing.forecast import Forecast, Row
from invoicing.forms import Sums
from invoicing.money import locale_of
from invoicing.recurrence import Timing
from merchants import moments

register = template.Library()


def _date(value: datetime | None, zone: str, pattern: str) -> str:
    return format_date(moments.local(value, zone).date(), pattern, locale=locale_of(get_language() or "en")) if value else ""


@register.filter
def week_moment(value: datetime | None, zone: str) -> str:
    """'Sun 31 Jan 2027, 09:00'."""
    return format_datetime(moments.local(value, zone), "EEE d MMM y, HH:mm", locale=locale_of(get_language() or "en")) if value else ""


@register.filter
def week_day_year(value: datetime | None, zone: str) -> str:
    """'Sun 31 Jan 2027'."""
    return _date(value, zone, "EEE d MMM y")


@register.filter
def day_year(value: datetime | None, zone: str) -> str:
    """'31 Jan 2027'."""
    return _date(value, zone, "d MMM y")


@register.simple_tag
def due_day(row: Row, zone: str) -> str:
    """'14 Feb', with its year when that is not the year of sending."""
    is_same = moments.local(row.due_at, zone).year == moments.local(row.planned_at, zone).year
    return _date(row.due_at, zone, "d MMM" if is_same else "d MMM y")


@register.simple_tag
def in_all(dates: Forecast, sums: Sums) -> int:
    """What all coming invoices add up to, in minor units; 0 where there is no end."""
    return (dates.count or 0) * sums.totals.total_minor


@register.simple_tag
def in_total(dates: Forecast) -> int:
    """How many invoices the schedule makes, those that were sent included."""
    return dates.sent + (dates.count or 0)


@register.simple_tag
def rule_in_words(timing: Timing) -> str:
    """'every month on the last day'."""
    return rule_words.words(timing.rule, timing.anchor)
