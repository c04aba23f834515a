"""Which language a reader gets.

The dashboard speaks LANGUAGE_CODE. What a payer reads (pages, mails, PDFs) speaks the language of its invoice; a payer's
page that belongs to no invoice, or to none that is found, speaks what the browser asks for.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers

PAYERS = ("/i/", "/r/", "/lost/")  # where payers are


def choices() -> list[tuple[str, str]]:
    """What can be chosen for an invoice, a payer or a business: the code, and the language's own name for itself."""
    return [(code, str(name)) for code, name in settings.LANGUAGES]


def known(code: str) -> str:
    """`code`, or the installation's language when that one is not offered here (any more)."""
    return code if code in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


def of_members() -> str:
    """What the people of a business read, on the dashboard and in its mails: whole in this language alone."""
    return settings.LANGUAGE_CODE


def speak(code: str) -> None:
    """Let the rest of this request be in the language `code`; `language_of_page` takes it back at its end."""
    translation.activate(known(code))


def active() -> str:
    """The language that is spoken now."""
    return translation.get_language() or settings.LANGUAGE_CODE


def language_of_page(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: each request starts in its language and leaves none behind."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        is_payers = request.path_info.startswith(PAYERS)
        with translation.override(translation.get_language_from_request(request) if is_payers else settings.LANGUAGE_CODE):
            response = get_response(request)
            response.headers.setdefault("Content-Language", active())
        if is_payers:
            patch_vary_headers(response, ("Accept-Language",))
        return response

    return middleware
