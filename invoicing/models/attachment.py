from __future__ import annotations

import secrets
from typing import ClassVar

from django.db import models

from invoicing.models.invoice import Invoice
from invoicing.models.schedule import Schedule
from merchants.models import Merchant, User


def _attachment_path(attachment: Attachment, _name: str) -> str:
    return f"attachments/{attachment.merchant_id}/{secrets.token_hex(16)}"


def _rendering_path(rendering: Rendering, _name: str) -> str:
    return f"pdf/{rendering.invoice_id}/{secrets.token_hex(16)}.pdf"


class Attachment(models.Model):
    """A file of an invoice or of a schedule, or a pending upload of the form `form_key` while it belongs to neither.

    The bytes in storage may be shared by several rows (each invoice of a schedule has a row of its own).
    """

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="attachments")
    invoice = models.ForeignKey(Invoice, null=True, blank=True, on_delete=models.CASCADE, related_name="attachments")
    schedule = models.ForeignKey(Schedule, null=True, blank=True, on_delete=models.CASCADE, related_name="attachments")
    form_key = models.CharField(max_length=43, blank=True)
    uploaded_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    public_id = models.CharField(max_length=43, unique=True, default=secrets.token_urlsafe)
    name = models.CharField(max_length=180)
    size = models.PositiveIntegerField()
    content_type = models.CharField(max_length=120)
    sha256 = models.CharField(max_length=64)
    file = models.FileField(upload_to=_attachment_path, max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(invoice=None) | models.Q(schedule=None), name="attachment_of_one"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["form_key"], name="attachment_of_form", condition=~models.Q(form_key="")),
            models.Index(fields=["created_at"], name="attachment_pending", condition=models.Q(invoice=None, schedule=None)),
            models.Index(fields=["file"], name="attachment_file"),
        ]

    def __str__(self) -> str:
        return self.name


class Rendering(models.Model):
    """A PDF of an issued invoice, made once and kept with its hash; or the reason it could not be made."""

    class Kind(models.TextChoices):
        INVOICE = "invoice", "invoice"
        RECEIPT = "receipt", "receipt"
        CREDIT = "credit", "credit note"

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="renderings")
    kind = models.CharField(max_length=8, choices=Kind)
    note = models.OneToOneField("invoicing.CreditNote", null=True, blank=True, on_delete=models.CASCADE, related_name="rendering")  # of a credit note
    file = models.FileField(upload_to=_rendering_path, max_length=200, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    made_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "kind"], name="rendering_once", condition=~models.Q(kind="credit")),
            models.CheckConstraint(
                condition=models.Q(kind="credit", note__isnull=False) | (~models.Q(kind="credit") & models.Q(note__isnull=True)),
                name="rendering_of_note",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["id"], name="rendering_waiting", condition=models.Q(made_at=None))]

    def __str__(self) -> str:
        return f"{self.kind} of {self.invoice_id}"

    @property
    def name(self) -> str:
        """What to call it in a sentence: the number of the credit note, else of the invoice."""
        return self.note.number if self.note else self.invoice.name
