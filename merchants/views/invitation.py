"""The page behind the link in an invitation. Looking changes nothing; to accept one signs in with the address invited."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from merchants import clock, team
from merchants.forms.team import MAY
from merchants.models import User


@require_safe
@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Who invites to what and as what; no sign-in needed."""
    found = team.read_token(token)
    standing = team.standing(found, clock.now()) if found else None
    if found is None or standing != team.Standing.OPEN:
        return render(request, "merchants/invitation_gone.html", {"invitation": found, "standing": standing}, status=410 if found else 404)
    user = request.user
    context = {
        "invitation": found,
        "may": MAY[found.role],
        "here": request.path,
        "fits": user.is_authenticated and team.has_address(user, found.email),
        "belongs": user.is_authenticated and found.merchant.memberships.filter(user=user).exists(),
        "has_account": User.objects.filter(email__iexact=found.email).exists(),  # told only to who has the mail
    }
    return render(request, "merchants/invitation.html", context)


@require_POST
@never_cache
def accept(request: HttpRequest, token: str) -> HttpResponse:
    here = reverse("invitation", args=[token])
    if not request.user.is_authenticated:
        return redirect_to_login(here)
    found = team.read_token(token)
    if found is None:
        return redirect(here)
    try:
        membership = team.accept(found, user=cast(User, request.user), now=clock.now())
    except team.Refused as reason:
        messages.warning(request, str(reason))
        return redirect(here)
    told = {"business": found.merchant.name, "role": membership.get_role_display()}
    messages.success(request, _("You belong to %(business)s now. Your role is %(role)s.") % told)
    return redirect("overview", found.merchant.slug)
