"""Times for people stand in a named zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from django.utils.translation import override

from merchants import moments

WINTER = datetime(2026, 12, 1, 18, 0, 8, tzinfo=UTC)
SUMMER = datetime(2026, 7, 1, 18, 0, 8, tzinfo=UTC)
LISBON, KOLKATA, KIRITIMATI = "Europe/Lisbon", "Asia/Kolkata", "Pacific/Kiritimati"


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Lisbon", "Lisbon time"),
        ("America/New_York", "New York time"),
        ("America/Argentina/Buenos_Aires", "Buenos Aires time"),
        ("UTC", "UTC"),
        ("Etc/UTC", "UTC"),
    ],
)
def test_a_zone_is_named_by_its_city(zone: str, words: str):
    assert moments.zone_words(zone) == words


@pytest.mark.parametrize(
    ("moment", "zone", "expected"),
    [
        (WINTER, LISBON, "1 Dec 2026, 18:00"),
        (SUMMER, LISBON, "1 Jul 2026, 19:00"),
        (WINTER, KOLKATA, "1 Dec 2026, 23:30"),
        (WINTER, KIRITIMATI, "2 Dec 2026, 08:00"),
        (datetime(2026, 1, 1, 0, 5, tzinfo=UTC), "America/New_York", "31 Dec 2025, 19:05"),
        (datetime(2026, 12, 1, 20, 0, tzinfo=timezone(timedelta(hours=2))), LISBON, "1 Dec 2026, 18:00"),
    ],
)
def test_the_short_form(moment: datetime, zone: str, expected: str):
    assert moments.short(moment, zone) == expected


def test_in_words_it_says_the_zone():
    assert moments.in_words(WINTER, LISBON) == "1 Dec 2026, 18:00, Lisbon time"


def test_the_long_form_has_the_weekday():
    assert moments.long(WINTER, LISBON) == "Tuesday 1 December 2026, 18:00, Lisbon time"


def test_a_day_is_the_day_there():
    assert (moments.day(WINTER, LISBON), moments.day(WINTER, KIRITIMATI)) == ("1 December 2026", "2 December 2026")


def test_the_time_of_day_has_seconds():
    assert moments.clock_time(WINTER, LISBON) == "18:00:08"


def test_the_hour_that_happens_twice_is_the_right_one():
    before, after = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert [moments.local(moment, LISBON).utcoffset() for moment in (before, after)] == [timedelta(hours=1), timedelta(0)]
    assert moments.short(before, LISBON) == moments.short(after, LISBON) == "25 Oct 2026, 01:30"


def test_other_languages_have_their_own_order():
    assert moments.day(WINTER, LISBON, "de") == "1. Dezember 2026"


@pytest.mark.parametrize(
    ("language", "short", "long"),
    [
        ("de", "1. Dez. 2026, 18:00", "Dienstag, 1. Dezember 2026, 18:00, Ortszeit Lissabon"),
        ("zh-hans", "2026年12月1日 18:00", "2026年12月1日星期二 18:00，里斯本时间"),
        ("ar", "1 ديسمبر 2026، 6:00 م", "الثلاثاء، 1 ديسمبر 2026، 6:00 م بتوقيت لشبونة"),
    ],
)
def test_each_language_has_its_own_words_and_names_the_zone_once(language: str, short: str, long: str):
    assert moments.short(WINTER, LISBON, language) == short
    assert moments.long(WINTER, LISBON, language) == long
    with override(language):
        assert (moments.short(WINTER, LISBON), moments.long(WINTER, LISBON)) == (short, long)


def test_every_zone_that_is_offered_exists_and_has_a_name():
    offered = moments.zones()
    assert offered[0] == "UTC"
    assert {LISBON, KOLKATA, "America/Argentina/Buenos_Aires"} <= set(offered)
    assert len(offered) == len(set(offered))
    assert [name for name in offered if not moments.zone_words(name)] == []
    assert [name for name in offered if name.startswith(("Etc/", "posix/", "right/", "SystemV/", "US/"))] == []
    for name in offered:
        ZoneInfo(name)


def test_an_unknown_zone_is_an_error_and_not_utc():
    with pytest.raises(ZoneInfoNotFoundError):
        moments.short(WINTER, "Nowhere/Land")
