"""CoinGecko's simple price (https://docs.coingecko.com/reference/simple-price).

An average over many exchanges, under names of its own. Numbers, not text; it says how old each one is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from payments.rates import figures
from payments.rates.base import Prices, Quoted, Wanted
from payments.rates.web import Web

PATH = "/api/v3/simple/price"
IDS = {
    "AVAX": "avalanche-2",
    "BCH": "bitcoin-cash",
    "BNB": "binancecoin",
    "BTC": "bitcoin",
    "DAI": "dai",
    "DOGE": "dogecoin",
    "ETH": "ethereum",
    "EURC": "euro-coin",
    "LTC": "litecoin",
    "POL": "polygon-ecosystem-token",
    "TRX": "tron",
    "USDC": "usd-coin",
    "USDT": "tether",
}
NAMES = {coin: name for name, coin in IDS.items()}
SECONDS = re.compile(r"[0-9]{1,11}")


def parse(body: bytes) -> tuple[Prices, dict[str, datetime]]:
    """All prices, and by name since when they are so. What does not say when is left out."""
    prices: Prices = {}
    since: dict[str, datetime] = {}
    for coin, row in figures.load(body, CoinGecko.label).items():
        at = _moment(row.get("last_updated_at")) if isinstance(row, dict) else None
        if coin not in NAMES or at is None:
            continue
        since[NAMES[coin]] = at
        for currency, written in row.items():
            if (value := figures.price(written)) is not None and len(currency) == 3:
                prices[NAMES[coin], currency.upper()] = value
    return prices, since


def _moment(written: Any) -> datetime | None:
    return datetime.fromtimestamp(int(written), UTC) if isinstance(written, str) and SECONDS.fullmatch(written) else None


class CoinGecko:
    label = "CoinGecko"
    url = "https://api.coingecko.com"

    def ask(self, web: Web, wanted: Wanted, *, now: datetime) -> list[Quoted]:
        coins = [IDS[name] for name in wanted.names if name in IDS]
        if not coins:
            return []
        currencies = ",".join(wanted.currencies).lower()
        body = web.get(PATH, ids=",".join(coins), vs_currencies=currencies, include_last_updated_at="true", precision="full")
        prices, since = parse(body)
        asked_for = set(wanted.pairs())
        return [Quoted(self.label, name, currency, value, since[name]) for (name, currency), value in prices.items() if (name, currency) in asked_for]
