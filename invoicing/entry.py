"""What people type into an invoice's cells, read and written back. Pure.

Every reader takes text and returns ints in the units of `invoicing.totals`, or raises `NotAnAmount` with a
sentence that says how to mend it. Every `…_text` is its reader's inverse.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from invoicing.money import MAX_MINOR, NotAnAmount, digits, format_minor, parse_minor, parse_scaled, plain
from invoicing.totals import PERCENT_SCALE, QUANTITY_SCALE

MAX_QUANTITY_E4 = 10**9 * QUANTITY_SCALE
PERCENT_PLACES = 4
_COMMA_AS_POINT = re.compile(r"-?\d+,(\d{1,2}|\d{4,8})")
_TAX = re.compile(r"(?:(?P<spaced>.*\S)\s+|(?P<joined>.*[^\s\d.,%]))?(?P<rate>\d[\d.,]*)\s*%?\Z")


def _number(text: str, places: int) -> int:
    """As parse_scaled; says so where a comma stands in a point's place."""
    written = text.strip()
    if _COMMA_AS_POINT.fullmatch(written):
        raise NotAnAmount(_("Write the decimals after a point: %(example)s.") % {"example": written.replace(",", ".")})
    return parse_scaled(written, places)


def quantity(text: str) -> int:
    """'1.5' → 15000. Above zero, up to 4 decimals."""
    try:
        value = _number(text, 4)
    except NotAnAmount as error:
        if "digits after the point" in str(error):
            raise NotAnAmount(_("Write at most 4 digits after the point.")) from None
        raise
    if value <= 0:
        raise NotAnAmount(_("Write a quantity above zero."))
    if value > MAX_QUANTITY_E4:
        raise NotAnAmount(_("Write a quantity of at most 1,000,000,000."))
    return value


def quantity_text(value_e4: int) -> str:
    return _trimmed(value_e4, 4)


def price(text: str, currency: str) -> int:
    """'1,250.00' EUR → 125000. Zero or more."""
    value = _amount(text, currency)
    if value < 0:
        raise NotAnAmount(_("A price is zero or more. To take something off, use the discount."))
    if value > MAX_MINOR:
        raise NotAnAmount(
            _("This is more than an invoice can hold, %(most)s %(currency)s.") % {"most": format_minor(MAX_MINOR, currency), "currency": currency}
        )
    return value


def price_text(minor: int, currency: str) -> str:
    return format_minor(minor, currency)


def _amount(text: str, currency: str) -> int:
    _number(text, 40)  # refuses what is no number, and a comma for a point, before the currency is asked
    try:
        return parse_minor(text, currency)
    except NotAnAmount as error:
        if "too many digits" in str(error):
            raise NotAnAmount(
                _("%(currency)s has %(digits)s digits after the point. Write at most that many.") % {"currency": currency, "digits": digits(currency)}
            ) from None
        raise


def discount(text: str, currency: str) -> tuple[int, int]:
    """'10 %' → (100000, 0); '50.00' EUR → (0, 5000); nothing or a dash → (0, 0)."""
    written = text.strip()
    if written in ("", "-", "–", "—"):
        return 0, 0
    if not written.endswith("%"):
        return 0, _not_negative(_amount_or(written, currency))
    try:
        rate = _number(written[:-1], PERCENT_PLACES)
    except NotAnAmount:
        raise NotAnAmount(_("Write 10 % or an amount.")) from None
    if not 0 <= rate <= PERCENT_SCALE:
        raise NotAnAmount(_("Write a discount from 0 % to 100 %."))
    return rate, 0


def _amount_or(text: str, currency: str) -> int:
    try:
        return _amount(text, currency)
    except NotAnAmount as error:
        if "not a number" in str(error):
            raise NotAnAmount(_("Write 10 % or an amount.")) from None
        raise


def _not_negative(minor: int) -> int:
    if minor < 0:
        raise NotAnAmount(_("Write the discount without a minus."))
    if minor > MAX_MINOR:
        raise NotAnAmount(_("This discount is more than an invoice can hold."))
    return minor


def discount_text(rate_e4: int, minor: int, currency: str) -> str:
    if rate_e4:
        return f"{_trimmed(rate_e4, PERCENT_PLACES)} %"
    return format_minor(minor, currency) if minor else ""


def tax(text: str) -> tuple[str, int]:
    """'VAT 23 %' → ('VAT', 230000); '23 %' → ('Tax', 230000); nothing or a dash → ('', 0)."""
    written = " ".join(text.split())
    if written in ("", "-", "–", "—"):
        return "", 0
    found = _TAX.match(written)
    name = ((found["spaced"] or found["joined"] or "") if found else "").strip()
    if found is None or (name and not any(letter.isalpha() for letter in name)):
        raise NotAnAmount(_("Write it like VAT 23 %."))
    if len(name) > 40:
        raise NotAnAmount(_("Name this tax in at most 40 letters."))
    try:
        rate = _number(found["rate"], PERCENT_PLACES)
    except NotAnAmount:
        raise NotAnAmount(_("Write it like VAT 23 %.")) from None
    if rate > PERCENT_SCALE:
        raise NotAnAmount(_("Write a tax of at most 100 %."))
    return name or _("Tax"), rate


def tax_text(name: str, rate_e4: int) -> str:
    if not name and not rate_e4:
        return ""
    rate = f"{_trimmed(rate_e4, PERCENT_PLACES)} %"
    return rate if name in ("", _("Tax")) else f"{name} {rate}"


def _trimmed(value: int, places: int) -> str:
    text = plain(value, places)
    return text.rstrip("0").rstrip(".") if "." in text else text


def moment(day: date, at: time, zone: str) -> datetime:
    """The aware UTC time that a wall clock in `zone` calls `day` `at`.

    A time that daylight saving skips moves forward by the gap; one that it repeats is the first of the two. Both
    are what `fold=0` means in PEP 495.
    """
    return datetime.combine(day, at.replace(fold=0), ZoneInfo(zone)).astimezone(UTC)
