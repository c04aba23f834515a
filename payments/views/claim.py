"""The payer's pages about a refund, each behind a link that was mailed: where the money is to go, and what became of it.

GET shows. An address is taken by a POST, and fixed by another one from the page of a second mail. The links open for their
nonces alone and are stored nowhere; what is said here is in the language of the invoice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from invoicing import pdf
from invoicing.snapshot import document
from invoicing.views.public import for_payers
from merchants import clock, languages
from payments import claims, refunds
from payments.forms_claim import ClaimForm
from payments.models import Refund
from payments.returning import Stage, returning

READ_OR_POST = ["GET", "HEAD", "POST"]
RESTARTED, RENEWED = "restarted", "renewed"


def _gone(request: HttpRequest, token: str) -> HttpResponse:
    """A link that is not whole, or that a newer one has replaced; of the latter, whom to ask."""
    invoice = claims.sender_of(token)
    if invoice is None:
        return render(request, "payments/claim_gone.html", status=404)
    languages.speak(invoice.language)
    return render(request, "payments/claim_replaced.html", {"invoice": invoice, "document": document(invoice)}, status=410)


def by_token(view: Callable[[HttpRequest, Refund, str], HttpResponse]) -> Callable[..., HttpResponse]:
    """The refund behind a payer's link, in the payer's language."""

    @wraps(view)
    def shown(request: HttpRequest, token: str) -> HttpResponse:
        refund = claims.read_token(token)
        if refund is None:
            return _gone(request, token)
        languages.speak(refund.invoice.language)
        return view(request, refund, token)

    return shown


def _page(request: HttpRequest, refund: Refund, token: str, *, form: ClaimForm | None = None, status: int = 200) -> HttpResponse:
    shown = returning(refund, now=clock.now())
    context: dict[str, Any] = {"shown": shown, "refund": refund, "invoice": refund.invoice, "document": shown.document, "token": token}
    context["form"] = form or ClaimForm(refund=refund)
    return render(request, "payments/claim.html", context, status=status)


@sensitive_post_parameters("address", "last")
@require_http_methods(READ_OR_POST)
@for_payers
@by_token
def claim(request: HttpRequest, refund: Refund, token: str) -> HttpResponse:
    """Where the refund stands; while an address is wanted, the form for it."""
    now = clock.now()
    if request.method != "POST" or not claims.is_open(refund, now):
        return _page(request, refund, token)
    form = ClaimForm(request.POST, refund=refund)
    if not form.is_valid():
        return _page(request, refund, token, form=form, status=422)
    try:
        claims.offer(refund, address=form.cleaned_data["address"], last=form.cleaned_data["last"], now=now)
    except claims.OtherEnding as reason:
        form.add_error("last", str(reason))
        return _page(request, refund, token, form=form, status=422)
    except claims.CannotClaim as reason:
        messages.error(request, str(reason))
    return redirect("refund_claim", token)


@require_POST
@for_payers
@by_token
def again(request: HttpRequest, refund: Refund, token: str) -> HttpResponse:
    """Another address until it is approved, or another link when the one before has ended: a new one is mailed, and this one opens
    nothing more."""
    now = clock.now()
    try:
        if refund.status == Refund.State.CLAIMED:
            refunds.restart(refund, by=None, now=now)
            did = RESTARTED
        elif returning(refund, now=now).stage is Stage.LAPSED:
            refunds.renew(refund, by=None, now=now)
            did = RENEWED
        else:
            if refund.status == Refund.State.APPROVED:
                words = _("%(name)s has approved your refund and may be sending it now. If the address is wrong, write to them at once.")
                messages.error(request, words % {"name": document(refund.invoice).sender.name})
            return redirect("refund_claim", token)
    except refunds.Refused:
        messages.error(request, _("That cannot be done any more. Look at where your refund stands, or write to us."))
        return redirect("refund_claim", token)
    context = {"invoice": refund.invoice, "document": document(refund.invoice), "refund": refund, "did": did}
    return render(request, "payments/claim_mailed.html", context)


@require_safe
@for_payers
@by_token
def note(request: HttpRequest, refund: Refund, token: str) -> HttpResponse:
    """The credit note of a refund, while it holds."""
    shown = returning(refund, now=clock.now())
    if shown.note is None:
        raise Http404
    try:
        content = pdf.content(pdf.ensure_note(shown.note.pk, now=clock.now()))
    except pdf.NotMade as reason:
        context = {"invoice": refund.invoice, "document": shown.document, "reason": str(reason), "again": request.path}
        return render(request, "invoicing/public/not_made.html", context, status=503)
    return HttpResponse(content, content_type="application/pdf", headers={"Content-Disposition": f'attachment; filename="{shown.note.number}.pdf"'})


@require_http_methods(READ_OR_POST)
@for_payers
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """The page of the second mail: the address once more, to be confirmed. Looking fixes nothing."""
    found = claims.read_confirm(token)
    if found is None:
        return _gone(request, token)
    refund, now = found.refund, clock.now()
    onwards = reverse("refund_claim", args=[claims.link_token(refund)])
    languages.speak(refund.invoice.language)
    if request.method == "POST":
        try:
            claims.confirm(found, now=now)
        except claims.CannotClaim as reason:
            messages.error(request, str(reason))
            return redirect("refund_confirm", token)
        return redirect(onwards)
    if found.confirmed_at is not None and found.for_nonce == refund.nonce:
        return redirect(onwards)
    shown = returning(refund, now=now)
    context = {"claim": found, "shown": shown, "refund": refund, "invoice": refund.invoice, "document": shown.document, "token": token}
    if not claims.stands(found, now):
        return render(request, "payments/claim_replaced.html", context, status=410)
    return render(request, "payments/claim_confirm.html", context)
