"""What an asset is worth now: no rate is better than a wrong one."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from merchants.assets import Asset
from payments.rates.base import MAX_AGE, NoRate, Rate, RateSource
from payments.rates.sandbox import FixedRates

__all__ = ["MAX_AGE", "NoRate", "Rate", "RateSource", "current", "sources"]

# rail → its price sources, first come first asked
sources: dict[str, list[RateSource]] = {"sandbox": [FixedRates()]}


def current(asset: Asset, currency: str, *, now: datetime) -> Rate:
    """The price of one whole `asset` in `currency`: above zero, not older than MAX_AGE, else NoRate."""
    for source in sources.get(asset.network.rail, []):
        found = source.rate(asset, currency, now=now)
        if found is not None and found.value.is_finite() and found.value > 0 and now - found.at <= MAX_AGE:
            return found
    raise NoRate(_("There is no price for %(asset)s in %(currency)s now.") % {"asset": asset.symbol, "currency": currency})
