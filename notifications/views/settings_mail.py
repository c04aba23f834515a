"""Settings, Mail: what goes with the mails to payers, and through which server they leave."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from merchants import clock, profile
from merchants.access import MerchantRequest, may, needs
from notifications.mail import mailservers
from notifications.mail.forms import PayerMailForm
from notifications.mail.notice_form import NoticesForm


@needs("profile")
@require_http_methods(["GET", "HEAD", "POST"])
def mail(request: MerchantRequest) -> HttpResponse:
    """The page. What is posted to it are the mails to payers; each other section has an address of its own."""
    form = PayerMailForm(request.POST if request.method == "POST" else None, merchant=request.merchant)
    if not form.is_valid():
        return _page(request, form)
    changed = profile.change(request.merchant, values=form.values(), by=request.user, now=clock.now())
    messages.success(request, _("Saved. It holds for every mail that has not left.") if changed else _("Nothing was changed."))
    return redirect("settings_mail", request.merchant.slug)


def _page(request: MerchantRequest, form: PayerMailForm) -> HttpResponse:
    context: dict[str, Any] = {
        "nav": "settings",
        "tab": "settings_mail",
        "form": form,
        "notices": NoticesForm(merchant=request.merchant),
        "server": mailservers.of(request.merchant),
        "owns": may(request.membership, "own"),
    }
    return render(request, "notifications/settings_mail.html", context, status=422 if form.errors else 200)
