"""Many quotes → one price, or the reason why none. Pure.

Two or more: the median of those that agree; one that stands apart from two others is left out. One alone: it is believed
as long as it does not jump. A jump that two sources agree on is a real one, and passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context, Decimal

from django.utils.translation import gettext as _

from payments.rates import figures
from payments.rates.base import MAX_AGE, Quoted

APART_E2 = 3  # percent: sources further apart than this, measured on the lower one, do not agree
JUMP_E2 = 15  # percent: a move beyond this against the last good price needs a second source
REFERENCE_DAYS = 5  # a central bank's rate holds over a weekend and its holidays
AHEAD = timedelta(minutes=2)  # how far another clock may be ahead of ours
SHORT = Context(prec=8)
WIDE = Context(prec=100)


@dataclass(frozen=True)
class Agreed:
    """`at` is when the oldest of the sources used said so; `count` how many there were."""

    value: Decimal
    source: str
    at: datetime
    count: int


@dataclass(frozen=True)
class Refused:
    """`reason` is a sentence for operators. `is_silence`: nobody contradicts the last good price, there is just no new one.
    `is_jump`: one source alone says something else than the last good price, and needs a second."""

    reason: str
    is_silence: bool = False
    is_jump: bool = False


def decide(quotes: Iterable[Quoted], *, last: Decimal | None, now: datetime) -> Agreed | Refused:
    """The price that `quotes` of one pair agree on. `last` is the last good one, None before the first."""
    quotes = list(quotes)
    fresh = [quote for quote in quotes if is_fresh(quote, now)]
    usable = [quote for quote in fresh if not quote.is_reference] or [quote for quote in fresh if quote.is_reference]
    if not usable:
        return Refused(_silence(quotes, now), is_silence=True)
    group = usable if len(usable) == 1 else _agreeing(usable)
    if not group:
        return Refused(_("The sources do not agree: %(prices)s.") % {"prices": _listed(usable)})
    value = figures.within(_median(group))
    if value is None:
        return Refused(_("%(prices)s is no price.") % {"prices": _listed(group)})
    at = min(now if quote.is_reference else min(quote.at, now) for quote in group)
    return _unless_jump(Agreed(value, ", ".join(quote.source for quote in group), at, len(group)), last)


def crossed(price: Agreed, cross: Agreed) -> Agreed | Refused:
    """A price in one currency, and what that currency is worth in the one wanted. Neither was a jump of one source alone."""
    value = figures.product(price.value, cross.value)
    if value is None:
        return Refused(_("%(one)s × %(other)s is no price.") % {"one": _short(price.value), "other": _short(cross.value)})
    return Agreed(value, f"{price.source} × {cross.source}", min(price.at, cross.at), min(price.count, cross.count))


def is_fresh(quote: Quoted, now: datetime) -> bool:
    """Not older than its kind may be, nor of a time that is still to come."""
    if quote.is_reference:
        return 0 <= (now.date() - quote.at.date()).days <= REFERENCE_DAYS
    return -AHEAD <= now - quote.at <= MAX_AGE


def close(one: Decimal, other: Decimal) -> bool:
    """Whether they differ by no more than 3 % of the lower one."""
    low, high = sorted((one, other))
    return WIDE.multiply(high, Decimal(100)) <= WIDE.multiply(low, Decimal(100 + APART_E2))


def jumps(value: Decimal, last: Decimal) -> bool:
    """Whether `value` is more than 15 % of `last` away from it, up or down."""
    moved = WIDE.abs(WIDE.subtract(value, last))
    return WIDE.multiply(moved, Decimal(100)) > WIDE.multiply(last, Decimal(JUMP_E2))


def _agreeing(quotes: Sequence[Quoted]) -> list[Quoted]:
    """The largest group around one of them, in their own order; none when it is only one, or when two groups are as large."""
    groups = [tuple(other for other in quotes if close(quote.value, other.value)) for quote in quotes]
    most = max(map(len, groups))
    largest = {group for group in groups if len(group) == most}
    return list(largest.pop()) if most > 1 and len(largest) == 1 else []


def _median(quotes: Sequence[Quoted]) -> Decimal:
    """Of an even number: the middle between the two in the middle."""
    values = sorted(quote.value for quote in quotes)
    half = len(values) // 2
    return values[half] if len(values) % 2 else WIDE.divide(WIDE.add(values[half - 1], values[half]), Decimal(2))


def _unless_jump(found: Agreed, last: Decimal | None) -> Agreed | Refused:
    if last is None or found.count > 1 or not jumps(found.value, last):
        return found
    names = {"source": found.source, "value": _short(found.value), "last": _short(last)}
    return Refused(_("%(source)s alone says %(value)s, after %(last)s. A second source has to agree.") % names, is_jump=True)


def _silence(quotes: Sequence[Quoted], now: datetime) -> str:
    if not quotes:
        return _("No source has a price.")
    latest = max(quotes, key=lambda quote: quote.at)
    if latest.at > now + AHEAD:
        return _("%(source)s gives a time that is still to come.") % {"source": latest.source}
    return _("The newest price, of %(source)s, is too old.") % {"source": latest.source}


def _listed(quotes: Sequence[Quoted]) -> str:
    return ", ".join(f"{quote.source} {_short(quote.value)}" for quote in quotes)


def _short(value: Decimal) -> str:
    return format(SHORT.plus(value).normalize(SHORT), "f")
