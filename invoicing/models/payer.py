from __future__ import annotations

from typing import ClassVar

from django.db import models

from merchants.models import Merchant


class Payer(models.Model):
    """Who is billed: an entry of the merchant's directory. An issued invoice keeps its own copy of this."""

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="payers")
    name = models.CharField(max_length=120)
    email = models.EmailField()
    mail_copies = models.JSONField(default=dict, blank=True)  # {"to": [], "cc": [], "bcc": []}: who gets its mails besides
    language = models.CharField(max_length=10, blank=True)  # of its mails, pages and PDFs; empty: the merchant's
    address = models.TextField(blank=True, max_length=500)
    tax_id = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["merchant", "email", "name"], name="payer_once")]

    def __str__(self) -> str:
        return self.name
