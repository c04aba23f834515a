"""HTML in, PDF out: the one module that knows WeasyPrint.

It is imported when the first page is printed (1–2 s), so that a web process starts without it. What costs time
is kept between pages: the font configuration, the parsed style sheet, the decoded images.

The same HTML and sheet give the same bytes: dates and the identifier come from the caller, and the time stamp that
fontTools writes into embedded fonts is fixed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders

from invoicing.pdf import fonts

_one_at_a_time = threading.Lock()  # Pango's font map is not made for threads, and os.environ is everybody's
_IMAGES_KEPT = 64
_FONT_TIME = "946684800"  # 2000-01-01, https://reproducible-builds.org/specs/source-date-epoch/


class Refusal(ValueError):
    """The page named something outside of itself."""


@dataclass
class _Press:
    """What is kept between pages."""

    html: Any
    css: Any
    fetcher: Any
    fonts: Any
    sheet: Any
    images: dict[str, Any] = field(default_factory=dict)


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """`values` in os.environ, for code that reads nothing else; what was there before comes back."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _fetcher() -> Any:
    from weasyprint.urls import URLFetcher, URLFetcherResponse

    class NothingFromOutside(URLFetcher):
        """A page carries its images in itself as `data:`; files and the network are refused."""

        def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:
            if not url.startswith("data:"):
                raise Refusal(f"A PDF fetches nothing from outside: {url[:80]}")
            return super().fetch(url, headers)

    return NothingFromOutside(allowed_protocols=["data"])


@lru_cache(maxsize=1)
def _press() -> _Press:
    # fontconfig reads the variable when it is loaded and when a configuration is made; nobody else is to see it.
    with _environment(FONTCONFIG_FILE=str(fonts.configuration())):
        import weasyprint
        from weasyprint.text.fonts import FontConfiguration

        configuration = FontConfiguration()
    fetcher = _fetcher()
    path = finders.find("css/print.css")
    if path is None:
        raise FileNotFoundError("css/print.css is not among the static files.")
    sheet = weasyprint.CSS(string=Path(path).read_text(), font_config=configuration, url_fetcher=fetcher)
    return _Press(weasyprint.HTML, weasyprint.CSS, fetcher, configuration, sheet)


def document(html: str, *, sheet: str) -> Any:
    """The laid out WeasyPrint document of `html`, under print.css and then `sheet`. For `printed` and for tests."""
    press = _press()
    if len(press.images) > _IMAGES_KEPT:
        press.images.clear()
    own = press.css(string=sheet, font_config=press.fonts, url_fetcher=press.fetcher)
    page = press.html(string=html, url_fetcher=press.fetcher)
    return page.render(font_config=press.fonts, stylesheets=[press.sheet, own], cache=press.images, pdf_variant="pdf/ua-1")


def printed(html: str, *, sheet: str, identifier: bytes) -> bytes:
    """The tagged PDF (PDF/UA-1) of `html`."""
    with _one_at_a_time, _environment(SOURCE_DATE_EPOCH=_FONT_TIME):
        laid_out = document(html, sheet=sheet)
        made: bytes = laid_out.write_pdf(pdf_identifier=identifier, pdf_variant="pdf/ua-1")
        return made
