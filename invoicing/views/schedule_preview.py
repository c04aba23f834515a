"""The next invoice of a schedule before it is sent: the page, the mail and the PDF as the payer will get them."""

from __future__ import annotations

from csp.constants import SELF
from csp.decorators import csp, csp_replace, csp_update
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from invoicing import occurrences, previewing, schedules
from invoicing.models import Invoice, Schedule, ScheduleStatus
from invoicing.views.preview import PAGE_FRAME, PDF_FRAME, printed, shell
from invoicing.views.scope import own_schedule
from merchants import clock
from merchants.access import MerchantRequest, needs


def next_invoice(schedule: Schedule) -> Invoice | None:
    """The next invoice, unsaved, with its lines and files; None when nothing is coming."""
    dates = occurrences.coming(schedule, most=1)
    if not dates:
        return None
    invoice, lines = occurrences.unsaved(schedule, dates[0].k, sent_at=dates[0].planned_at)
    return previewing.holding(invoice, lines=lines, attachments=schedule.attachments.all())


def as_sent(request: MerchantRequest, pk: int) -> Invoice | None:
    """The next invoice as it will be issued; None when nothing is coming."""
    found = next_invoice(own_schedule(request, pk))
    return previewing.as_issued(found, now=clock.now()) if found else None


@needs("write")  # type: ignore[arg-type]
@require_safe
@never_cache
@csp_update({"frame-src": [SELF]})  # type: ignore[arg-type]
def preview(request: MerchantRequest, pk: int) -> HttpResponse:
    schedule, now = own_schedule(request, pk), clock.now()
    shown, args = next_invoice(schedule), [request.merchant.slug, pk]
    if shown is None:
        messages.info(request, _("Nothing is coming, so there is nothing to preview."))
        return redirect("schedule", *args)
    is_draft = schedule.status == ScheduleStatus.DRAFT
    names = {"page": "schedule_preview_page", "email": "schedule_preview_mail", "pdf": "schedule_preview_pdf"}
    context = {
        "nav": "schedules",
        "back": reverse("schedule", args=args),
        "edit": reverse("schedule_edit", args=args),
        "publish": reverse("schedule_publish", args=args) if is_draft else "",
        "blockers": schedules.blockers(schedule, now) if is_draft else [],
        "now": now,
    }
    return shell(request, shown=shown, frames={show: reverse(name, args=args) for show, name in names.items()}, context=context)


@needs("write")  # type: ignore[arg-type]
@require_safe
@never_cache
@xframe_options_sameorigin
@csp_replace(PAGE_FRAME)  # type: ignore[arg-type]
def page(request: MerchantRequest, pk: int) -> HttpResponse:
    shown = as_sent(request, pk)
    return HttpResponse(previewing.page(shown, request=request)) if shown else redirect("schedule", request.merchant.slug, pk)


@needs("write")  # type: ignore[arg-type]
@require_safe
@never_cache
@xframe_options_sameorigin
@csp(PDF_FRAME)  # type: ignore[arg-type]
def paper(request: MerchantRequest, pk: int) -> HttpResponse:
    shown = as_sent(request, pk)
    return printed(request, shown) if shown else redirect("schedule", request.merchant.slug, pk)
