"""The overview's figures: what is owed, what came and when, what goes out next.

The floor above is only looked at, through the relations that it has to an invoice; every query is about the open or planned
invoices, or about the money of a span of time that is asked for.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date
from django.db.models import Count, F, Max, Min, Prefetch, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import occurrences
from invoicing.chart import Column
from invoicing.filters import overdue
from invoicing.models import Invoice, Occurrence, Schedule, ScheduleStatus, Segment, Status
from invoicing.money import locale_of
from merchants import assets, moments
from merchants.models import Merchant

AHEAD = timedelta(days=30)
RECORDED = "recorded"  # the series of payments recorded by hand


# --- the four figures ---------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Figure:
    """A sum of one currency, in its minor unit, with the number of invoices behind it."""

    currency: str
    minor: int
    invoices: int = 0
    part_minor: int = 0  # confirming, of what is outstanding; by this day of the month before, of what was received
    at: datetime | None = None  # the oldest due time of what is overdue; the next sending
    before_minor: int = 0  # in the whole month before, of what was received


@dataclass(frozen=True)
class Overview:
    outstanding: list[Figure]
    overdue: list[Figure]
    received: list[Figure]
    going_out: list[Figure]


def sums(merchant: Merchant, now: datetime, *, sendings: Sequence[Sending]) -> Overview:
    """Per currency, the merchant's own first, never added up across currencies.

    Outstanding is total − credited of every open invoice, what is confirming included. Received is what became final or was
    recorded by hand in this month of the merchant's zone. `sendings` are what goes out in the next AHEAD.
    """
    mine = Invoice.objects.filter(merchant=merchant)
    unpaid = Sum(F("total_minor") - F("credited_minor"))
    return Overview(
        outstanding=_by_currency(mine.filter(status=Status.OPEN), merchant, minor=unpaid, part=Sum("pending_minor")),
        overdue=_by_currency(mine.filter(overdue(now)), merchant, minor=unpaid, at=Min("due_at")),
        received=_received(mine, merchant, now),
        going_out=_going_out(sendings, merchant),
    )


def _by_currency(found: QuerySet[Invoice], merchant: Merchant, **figures: Sum | Min | Max) -> list[Figure]:
    rows: Any = found.order_by().values("currency").annotate(invoices=Count("id"), **{f"figure_{name}": figure for name, figure in figures.items()})
    found_sums = [
        Figure(row["currency"], row["figure_minor"] or 0, row["invoices"], row.get("figure_part") or 0, row.get("figure_at")) for row in rows
    ]
    return _ordered(found_sums, merchant)


def _ordered(found: list[Figure], merchant: Merchant) -> list[Figure]:
    """The merchant's own currency first, then by code; a zero of its own where there is nothing."""
    return sorted(found, key=lambda row: (row.currency != merchant.currency, row.currency)) or [Figure(merchant.currency, 0)]


def _received(mine: QuerySet[Invoice], merchant: Merchant, now: datetime) -> list[Figure]:
    this, last, so_far = month_starts(now, merchant.time_zone)
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for condition, at, amount in MONEY:
        current = Q(**{f"{at}__gte": this, f"{at}__lte": now})
        by_then = Q(**{f"{at}__gte": last, f"{at}__lt": so_far})
        before = Q(**{f"{at}__gte": last, f"{at}__lt": this})
        rows = (
            mine.filter(condition, **{f"{at}__gte": last})
            .order_by()
            .values_list("currency")
            .annotate(minor=Sum(amount, filter=current), part=Sum(amount, filter=by_then), whole=Sum(amount, filter=before))
        )
        for currency, *found in rows:
            totals[currency] = [had + (new or 0) for had, new in zip(totals[currency], found, strict=True)]
    figures = [Figure(currency, minor, part_minor=part, before_minor=whole) for currency, (minor, part, whole) in totals.items()]
    return _ordered(figures, merchant)


# The money that came, on the floor above: condition, when, how much in the invoice's minor unit.
MONEY = (
    (Q(transfers__status="final", transfers__is_held=False, transfers__credit_minor__gt=0), "transfers__final_at", "transfers__credit_minor"),
    (Q(recorded_payments__reversed_at=None, recorded_payments__isnull=False), "recorded_payments__paid_at", "recorded_payments__amount_minor"),
)


