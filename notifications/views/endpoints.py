"""One endpoint: its page, and what an owner does with it, freshly signed in. Tests and resends are any writer's."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from merchants import clock, moments
from merchants.access import MerchantRequest, may, needs
from merchants.views import fresh
from notifications import queries
from notifications.models import Delivery, Endpoint
from notifications.webhooks import endpoint_rows, endpoints, once, signing
from notifications.webhooks.forms import EndpointForm, RangeForm, TestForm

READ_OR_POST = ["GET", "HEAD", "POST"]
LATEST = 5  # deliveries on the page


def _own(request: MerchantRequest, pk: int) -> Endpoint:
    """The endpoint `pk` of the merchant in the path; anybody else's, and one that was removed, is a 404."""
    try:
        return endpoints.get(request.merchant, pk)
    except Endpoint.DoesNotExist:
        raise Http404 from None


def _name(endpoint: Endpoint) -> str:
    return f"endpoint:{endpoint.pk}"


@needs("see")
@require_safe
@never_cache
def endpoint(request: MerchantRequest, pk: int) -> HttpResponse:
    now, found = clock.now(), _own(request, pk)
    old = signing.old_ones(found, now=now)
    latest = queries.deliveries_of(request.merchant).filter(endpoint=found).order_by("-id")[:LATEST]
    context = {
        "nav": "developers",
        "row": endpoint_rows.row(found, now=now),
        "endpoint": found,
        "secret": once.shown(request, _name(found)),
        "waiting": endpoint_rows.waiting(found),
        "old_secrets": len(old),
        "old_until": datetime.fromisoformat(old[0]["until"]) if old else None,
        "rows": [queries.row(delivery, now) for delivery in latest],
        "owns": may(request.membership, "own"),
        "writes": may(request.membership, "write"),
        "now": now,
    }
    return render(request, "notifications/endpoint.html", context)


# --- adding and changing ----------------------------------------------------------------------------------------------
@needs("own")
@require_http_methods(READ_OR_POST)
def add(request: MerchantRequest) -> HttpResponse:
    if held_up := fresh.sign_in_again(request, back=request.path, keep=EndpointForm.typed):
        return held_up
    if request.method != "POST":
        return _form(request, EndpointForm(merchant=request.merchant, initial=fresh.typed(request, at=request.path)))
    form = EndpointForm(request.POST, merchant=request.merchant)
    if not form.is_valid():
        return _form(request, form)
    told = {name: form.cleaned_data[name] for name in ("url", "description", "kinds", "format")}
    try:
        made, plain = endpoints.add(request.merchant, **told, by=request.user, now=clock.now())
    except endpoints.Refused as refusal:
        form.add_error(None, str(refusal))
        return _form(request, form)
    once.keep(request, _name(made), plain)
    messages.success(request, _("Added. Webhooks go to it from now on; every owner is mailed."))
    return redirect("endpoint", request.merchant.slug, made.pk)


@needs("own")
@require_http_methods(READ_OR_POST)
def change(request: MerchantRequest, pk: int) -> HttpResponse:
    found = _own(request, pk)
    if held_up := fresh.sign_in_again(request, back=request.path, keep=EndpointForm.typed):
        return held_up
    if request.method != "POST":
        return _form(request, EndpointForm(merchant=request.merchant, of=found, initial=fresh.typed(request, at=request.path)), found)
    form = EndpointForm(request.POST, merchant=request.merchant, of=found)
    if not form.is_valid():
        return _form(request, form, found)
    told = {name: form.cleaned_data[name] for name in ("url", "description", "kinds")}
    changed = endpoints.change(found, **told, by=request.user, now=clock.now())
    messages.success(request, _("Saved.") if changed else _("Nothing was changed."))
    return redirect("endpoint", request.merchant.slug, pk)


def _form(request: MerchantRequest, form: EndpointForm, found: Endpoint | None = None) -> HttpResponse:
    context = {"nav": "developers", "form": form, "endpoint": found}
    return render(request, "notifications/endpoint_form.html", context, status=422 if form.errors else 200)


# --- what is asked before it is done ----------------------------------------------------------------------------------
@needs("own")
@require_http_methods(READ_OR_POST)
def secret(request: MerchantRequest, pk: int) -> HttpResponse:
    """A new secret, shown once on the endpoint's page."""
    found = _own(request, pk)
    if held_up := fresh.sign_in_again(request, back=request.path):
        return held_up
    row = endpoint_rows.row(found, now=clock.now())
    if request.method != "POST":
        return render(request, "notifications/endpoint_secret.html", {"nav": "developers", "endpoint": found, "row": row})
    once.keep(request, _name(found), endpoints.rotate_secret(found, by=request.user, now=clock.now()))
    if row.is_rotating:
        messages.success(request, _("This is the new secret. The old one signs beside it for 24 hours."))
    else:
        messages.success(request, _("This is the new secret. It signs from now on."))
    return redirect("endpoint", request.merchant.slug, pk)


@needs("own")
@require_POST
def pause(request: MerchantRequest, pk: int) -> HttpResponse:
    found, here = _own(request, pk), reverse("endpoint", args=[request.merchant.slug, pk])
    if held_up := fresh.sign_in_again(request, back=here):
        return held_up
    if endpoints.pause(found, by=request.user, now=clock.now()):
        messages.success(request, _("Paused. What is made for it waits until you let it go on."))
    else:
        messages.info(request, _("It was paused already."))
    return redirect(here)


