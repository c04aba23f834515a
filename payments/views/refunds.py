"""The desk's pages of a refund: asking for one, changing it, and the refund itself. What is done to it is in `refund_acts`."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from invoicing.models import Invoice
from invoicing.views.scope import key_of
from invoicing.views.scope import own as own_invoice
from merchants import clock
from merchants.access import MerchantRequest, may, needs
from payments import refund_desk, refund_offers, refunds, shares
from payments.forms_refunds import RefundForm, as_written, blank
from payments.models import Refund
from payments.shares import CannotRefund

READ_OR_POST = ["GET", "HEAD", "POST"]
RECKON = "reckon"  # in the query string: work out what it would be, and do nothing


def own(request: MerchantRequest, pk: int) -> Refund:
    """The refund `pk` of the merchant in the path; anybody else's is a 404."""
    beside = ("invoice", "created_by", "changed_by", "claimed_by", "approved_by", "ended_by", "sent_by", "credit_note")
    refund = get_object_or_404(Refund.objects.select_related(*beside), merchant=request.merchant, pk=pk)
    refund.merchant = refund.invoice.merchant = request.merchant
    return refund


def page_of(request: MerchantRequest, refund: Refund) -> HttpResponse:
    return redirect("refund", request.merchant.slug, refund.pk)


@needs("see")
@require_safe
def refund(request: MerchantRequest, pk: int) -> HttpResponse:
    found = own(request, pk)
    may_money = may(request.membership, "money")
    return render(request, "payments/refund.html", refund_desk.context(found, request.user if may_money else None, now=clock.now()))


@needs("money")
@require_http_methods(READ_OR_POST)
def create(request: MerchantRequest, pk: int) -> HttpResponse:
    invoice, now = own_invoice(request, pk), clock.now()
    key = key_of(request)
    before = Refund.objects.filter(invoice=invoice, form_key=key).first()  # pressed twice, or come back to: it is there
    if before is not None:
        return page_of(request, before)
    if reason := refunds.objection(invoice):
        messages.info(request, reason)
        return redirect("invoice", request.merchant.slug, invoice.pk)
    sources = [source for source in shares.sources(invoice) if source.left_minor]
    form = _form(request, invoice, sources, blank(invoice, sources, form_key=key, asked=request.GET.get("basis", "")))
    if request.method == "POST" and RECKON not in request.GET and form.is_valid():
        try:
            made = refunds.request(invoice, form.terms, form_key=key, by=request.user, now=now)
        except (CannotRefund, refunds.Refused) as reason:
            form.add_error(None, str(reason))
        else:
            messages.success(request, _("Asked. %(payer)s is mailed a link to say where it goes.") % {"payer": invoice.payer_name})
            return page_of(request, made)
    return _asked(request, form, "payments/refund_create.html", form_key=key)


@needs("money")
@require_http_methods(READ_OR_POST)
def change(request: MerchantRequest, pk: int) -> HttpResponse:
    refund, now = own(request, pk), clock.now()
    if Refund.State(refund.status) not in refunds.MOVES["refund.changed"]:
        messages.info(request, refunds.refusal(refund, "refund.changed"))
        return page_of(request, refund)
    invoice = refund.invoice
    sources = [source for source in shares.sources(invoice, but=refund) if source.left_minor]
    form = _form(request, invoice, sources, as_written(refund, invoice.currency))
    if request.method == "POST" and RECKON not in request.GET and form.is_valid():
        version = form.cleaned_data["version"] or 0
        try:
            refunds.change(refund, form.terms, by=request.user, version=version, now=now)
        except refunds.MovedOn as reason:
            messages.warning(request, str(reason))
            return page_of(request, refund)
        except (CannotRefund, refunds.Refused) as reason:
            form.add_error(None, str(reason))
        else:
            messages.success(request, _("Changed."))
            return page_of(request, refund)
    return _asked(request, form, "payments/refund_change.html", refund=refund)


def _form(request: MerchantRequest, invoice: Invoice, sources: list[shares.Source], initial: dict[str, Any]) -> RefundForm:
    tokens = refund_offers.tokens(request.merchant, sources)
    return RefundForm(request.POST if request.method == "POST" else None, initial=initial, invoice=invoice, sources=sources, tokens=tokens)


def _asked(request: MerchantRequest, form: RefundForm, template: str, *, refund: Refund | None = None, form_key: str = "") -> HttpResponse:
    """The form, with what its choices come to now."""
    shown = refund_offers.context(form, now=clock.now(), but=refund)
    invoice, its_own = form.invoice, refund.amount_minor if refund else 0
    context = {
        "nav": "refunds",
        "form": form,
        "invoice": invoice,
        "refund": refund,
        "form_key": form_key,
        "left_minor": invoice.left_minor + its_own,
        "going_minor": invoice.returning_minor - its_own,
        **shown,
    }
    return render(request, template, context, status=422 if form.errors and RECKON not in request.GET else 200)
