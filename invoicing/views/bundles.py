"""A zip of PDFs while it is made, when it is ready, and when it could not be made."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import bundles, exports
from invoicing.models import Bundle
from merchants.access import MerchantRequest, needs


def _own(request: MerchantRequest, pk: int) -> Bundle:
    return get_object_or_404(Bundle, merchant=request.merchant, pk=pk)


@needs("write")
@require_safe
def bundle(request: MerchantRequest, pk: int) -> HttpResponse:
    """For those who write, as the PDFs are: they carry the payers' links."""
    found = _own(request, pk)
    if found.ready_at and not found.file.storage.exists(str(found.file.name)):
        raise Http404
    state = "ready" if found.ready_at else "broken" if found.error else "working"
    context: dict[str, Any] = {"nav": "invoices", "bundle": found, "state": state, "gone_at": found.created_at + bundles.KEPT_FOR}
    answer = render(request, "invoicing/bundle.html", context)
    answer["Cache-Control"] = "private, no-store"
    return answer


@needs("write")
@require_POST
def again(request: MerchantRequest, pk: int) -> HttpResponse:
    found = _own(request, pk)
    if not bundles.again(found):
        messages.info(request, _("It is being made already."))
    return redirect("bundle", request.merchant.slug, pk)


@needs("write")
@require_safe
def file(request: MerchantRequest, pk: int) -> HttpResponse:
    found = _own(request, pk)
    if not (found.ready_at and found.file.storage.exists(str(found.file.name))):
        messages.info(request, _("It is not ready yet."))
        return redirect("bundle", request.merchant.slug, pk)
    name = exports.file_name("invoices", request.merchant, found.created_at, "zip")
    answer = FileResponse(found.file.open("rb"), as_attachment=True, filename=name, content_type="application/zip")
    answer["Cache-Control"] = "private, no-store"
    return cast(HttpResponse, answer)
