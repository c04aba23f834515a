"""What a merchant decides about its mails: through which server they go, and in which words."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from merchants.models import Merchant


class Security(models.TextChoices):
    """How the connection to a mail server is protected."""

    STARTTLS = "starttls", _("STARTTLS (port 587)")
    TLS = "tls", _("TLS from the start (port 465)")
    NONE = "none", _("none (only on this machine)")


class MailServer(models.Model):
    """A merchant's own SMTP server. While it is on, every mail of the merchant to payers goes through it, and is from `sender`."""

    merchant = models.OneToOneField(Merchant, on_delete=models.CASCADE, related_name="mail_server")
    host = models.CharField(max_length=253)
    port = models.PositiveIntegerField(default=587)
    security = models.CharField(max_length=8, choices=Security, default=Security.STARTTLS)
    username = models.CharField(max_length=254, blank=True)
    password = models.TextField(blank=True)  # encrypted, see merchants.secrets
    sender = models.EmailField()
    is_enabled = models.BooleanField(default=False)
    tested_at = models.DateTimeField(null=True, blank=True)  # the last test that went well
    blocked_until = models.DateTimeField(null=True, blank=True)  # nothing is tried before, see notifications.breaker
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Wording(models.Model):
    """The merchant's own subject and opening words of one kind of mail to payers, in one language."""

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="wordings")
    template = models.CharField(max_length=60)  # the kind, see notifications.plans
    language = models.CharField(max_length=10)
    subject = models.CharField(max_length=200, blank=True)  # empty: the usual one
    message = models.TextField(max_length=2000, blank=True)  # stands in place of the usual opening; empty: the usual one

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["merchant", "template", "language"], name="wording_once")]

    def __str__(self) -> str:
        return f"{self.template} ({self.language})"
