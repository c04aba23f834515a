"""Money at the edges: minor units inside, text and Decimal outside.

A fiat amount is an int of the currency's minor unit (ISO 4217: 2 digits for EUR, 0 for JPY, 3 for KWD); an asset
amount is an int of the asset's smallest unit. Nothing here rounds but `floor_ratio` and `half_up`, which say so.
"""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from functools import lru_cache

from babel.numbers import format_decimal, get_currency_name, get_currency_precision

from merchants.moments import locale_of

_WRITTEN = re.compile(r"(?P<sign>[+-]?)(?P<whole>[0-9]{1,3}(?P<gap>[ ,])[0-9]{3}(?:(?P=gap)[0-9]{3})*|[0-9]*)(?:\.(?P<fraction>[0-9]*))?")
MAX_MINOR = 10**15 - 1  # what an invoice may be about; far inside a bigint


class NotAnAmount(ValueError):
    """The text is not an amount of this currency; the message says why, for people."""


@lru_cache(maxsize=256)
def digits(currency: str) -> int:
    """How many digits the minor unit of `currency` has (ISO 4217, by CLDR)."""
    return get_currency_precision(currency)


def currency_name(currency: str, language: str = "en") -> str:
    return get_currency_name(currency, locale=locale_of(language))


def half_up(numerator: int, denominator: int) -> int:
    """numerator / denominator, rounded to a whole number, halves up. Both are non-negative."""
    return (2 * numerator + denominator) // (2 * denominator)


def ceil_ratio(numerator: int, denominator: int) -> int:
    """numerator / denominator, rounded up."""
    return -(-numerator // denominator)


def to_decimal(units: int, places: int) -> Decimal:
    """The exact Decimal of a count of units of 10^−places; independent of the decimal context's precision."""
    sign, text = (1, str(-units)) if units < 0 else (0, str(units))
    return Decimal((sign, tuple(int(digit) for digit in text), -places))


def plain(units: int, places: int) -> str:
    """For machines: '4280.40', '−' as '-', no grouping, never an exponent."""
    return format(to_decimal(units, places), "f")


def grouped(units: int, places: int, language: str = "en", *, trim: bool = False, minimum: int = 0) -> str:
    """For people: '4,280.40' in the reader's grouping; a minus is U+2212.

    `trim` drops trailing zeros of the fraction down to `minimum` digits ('0.04512000' → '0.04512').
    """
    shown = places
    while trim and shown > minimum and units % 10 == 0:
        units //= 10
        shown -= 1
    pattern = "#,##0" + ("." + "0" * shown if shown else "")
    with localcontext(prec=100):  # Babel rounds in the context, and the usual 28 digits end before 2^256 does
        text = format_decimal(to_decimal(abs(units), shown), format=pattern, locale=locale_of(language), decimal_quantization=False)
    return f"\N{MINUS SIGN}{text}" if units < 0 else text


def format_minor(minor: int, currency: str, language: str = "en") -> str:
    """'4,280.40' (the code stands beside it, in its own element)."""
    return grouped(minor, digits(currency), language)


def parse_scaled(text: str, places: int) -> int:
    """'1,250.50' or '1250.5' with 2 places → 125050. NotAnAmount for anything else, or for more digits than `places`.

    A comma or a space stands between thousands only, so that '12,50' is refused and never read as 1250. Digits are
    0 to 9; there is no exponent.
    """
    written = _WRITTEN.fullmatch(text.strip().replace("\N{MINUS SIGN}", "-").replace("\u00a0", " ").replace("\u202f", " "))
    whole, fraction = (re.sub("[ ,]", "", written["whole"]), written["fraction"] or "") if written else ("", "")
    if written is None or not (whole or fraction):
        raise NotAnAmount("This is not a number. Write it like 1250.50.")
    if len(whole) + len(fraction) > 40:
        raise NotAnAmount("This number is too large.")
    if len(fraction) > places:
        if places == 0:
            raise NotAnAmount("This takes whole numbers only.")
        raise NotAnAmount(f"This has too many digits after the point; {places} at most.")
    return int(written["sign"] + (whole + fraction.ljust(places, "0") or "0"))


def parse_minor(text: str, currency: str) -> int:
    """'1,250.00' EUR → 125000. NotAnAmount with a sentence that names the currency's digits."""
    try:
        return parse_scaled(text, digits(currency))
    except NotAnAmount as error:
        if "whole numbers" in str(error):
            raise NotAnAmount(f"{currency} has no digits after the point. Write a whole number.") from None
        raise
