"""The contract of a price source.

There are two kinds. A `RateSource` knows its prices by itself, as the sandbox's does. A `Feed` is asked over the network,
once a minute and never while somebody waits; what several of them agree on is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from merchants.assets import Asset

if TYPE_CHECKING:
    from payments.rates.web import Web

MAX_AGE = timedelta(minutes=10)

Pair = tuple[str, str]  # what is priced (an asset as price sources know it, or a currency), and in which currency
Prices = dict[Pair, Decimal]


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
        """The latest known price, or None. Never asks the network."""


class NoRate(Exception):
    """There is no usable price now; the text says for what."""


@dataclass(frozen=True)
class Wanted:
    """What a feed is asked for: the price of each of `names` and of each of `fiats` in each of `currencies`."""

    names: tuple[str, ...]
    fiats: tuple[str, ...]
    currencies: tuple[str, ...]

    def pairs(self) -> list[Pair]:
        return [(name, currency) for name in (*self.names, *self.fiats) for currency in self.currencies if name != currency]


@dataclass(frozen=True)
class Quoted:
    """What one feed says one of `name` is worth in `currency`. `at` is the source's own time, or when it was asked."""

    source: str
    name: str
    currency: str
    value: Decimal
    at: datetime
    is_reference: bool = False  # fixed once a working day, and holding until the next


class SourceFailed(Exception):
    """A source gave no usable answer; the text says why, for operators. `is_away`: nor would it answer another question."""

    def __init__(self, text: str, *, is_away: bool = False) -> None:
        super().__init__(text)
        self.is_away = is_away


class Feed(Protocol):
    label: str  # as people know it
    url: str  # where it is asked, unless RATE_SOURCES names another place

    def ask(self, web: Web, wanted: Wanted, *, now: datetime) -> list[Quoted]:
        """What it has of `wanted`; one bad pair does not lose the others. SourceFailed when it has nothing at all."""
