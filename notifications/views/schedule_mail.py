"""The mail that a schedule's next invoice will go out with, before it does."""

from __future__ import annotations

from csp.decorators import csp
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from invoicing.views.schedule_preview import as_sent
from merchants import clock
from merchants.access import MerchantRequest, needs
from notifications.views.mailbox import FRAME
from notifications.views.payer_mail import framed


@needs("write")  # type: ignore[arg-type]
@require_safe
@never_cache
@xframe_options_sameorigin
@csp(FRAME)  # type: ignore[arg-type]
def preview(request: MerchantRequest, pk: int) -> HttpResponse:
    """For the frame of `invoicing.views.schedule_preview`."""
    shown = as_sent(request, pk)
    return framed(shown, now=clock.now()) if shown else redirect("schedule", request.merchant.slug, pk)
