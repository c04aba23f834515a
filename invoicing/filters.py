"""What a list of invoices is narrowed to, and its order: read from a URL, and written back to one.

`Filter.read(request.GET, merchant=…)` never fails: what it cannot use it leaves out, and says so. The list, its totals, the
CSV files and the bulk actions all ask the same `Filter`, so that what is exported is what was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet, Value
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import search, standing
from invoicing.models import Invoice, Shelf, Status
from invoicing.models.invoice import BEGINNING, DUE_TIME, DUE_TIME_LATEST, ISSUE_TIME, NEWEST, PAYER_NAME
from invoicing.narrowing import Asked, Narrowed, midnight
from merchants import assets
from merchants.models import Merchant


# --- how invoices stand, as conditions ----------------------------------------------------------------------------
@dataclass(frozen=True)
class Show:
    """A choice of `?show=`: its word, the badges (keys of `standing`) it takes in, and their condition."""

    word: str | Promise
    states: frozenset[str]
    condition: Callable[[datetime], Q]


_REFUNDED = Q(refunded_minor__gt=0, refunded_minor__gte=F("credited_minor"))


def overdue(now: datetime) -> Q:
    """Open, past its due time, and nothing on its way: what `standing` calls overdue."""
    return Q(status=Status.OPEN, due_at__lte=now, pending_minor=0)


def _show(badges: tuple[standing.Badge, ...], condition: Callable[[datetime], Q], word: str | Promise = "") -> Show:
    return Show(word or badges[0].word, frozenset(badge.key for badge in badges), condition)


_UNPAID = (standing.OPEN, standing.OVERDUE, standing.PARTIAL, standing.CONFIRMING)
_PAID = (standing.PAID, standing.OVERPAID, standing.REFUNDED)
_ALL = (standing.DRAFT, standing.SCHEDULED, *_UNPAID, *_PAID, standing.VOID, standing.MISSED)
# 'open' and 'paid' are the stored statuses, with all that is told apart inside them; the derived ones are as on the badges.
SHOWS: dict[str, Show] = {
    "all": _show(_ALL, lambda _now: Q(), _l("All")),
    "draft": _show((standing.DRAFT,), lambda _now: Q(status=Status.DRAFT)),
    "scheduled": _show((standing.SCHEDULED,), lambda _now: Q(status=Status.SCHEDULED)),
    "open": _show(_UNPAID, lambda _now: Q(status=Status.OPEN)),
    "overdue": _show((standing.OVERDUE,), overdue),
    "partial": _show((standing.PARTIAL,), lambda now: Q(status=Status.OPEN, pending_minor=0, credited_minor__gt=0, due_at__gt=now)),
    "confirming": _show((standing.CONFIRMING,), lambda _now: Q(status=Status.OPEN, pending_minor__gt=0)),
    "paid": _show(_PAID, lambda _now: Q(status=Status.PAID)),
    "overpaid": _show((standing.OVERPAID,), lambda _now: Q(status=Status.PAID, is_overpaid=True) & ~_REFUNDED),
    "refunded": _show((standing.REFUNDED,), lambda _now: Q(status=Status.PAID) & _REFUNDED),
    "void": _show((standing.VOID,), lambda _now: Q(status=Status.VOID)),
    "missed": _show((standing.MISSED,), lambda _now: Q(status=Status.MISSED)),
}


DERIVED = tuple(key for key in SHOWS if key != "all" and key not in Status.values)


# --- orders ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Order:
    """What rows are sorted by, before their id; and the Python types of those values, for a cursor to be checked against."""

    keys: tuple[Any, ...] = ()
    types: tuple[type, ...] = ()
    descending: bool = False

    def _row(self) -> tuple[Any, ...]:
        return (*self.keys, F("id")) if self.keys else (NEWEST,)

    def expressions(self, *, backwards: bool = False) -> list[Any]:
        down = self.descending != backwards
        return [key.desc() if down else key.asc() for key in self._row()]

    def beyond(self, values: tuple[Any, ...], pk: int, *, backwards: bool = False) -> Beyond:
        """The rows after the one of these values in this order, or those before it."""
        last = [*values, pk] if self.keys else [-pk]
        return Beyond([*self._row()], [Value(value) for value in last], descending=self.descending != backwards)


ORDERS: dict[str, Order] = {
    "": Order(),  # the newest first
    "issued": Order((ISSUE_TIME,), (datetime,), False),
    "-issued": Order((ISSUE_TIME,), (datetime,), True),
    "due": Order((DUE_TIME,), (datetime,), False),  # without a due time: last, either way
    "-due": Order((DUE_TIME_LATEST,), (datetime,), True),
    "amount": Order((F("currency"), F("total_minor")), (str, int), False),  # amounts of two currencies are not compared
    "-amount": Order((F("currency"), F("total_minor")), (str, int), True),
    "payer": Order((PAYER_NAME,), (str,), False),
    "-payer": Order((PAYER_NAME,), (str,), True),
}


class Beyond(Func):
    """(a, b, …) > (x, y, …), or <: SQL's row comparison, which an index on (a, b, …) walks to directly."""

    def __init__(self, left: list[Any], right: list[Any], *, descending: bool = False) -> None:
        super().__init__(*left, *right, output_field=BooleanField())
        self.descending = descending

    def as_sql(self, compiler: Any, connection: Any, *_args: Any, **_extra: Any) -> tuple[str, Any]:  # type: ignore[override]
        parts = [compiler.compile(expression) for expression in self.source_expressions]
        half = len(parts) // 2
        left, right = (", ".join(sql for sql, _params in side) for side in (parts[:half], parts[half:]))
        return f"({left}) {'<' if self.descending else '>'} ({right})", [param for _sql, params in parts for param in params]


