from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from invoicing.models.invoice import Invoice
from merchants.models import Merchant


class CreditNote(models.Model):
    """A numbered document that takes back a part of what an invoice billed: one for each confirmed refund of something that
    was billed. Frozen as it is issued. `withdrawn_at` is set while the network has taken the refund's payment back."""

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="credit_notes")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="credit_notes")
    number = models.CharField(max_length=40)
    amount_minor = models.BigIntegerField()  # in the invoice's currency, tax included
    taxes = models.JSONField(default=list)  # [{"name", "rate_e4", "net_minor", "tax_minor"}]: how the amount splits over the invoice's tax rates
    reason = models.CharField(max_length=300, blank=True)
    paid_back = models.JSONField(default=dict)  # how it went back, frozen: {"reference", "amount", "symbol", "network", "txid", "rate"}
    issued_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["merchant", "number"], name="credit_note_number_once"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0) & ~Q(number=""), name="credit_note_of_money"),
        ]
        indexes: ClassVar = [models.Index(fields=["invoice", "id"], name="credit_note_of_invoice")]

    def __str__(self) -> str:
        return self.number
