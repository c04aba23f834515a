"""Every message, with each of its attempts."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from merchants.models import Event, Merchant
from notifications.models.endpoint import Endpoint


class Channel(models.TextChoices):
    EMAIL = "email", _("email")
    WEBHOOK = "webhook", _("webhook")


class Copy(models.TextChoices):
    """In what part a mail's recipient gets it."""

    TO = "to", _("to")
    CC = "cc", _("copy")
    BCC = "bcc", _("blind copy")


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
    copy = models.CharField(max_length=3, choices=Copy, default=Copy.TO)
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
    provider_id = models.CharField(max_length=200, blank=True)  # what the mail provider calls it: its word of a bounce names it
    bounced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        # With the template: whoever sends themselves an invoice gets both the receipt and the merchant's notice.
        constraints: ClassVar = [models.UniqueConstraint(fields=["event", "channel", "template", "recipient"], name="delivery_once")]
        indexes: ClassVar = [
            models.Index(fields=["channel", "next_at", "id"], name="delivery_claim", condition=Q(status="queued")),
            models.Index(fields=["channel", "merchant", "next_at", "id"], name="delivery_turns", condition=Q(status="queued")),
            models.Index(fields=["endpoint", "next_at", "id"], name="delivery_of_endpoint", condition=Q(status="queued")),
            models.Index(fields=["provider_id"], name="delivery_of_provider", condition=~Q(provider_id="")),
            models.Index(fields=["merchant", "channel", "sent_at"], name="delivery_left", condition=Q(sent_at__isnull=False)),
            models.Index(fields=["leased_until"], name="delivery_abandoned", condition=Q(status="sending")),
            models.Index(fields=["invoice", "-id"], name="delivery_of_invoice"),
            models.Index(fields=["merchant", "-id"], name="delivery_of_merchant"),
            models.Index(fields=["merchant", "channel", "status", "-id"], name="delivery_list"),
        ]

    def __str__(self) -> str:
        return f"{self.template} to {self.recipient}"

    @property
    def is_again(self) -> bool:
        """Whether it was sent before and goes once more, as a member wants it."""
        return "resends" in self.event.facts

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
    request = models.JSONField(default=dict)  # a webhook's headers as they went; of a mail nothing

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["delivery", "number"], name="attempt_number_once")]

    def __str__(self) -> str:
        return f"{self.delivery_id} #{self.number}"


class MailCopy(models.Model):
    """The mail as it left, without what its links open: for the members who want to see what was sent."""

    delivery = models.OneToOneField(Delivery, on_delete=models.CASCADE, related_name="mail")
    subject = models.CharField(max_length=300)
    contents = models.BinaryField()  # zlib over JSON: {"text", "html", "sender", "reply_to", "language"}, see notifications.mail.copies
    at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "mail copies"

    def __str__(self) -> str:
        return self.subject
