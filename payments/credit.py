"""What a transfer counts for in the invoice's currency. Pure; decided once per transfer and then stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from invoicing.money import MAX_MINOR
from merchants.models import LatePolicy
from payments.rates import Rate

MOVED_E4 = 20_000  # 2 %: a late payment keeps the locked rate while the price moved less than this
SCALE = 10**6
DUST = "dust"  # too little to count, or to ask anybody about


@dataclass(frozen=True)
class Offer:
    """A quote of the same asset at the same address."""

    id: int
    units: int
    fiat_minor: int
    rate: Rate
    created_at: datetime
    locked_until: datetime


@dataclass(frozen=True)
class Credit:
    """`minor` is None while the merchant has to decide (`is_held`), and for DUST. `offer` is the quote it answers, or answered
    too late."""

    minor: int | None
    reason: str  # exact, pro_rata, late_locked, late_rate, no_quote, held, dust
    offer: Offer | None = None
    rate: Rate | None = None
    is_late: bool = False

    @property
    def is_held(self) -> bool:
        return self.minor is None and self.reason != DUST


def at_offer(units: int, offer: Offer) -> int:
    """Exactly the quote for exactly its amount; more or less: pro rata, floored."""
    return offer.fiat_minor if units == offer.units else units * offer.fiat_minor // offer.units


def at_rate(units: int, rate: Decimal, *, decimals: int, digits: int) -> int:
    """`units` of the asset at `rate` (currency per whole asset), in the currency's minor unit, floored."""
    top, bottom = rate.as_integer_ratio()
    return units * top * 10**digits // (bottom * 10**decimals)


def units_at(minor: int, rate: Decimal, *, decimals: int, digits: int) -> int:
    """The other way round: `minor` at `rate`, in the asset's smallest unit, floored."""
    top, bottom = rate.as_integer_ratio()
    return minor * bottom * 10**decimals // (top * 10**digits)


def moved_little(locked: Decimal, current: Decimal) -> bool:
    """Whether the price moved less than 2 % of the locked one, up or down."""
    return abs(current - locked) * SCALE < locked * MOVED_E4


def decide(
    units: int,
    *,
    arrived_at: datetime,
    offers: Sequence[Offer],
    grace: timedelta,
    policy: str,
    current: Rate | None,
    decimals: int,
    digits: int,
) -> Credit:
    """The credit of `units` that arrived at `arrived_at` (the earlier of first seen and block time).

    In time is within a quote's lock plus the network's grace. Among the quotes in time the one asked for exactly this
    amount wins, else the newest that was there when it arrived. Late: by `policy`; without a usable price held for the
    merchant, never 0. A value no invoice could have (above MAX_MINOR) is held too. `current` is the price of that time;
    `digits` those of the currency's minor unit.
    """
    found = _valued(units, arrived_at, offers, grace, policy, current, decimals, digits)
    return found if found.minor is None or found.minor <= MAX_MINOR else Credit(None, "held", found.offer, is_late=found.is_late)


def _valued(
    units: int, arrived_at: datetime, offers: Sequence[Offer], grace: timedelta, policy: str, current: Rate | None, decimals: int, digits: int
) -> Credit:
    in_time = [offer for offer in offers if arrived_at <= offer.locked_until + grace]
    if in_time:
        best = _best(units, in_time, arrived_at)
        return Credit(at_offer(units, best), "exact" if units == best.units else "pro_rata", best, best.rate)
    is_late = bool(offers)
    offer = _best(units, offers, arrived_at) if offers else None
    if policy == LatePolicy.HOLD or current is None:
        return Credit(None, "held", offer, is_late=is_late)
    if offer and moved_little(offer.rate.value, current.value):
        return Credit(at_offer(units, offer), "late_locked", offer, offer.rate, is_late=True)
    minor = at_rate(units, current.value, decimals=decimals, digits=digits)
    return Credit(minor, "late_rate" if offer else "no_quote", offer, current, is_late=is_late)


def _best(units: int, offers: Sequence[Offer], arrived_at: datetime) -> Offer:
    """A quote made after the money arrived (it was seen late, and asked for again) is not what was paid, unless the amount
    says so: a block's own time can be early."""
    newest_first = sorted(offers, key=lambda offer: (offer.created_at, offer.id), reverse=True)
    usual = next((offer for offer in newest_first if offer.created_at <= arrived_at), newest_first[0])
    return next((offer for offer in newest_first if offer.units == units), usual)
