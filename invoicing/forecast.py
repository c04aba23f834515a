"""The dates that a schedule makes as it is being written, with a note where one may surprise. Nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

from babel.dates import format_date
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from invoicing import entry, money, occurrences, planning
from invoicing.models import Occurrence, Schedule, ScheduleStatus
from invoicing.occurrences import Coming
from invoicing.recurrence import MONTHS_OF, Timing
from merchants import moments

SHOWN = 12
BRIEFLY = 5
NOON = time(12)


@dataclass(frozen=True)
class Row:
    """One coming date; `notes` say what is unlike the dates around it."""

    k: int
    planned_at: datetime
    due_at: datetime
    title: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Forecast:
    """The next dates under `timing`. `count` and `last` are of all that are coming; None where there is no end."""

    timing: Timing
    rows: tuple[Row, ...]
    count: int | None
    last: datetime | None
    sent: int  # how many have gone out before these
    is_retimed: bool  # a running schedule goes by this timing from `rows` on

    @property
    def first(self) -> Row | None:
        return self.rows[0] if self.rows else None

    @property
    def brief(self) -> tuple[Row, ...]:
        return self.rows[:BRIEFLY]

    @property
    def rest(self) -> tuple[Row, ...]:
        return self.rows[BRIEFLY:]


def forecast(like: Schedule, timing: Timing, *, of: Schedule | None, shown_next: datetime | None = None, now: datetime) -> Forecast:
    """What `like` (unsaved: title, language, days and end as they are typed) makes under `timing`.

    `of` is the saved schedule that is edited: one that runs goes on with its numbers. `shown_next` is its next date as the page
    showed it.
    """
    is_retimed = of is not None and of.is_running and not planning.is_untouched(of, timing, shown_next)
    start = _start(of, timing, now, is_retimed=is_retimed)
    dates = list(islice(occurrences.plan(like, **start), SHOWN))
    paused = of is not None and of.status == ScheduleStatus.PAUSED
    rows = []
    for before, coming in zip([None, *dates], dates, strict=False):
        first = coming.k == start["first_k"]
        said = notes(coming, before, start["timing"], is_first=first, now=None if paused else now)
        rows.append(Row(coming.k, coming.planned_at, coming.due_at, coming.title, said))
    count, last = _end(like, start)
    return Forecast(start["timing"], tuple(rows), count, last, start["issued"], is_retimed)


def _start(of: Schedule | None, timing: Timing, now: datetime, *, is_retimed: bool) -> dict[str, Any]:
    """From where on, and under which timing, as arguments of `occurrences.plan`."""
    if of is None or not of.is_running:
        return {"timing": timing, "first_k": 1, "start": 1, "taken": frozenset(), "issued": 0}
    issued = occurrences.issued_count(of)
    segment = of.segments.last()
    if segment is None or is_retimed:
        found = planning.retiming(of, timing, now)
        return {"timing": timing, "first_k": found.first_k, "start": found.first_k, "taken": found.kept, "issued": issued}
    taken = frozenset(Occurrence.objects.filter(schedule=of, k__gte=of.next_k).values_list("k", flat=True))
    return {"timing": segment.timing, "first_k": segment.first_k, "start": of.next_k, "taken": taken, "issued": issued}


def _end(like: Schedule, start: dict[str, Any]) -> tuple[int | None, datetime | None]:
    """How many are coming and when the last of them is; (None, None) without an end."""
    if like.is_standing:
        return None, None
    bare = Schedule(
        merchant=like.merchant, language=like.language, due_after_days=like.due_after_days, ends_after=like.ends_after, ends_on=like.ends_on
    )
    count, last = 0, None
    for coming in occurrences.plan(bare, **start):
        count, last = count + 1, coming.planned_at
    return count, last


# --- notes ----------------------------------------------------------------------------------------------------------
def notes(coming: Coming, before: Coming | None, timing: Timing, *, is_first: bool = False, now: datetime | None = None) -> tuple[str, ...]:
    """What is unlike the dates around it. `before` is the date shown above; `is_first` when the timing begins with this one.

    `now` None says nothing of what has passed.
    """
    found = [
        _passed(coming, timing, now),
        _begins(coming, timing) if is_first else "",
        _shorter(coming, timing),
        _clocks(coming, before, timing),
        _gap(coming, timing),
    ]
    return tuple(words for words in found if words)


def _passed(coming: Coming, timing: Timing, now: datetime | None) -> str:
    if now is None or coming.planned_at > now:
        return ""
    return _("goes out at once") if coming.day == moments.local(now, timing.zone).date() else _("has passed")


def _begins(coming: Coming, timing: Timing) -> str:
    """A first date that the rule does not meet is only where it begins to look."""
    return _("the first that fits, from %(day)s on") % {"day": _brief(timing.anchor)} if coming.day != timing.anchor else ""


def _shorter(coming: Coming, timing: Timing) -> str:
    """Asked for a day that this month does not have."""
    wanted = timing.rule.day
    lacks = timing.rule.unit in MONTHS_OF and wanted is not None and wanted > coming.day.day
    return _("last day of the month") if lacks else ""


def _clocks(coming: Coming, before: Coming | None, timing: Timing) -> str:
    """The clocks change between the date above and this one: the hour stays what it is."""
    if before is None:
        return ""
    zone = timing.zone
    if moments.local(before.planned_at, zone).utcoffset() == moments.local(coming.planned_at, zone).utcoffset():
        return ""
    day = coming.day
    while day > before.day and _offset(day, zone) == _offset(day - timedelta(days=1), zone):
        day -= timedelta(days=1)
    return _("clocks change on %(day)s") % {"day": _brief(day)}


def _offset(day: date, zone: str) -> timedelta | None:
    return moments.local(entry.moment(day, NOON, zone), zone).utcoffset()


def _gap(coming: Coming, timing: Timing) -> str:
    """Daylight saving skips this time on this day."""
    shown = moments.local(coming.planned_at, timing.zone)
    if shown.time() == timing.at:
        return ""
    return _("this time is skipped that day: %(wanted)s becomes %(real)s") % {"wanted": f"{timing.at:%H:%M}", "real": f"{shown:%H:%M}"}


def _brief(day: date) -> str:
    """'28 Mar'."""
    return format_date(day, "d MMM", locale=money.locale_of(get_language() or "en"))
