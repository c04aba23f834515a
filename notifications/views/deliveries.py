"""Every webhook with its tries, one delivery, and sending it again."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from merchants import clock
from merchants.access import MerchantRequest, may, needs
from notifications import delivery_lists, outbox, queries
from notifications.models import Channel, Delivery
from notifications.views.developers import frame
from notifications.webhooks import endpoint_rows, endpoints, event_types
from notifications.webhooks.filters import DeliveryFilter


@needs("see")
@require_safe
def deliveries(request: MerchantRequest) -> HttpResponse:
    """The webhooks, the newest first."""
    now, found = clock.now(), list(endpoints.listed(request.merchant))
    asked, notices = DeliveryFilter.read(request.GET, endpoints=found)
    for notice in notices:
        messages.info(request, notice)
    page = delivery_lists.page(asked.apply(request.merchant), before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context = {
        **frame(request, "developers_deliveries", found),
        "now": now,
        "asked": asked,
        "chips": asked.chips(request.merchant),
        "endpoints": found,
        "groups": event_types.groups(),
        "rows": [queries.row(delivery, now) for delivery in page.rows],
        "newer": "?" + asked.to_query(after=page.newer) if page.newer else "",
        "older": "?" + asked.to_query(before=page.older) if page.older else "",
        "is_new": not page.rows and not asked.is_narrowed and not request.GET.get("before"),
    }
    return render(request, "notifications/deliveries.html", context)


@needs("see")
@require_safe
def delivery(request: MerchantRequest, pk: int) -> HttpResponse:
    """One email or webhook, with its tries."""
    now = clock.now()
    found = get_object_or_404(queries.deliveries_of(request.merchant), pk=pk)
    context = {
        "nav": "developers",
        "row": queries.row(found, now),
        "is_webhook": found.channel == Channel.WEBHOOK,
        "writes": may(request.membership, "write"),
        "now": now,
    }
    return render(request, "notifications/delivery.html", context)


@needs("write")
@require_POST
def again(request: MerchantRequest, pk: int) -> HttpResponse:
    """Send it again as a new message; what still waits goes at once instead."""
    found = get_object_or_404(Delivery, merchant=request.merchant, pk=pk)
    if found.template == "invitation":
        messages.error(request, _("An owner sends an invitation again, on the team’s page."))
        return redirect("delivery", request.merchant.slug, pk)
    try:
        sent = outbox.again(found, by=request.user, now=clock.now(), force=request.POST.get("force") == "1")
    except outbox.Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("delivery", request.merchant.slug, pk)
    messages.success(request, _how_soon(sent))
    return redirect("delivery", request.merchant.slug, sent.pk)


def _how_soon(sent: Delivery) -> str:
    state = endpoint_rows.state_of(sent.endpoint, now=clock.now()) if sent.endpoint else ""
    waits = {"paused": _("It waits: its endpoint is paused."), "blocked": _("It waits: its endpoint did not answer, and is left alone for a while.")}
    return waits.get(state) or _("It goes out at once.")
