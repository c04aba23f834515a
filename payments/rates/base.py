"""The contract of a price source."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from merchants.assets import Asset

MAX_AGE = timedelta(minutes=10)


@dataclass(frozen=True)
class Rate:
    """`value` is the price of one whole asset in `currency`; `at` is when the source said so."""

    value: Decimal
    currency: str
    source: str
    at: datetime


class RateSource(Protocol):
    name: str

    def rate(self, asset: Asset, currency: str, *, now: datetime) -> Rate | None:
        """The latest known price, or None. Never asks the network: prices are fetched by beat and stored."""


class NoRate(Exception):
    """There is no usable price now; the text says for what."""
