"""What the list of refunds is narrowed to: read from a URL, and written back to one. The list, its totals and its CSV all ask
the same `RefundFilter`, so that what is exported is what was seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _l

from invoicing import search
from invoicing.filters import Order
from invoicing.models import Invoice
from invoicing.narrowing import Asked, Narrowed, midnight
from merchants import assets
from merchants.models import Merchant
from payments.models import LIVE, Refund

State = Refund.State
ENDED = tuple(state for state in State if state not in LIVE)
NEWEST = Order()


@dataclass(frozen=True)
class Show:
    """A choice of `?show=`: its word, and the states it takes in."""

    word: str | Promise
    states: tuple[State, ...]


SHOWS: dict[str, Show] = {
    "all": Show(_l("All"), tuple(State)),
    "todo": Show(_l("Needs a hand"), (State.CLAIMED, State.APPROVED)),
    "requested": Show(_l("No address yet"), (State.REQUESTED,)),
    **{state.value: Show(state.label, (state,)) for state in LIVE if state is not State.REQUESTED},
    "ended": Show(_l("Ended"), ENDED),
}


@dataclass(frozen=True)
class RefundFilter(Narrowed):
    """The dates are those on which a refund was asked for; the asset is what it goes out in."""

    @classmethod
    def read(cls, data: Mapping[str, str], *, merchant: Merchant) -> tuple[RefundFilter, list[str]]:
        """The filter that a query string asks for, and a sentence for each part of it that means nothing here."""
        asked = Asked(data, merchant)
        return cls(**asked.parts(shows=SHOWS, tokens=assets.catalogue().assets)), asked.notices

    def apply(self, merchant: Merchant) -> QuerySet[Refund]:
        """The merchant's refunds that this asks for, the newest first."""
        return self.every_state(merchant).filter(status__in=SHOWS[self.show].states).order_by(*NEWEST.expressions())

    def every_state(self, merchant: Merchant) -> QuerySet[Refund]:
        """`apply` but for `show`, unordered: what the counts beside the states are of."""
        found = Refund.objects.filter(merchant=merchant)
        if self.since:
            found = found.filter(created_at__gte=midnight(self.since, merchant.time_zone))
        if self.until:
            found = found.filter(created_at__lt=midnight(self.until + timedelta(days=1), merchant.time_zone))
        if self.payer:
            found = found.filter(invoice__payer=self.payer)
        if self.asset:
            found = found.filter(asset_id=self.asset)
        if self.currency:
            found = found.filter(invoice__currency=self.currency)
        return found.filter(_holding(self.q, merchant)) if self.q else found


def _holding(typed: str, merchant: Merchant) -> Q:
    """That its invoice holds every word of `typed`, or that the refund itself has it as its reference, transaction, address or
    credit note."""
    invoices = search.among(Invoice.objects.filter(merchant=merchant), typed).order_by()
    own = Q(reference__iexact=typed) | Q(txid__iexact=typed) | Q(address__iexact=typed) | Q(credit_note__number__iexact=typed)
    return Q(invoice__in=invoices.values("pk")) | own


# --- totals ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Sums:
    """The money of some refunds in one currency, in its minor unit: what has gone back, and what is on its way."""

    currency: str
    refunded_minor: int
    returning_minor: int


@dataclass(frozen=True)
class Totals:
    figures: list[Sums]  # the merchant's own currency first; without those in which nothing goes back
    counts: dict[str, int]  # for each `show`, how many there would be
    refunds: int

    @property
    def refunded(self) -> list[tuple[str, int]]:
        """The currencies in which anything has gone back."""
        return [(row.currency, row.refunded_minor) for row in self.figures if row.refunded_minor]

    @property
    def returning(self) -> list[tuple[str, int]]:
        return [(row.currency, row.returning_minor) for row in self.figures if row.returning_minor]


def totals(asked: RefundFilter, merchant: Merchant) -> Totals:
    """What is filtered, added up per currency and counted per state: one query."""
    rows: Any = asked.every_state(merchant).order_by().values("invoice__currency", "status").annotate(n=Count("id"), minor=Sum("amount_minor"))
    counts: dict[str, int] = dict.fromkeys(SHOWS, 0)
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        for key, show in SHOWS.items():
            counts[key] += row["n"] if row["status"] in show.states else 0
        if row["status"] in LIVE and row["status"] in SHOWS[asked.show].states:
            sums[row["invoice__currency"]][row["status"] != State.CONFIRMED] += int(row["minor"])
    ordered = sorted(sums.items(), key=lambda item: (item[0] != merchant.currency, item[0]))
    return Totals([Sums(currency, *minors) for currency, minors in ordered], counts, counts[asked.show])
