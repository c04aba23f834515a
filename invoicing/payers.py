"""The merchant's directory of payers: the list with its sums, what stands with one of them, and the changes to it.

Every figure is read from invoices' stored columns; an invoice keeps its own copy of what it says of its payer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Case, Count, F, Max, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from invoicing import alphabet, recipients
from invoicing.filters import overdue
from invoicing.models import Invoice, Payer, Shelf, Status
from invoicing.models.invoice import ISSUED
from merchants import languages
from merchants.events import record
from merchants.models import Merchant, User

OFFERED = 8
SHARING = 3
DUE = Greatest(F("total_minor") - F("credited_minor") - F("pending_minor"), Value(0))  # Invoice.due_minor, for sums
COLUMNS = ("name", "email", "address", "tax_id")
KEPT = (*COLUMNS, "mail_copies", "language")


class AlreadyThere(Exception):
    """The directory has an entry with this name and email; the text says so."""


# --- the directory ----------------------------------------------------------------------------------------------
@dataclass
class Row:
    """A payer in the list. `due` is what is still due per currency, in minor units."""

    payer: Payer
    open: int = 0
    due: list[tuple[str, int]] = field(default_factory=list)
    last_at: datetime | None = None  # when the last invoice was issued


@dataclass(frozen=True)
class Directory:
    rows: list[Row]
    back: int | None
    on: int | None


def find(merchant: Merchant, search: str = "") -> QuerySet[Payer]:
    """The merchant's payers whose name, email or tax number holds every word of `search`."""
    return Payer.objects.filter(alphabet.holding(search, "name", "email", "tax_id"), merchant=merchant)


def directory(merchant: Merchant, *, search: str = "", before: int | None = None, after: int | None = None) -> Directory:
    """A page of the payers by name, with their sums: as many queries for 25 as for one."""
    page = alphabet.page(find(merchant, search), "name", before=before, after=after)
    rows = {payer.pk: Row(payer) for payer in page.rows}
    opened = Q(status=Status.OPEN)
    sums: Any = (
        _shown(merchant)
        .filter(payer__in=list(rows), status__in=ISSUED)
        .order_by("currency")
        .values("payer", "currency")
        .annotate(open=Count("id", filter=opened), due=Sum(DUE, filter=opened), last=Max("issued_at"))
    )
    for found in sums:
        row = rows[found["payer"]]
        row.open += found["open"]
        row.last_at = max(filter(None, (row.last_at, found["last"])), default=None)
        if found["due"]:
            row.due.append((found["currency"], found["due"]))
    return Directory(list(rows.values()), page.back, page.on)


def _shown(merchant: Merchant) -> QuerySet[Invoice]:
    return Invoice.objects.filter(merchant=merchant).exclude(shelf=Shelf.REMOVED)


# --- one of them ------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Totals:
    """What stands between the merchant and a payer in one currency, in its minor unit."""

    currency: str
    invoices: int
    invoiced_minor: int
    received_minor: int
    pending_minor: int
    due_minor: int
    overdue_minor: int
    on_void_minor: int  # came for invoices that are void, and is still there: counted nowhere else
    refunded_minor: int = 0  # of what was received on the others
    returning_minor: int = 0  # on its way back, on all of them


def totals(payer: Payer, *, now: datetime) -> list[Totals]:
    """Per currency, of open and paid invoices; a void one counts for nothing but the money that is on it."""
    counting = Q(status__in=(Status.OPEN, Status.PAID))
    rows: Any = (
        _shown(payer.merchant)
        .filter(payer=payer, status__in=ISSUED)
        .order_by("currency")
        .values("currency")
        .annotate(
            invoices=Count("id", filter=counting),
            invoiced=Sum("total_minor", filter=counting),
            received=Sum("credited_minor", filter=counting),
            pending=Sum("pending_minor", filter=Q(status=Status.OPEN)),
            due=Sum(DUE, filter=Q(status=Status.OPEN)),
            late=Sum(DUE, filter=overdue(now)),
            on_void=Sum(Greatest(F("credited_minor") - F("refunded_minor"), Value(0)), filter=Q(status=Status.VOID)),
            refunded=Sum("refunded_minor", filter=counting),
            returning=Sum("returning_minor"),
        )
    )
    figures = ("invoices", "invoiced", "received", "pending", "due", "late", "on_void", "refunded", "returning")
    found = [Totals(row["currency"], *(row[name] or 0 for name in figures)) for row in rows]
    return [row for row in found if row.invoices or row.on_void_minor]


