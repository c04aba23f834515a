"""Fixed prices for the sandbox's assets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Context, Decimal

from merchants.assets import Asset
from payments.rates.base import Rate

PRECISION = Context(prec=12)

USD_PER_ASSET = {"USDT": Decimal("1"), "USDC": Decimal("1"), "ETH": Decimal("3484"), "BTC": Decimal("103020")}
USD_PER_UNIT = {
    "USD": Decimal("1"),
    "EUR": Decimal("1.086"),
    "GBP": Decimal("1.29"),
    "CHF": Decimal("1.14"),
    "JPY": Decimal("0.0067"),
    "CNY": Decimal("0.14"),
    "BRL": Decimal("0.18"),
    "INR": Decimal("0.0119"),
    "AED": Decimal("0.2723"),
    "KWD": Decimal("3.26"),
    "SEK": Decimal("0.096"),
    "NOK": Decimal("0.092"),
    "DKK": Decimal("0.1456"),
    "PLN": Decimal("0.252"),
    "CZK": Decimal("0.043"),
    "CAD": Decimal("0.72"),
    "AUD": Decimal("0.66"),
    "SGD": Decimal("0.75"),
    "HKD": Decimal("0.1286"),
    "MXN": Decimal("0.05"),
    "ZAR": Decimal("0.057"),
    "TRY": Decimal("0.029"),
}


class FixedRates:
    """Make-believe prices that never move, as fresh as the question."""

    name = "Sandbox"

    def __init__(self, usd_per_asset: Mapping[str, Decimal] = USD_PER_ASSET) -> None:
        self.usd_per_asset = usd_per_asset

    def rate(self, asset: Asset, currency: str, *, now: datetime) -> Rate | None:
        if asset.price not in self.usd_per_asset or currency not in USD_PER_UNIT:
            return None
        value = PRECISION.divide(self.usd_per_asset[asset.price], USD_PER_UNIT[currency])
        return Rate(value, currency, self.name, now)
