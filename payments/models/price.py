from __future__ import annotations

from typing import ClassVar

from django.db import models


class Price(models.Model):
    """What one of `name` (an asset as price sources know it, or a currency for a cross) is worth in `currency` now, as the
    sources agreed. The last good value stays when they stop agreeing; `refused` then says why it is not to be used."""

    name = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    value = models.CharField(max_length=60)  # exact decimal text
    source = models.CharField(max_length=60)  # 'Kraken, Coinbase'
    at = models.DateTimeField()  # when the oldest of them said so
    refused = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["name", "currency"], name="price_once")]

    def __str__(self) -> str:
        return f"{self.name} in {self.currency}: {self.value}"


class PastPrices(models.Model):
    """All prices of one name at a moment, for money that is credited at the rate of its own time."""

    name = models.CharField(max_length=20)
    at = models.DateTimeField()
    values = models.JSONField()  # {currency: [value, source]}

    class Meta:
        verbose_name_plural = "past prices"
        constraints: ClassVar = [models.UniqueConstraint(fields=["name", "at"], name="past_prices_once")]

    def __str__(self) -> str:
        return f"{self.name} at {self.at}"
