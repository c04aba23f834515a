"""Webhook endpoints, and every message with each of its attempts."""

from __future__ import annotations

import secrets
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from merchants.models import Event, Merchant


def new_app_id() -> str:
    return "app_" + secrets.token_hex(10)


class Endpoint(models.Model):
    """Where a merchant's webhooks go."""

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="endpoints")
    app_id = models.CharField(max_length=40, unique=True, default=new_app_id)
    url = models.URLField(max_length=500)
    secret = models.TextField()  # encrypted, see merchants.secrets
    old_secret = models.TextField(blank=True)  # the one before it, encrypted too: it signs beside it for a day
    old_secret_until = models.DateTimeField(null=True, blank=True)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["merchant"], name="endpoint_of_merchant_once", condition=Q(is_enabled=True))]

    def __str__(self) -> str:
        return self.url


class Channel(models.TextChoices):
    EMAIL = "email", _("email")
    WEBHOOK = "webhook", _("webhook")


class Delivery(models.Model):
    """One email or webhook that an event gave rise to. Its status changes only in `notifications.outbox`."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        SENDING = "sending", _("Sending")
        SENT = "sent", _("Delivered")
        FAILED = "failed", _("Given up")
        CANCELLED = "cancelled", _("Not sent")

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=8, choices=Channel)
    template = models.CharField(max_length=60)  # the kind of email, or the event kind of a webhook
    recipient = models.CharField(max_length=254)  # an address, or 'endpoint:<id>'
    endpoint = models.ForeignKey(Endpoint, null=True, blank=True, on_delete=models.SET_NULL, related_name="deliveries")
    invoice = models.ForeignKey("invoicing.Invoice", null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries")
    message_id = models.CharField(max_length=120, unique=True)  # a retry repeats it; a resend is another message
    webhook_id = models.CharField(max_length=120, blank=True)  # the `webhook-id` header: a resend of a webhook repeats it
    payload = models.TextField(blank=True)  # a webhook's bytes, built once
    is_forced = models.BooleanField(default=False)  # 'send anyway': a member has decided that it may leave late
    status = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    reason = models.CharField(max_length=300, blank=True)  # why it failed or was cancelled, for people
    attempts_made = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField()
    lease = models.PositiveIntegerField(default=0)
    leased_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        # With the template: whoever sends themselves an invoice gets both the receipt and the merchant's notice.
        constraints: ClassVar = [models.UniqueConstraint(fields=["event", "channel", "template", "recipient"], name="delivery_once")]
        indexes: ClassVar = [
            models.Index(fields=["channel", "next_at", "id"], name="delivery_claim", condition=Q(status="queued")),
            models.Index(fields=["leased_until"], name="delivery_abandoned", condition=Q(status="sending")),
            models.Index(fields=["invoice", "-id"], name="delivery_of_invoice"),
            models.Index(fields=["merchant", "-id"], name="delivery_of_merchant"),
            models.Index(fields=["merchant", "channel", "status", "-id"], name="delivery_list"),
        ]

    def __str__(self) -> str:
        return f"{self.template} to {self.recipient}"

    @property
    def origin(self) -> Event:
        """The event it tells of. A message sent again has an event of its own, which names that one."""
        first = self.event.facts.get("resends")
        return Event.objects.get(pk=first, merchant=self.merchant_id) if first else self.event


class Attempt(models.Model):
    """One try of a delivery: counted before the work, completed after it."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    succeeded = models.BooleanField(null=True, blank=True)  # None: its worker never said
    is_permanent = models.BooleanField(default=False)
    code = models.CharField(max_length=20, blank=True)  # SMTP or HTTP status
    answer = models.TextField(blank=True)  # the first 2 kB of what came back, or the reason

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["delivery", "number"], name="attempt_number_once")]

    def __str__(self) -> str:
        return f"{self.delivery_id} #{self.number}"
