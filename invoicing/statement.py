"""A payer's account with the merchant over some days, in one currency: what stood before, what came, what stands after.

Figures come from invoices' stored columns and from the money on them, never from the directory's entry. What a payer
owes is positive; a payment, a voided invoice, a credit note and what was written off lower it. A refund that arrived raises
it: beside the credit note for what was billed, or back to zero for what was paid too much.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import F, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from invoicing import entry
from invoicing.models import CreditNote, Invoice, Payer, Shelf, Status
from invoicing.models.invoice import ISSUED
from merchants import assets

MOST_LINES = 500  # a PDF of as many takes 4 s (measured)


class Kind(StrEnum):
    """What moved the account; of what happened in the same instant, in this order."""

    INVOICE = "invoice"
    PAYMENT = "payment"  # seen on a chain, since it is final
    RECORDED = "recorded"  # made elsewhere, written down by a member
    WRITTEN_OFF = "written_off"
    CREDIT_NOTE = "credit_note"
    REFUND = "refund"  # confirmed on its chain
    VOID = "void"


ORDER = list(Kind)


class TooLong(Exception):
    """The days asked for hold more lines than a statement shows: `lines` of them."""

    def __init__(self, lines: int) -> None:
        super().__init__(lines)
        self.lines = lines


@dataclass(frozen=True)
class Move:
    """One change of the account: `minor` is what it adds to the balance, in the currency's minor unit."""

    kind: Kind
    at: datetime
    minor: int
    invoice: int  # its key
    number: str
    title: str = ""
    how: str = ""  # 'USDT on Tron', 'Bank transfer', 'CN-000001'


@dataclass(frozen=True)
class Line:
    move: Move
    balance_minor: int  # after it


@dataclass(frozen=True)
class Statement:
    opening_minor: int
    lines: tuple[Line, ...]
    closing_minor: int

    @property
    def owed_back_minor(self) -> int:
        """What the payer has paid beyond everything that was invoiced."""
        return max(-self.closing_minor, 0)

    def _sum(self, *kinds: Kind) -> int:
        return sum(line.move.minor for line in self.lines if line.move.kind in kinds)

    @property
    def invoiced_minor(self) -> int:
        """What was invoiced in these days, less what was voided in them."""
        return self._sum(Kind.INVOICE, Kind.VOID)

    @property
    def received_minor(self) -> int:
        return -self._sum(Kind.PAYMENT, Kind.RECORDED)

    @property
    def written_off_minor(self) -> int:
        return -self._sum(Kind.WRITTEN_OFF)

    @property
    def credit_notes_minor(self) -> int:
        return -self._sum(Kind.CREDIT_NOTE)

    @property
    def refunded_minor(self) -> int:
        return self._sum(Kind.REFUND)


def made(moves: Iterable[Move], *, since: datetime, until: datetime, before_minor: int = 0) -> Statement:
    """Pure. The statement from `since` up to, not including, `until`: earlier moves are in the opening balance with
    `before_minor`, later ones are left out. So the closing balance of some days is the opening one of the next."""
    opening = balance = before_minor
    lines = []
    for move in sorted(moves, key=lambda found: (found.at, ORDER.index(found.kind), found.invoice)):
        if move.at >= until:
            break
        balance += move.minor
        if move.at < since:
            opening = balance
        else:
            lines.append(Line(move, balance))
    return Statement(opening, tuple(lines), balance)


def span(first: date, last: date, zone: str) -> tuple[datetime, datetime]:
    """The moments at which the days `first` to `last` of `zone` begin and end."""
    return entry.moment(first, time(0), zone), entry.moment(last + timedelta(days=1), time(0), zone)


def of(payer: Payer, currency: str, *, since: datetime, until: datetime) -> Statement:
    """The statement of `payer` in `currency`. TooLong above MOST_LINES lines."""
    found = [(source, source.rows(payer, currency)) for source in SOURCES]
    before = sum(source.sign * (rows.filter(at__lt=since).aggregate(sum=Sum("minor"))["sum"] or 0) for source, rows in found)
    inside = [(source, rows.filter(at__gte=since, at__lt=until)) for source, rows in found]
    count = sum(rows.count() for _source, rows in inside)
    if count > MOST_LINES:
        raise TooLong(count)
    return made((source.move(row) for source, rows in inside for row in rows), since=since, until=until, before_minor=before)


