from __future__ import annotations

import secrets
from typing import ClassVar

from django.db import models
from django.db.models import Q

from merchants.models import Merchant, User


def _bundle_path(bundle: Bundle, _name: str) -> str:
    return f"bundles/{bundle.merchant_id}/{secrets.token_hex(16)}.zip"


class Bundle(models.Model):
    """The PDFs of some invoices as one zip, made by a worker. Deleted with its file a day after it was asked for."""

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="bundles")
    asked_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    invoice_ids = models.JSONField()
    total = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    file = models.FileField(upload_to=_bundle_path, max_length=200, blank=True)
    error = models.CharField(max_length=300, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)  # counted before the work
    leased_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["id"], name="bundle_waiting", condition=Q(ready_at=None, error=""))]

    def __str__(self) -> str:
        return f"{self.total} PDFs of {self.merchant_id}"
