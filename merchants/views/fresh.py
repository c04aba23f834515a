"""A fresh sign-in before what only an owner may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

TYPED = "typed_before_sign_in"  # in the session: the page it belongs to, and what was typed there
MOST = 500  # characters kept of one field


def sign_in_again(request: Any, *, back: str, keep: Iterable[str] = ()) -> HttpResponseRedirect | None:
    """Where to sign in once more, coming back to `back`; None when that was done lately.

    allauth would replay the held-up POST without our middleware, and so without its check of the merchant.
    Instead one comes back to the page, and presses the button again. The fields named in `keep` wait there
    for `typed`.
    """
    try:
        _fresh(request)
    except ReauthenticationRequired:
        if values := {name: request.POST[name][:MOST] for name in keep if name in request.POST}:
            request.session[TYPED] = {"at": back, "values": values}
        methods = get_adapter().get_reauthentication_methods(request.user)
        url = methods[0]["url"] if methods else reverse("account_login")
        return HttpResponseRedirect(f"{url}?{urlencode({REDIRECT_FIELD_NAME: back})}")
    return None


def typed(request: Any, *, at: str) -> dict[str, str]:
    """What was typed on the page `at` before the sign-in, once."""
    if request.session.get(TYPED, {}).get("at") != at:
        return {}
    values: dict[str, str] = request.session.pop(TYPED)["values"]
    return values


@reauthentication_required
def _fresh(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()
