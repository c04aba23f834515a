"""The number series of a merchant: the segments so far, and the next one, which is asked for before it begins."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from invoicing import numbering
from invoicing.forms.numbers import NumbersForm
from merchants import clock
from merchants.access import MerchantRequest, needs


@needs("profile")
@require_safe
def numbers(request: MerchantRequest) -> HttpResponse:
    return _page(request, NumbersForm(initial={"prefix": request.merchant.number_prefix, "first": request.merchant.next_number}))


def _page(request: MerchantRequest, form: NumbersForm) -> HttpResponse:
    context = {
        "nav": "settings",
        "tab": "settings_invoices",
        "form": form,
        "next": numbering.coming(request.merchant),
        "stretches": numbering.stretches(request.merchant),
    }
    return render(request, "invoicing/numbers.html", context, status=422 if form.errors else 200)


@needs("profile")
@require_http_methods(["GET", "HEAD", "POST"])
def begin(request: MerchantRequest) -> HttpResponse:
    """Asked with ?prefix=&first=, done by a POST."""
    form = NumbersForm(request.POST if request.method == "POST" else request.GET)
    if not form.is_valid():
        return _page(request, form)
    if request.method == "POST":
        return _begin(request, form)
    if reason := numbering.objection(request.merchant, **form.cleaned_data):
        form.add_error("first", reason)
        return _page(request, form)
    context = {
        "nav": "settings",
        "form": form,
        "next": numbering.written(form.cleaned_data["prefix"], form.cleaned_data["first"]),
        "last": numbering.last_taken(request.merchant),
        "now_next": numbering.coming(request.merchant),
    }
    return render(request, "invoicing/numbers_begin.html", context)


def _begin(request: MerchantRequest, form: NumbersForm) -> HttpResponse:
    try:
        numbering.begin(request.merchant, **form.cleaned_data, by=request.user, now=clock.now())
    except numbering.Collides as reason:
        form.add_error("first", str(reason))
        return _page(request, form)
    messages.success(request, _("The next invoice will be %(number)s.") % {"number": numbering.coming(request.merchant)})
    return redirect("settings_numbers", request.merchant.slug)
