"""Stored prices for tests of the floors that read them, without asking any source."""

from __future__ import annotations

from datetime import datetime

from payments.models import PastPrices, Price


def set_price(name: str, currency: str, value: str, *, at: datetime, source: str = "Kraken, Coinbase", refused: str = "") -> Price:
    """One of `name` ("ETH", "USDT"; "USD" for crosses) is worth `value` of `currency` since `at`. `refused` says why not."""
    told = {"value": value, "source": source, "at": at, "refused": refused}
    return Price.objects.update_or_create(name=name, currency=currency, defaults=told)[0]


def set_prices(currency: str, values: dict[str, str], *, at: datetime) -> None:
    """`set_price` of several names: set_prices("EUR", {"ETH": "3000", "USDT": "0.92"}, at=now)."""
    for name, value in values.items():
        set_price(name, currency, value, at=at)


def set_past_price(name: str, currency: str, value: str, *, at: datetime, source: str = "Kraken, Coinbase") -> PastPrices:
    """What it was worth at `at`, beside what is known of that moment already. The price of now has to be later than the moment
    that is asked about, as it is on a running installation."""
    row, _created = PastPrices.objects.get_or_create(name=name, at=at, defaults={"values": {}})
    row.values[currency] = [value, source]
    row.save(update_fields=["values"])
    return row


def forget_prices() -> None:
    """As before the first refresh."""
    Price.objects.all().delete()
    PastPrices.objects.all().delete()
