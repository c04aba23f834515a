"""Developers: the endpoints and their types of event, the keys of the API, how to check a signature."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from merchants import clock
from merchants.access import MerchantRequest, may, needs
from merchants.views.fresh import sign_in_again
from notifications.models import Endpoint
from notifications.webhooks import applications, endpoint_rows, endpoints, event_types, once

READ_OR_POST = ["GET", "HEAD", "POST"]
API_SECRET = "api"  # noqa: S105 - what the secret shown once is of


@dataclass(frozen=True)
class Language:
    key: str
    name: str
    file: str  # in docs/verify


LANGUAGES = (
    Language("python", "Python", "verify.py"),
    Language("node", "Node", "verify.mjs"),
    Language("php", "PHP", "verify.php"),
    Language("go", "Go", "verify.go"),
)


def frame(request: MerchantRequest, tab: str, found: list[Endpoint] | None = None) -> dict[str, Any]:
    """What every page of this room has: its tab, the member's rights, the endpoints that a test can go to."""
    if found is None:
        found = list(endpoints.listed(request.merchant))
    return {
        "nav": "developers",
        "tab": tab,
        "owns": may(request.membership, "own"),
        "writes": may(request.membership, "write"),
        "testable": [endpoint for endpoint in found if endpoint.is_enabled],
    }


@needs("see")
@require_safe
def developers(request: MerchantRequest) -> HttpResponse:
    """The endpoints."""
    rows = endpoint_rows.rows(request.merchant, now=clock.now())
    context = {
        **frame(request, "developers", [row.endpoint for row in rows]),
        "rows": rows,
        "is_full": len(rows) >= endpoints.MOST,
        "most": endpoints.MOST,
        "groups": event_types.groups(),
    }
    return render(request, "notifications/developers.html", context)


@needs("see")
@require_safe
@never_cache
def keys(request: MerchantRequest) -> HttpResponse:
    """App ID and secret, and what is asked with them."""
    application = applications.known(request.merchant)
    context = {
        **frame(request, "developers_keys"),
        "application": application,
        "secret": once.shown(request, API_SECRET),
        "command": f'curl -u {application.app_id if application else "APP_ID"}:SECRET "{settings.SITE_URL}{reverse("api_events")}?after=0&limit=100"',
    }
    return render(request, "notifications/developers_keys.html", context)


@needs("own")
@require_http_methods(READ_OR_POST)
def api_secret(request: MerchantRequest) -> HttpResponse:
    """A secret for the API; the one before it ends at once."""
    if held_up := sign_in_again(request, back=request.path):
        return held_up
    if request.method != "POST":
        context = {"nav": "developers", "application": applications.known(request.merchant)}
        return render(request, "notifications/api_secret.html", context)
    once.keep(request, API_SECRET, applications.new_api_secret(request.merchant, by=request.user, now=clock.now()))
    messages.success(request, _("This is the API secret. Every owner is mailed that there is a new one."))
    return redirect("developers_keys", request.merchant.slug)


@needs("see")
@require_safe
def verify(request: MerchantRequest) -> HttpResponse:
    """Code that checks a signature."""
    asked = request.GET.get("in", LANGUAGES[0].key)
    chosen = next((language for language in LANGUAGES if language.key == asked), None)
    if chosen is None:
        raise Http404
    context = {**frame(request, "developers_verify"), "languages": LANGUAGES, "chosen": chosen, "code": code(chosen.file)}
    return render(request, "notifications/developers_verify.html", context)


@cache
def code(file: str) -> str:
    """A file of docs/verify."""
    return (Path(settings.BASE_DIR) / "docs" / "verify" / file).read_text()
