from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from invoicing.models import Invoice
from merchants.fields import UnitsField
from merchants.models import Merchant, User


class WalletKey(models.Model):
    """A public key that makes receive addresses, however it is spelt: the counter belongs to it, across networks and
    merchants, so that no index is ever handed out twice."""

    identity = models.CharField(max_length=64, unique=True)  # SHA-256 of the raw public key and chain code, in hex
    next_index = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return self.identity[:12]


class Wallet(models.Model):
    """Where a merchant receives on one family of networks. Holds nothing that can spend."""

    class Way(models.TextChoices):
        SANDBOX = "sandbox", _("Sandbox")
        FIXED = "fixed", _("One fixed address")
        KEY = "key", _("Extended public key")

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="wallets")
    family = models.CharField(max_length=20)
    name = models.CharField(max_length=60)
    way = models.CharField(max_length=8, choices=Way, default=Way.SANDBOX)
    key = models.ForeignKey(WalletKey, null=True, blank=True, on_delete=models.PROTECT, related_name="wallets")  # not of a fixed address
    spec = models.CharField(max_length=200, blank=True)  # what the rail makes addresses from, see payments.keys; empty for a fixed address
    fixed_address = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    retired_at = models.DateTimeField(null=True, blank=True)  # no new invoice gets an address of it; its old ones stay watched
    retired_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["merchant", "family"], name="wallet_of_family_once", condition=Q(retired_at=None)),
            models.UniqueConstraint(fields=["family", "fixed_address"], name="wallet_fixed_once", condition=~Q(fixed_address="")),
            models.CheckConstraint(condition=Q(way="fixed", key=None) | (~Q(way="fixed") & Q(key__isnull=False)), name="wallet_key_or_fixed"),
        ]

    def __str__(self) -> str:
        return self.name


class ReceiveAddress(models.Model):
    """An address that payers send to on one family of networks. Made from a key it is one invoice's, and never handed to a
    second one; a wallet's fixed address has no invoice, and serves all of its merchant's."""

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="addresses")
    invoice = models.ForeignKey(Invoice, null=True, blank=True, on_delete=models.PROTECT, related_name="addresses")
    family = models.CharField(max_length=20)
    address = models.CharField(max_length=120)
    key = models.ForeignKey(WalletKey, null=True, blank=True, on_delete=models.PROTECT, related_name="addresses")
    index = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "receive addresses"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["family", "address"], name="address_once"),
            models.UniqueConstraint(fields=["key", "index"], name="address_index_once"),
            models.UniqueConstraint(fields=["wallet", "invoice"], name="address_of_invoice_once"),
            models.CheckConstraint(
                condition=Q(invoice=None, key=None, index=None) | Q(invoice__isnull=False, key__isnull=False, index__isnull=False),
                name="address_derived_or_fixed",
            ),
        ]

    def __str__(self) -> str:
        return self.address


class BalanceLook(models.Model):
    """What the balance of an invoice's own address says of one network's native coin, where payments can come by inner calls
    that no block lists. `received_units` is all that came since the baseline, as far as balances show it."""

    address = models.ForeignKey(ReceiveAddress, on_delete=models.CASCADE, related_name="looks")
    network = models.CharField(max_length=60)
    baseline_units = UnitsField(null=True, blank=True)  # the balance when the address was handed out; None until it is known
    sent_count = models.PositiveBigIntegerField(default=0)  # transactions sent from the address when the baseline was taken
    before_units = UnitsField(default=0)  # what had come before the baseline, once the merchant has swept the address
    received_units = UnitsField(default=0)
    from_height = models.PositiveBigIntegerField(null=True, blank=True)  # the newest block known when the address was handed out
    height = models.PositiveBigIntegerField(null=True, blank=True)  # the block of the last look
    looked_at = models.DateTimeField(null=True, blank=True)  # that block's own time
    due_at = models.DateTimeField(null=True, blank=True)  # when to look next

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["address", "network"], name="balance_look_once")]
        indexes: ClassVar = [models.Index(fields=["network", "due_at"], name="balance_look_due")]

    def __str__(self) -> str:
        return f"{self.address_id} on {self.network}"

    @property
    def is_late(self) -> bool:
        """Whether the baseline could not be taken yet."""
        return self.baseline_units is None and self.height is None and self.from_height is not None
