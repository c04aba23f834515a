"""Where a merchant's webhooks go, and the key with which it asks for its events itself."""

from __future__ import annotations

import secrets
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from merchants.models import Merchant


def new_app_id() -> str:
    return "app_" + secrets.token_hex(10)


class Application(models.Model):
    """The merchant's App ID: the name under which it is signed for in the CCPayment format and asks the API. The API's secret
    is made apart from the App ID, by an owner, and shown once."""

    merchant = models.OneToOneField(Merchant, on_delete=models.CASCADE, related_name="application")
    app_id = models.CharField(max_length=40, unique=True, default=new_app_id)
    secret = models.TextField(blank=True)  # encrypted, see merchants.secrets; empty: none has been made
    secret_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.app_id


class Format(models.TextChoices):
    """How a webhook is written and signed."""

    STANDARD = "standard", _("Standard Webhooks")
    CCPAYMENT = "ccpayment", _("CCPayment-compatible (V1)")


class Endpoint(models.Model):
    """One address that webhooks go to. Everything here changes in `notifications.webhooks.endpoints`."""

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="endpoints")
    url = models.URLField(max_length=500)
    description = models.CharField(max_length=120, blank=True)
    format = models.CharField(max_length=10, choices=Format, default=Format.STANDARD)
    kinds = models.JSONField(default=list, blank=True)  # the types of event it gets; empty: all
    secret = models.TextField()  # encrypted, see merchants.secrets
    # Those before it, the newest first: each signs beside it for a day. [{"secret": encrypted too, "until": ISO 8601}]
    old_secrets = models.JSONField(default=list, blank=True)
    is_enabled = models.BooleanField(default=True)  # off: nothing is made for it; on again, it catches up
    off_at_sequence = models.PositiveBigIntegerField(null=True, blank=True)  # the merchant's last event before it was switched off
    paused_at = models.DateTimeField(null=True, blank=True)  # paused: what is made for it waits
    removed_at = models.DateTimeField(null=True, blank=True)  # gone from the pages; its deliveries stay
    # How it has been answering, see notifications.breaker.
    failures = models.PositiveIntegerField(default=0)  # tries in a row that failed
    failing_since = models.DateTimeField(null=True, blank=True)
    blocked_until = models.DateTimeField(null=True, blank=True)  # nothing is tried before
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["merchant", "id"], name="endpoint_of_merchant", condition=models.Q(removed_at=None))]

    def __str__(self) -> str:
        return self.url
