"""Settings: a page for each part of them, with its own form and its own save. The team is in `views.team`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from merchants import branding, clock, profile
from merchants.access import MerchantRequest, may, needs
from merchants.forms.look import LookForm
from merchants.forms.settings import BusinessForm, InvoicesForm, LatePolicyForm, PricesForm, RefundLimitForm, SettingsForm, TokensForm
from merchants.views import fresh

READ_OR_POST = ["GET", "HEAD", "POST"]
SUGGESTED = ("#0B5563", "#1F4FD1", "#7B2D8E", "#A33A1C", "#1F5F43", "#2A2F3A")


def _form(request: MerchantRequest, kind: type[SettingsForm]) -> Any:
    posted = request.method == "POST"
    return kind(request.POST if posted else None, request.FILES if posted else None, merchant=request.merchant)


def _save(request: MerchantRequest, form: SettingsForm, tab: str) -> HttpResponse:
    changed = profile.change(request.merchant, values=form.values(), by=request.user, now=clock.now())
    messages.success(request, _("Saved. Invoices already issued stay as they are.") if changed else _("Nothing was changed."))
    return redirect(tab, request.merchant.slug)


def _page(request: MerchantRequest, tab: str, form: SettingsForm, **more: Any) -> HttpResponse:
    context = {"nav": "settings", "tab": tab, "form": form, **more}
    wrong = any(one.errors for one in (form, *more.values()) if isinstance(one, SettingsForm))
    return render(request, f"merchants/{tab}.html", context, status=422 if wrong else 200)


@needs("profile")
@require_http_methods(READ_OR_POST)
def business(request: MerchantRequest) -> HttpResponse:
    form = _form(request, BusinessForm)
    return _save(request, form, "settings") if form.is_valid() else _page(request, "settings", form)


@needs("profile")
@require_http_methods(READ_OR_POST)
def look(request: MerchantRequest) -> HttpResponse:
    form = _form(request, LookForm)
    if form.is_valid():
        return _save(request, form, "settings_look")
    color = form.color_shown
    contrast = f"{branding.contrast(color, branding.WHITE):.1f}"
    return _page(request, "settings_look", form, suggested=SUGGESTED, color=color, on_color=branding.text_on(color), contrast=contrast)


@needs("profile")
@require_http_methods(READ_OR_POST)
def invoices(request: MerchantRequest) -> HttpResponse:
    form = _form(request, InvoicesForm)
    if form.is_valid():
        return _save(request, form, "settings_invoices")
    kept = fresh.typed(request, at=request.path)
    return _invoices(request, form, LatePolicyForm(merchant=request.merchant, initial=kept))


def _invoices(request: MerchantRequest, form: SettingsForm, late: LatePolicyForm) -> HttpResponse:
    return _page(request, "settings_invoices", form, late=late, owns=may(request.membership, "own"))


@needs("own")
@require_POST
def late_policy(request: MerchantRequest) -> HttpResponse:
    """What late payments count for."""
    form = LatePolicyForm(request.POST, merchant=request.merchant)
    words = _("Saved. It holds for invoices issued from now on; every owner is mailed.")
    return _owners(request, "settings_invoices", form, profile.set_late_policy, words) or _invoices(
        request, InvoicesForm(merchant=request.merchant), form
    )


@needs("profile")
@require_http_methods(READ_OR_POST)
def tokens(request: MerchantRequest) -> HttpResponse:
    form = _form(request, TokensForm)
    if form.is_valid():
        return _save(request, form, "settings_tokens")
    kept = fresh.typed(request, at=request.path)
    return _tokens(request, form, PricesForm(merchant=request.merchant, initial=kept))


def _tokens(request: MerchantRequest, form: SettingsForm, prices: PricesForm) -> HttpResponse:
    return _page(request, "settings_tokens", form, prices=prices, owns=may(request.membership, "own"))


@needs("own")
@require_POST
def prices(request: MerchantRequest) -> HttpResponse:
    """How quotes are priced."""
    form = PricesForm(request.POST, merchant=request.merchant)
    words = _("Saved. It holds for quotes made from now on; every owner is mailed.")
    return _owners(request, "settings_tokens", form, profile.set_prices, words) or _tokens(request, TokensForm(merchant=request.merchant), form)


@needs("profile")
@require_safe
def refunds(request: MerchantRequest) -> HttpResponse:
    kept = fresh.typed(request, at=request.path)
    return _refunds(request, RefundLimitForm(merchant=request.merchant, initial=kept))


def _refunds(request: MerchantRequest, form: RefundLimitForm) -> HttpResponse:
    return _page(request, "settings_refunds", form, owns=may(request.membership, "own"))


@needs("own")
@require_POST
def refund_limit(request: MerchantRequest) -> HttpResponse:
    """Above how much a refund needs a second person."""
    form = RefundLimitForm(request.POST, merchant=request.merchant)
    words = _("Saved. It holds for every refund that is not approved yet; every owner is mailed.")
    return _owners(request, "settings_refunds", form, profile.set_refund_limit, words) or _refunds(request, form)


def _owners(request: MerchantRequest, tab: str, form: SettingsForm, door: Callable[..., bool], words: str) -> HttpResponse | None:
    """What is an owner's to decide, on the page `tab`: after a fresh sign-in, for which what was typed waits. None when it is to
    be mended."""
    here = reverse(tab, args=[request.merchant.slug])
    if held_up := fresh.sign_in_again(request, back=here, keep=form.fields):
        return held_up
    if not form.is_valid():
        return None
    changed = door(request.merchant, **form.values(), by=request.user, now=clock.now())
    messages.success(request, words if changed else _("Nothing was changed."))
    return redirect(here)


@needs("see")
@require_safe
@cache_control(private=True, no_cache=True)
def logo(request: MerchantRequest) -> HttpResponse:
    """The merchant's own PNG, for its members."""
    if request.merchant.logo is None:
        raise Http404
    return HttpResponse(bytes(request.merchant.logo.png), content_type="image/png")
