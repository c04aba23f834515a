from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from merchants import clock
from merchants.operators import OperatorAdmin, OperatorInline
from notifications import outbox
from notifications.models import Attempt, Delivery, Endpoint, MailServer


@admin.register(Endpoint)
class EndpointAdmin(OperatorAdmin):
    """Without its secret, encrypted or not."""

    list_display = ("url", "merchant", "format", "is_enabled", "created_at")
    list_filter = ("is_enabled",)
    list_select_related = ("merchant",)
    search_fields = ("url", "merchant__slug")
    ordering = ("-id",)
    fields = ("merchant", "url", "format", "is_enabled", "created_at")


@admin.register(MailServer)
class MailServerAdmin(OperatorAdmin):
    """Without its password, encrypted or not."""

    list_display = ("merchant", "host", "port", "security", "sender", "is_enabled", "failures", "blocked_until")
    list_filter = ("is_enabled",)
    list_select_related = ("merchant",)
    search_fields = ("host", "sender", "merchant__slug")
    ordering = ("-id",)
    fields = ("merchant", "host", "port", "security", "username", "sender", "is_enabled", "tested_at", "failures", "blocked_until")


class AttemptInline(OperatorInline):
    model = Attempt
    fields = ("number", "started_at", "duration_ms", "succeeded", "is_permanent", "code", "answer")
    readonly_fields = fields


@admin.register(Delivery)
class DeliveryAdmin(OperatorAdmin):
    """Without what was sent: it is the merchant's, and opens pages."""

    list_display = ("id", "template", "channel", "recipient", "merchant", "status", "attempts_made", "next_at", "sent_at", "reason")
    list_filter = ("status", "channel", "template")
    list_select_related = ("merchant",)
    search_fields = ("recipient", "=message_id", "merchant__slug", "invoice__number")
    ordering = ("-id",)
    inlines = (AttemptInline,)
    actions = ("send_again",)
    fields = (
        *("merchant", "event", "invoice", "channel", "template", "recipient", "message_id", "webhook_id", "status", "reason", "is_forced"),
        *("attempts_made", "next_at", "lease", "leased_until", "created_at", "sent_at"),
    )

    @admin.action(description=_("Send again"))
    def send_again(self, request: Any, chosen: QuerySet[Delivery]) -> None:
        for delivery in chosen.select_related("merchant", "event", "endpoint", "invoice").order_by("id"):
            try:
                outbox.send_again(delivery, by=request.user, now=clock.now())
            except outbox.Refused as refusal:
                self.message_user(request, f"{delivery}: {refusal}", messages.ERROR)
            else:
                self.message_user(request, gettext("%(delivery)s is queued again, as a new row.") % {"delivery": delivery}, messages.SUCCESS)
