"""The way in: the front door, and the first page of a new business."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from merchants import clock, onboarding
from merchants.access import USED_LAST
from merchants.forms.welcome import WelcomeForm
from merchants.models import User


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """To sign-in, to the overview of the business used last here or else joined first, to an operator's own pages, or to
    a new business's first page."""
    if not request.user.is_authenticated:
        return redirect("account_login")
    slugs = list(request.user.memberships.order_by("id").values_list("merchant__slug", flat=True))
    if slugs:
        used = request.session.get(USED_LAST)
        return redirect("overview", used if used in slugs else slugs[0])
    return redirect("admin:index" if request.user.is_staff else "welcome")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest) -> HttpResponse:
    """Two fields make a business."""
    user = cast(User, request.user)
    form = WelcomeForm(request.POST if request.method == "POST" else None, initial={"email": user.email, "time_zone": "UTC"})
    if request.method == "POST" and form.is_valid():
        merchant = onboarding.found(**form.cleaned_data, user=user, now=clock.now())
        return redirect("overview", merchant.slug)
    return render(request, "merchants/welcome.html", {"form": form, "is_another": user.memberships.exists()}, status=422 if form.is_bound else 200)
