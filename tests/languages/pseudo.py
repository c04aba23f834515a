"""A language that nobody speaks: every translated letter is a wide one, so that what was never translated is seen at once.

Dates come from the CLDR in Greek, and the people of these tests are written in Greek too: a Latin word that is left is bare.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.test import override_settings
from django.utils.translation import trans_real

CODE = "el"
WIDE = {ord(letter): 0xFF21 + at for at, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {
    ord(letter): 0xFF41 + at for at, letter in enumerate("abcdefghijklmnopqrstuvwxyz")
}
# What a translator leaves as it is: holes, tags, entities.
KEPT = re.compile(r"(%\(\w+\)[a-z]|%[sd]|\{\w+\}|<[^>]+>|&[#\w]+;)")
# What is the same in every language: units of the trade, places of the web, names.
SAME = {
    "USDT", "USDC", "ETH", "BTC", "EUR", "UTC", "PDF", "QR", "kB", "MB", "Quittance", "Sandbox", "Ethereum", "Bitcoin", "Base", "Polygon",
    "Arbitrum", "One", "Litecoin", "Tron", "BNB", "Smart", "Chain", "POL", "LTC", "TRX", "Lisbon", "INV", "VAT", "Work",
}  # fmt: skip
PLACES = re.compile(
    r"https?://\S+|\S+@\S+|\b0x[0-9a-fA-F]+\S*|\bsbx1\w+|\b[0-9a-f]{8,}\b|\b[\w-]*\d[\w-]*\b|\b\w{4,6}…\w*|…\w{4}|\b\w+\.(?:pdf|png|css|txt)\b|\b[A-Z]{6}\b|\btestserver\b"
)
SPOKEN = re.compile(r'\s(?:alt|title|aria-label|placeholder|data-(?:copied|says?|busy|nearly|words|text)(?:-\w+)?)="([^"]*)"')
WORD = re.compile(r"[A-Za-z]{2,}")


class Catalogue:
    """What a translation object of Django has to answer; remembers every msgid that was asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()  # as the catalogues key them: with the context before them

    def language(self) -> str:
        return CODE

    def to_language(self) -> str:
        return CODE

    def gettext(self, message: str) -> str:
        self.asked.add(message)
        return wide(message.rpartition(trans_real.CONTEXT_SEPARATOR)[2])

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        self.asked.add(singular)
        return wide((singular if number == 1 else plural).rpartition(trans_real.CONTEXT_SEPARATOR)[2])


def wide(words: str) -> str:
    return "".join(part if KEPT.fullmatch(part) else part.translate(WIDE) for part in KEPT.split(words))


@contextmanager
def spoken() -> Iterator[Catalogue]:
    """The language exists, and can be chosen for an invoice."""
    catalogue = Catalogue()
    before = trans_real._translations.get(CODE)
    trans_real._translations[CODE] = catalogue
    try:
        with override_settings(LANGUAGES=[*settings.LANGUAGES, (CODE, "wide")]):
            trans_real._translations[CODE] = catalogue  # a changed setting empties it
            yield catalogue
    finally:
        trans_real._translations.pop(CODE, None)
        if before is not None:
            trans_real._translations[CODE] = before


def bare(text: str) -> set[str]:
    """The Latin words of a plain text that no translator ever saw."""
    return {word for word in WORD.findall(PLACES.sub(" ", text)) if word not in SAME}


def bare_in_page(page: str) -> set[str]:
    """The same of HTML: of its text, and of what is read or shown from its attributes."""
    page = re.sub(r"<(script|style|svg)\b.*?</\1>|<!--.*?-->|<span class=\"address-group.*?</span>", " ", page, flags=re.DOTALL)
    spoken_attributes = SPOKEN.findall(page)
    visible = re.sub(r"<[^>]+>", " ", page)
    return bare(html.unescape(" ".join([visible, *spoken_attributes])))
