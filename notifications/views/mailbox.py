"""The demo's mailbox: every mail this installation would have sent. Elsewhere these pages do not exist."""

from __future__ import annotations

from csp.constants import NONE, SELF
from csp.decorators import csp, csp_update
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from notifications.mail import mailbox as box

# A mail's styles are inline, as mail programs want them; it runs nothing and loads nothing.
FRAME = {
    "default-src": [NONE],
    "style-src": ["'unsafe-inline'"],
    "img-src": ["data:"],
    "frame-ancestors": [SELF],
    "base-uri": [NONE],
    "form-action": [NONE],
}


def _only_in_the_demo() -> None:
    if not settings.MAILBOX_PAGE:
        raise Http404


def _found(name: str) -> box.Mail:
    _only_in_the_demo()
    mail = box.read(name)
    if mail is None:
        raise Http404
    return mail


@require_safe
@never_cache
def mailbox(request: HttpRequest) -> HttpResponse:
    _only_in_the_demo()
    return render(request, "notifications/mailbox.html", {"mails": box.latest()})


@require_safe
@never_cache
@csp_update({"frame-src": [SELF]})  # type: ignore[arg-type]
def mail(request: HttpRequest, name: str) -> HttpResponse:
    return render(request, "notifications/mail.html", {"mail": _found(name)})


@require_safe
@never_cache
@xframe_options_sameorigin
@csp(FRAME)  # type: ignore[arg-type]
def mail_html(_request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(_found(name).html)
