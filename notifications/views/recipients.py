"""Where the mails of an issued invoice go."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from invoicing import payers
from invoicing.forms.copies import written
from invoicing.models import Invoice, Status
from merchants import clock
from merchants.access import MerchantRequest, needs
from notifications.mail import recipients
from notifications.mail.forms import RecipientsForm


@needs("write")
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: MerchantRequest, pk: int) -> HttpResponse:
    """Change the addresses after the invoice was issued. The document stays as it is."""
    invoice = get_object_or_404(Invoice.objects.select_related("payer"), merchant=request.merchant, pk=pk)
    invoice.merchant = request.merchant
    if not invoice.is_issued:
        messages.info(request, _("%(name)s has not been issued; edit it instead.") % {"name": invoice.name})
        return redirect("invoice", request.merchant.slug, pk)
    form = RecipientsForm(
        request.POST if request.method == "POST" else None,
        initial={"main": invoice.mail_address, "mail_now": invoice.status != "void", **written(invoice.mail_copies)},
    )
    if not form.is_valid():
        context = {"nav": "invoices", "invoice": invoice, "form": form, "template": recipients.FITTING[Status(invoice.status)]}
        return render(request, "notifications/recipients.html", context, status=422 if form.errors else 200)
    return _changed(request, invoice, form)


def _changed(request: MerchantRequest, invoice: Invoice, form: RecipientsForm) -> HttpResponse:
    typed, now = form.cleaned_data, clock.now()
    told = recipients.change(invoice, main=typed["main"], copies=typed["mail_copies"], mail_now=typed["mail_now"], by=request.user, now=now)
    if typed["keep"] and invoice.payer is not None:
        try:
            payers.change(invoice.payer, values={"email": typed["main"], "mail_copies": invoice.mail_copies}, by=request.user, now=now)
        except payers.AlreadyThere as reason:
            messages.warning(request, str(reason))
    if told is None:
        messages.info(request, _("Nothing was changed."))
    elif not told:
        messages.success(request, _("Saved. It holds for the mails from now on."))
    else:
        words = ngettext("Saved. It goes to %(first)s at once.", "Saved. It goes to %(count)d addresses at once.", len(told))
        messages.success(request, words % {"first": told[0], "count": len(told)})
    return redirect("invoice", request.merchant.slug, invoice.pk)
