"""What the dashboard reads: the list, its pages and filters, and the overview's few figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from invoicing.models import Invoice, Status
from merchants import moments
from merchants.models import Merchant

PAGE = 25
AHEAD = timedelta(days=30)


def overdue(now: datetime) -> Q:
    """Open, past its due time, and nothing on its way: what `standing` calls overdue."""
    return Q(status=Status.OPEN, due_at__lte=now, pending_minor=0)


# what `?show=` may be → its word, and its condition
SHOWS: dict[str, tuple[str | Promise, Callable[[datetime], Q]]] = {
    "all": (_("All"), lambda _now: Q()),
    "draft": (_("Draft"), lambda _now: Q(status=Status.DRAFT)),
    "scheduled": (_("Scheduled"), lambda _now: Q(status=Status.SCHEDULED)),
    "open": (_("Open"), lambda _now: Q(status=Status.OPEN)),
    "overdue": (_("Overdue"), overdue),
    "paid": (_("Paid"), lambda _now: Q(status=Status.PAID)),
    "void": (_("Void"), lambda _now: Q(status=Status.VOID)),
    "missed": (_("Missed"), lambda _now: Q(status=Status.MISSED)),
}


def find(merchant: Merchant, *, show: str = "all", search: str = "", now: datetime) -> QuerySet[Invoice]:
    """The merchant's invoices in the state `show` whose number, title, payer or reference holds every word of `search`."""
    found = Invoice.objects.filter(merchant=merchant).filter(SHOWS[show][1](now))
    for word in search.split()[:8]:
        found = found.filter(
            Q(number__icontains=word)
            | Q(title__icontains=word)
            | Q(payer_name__icontains=word)
            | Q(payer_email__icontains=word)
            | Q(payer_reference__icontains=word)
        )
    return found


@dataclass(frozen=True)
class Page:
    """Some rows, newest first, and the ids to ask for the pages beside it (None where there is none)."""

    rows: list[Invoice]
    newer: int | None  # ?after=
    older: int | None  # ?before=


def page(found: QuerySet[Invoice], *, before: int | None = None, after: int | None = None, size: int = PAGE) -> Page:
    """A page by key, not by offset: older than `before`, or newer than `after`, or the newest."""
    if after is not None:
        rows = list(found.filter(pk__gt=after).order_by("id")[: size + 1])
        more, rows = len(rows) > size, rows[:size][::-1]
        return Page(rows, rows[0].pk if more else None, rows[-1].pk if rows else None)
    older = found.filter(pk__lt=before) if before is not None else found
    rows = list(older.order_by("-id")[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    return Page(rows, rows[0].pk if rows and before is not None else None, rows[-1].pk if more else None)


@dataclass(frozen=True)
class Sum_:
    """A figure of one currency, in its minor unit, with the number of invoices behind it."""

    currency: str
    minor: int
    invoices: int = 0
    part_minor: int = 0  # confirming, of what is outstanding; by this day of the month before, of what was received
    at: datetime | None = None  # the oldest due time of what is overdue; the next sending


@dataclass(frozen=True)
class Overview:
    outstanding: list[Sum_]
    overdue: list[Sum_]
    received: list[Sum_]
    going_out: list[Sum_]


def overview_sums(merchant: Merchant, now: datetime) -> Overview:
    """The overview's figures: per currency, the merchant's own first, never added up across currencies.

    Outstanding is total − credited of every open invoice, what is confirming included. Received is the credit of
    transfers that became final in this month of the merchant's zone.
    """
    mine = Invoice.objects.filter(merchant=merchant)
    unpaid = Sum(F("total_minor") - F("credited_minor"))
    return Overview(
        outstanding=_by_currency(mine.filter(status=Status.OPEN), merchant, minor=unpaid, part=Sum("pending_minor")),
        overdue=_by_currency(mine.filter(overdue(now)), merchant, minor=unpaid, at=Min("due_at")),
        received=_received(mine, merchant, now),
        going_out=_by_currency(
            mine.filter(status=Status.SCHEDULED, issue_at__lte=now + AHEAD), merchant, minor=Sum("total_minor"), at=Min("issue_at")
        ),
    )


def _by_currency(found: QuerySet[Invoice], merchant: Merchant, **figures: Sum | Min | Max) -> list[Sum_]:
    rows: Any = found.order_by().values("currency").annotate(invoices=Count("id"), **{f"figure_{name}": figure for name, figure in figures.items()})
    sums = [Sum_(row["currency"], row["figure_minor"] or 0, row["invoices"], row.get("figure_part") or 0, row.get("figure_at")) for row in rows]
    return _ordered(sums, merchant)


def _ordered(sums: list[Sum_], merchant: Merchant) -> list[Sum_]:
    """The merchant's own currency first, then by code; a zero of its own where there is nothing."""
    return sorted(sums, key=lambda row: (row.currency != merchant.currency, row.currency)) or [Sum_(merchant.currency, 0)]


def _received(mine: QuerySet[Invoice], merchant: Merchant, now: datetime) -> list[Sum_]:
    this, last, so_far = month_starts(now, merchant.time_zone)
    final = Q(transfers__status="final", transfers__is_held=False)
    current = final & Q(transfers__final_at__gte=this, transfers__final_at__lte=now)
    before = final & Q(transfers__final_at__gte=last, transfers__final_at__lt=so_far)
    rows = (
        mine.filter(transfers__final_at__gte=last)
        .order_by()
        .values("currency")
        .annotate(minor=Sum("transfers__credit_minor", filter=current), part=Sum("transfers__credit_minor", filter=before))
    )
    return _ordered([Sum_(row["currency"], row["minor"] or 0, part_minor=row["part"] or 0) for row in rows], merchant)


def month_starts(now: datetime, zone: str) -> tuple[datetime, datetime, datetime]:
    """The first moments of this month and of the one before in `zone`, and the point of that month as far in as `now`."""
    local = moments.local(now, zone)
    this = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    last = (this - timedelta(days=1)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return this, last, min(last + (local - this), this)
