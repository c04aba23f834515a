"""What a member does to an invoice: publish, take back, void, note down. See `upkeep` for the rest."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.views.decorators.http import require_http_methods, require_POST

from invoicing import authoring, duplicating, lifecycle
from invoicing.forms.head import Lines
from invoicing.models import Invoice, Status
from invoicing.views import detail
from invoicing.views.scope import key_of, own
from merchants import clock
from merchants.access import MerchantRequest, needs

READ_OR_POST = ["GET", "HEAD", "POST"]


class VoidForm(forms.Form):
    reason = Lines(
        label=_l("Why"),
        max_length=300,
        help_text=_l("The payer reads this in the mail that cancels it."),
        error_messages={
            "required": _l("Say why, in a sentence."),
            "max_length": _l("Shorten this to %(limit_value)d characters; it has %(show_value)d."),
        },
    )


def _page(request: MerchantRequest, invoice: Invoice) -> HttpResponse:
    return redirect("invoice", request.merchant.slug, invoice.pk)


@needs("write")
@require_http_methods(READ_OR_POST)
def publish(request: MerchantRequest, pk: int) -> HttpResponse:
    invoice, now = own(request, pk), clock.now()
    if invoice.status not in (Status.DRAFT, Status.MISSED):
        messages.info(request, _already(invoice))
        return _page(request, invoice)
    if request.method != "POST":
        context = {
            "nav": "invoices",
            "invoice": invoice,
            "now": now,
            "waits": bool(invoice.issue_at and invoice.issue_at > now),
            "blockers": lifecycle.blockers(invoice, now),
        }
        return render(request, "invoicing/publish.html", context)
    version = request.POST.get("version", "")
    try:
        published = lifecycle.publish(invoice, by=request.user, version=int(version) if version.isascii() and version.isdigit() else 0, now=now)
    except lifecycle.MovedOn as reason:
        messages.warning(request, str(reason))
        return redirect("invoice_publish", request.merchant.slug, pk)
    except lifecycle.Refused as reason:
        invoice.refresh_from_db()
        messages.warning(request, str(reason) if invoice.status in (Status.DRAFT, Status.MISSED) else _already(invoice))
        return _page(request, invoice)
    messages.success(request, _published(published))
    return _page(request, published)


def _already(invoice: Invoice) -> str:
    words = _("%(name)s is already scheduled.") if invoice.status == Status.SCHEDULED else _("%(name)s is already published.")
    return words % {"name": invoice.name}


def _published(invoice: Invoice) -> str:
    if invoice.status == Status.SCHEDULED:
        return _("Scheduled. %(payer)s gets it when its time comes.") % {"payer": invoice.payer_name}
    return _("%(name)s is published and goes to %(payer)s now.") % {"name": invoice.name, "payer": invoice.payer_name}


@needs("write")
@require_POST
def unschedule(request: MerchantRequest, pk: int) -> HttpResponse:
    invoice = own(request, pk)
    try:
        lifecycle.unschedule(invoice, by=request.user, now=clock.now())
    except lifecycle.Refused as reason:
        messages.warning(request, str(reason))
    else:
        messages.success(request, _("It is a draft again, and is not sent."))
    return _page(request, invoice)


@needs("write")
@require_http_methods(READ_OR_POST)
def void(request: MerchantRequest, pk: int) -> HttpResponse:
    """Cancel it, and when that is what was pressed, go on to the draft that replaces it."""
    invoice, now = own(request, pk), clock.now()
    replacing = request.method == "POST" and request.POST.get("then") == "replace"
    if invoice.status == Status.VOID and replacing:
        return _replacement(request, invoice)
    if invoice.status != Status.OPEN:
        words = _("%(name)s is already void.") if invoice.status == Status.VOID else _("Only an open invoice can be voided; %(name)s is not.")
        messages.info(request, words % {"name": invoice.name})
        return _page(request, invoice)
    form = VoidForm(request.POST if request.method == "POST" else None, use_required_attribute=False)
    if request.method != "POST" or not form.is_valid():
        context = {"nav": "invoices", "invoice": invoice, "form": form, "form_key": key_of(request), "now": now}
        return render(request, "invoicing/void.html", context)
    try:
        lifecycle.void(invoice, by=request.user, reason=form.cleaned_data["reason"], now=now)
    except lifecycle.Refused as reason:
        messages.warning(request, str(reason))
        return _page(request, invoice)
    messages.success(request, _("%(name)s is void. %(payer)s is told.") % {"name": invoice.name, "payer": invoice.payer_name})
    return _replacement(request, invoice) if replacing else _page(request, invoice)


def _replacement(request: MerchantRequest, invoice: Invoice) -> HttpResponse:
    key, waiting = key_of(request), duplicating.waiting(invoice)
    if waiting and waiting.form_key != key:
        messages.info(request, _("This replaces %(name)s once it is issued; it was written before.") % {"name": invoice.name})
        return _page(request, waiting)
    copy = duplicating.duplicate(invoice, by=request.user, form_key=key, now=clock.now())
    messages.success(request, _("This draft replaces %(name)s once it is issued.") % {"name": invoice.name})
    return redirect("invoice_edit", request.merchant.slug, copy.pk)


@needs("write")
@require_POST
def remark(request: MerchantRequest, pk: int) -> HttpResponse:
    invoice = own(request, pk)
    text = request.POST.get("remark", "").replace("\0", "").replace("\r\n", "\n")  # as a browser counts it
    if len(text) > authoring.MAX_REMARK:
        messages.warning(request, _("The remark was not saved: shorten it to %(most)s characters.") % {"most": authoring.MAX_REMARK})
        return detail.page(request, invoice, remark=text, status=422)
    authoring.set_remark(invoice, text=text)
    messages.success(request, _("Remark saved."))
    return _page(request, invoice)
