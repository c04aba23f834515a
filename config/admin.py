"""The operators' desk: Django admin behind the same sign-in as everyone, a second factor required."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.utils import get_next_redirect_url
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from merchants.operators import OperatorAdmin


class OperatorSite(admin.AdminSite):
    """For staff with a second factor. It shows only what an app of ours registered with an OperatorAdmin:
    the pages that others bring along could change an address or a sign-in."""

    site_header = site_title = _("Quittance operators")
    index_title = _("This installation")
    site_url = "/"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        if admin_class is not None and issubclass(admin_class, OperatorAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and is_mfa_enabled(request.user)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return _after_sign_in(request)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("account_change_password")

    def password_change_done(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("account_change_password")


@secure_admin_login
def _after_sign_in(request: HttpRequest) -> HttpResponse:
    """Staff came here from an admin page: back to it, or first to a second factor."""
    if is_mfa_enabled(request.user):
        return redirect(get_next_redirect_url(request) or "admin:index")
    sentence = gettext("Operators sign in with a second factor. Set up an authenticator app or a security key first.")
    messages.warning(request, sentence)
    return redirect("mfa_index")
