"""What a schedule makes: its dates with their texts, and the invoice of one of them. Nothing here changes a status."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice, takewhile
from typing import Any

from invoicing import entry, uploads
from invoicing.filling import Filling, fill
from invoicing.models import Invoice, LineItem, Occurrence, Schedule, Segment
from invoicing.models.contents import Contents, Line
from invoicing.recurrence import Timing, day_of
from merchants import moments

COPIED = tuple(field.name for field in Contents._meta.fields if field.name not in ("version", "form_key", "created_at", "remark"))


def segment_of(schedule: Schedule, k: int) -> Segment:
    """The timing that occurrence `k` goes by. Segment.DoesNotExist for a draft whose timing is not written yet."""
    found = schedule.segments.filter(first_k__lte=k).last()
    if found is None:
        raise Segment.DoesNotExist
    return found


def due_at(timing: Timing, day: date, days: int) -> datetime:
    """Until when the invoice of `day` is to be paid: `days` later on the calendar, at the same time on the clock."""
    return entry.moment(day + timedelta(days=days), timing.at, timing.zone)


def is_over(schedule: Schedule, day: date, *, issued: int | None) -> bool:
    """Whether an occurrence on `day` comes after the end, `issued` invoices having been issued before it (None: not counted)."""
    if schedule.ends_after is not None:
        return issued is not None and issued >= schedule.ends_after
    return schedule.ends_on is not None and day > schedule.ends_on


def issued_count(schedule: Schedule) -> int:
    return schedule.occurrences.filter(state=Occurrence.State.ISSUED).count()


def _spoken_for(schedule: Schedule) -> int:
    """How many of its invoices were issued, or are held and may still be."""
    return schedule.occurrences.filter(state__in=(Occurrence.State.ISSUED, Occurrence.State.HELD)).count()


@dataclass(frozen=True)
class Coming:
    """A date that is planned and not decided. `title` as it will read; times in UTC."""

    k: int
    day: date
    planned_at: datetime
    due_at: datetime
    title: str


def coming(schedule: Schedule, *, most: int = 12, until: datetime | None = None, counted: bool = True) -> list[Coming]:
    """The next `most` dates that will be sent, by the schedule as it is, planned at `until` or before; empty when nothing is coming.

    Without `counted`, an end after so many invoices is left out: for dates that may be missed or skipped, and so not count.
    """
    if not schedule.is_editable:
        return []
    segment = schedule.segments.last()
    if segment is None:
        return []
    taken = set(schedule.occurrences.filter(k__gte=schedule.next_k).values_list("k", flat=True))
    issued = _spoken_for(schedule) if schedule.ends_after and counted else None
    dates = plan(schedule, segment.timing, first_k=segment.first_k, start=schedule.next_k, taken=taken, issued=issued)
    return list(islice(takewhile(lambda date: until is None or date.planned_at <= until, dates), most))


def plan(
    schedule: Schedule, timing: Timing, *, first_k: int = 1, start: int = 1, taken: set[int] | frozenset[int] = frozenset(), issued: int | None = 0
) -> Iterator[Coming]:
    """The dates of `schedule` (which need not be saved) from No. `start` on, to its end or without one.

    Under `timing`, whose first occurrence is No. `first_k`; without those `taken`, and with `issued` invoices sent before (None:
    they are not counted).
    """
    for k, day in days(timing, first_k, start):
        if is_over(schedule, day, issued=issued):
            return
        if k in taken:
            continue
        issued = None if issued is None else issued + 1
        yield Coming(
            k=k,
            day=day,
            planned_at=timing.planned(k - first_k + 1),
            due_at=due_at(timing, day, schedule.due_after_days),
            title=fill(schedule.title, _filling(schedule, timing, k=k, first_k=first_k, day=day), most=160),
        )


def days(timing: Timing, first_k: int, start: int) -> Iterator[tuple[int, date]]:
    """(k, day) from `start` on, to the end of the calendar."""
    k = start
    while True:
        try:
            day = day_of(timing.anchor, k - first_k + 1, timing.rule)
        except (OverflowError, ValueError):
            return
        yield k, day
        k += 1


def _filling(schedule: Schedule, timing: Timing, *, k: int, first_k: int, day: date) -> Filling:
    try:
        last = day_of(timing.anchor, k - first_k + 2, timing.rule) - timedelta(days=1)
    except (OverflowError, ValueError):
        last = day
    return Filling(k, day, last, timing.rule, schedule.language)


def title_of(schedule: Schedule, segment: Segment, k: int) -> str:
    """The title of occurrence `k`, by the contents as they are now."""
    filling = _filling(schedule, segment.timing, k=k, first_k=segment.first_k, day=segment.day_of(k))
    return fill(schedule.title, filling, most=160)


def unsaved(schedule: Schedule, k: int, *, sent_at: datetime, from_now: datetime | None = None) -> tuple[Invoice, list[LineItem]]:
    """The invoice of occurrence `k` as it would be issued, with its lines; nothing is stored.

    `sent_at` is its issue time. It is due the schedule's days after its planned day, or after `from_now` when it is sent
    at another time than planned.
    """
    segment = segment_of(schedule, k)
    timing = segment.timing
    filling = _filling(schedule, timing, k=k, first_k=segment.first_k, day=segment.day_of(k))
    first_day = moments.local(from_now, timing.zone).date() if from_now else filling.day
    values: dict[str, Any] = {name: getattr(schedule, name) for name in COPIED}
    values |= {
        "title": fill(schedule.title, filling, most=160),
        "description": fill(schedule.description, filling, most=4000),
        "issue_at": sent_at,
        "due_at": due_at(timing, first_day, schedule.due_after_days),
    }
    invoice = Invoice(merchant=schedule.merchant, **values)
    return invoice, [_line(line, invoice, filling) for line in schedule.lines.all()]


def _line(line: Line, invoice: Invoice, filling: Filling) -> LineItem:
    return LineItem(invoice=invoice, **line.copied() | {"description": fill(line.description, filling, most=300)})


def store(invoice: Invoice, lines: list[LineItem], *, schedule: Schedule, now: datetime) -> Invoice:
    """Store what `unsaved` made, with its own rows for the schedule's files. Under the schedule's lock."""
    invoice.save()
    for line in lines:
        line.invoice = invoice
    LineItem.objects.bulk_create(lines)
    uploads.share(schedule.attachments.all(), to=invoice, now=now)
    return invoice
