"""What members do to a refund: each act has a page that asks first, and says what will happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.views.decorators.http import require_http_methods

from merchants import clock
from merchants.access import MerchantRequest, needs
from merchants.models import User
from payments import approvals, claims, refund_desk, refunds, shares
from payments.forms_refunds import AddressForm, WhyForm
from payments.models import Refund
from payments.views.refunds import READ_OR_POST, own, page_of

Words = str | Promise


@dataclass(frozen=True)
class Ask:
    """One act: its move, what the page says, and the door. %(payer)s, %(money)s and %(reference)s stand in the words."""

    event: str
    heading: Words
    question: Words
    says: Words
    keep: Words
    press: Words
    busy: Words
    done: Words
    door: Callable[[Refund, str, User, datetime], Any]
    wants_why: bool = False
    is_danger: bool = False


ASKS: dict[str, Ask] = {
    "reject": Ask(
        "refund.rejected",
        _l("Reject"),
        _l("Reject the refund of %(money)s?"),
        _l("Nothing is sent. %(payer)s is mailed that it is not paid, with your reason. The money counts on the invoice as before."),
        _l("Not now"),
        _l("Reject it and tell them"),
        _l("Rejecting…"),
        _l("Rejected. %(payer)s is told."),
        lambda refund, why, by, now: refunds.reject(refund, why=why, by=by, now=now),
        wants_why=True,
        is_danger=True,
    ),
    "cancel": Ask(
        "refund.cancelled",
        _l("Cancel the refund"),
        _l("Cancel the refund of %(money)s?"),
        _l("Nothing is sent. %(payer)s is mailed that it does not come, with your reason. The money counts on the invoice as before."),
        _l("Keep it"),
        _l("Cancel it and tell them"),
        _l("Cancelling…"),
        _l("Cancelled. %(payer)s is told."),
        lambda refund, why, by, now: refunds.cancel(refund, why=why, by=by, now=now),
        wants_why=True,
        is_danger=True,
    ),
    "failed": Ask(
        "refund.failed",
        _l("Give it up"),
        _l("Give up on the refund of %(money)s?"),
        _l(
            "Only when its transaction can never arrive: if it does arrive, the payer has the money, and this page does not know."
            " %(payer)s is mailed your reason. The money can be refunded anew."
        ),
        _l("Keep waiting"),
        _l("Give it up and tell them"),
        _l("One moment…"),
        _l("Given up. %(payer)s is told."),
        lambda refund, why, by, now: refunds.fail(refund, why=why, by=by, now=now),
        wants_why=True,
        is_danger=True,
    ),
    "renew": Ask(
        "refund.renewed",
        _l("New link"),
        _l("Mail %(payer)s a new link?"),
        _l("It opens for 30 days and asks where the money goes. The link before it opens nothing more."),
        _l("Not now"),
        _l("Mail a new link"),
        _l("One moment…"),
        _l("%(payer)s is mailed a new link."),
        lambda refund, _why, by, now: refunds.renew(refund, by=by, now=now),
    ),
    "restart": Ask(
        "refund.restarted",
        _l("Another address"),
        _l("Ask %(payer)s for another address?"),
        _l("The address given so far is dropped, and an approval with it. %(payer)s is mailed a new link."),
        _l("Keep the address"),
        _l("Ask for another address"),
        _l("One moment…"),
        _l("%(payer)s is asked for another address."),
        lambda refund, _why, by, now: refunds.restart(refund, by=by, now=now),
    ),
    "unsent": Ask(
        "refund.unsent",
        _l("Not this transaction"),
        _l("Take this transaction off the refund?"),
        _l("The refund is to be paid again, and this transaction is never taken for it. If it did pay %(payer)s, they would be paid twice."),
        _l("Leave it"),
        _l("Take it off"),
        _l("One moment…"),
        _l("Taken off. The refund is to be paid."),
        lambda refund, _why, by, now: refunds.unsent(refund, by=by, now=now),
        is_danger=True,
    ),
}


@needs("money")
@require_http_methods(READ_OR_POST)
def ask(request: MerchantRequest, pk: int, act: str) -> HttpResponse:
    """One of ASKS: GET asks, POST does it."""
    refund, what = own(request, pk), ASKS[act]
    if (closed := _closed(request, refund, what.event)) is not None:
        return closed
    names = refund_desk.names(refund)
    form = WhyForm(request.POST if request.method == "POST" else None) if what.wants_why else None
    if request.method == "POST" and (form is None or form.is_valid()):
        why = form.cleaned_data["why"] if form is not None else ""
        done = str(what.done) % names
        return _do(request, refund, lambda: what.door(refund, why, request.user, clock.now()), done)
    words = {name: str(getattr(what, name)) % names for name in ("heading", "question", "says", "keep", "press", "busy")}
    return _page(request, refund, "payments/refund_ask.html", form, ask=what, words=words)


@needs("money")
@require_http_methods(READ_OR_POST)
def approve(request: MerchantRequest, pk: int) -> HttpResponse:
    refund, now = own(request, pk), clock.now()
    if (closed := _closed(request, refund, "refund.approved")) is not None:
        return closed
    if request.method == "POST":
        text = request.POST.get("version", "")
        version = int(text) if text.isdecimal() and len(text) < 9 else 0
        return _do(request, refund, lambda: refunds.approve(refund, by=request.user, version=version, now=now), _("Approved. Now it is to be paid."))
    objection = approvals.objection(refund, request.user, now=now)
    is_short = shares.is_short(refund, refund.invoice)
    return _page(
        request, refund, "payments/refund_approve.html", objection=objection, is_short=is_short, about=refund_desk.about_units(refund, now=now)
    )


@needs("money")
@require_http_methods(READ_OR_POST)
def address(request: MerchantRequest, pk: int) -> HttpResponse:
    """The address that the payer gave elsewhere, written down by a member."""
    refund, now = own(request, pk), clock.now()
    if (closed := _closed(request, refund, "refund.claimed")) is not None:
        return closed
    form = AddressForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            claims.enter(refund, address=form.cleaned_data["address"], by=request.user, now=now)
        except claims.SecretGiven as secret:
            form = AddressForm({"address": ""})  # what was typed is not shown again
            form.errors["address"] = form.error_class([str(secret)])
        except claims.CannotClaim as reason:
            form.add_error("address", str(reason))
        except refunds.Refused as reason:
            messages.warning(request, str(reason))
            return page_of(request, refund)
        else:
            messages.success(request, _("Noted. %(payer)s is told where it goes.") % {"payer": refund.invoice.payer_name})
            return page_of(request, refund)
    above = approvals.Limit(refund.merchant, now=now).is_above(refund)
    return _page(request, refund, "payments/refund_address.html", form, limit=approvals.limit_words(refund.merchant) if above else "")


def _closed(request: MerchantRequest, refund: Refund, event: str) -> HttpResponse | None:
    """Back to the refund, with the reason, when this does not go with it now."""
    if Refund.State(refund.status) in refunds.MOVES[event]:
        return None
    messages.info(request, refunds.refusal(refund, event))
    return page_of(request, refund)


def _do(request: MerchantRequest, refund: Refund, door: Callable[[], Any], done: str) -> HttpResponse:
    try:
        door()
    except refunds.Refused as reason:
        messages.warning(request, str(reason))
    else:
        messages.success(request, done)
    return page_of(request, refund)


def _page(request: MerchantRequest, refund: Refund, template: str, form: forms.Form | None = None, **more: Any) -> HttpResponse:
    context = {"nav": "refunds", "refund": refund, "invoice": refund.invoice, "asset": refund_desk.asset_of(refund), "form": form, **more}
    return render(request, template, context, status=422 if form is not None and form.errors else 200)