def mine(payer: Payer) -> QuerySet[Invoice]:
    """The issued invoices of `payer` that the dashboard shows."""
    return Invoice.objects.filter(merchant=payer.merchant_id, payer=payer, status__in=ISSUED).exclude(shelf=Shelf.REMOVED)


def currencies(payer: Payer) -> list[str]:
    """The currencies of this payer's account, the one that was invoiced last first."""
    newest = mine(payer).values("currency").annotate(last=Max("issued_at")).order_by("-last", "currency")
    return [row["currency"] for row in newest]


@dataclass(frozen=True)
class Source:
    """Where one kind of move is read: a condition on invoices, and the columns that say when, how much and how."""

    kind: Kind
    sign: int
    at: str
    minor: str | Combinable
    where: Q
    how: str = ""

    def rows(self, payer: Payer, currency: str) -> Any:
        """Of each move its invoice, `at`, `minor` and how it was paid, as a query to narrow or add up."""
        more = {"how": F(self.how)} if self.how else {}
        if self.kind in (Kind.PAYMENT, Kind.REFUND):
            more["frozen"] = F("terms__assets")
        found = mine(payer).filter(self.where, currency=currency).order_by()
        return found.values("pk", "number", "title").annotate(
            at=F(self.at), minor=F(self.minor) if isinstance(self.minor, str) else self.minor, **more
        )

    def move(self, row: dict[str, Any]) -> Move:
        how = _how(self.kind, row)
        return Move(self.kind, row["at"], self.sign * row["minor"], row["pk"], row["number"], row["title"], how)


# By credit notes that hold. They stand in the account themselves: voiding takes back the rest.
CREDITED_BACK = CreditNote.objects.filter(invoice=OuterRef("pk"), withdrawn_at=None).order_by().values("invoice").annotate(sum=Sum("amount_minor"))
STILL_BILLED = F("total_minor") - Coalesce(Subquery(CREDITED_BACK.values("sum")), 0)
FINAL = Q(transfers__status="final", transfers__is_held=False, transfers__credit_minor__gt=0)
SOURCES = (
    Source(Kind.INVOICE, 1, "issued_at", "total_minor", Q(issued_at__isnull=False)),
    Source(Kind.PAYMENT, -1, "transfers__final_at", "transfers__credit_minor", FINAL, "transfers__asset_id"),
    Source(
        *(Kind.RECORDED, -1, "recorded_payments__paid_at", "recorded_payments__amount_minor"),
        Q(recorded_payments__reversed_at=None, recorded_payments__amount_minor__gt=0),
        "recorded_payments__way",
    ),
    Source(Kind.WRITTEN_OFF, -1, "paid_at", "written_off_minor", Q(status=Status.PAID, written_off_minor__gt=0)),
    Source(
        *(Kind.CREDIT_NOTE, -1, "credit_notes__issued_at", "credit_notes__amount_minor"),
        Q(credit_notes__withdrawn_at=None, credit_notes__amount_minor__gt=0),
        "credit_notes__number",
    ),
    Source(Kind.REFUND, 1, "refunds__confirmed_at", "refunds__amount_minor", Q(refunds__status="confirmed"), "refunds__asset_id"),
    Source(Kind.VOID, -1, "voided_at", STILL_BILLED, Q(status=Status.VOID, voided_at__isnull=False)),
)


def _how(kind: Kind, row: dict[str, Any]) -> str:
    """An asset, as its invoice froze it, a way of paying in words, or the number of a credit note."""
    if kind is Kind.CREDIT_NOTE:
        return str(row["how"])
    if kind is Kind.RECORDED:
        way: Any = Invoice._meta.get_field("recorded_payments").related_model._meta.get_field("way")  # type: ignore[union-attr]
        return str(dict(way.flatchoices).get(row["how"], row["how"]))
    if kind in (Kind.PAYMENT, Kind.REFUND):
        frozen = next((asset for asset in row["frozen"] or [] if asset["id"] == row["how"]), None) or _from_catalogue(row["how"])
        return _("%(symbol)s on %(network)s") % frozen if frozen else row["how"].rpartition("/")[2]
    return ""


def _from_catalogue(asset_id: str) -> dict[str, Any] | None:
    """Of an asset that the invoice did not offer, but that was sent and credited."""
    try:
        return assets.asset(asset_id).frozen()
    except assets.UnknownAsset:
        return None
