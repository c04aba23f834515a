from __future__ import annotations

import secrets
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from invoicing.models import CreditNote, Invoice
from merchants import assets
from merchants.fields import UnitsField
from merchants.models import Merchant, User
from payments.models.payment import ALPHABET, RecordedPayment, Transfer


def new_refund_reference() -> str:
    return "F-" + "".join(secrets.choice(ALPHABET) for _place in range(6))


def new_nonce() -> str:
    return secrets.token_urlsafe(32)


class Refund(models.Model):
    """Money going back to a payer. Its status changes only in `payments.refunds`."""

    class State(models.TextChoices):
        REQUESTED = "requested", _("Waiting for an address")
        CLAIMED = "claimed", _("To be approved")
        APPROVED = "approved", _("To be paid")
        SENT = "sent", _("Sent")
        CONFIRMED = "confirmed", _("Refunded")
        CANCELLED = "cancelled", _("Cancelled")
        REJECTED = "rejected", _("Rejected")
        FAILED = "failed", _("Failed")
        EXPIRED = "expired", _("Expired")

    class Basis(models.TextChoices):
        PAID = "paid", _("What was paid, in the token")
        TODAY = "today", _("Its value today")
        FIAT = "fiat", _("The amount in the invoice’s currency")
        SURPLUS = "surplus", _("What was paid too much")
        OTHER = "other", _("Another amount")

    class Way(models.TextChoices):
        """How we came to know the transaction that pays it."""

        PASTED = "pasted", _("given by a member")
        WALLET = "wallet", _("sent from a wallet in the browser")
        FOUND = "found", _("found on the network")

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="refunds")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="refunds")
    reference = models.CharField(max_length=12, unique=True, default=new_refund_reference)
    form_key = models.CharField(max_length=43)  # the form it was asked for in: pressed twice, it is one refund
    status = models.CharField(max_length=9, choices=State, default=State.REQUESTED)

    basis = models.CharField(max_length=7, choices=Basis)
    deduction_e4 = models.PositiveIntegerField(default=0)  # of the basis, in 0.0001 %; kept by the merchant
    amount_minor = models.BigIntegerField()  # what goes back, in the invoice's currency: the sum of its shares
    asset_id = models.CharField(max_length=120)  # what it goes out in
    amount_units = UnitsField(null=True, blank=True)  # None while its amount is fixed in the invoice's currency and not approved yet
    rate = models.CharField(max_length=60, blank=True)  # invoice currency per whole asset, exact decimal text
    rate_source = models.CharField(max_length=60, blank=True)
    rate_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True)  # the payer reads it
    note = models.CharField(max_length=1000, blank=True)  # the team's own
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    changed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")  # its amount, last
    authors = models.JSONField(default=list, blank=True)  # everybody who decided on its amount, by the user's id
    version = models.PositiveIntegerField(default=1)  # counted up by every move: who approves has seen this one

    # The claim: the link in its mail opens for `nonce` alone, so a new one ends the one before.
    nonce = models.CharField(max_length=43, default=new_nonce)
    claim_until = models.DateTimeField()
    address = models.CharField(max_length=120, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")  # a member, for the payer
    by_member = models.BooleanField(default=False)  # the address was entered by a member, also when their account is gone

    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    approved_height = models.PositiveBigIntegerField(null=True, blank=True)  # the newest block of its network known then
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    ended_why = models.CharField(max_length=300, blank=True)  # cancelled, rejected or failed: why, for the payer too

    # The transaction that pays it, and what the chain says of it.
    txid = models.CharField(max_length=120, blank=True)
    way = models.CharField(max_length=6, choices=Way, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    sent_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    place = models.PositiveIntegerField(null=True, blank=True)  # inside the transaction; None until the chain shows it
    trouble = models.CharField(max_length=300, blank=True)  # why that transaction does not pay it
    block_height = models.PositiveBigIntegerField(null=True, blank=True)
    block_hash = models.CharField(max_length=80, blank=True)
    block_at = models.DateTimeField(null=True, blank=True)
    confirmations = models.PositiveIntegerField(default=0)
    confirmations_needed = models.PositiveIntegerField(default=0)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    fee_units = UnitsField(null=True, blank=True)  # what the network took, in its native coin; None where it is not known
    refused_txids = models.JSONField(default=list, blank=True)  # transactions of which a member said that they are not this refund
    credit_note = models.OneToOneField(CreditNote, null=True, blank=True, on_delete=models.PROTECT, related_name="refund")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "form_key"], name="refund_once"),
            # A place in a transaction pays one refund of its merchant. Another merchant's word is no reason to take it away.
            models.UniqueConstraint(fields=["merchant", "txid", "place"], name="refund_paid_once", condition=Q(place__isnull=False)),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_of_money"),
            models.CheckConstraint(condition=Q(deduction_e4__lt=10**6), name="refund_deducts_not_all"),
            models.CheckConstraint(
                condition=~Q(status__in=["claimed", "approved", "sent", "confirmed"]) | ~Q(address=""), name="refund_goes_somewhere"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["approved", "sent", "confirmed"]) | Q(amount_units__isnull=False, approved_at__isnull=False),
                name="refund_approved_whole",
            ),
            models.CheckConstraint(condition=~Q(status="sent") | ~Q(txid=""), name="refund_sent_by_transaction"),
            models.CheckConstraint(condition=~Q(status="confirmed") | Q(place__isnull=False), name="refund_confirmed_by_chain"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["invoice", "id"], name="refund_of_invoice"),
            models.Index(fields=["merchant", "-id"], name="refund_list"),
            models.Index(fields=["merchant", "status", "-id"], name="refund_list_status"),
            models.Index(fields=["claim_until"], name="refund_expiring", condition=Q(status="requested")),
            models.Index(F("asset_id"), F("block_height"), name="refund_watched", condition=Q(status__in=["approved", "sent", "confirmed"])),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def asset(self) -> assets.Asset:
        """assets.UnknownAsset once it has left the catalogue."""
        return assets.asset(self.asset_id)

    @property
    def network(self) -> str:
        """CAIP-2."""
        return self.asset_id.partition("/")[0]

    @property
    def short_txid(self) -> str:
        return f"{self.txid[:6]}…{self.txid[-4:]}" if self.txid else ""