# --- the filter -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Filter(Narrowed):
    """The dates are of the issue date (of the planned one, before that); the asset is what was paid in, or is being."""

    archived: bool = False
    sort: str = ""

    @classmethod
    def read(cls, data: Mapping[str, str], *, merchant: Merchant) -> tuple[Filter, list[str]]:
        """The filter that a query string asks for, and a sentence for each part of it that means nothing here."""
        asked = Asked(data, merchant)
        parts = asked.parts(shows=SHOWS, tokens={asset.id for asset in assets.usable_by(merchant)})
        sort = asked.kept("sort", ORDERS, _("The order was left out: rows cannot be sorted like that."))
        return cls(**parts, archived=asked.given("archived") == "1", sort=sort), asked.notices

    def values(self) -> dict[str, str]:
        more = {"archived": "1" if self.archived else "", "sort": self.sort}
        return super().values() | {name: value for name, value in more.items() if value}

    @property
    def order(self) -> Order:
        """Within a range of dates the latest of them come first, as long as nothing else is asked for."""
        return ORDERS[self.sort or ("-issued" if self.since or self.until else "")]

    def apply(self, merchant: Merchant, now: datetime) -> QuerySet[Invoice]:
        """The merchant's invoices that this asks for, in its order."""
        return self.every_state(merchant).filter(SHOWS[self.show].condition(now)).order_by(*self.order.expressions())

    def every_state(self, merchant: Merchant) -> QuerySet[Invoice]:
        """`apply` but for `show`, unordered: what the counts beside the statuses are of."""
        shelf = Shelf.ARCHIVED if self.archived else Shelf.DESK
        found = search.among(Invoice.objects.filter(merchant=merchant, shelf=shelf), self.q)
        if self.since or self.until:
            found = found.alias(issued=ISSUE_TIME).filter(self._dates(merchant.time_zone))
        if self.payer:
            found = found.filter(payer=self.payer)
        if self.currency:
            found = found.filter(currency=self.currency)
        if self.asset:
            transfers: Any = Invoice._meta.get_field("transfers").related_model  # a floor above, reached through its relation
            found = found.filter(Exists(transfers.objects.filter(invoice=OuterRef("pk"), asset_id=self.asset).exclude(status="dropped")))
        return found

    def _dates(self, zone: str) -> Q:
        found = Q(issued__gte=midnight(self.since, zone)) if self.since else Q(issued__gt=BEGINNING)
        return found & Q(issued__lt=midnight(self.until + timedelta(days=1), zone)) if self.until else found
