"""Several things in one phrase, as the reader's language has it: CLDR's list patterns."""

from __future__ import annotations

from collections.abc import Iterable

from babel.lists import format_list
from django.utils.translation import get_language

from merchants.moments import locale_of


def any_of(words: Iterable[str]) -> str:
    """'USDT, USDC or ETH'; empty for none."""
    return str(format_list(list(words), "or", _locale()))


def all_of(words: Iterable[str]) -> str:
    """'Ethereum, Polygon and Base'; empty for none."""
    return str(format_list(list(words), "standard", _locale()))


def _locale() -> str:
    """English without a comma before the last one."""
    locale = str(locale_of(get_language() or "en"))
    return "en_GB" if locale == "en" else locale
