"""The PDF that goes with a mail, where the merchant wants it attached. It never holds a mail up: what is not printed in time
is left out, and the mail has its link."""

from __future__ import annotations

import logging
from datetime import timedelta

from invoicing import pdf
from invoicing.models import Invoice, Rendering
from merchants.models import Merchant
from notifications.models import Delivery

log = logging.getLogger(__name__)

KINDS = {"issued": Rendering.Kind.INVOICE, "reminder": Rendering.Kind.INVOICE, "receipt": Rendering.Kind.RECEIPT}  # of mail → of PDF
PATIENCE = timedelta(seconds=5)  # so long a mail waits for a PDF that is being printed


def patience(merchant: Merchant, invoice: Invoice | None, template: str) -> timedelta:
    """How long the mail is to wait for its PDF: not at all once that is printed, or is none."""
    if not (merchant.attach_pdf and invoice is not None and template in KINDS):
        return timedelta()
    return timedelta() if _printed(invoice, template) else PATIENCE


def file_of(delivery: Delivery) -> tuple[str, bytes] | None:
    """Name and bytes of the PDF that leaves with this mail, if one does."""
    invoice = delivery.invoice
    if invoice is None or delivery.template not in KINDS or not delivery.merchant.attach_pdf:
        return None
    rendering = _printed(invoice, delivery.template)
    if rendering is None:
        log.warning("The mail %s leaves without its PDF, which is not printed yet.", delivery.pk)
        return None
    try:
        content = pdf.content(rendering)
    except Exception:  # whatever the storage raises
        log.exception("The mail %s leaves without its PDF.", delivery.pk)
        return None
    ending = "-receipt" if rendering.kind == Rendering.Kind.RECEIPT else ""
    return f"{invoice.number}{ending}.pdf", content


def _printed(invoice: Invoice, template: str) -> Rendering | None:
    found = Rendering.objects.filter(invoice=invoice, kind=KINDS[template]).exclude(made_at=None).first()
    return found if found and found.file else None
