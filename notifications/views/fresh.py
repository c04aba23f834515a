"""A fresh sign-in before what only an owner may do."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode


def sign_in_again(request: Any, *, back: str) -> HttpResponseRedirect | None:
    """Where to sign in once more, coming back to `back`; None when that was done lately.

    allauth would replay the held-up POST without our middleware, and so without its check of the merchant.
    Instead one comes back to the page, and presses the button again.
    """
    try:
        _fresh(request)
    except ReauthenticationRequired:
        methods = get_adapter().get_reauthentication_methods(request.user)
        url = methods[0]["url"] if methods else reverse("account_login")
        return HttpResponseRedirect(f"{url}?{urlencode({REDIRECT_FIELD_NAME: back})}")
    return None


@reauthentication_required
def _fresh(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()