def invoices(payer: Payer) -> QuerySet[Invoice]:
    """Everything written for this payer that the dashboard shows, drafts included."""
    return _shown(payer.merchant).filter(payer=payer)


def sharing(payer: Payer) -> QuerySet[Payer]:
    """The other entries with this payer's address, the oldest few: one address may be right for both, or one of them too many."""
    return Payer.objects.filter(merchant=payer.merchant_id, email__iexact=payer.email).exclude(pk=payer.pk).order_by("id")[:SHARING]


def last_invoice(payer: Payer) -> Invoice | None:
    """The newest issued one that is not void: what the next is copied from."""
    return _copied_from(payer.merchant).filter(payer=payer).first()


def _copied_from(merchant: Merchant) -> QuerySet[Invoice]:
    return _shown(merchant).filter(status__in=(Status.OPEN, Status.PAID)).order_by("-issued_at", "-id")


# --- what the form offers ---------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Offer:
    payer: Payer
    last: Invoice | None


def offers(merchant: Merchant, typed: str) -> list[Offer]:
    """The few payers whose name or email holds what was typed: those that begin so first, then those invoiced last. Two queries."""
    last = _copied_from(merchant).filter(payer=OuterRef("pk"))
    found = list(
        Payer.objects.filter(alphabet.holding(typed, "name", "email"), merchant=merchant)
        .annotate(last_id=Subquery(last.values("pk")[:1]), last_at=Subquery(last.values("issued_at")[:1]), place=_place(typed.strip()))
        .order_by("place", F("last_at").desc(nulls_last=True), "-id")[:OFFERED]
    )
    known = _shown(merchant).in_bulk([payer.last_id for payer in found if payer.last_id])  # type: ignore[attr-defined]
    return [Offer(payer, known.get(payer.last_id)) for payer in found]  # type: ignore[attr-defined]


def _place(typed: str) -> Case:
    """0 for those of whom a name, or the email, begins like this; 1 for those who only hold it somewhere."""
    begins = Q(name__istartswith=typed) | Q(name__icontains=f" {typed}") | Q(email__istartswith=typed)
    return Case(When(begins, then=Value(0)), default=Value(1))


def fields_of(payer: Payer, *, language: str) -> dict[str, str]:
    """What this payer puts into the fields of an invoice's form. `language` is the merchant's, for one who has none of their own."""
    copies = {f"mail_{part}": ", ".join(payer.mail_copies.get(part, [])) for part in recipients.PARTS}
    return {f"payer_{name}": getattr(payer, name) for name in COLUMNS} | copies | {"language": languages.known(payer.language or language)}


# --- changes ----------------------------------------------------------------------------------------------------
def add(merchant: Merchant, *, values: dict[str, Any], by: User, now: datetime) -> Payer:
    """A new entry. AlreadyThere when this merchant has one of that name and email."""
    return _kept(Payer(merchant=merchant), values, by=by, now=now, kind="payer.created")


def change(payer: Payer, *, values: dict[str, Any], by: User, now: datetime) -> bool:
    """Give `payer` the values that differ; False when none does. Invoices and schedules keep their own copies."""
    different = {name: value for name, value in values.items() if getattr(payer, name) != value}
    if different:
        _kept(payer, different, by=by, now=now, kind="payer.edited")
    return bool(different)


def _kept(payer: Payer, values: dict[str, Any], *, by: User, now: datetime, kind: str) -> Payer:
    if unknown := set(values) - set(KEPT):
        raise KeyError(", ".join(sorted(unknown)))
    for name, value in values.items():
        setattr(payer, name, value)
    try:
        with transaction.atomic():
            payer.save(update_fields=list(values) if payer.pk else None)
            facts = _facts(payer) | ({"fields": sorted(values)} if kind == "payer.edited" else {})
            record(kind, merchant=payer.merchant, subject=payer, now=now, by=by, facts=facts)
    except IntegrityError:
        raise AlreadyThere(_("%(name)s with this email is among your payers already.") % {"name": payer.name}) from None
    return payer


def delete(payer: Payer, *, by: User, now: datetime) -> None:
    """Take `payer` out of the directory. What was written for them stays, with its own copy of who they are."""
    with transaction.atomic():
        record("payer.deleted", merchant=payer.merchant, subject=payer, now=now, by=by, facts=_facts(payer))
        payer.delete()


def _facts(payer: Payer) -> dict[str, Any]:
    return {"payer": {"name": payer.name, "email": payer.email}}
