"""The API: a merchant's events for its own programs, by App ID and secret. No session, no cookie, only reading."""

from __future__ import annotations

import base64
import binascii
import hashlib

from allauth.account.adapter import get_adapter
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from merchants import clock
from merchants.models import Merchant
from notifications.webhooks import applications, pulling

MINUTE = 60  # seconds
OF_AN_ADDRESS, OF_AN_APP = 600, 120  # requests a minute


@never_cache
@require_safe
def events(request: HttpRequest) -> HttpResponse:
    """GET /api/events?after=SEQUENCE&limit=100"""
    second = int(clock.now().timestamp())
    if not _may_ask(f"address {get_adapter().get_client_ip(request)}", OF_AN_ADDRESS, second):
        return _too_often(second)
    merchant = _merchant(request)
    if merchant is None:
        refusal = _refusal(401, "Send the App ID and the API secret by HTTP Basic authentication.")
        refusal["WWW-Authenticate"] = 'Basic realm="Quittance API", charset="UTF-8"'
        return refusal
    if not _may_ask(f"app {merchant.pk}", OF_AN_APP, second):
        return _too_often(second)
    try:
        after, limit = _number(request, "after", 0, (0, 2**63 - 1)), _number(request, "limit", pulling.MOST, (1, pulling.MOST))
    except ValueError as error:
        return _refusal(400, str(error))
    page = pulling.events_after(merchant, after, limit=limit)
    return JsonResponse(page, json_dumps_params={"ensure_ascii": False})


def _merchant(request: HttpRequest) -> Merchant | None:
    scheme, _space, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        app_id, colon, secret = base64.b64decode(given.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return applications.check_api(app_id, secret) if colon and "\x00" not in app_id else None


def _number(request: HttpRequest, name: str, without: int, bounds: tuple[int, int]) -> int:
    given = request.GET.get(name, "")
    if not given:
        return without
    found = int(given) if given.isascii() and given.isdigit() and len(given) < 20 else -1
    if not bounds[0] <= found <= bounds[1]:
        raise ValueError(f"'{name}' is a whole number from {bounds[0]} to {bounds[1]}.")
    return found


def _may_ask(who: str, most: int, second: int) -> bool:
    """Whether `who` is still below `most` requests in the minute of `second` (since 1970); this one is counted."""
    key = f"api:{hashlib.sha256(who.encode()).hexdigest()}:{second // MINUTE}"
    cache.add(key, 0, timeout=2 * MINUTE)
    try:
        return int(cache.incr(key)) <= most
    except ValueError:  # thrown out of a full cache between the two
        return True


def _too_often(second: int) -> HttpResponse:
    refusal = _refusal(429, "That was too often. Ask again in a minute.")
    refusal["Retry-After"] = str(MINUTE - second % MINUTE)
    return refusal


def _refusal(status: int, detail: str) -> JsonResponse:
    return JsonResponse({"detail": detail}, status=status)
