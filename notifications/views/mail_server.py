"""A merchant's own mail server: an owner's, with a fresh sign-in."""

from __future__ import annotations

from allauth.core import ratelimit
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from merchants import clock
from merchants.access import MerchantRequest, needs
from merchants.views import fresh
from notifications.mail import mailservers, own_server
from notifications.mail.forms import ServerForm
from notifications.models import MailServer


@needs("own")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def server(request: MerchantRequest) -> HttpResponse:
    found = mailservers.of(request.merchant)
    if request.method != "POST":
        return _page(request, found, ServerForm(merchant=request.merchant, server=found, typed=fresh.typed(request, at=request.path)))
    if held_up := fresh.sign_in_again(request, back=request.path, keep=ServerForm.NOT_SECRET):
        return held_up
    form = ServerForm(request.POST, merchant=request.merchant, server=found)
    if not form.is_valid():
        return _page(request, found, form)
    try:
        changed = own_server.save(request.merchant, wanted=form.wanted, by=request.user, now=clock.now())
    except own_server.Refused as reason:
        form.add_error("password", str(reason))
        return _page(request, found, form)
    messages.success(request, _("Saved. Send yourself a test mail, then switch it on.") if changed else _("Nothing was changed."))
    return redirect("settings_mail_server", request.merchant.slug)


def _page(request: MerchantRequest, found: MailServer | None, form: ServerForm) -> HttpResponse:
    context = {"nav": "settings", "tab": "settings_mail", "server": found, "form": form}
    return render(request, "notifications/settings_mail_server.html", context, status=422 if form.errors else 200)


def _own(request: MerchantRequest) -> MailServer:
    found = mailservers.of(request.merchant)
    if found is None:
        raise Http404
    return found


def _here(request: MerchantRequest) -> str:
    return reverse("settings_mail_server", args=[request.merchant.slug])


@needs("own")
@require_POST
def test(request: MerchantRequest) -> HttpResponse:
    """A mail through it to whoever presses this; what the server says is said here."""
    if held_up := fresh.sign_in_again(request, back=_here(request)):
        return held_up
    if not ratelimit.consume(request, action="mail_server_test"):
        messages.error(request, _("That was often. Wait an hour before the next test."))
    elif wrong := own_server.test(_own(request), by=request.user, now=clock.now()):
        messages.error(request, _("The test mail did not leave. %(reason)s") % {"reason": wrong})
    else:
        messages.success(request, _("The server took a mail to %(email)s. Look whether it arrives.") % {"email": request.user.email})
    return redirect(_here(request))


@needs("own")
@require_POST
def on(request: MerchantRequest) -> HttpResponse:
    if held_up := fresh.sign_in_again(request, back=_here(request)):
        return held_up
    try:
        own_server.switch_on(_own(request), by=request.user, now=clock.now())
    except own_server.Refused as reason:
        messages.error(request, str(reason))
    else:
        messages.success(request, _("Mails to payers leave through your server now."))
    return redirect(_here(request))


@needs("own")
@require_POST
def off(request: MerchantRequest) -> HttpResponse:
    if held_up := fresh.sign_in_again(request, back=_here(request)):
        return held_up
    own_server.switch_off(_own(request), by=request.user, now=clock.now())
    messages.success(request, _("Mails to payers leave through this site again."))
    return redirect(_here(request))


@needs("own")
@require_POST
def remove(request: MerchantRequest) -> HttpResponse:
    if held_up := fresh.sign_in_again(request, back=_here(request)):
        return held_up
    own_server.remove(_own(request), by=request.user, now=clock.now())
    messages.success(request, _("The mail server was removed, with its password."))
    return redirect("settings_mail", request.merchant.slug)
