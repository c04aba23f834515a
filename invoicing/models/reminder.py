"""Reminders: what a merchant wants to be asked again, and when each invoice is."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from merchants.models import Merchant


class ReminderRule(models.Model):
    """One moment at which the merchant's open invoices are reminded of: so many days from the due date, before it if negative."""

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="reminder_rules")
    days = models.SmallIntegerField()  # from the due date, in the merchant's zone: -3 is three days before

    class Meta:
        ordering: ClassVar = ["days"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["merchant", "days"], name="reminder_rule_once")]

    def __str__(self) -> str:
        return f"{self.days:+d} days"


class Reminder(models.Model):
    """What one rule means for one invoice. Its state changes only in `invoicing.reminders`."""

    class State(models.TextChoices):
        PLANNED = "planned", _("Planned")
        SENT = "sent", _("Sent")  # its event is written; whether the mail arrived stands in its delivery
        DROPPED = "dropped", _("Not sent")

    invoice = models.ForeignKey("invoicing.Invoice", on_delete=models.CASCADE, related_name="reminders")
    days = models.SmallIntegerField()  # of the rule, as it was; the rule itself may be gone
    send_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State, default=State.PLANNED)
    reason = models.CharField(max_length=300, blank=True)  # why it was dropped, for people
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["send_at", "id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["invoice", "days"], name="reminder_once")]
        indexes: ClassVar = [models.Index(fields=["send_at", "id"], name="reminder_due", condition=models.Q(state="planned"))]

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.days:+d}"
