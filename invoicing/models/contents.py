"""What an invoice and a recurring schedule have in common: everything their author writes."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from invoicing import totals
from merchants.models import User


class Contents(models.Model):
    """Parties, words, lines' totals, tokens and notices as they were written. Money is in minor units of `currency`."""

    version = models.PositiveIntegerField(default=1)  # an edit carries the one it started from
    form_key = models.CharField(max_length=43, blank=True)  # the form it was last saved from: pressed twice, it is one draft
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    payer = models.ForeignKey("invoicing.Payer", null=True, blank=True, on_delete=models.SET_NULL, related_name="%(class)ss")
    payer_name = models.CharField(max_length=120, blank=True)
    payer_email = models.EmailField(blank=True)
    mail_copies = models.JSONField(default=dict, blank=True)  # {"to": [], "cc": [], "bcc": []}: who gets the payer's mails besides
    payer_address = models.TextField(blank=True, max_length=500)
    payer_tax_id = models.CharField(max_length=60, blank=True)
    payer_reference = models.CharField(max_length=60, blank=True)
    merchant_name = models.CharField(max_length=120, blank=True)
    merchant_email = models.EmailField(blank=True)
    title = models.CharField(max_length=160, blank=True)
    description = models.TextField(blank=True, max_length=4000)
    remark = models.TextField(blank=True, max_length=4000)  # the team's own, never on the document

    currency = models.CharField(max_length=3)
    prices_include_tax = models.BooleanField(default=False)
    net_minor = models.BigIntegerField(default=0)
    discount_minor = models.BigIntegerField(default=0)
    tax_minor = models.BigIntegerField(default=0)
    total_minor = models.BigIntegerField(default=0)
    tax_lines = models.JSONField(default=list)  # [{"name", "rate_e4", "base_minor", "tax_minor"}]

    all_assets = models.BooleanField(default=True)  # until issued: whatever the merchant accepts then
    asset_ids = models.JSONField(default=list)  # CAIP-19; from issuing on the whole answer
    language = models.CharField(max_length=10, default="en")
    time_zone = models.CharField(max_length=60, default="UTC")
    notify_email = models.BooleanField(default=True)  # payment notices to the merchant
    notify_webhook = models.BooleanField(default=True)
    remind = models.BooleanField(default=True)  # by the merchant's rules, see invoicing.reminders
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class Line(models.Model):
    """A line as written, and what `totals` made of it."""

    position = models.PositiveSmallIntegerField()
    description = models.CharField(max_length=300)
    quantity_e4 = models.BigIntegerField(default=totals.QUANTITY_SCALE)
    unit_price_minor = models.BigIntegerField()
    discount_e4 = models.PositiveIntegerField(default=0)
    discount_minor = models.BigIntegerField(default=0)  # as written, when it is an amount
    tax_name = models.CharField(max_length=40, blank=True)
    tax_e4 = models.PositiveIntegerField(default=0)
    taken_off_minor = models.BigIntegerField(default=0)  # the discount as it came out
    amount_minor = models.BigIntegerField(default=0)

    class Meta:
        abstract = True
        ordering: ClassVar = ["position"]

    def __str__(self) -> str:
        return self.description

    def copied(self) -> dict[str, Any]:
        """The columns that a copy of it has, whatever it belongs to."""
        return {field.name: getattr(self, field.name) for field in Line._meta.fields}

    def as_written(self) -> totals.Line:
        return totals.Line(self.quantity_e4, self.unit_price_minor, self.discount_e4, self.discount_minor, self.tax_name, self.tax_e4)
