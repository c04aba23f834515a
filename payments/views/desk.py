"""The merchant's own pages about money that came: deciding what a held payment counts for, writing down what was paid
elsewhere and taking that back, and the list of payments as a file."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from invoicing.models import Invoice, Status
from invoicing.views.scope import own
from merchants import assets, clock
from merchants.access import MerchantRequest, needs
from payments import exports, held, recorded
from payments.forms import RecordForm, blank
from payments.models import BY_BALANCE, RecordedPayment, Transfer
from payments.rails import rail_for

READ_OR_POST = ["GET", "HEAD", "POST"]


@needs("money")
@require_http_methods(READ_OR_POST)
def decide(request: MerchantRequest, pk: int) -> HttpResponse:
    transfer = get_object_or_404(Transfer.objects.select_related("invoice", "quote"), pk=pk, invoice__merchant=request.merchant)
    now = clock.now()
    if not transfer.is_held:
        messages.info(request, _("This payment is not held; nothing is left to decide."))
        return redirect("invoice", request.merchant.slug, transfer.invoice_id)
    if request.method == "POST":
        try:
            if request.POST.get("act") == "handle":
                held.handle(transfer, request.POST.get("note", ""), by=request.user, now=now)
                words = _("Noted. It needs no hand any more, and counts for nothing.")
            else:
                held.decide(transfer, request.POST.get("choice", ""), by=request.user, now=now)
                words = _("Decided. It counts on the invoice now.")
        except held.CannotDecide as refusal:
            messages.warning(request, str(refusal))
        else:
            messages.success(request, words)
            return redirect("invoice", request.merchant.slug, transfer.invoice_id)
    context = {
        "nav": "invoices",
        "transfer": transfer,
        "explorer": _explorer(transfer),
        "invoice": transfer.invoice,
        "choices": held.choices(transfer, now=now),
        "note": request.POST.get("note", ""),
    }
    return render(request, "payments/decide.html", context)


def _explorer(transfer: Transfer) -> str:
    """Where the transaction can be looked at; of money that only a balance shows, the address. Empty where there is no such page."""
    if transfer.network not in assets.catalogue().networks:
        return ""
    rail = rail_for(transfer.network)
    return rail.explorer_address(transfer.txid.removeprefix(BY_BALANCE)) if transfer.is_by_balance else rail.explorer_tx(transfer.txid)


@needs("money")
@require_http_methods(READ_OR_POST)
def record(request: MerchantRequest, pk: int) -> HttpResponse:
    invoice, now, zone = own(request, pk), clock.now(), request.merchant.time_zone
    if reason := recorded.objection(invoice):
        messages.info(request, reason)
        return _page(request, invoice)
    initial = blank(invoice, zone=zone, now=now)
    form = RecordForm(request.POST if request.method == "POST" else None, initial=initial, invoice=invoice, zone=zone, now=now)
    if request.method == "POST" and form.is_valid():
        told = {name: form.cleaned_data[name] for name in ("way", "amount_minor", "paid_at", "note", "form_key")}
        try:
            payment = recorded.record(invoice, **told, by=request.user, now=now)
        except recorded.Refused as refusal:
            messages.warning(request, str(refusal))
            typed = request.POST.copy()
            typed["form_key"] = initial["form_key"]
            form = RecordForm(typed, initial=initial, invoice=invoice, zone=zone, now=now)
        else:
            messages.success(request, _recorded(payment))
            return _page(request, invoice)
    rest = recorded.rest_minor(invoice)
    return render(request, "payments/record.html", {"nav": "invoices", "invoice": invoice, "form": form, "rest_minor": rest, "now": now})


def _recorded(payment: RecordedPayment) -> str:
    invoice = Invoice.objects.get(pk=payment.invoice_id)
    if invoice.status == Status.PAID and invoice.paid_at == payment.recorded_at:
        return _("Recorded. %(name)s is paid, and %(payer)s is mailed the receipt.") % {"name": invoice.name, "payer": invoice.payer_name}
    return _("Recorded. It counts on %(name)s now.") % {"name": invoice.name}


@needs("money")
@require_http_methods(READ_OR_POST)
def reverse(request: MerchantRequest, pk: int, payment_id: int) -> HttpResponse:
    invoice, now = own(request, pk), clock.now()
    payment = get_object_or_404(RecordedPayment.objects.select_related("recorded_by"), pk=payment_id, invoice=invoice)
    if payment.reversed_at is not None:
        messages.info(request, _("This payment has been reversed already."))
        return _page(request, invoice)
    if request.method != "POST":
        after = recorded.after_reversal(invoice, payment)
        return render(request, "payments/reverse.html", {"nav": "invoices", "invoice": invoice, "payment": payment, "after": after})
    try:
        changed = recorded.reverse(payment, by=request.user, now=now)
    except recorded.Refused as refusal:
        messages.warning(request, str(refusal))
    else:
        words = (
            _("Reversed. %(name)s is open again.")
            if changed.status == Status.OPEN and invoice.status == Status.PAID
            else _("Reversed. It no longer counts.")
        )
        messages.success(request, words % {"name": invoice.name})
    return _page(request, invoice)


@needs("see")
@require_safe
def payments_csv(request: MerchantRequest) -> HttpResponse:
    """The payments of every invoice that the list has for the same query string, and of the archived ones that it would have."""
    return exports.payments_csv(request.merchant, request.GET, now=clock.now())  # type: ignore[return-value]


def _page(request: MerchantRequest, invoice: Invoice) -> HttpResponse:
    return redirect("invoice", request.merchant.slug, invoice.pk)