@needs("own")
@require_POST
def resume(request: MerchantRequest, pk: int) -> HttpResponse:
    found, here = _own(request, pk), reverse("endpoint", args=[request.merchant.slug, pk])
    if held_up := fresh.sign_in_again(request, back=here):
        return held_up
    if endpoints.resume(found, by=request.user, now=clock.now()):
        messages.success(request, _("It goes on. What waited goes out now."))
    else:
        messages.info(request, _("It was not paused."))
    return redirect(here)


@needs("own")
@require_http_methods(READ_OR_POST)
def disable(request: MerchantRequest, pk: int) -> HttpResponse:
    found = _own(request, pk)
    if held_up := fresh.sign_in_again(request, back=request.path):
        return held_up
    if request.method != "POST":
        context = {"nav": "developers", "endpoint": found, "waiting": endpoint_rows.waiting(found)}
        return render(request, "notifications/endpoint_disable.html", context)
    if endpoints.disable(found, reason="", by=request.user, now=clock.now()):
        messages.success(request, _("Switched off. Nothing is made for it until you switch it on again."))
    else:
        messages.info(request, _("It was switched off already."))
    return redirect("endpoint", request.merchant.slug, pk)


@needs("own")
@require_http_methods(READ_OR_POST)
def enable(request: MerchantRequest, pk: int) -> HttpResponse:
    """Switch it on, and send what it missed."""
    found = _own(request, pk)
    if held_up := fresh.sign_in_again(request, back=request.path):
        return held_up
    if request.method != "POST":
        row = endpoint_rows.row(found, now=clock.now())
        context = {"nav": "developers", "endpoint": found, "row": row, "missed": endpoints.missed(found)}
        return render(request, "notifications/endpoint_enable.html", context)
    count = endpoints.enable(found, by=request.user, now=clock.now())
    said = ngettext("Switched on. %(count)s event that it missed goes out now.", "Switched on. %(count)s events that it missed go out now.", count)
    messages.success(request, said % {"count": count} if count else _("Switched on. It missed nothing."))
    return redirect("endpoint", request.merchant.slug, pk)


@needs("own")
@require_http_methods(READ_OR_POST)
def remove(request: MerchantRequest, pk: int) -> HttpResponse:
    found = _own(request, pk)
    if held_up := fresh.sign_in_again(request, back=request.path):
        return held_up
    if request.method != "POST":
        context = {"nav": "developers", "endpoint": found, "waiting": endpoint_rows.waiting(found)}
        return render(request, "notifications/endpoint_remove.html", context)
    endpoints.remove(found, by=request.user, now=clock.now())
    messages.success(request, _("Removed. What was sent to it stays in the list of deliveries."))
    return redirect("developers", request.merchant.slug)


# --- sending ----------------------------------------------------------------------------------------------------------
@needs("write")
@require_http_methods(READ_OR_POST)
def test(request: MerchantRequest, pk: int) -> HttpResponse:
    """An example of any type."""
    found = _own(request, pk)
    form = TestForm(request.POST if request.method == "POST" else None, of=found)
    if not form.is_valid():
        context = {"nav": "developers", "endpoint": found, "form": form}
        return render(request, "notifications/endpoint_test.html", context, status=422 if form.errors else 200)
    try:
        sent: Delivery = endpoints.test(found, kind=form.cleaned_data["kind"], by=request.user, now=clock.now())
    except endpoints.Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("endpoint", request.merchant.slug, pk)
    waits = _("The test waits: its endpoint is paused.") if found.paused_at else ""
    messages.success(request, waits or _("The test goes out at once. Its answer appears here."))
    return redirect("delivery", request.merchant.slug, sent.pk)


@needs("write")
@require_http_methods(READ_OR_POST)
def resend_range(request: MerchantRequest, pk: int) -> HttpResponse:
    """Days of the past, sent again: first how many, then the press."""
    found, now, zone = _own(request, pk), clock.now(), request.merchant.time_zone
    data = request.POST if request.method == "POST" else request.GET if "since" in request.GET else None
    form = RangeForm(data, today=moments.local(now, zone).date(), zone=zone)
    if not form.is_valid():
        return _range(request, found, form, None)
    since, until = form.span
    if request.method != "POST":
        return _range(request, found, form, endpoints.count_range(found, since=since, until=until, only_failed=form.only_failed))
    try:
        count = endpoints.resend_range(found, since=since, until=until, only_failed=form.only_failed, by=request.user, now=now)
    except endpoints.Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("endpoint", request.merchant.slug, pk)
    messages.success(request, ngettext("%(count)s webhook goes out again.", "%(count)s webhooks go out again.", count) % {"count": count})
    return redirect(reverse("developers_deliveries", args=[request.merchant.slug]) + f"?endpoint={pk}")


def _range(request: MerchantRequest, found: Endpoint, form: RangeForm, count: int | None) -> HttpResponse:
    context = {
        "nav": "developers",
        "endpoint": found,
        "form": form,
        "count": count,
        "host": endpoint_rows.host(found),
        "most": endpoints.MOST_CAUGHT_UP,
    }
    return render(request, "notifications/endpoint_resend_range.html", context, status=422 if form.errors else 200)
