"""An invoice's files for its members: attachments, the PDF, the receipt."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_safe

from invoicing import pdf, uploads
from invoicing.models import Rendering
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


def _printed(request: MerchantRequest, pk: int, kind: Rendering.Kind, ending: str) -> HttpResponse:
    invoice = own(request, pk)
    try:
        content = pdf.content(pdf.ensure(invoice.pk, kind=kind, now=clock.now()))
    except pdf.NotMade as reason:
        messages.warning(request, str(reason))
        return redirect("invoice", request.merchant.slug, pk)
    headers = {"Content-Disposition": f'attachment; filename="{invoice.number}{ending}.pdf"', "Cache-Control": "private, no-store"}
    return HttpResponse(content, content_type="application/pdf", headers=headers)
