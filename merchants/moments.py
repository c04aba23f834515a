"""Times for people: in a named zone, never without it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from babel.dates import format_date, format_datetime, format_time
from django.utils.translation import gettext as _


def zone_words(zone: str) -> str:
    """'Lisbon time' for Europe/Lisbon, 'UTC' for UTC."""
    if zone in ("UTC", "Etc/UTC"):
        return "UTC"
    return _("%(city)s time") % {"city": zone.rpartition("/")[2].replace("_", " ")}


def zones() -> list[str]:
    """Every zone a merchant can choose, UTC first."""
    named = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/", "US/", "posix/", "right/")))
    return ["UTC", *named]


def local(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone))


def in_words(moment: datetime, zone: str, language: str = "en") -> str:
    """'1 Dec 2026, 18:00, Lisbon time'."""
    return f"{short(moment, zone, language)}, {zone_words(zone)}"


def short(moment: datetime, zone: str, language: str = "en") -> str:
    """'1 Dec 2026, 18:00'."""
    if language == "en":
        return format_datetime(local(moment, zone), "d MMM y, HH:mm", locale="en")
    return format_datetime(local(moment, zone), "medium", locale=language.replace("-", "_"))


def long(moment: datetime, zone: str, language: str = "en") -> str:
    """'Tuesday 1 December 2026, 18:00, Lisbon time'."""
    if language == "en":
        return f"{format_datetime(local(moment, zone), 'EEEE d MMMM y, HH:mm', locale='en')}, {zone_words(zone)}"
    return f"{format_datetime(local(moment, zone), 'full', locale=language.replace('-', '_'))}, {zone_words(zone)}"


def day(moment: datetime, zone: str, language: str = "en") -> str:
    """'1 December 2026'."""
    if language == "en":
        return format_date(local(moment, zone), "d MMMM y", locale="en")
    return format_date(local(moment, zone), "long", locale=language.replace("-", "_"))


def clock_time(moment: datetime, zone: str, language: str = "en") -> str:
    """'18:00:08', in the reader's way of writing."""
    return format_time(local(moment, zone), "HH:mm:ss" if language == "en" else "medium", locale=language.replace("-", "_"))
