"""What the pages about schedules read: the list, the table of every occurrence, and the figures above it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import alphabet, filters, occurrences, queries, rule_words, schedules, standing
from invoicing.models import Invoice, Occurrence, Schedule, ScheduleStatus, Segment, Status
from invoicing.models.schedule import ENDED
from invoicing.occurrences import Coming
from merchants import moments
from merchants.models import Merchant

PAST = 24  # decided rows on a page
AHEAD, MOST_AHEAD = 12, 120  # coming ones
State = Occurrence.State

SHOWS: dict[str, tuple[str | Promise, Q]] = {
    "all": (_l("All"), Q()),
    "draft": (_l("Draft"), Q(status=ScheduleStatus.DRAFT)),
    "active": (_l("Active"), Q(status=ScheduleStatus.ACTIVE)),
    "paused": (_l("Paused"), Q(status=ScheduleStatus.PAUSED)),
    "ended": (_l("Ended"), Q(status__in=ENDED)),
}


# --- the list -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Entry:
    """A schedule in the list; `next_at` only where something will be sent."""

    schedule: Schedule
    badge: standing.Badge
    words: str  # how often
    zone: str
    next_at: datetime | None
    sent: int


def page(merchant: Merchant, *, show: str, search: str, at: str) -> tuple[list[Entry], queries.Page]:
    """A page of the newest schedules by key. Two queries, however many there are."""
    issued = Occurrence.objects.filter(schedule=OuterRef("pk"), state=State.ISSUED).order_by().values("schedule").annotate(count=Count("pk"))
    found: Any = (
        Schedule.objects.filter(SHOWS[show][1], alphabet.holding(search, "title", "payer_name", "payer_email"), merchant=merchant)
        .annotate(sent=Coalesce(Subquery(issued.values("count")), Value(0)))
        .prefetch_related("segments")
    )
    rows = queries.page(found, filters.ORDERS[""], at=at)
    return [_entry(schedule) for schedule in rows.rows], rows


def _entry(schedule: Any) -> Entry:
    segments: list[Segment] = list(schedule.segments.all())
    timing = segments[-1].timing if segments else None
    return Entry(
        schedule=schedule,
        badge=standing.schedule_standing(schedule),
        words=rule_words.words(timing.rule, timing.anchor) if timing else "",
        zone=timing.zone if timing else schedule.time_zone,
        next_at=schedule.next_at if schedule.status == ScheduleStatus.ACTIVE else None,
        sent=schedule.sent,
    )


# --- one schedule: every occurrence ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class Row:
    """An occurrence as the page shows it: decided, or coming. Times in UTC, shown in `zone`."""

    k: int
    planned_at: datetime
    zone: str
    title: str
    badge: standing.Badge
    minor: int
    currency: str
    invoice: Invoice | None = None
    acts: tuple[str, ...] = ()  # of "send", "after_all", "skip", "put_back"


@dataclass(frozen=True)
class Rows:
    """The table. `past` are decided or wait, `ahead` come after today's row. `earlier` and `more` ask for the rows around."""

    past: list[Row]
    ahead: list[Row]
    earlier: int | None = None  # ?before=
    more: int | None = None  # ?coming=


