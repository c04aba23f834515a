"""Checkout: the payer's own pages. GET shows; a quote, a word that it is paid, and money in the sandbox come from a POST."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing.models import Status
from invoicing.snapshot import document
from invoicing.views.public import by_link, for_payers
from merchants import clock
from payments import hints, quotes
from payments.checkout import Situation, Stage, situation
from payments.rails import sandbox
from payments.slips import is_beta, roughly, takes


def _options(shown: Situation) -> list[dict[str, Any]]:
    """The tokens to choose from: each with its frozen words, an estimate, or the sentence that says why not."""
    rows = []
    for option in quotes.options(shown.invoice, now=shown.now):
        frozen = shown.document.asset(option.asset.id)
        if frozen is not None:
            estimate = "" if option.estimate_units is None else roughly(option.estimate_units, option.asset.decimals, shown.invoice.language)
            said = {"takes": takes(option.asset.network), "estimate": estimate, "unavailable": option.unavailable}
            rows.append({"asset": frozen, "is_beta": is_beta(option.asset.id), **said})
    return rows


def _context(request: HttpRequest, public_id: str) -> dict[str, Any]:
    invoice = by_link(public_id)
    choosing = "choose" in request.GET
    shown = situation(invoice, now=clock.now(), choosing=choosing)
    return {
        "situation": shown,
        "invoice": invoice,
        "document": shown.document,
        "choosing": choosing,
        "polling": json.dumps({"If-None-Match": shown.etag}),  # the browser then hands us the 304 instead of its cache
        "scenarios": sandbox.SCENARIOS if shown.document.is_test and shown.latest else {},
    }


def _with_options(context: dict[str, Any]) -> dict[str, Any]:
    shown: Situation = context["situation"]
    return context | {"options": _options(shown)} if shown.stage is Stage.CHOOSE else context


@require_safe
@for_payers
def checkout(request: HttpRequest, public_id: str) -> HttpResponse:
    return render(request, "payments/checkout.html", _with_options(_context(request, public_id)))


@require_safe
@for_payers
def status(request: HttpRequest, public_id: str) -> HttpResponse:
    """The part of the page that lives, for polling; 304 while it says the same."""
    context = _context(request, public_id)
    shown: Situation = context["situation"]
    unchanged = get_conditional_response(request, etag=shown.etag)
    if unchanged is not None:
        return unchanged
    response = render(request, "payments/_status.html", _with_options(context))
    response["ETag"] = shown.etag
    return response


@require_POST
@for_payers
def quote(request: HttpRequest, public_id: str) -> HttpResponse:
    """The payer chose an asset: a quote for what is due."""
    invoice = by_link(public_id)
    asset_id = request.POST.get("asset", "")
    if invoice.status != Status.OPEN:
        messages.info(request, _("There is nothing to pay on this invoice now."))
    elif document(invoice).asset(asset_id) is None:
        messages.error(request, _("This invoice cannot be paid with that. Choose one of the tokens below."))
    else:
        try:
            quotes.ask(invoice, asset_id, now=clock.now())
        except quotes.CannotQuote as refusal:
            messages.error(request, str(refusal))
    return redirect("checkout", public_id)


@require_POST
@for_payers
def sent(request: HttpRequest, public_id: str) -> HttpResponse:
    """The payer says that it paid, with a transaction id or without. It credits nothing."""
    invoice = by_link(public_id)
    txid = request.POST.get("txid", "").strip()
    try:
        hints.say(invoice, txid=txid, now=clock.now())
    except hints.CannotSay as refusal:
        if invoice.status == Status.OPEN:
            wrong = {"sent_txid": txid, "sent_error": str(refusal)}
            return render(request, "payments/checkout.html", _with_options(_context(request, public_id)) | wrong, status=422)
        messages.info(request, str(refusal))
    return redirect(f"{reverse('checkout', args=[public_id])}#said")


@require_POST
@for_payers
def provoke(request: HttpRequest, public_id: str) -> HttpResponse:
    """The panel of test merchants: make the sandbox network do something."""
    invoice = by_link(public_id)
    asked = quotes.latest(invoice)
    if not document(invoice).is_test or asked is None:
        raise Http404
    act = request.POST.get("act", "")
    if act not in sandbox.SCENARIOS:
        return HttpResponseBadRequest(_("The sandbox does not know this."), content_type="text/plain; charset=utf-8")
    try:
        sandbox.provoke(asked, act, now=clock.now())
    except sandbox.CannotProvoke as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("On its way in the sandbox: %(what)s.") % {"what": str(sandbox.SCENARIOS[act])})
    return redirect("checkout", public_id)
