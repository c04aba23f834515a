"""Settings, Mail, Words: the merchant's own words in mails to payers, seen and tried before they are said."""

from __future__ import annotations

import base64
from typing import Any

from csp.constants import SELF
from csp.decorators import csp, csp_update
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from invoicing import previewing
from invoicing.timeline import mail_name
from merchants import clock
from merchants.access import MerchantRequest, needs
from notifications.mail import emails, wordings
from notifications.mail.wording_form import WordingForm
from notifications.mail.wordings import Words
from notifications.views.mailbox import FRAME

READ_OR_POST = ["GET", "HEAD", "POST"]
TYPED = "words_typed"  # in the session: what was typed when a test was asked for, and where


@needs("profile")
@require_safe
def index(request: MerchantRequest) -> HttpResponse:
    """Every kind in every language, and which have words of the merchant's."""
    own = wordings.own(request.merchant)
    kinds = [(kind, mail_name(kind), [(code, name, (kind, code) in own) for code, name in settings.LANGUAGES]) for kind in wordings.KINDS]
    return render(request, "notifications/wordings.html", {"nav": "settings", "tab": "settings_mail", "kinds": kinds})


@needs("profile")  # type: ignore[arg-type]
@require_http_methods(READ_OR_POST)
@csp_update({"frame-src": [SELF]})  # type: ignore[arg-type]
def wording(request: MerchantRequest, template: str, language: str) -> HttpResponse:
    """One kind in one language: its words, what may stand in them, and how the mail reads."""
    _known(template, language)
    saved = wordings.of(request.merchant.pk, template=template, language=language)
    if request.method == "POST":
        form = WordingForm(request.POST)
        if form.is_valid():
            changed = wordings.save(request.merchant, form.words(), template=template, language=language, by=request.user, now=clock.now())
            messages.success(request, _("Saved. Mails that leave from now on say it so.") if changed else _("Nothing was changed."))
            return redirect("settings_wording", request.merchant.slug, template, language)
    else:
        typed = request.session.pop(TYPED, None)
        kept = typed["words"] if typed and typed["at"] == [request.merchant.slug, template, language] else None
        form = WordingForm(initial=kept or {"subject": saved.subject, "message": saved.message})
    return _page(request, form, saved, template, language)


def _page(request: MerchantRequest, form: WordingForm, saved: Words, template: str, language: str) -> HttpResponse:
    usual = emails.write(wordings.example(request.merchant, Words(), template=template, language=language), now=clock.now())
    context: dict[str, Any] = {
        "nav": "settings",
        "tab": "settings_mail",
        "form": form,
        "template": template,
        "language": language,
        "language_name": dict(settings.LANGUAGES)[language],
        "what": mail_name(template),
        "usual": usual,
        "placeholders": list(wordings.PLACEHOLDERS.items()),
        "is_own": saved != Words(),
    }
    return render(request, "notifications/wording.html", context, status=422 if form.errors else 200)


@needs("profile")  # type: ignore[arg-type]
@require_http_methods(READ_OR_POST)
@never_cache
@xframe_options_sameorigin
@csp(FRAME)  # type: ignore[arg-type]
def preview(request: MerchantRequest, template: str, language: str) -> HttpResponse:
    """The mail about a sample, for the frame beside the form: in the words posted, or in the saved ones."""
    _known(template, language)
    words = wordings.of(request.merchant.pk, template=template, language=language)
    if request.method == "POST":
        form = WordingForm(request.POST)
        if not form.is_valid():
            wrong = " ".join(str(error) for errors in form.errors.values() for error in errors)
            return HttpResponse(format_html(SAYS, _("This cannot be shown yet."), wrong), status=422)
        words = form.words()
    letter = emails.write(wordings.example(request.merchant, words, template=template, language=language), now=clock.now())
    logo = f"data:image/png;base64,{base64.b64encode(letter.logo).decode()}" if letter.logo else ""
    html = previewing.without_links(letter.html).replace("cid:logo", logo)
    head, body, rest = html.partition("<body")
    tag, end, inside = rest.partition(">")
    return HttpResponse(head + body + tag + end + format_html(SAYS, _("Subject"), letter.subject) + inside)


# Above the mail in the frame. The frame has no styles of ours.
SAYS = (
    '<p style="margin:0;padding:12px 16px;font:14px/20px system-ui,sans-serif;background:Canvas;color:CanvasText;border-bottom:1px solid GrayText">'
    "<strong>{}</strong> {}</p>"
)


@needs("profile")
@require_POST
def test(request: MerchantRequest, template: str, language: str) -> HttpResponse:
    """Mail the sample to the member who asks. What was typed stays on the page, saved or not."""
    _known(template, language)
    form = WordingForm(request.POST)
    if not form.is_valid():
        return _page(request, form, wordings.of(request.merchant.pk, template=template, language=language), template, language)
    words, at = form.words(), [request.merchant.slug, template, language]
    wordings.test(request.merchant, words, template=template, language=language, by=request.user, now=clock.now())
    request.session[TYPED] = {"at": at, "words": {"subject": words.subject, "message": words.message}}
    messages.success(request, _("A test goes to %(email)s at once. Nothing was saved by it.") % {"email": request.user.email})
    return redirect("settings_wording", *at)


@needs("profile")
@require_POST
def reset(request: MerchantRequest, template: str, language: str) -> HttpResponse:
    _known(template, language)
    if wordings.reset(request.merchant, template=template, language=language, by=request.user, now=clock.now()):
        messages.success(request, _("Mails that leave from now on have the usual words again."))
    return redirect("settings_wording", request.merchant.slug, template, language)


def _known(template: str, language: str) -> None:
    if template not in wordings.KINDS or language not in dict(settings.LANGUAGES):
        raise Http404
