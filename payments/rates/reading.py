"""What stands in the database, read: the market's price of an asset, and the one a merchant's quotes use.

Reading asks no source and decides nothing; that is `gathering`'s, once a minute.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import NamedTuple

from django.utils.translation import gettext as _

from invoicing.money import digits, to_decimal
from merchants.assets import Asset
from merchants.models import Merchant
from payments.models import PastPrices, Price
from payments.rates.base import MAX_AGE, NoRate, Rate, RateSource
from payments.rates.sandbox import PRECISION as SANDBOX
from payments.rates.sandbox import USD_PER_UNIT, FixedRates

WIDE = Context(prec=100)
ONE = Decimal(1)
PAR = "1:1"
HUNDRED_PERCENT_E4 = 10**6

# rail → its own price sources, first come first asked; every other rail's assets have the stored prices
sources: dict[str, list[RateSource]] = {"sandbox": [FixedRates()]}


class Want(NamedTuple):
    """What `asset` is to be priced by: a name of the stored prices, at par (a stablecoin as one of its currency) or not."""

    asset: Asset
    name: str
    is_par: bool


def current(asset: Asset, currency: str, *, now: datetime) -> Rate:
    """The market's price of one whole `asset` in `currency` at `now`: above zero, within MAX_AGE of it, else NoRate.

    `now` may be a moment of the last 40 days. One query for the present, two for the past.
    """
    return _or_refuse(_found([Want(asset, asset.price, False)], currency, now)[asset.id], asset, currency)


def for_merchant(merchant: Merchant, asset: Asset, currency: str, *, now: datetime) -> Rate:
    """The price that `merchant` counts with: a stablecoin at par where it says so, less its spread. NoRate as for `current`."""
    return _or_refuse(all_for_merchant(merchant, [asset], currency, now=now)[asset.id], asset, currency)


def all_for_merchant(merchant: Merchant, assets: Iterable[Asset], currency: str, *, now: datetime) -> dict[str, Rate | None]:
    """`for_merchant` of many assets by their ids, in as many queries as of one. None where there is no price."""
    wanted = []
    for asset in assets:
        is_par = bool(merchant.stable_at_par and asset.peg)
        wanted.append(Want(asset, asset.peg if is_par else asset.price, is_par))
    return {asset_id: rate and less_spread(rate, merchant.spread_e4) for asset_id, rate in _found(wanted, currency, now).items()}


def for_refund(merchant: Merchant, asset: Asset, currency: str, *, now: datetime) -> Rate:
    """The price at which `merchant` gives money back: as `for_merchant`, without its spread. NoRate as for `current`."""
    is_par = bool(merchant.stable_at_par and asset.peg)
    want = Want(asset, asset.peg if is_par else asset.price, is_par)
    return _or_refuse(_found([want], currency, now)[asset.id], asset, currency)


def in_usd(minor: int, currency: str, *, now: datetime) -> Decimal | None:
    """What an amount in the minor unit of `currency` is worth in whole USD; None without a rate. Rounded to 100 digits."""
    amount = to_decimal(minor, digits(currency))
    if currency == "USD":
        return amount
    rate = _stored({"USD"}, currency, now).get("USD")
    return WIDE.divide(amount, rate.value) if rate else None


def per_usd(merchant: Merchant, currency: str, *, now: datetime) -> str | None:
    """How much of `currency` one US dollar is, as decimal text; of a test merchant at the sandbox's prices. None without a rate."""
    if currency == "USD":
        return "1"
    if merchant.is_test:
        return format(SANDBOX.divide(ONE, USD_PER_UNIT[currency]), "f") if currency in USD_PER_UNIT else None
    rate = _stored({"USD"}, currency, now).get("USD")
    return format(rate.value, "f") if rate else None


def less_spread(rate: Rate, spread_e4: int) -> Rate:
    """`rate` lowered by `spread_e4` (in 0.0001 %), exactly, so that the payer is asked for that much more; the source says so."""
    if not spread_e4:
        return rate
    percent = format(to_decimal(spread_e4, 4).normalize(WIDE), "f")
    value = WIDE.multiply(rate.value, to_decimal(HUNDRED_PERCENT_E4 - spread_e4, 6))
    return Rate(value, rate.currency, f"{rate.source} − {percent} %", rate.at)


def no_rate(asset: Asset, currency: str) -> str:
    """For payers."""
    return _("There is no price for %(asset)s in %(currency)s now.") % {"asset": asset.symbol, "currency": currency}


def _or_refuse(rate: Rate | None, asset: Asset, currency: str) -> Rate:
    if rate is None:
        raise NoRate(no_rate(asset, currency))
    return rate


def _found(wanted: Iterable[Want], currency: str, now: datetime) -> dict[str, Rate | None]:
    wanted = list(wanted)
    names = {want.name for want in wanted if want.is_par or want.asset.network.rail not in sources} - {currency}
    stored = _stored(names, currency, now) if names else {}
    return {want.asset.id: _one(want, currency, stored, now) for want in wanted}


def _one(want: Want, currency: str, stored: dict[str, Rate], now: datetime) -> Rate | None:
    if want.is_par:
        return _at_par(want.name, currency, stored, now)
    if want.asset.network.rail not in sources:
        return stored.get(want.name)
    for source in sources[want.asset.network.rail]:
        found = source.rate(want.asset, currency, now=now)
        if found is not None and _is_good(found) and now - found.at <= MAX_AGE:
            return found
    return None


def _at_par(peg: str, currency: str, stored: dict[str, Rate], now: datetime) -> Rate | None:
    if peg == currency:
        return Rate(ONE, currency, PAR, now)
    cross = stored.get(peg)
    return cross and Rate(cross.value, currency, f"{PAR} × {cross.source}", cross.at)


def _stored(names: set[str], currency: str, now: datetime) -> dict[str, Rate]:
    """By name. A refused or old price is none; where the stored one is from after `now`, the nearest of that time."""
    found: dict[str, Rate] = {}
    later: dict[str, Price] = {}
    for row in Price.objects.filter(name__in=names, currency=currency):
        if row.at > now:
            later[row.name] = row
        elif not row.refused:
            found[row.name] = Rate(Decimal(row.value), currency, row.source, row.at)
    if later:
        found |= _nearest(later, currency, now)
    return {name: rate for name, rate in found.items() if _is_good(rate) and abs(now - rate.at) <= MAX_AGE}


def _nearest(later: dict[str, Price], currency: str, now: datetime) -> dict[str, Rate]:
    """By name, of what was kept within MAX_AGE of `now`, before or after it."""
    candidates = {row.name: [Rate(Decimal(row.value), currency, row.source, row.at)] for row in later.values() if not row.refused}
    for past in PastPrices.objects.filter(name__in=later, at__range=(now - MAX_AGE, now + MAX_AGE)):
        if currency in past.values:
            value, source = past.values[currency]
            candidates.setdefault(past.name, []).append(Rate(Decimal(value), currency, source, past.at))
    return {name: min(rates, key=lambda rate: _distance(rate, now)) for name, rates in candidates.items()}


def _distance(rate: Rate, now: datetime) -> timedelta:
    return abs(now - rate.at)


def _is_good(rate: Rate) -> bool:
    return rate.value.is_finite() and rate.value > 0
