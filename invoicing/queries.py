"""What the dashboard's list reads: its pages, and its totals."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Count, F, QuerySet, Sum, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from invoicing.filters import DERIVED, SHOWS, Filter, Order
from invoicing.models import Status
from merchants.models import Merchant

PAGE = 25


# --- pages ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Cursor:
    """A place between two rows: the sort values and the id of the row beside it, and which way the page lies from there."""

    is_forward: bool
    values: tuple[Any, ...]
    pk: int

    def token(self) -> str:
        """Opaque text for a URL."""
        written = [value.isoformat() if isinstance(value, datetime) else value for value in self.values]
        return base64.urlsafe_b64encode(json.dumps([self.is_forward, *written, self.pk]).encode()).decode().rstrip("=")

    @classmethod
    def of(cls, token: str, order: Order) -> Cursor | None:
        """The place that `token` names in `order`; None for what is no place there."""
        try:
            forward, *written, pk = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            values = tuple(_read(value, kind) for value, kind in zip(written, order.types, strict=True))
        except (ValueError, TypeError, OverflowError, RecursionError):
            return None
        return cls(forward, values, pk) if type(forward) is bool and _fits(pk) else None


def _read(value: Any, kind: type) -> Any:
    """A value of a cursor as the type its order sorts by. ValueError or TypeError when it is none."""
    if kind is datetime:
        moment = datetime.fromisoformat(value)
        if timezone.is_naive(moment):
            raise ValueError(value)
        return moment.astimezone(UTC)
    if type(value) is not kind or (kind is int and not _fits(value)):
        raise ValueError(value)
    if isinstance(value, str) and b"\0" in value.encode():  # which half of a surrogate pair does not survive
        raise ValueError(value)
    return value


def _fits(number: Any) -> bool:
    return type(number) is int and abs(number) < 2**63


@dataclass(frozen=True)
class Page:
    """Some rows, and the cursors of the pages beside it (empty where there is none)."""

    rows: list[Any]
    newer: str = ""
    older: str = ""


def page(found: QuerySet[Any], order: Order, *, at: str = "", size: int = PAGE) -> Page:
    """A page by key, not by offset: the rows beside the cursor `at`, or the first ones. A cursor that means nothing is the first page."""
    cursor = Cursor.of(at, order) if at else None
    backwards = cursor is not None and not cursor.is_forward
    names = [f"key_{number}" for number in range(len(order.keys))]
    found = found.annotate(**dict(zip(names, order.keys, strict=True)))
    if cursor:
        found = found.filter(order.beyond(cursor.values, cursor.pk, backwards=backwards))
    rows = list(found.order_by(*order.expressions(backwards=backwards))[: size + 1])
    has_more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()

    def beside(row: Any, *, is_forward: bool) -> str:
        return Cursor(is_forward, tuple(getattr(row, name) for name in names), row.pk).token()

    if not rows:
        return Page(rows)
    is_first, is_last = (not has_more, False) if backwards else (cursor is None, not has_more)
    return Page(rows, "" if is_first else beside(rows[0], is_forward=False), "" if is_last else beside(rows[-1], is_forward=True))


# --- totals ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Figures:
    """The money of some invoices in one currency, in its minor unit.

    Invoiced is the total of what is open or paid; received and confirming is what came, on void ones too; still due is what
    open ones still ask for; refunded is what of the received has gone back.
    """

    currency: str
    invoiced_minor: int = 0
    received_minor: int = 0
    confirming_minor: int = 0
    due_minor: int = 0
    refunded_minor: int = 0

    def __add__(self, other: Figures) -> Figures:
        both = zip(self.sums(), other.sums(), strict=True)
        return Figures(self.currency, *(mine + more for mine, more in both))

    def __bool__(self) -> bool:
        """Whether there is any money in it."""
        return any(self.sums())

    def sums(self) -> tuple[int, int, int, int, int]:
        return self.invoiced_minor, self.received_minor, self.confirming_minor, self.due_minor, self.refunded_minor


@dataclass(frozen=True)
class Totals:
    figures: list[Figures]  # the merchant's own currency first; without those in which there is nothing
    counts: dict[str, int]  # for each `show`, how many there would be
    invoices: int

    @property
    def parts(self) -> dict[str, list[tuple[str, int]]]:
        """By kind of figure, the currencies in which there is any of it."""
        kinds = ("invoiced", "received", "refunded", "confirming", "due")
        return {kind: [(row.currency, minor) for row in self.figures if (minor := getattr(row, f"{kind}_minor"))] for kind in kinds}


def totals(asked: Filter, merchant: Merchant, now: datetime) -> Totals:
    """What is filtered, added up per currency and counted per status: one query.

    It groups by what `invoice_shelf_totals` is sorted by, and asks for nothing beside its columns: read from that index
    alone, without sorting.
    """
    is_derived = asked.show in DERIVED
    only = SHOWS[asked.show].condition(now) if is_derived else None
    unpaid = F("total_minor") - F("credited_minor") - F("pending_minor")
    rows: Any = (
        asked.every_state(merchant)
        .values("currency", "status")
        .annotate(
            invoices=Count("*"),
            total=Sum("total_minor", filter=only, default=0),
            credited=Sum("credited_minor", filter=only, default=0),
            pending=Sum("pending_minor", filter=only, default=0),
            back=Sum("refunded_minor", filter=only, default=0),
            unpaid=Sum(Greatest(unpaid, Value(0)), filter=only, default=0),
            **{show: Count("total_minor", filter=SHOWS[show].condition(now)) for show in DERIVED},
        )
        .order_by("currency", "status")
    )
    counts = dict.fromkeys(SHOWS, 0)
    sums: dict[str, Figures] = {}
    for row in rows:
        counts["all"] += row["invoices"]
        counts[row["status"]] += row["invoices"]
        for show in DERIVED:
            counts[show] += row[show]
        if is_derived or asked.show in ("all", row["status"]):
            sums[row["currency"]] = sums.get(row["currency"], Figures(row["currency"])) + _figures(row)
    figures = sorted(filter(None, sums.values()), key=lambda each: (each.currency != merchant.currency, each.currency))
    return Totals(figures, counts, counts[asked.show])


def _figures(row: dict[str, Any]) -> Figures:
    is_open, is_paid = row["status"] == Status.OPEN, row["status"] == Status.PAID
    return Figures(
        row["currency"],
        invoiced_minor=int(row["total"]) if is_open or is_paid else 0,
        received_minor=int(row["credited"]),
        confirming_minor=int(row["pending"]),
        due_minor=int(row["unpaid"]) if is_open else 0,
        refunded_minor=int(row["back"]),
    )
