"""Every mail of the merchant, and each as it left: what, to whom, how it went, and once more."""

from __future__ import annotations

from csp.constants import SELF
from csp.decorators import csp, csp_update
from django.contrib import messages as told
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST, require_safe

from invoicing.timeline import mail_name
from merchants import clock
from merchants.access import MerchantRequest, may, needs
from notifications import delivery_lists, outbox, queries
from notifications.mail import copies, recipients
from notifications.mail.filters import MailFilter
from notifications.mail.wordings import TESTED
from notifications.models import Channel, Delivery
from notifications.plans import TO_PAYERS
from notifications.views.mailbox import FRAME


@needs("see")
@require_safe
def messages(request: MerchantRequest) -> HttpResponse:
    now, asked = clock.now(), MailFilter.read(request.GET)
    page = delivery_lists.page(asked.apply(request.merchant), before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context = {
        "nav": "messages",
        "asked": asked,
        "chips": asked.chips(request.merchant),
        "rows": [(queries.row(mail, now), mail_name(mail.template), mail.event.kind == TESTED) for mail in page.rows],
        "newer": "?" + asked.to_query(after=page.newer) if page.newer else "",
        "older": "?" + asked.to_query(before=page.older) if page.older else "",
        "kind_word": mail_name(asked.kind) if asked.kind else "",
        "is_new": not page.rows and not asked.is_narrowed and not request.GET.get("before"),
    }
    return render(request, "notifications/messages.html", context)


@needs("see")  # type: ignore[arg-type]
@require_safe
@never_cache
@csp_update({"frame-src": [SELF]})  # type: ignore[arg-type]
def message(request: MerchantRequest, pk: int) -> HttpResponse:
    """One mail, with its tries, as it left or as it would leave now."""
    now, mail = clock.now(), _own(request, pk)
    shown, hidden = _shown(mail)
    to, cc = recipients.visible(mail)
    context = {
        "nav": "messages",
        "now": now,
        "row": queries.row(mail, now),
        "what": mail_name(mail.template),
        "shown": shown,
        "hidden": hidden,
        "to": to,
        "cc": cc,
        "is_trial": mail.event.kind == TESTED,
        "is_to_payer": mail.template in TO_PAYERS and mail.invoice_id,
        "writes": may(request.membership, "write") and mail.template not in copies.SECRET,
    }
    return render(request, "notifications/message.html", context)


@needs("see")  # type: ignore[arg-type]
@require_safe
@never_cache
@xframe_options_sameorigin
@csp(FRAME)  # type: ignore[arg-type]
def mail(request: MerchantRequest, pk: int) -> HttpResponse:
    """The HTML of the mail, for the frame of `message`."""
    shown, _hidden = _shown(_own(request, pk))
    if shown is None:
        raise Http404
    return HttpResponse(shown.html)


@needs("write")
@require_POST
def again(request: MerchantRequest, pk: int) -> HttpResponse:
    """Send it again as a new message; what still waits goes at once instead."""
    mail = _own(request, pk)
    if mail.template in copies.SECRET:
        told.error(request, _("An owner sends an invitation again, on the team’s page."))
        return redirect("message", request.merchant.slug, pk)
    try:
        sent = outbox.again(mail, by=request.user, now=clock.now(), force=request.POST.get("force") == "1")
    except outbox.Refused as refusal:
        told.error(request, str(refusal))
        return redirect("message", request.merchant.slug, pk)
    told.success(request, _("It goes to %(email)s at once.") % {"email": sent.recipient})
    return redirect("message", request.merchant.slug, sent.pk)


def _own(request: MerchantRequest, pk: int) -> Delivery:
    return get_object_or_404(queries.deliveries_of(request.merchant), channel=Channel.EMAIL, pk=pk)


def _shown(mail: Delivery) -> tuple[copies.Shown | None, str]:
    """The mail, or why there is nothing to show."""
    try:
        return copies.shown(mail, clock.now()), ""
    except copies.Hidden as hidden:
        return None, str(hidden)
