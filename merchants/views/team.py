"""The team: who belongs to this business and as what. Everyone sees it and may leave; owners change it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from merchants import clock
from merchants import team as door
from merchants.access import MerchantRequest, may, needs
from merchants.forms.team import MAY, HandOverForm, InviteForm, RoleForm
from merchants.models import Invitation, Membership
from merchants.views import fresh

READ_OR_POST = ["GET", "HEAD", "POST"]


def _here(request: MerchantRequest) -> str:
    return reverse("settings_team", args=[request.merchant.slug])


def _member(request: MerchantRequest, pk: int) -> Membership:
    return get_object_or_404(request.merchant.memberships.select_related("user"), pk=pk)


def _invitation(request: MerchantRequest, pk: int) -> Invitation:
    return get_object_or_404(door.waiting(request.merchant), pk=pk)


def _said(request: MerchantRequest, act: Any, words: str) -> HttpResponse:
    """Do it, say so, and go back to the team; or say why it cannot be done."""
    try:
        act()
    except door.Refused as reason:
        messages.warning(request, str(reason))
    else:
        messages.success(request, words)
    return redirect(_here(request))


def _ask(request: MerchantRequest, page: str, **context: Any) -> HttpResponse:
    status = 422 if "form" in context and context["form"].errors else 200
    return render(request, f"merchants/{page}.html", {"nav": "settings", **context}, status=status)


@needs("see")
@require_safe
@never_cache
def team(request: MerchantRequest) -> HttpResponse:
    return _page(request, InviteForm(initial=fresh.typed(request, at=request.path)))


def _page(request: MerchantRequest, form: InviteForm) -> HttpResponse:
    now = clock.now()
    context = {
        "nav": "settings",
        "tab": "settings_team",
        "form": form,
        "owns": may(request.membership, "own"),
        "members": list(request.merchant.memberships.select_related("user").order_by("id")),
        "invitations": [(waiting, door.standing(waiting, now)) for waiting in door.waiting(request.merchant).select_related("invited_by")],
        "roles": MAY,
    }
    return render(request, "merchants/settings_team.html", context, status=422 if form.errors else 200)


# --- invitations ------------------------------------------------------------------------------------------------
@needs("own")
@require_POST
def invite(request: MerchantRequest) -> HttpResponse:
    if held_up := fresh.sign_in_again(request, back=_here(request), keep=["email", "role"]):
        return held_up
    form = InviteForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    try:
        invitation = door.invite(request.merchant, **form.cleaned_data, by=request.user, now=clock.now())
    except door.Refused as reason:
        form.add_error("email", str(reason))
        return _page(request, form)
    messages.success(request, _("The invitation goes to %(email)s at once.") % {"email": invitation.email})
    return redirect(_here(request))


@needs("own")
@require_POST
def invite_again(request: MerchantRequest, pk: int) -> HttpResponse:
    invitation = _invitation(request, pk)
    if held_up := fresh.sign_in_again(request, back=_here(request)):
        return held_up
    words = _("It goes to %(email)s once more. The link sent before no longer works.") % {"email": invitation.email}
    return _said(request, lambda: door.renew(invitation, by=request.user, now=clock.now()), words)


@needs("own")
@require_http_methods(READ_OR_POST)
def withdraw(request: MerchantRequest, pk: int) -> HttpResponse:
    invitation = _invitation(request, pk)
    if held_up := fresh.sign_in_again(request, back=request.path):
        return held_up
    if request.method != "POST":
        return _ask(request, "invitation_withdraw", invitation=invitation)
    words = _("Withdrawn. The link sent to %(email)s no longer works.") % {"email": invitation.email}
    return _said(request, lambda: door.withdraw(invitation, by=request.user, now=clock.now()), words)


# --- members ----------------------------------------------------------------------------------------------------
@needs("own")
@require_http_methods(READ_OR_POST)
def role(request: MerchantRequest, pk: int) -> HttpResponse:
    member = _member(request, pk)
    if held_up := fresh.sign_in_again(request, back=request.path, keep=["role"]):
        return held_up
    kept = {"role": member.role} | fresh.typed(request, at=request.path)
    form = RoleForm(request.POST if request.method == "POST" else None, initial=kept)
    if not form.is_valid():
        return _ask(request, "member_role", member=member, form=form, is_last=door.is_only_owner(member))
    chosen = form.cleaned_data["role"]
    if chosen == member.role:
        messages.info(request, _("Nothing was changed."))
        return redirect(_here(request))
    words = _("%(name)s has another role now. Every owner is mailed.") % {"name": member.user.display_name}
    return _said(request, lambda: door.change_role(member, role=chosen, by=request.user, now=clock.now()), words)


@needs("own")
@require_http_methods(READ_OR_POST)
def remove(request: MerchantRequest, pk: int) -> HttpResponse:
    member = _member(request, pk)
    if member.user_id == request.user.pk:
        return redirect("team_leave", request.merchant.slug)
    if held_up := fresh.sign_in_again(request, back=request.path):
        return held_up
    if request.method != "POST":
        return _ask(request, "member_remove", member=member)
    words = _("%(name)s is out. Every owner is mailed.") % {"name": member.user.display_name}
    return _said(request, lambda: door.remove(member, by=request.user, now=clock.now()), words)


@needs("see")
@require_http_methods(READ_OR_POST)
def leave(request: MerchantRequest) -> HttpResponse:
    if request.method != "POST":
        return _ask(request, "leave", is_last=door.is_only_owner(request.membership))
    try:
        door.leave(request.membership, now=clock.now())
    except door.Refused as reason:
        messages.warning(request, str(reason))
        return redirect("team_leave", request.merchant.slug)
    messages.success(request, _("You have left %(business)s.") % {"business": request.merchant.name})
    return redirect("home")


@needs("own")
@require_http_methods(READ_OR_POST)
def hand_over(request: MerchantRequest) -> HttpResponse:
    if held_up := fresh.sign_in_again(request, back=request.path, keep=["to", "stays"]):
        return held_up
    kept = fresh.typed(request, at=request.path)
    form = HandOverForm(request.POST if request.method == "POST" else None, initial=kept, merchant=request.merchant, giver=request.user)
    if not form.is_valid():
        return _ask(request, "hand_over", form=form)
    to = form.cleaned_data["to"]
    words = _("%(name)s is an owner now. Every owner is mailed.") % {"name": to.user.display_name}
    return _said(request, lambda: door.hand_over(request.merchant, **form.cleaned_data, by=request.user, now=clock.now()), words)
