"""Settings, Mail: which notices go to the business email."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from merchants import clock, profile
from merchants.access import MerchantRequest, needs
from notifications.mail.notice_form import NoticesForm


@needs("profile")
@require_POST
def notices(request: MerchantRequest) -> HttpResponse:
    form = NoticesForm(request.POST, merchant=request.merchant)
    changed = form.is_valid() and profile.set_notices(request.merchant, wanted=form.wanted(), by=request.user, now=clock.now())
    messages.success(request, _("Saved. It holds from the next payment on.") if changed else _("Nothing was changed."))
    return redirect("settings_mail", request.merchant.slug)
