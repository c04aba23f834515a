"""The document at its unguessable link: what the payer may open without an account. GET changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_POST, require_safe

from invoicing import lifecycle, pdf, snapshot, uploads
from invoicing.models import Invoice, Rendering, Status
from invoicing.snapshot import document
from merchants import branding, clock, languages
from merchants.listing import any_of
from merchants.models import Membership

PUBLIC = (Status.OPEN, Status.PAID, Status.VOID, Status.MISSED)
P = ParamSpec("P")


def for_payers(view: Callable[P, HttpResponseBase]) -> Callable[P, HttpResponseBase]:
    """A page that whoever holds the link may see, and nobody else may find or keep."""

    @wraps(view)
    def shown(*args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        response = view(*args, **kwargs)
        # Not 'no-referrer': browsers then send 'Origin: null' with a form, and the CSRF check refuses it
        # (https://fetch.spec.whatwg.org/#append-a-request-origin-header). This one tells other sites nothing either.
        response["Referrer-Policy"] = "same-origin"
        response["X-Robots-Tag"] = "noindex, nofollow"
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return shown


def by_link(public_id: str) -> Invoice:
    """The invoice behind a payer's link; 404 for a wrong one, and for one that has not been sent. What follows is in its language."""
    found = get_object_or_404(Invoice.objects.select_related("merchant", "replaced_by"), public_id=public_id, status__in=PUBLIC)
    languages.speak(found.language)
    return found


def _kept(request: HttpRequest, content: bytes, content_type: str) -> HttpResponse:
    """Bytes that seldom change: kept by the payer's browser for an hour, then asked for again by ETag."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    response = get_conditional_response(request, etag=etag) or HttpResponse(content, content_type=content_type)
    response["ETag"] = etag
    response["Cache-Control"] = "private, max-age=3600"
    return response


@require_safe
@for_payers
def invoice(request: HttpRequest, public_id: str) -> HttpResponse:
    found = by_link(public_id)
    shown = document(found)
    if found.status == Status.MISSED:
        return render(request, "invoicing/public/missed.html", {"invoice": found, "document": shown})
    successor = found.replaced_by if found.replaced_by and found.replaced_by.is_issued else None
    context = {
        "invoice": found,
        "document": shown,
        "lines": found.lines.all(),
        "attachments": found.attachments.all(),
        "successor": successor,
        "owed_minor": found.due_minor if found.due_minor > found.tolerance_minor else 0,
        "credited_or_pending": found.credited_minor or found.pending_minor,
        "tokens": any_of(shown.symbols),
        "now": clock.now(),
    }
    return render(request, "invoicing/public/invoice.html", context)


def _document_file(request: HttpRequest, found: Invoice, kind: Rendering.Kind, name: str) -> HttpResponseBase:
    try:
        content = pdf.content(pdf.ensure(found.pk, kind=kind, now=clock.now()))
    except pdf.NotMade as reason:
        context = {"invoice": found, "document": document(found), "reason": str(reason), "again": request.path}
        return render(request, "invoicing/public/not_made.html", context, status=503)
    return HttpResponse(content, content_type="application/pdf", headers={"Content-Disposition": f'attachment; filename="{name}"'})


@require_safe
@for_payers
def invoice_pdf(request: HttpRequest, public_id: str) -> HttpResponseBase:
    found = by_link(public_id)
    if not found.is_issued:
        raise Http404
    return _document_file(request, found, Rendering.Kind.INVOICE, f"{found.number}.pdf")


@require_safe
@for_payers
def receipt_pdf(request: HttpRequest, public_id: str) -> HttpResponseBase:
    found = by_link(public_id)
    if found.status != Status.PAID:
        raise Http404
    return _document_file(request, found, Rendering.Kind.RECEIPT, f"{found.number}-receipt.pdf")


@require_safe
@for_payers
def file(_request: HttpRequest, public_id: str, file_id: str) -> HttpResponseBase:
    found = by_link(public_id)
    if not found.is_issued:
        raise Http404
    return uploads.download(get_object_or_404(found.attachments.all(), public_id=file_id))


@require_POST
@for_payers
def viewed(request: HttpRequest, public_id: str) -> HttpResponse:
    """The page's own beacon. A member who looks at it is not the payer."""
    found = by_link(public_id)
    is_member = request.user.is_authenticated and Membership.objects.filter(user_id=request.user.pk, merchant_id=found.merchant_id).exists()
    if not is_member:
        lifecycle.viewed(found, now=clock.now())
    return HttpResponse(status=204)


@require_safe
@for_payers
def logo(request: HttpRequest, public_id: str) -> HttpResponse:
    found = by_link(public_id)
    kept = snapshot.logo_of(found)
    if kept is None:
        raise Http404
    return _kept(request, bytes(kept.png), "image/png")


@require_safe
@for_payers
def brand(request: HttpRequest, public_id: str) -> HttpResponse:
    """The merchant's colour as it was when this invoice was issued."""
    color = document(by_link(public_id)).brand_color
    return _kept(request, branding.stylesheet(color).encode(), "text/css; charset=utf-8")
