"""Before it is sent: the page, the mail and the PDF as the payer will get them. The mail's frame is in `notifications`."""

from __future__ import annotations

from typing import Any

from csp.constants import NONE, SELF
from csp.decorators import csp, csp_replace, csp_update
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from invoicing import lifecycle, previewing
from invoicing.models import Invoice, Status
from invoicing.views.scope import own
from merchants import branding, clock
from merchants.access import MerchantRequest, needs

# The frames run nothing and send nothing; only a page of this site may hold them.
PAGE_FRAME = {"script-src": [NONE], "connect-src": [NONE], "form-action": [NONE], "frame-ancestors": [SELF]}
PDF_FRAME = {"default-src": [NONE], "object-src": [SELF], "frame-ancestors": [SELF], "base-uri": [NONE], "form-action": [NONE]}
SHOWS = ("page", "email", "pdf")
WIDTHS = ("desktop", "phone")


def shell(request: MerchantRequest, *, shown: Invoice, frames: dict[str, str], context: dict[str, Any]) -> HttpResponse:
    """The page around the previews. `frames` are the addresses of page, email and pdf; `context` says `back`, the address
    that closes it, and what else the template wants."""
    show, width = request.GET.get("show", ""), request.GET.get("width", "")
    show, width = show if show in SHOWS else SHOWS[0], width if width in WIDTHS else WIDTHS[0]
    whole = {"nav": "invoices", "invoice": shown, "frames": frames, "frame": frames[show], "show": show, "width": width, **context}
    return render(request, "invoicing/preview.html", whole)


@needs("write")  # type: ignore[arg-type]
@require_safe
@never_cache
@csp_update({"frame-src": [SELF]})  # type: ignore[arg-type]
def preview(request: MerchantRequest, pk: int) -> HttpResponse:
    invoice, now = own(request, pk), clock.now()
    if invoice.is_issued:
        messages.info(request, _("%(name)s has been issued; what the payer got is on its page.") % {"name": invoice.name})
        return redirect("invoice", request.merchant.slug, pk)
    names = {"page": "invoice_preview_page", "email": "invoice_preview_mail", "pdf": "invoice_preview_pdf"}
    frames = {show: reverse(name, args=[request.merchant.slug, pk]) for show, name in names.items()}
    context = {
        "back": reverse("invoice", args=[request.merchant.slug, pk]),
        "edit": reverse("invoice_edit", args=[request.merchant.slug, pk]),
        "publish": reverse("invoice_publish", args=[request.merchant.slug, pk]) if invoice.status in (Status.DRAFT, Status.MISSED) else "",
        "blockers": lifecycle.blockers(invoice, now),
        "now": now,
    }
    return shell(request, shown=invoice, frames=frames, context=context)


def draft(request: MerchantRequest, pk: int) -> Invoice | None:
    """The invoice to be previewed as it will be issued; None when it has been."""
    invoice = own(request, pk)
    return None if invoice.is_issued else previewing.as_issued(invoice, now=clock.now())


@needs("write")  # type: ignore[arg-type]
@require_safe
@never_cache
@xframe_options_sameorigin
@csp_replace(PAGE_FRAME)  # type: ignore[arg-type]
def page(request: MerchantRequest, pk: int) -> HttpResponse:
    shown = draft(request, pk)
    if shown is None:
        return redirect("invoice", request.merchant.slug, pk)
    return HttpResponse(previewing.page(shown, request=request))


@needs("write")  # type: ignore[arg-type]
@require_safe
@never_cache
@xframe_options_sameorigin
@csp(PDF_FRAME)  # type: ignore[arg-type]
def paper(request: MerchantRequest, pk: int) -> HttpResponse:
    shown = draft(request, pk)
    if shown is None:
        return redirect("invoice", request.merchant.slug, pk)
    return printed(request, shown)


def printed(request: MerchantRequest, shown: Invoice) -> HttpResponse:
    """The PDF of `shown`, in its frame or, with `?download`, as a file."""
    kind = "attachment" if "download" in request.GET else "inline"
    headers = {"Content-Disposition": f'{kind}; filename="preview.pdf"'}
    return HttpResponse(previewing.paper(shown), content_type="application/pdf", headers=headers)


@needs("see")
@require_safe
def brand(request: MerchantRequest) -> HttpResponse:
    """The merchant's colour as it is now, for a page that has not been sent."""
    return HttpResponse(branding.stylesheet(request.merchant.brand_color), content_type="text/css; charset=utf-8")
