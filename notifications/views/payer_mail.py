"""The payer's mail on the desk: seen before it is sent, and sent again."""

from __future__ import annotations

import base64
from datetime import datetime

from csp.decorators import csp
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_http_methods, require_safe

from invoicing import previewing
from invoicing.models import Invoice, Status
from merchants import clock
from merchants.access import MerchantRequest, needs
from notifications import outbox
from notifications.mail import emails
from notifications.models import Channel, Delivery
from notifications.views.mailbox import FRAME

TEMPLATE = {Status.OPEN: "issued", Status.PAID: "receipt", Status.VOID: "cancelled"}  # the mail that fits the state


def _own(request: MerchantRequest, pk: int) -> Invoice:
    invoice = get_object_or_404(Invoice, merchant=request.merchant, pk=pk)
    invoice.merchant = request.merchant
    return invoice


@needs("write")  # type: ignore[arg-type]
@require_safe
@never_cache
@xframe_options_sameorigin
@csp(FRAME)  # type: ignore[arg-type]
def preview(request: MerchantRequest, pk: int) -> HttpResponse:
    """The mail as the payer will get it, for the frame of `invoicing.views.preview`."""
    invoice, now = _own(request, pk), clock.now()
    if invoice.is_issued:
        return redirect("invoice", request.merchant.slug, pk)
    return framed(previewing.as_issued(invoice, now=now), now=now)


def framed(shown: Invoice, *, now: datetime) -> HttpResponse:
    """The HTML of the mail of what `previewing.as_issued` made, its logo inside it. Its view decides who may frame it."""
    letter = emails.preview(shown, now=now)
    logo = f"data:image/png;base64,{base64.b64encode(letter.logo).decode()}" if letter.logo else ""
    return HttpResponse(previewing.without_links(letter.html).replace("cid:logo", logo))


@needs("write")
@require_http_methods(["GET", "HEAD", "POST"])
def resend(request: MerchantRequest, pk: int) -> HttpResponse:
    """Send the payer the mail that fits the invoice now, once more: a new message, with its own event."""
    invoice, now = _own(request, pk), clock.now()
    template = TEMPLATE.get(Status(invoice.status))
    if template is None:
        messages.info(request, _("%(name)s has not been issued; nothing has been mailed yet.") % {"name": invoice.name})
        return redirect("invoice", request.merchant.slug, pk)
    mailed = Delivery.objects.filter(
        merchant=request.merchant, invoice=invoice, channel=Channel.EMAIL, template=template, recipient=invoice.mail_address
    )
    last = mailed.select_related("merchant", "invoice", "event", "endpoint").order_by("-id").first()
    if request.method != "POST":
        return render(request, "notifications/resend.html", _question(invoice, template, last) | {"now": now})
    if last is None and invoice.mail_to:
        return redirect("invoice_recipients", request.merchant.slug, pk)  # nothing has gone to the new address yet
    if last is None:
        messages.info(request, _("The first mail is still on its way. Look again in a minute."))
        return redirect("invoice", request.merchant.slug, pk)
    try:
        # Whoever presses this has read that it is past its due time, or it is not.
        outbox.again(last, by=request.user, now=now, force=template == "issued")
    except outbox.Refused as reason:
        messages.warning(request, str(reason))
    else:
        messages.success(request, _("It goes to %(email)s at once.") % {"email": invoice.mail_address})
    return redirect("invoice", request.merchant.slug, pk)


def _question(invoice: Invoice, template: str, last: Delivery | None) -> dict[str, object]:
    return {
        "nav": "invoices",
        "invoice": invoice,
        "template": template,
        "last": last,
        "is_settled": template == "issued" and invoice.due_minor == 0,  # nobody is asked again for what is confirming
    }
