"""Writing a recurring schedule: the page of an invoice, with the choice of Recurring."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from invoicing.forms import RECURRING, Entry
from invoicing.views import form
from invoicing.views.scope import own, own_schedule
from merchants import clock
from merchants.access import MerchantRequest, needs

READ_OR_POST = ["GET", "HEAD", "POST"]


@needs("write")
@require_http_methods(READ_OR_POST)
def new(request: MerchantRequest) -> HttpResponse:
    """A new page, filled from the invoice of `?from=` if there is one."""
    if request.method == "POST":
        return form.posted(request, kind=RECURRING)
    pk = form.key(request, "from")
    source = own(request, pk) if pk else None
    return form.show(request, Entry(request.merchant, now=clock.now(), source=source, kind=RECURRING))


@needs("write")
@require_http_methods(READ_OR_POST)
def edit(request: MerchantRequest, pk: int) -> HttpResponse:
    try:
        schedule = own_schedule(request, pk)
    except Http404:
        return form.deleted(request, pk, kind=RECURRING, subject="schedule")
    if request.method == "POST":
        return form.posted(request, schedule=schedule)
    if not schedule.is_editable:
        messages.info(request, _("%(name)s has ended; it can no longer be changed. Duplicate it.") % {"name": schedule.name})
        return redirect("schedule", request.merchant.slug, pk)
    return form.again(request, Entry(request.merchant, now=clock.now(), schedule=schedule))
