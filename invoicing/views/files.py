"""An invoice's files for its members: attachments, the PDF, the receipt, its credit notes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_safe

from invoicing import pdf, uploads
from invoicing.models import CreditNote, Rendering
from invoicing.views.scope import own
from merchants import clock
from merchants.access import MerchantRequest, needs


@needs("see")
@require_safe
def attachment(request: MerchantRequest, pk: int, file_id: str) -> HttpResponse:
    return cast(HttpResponse, uploads.download(get_object_or_404(own(request, pk).attachments.all(), public_id=file_id)))


@needs("write")
@require_safe
def invoice_pdf(request: MerchantRequest, pk: int) -> HttpResponse:
    """For those who write: the sheet carries the payer's link, which a viewer does not get. The receipt does not."""
    return _printed(request, pk, Rendering.Kind.INVOICE, "")


@needs("see")
@require_safe
def receipt_pdf(request: MerchantRequest, pk: int) -> HttpResponse:
    return _printed(request, pk, Rendering.Kind.RECEIPT, "-receipt")


@needs("see")
@require_safe
def credit_note_pdf(request: MerchantRequest, pk: int) -> HttpResponse:
    note = get_object_or_404(CreditNote, merchant=request.merchant, pk=pk)
    return _given(request, note.invoice_id, partial(pdf.ensure_note, note.pk), note.number)


def _printed(request: MerchantRequest, pk: int, kind: Rendering.Kind, ending: str) -> HttpResponse:
    invoice = own(request, pk)
    return _given(request, invoice.pk, partial(pdf.ensure, invoice.pk, kind=kind), f"{invoice.number}{ending}")


def _given(request: MerchantRequest, invoice_id: int, ensure: Callable[..., Rendering], name: str) -> HttpResponse:
    """What `ensure` makes, as a download `name`; where it cannot be made, the invoice's page says why."""
    try:
        content = pdf.content(ensure(now=clock.now()))
    except pdf.NotMade as reason:
        messages.warning(request, str(reason))
        return redirect("invoice", request.merchant.slug, invoice_id)
    headers = {"Content-Disposition": f'attachment; filename="{name}.pdf"', "Cache-Control": "private, no-store"}
    return HttpResponse(content, content_type="application/pdf", headers=headers)
