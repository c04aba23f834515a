"""One thing done to many invoices: each goes through its own door, and one that refuses stops none of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import lifecycle, shelves
from invoicing.models import Invoice, Shelf, Status
from merchants.models import User

MOST = 500  # at a time: each is a transaction of its own, in one request


@dataclass(frozen=True)
class Act:
    """`objection` says, before anybody is asked, why it will not be done to an invoice; its door has the last word."""

    title: str | Promise
    button: str | Promise
    busy: str | Promise
    objection: Callable[[Invoice], str]
    do: Callable[[Invoice, User, str, datetime], object]
    needs_reason: bool = False
    is_final: bool = False


def _not_open(invoice: Invoice) -> str:
    if invoice.status == Status.OPEN:
        return ""
    if invoice.status == Status.VOID:
        return _("It is void already.")
    return _("It is paid.") if invoice.status == Status.PAID else _("It has not been issued; it can be deleted.")


def _not_for_the_shelf(invoice: Invoice) -> str:
    if invoice.shelf == Shelf.ARCHIVED:
        return _("It is archived already.")
    return "" if invoice.is_issued else _("It has not been issued; it can be deleted.")


def _not_on_the_shelf(invoice: Invoice) -> str:
    return "" if invoice.shelf == Shelf.ARCHIVED else _("It is not archived.")


ACTS: dict[str, Act] = {
    "void": Act(
        title=_l("Void these invoices?"),
        button=_l("Void them and tell the payers"),
        busy=_l("Voiding…"),
        objection=_not_open,
        do=lambda invoice, by, reason, now: lifecycle.void(invoice, by=by, reason=reason, now=now),
        needs_reason=True,
        is_final=True,
    ),
    "archive": Act(
        title=_l("Archive these invoices?"),
        button=_l("Archive them"),
        busy=_l("Archiving…"),
        objection=_not_for_the_shelf,
        do=lambda invoice, by, _reason, now: shelves.archive(invoice, by=by, now=now),
    ),
    "unarchive": Act(
        title=_l("Put these invoices back on the list?"),
        button=_l("Put them back"),
        busy=_l("Putting them back…"),
        objection=_not_on_the_shelf,
        do=lambda invoice, by, _reason, now: shelves.unarchive(invoice, by=by, now=now),
    ),
}


@dataclass
class Outcome:
    """The names of what was done, and of what was refused with the reason."""

    done: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def split(act: Act, invoices: Iterable[Invoice]) -> tuple[list[Invoice], list[tuple[Invoice, str]]]:
    """Which of them it would be done to, and which not, each with the reason."""
    will, will_not = [], []
    for invoice in invoices:
        reason = act.objection(invoice)
        if reason:
            will_not.append((invoice, reason))
        else:
            will.append(invoice)
    return will, will_not


def run(act: Act, invoices: Iterable[Invoice], *, by: User, reason: str = "", now: datetime) -> Outcome:
    """Do it to each, one after the other, in a transaction of its own."""
    outcome = Outcome()
    for invoice in invoices:
        try:
            act.do(invoice, by, reason, now)
        except lifecycle.Refused as refusal:
            outcome.refused.append((invoice.name, str(refusal)))
        else:
            outcome.done.append(invoice.name)
    return outcome
