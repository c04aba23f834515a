"""Settings: business profile, defaults, accepted tokens and looks."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_safe

from merchants import branding, clock, profile
from merchants.access import MerchantRequest, needs
from merchants.forms import SettingsForm

SUGGESTED = ("#0B5563", "#1F4FD1", "#7B2D8E", "#A33A1C", "#1F5F43", "#2A2F3A")


@needs("profile")
@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: MerchantRequest) -> HttpResponse:
    posted = request.method == "POST"
    form = SettingsForm(request.POST if posted else None, request.FILES if posted else None, merchant=request.merchant)
    if posted and form.is_valid():
        changed = profile.change(request.merchant, values=form.values(), by=request.user, now=clock.now())
        messages.success(request, _("Saved. Invoices already issued stay as they are.") if changed else _("Nothing was changed."))
        return redirect("settings", request.merchant.slug)
    context = {"form": form, "nav": "settings", "suggested": SUGGESTED, "contrast": f"{branding.contrast(form.color_shown, branding.WHITE):.1f}"}
    context |= {"color": form.color_shown, "on_color": branding.text_on(form.color_shown)}
    return render(request, "merchants/settings.html", context, status=422 if form.is_bound else 200)


@needs("see")
@require_safe
@cache_control(private=True, no_cache=True)
def logo(request: MerchantRequest) -> HttpResponse:
    """The merchant's own PNG, for its members."""
    if request.merchant.logo is None:
        raise Http404
    return HttpResponse(bytes(request.merchant.logo.png), content_type="image/png")
