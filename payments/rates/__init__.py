"""What an asset is worth: no rate is better than a wrong one.

`refresh` asks the sources and stores what they agree on; everything else here reads.
"""

from __future__ import annotations

from payments.rates.base import MAX_AGE, NoRate, Rate, RateSource
from payments.rates.gathering import forget, refresh
from payments.rates.reading import all_for_merchant, current, for_merchant, for_refund, in_usd, no_rate, per_usd, sources

__all__ = [
    "MAX_AGE",
    "NoRate",
    "Rate",
    "RateSource",
    "all_for_merchant",
    "current",
    "for_merchant",
    "for_refund",
    "forget",
    "in_usd",
    "no_rate",
    "per_usd",
    "refresh",
    "sources",
]
