"""Printed once, kept with its hash.

A waiting row is written with the change that asks for it (`request`); a worker prints it, and whoever needs it sooner
prints it on the spot (`ensure`). The first to store wins. A page that cannot be printed holds nothing up: the row says
why and how often it was tried, and the sweep leaves it after the third time.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime
from functools import partial
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from invoicing.models import CreditNote, Invoice, Rendering, Status
from invoicing.pdf import credit, paper
from merchants import haste
from merchants.models import Merchant

logger = logging.getLogger(__name__)
Kind = Rendering.Kind
ATTEMPTS = 3


class NotMade(Exception):
    """There is no PDF to give; the text says why, as a sentence for people."""


def request(invoice: Invoice, kind: str) -> Rendering:
    """Ask for the PDF of `invoice`, in the transaction that makes it due; a worker is woken once that is committed."""
    rendering, _created = Rendering.objects.get_or_create(invoice=invoice, kind=kind)
    # Haste only: the sweep finds the row all the same, so a broker that is away must not break what was committed.
    transaction.on_commit(partial(haste.wake, "invoicing.tasks.make_pdf", invoice.pk, str(kind)), robust=True)
    return rendering


def request_note(note: CreditNote) -> Rendering:
    """The same for a credit note, in the transaction that issues it. The sweep prints it."""
    return Rendering.objects.get_or_create(invoice=note.invoice, kind=Kind.CREDIT, note=note)[0]


def retry(invoice: Invoice, kind: str) -> Rendering:
    """Begin again with what was given up: the sweep takes it up with its attempts at 0."""
    Rendering.objects.filter(invoice=invoice, kind=kind, made_at=None).update(attempts=0, error="")
    return request(invoice, kind)


def forget_receipt(invoice: Invoice) -> None:
    """The payment behind a receipt was reorganised away."""
    forget(invoice, Kind.RECEIPT)


def forget(invoice: Invoice, kind: str) -> None:
    """What was printed is true no more: its row goes, and its file once that is committed."""
    for rendering in Rendering.objects.filter(invoice=invoice, kind=kind):
        name, storage = rendering.file.name, rendering.file.storage
        rendering.delete()
        if name:
            transaction.on_commit(partial(storage.delete, name), robust=True)


def missing(now: datetime, limit: int = 20) -> list[Rendering]:
    """What was asked for by `now`, is not made, and was not yet tried three times; the oldest first."""
    return list(Rendering.objects.filter(made_at=None, attempts__lt=ATTEMPTS).order_by("id")[:limit])


def failed(merchant: Merchant) -> QuerySet[Rendering]:
    """What was tried three times and is shown to the members now, each with its `error`."""
    return Rendering.objects.filter(made_at=None, attempts__gte=ATTEMPTS, invoice__merchant=merchant).select_related("invoice", "note").order_by("id")


def ensure(invoice_pk: int, *, kind: str = Kind.INVOICE, now: datetime) -> Rendering:
    """The stored PDF of that invoice, printed now if there is none yet. Not for inside a transaction: it takes a while.

    NotMade, with a sentence, when there can be none (not issued, not paid), or when it cannot be printed; the attempt
    and the reason are on the row then.
    """
    invoice = Invoice.objects.select_related("merchant").get(pk=invoice_pk)
    _objections(invoice, kind)
    rendering, _created = Rendering.objects.get_or_create(invoice=invoice, kind=kind)
    return _made(rendering, invoice, now=now)


def ensure_note(note_pk: int, *, now: datetime) -> Rendering:
    """The same for a credit note. NotMade, with a sentence, when it cannot be printed. Whether the note still holds is not
    asked: who gives it to a payer looks at `withdrawn_at`."""
    note = CreditNote.objects.select_related("invoice__merchant").get(pk=note_pk)
    rendering = request_note(note)
    rendering.note = note
    return _made(rendering, note.invoice, now=now)


def _made(rendering: Rendering, invoice: Invoice, *, now: datetime) -> Rendering:
    if rendering.made_at is not None and rendering.file.name and rendering.file.storage.exists(rendering.file.name):
        return rendering
    # Counted before the work, so that a page which kills its worker is left alone after the third time.
    Rendering.objects.filter(pk=rendering.pk).update(attempts=F("attempts") + 1, error=_("It was begun, and not finished."))
    try:
        printed = credit.render(rendering.note) if rendering.note else paper.render(invoice, rendering.kind)
    except Exception as error:
        logger.exception("The %s PDF of invoice %s could not be made", rendering.kind, invoice.pk)
        _note(rendering, error)
        raise NotMade(_("The PDF of %(name)s could not be made yet. Try again in a few minutes.") % {"name": rendering.name}) from error
    return _store(rendering, invoice, printed, now=now)


def content(rendering: Rendering) -> bytes:
    """The stored bytes. NotMade when they are not those that were stored."""
    with rendering.file.open("rb") as file:
        stored: bytes = file.read()
    if hashlib.sha256(stored).hexdigest() != rendering.sha256:
        raise NotMade(_("The stored PDF is damaged: it is not the one that was made. Restore it from a backup."))
    return stored


def _objections(invoice: Invoice, kind: str) -> None:
    if kind == Kind.RECEIPT and invoice.status != Status.PAID:
        raise NotMade(_("%(name)s is not paid; there is no receipt.") % {"name": invoice.name})
    if not invoice.is_issued:
        raise NotMade(_("%(name)s has not been issued; there is no PDF yet.") % {"name": invoice.name})


def _note(rendering: Rendering, error: Exception) -> None:
    reason = f"{type(error).__name__}: {error}"
    Rendering.objects.filter(pk=rendering.pk).update(error=reason[:300])


def _store(rendering: Rendering, invoice: Invoice, printed: bytes, *, now: datetime) -> Rendering:
    """Keep `printed`, unless somebody was faster, its link was replaced, or (receipt) the payment it tells of is gone."""
    field = rendering.file.field
    name = rendering.file.storage.save(field.generate_filename(rendering, ""), ContentFile(printed))
    unchanged: dict[str, Any] = {"pk": rendering.pk, "made_at": rendering.made_at}
    if rendering.note is None:  # a credit note has no link on it
        unchanged["invoice__public_id"] = invoice.public_id
    if rendering.kind == Kind.RECEIPT:
        unchanged |= {"invoice__status": Status.PAID, "invoice__paid_at": invoice.paid_at}
    made = {"file": name, "sha256": hashlib.sha256(printed).hexdigest(), "made_at": now, "error": ""}
    won = Rendering.objects.filter(**unchanged).update(**made)
    if not won:
        rendering.file.storage.delete(name)
    found = Rendering.objects.filter(pk=rendering.pk).exclude(made_at=None).first()
    if found is None:
        raise NotMade(_("%(name)s changed while its PDF was being made. Ask again.") % {"name": rendering.name})
    return found
