"""The first page: the few figures that matter, what needs a hand, and the first steps of a new business."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from invoicing import attention, queries
from invoicing.models import Invoice, Status
from merchants import clock
from merchants.access import MerchantRequest, may, needs

SHORT = 5


@needs("see")
@require_safe
def overview(request: MerchantRequest) -> HttpResponse:
    now = clock.now()
    mine = Invoice.objects.filter(merchant=request.merchant)
    latest = list(mine.order_by("-id")[:SHORT])
    context = {
        "nav": "overview",
        "now": now,
        "month_before": queries.month_starts(now, request.merchant.time_zone)[1],
        "sums": queries.overview_sums(request.merchant, now),
        "matters": attention.matters(request.merchant, now),
        "latest": latest,
        "going_out": mine.filter(status=Status.SCHEDULED).order_by("issue_at", "id")[:SHORT],
        "first_name": request.user.display_name.split()[0],
        "is_new": not latest,
        "may_write": may(request.membership, "write"),
        "may_profile": may(request.membership, "profile"),
    }
    return render(request, "invoicing/overview.html", context)
