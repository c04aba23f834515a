"""Times for people: in a named zone, never without it. Without `language` they are in the one that is spoken now."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton, format_time, get_timezone_location
from django.utils.translation import gettext as _
from django.utils.translation import override

from merchants import languages


@lru_cache(maxsize=64)
def locale_of(language: str) -> Locale:
    """'zh-hans' → zh_Hans."""
    return Locale.parse(language.replace("-", "_"))


def zone_words(zone: str, language: str = "") -> str:
    """'Lisbon time' for Europe/Lisbon, 'UTC' for UTC."""
    if zone in ("UTC", "Etc/UTC"):
        return "UTC"
    language = language or languages.active()
    city = zone.rpartition("/")[2].replace("_", " ")
    if language != "en":
        city = get_timezone_location(zone, locale=locale_of(language), return_city=True).rpartition("/")[2] or city
    with override(language):
        return _("%(city)s time") % {"city": city}


def zones() -> list[str]:
    """Every zone a merchant can choose, UTC first."""
    named = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/", "US/", "posix/", "right/")))
    return ["UTC", *named]


def local(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone))


def in_words(moment: datetime, zone: str, language: str = "") -> str:
    """'1 Dec 2026, 18:00, Lisbon time'."""
    return _with_zone(short(moment, zone, language), zone, language)


def short(moment: datetime, zone: str, language: str = "") -> str:
    """'1 Dec 2026, 18:00'."""
    language, here = language or languages.active(), local(moment, zone)
    if language == "en":
        return format_datetime(here, "d MMM y, HH:mm", locale="en")
    return _joined(format_skeleton("yMMMd", here, locale=locale_of(language)), here, language)


def long(moment: datetime, zone: str, language: str = "") -> str:
    """'Tuesday 1 December 2026, 18:00, Lisbon time'."""
    language, here = language or languages.active(), local(moment, zone)
    if language == "en":
        return _with_zone(format_datetime(here, "EEEE d MMMM y, HH:mm", locale="en"), zone, language)
    return _with_zone(_joined(format_date(here, "full", locale=locale_of(language)), here, language), zone, language)


def day(moment: datetime, zone: str, language: str = "") -> str:
    """'1 December 2026'."""
    language, here = language or languages.active(), local(moment, zone)
    return format_date(here, "d MMMM y" if language == "en" else "long", locale=locale_of(language))


def clock_time(moment: datetime, zone: str, language: str = "") -> str:
    """'18:00:08', in the reader's way of writing."""
    return _time(moment, zone, language, "HH:mm:ss", "medium")


def hour(moment: datetime, zone: str, language: str = "") -> str:
    """'18:00', in the reader's way of writing."""
    return _time(moment, zone, language, "HH:mm", "short")


def _time(moment: datetime, zone: str, language: str, english: str, pattern: str) -> str:
    language = language or languages.active()
    return format_time(local(moment, zone), english if language == "en" else pattern, locale=locale_of(language))


def _joined(date: str, here: datetime, language: str) -> str:
    """A day and a time of day, in the order and with the mark between them that the language has."""
    locale = locale_of(language)
    return str(locale.datetime_formats["medium"]).replace("'", "").format(format_time(here, "short", locale=locale), date)


def _with_zone(when: str, zone: str, language: str) -> str:
    language = language or languages.active()
    with override(language):
        return _("%(when)s, %(zone)s") % {"when": when, "zone": zone_words(zone, language)}
