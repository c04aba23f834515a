"""Developers: App ID, endpoint, secret, and every webhook with its tries."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from merchants import clock, secrets
from merchants.access import MerchantRequest, may, needs
from merchants.views.fresh import sign_in_again
from notifications import endpoints, outbox, queries
from notifications.forms import EndpointForm
from notifications.models import Delivery, Endpoint

ONCE = "webhook_secret_once"  # in the session: shown on the next page, then gone
TYPED = "webhook_url_typed"  # kept over the fresh sign-in


@needs("see")
@require_safe
@never_cache
def developers(request: MerchantRequest) -> HttpResponse:
    found = endpoints.of(request.merchant)
    typed = request.session.pop(TYPED, None)
    url = typed if typed is not None else (found.url if found and found.is_enabled else "")
    return _page(request, found, EndpointForm(initial={"url": url}, merchant=request.merchant))


def _page(request: MerchantRequest, found: Endpoint | None, form: EndpointForm, status: int = 200) -> HttpResponse:
    chosen = request.GET.get("state", "")
    if chosen not in queries.FILTERS:
        raise Http404
    now = clock.now()
    context = {
        "nav": "developers",
        "endpoint": found,
        "application": endpoints.application(request.merchant),
        "form": form,
        "secret": _secret_once(request, found),
        "owns": may(request.membership, "own"),
        "writes": may(request.membership, "write"),
        "switched_off": queries.last_switched_off(found) if found and not found.is_enabled else None,
        "rows": [queries.row(delivery, now) for delivery in queries.webhooks(request.merchant, chosen)],
        "events": queries.posted(),
        "chosen": chosen,
        "filters": queries.filters(request.merchant),
        "now": now,
    }
    return render(request, "notifications/developers.html", context, status=status)


def _secret_once(request: MerchantRequest, found: Endpoint | None) -> str:
    kept = request.session.get(ONCE)
    if not (kept and found and kept["endpoint"] == found.pk and may(request.membership, "own")):
        return ""
    del request.session[ONCE]
    return secrets.decrypt(kept["secret"])


def _keep_once(request: MerchantRequest, found: Endpoint, plain: str) -> None:
    request.session[ONCE] = {"endpoint": found.pk, "secret": secrets.encrypt(plain)}


@needs("own")
@require_POST
def endpoint(request: MerchantRequest) -> HttpResponse:
    """Save the address; with the first one comes the secret."""
    here = reverse("developers", args=[request.merchant.slug])
    if held_up := sign_in_again(request, back=here):
        request.session[TYPED] = request.POST.get("url", "")[:500]
        return held_up
    form = EndpointForm(request.POST, merchant=request.merchant)
    if not form.is_valid():
        return _page(request, endpoints.of(request.merchant), form, status=422)
    if url := form.cleaned_data["url"]:
        found, plain = endpoints.save(request.merchant, url=url, by=request.user, now=clock.now())
        if plain:
            _keep_once(request, found, plain)
        messages.success(request, _("Saved. Webhooks go to this address."))
    elif endpoints.switch_off(request.merchant, by=request.user, now=clock.now()):
        messages.success(request, _("Webhooks are switched off."))
    return redirect(here)


@needs("own")
@require_POST
def secret(request: MerchantRequest) -> HttpResponse:
    """A new secret, shown once on the next page."""
    here = reverse("developers", args=[request.merchant.slug])
    if held_up := sign_in_again(request, back=here):
        return held_up
    found = endpoints.of(request.merchant)
    if found is None:
        raise Http404
    _keep_once(request, found, endpoints.rotate_secret(found, by=request.user, now=clock.now()))
    messages.success(request, _("This is the new secret. The old one signs nothing from now on."))
    return redirect(here)


@needs("see")
@require_safe
def delivery(request: MerchantRequest, pk: int) -> HttpResponse:
    """One email or webhook, with its tries."""
    now = clock.now()
    found = get_object_or_404(queries.deliveries_of(request.merchant), pk=pk)
    context = {"nav": "developers", "row": queries.row(found, now), "writes": may(request.membership, "write"), "now": now}
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
    messages.success(request, _("It goes out at once."))
    return redirect("delivery", request.merchant.slug, sent.pk)