def month_starts(now: datetime, zone: str) -> tuple[datetime, datetime, datetime]:
    """The first moments of this month and of the one before in `zone`, and the point of that month as far in as `now`."""
    local = moments.local(now, zone)
    this = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    last = (this - timedelta(days=1)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return this, last, min(last + (local - this), this)


# --- what goes out ------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Sending:
    """An invoice that goes out by itself: a scheduled one, or the next of a schedule."""

    at: datetime
    payer: str
    title: str
    minor: int
    currency: str
    invoice: int | None = None
    schedule: int | None = None


def sendings(merchant: Merchant, now: datetime) -> list[Sending]:
    """Everything that goes out within AHEAD, the next first: four queries, however much it is."""
    return list(heapq.merge(_scheduled(merchant, now + AHEAD), _occurrences(merchant, now + AHEAD), key=lambda row: row.at))


def _scheduled(merchant: Merchant, until: datetime) -> list[Sending]:
    found = Invoice.objects.filter(merchant=merchant, status=Status.SCHEDULED, issue_at__lte=until).order_by("issue_at", "id")
    rows = found.values_list("issue_at", "payer_name", "title", "total_minor", "currency", "pk")
    return [Sending(*row) for row in rows]  # type: ignore[arg-type]


def _occurrences(merchant: Merchant, until: datetime) -> list[Sending]:
    """The dates of the schedules that are active, one row each time it sends."""
    ahead = Occurrence.objects.filter(k__gte=F("schedule__next_k")).only("schedule_id", "k")
    found = (
        Schedule.objects.filter(merchant=merchant, status=ScheduleStatus.ACTIVE, next_at__lte=until)
        .annotate(issued=Count("occurrences", filter=Q(occurrences__state=Occurrence.State.ISSUED)))
        .prefetch_related(Prefetch("segments", Segment.objects.order_by("first_k")), Prefetch("occurrences", ahead, to_attr="ahead"))
    )
    return sorted((sending for schedule in found for sending in _of_schedule(schedule, until)), key=lambda row: row.at)


def _of_schedule(schedule: Any, until: datetime) -> Iterator[Sending]:
    segment = next(reversed(schedule.segments.all()), None)
    if segment is None:
        return
    taken = {row.k for row in schedule.ahead}
    dates = occurrences.plan(schedule, segment.timing, first_k=segment.first_k, start=schedule.next_k, taken=taken, issued=schedule.issued)
    for coming in takewhile(lambda date: date.planned_at <= until, dates):
        yield Sending(coming.planned_at, schedule.payer_name, coming.title, schedule.total_minor, schedule.currency, schedule=schedule.pk)


def _going_out(found: Sequence[Sending], merchant: Merchant) -> list[Figure]:
    by_currency: dict[str, list[Sending]] = defaultdict(list)
    for sending in found:
        by_currency[sending.currency].append(sending)
    figures = [Figure(code, sum(row.minor for row in rows), len(rows), at=rows[0].at) for code, rows in by_currency.items()]
    return _ordered(figures, merchant)


# --- money by day -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Span:
    """A column of the chart: days of the merchant's calendar from `start` up to, not with, the next one's start."""

    start: date
    name: str
    tick: str


RANGES: dict[str, str | Promise] = {"30d": _l("30 days"), "12w": _l("12 weeks"), "12m": _l("12 months")}
USUAL = "12w"


def spans(chosen: str, now: datetime, zone: str, language: str) -> list[Span]:
    """The columns of a range of RANGES, oldest first; the last holds today, and is not over."""
    today, locale = moments.local(now, zone).date(), locale_of(language)

    def written(day: date, pattern: str) -> str:
        return format_date(day, pattern, locale=locale)

    if chosen == "30d":
        days = [today - timedelta(days=back) for back in range(29, -1, -1)]
        found = [Span(day, written(day, "d MMMM y"), written(day, "d MMM")) for day in days]
        last = _("Today")
    elif chosen == "12m":
        found = [Span(day, written(day, "MMMM y"), written(day, "MMM")) for day in (_month(today, back) for back in range(11, -1, -1))]
        last = _("This month")
    else:
        monday = today - timedelta(days=today.weekday())
        weeks = [monday - timedelta(weeks=back) for back in range(11, -1, -1)]
        found = [Span(day, _("Week of %(day)s") % {"day": written(day, "d MMMM y")}, written(day, "d MMM")) for day in weeks]
        last = _("This week")
    return [*found[:-1], replace(found[-1], tick=last)]


def _month(today: date, back: int) -> date:
    year, month = divmod(today.year * 12 + today.month - 1 - back, 12)
    return date(year, month + 1, 1)


@dataclass(frozen=True)
class Income:
    """Money that came on one day of the merchant's calendar. `series` is a token's symbol, or RECORDED."""

    day: date
    currency: str
    series: str
    minor: int


def income(merchant: Merchant, *, since: date, now: datetime) -> list[Income]:
    """What became final, or was recorded by hand, from `since` to `now`, by day, currency and token: two queries."""
    zone = ZoneInfo(merchant.time_zone)
    start = datetime.combine(since, time(), zone)
    mine = Invoice.objects.filter(merchant=merchant).order_by()
    found = []
    for condition, at, amount in MONEY:
        is_recorded = at.startswith("recorded")
        keys = ["day", "currency"] if is_recorded else ["day", "currency", "transfers__asset_id"]
        came = mine.filter(condition, **{f"{at}__gte": start, f"{at}__lte": now})
        for day, currency, *asset, minor in came.annotate(day=TruncDate(at, tzinfo=zone)).values_list(*keys).annotate(minor=Sum(amount)):
            found.append(Income(day, currency, symbol(asset[0]) if asset else RECORDED, minor or 0))
    return found


def symbol(asset_id: str) -> str:
    """'USDT' on whatever network; of an asset that has left the catalogue, the end of its id."""
    try:
        return assets.asset(asset_id).symbol
    except assets.UnknownAsset:
        return asset_id.rpartition("/")[2]


def columns(found: Sequence[Income], over: Sequence[Span], *, currency: str) -> list[Column]:
    """One column per span, with what came in `currency`."""
    starts = [span.start for span in over]
    values: list[dict[str, int]] = [defaultdict(int) for _span in over]
    for row in found:
        if row.currency == currency and row.day >= starts[0]:
            values[bisect_right(starts, row.day) - 1][row.series] += row.minor
    return [Column(span.name, span.tick, dict(money)) for span, money in zip(over, values, strict=True)]


@dataclass(frozen=True)
class Series:
    key: str
    name: str
    colour: str  # CSS: series--<colour>


def series_of(over: Sequence[Column]) -> list[Series]:
    """The series in `over`, in the catalogue's order; what it does not know after that, what was recorded by hand last."""
    there = {key for column in over for key, minor in column.values.items() if minor}
    known = {asset.symbol: asset.colour for asset in assets.catalogue().assets.values()}
    named = [Series(key, key, known[key] or "other") for key in known if key in there]
    named += [Series(key, key, "other") for key in sorted(there - set(known) - {RECORDED})]
    return named + [Series(RECORDED, _("Recorded by hand"), RECORDED)] * (RECORDED in there)
