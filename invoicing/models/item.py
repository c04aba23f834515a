from __future__ import annotations

from typing import ClassVar

from django.db import models

from merchants.models import Merchant


class Item(models.Model):
    """A line that a merchant writes often: it offers itself in line items. What is written from it is a copy."""

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="items")
    description = models.CharField(max_length=300)
    currency = models.CharField(max_length=3)
    unit_price_minor = models.BigIntegerField()
    tax_name = models.CharField(max_length=40, blank=True)
    tax_e4 = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["merchant", "currency", "description"], name="item_once")]

    def __str__(self) -> str:
        return self.description
