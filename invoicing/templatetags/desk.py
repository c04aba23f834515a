"""Short ways of saying when, for the dashboard's rows. Always in a named zone."""

from __future__ import annotations

from datetime import datetime

from babel.dates import format_date
from django import template
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

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


@register.filter
def address(value: str) -> SafeString:
    """An email address that breaks after its @ rather than in a word."""
    return SafeString(conditional_escape(value).replace("@", "@<wbr>"))


@register.filter
def week_day(value: datetime, zone: str) -> str:
    """'Tuesday 17 November'."""
    return format_date(moments.local(value, zone).date(), "EEEE d MMMM", locale=locale_of(get_language() or "en"))


@register.simple_tag
def brief_time(value: datetime | None, zone: str) -> SafeString:
    """'Today, 10:31' or '16 Nov, 18:06', in a <time> element that says it in full to machines."""
    if value is None:
        return SafeString("–")
    local = moments.local(value, zone)
    day = _("Today") if local.date() == moments.local(clock.now(), zone).date() else brief_day(value, zone)
    return format_html('<time datetime="{}">{}, {}</time>', value.isoformat(), day, f"{local:%H:%M}")


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
    return format_date(moments.local(value, zone).date(), "MMMM", locale=locale_of(get_language() or "en"))
