"""Whose invoice it is: every view starts here."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from invoicing.models import Invoice
from merchants.access import MerchantRequest


def own(request: MerchantRequest, pk: int) -> Invoice:
    """The invoice `pk` of the merchant in the path; anybody else's is a 404."""
    invoice = get_object_or_404(Invoice, merchant=request.merchant, pk=pk)
    invoice.merchant = request.merchant
    return invoice
