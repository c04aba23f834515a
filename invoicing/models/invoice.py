from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Coalesce, Lower, NullIf
from django.utils.translation import gettext_lazy as _

from invoicing.models.contents import Contents, Line
from merchants.models import LatePolicy, Logo, Merchant


class Status(models.TextChoices):
    DRAFT = "draft", _("Draft")
    SCHEDULED = "scheduled", _("Scheduled")
    OPEN = "open", _("Open")
    PAID = "paid", _("Paid")
    VOID = "void", _("Void")
    MISSED = "missed", _("Missed")


ISSUED = (Status.OPEN, Status.PAID, Status.VOID)
EDITABLE = (Status.DRAFT, Status.SCHEDULED, Status.MISSED)


# What lists are sorted by where a time may be missing. The indexes below are on these very expressions.
BEGINNING, END = datetime(1000, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


def _moment(*columns: str, missing: datetime) -> Coalesce:
    return Coalesce(*columns, Value(missing, output_field=models.DateTimeField()))


ISSUE_TIME = _moment("issued_at", "issue_at", missing=BEGINNING)  # the planned time of those that are not issued yet
DUE_TIME, DUE_TIME_LATEST = _moment("due_at", missing=END), _moment("due_at", missing=BEGINNING)  # without a due time: last, either way
PAYER_NAME = Lower("payer_name")
# Where its mails go: the address that was corrected, else the one on the document. Small letters, as nobody remembers theirs.
REACHES = Lower(Coalesce(NullIf(F("mail_to"), Value("")), F("payer_email")))
# The newest first. Not '-id': for that PostgreSQL may walk the primary key of all merchants, newest first, until it has met
# enough rows of this one; those of a merchant that went quiet lie at its very end.
NEWEST = Func(F("id"), template="(- %(expressions)s)", output_field=models.BigIntegerField())


def new_public_id() -> str:
    """The unguessable part of the payer's link: 128 random bits."""
    return secrets.token_urlsafe(16)


class Shelf(models.TextChoices):
    """Where the dashboard keeps an invoice; says nothing about what it is worth."""

    DESK = "desk", _("On the desk")
    ARCHIVED = "archived", _("Archived")
    REMOVED = "removed", _("Removed")  # deleted after it was issued: void, in no list, its link says cancelled


class Invoice(Contents):
    """One document. Its status changes only in `invoicing.lifecycle`; from issuing on, every word and figure
    that a payer sees is read from the columns here, never from a live payer, merchant or asset."""

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="invoices")
    public_id = models.CharField(max_length=43, unique=True, default=new_public_id)
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    number = models.CharField(max_length=40, blank=True)
    shelf = models.CharField(max_length=8, choices=Shelf, default=Shelf.DESK)
    search_text = models.TextField(blank=True)  # written by invoicing.search alone

    issue_at = models.DateTimeField(null=True, blank=True)  # None: as soon as it is published
    due_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    issued_at = models.DateTimeField(null=True, blank=True)
    viewed_at = models.DateTimeField(null=True, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    voided_at = models.DateTimeField(null=True, blank=True)
    void_reason = models.CharField(max_length=300, blank=True)
    mail_to = models.EmailField(blank=True)  # where its mails go from now on, when the payer's address on it proved wrong
    replaces = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")  # the void one it was written for
    replaced_by = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    # Frozen at issue, beside the columns above: see invoicing.snapshot.
    terms = models.JSONField(default=dict, blank=True)
    brand_logo = models.ForeignKey(Logo, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    tolerance_minor = models.BigIntegerField(default=0)
    late_policy = models.CharField(max_length=8, choices=LatePolicy, default=LatePolicy.RATE)

    # The money on it, written by payments.settlement through the lifecycle.
    credited_minor = models.BigIntegerField(default=0)
    pending_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    returning_minor = models.BigIntegerField(default=0)  # of refunds that are not confirmed yet
    shortfall_minor = models.BigIntegerField(default=0)  # of both: more than the payments behind them still count for
    written_off_minor = models.BigIntegerField(default=0)  # what the tolerance forgave
    is_underpaid = models.BooleanField(default=False)
    is_overpaid = models.BooleanField(default=False)
    is_paid_late = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["merchant", "number"], name="invoice_number_once", condition=~Q(number="")),
            models.UniqueConstraint(fields=["merchant", "form_key"], name="invoice_form_once", condition=~Q(form_key="")),
            models.CheckConstraint(
                condition=Q(status__in=[*EDITABLE], number="") | (Q(status__in=[*ISSUED]) & ~Q(number="")), name="invoice_number_when_issued"
            ),
            models.CheckConstraint(condition=Q(total_minor__gte=0, credited_minor__gte=0, pending_minor__gte=0), name="invoice_money_not_negative"),
            models.CheckConstraint(
                condition=~Q(status__in=[*ISSUED]) | Q(total_minor__gt=0, issued_at__isnull=False, due_at__isnull=False), name="invoice_issued_whole"
            ),
        ]
        indexes: ClassVar = [
            # What is owed is added up from this one alone.
            models.Index(
                fields=["merchant", "due_at", "currency", "total_minor", "credited_minor", "pending_minor"],
                name="invoice_open",
                condition=Q(status="open"),
            ),
            # Over all merchants: who has lost a link names an address alone.
            models.Index(REACHES, name="invoice_reaches", condition=Q(status="open")),
            # Whose addresses are still watched, over all merchants: with the open ones these, and no older ones.
            models.Index(fields=["paid_at"], name="invoice_paid_lately", condition=Q(status="paid")),
            models.Index(fields=["voided_at"], name="invoice_void_lately", condition=Q(status="void")),
            models.Index(fields=["issue_at", "id"], name="invoice_claim", condition=Q(status="scheduled")),
            # Lists: a walk along one of these for each order and filter. The one for searching is PostgreSQL's alone: migration 0005.
            models.Index(F("merchant"), F("shelf"), NEWEST, name="invoice_shelf"),
            models.Index(F("merchant"), F("shelf"), F("status"), NEWEST, F("currency"), F("payer"), name="invoice_shelf_status"),
            models.Index(F("merchant"), F("shelf"), F("payer"), NEWEST, name="invoice_shelf_payer"),
            models.Index(fields=["merchant", "shelf", "currency", "total_minor", "id"], name="invoice_shelf_amount"),
            models.Index(F("merchant"), F("shelf"), DUE_TIME, F("id"), name="invoice_shelf_due"),
            models.Index(F("merchant"), F("shelf"), DUE_TIME_LATEST, F("id"), name="invoice_shelf_due_latest"),
            models.Index(F("merchant"), F("shelf"), ISSUE_TIME, F("id"), F("status"), F("payer"), F("currency"), name="invoice_shelf_issued"),
            models.Index(F("merchant"), F("shelf"), PAYER_NAME, F("id"), name="invoice_shelf_payer_name"),
            models.Index(F("merchant"), F("shelf"), NEWEST, name="invoice_shelf_confirming", condition=Q(status="open", pending_minor__gt=0)),
            models.Index(F("merchant"), F("shelf"), NEWEST, name="invoice_shelf_partial", condition=Q(status="open", credited_minor__gt=0)),
            models.Index(F("merchant"), F("shelf"), NEWEST, name="invoice_shelf_overpaid", condition=Q(status="paid", is_overpaid=True)),
            models.Index(F("merchant"), F("shelf"), NEWEST, name="invoice_shelf_refunded", condition=Q(status="paid", refunded_minor__gt=0)),
            # Totals are read from this one alone. Keys, not INCLUDE: SQLite has no such columns, and warns.
            models.Index(
                fields=[
                    *("merchant", "shelf", "currency", "status"),
                    *("due_at", "total_minor", "credited_minor", "pending_minor", "refunded_minor", "is_overpaid"),
                ],
                name="invoice_shelf_totals",
            ),
        ]

    def __str__(self) -> str:
        return self.number or f"{self.get_status_display()} #{self.pk}"

    @property
    def is_issued(self) -> bool:
        return self.status in ISSUED

    @property
    def is_editable(self) -> bool:
        return self.status in EDITABLE

    @property
    def mail_address(self) -> str:
        """Where its mails to the payer go: the address that was corrected, else the one on the document."""
        return self.mail_to or self.payer_email

    @property
    def due_minor(self) -> int:
        """What the payer is still asked for: total − credited − pending, never below 0; 0 unless open."""
        if self.status != Status.OPEN:
            return 0
        return max(self.total_minor - self.credited_minor - self.pending_minor, 0)

    @property
    def over_minor(self) -> int:
        """How much more than the total has been credited, less what goes or went back."""
        return max(self.credited_minor - self.refunded_minor - self.returning_minor - self.total_minor, 0)

    @property
    def left_minor(self) -> int:
        """What of the money on it can still be refunded."""
        return max(self.credited_minor - self.refunded_minor - self.returning_minor + self.shortfall_minor, 0)

    @property
    def name(self) -> str:
        """What to call it in a sentence: its number, else its title."""
        return self.number or self.title or str(_("this draft"))


class LineItem(Line):
    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines")

    class Meta(Line.Meta):
        constraints: ClassVar = [models.UniqueConstraint(fields=["invoice", "position"], name="line_position_once")]
