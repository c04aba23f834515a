"""What is done with an invoice that is there: copy it, delete it, archive it, give it another link."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from invoicing import authoring, duplicating, lifecycle, shelves
from invoicing.models import Invoice, Shelf, Status
from invoicing.views.actions import READ_OR_POST, VoidForm
from invoicing.views.scope import key_of, own
from merchants import clock
from merchants.access import MerchantRequest, needs


def _page(request: MerchantRequest, invoice: Invoice) -> HttpResponse:
    return redirect("invoice", request.merchant.slug, invoice.pk)


@needs("write")
@require_POST
def duplicate(request: MerchantRequest, pk: int) -> HttpResponse:
    invoice, key = own(request, pk), key_of(request)
    words = {"name": invoice.name}
    waiting = duplicating.waiting(invoice)
    if waiting and waiting.form_key != key:
        messages.info(request, _("This replaces %(name)s once it is issued; it was written before.") % words)
        return _page(request, waiting)
    copy = duplicating.duplicate(invoice, by=request.user, form_key=key, now=clock.now())
    if copy.replaces_id:
        messages.success(request, _("This draft is a copy of %(name)s and replaces it once it is issued.") % words)
    else:
        messages.success(request, _("This draft is a copy of %(name)s, with new dates.") % words)
    return redirect("invoice_edit", request.merchant.slug, copy.pk)


@needs("write")
@require_http_methods(READ_OR_POST)
def delete(request: MerchantRequest, pk: int) -> HttpResponse:
    """Delete what was never issued, for good; take what was issued off the dashboard."""
    invoice = own(request, pk)
    if invoice.is_issued:
        return _remove(request, invoice)
    if request.method != "POST":
        return render(request, "invoicing/delete.html", {"nav": "invoices", "invoice": invoice, "now": clock.now()})
    try:
        authoring.delete(invoice, by=request.user, now=clock.now())
    except lifecycle.Refused as reason:
        messages.warning(request, str(reason))
        return _page(request, invoice)
    messages.success(request, _("Deleted: %(name)s.") % {"name": invoice.name})
    return redirect("invoices", request.merchant.slug)


def _remove(request: MerchantRequest, invoice: Invoice) -> HttpResponse:
    if invoice.shelf == Shelf.REMOVED:
        messages.info(request, _("%(name)s is removed from the dashboard already.") % {"name": invoice.name})
        return _page(request, invoice)
    is_open = invoice.status == Status.OPEN
    form = VoidForm(request.POST if request.method == "POST" else None, use_required_attribute=False)
    if request.method != "POST" or (is_open and not form.is_valid()):
        context = {"nav": "invoices", "invoice": invoice, "form": form, "has_money": shelves.has_money(invoice), "now": clock.now()}
        return render(request, "invoicing/remove.html", context)
    try:
        shelves.remove(invoice, by=request.user, reason=form.cleaned_data["reason"] if is_open else "", now=clock.now())
    except lifecycle.Refused as reason:
        messages.warning(request, str(reason))
        return _page(request, invoice)
    words = _("%(name)s is void and off the dashboard. %(payer)s is told.") if is_open else _("%(name)s is off the dashboard.")
    messages.success(request, words % {"name": invoice.name, "payer": invoice.payer_name})
    return redirect("invoices", request.merchant.slug)


@needs("write")
@require_POST
def archive(request: MerchantRequest, pk: int) -> HttpResponse:
    return _put(request, pk, shelves.archive, _("%(name)s is archived: it is no longer in the list."))


@needs("write")
@require_POST
def unarchive(request: MerchantRequest, pk: int) -> HttpResponse:
    return _put(request, pk, shelves.unarchive, _("%(name)s is back in the list."))


def _put(request: MerchantRequest, pk: int, move: Callable[..., Invoice], said: str) -> HttpResponse:
    invoice = own(request, pk)
    try:
        move(invoice, by=request.user, now=clock.now())
    except lifecycle.Refused as reason:
        messages.warning(request, str(reason))
    else:
        messages.success(request, said % {"name": invoice.name})
    return _page(request, invoice)


@needs("write")
@require_http_methods(READ_OR_POST)
def replace_link(request: MerchantRequest, pk: int) -> HttpResponse:
    invoice = own(request, pk)
    if not invoice.is_issued:
        messages.info(request, _("%(name)s has not been issued; it has no link yet.") % {"name": invoice.name})
        return _page(request, invoice)
    mark = hashlib.sha256(invoice.public_id.encode()).hexdigest()[:16]  # pressed twice, one link is replaced
    if request.method != "POST":
        return render(request, "invoicing/replace_link.html", {"nav": "invoices", "invoice": invoice, "mark": mark, "now": clock.now()})
    if request.POST.get("mark", "") != mark:
        messages.info(request, _("The link of %(name)s has just been replaced.") % {"name": invoice.name})
        return _page(request, invoice)
    try:
        lifecycle.replace_link(invoice, by=request.user, now=clock.now())
    except lifecycle.Refused as reason:
        messages.warning(request, str(reason))
    else:
        messages.success(request, _("%(name)s has a new link. The old one opens nothing any more.") % {"name": invoice.name})
    return _page(request, invoice)
