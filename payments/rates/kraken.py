"""Kraken's public ticker (https://docs.kraken.com/api/docs/rest-api/get-ticker-information).

An exchange with names of its own: Bitcoin is XBT, Dogecoin XDG, and a pair asked for as XBTUSD is answered as XXBTZUSD.
It gives no time. Errors come with HTTP 200, and one unknown pair spoils the whole question.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from payments.rates import figures
from payments.rates.base import Pair, Prices, Quoted, SourceFailed, Wanted
from payments.rates.web import Web

PATH = "/0/public/Ticker"
CODES = {"BTC": "XBT", "DOGE": "XDG"}
# What is traded there in more than dollars and euros.
TRADED = {
    "BTC": ("USD", "EUR", "GBP", "CAD", "AUD", "CHF", "JPY"),
    "ETH": ("USD", "EUR", "GBP", "CAD", "AUD", "CHF", "JPY"),
    "USDT": ("USD", "EUR", "GBP", "CAD", "AUD", "CHF", "JPY"),
    "USDC": ("USD", "EUR", "GBP", "CAD", "AUD", "CHF"),
    "LTC": ("USD", "EUR", "GBP"),
}
USUAL = ("USD", "EUR")
FIAT: tuple[Pair, ...] = (
    *(("EUR", "USD"), ("GBP", "USD"), ("AUD", "USD"), ("USD", "CAD"), ("USD", "CHF"), ("USD", "JPY")),
    *(("EUR", "GBP"), ("EUR", "AUD"), ("EUR", "CAD"), ("EUR", "CHF"), ("EUR", "JPY")),
)
WIDEST = Decimal("1.03")  # of ask over bid: a wider book has no price


class UnknownPair(SourceFailed):
    """One of the pairs asked for is not traded there; the answer does not say which."""


def spelling(pair: Pair) -> str:
    """As it is asked for: ('BTC', 'USD') → 'XBTUSD'."""
    return CODES.get(pair[0], pair[0]) + pair[1]


def parse(body: bytes, pairs: Iterable[Pair]) -> Prices:
    """The prices of those of `pairs` that the answer has, whichever way it spells them."""
    found = figures.load(body, Kraken.label)
    _refuse_errors(found.get("error"))
    result = found.get("result")
    rows = result if isinstance(result, dict) else {}
    known = {name: pair for pair in pairs for name in _spellings(pair)}
    prices = {known[name]: _price(row) for name, row in rows.items() if name in known}
    return {pair: value for pair, value in prices.items() if value is not None}


def _refuse_errors(errors: Any) -> None:
    for error in errors if isinstance(errors, list) else []:
        text = str(error)[:80]
        if text.startswith("E"):  # warnings begin with W, and come beside a result
            kind = UnknownPair if text.startswith("EQuery:Unknown asset pair") else SourceFailed
            raise kind(_("Kraken refused: %(error)s.") % {"error": text})


def _spellings(pair: Pair) -> set[str]:
    name, currency = pair
    code = CODES.get(name, name)
    return {one + other for one in (code, f"X{code}", f"Z{code}", name) for other in (currency, f"Z{currency}")}


def _price(row: Any) -> Decimal | None:
    """The last trade; where the book has moved on since, the side of it that is nearest. None where it is wide or crossed."""
    if not isinstance(row, dict):
        return None
    ask, bid, last = (figures.price(cell[0]) if isinstance(cell := row.get(key), list) and cell else None for key in "abc")
    if ask is None or bid is None or last is None or not bid <= ask <= bid * WIDEST:
        return None
    return sorted((bid, last, ask))[1]


class Kraken:
    label = "Kraken"
    url = "https://api.kraken.com"

    def ask(self, web: Web, wanted: Wanted, *, now: datetime) -> list[Quoted]:
        groups = self._groups(wanted)
        everything = [pair for pairs in groups for pair in pairs]
        try:
            prices = self._get(web, everything)
        except UnknownPair:
            prices = self._one_by_one(web, groups)
        inverted = {(other, name): figures.inverse(value) for (name, other), value in prices.items() if (name, other) in FIAT}
        asked_for = set(wanted.pairs())
        return [
            Quoted(self.label, name, currency, value, now)
            for (name, currency), value in (prices | inverted).items()
            if value is not None and (name, currency) in asked_for
        ]

    @staticmethod
    def _groups(wanted: Wanted) -> list[list[Pair]]:
        """The pairs of each name, and those of currencies."""
        named = [[(name, currency) for currency in TRADED.get(name, USUAL) if currency in wanted.currencies] for name in wanted.names]
        asked_for = set(wanted.pairs())
        fiat = [pair for pair in FIAT if pair in asked_for or pair[::-1] in asked_for]
        return [pairs for pairs in (*named, fiat) if pairs]

    @staticmethod
    def _get(web: Web, pairs: list[Pair]) -> Prices:
        return parse(web.get(PATH, pair=",".join(map(spelling, pairs))), pairs) if pairs else {}

    def _one_by_one(self, web: Web, groups: list[list[Pair]]) -> Prices:
        """So that a name which is not traded there loses only itself."""
        found: Prices = {}
        for pairs in groups:
            try:
                found |= self._get(web, pairs)
            except UnknownPair:
                continue
        return found
