"""Figures as others write them. Whatever is not plainly a price is none."""

from __future__ import annotations

import json
import re
from decimal import Context, Decimal
from typing import Any

from django.utils.translation import gettext as _

from payments.rates.base import SourceFailed

PRECISION = Context(prec=18)  # significant digits that are kept, halves to even
LEAST, MOST = Decimal("0.000000000001"), Decimal(1_000_000_000_000)
PLAIN = re.compile(r"[0-9]{1,13}(?:\.[0-9]{1,60})?")
ONE = Decimal(1)


class Figure(str):
    """A number of a JSON text as it was written: never a float in between."""

    __slots__ = ()


def load(body: bytes, source: str) -> dict[str, Any]:
    """The object that `body` is, its numbers as `Figure`. SourceFailed for anything else, such as a page of HTML."""
    try:
        found = json.loads(body, parse_float=Figure, parse_int=Figure, parse_constant=Figure)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise SourceFailed(_("%(source)s answered with something that is not its format.") % {"source": source})
    return found


def price(written: object) -> Decimal | None:
    """The price that a text or a `Figure` is: digits with at most one point, above zero, of a size that a price can have.
    An exponent, a sign, a space or a name such as NaN makes it none."""
    if not isinstance(written, str) or not PLAIN.fullmatch(written):
        return None
    return within(Decimal(written))


def within(value: Decimal) -> Decimal | None:
    """`value` with the digits that are kept; None when it is too small or too large to be a price."""
    value = PRECISION.plus(value)
    return value if LEAST <= value <= MOST else None


def inverse(value: Decimal) -> Decimal | None:
    return within(PRECISION.divide(ONE, value))


def product(one: Decimal, other: Decimal) -> Decimal | None:
    return within(PRECISION.multiply(one, other))