LIVE = (Refund.State.REQUESTED, Refund.State.CLAIMED, Refund.State.APPROVED, Refund.State.SENT, Refund.State.CONFIRMED)


class RefundShare(models.Model):
    """How much of one payment's credit a refund consumes, in the invoice's currency. It counts while the refund is live."""

    refund = models.ForeignKey(Refund, on_delete=models.CASCADE, related_name="shares")
    transfer = models.ForeignKey(Transfer, null=True, blank=True, on_delete=models.PROTECT, related_name="refund_shares")
    payment = models.ForeignKey(RecordedPayment, null=True, blank=True, on_delete=models.PROTECT, related_name="refund_shares")
    minor = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["refund", "transfer"], name="refund_share_of_transfer_once", condition=Q(transfer__isnull=False)),
            models.UniqueConstraint(fields=["refund", "payment"], name="refund_share_of_payment_once", condition=Q(payment__isnull=False)),
            models.CheckConstraint(condition=Q(minor__gt=0), name="refund_share_of_money"),
            models.CheckConstraint(
                condition=Q(transfer__isnull=False, payment__isnull=True) | Q(transfer__isnull=True, payment__isnull=False),
                name="refund_share_of_one_payment",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.minor} of {self.transfer_id or self.payment_id}"


class Claim(models.Model):
    """An address that the payer has given and not confirmed yet: the link in the mail opens for `nonce` alone. The latest
    one of a refund counts."""

    refund = models.ForeignKey(Refund, on_delete=models.CASCADE, related_name="claims")
    nonce = models.CharField(max_length=43, default=new_nonce)
    for_nonce = models.CharField(max_length=43)  # the refund's own, as it was then: a claim that began anew ends it
    address = models.CharField(max_length=120)
    given_at = models.DateTimeField()
    until = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["refund", "-id"], name="claim_of_refund")]

    def __str__(self) -> str:
        return f"{self.address} for {self.refund_id}"
