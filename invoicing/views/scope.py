"""Whose invoice it is: every view starts here."""

from __future__ import annotations

import re
import secrets

from django.shortcuts import get_object_or_404

from invoicing.models import Invoice, Schedule
from merchants.access import MerchantRequest

_KEY = re.compile(r"[\w-]{43}\Z", re.ASCII)


def own(request: MerchantRequest, pk: int) -> Invoice:
    """The invoice `pk` of the merchant in the path; anybody else's is a 404."""
    invoice = get_object_or_404(Invoice, merchant=request.merchant, pk=pk)
    invoice.merchant = request.merchant
    return invoice


def own_schedule(request: MerchantRequest, pk: int) -> Schedule:
    """The schedule `pk` of the merchant in the path; anybody else's is a 404."""
    schedule = get_object_or_404(Schedule, merchant=request.merchant, pk=pk)
    schedule.merchant = request.merchant
    return schedule


def key_of(request: MerchantRequest) -> str:
    """The key of the form that was sent, so that pressed twice it makes one thing; a new one for a page that has none yet."""
    given = request.POST.get("form_key", "")
    return given if _KEY.match(given) else secrets.token_urlsafe(32)