@dataclass(frozen=True)
class Table:
    """Reads the rows of one schedule at `now`. Five queries, however many rows."""

    schedule: Schedule
    segments: list[Segment]
    now: datetime

    def read(self, *, show: str = "all", before: int | None = None, shown: int = AHEAD) -> Rows:
        """`show`: all, sent or coming. `before` a No. shows the decided rows before it, and none of those ahead."""
        past, earlier = ([], None) if show == "coming" else self._decided(sent_only=show == "sent", before=before)
        if show == "sent" or before is not None:
            return Rows(past, [], earlier)
        dates = occurrences.coming(self.schedule, most=min(shown, MOST_AHEAD) + 1)
        more = min(shown * 2, MOST_AHEAD) if len(dates) > shown and shown < MOST_AHEAD else None
        is_whole, dates = len(dates) <= shown, dates[:shown]
        rows = [self._date(date) for date in dates]
        rows += [self._row(row) for row in self._skipped_ahead() if is_whole or row.k < dates[-1].k]
        rows.sort(key=lambda row: row.k)
        waiting = [row for row in rows if row.badge is standing.WAITING]
        return Rows([*past, *waiting], [row for row in rows if row.badge is not standing.WAITING], earlier, more)

    def _decided(self, *, sent_only: bool, before: int | None) -> tuple[list[Row], int | None]:
        found = Occurrence.objects.filter(schedule=self.schedule).exclude(state=State.SKIPPED, planned_at__gt=self.now)
        if sent_only:
            found = found.filter(state=State.ISSUED)
        if before is not None:
            found = found.filter(k__lt=before)
        rows = list(found.select_related("invoice").order_by("-k")[: PAST + 1])
        has_earlier, rows = len(rows) > PAST, rows[:PAST]
        return [self._row(row) for row in reversed(rows)], rows[-1].k if has_earlier else None

    def _skipped_ahead(self) -> QuerySet[Occurrence]:
        ahead = Occurrence.objects.filter(schedule=self.schedule, state=State.SKIPPED, planned_at__gt=self.now)
        return ahead.order_by("k")[:MOST_AHEAD]

    def _row(self, row: Occurrence) -> Row:
        segment, invoice = self._segment(row.k), row.invoice if row.invoice_id else None
        return Row(
            k=row.k,
            planned_at=row.planned_at,
            zone=segment.zone,
            title=invoice.title if invoice else occurrences.title_of(self.schedule, segment, row.k),
            badge=standing.occurrence_standing(row, self.now),
            minor=invoice.total_minor if invoice else self.schedule.total_minor,
            currency=invoice.currency if invoice else self.schedule.currency,
            invoice=invoice,
            acts=self._acts(row),
        )

    def _acts(self, row: Occurrence) -> tuple[str, ...]:
        is_stopped = self.schedule.status == ScheduleStatus.STOPPED
        if row.state in (State.MISSED, State.HELD):
            return () if is_stopped else ("send", "skip")
        if row.state == State.SKIPPED and row.planned_at > self.now:
            if not self.schedule.is_running:
                return ()
            return ("put_back",) if schedules.is_of_present_timing(self.schedule, row.k) else ("after_all",)
        return ("after_all",) if row.state == State.SKIPPED and not is_stopped else ()

    def _date(self, date: Coming) -> Row:
        schedule = self.schedule
        is_next = schedule.is_running and date.k == schedule.next_k
        waits = schedule.status == ScheduleStatus.PAUSED and date.planned_at <= self.now
        acts = (("send", "skip") if is_next else ("skip",)) if schedule.is_running else ()
        badge = standing.WAITING if waits else standing.COMING
        zone = self.segments[-1].zone
        return Row(date.k, date.planned_at, zone, date.title, badge, schedule.total_minor, schedule.currency, acts=acts)

    def _segment(self, k: int) -> Segment:
        return next(segment for segment in reversed(self.segments) if segment.first_k <= k)


# --- one schedule: the figures, and what needs a word ---------------------------------------------------------------
@dataclass(frozen=True)
class Figures:
    """What became of the invoices of a schedule. `received` per currency, in its minor unit."""

    sent: int
    open: int
    paid: int
    received: list[tuple[str, int]]


def figures(schedule: Schedule) -> Figures:
    rows: Any = (
        Invoice.objects.filter(occurrence__schedule=schedule)
        .order_by("currency")
        .values("currency")
        .annotate(
            sent=Count("pk"),
            open=Count("pk", filter=Q(status=Status.OPEN)),
            paid=Count("pk", filter=Q(status=Status.PAID)),
            received=Sum("credited_minor"),
        )
    )
    found = list(rows)
    received = [(row["currency"], int(row["received"])) for row in found]
    sent, opened, paid = (sum(row[name] for row in found) for name in ("sent", "open", "paid"))
    return Figures(sent, opened, paid, received or [(schedule.currency, 0)])


def troubles(schedule: Schedule, *, most: int = 3) -> tuple[list[Occurrence], int]:
    """The latest missed or held occurrences, oldest of them first; and how many there are."""
    found = Occurrence.objects.filter(schedule=schedule, state__in=(State.MISSED, State.HELD))
    latest = list(found.order_by("-k")[: most + 1])
    count = len(latest) if len(latest) <= most else found.count()
    return latest[:most][::-1], count


@dataclass(frozen=True)
class Meanwhile:
    """What was planned while it was paused: what would still be issued, and what is past its due time."""

    issued: list[Coming]
    missed: list[Coming]

    def __bool__(self) -> bool:
        return bool(self.issued or self.missed)


def meanwhile(schedule: Schedule, now: datetime) -> Meanwhile:
    """What resuming decides. What is missed does not count towards the end, as when a worker decides it."""
    segment = schedule.segments.last()
    if segment is None or schedule.status != ScheduleStatus.PAUSED:
        return Meanwhile([], [])
    endless = copy.copy(schedule)
    endless.ends_after = None
    taken = set(schedule.occurrences.filter(k__gte=schedule.next_k).values_list("k", flat=True))
    left = schedule.ends_after - occurrences.issued_count(schedule) if schedule.ends_after is not None else None
    found = Meanwhile([], [])
    for date in _until(now, occurrences.plan(endless, segment.timing, first_k=segment.first_k, start=schedule.next_k, taken=taken)):
        if left is not None and len(found.issued) >= left:
            break
        (found.issued if date.due_at > now else found.missed).append(date)
    return found


def _until(now: datetime, dates: Iterator[Coming]) -> Iterator[Coming]:
    for date in dates:
        if date.planned_at > now:
            return
        yield date


def when_words(segments: list[Segment]) -> str:
    """'every month on the last day at 09:00, Lisbon time'; empty for a draft whose timing is not written."""
    if not segments:
        return ""
    timing = segments[-1].timing
    told = {"rule": rule_words.words(timing.rule, timing.anchor), "time": f"{timing.at:%H:%M}", "zone": moments.zone_words(timing.zone)}
    return _("%(rule)s at %(time)s, %(zone)s") % told
