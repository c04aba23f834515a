"""The page behind the link that switches a notice off. Looking changes nothing: mail scanners follow links."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from merchants import clock
from notifications.mail import unsubscribing

WORDS = {
    "paid": lambda: _("‘Invoice paid’: a payment is final"),
    "seen": lambda: _("‘Payment seen’: a payment is on its way"),
}


@csrf_exempt  # a mail program presses it without having been here (RFC 8058); the link is the permission
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """One button; pressed, it says that it is done. A link that is not whole is a 404."""
    found = unsubscribing.read(token)
    if found is None:
        return render(request, "notifications/unsubscribe_gone.html", status=404)
    if request.method == "POST":
        unsubscribing.switch_off(found, now=clock.now())
    context = {"found": found, "notice": WORDS[found.notice]()}
    response = render(request, "notifications/unsubscribe.html", context)
    response["Referrer-Policy"] = "same-origin"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response
