"""Where the dashboard keeps an issued invoice: on the desk, archived, or removed. The one door for `Invoice.shelf`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing import facts, lifecycle
from invoicing.models import Invoice, Shelf, Status
from invoicing.models.invoice import ISSUED
from merchants.events import record
from merchants.models import User

SHELVED: dict[Shelf, tuple[str, frozenset[Shelf]]] = {
    # to: (event, from)
    Shelf.ARCHIVED: ("invoice.archived", frozenset({Shelf.DESK})),
    Shelf.REMOVED: ("invoice.removed", frozenset({Shelf.DESK, Shelf.ARCHIVED})),
    Shelf.DESK: ("invoice.unarchived", frozenset({Shelf.ARCHIVED, Shelf.REMOVED})),
}


def _shelve(invoice: Invoice, shelf: Shelf, *, now: datetime, by: User | None = None) -> Invoice:
    """Move `invoice` (under its lock) to another shelf; Refused when it lies there already."""
    event, allowed = SHELVED[shelf]
    if not Invoice.objects.filter(pk=invoice.pk, shelf__in=allowed).update(shelf=shelf):
        sentence = {
            Shelf.ARCHIVED: _("%(name)s is archived or removed already."),
            Shelf.REMOVED: _("%(name)s is removed from the dashboard already."),
            Shelf.DESK: _("%(name)s is on the dashboard already."),
        }
        raise lifecycle.Refused(sentence[shelf] % {"name": invoice.name})
    invoice.shelf = shelf
    record(event, merchant=invoice.merchant, subject=invoice, now=now, by=by, facts={"invoice": facts.of_invoice(invoice)})
    return invoice


def archive(invoice: Invoice, *, by: User, now: datetime) -> Invoice:
    """Take an issued invoice out of the lists; nothing else about it changes. Refused before it is issued."""
    with transaction.atomic():
        held = lifecycle.locked(invoice.pk)
        if held.status not in ISSUED:
            raise lifecycle.Refused(_("%(name)s has not been issued; only an issued invoice can be archived.") % {"name": held.name})
        return _shelve(held, Shelf.ARCHIVED, now=now, by=by)


def unarchive(invoice: Invoice, *, by: User, now: datetime) -> Invoice:
    """Put an archived or removed invoice back on the desk."""
    with transaction.atomic():
        return _shelve(lifecycle.locked(invoice.pk), Shelf.DESK, now=now, by=by)


def remove(invoice: Invoice, *, by: User, reason: str = "", now: datetime) -> Invoice:
    """'Delete' an issued invoice that has no money on it: void it for `reason` if it is open, and take it off the dashboard.

    Its number stays used and its link says that it is cancelled. Refused once money is on it (it can be archived), before
    it is issued (`authoring.delete` is for that), and when it was removed before.
    """
    with transaction.atomic():
        held = lifecycle.locked(invoice.pk)
        if held.status not in ISSUED:
            raise lifecycle.Refused(_("%(name)s has not been issued; it can be deleted for good.") % {"name": held.name})
        if has_money(held):
            raise lifecycle.Refused(_("There is money on %(name)s, so it cannot be deleted. Archive it instead.") % {"name": held.name})
        if held.status == Status.OPEN:
            held = lifecycle.void(held, by=by, reason=reason, now=now)
        return _shelve(held, Shelf.REMOVED, now=now, by=by)


def has_money(invoice: Invoice) -> bool:
    """Whether money of any kind is on it: counted, on its way, held for a decision, or written down by hand."""
    if invoice.credited_minor or invoice.pending_minor or invoice.refunded_minor:
        return True
    money: Any = invoice  # its relations to the floor above
    return money.transfers.exclude(status="dropped").exists() or money.recorded_payments.filter(reversed_at=None).exists()


def bring_back(invoice: Invoice, *, now: datetime) -> None:
    """A removed invoice (under its lock) comes back to the desk with the first money on it."""
    if invoice.shelf == Shelf.REMOVED and has_money(invoice):
        _shelve(invoice, Shelf.DESK, now=now)
