"""The merchant's own pages about money that came: so far, deciding what a held payment counts for."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from merchants import clock
from merchants.access import MerchantRequest, needs
from payments import held
from payments.models import Transfer


@needs("money")
@require_http_methods(["GET", "HEAD", "POST"])
def decide(request: MerchantRequest, pk: int) -> HttpResponse:
    transfer = get_object_or_404(Transfer.objects.select_related("invoice", "quote"), pk=pk, invoice__merchant=request.merchant)
    now = clock.now()
    if not transfer.is_held:
        messages.info(request, _("This payment is not held; nothing is left to decide."))
        return redirect("invoice", request.merchant.slug, transfer.invoice_id)
    if request.method == "POST":
        try:
            held.decide(transfer, request.POST.get("choice", ""), by=request.user, now=now)
        except held.CannotDecide as refusal:
            messages.warning(request, str(refusal))
        else:
            messages.success(request, _("Decided. It counts on the invoice now."))
            return redirect("invoice", request.merchant.slug, transfer.invoice_id)
    context = {"nav": "invoices", "transfer": transfer, "invoice": transfer.invoice, "choices": held.choices(transfer, now=now)}
    return render(request, "payments/decide.html", context)
