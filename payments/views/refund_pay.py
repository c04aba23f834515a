"""Paying a refund, by the merchant's own wallet: what to send, the word that it was sent, and what the chain says of it.

Nothing said here makes it confirmed: the watcher finds the transaction, named or not.
"""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from merchants import clock
from merchants.access import MerchantRequest, needs
from payments import refund_desk, refunds, txids
from payments.models import Refund
from payments.rails import sandbox
from payments.returning import Returning, Stage, paying

READ_OR_POST = ["GET", "HEAD", "POST"]
# What the sandbox can be made to do at each stage that this page shows.
ACTS: dict[Stage, tuple[str, ...]] = {
    Stage.APPROVED: ("exact", "part"),
    Stage.SHORT: (),
    Stage.SENT: ("reorg", "drop"),
    Stage.CONFIRMED: ("reorg", "drop"),
}
TXID_SHOWN = 120
HEARD = 204  # to a wallet in the browser: its transaction is written down
REFUSED = 409  # to it: with a sentence why not, to be shown


def _own(request: MerchantRequest, pk: int) -> Refund:
    found = Refund.objects.select_related("invoice__merchant", "merchant", "approved_by", "sent_by", "credit_note")
    return get_object_or_404(found, merchant=request.merchant, pk=pk)


def _context(refund: Refund) -> dict[str, Any]:
    shown = paying(refund, now=clock.now())
    acts = ACTS.get(shown.stage, ()) if shown.is_in_sandbox else ()
    return {
        "nav": "refunds",
        "shown": shown,
        "refund": refund,
        "invoice": refund.invoice,
        "document": shown.document,
        "polling": json.dumps({"If-None-Match": shown.etag}),  # the browser then hands us the 304 instead of its cache
        "scenarios": {act: sandbox.REFUND_SCENARIOS[act] for act in acts},
    }


def _kept(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "private, no-store"
    return response


@needs("money")
@require_http_methods(READ_OR_POST)
def pay(request: MerchantRequest, pk: int) -> HttpResponse:
    refund = _own(request, pk)
    if request.method == "POST":
        return _named(request, refund)
    context = _context(refund)
    shown: Returning = context["shown"]
    if shown.stage not in ACTS:
        messages.info(request, _("Refund %(reference)s is not to be paid now.") % {"reference": refund.reference})
        return redirect("refund", request.merchant.slug, pk)
    return _kept(render(request, "payments/refund_pay.html", context))


def _named(request: MerchantRequest, refund: Refund) -> HttpResponse:
    """A member, or the wallet in their browser, says by which transaction it was paid. Who said so before is right again."""
    typed = request.POST.get("txid", "").strip()
    is_wallet = request.POST.get("way") == "wallet"
    if refund_desk.asset_of(refund) is None:
        words = _("What it goes out in is not served here any more, so its network cannot be asked about a transaction.")
        return _refused(request, refund, typed, words, is_wallet=is_wallet)
    txid = txids.spelt(refund.network, typed)
    if not txid:
        words = _("This is no transaction id. It stands in your wallet, at the payment’s details: copy all of it.")
        return _kept(render(request, "payments/refund_pay.html", _context(refund) | {"sent_txid": typed, "sent_error": words}, status=422))
    try:
        refunds.sent(refund, txid=txid, way=Refund.Way.WALLET if is_wallet else Refund.Way.PASTED, by=request.user, now=clock.now())
    except refunds.Refused as reason:
        refund.refresh_from_db(fields=["status", "txid"])
        if refund.txid != txid:
            return _refused(request, refund, txid, str(reason), is_wallet=is_wallet)
    return HttpResponse(status=HEARD) if is_wallet else redirect("refund_pay", request.merchant.slug, refund.pk)


def _refused(request: MerchantRequest, refund: Refund, txid: str, words: str, *, is_wallet: bool) -> HttpResponse:
    """The transaction is not written down. Whoever sent it has its id from us at least, also after a reload."""
    kept = _("The transaction %(txid)s is not noted on it. Write it down.") % {"txid": txid[:TXID_SHOWN]}
    messages.error(request, f"{words} {kept}" if txid else words)
    if is_wallet:
        return HttpResponse(words, status=REFUSED, content_type="text/plain; charset=utf-8")
    return redirect("refund", request.merchant.slug, refund.pk)


@needs("money")
@require_safe
def status(request: MerchantRequest, pk: int) -> HttpResponse:
    """The part of the page that lives, for polling; 304 while it says the same."""
    context = _context(_own(request, pk))
    shown: Returning = context["shown"]
    unchanged = get_conditional_response(request, etag=shown.etag)
    if unchanged is not None:
        return unchanged
    response = _kept(render(request, "payments/_refund_status.html", context))
    response["ETag"] = shown.etag
    return response


@needs("money")
@require_POST
def provoke(request: MerchantRequest, pk: int) -> HttpResponse:
    """The panel of test merchants: make the sandbox network do something."""
    refund = _own(request, pk)
    scenarios, act = _context(refund)["scenarios"], request.POST.get("act", "")
    if not scenarios:
        raise Http404
    if act not in scenarios:
        return HttpResponseBadRequest(_("The sandbox does not know this."), content_type="text/plain; charset=utf-8")
    try:
        txid = sandbox.provoke_refund(refund, act, now=clock.now())
    except sandbox.CannotProvoke as refusal:
        messages.error(request, str(refusal))
    else:
        told = {"what": str(sandbox.REFUND_SCENARIOS[act]), "txid": txid}
        if act == "part":
            messages.warning(
                request, _("On its way in the sandbox: %(what)s. Give its transaction id below to see what is said of it: %(txid)s") % told
            )
        else:
            messages.success(request, _("On its way in the sandbox: %(what)s.") % told)
    return redirect("refund_pay", request.merchant.slug, pk)
