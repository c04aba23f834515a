"""A payer's statement: a page, and the same as a PDF."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from invoicing import statement
from invoicing.forms.payer import StatementForm
from invoicing.models import Payer
from invoicing.pdf import account
from merchants import clock, moments
from merchants.access import MerchantRequest, needs

ASKED = (("since", "from"), ("until", "to"), ("currency", "currency"))


def form_of(payer: Payer, asked: Mapping[str, str], *, now: datetime) -> StatementForm:
    """The days that were asked for; unless said, this year up to today, in the currency invoiced last."""
    today = moments.local(now, payer.merchant.time_zone).date()
    currencies = statement.currencies(payer) or [payer.merchant.currency]
    usual = {"since": f"{today.year}-01-01", "until": today.isoformat(), "currency": currencies[0]}
    return StatementForm(asked, usual=usual, currencies=currencies)


@needs("see")
@require_safe
def page(request: MerchantRequest, pk: int) -> HttpResponse:
    payer, form, found = _asked(request, pk)
    context = {"nav": "payers", "payer": payer, "form": form, "most": statement.MOST_LINES, **found}
    if found:
        context["days"] = f"?{urlencode({name: form[field].value() for field, name in ASKED})}"
    return render(request, "invoicing/statement.html", context, status=200 if form.is_valid() else 422)


@needs("see")
@require_safe
def printed(request: MerchantRequest, pk: int) -> HttpResponse:
    """The same on paper, made now: it is nothing that was issued. What cannot be shown is said on the page."""
    payer, _form, found = _asked(request, pk)
    if "made" not in found:
        answer = redirect("payer_statement", request.merchant.slug, pk)
        answer["Location"] += f"?{request.GET.urlencode()}"
        return answer
    paper = account.render(payer, found["made"], found["currency"], since=found["since"], until=found["until"], now=clock.now())
    name = f"statement-{found['since']}-{found['until']}-{found['currency']}.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return HttpResponse(paper, content_type="application/pdf", headers=headers)


def _asked(request: MerchantRequest, pk: int) -> tuple[Payer, StatementForm, dict[str, Any]]:
    """The payer, the form, and what page and paper show: `made`, or how much is `too_long`; nothing while the days are wrong."""
    payer = get_object_or_404(Payer, merchant=request.merchant, pk=pk)
    payer.merchant = request.merchant
    form = form_of(payer, request.GET, now=clock.now())
    if not form.is_valid():
        return payer, form, {}
    found: dict[str, Any] = {name: form.cleaned_data[name] for name in ("since", "until", "currency")}
    start, end = statement.span(found["since"], found["until"], request.merchant.time_zone)
    try:
        found["made"] = statement.of(payer, found["currency"], since=start, until=end)
    except statement.TooLong as much:
        found["too_long"] = much.lines
    return payer, form, found
