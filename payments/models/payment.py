from __future__ import annotations

import secrets
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from invoicing.models import Invoice
from merchants import assets
from merchants.fields import UnitsField
from merchants.models import User
from payments.models.wallet import ReceiveAddress

BY_BALANCE = "balance:"  # the txid of money that only a balance shows, followed by the address
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # without what is misread


def new_reference() -> str:
    return "Q-" + "".join(secrets.choice(ALPHABET) for _place in range(6))


class Quote(models.Model):
    """The payer's choice of asset: an exact amount at a rate that is locked for a while."""

    class State(models.TextChoices):
        LIVE = "live", _("live")
        USED = "used", _("used")
        EXPIRED = "expired", _("expired")

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="quotes")
    receive_address = models.ForeignKey(ReceiveAddress, on_delete=models.PROTECT, related_name="quotes")
    reference = models.CharField(max_length=12, unique=True, default=new_reference)
    asset_id = models.CharField(max_length=120)
    status = models.CharField(max_length=8, choices=State, default=State.LIVE)
    amount_units = UnitsField()
    fiat_minor = models.BigIntegerField()  # what paying exactly this credits
    rate = models.CharField(max_length=60)  # invoice currency per whole asset, exact decimal text
    rate_source = models.CharField(max_length=60)
    rate_at = models.DateTimeField()
    created_at = models.DateTimeField()
    from_height = models.PositiveBigIntegerField(null=True, blank=True)  # the newest block of the network known then
    chosen_at = models.DateTimeField()  # when the payer last asked for it
    locked_until = models.DateTimeField()
    # At a fixed address the amount tells whose payment it is: nobody else gets it until the watch over this invoice ends.
    holds_amount = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "asset_id"], name="quote_live_once", condition=Q(status="live")),
            models.UniqueConstraint(fields=["receive_address", "asset_id", "amount_units"], name="quote_amount_once", condition=Q(holds_amount=True)),
            models.CheckConstraint(condition=Q(fiat_minor__gt=0), name="quote_about_money"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["locked_until"], name="quote_expiring", condition=Q(status="live")),
            models.Index(fields=["invoice"], name="quote_holding", condition=Q(holds_amount=True)),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def asset(self) -> assets.Asset:
        return assets.asset(self.asset_id)


class RecordedPayment(models.Model):
    """A payment made elsewhere (cash, bank, another chain) that a member wrote down. It counts as final and in time
    until it is reversed; neither is ever deleted."""

    class Way(models.TextChoices):
        BANK = "bank", _("Bank transfer")
        CASH = "cash", _("Cash")
        CARD = "card", _("Card")
        CHAIN = "chain", _("Another chain")
        OTHER = "other", _("Another way")

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="recorded_payments")
    form_key = models.CharField(max_length=43)  # the form it was typed into: pressed twice, it is one payment
    way = models.CharField(max_length=8, choices=Way)
    amount_minor = models.BigIntegerField()  # in the invoice's currency
    paid_at = models.DateTimeField()  # when the money came, as the member said
    note = models.CharField(max_length=300, blank=True)  # the team's own
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    reversed_at = models.DateTimeField(null=True, blank=True)
    reversed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "form_key"], name="recorded_payment_once"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="recorded_payment_of_money"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["invoice", "id"], name="recorded_of_invoice"),
            models.Index(fields=["paid_at"], name="recorded_when"),
        ]

    def __str__(self) -> str:
        return f"{self.way} of {self.invoice_id}"


class Transfer(models.Model):
    """Money seen on a chain, and the credit it was given: decided once, stored here, never recomputed."""

    class State(models.TextChoices):
        SEEN = "seen", _("seen")
        FINAL = "final", _("final")
        DROPPED = "dropped", _("dropped")

    network = models.CharField(max_length=60)
    txid = models.CharField(max_length=120)
    place = models.PositiveIntegerField()  # inside the transaction; a place inside its block moves in a reorg
    invoice = models.ForeignKey(Invoice, null=True, blank=True, on_delete=models.PROTECT, related_name="transfers")
    receive_address = models.ForeignKey(ReceiveAddress, null=True, blank=True, on_delete=models.PROTECT, related_name="transfers")
    quote = models.ForeignKey(Quote, null=True, blank=True, on_delete=models.PROTECT, related_name="transfers")
    asset_id = models.CharField(max_length=120)
    amount_units = UnitsField()
    status = models.CharField(max_length=8, choices=State, default=State.SEEN)
    first_seen_at = models.DateTimeField()
    seen_from = models.CharField(max_length=120, blank=True)  # the host whose pool showed it last
    block_height = models.PositiveBigIntegerField(null=True, blank=True)
    block_hash = models.CharField(max_length=80, blank=True)
    block_at = models.DateTimeField(null=True, blank=True)
    confirmations = models.PositiveIntegerField(default=0)
    confirmations_needed = models.PositiveIntegerField()
    final_at = models.DateTimeField(null=True, blank=True)

    credit_minor = models.BigIntegerField(null=True, blank=True)  # None: not decided, or held for the merchant
    credit_rate = models.CharField(max_length=60, blank=True)
    credit_source = models.CharField(max_length=60, blank=True)
    credit_reason = models.CharField(max_length=20, blank=True)
    credit_rate_at = models.DateTimeField(null=True, blank=True)
    credited_at = models.DateTimeField(null=True, blank=True)
    is_late = models.BooleanField(default=False)
    is_held = models.BooleanField(default=False)

    assigned_at = models.DateTimeField(null=True, blank=True)  # by a member, to the invoice it now belongs to
    assigned_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    # Looked at and left without an invoice, or without a credit: it needs no hand any more.
    handled_at = models.DateTimeField(null=True, blank=True)
    handled_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    handled_note = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["network", "txid", "place"], name="transfer_once"),
            models.CheckConstraint(condition=Q(credit_minor__isnull=True) | Q(credit_minor__gte=0), name="transfer_credit_not_negative"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["network", "block_height"], name="transfer_in_block"),
            models.Index(fields=["invoice", "id"], name="transfer_of_invoice"),
            models.Index(fields=["asset_id", "invoice"], name="transfer_in_asset"),
            models.Index(fields=["network", "id"], name="transfer_unconfirmed", condition=Q(status="seen")),
            models.Index(fields=["final_at"], name="transfer_received", condition=Q(status="final")),
            models.Index(fields=["invoice"], name="transfer_held", condition=Q(is_held=True)),
            models.Index(fields=["invoice"], name="transfer_dropped", condition=Q(status="dropped")),
            models.Index(fields=["receive_address", "id"], name="transfer_unassigned", condition=Q(invoice=None)),
        ]

    def __str__(self) -> str:
        return f"{self.txid}:{self.place}"

    @property
    def asset(self) -> assets.Asset:
        return assets.asset(self.asset_id)

    @property
    def short_txid(self) -> str:
        return f"{self.txid[:6]}…{self.txid[-4:]}"

    @property
    def is_by_balance(self) -> bool:
        """Whether only the address's balance shows this money: its transaction is not known."""
        return self.txid.startswith(BY_BALANCE)


class Hint(models.Model):
    """A payer said that it has paid, with a transaction id or without. It wakes the watcher and helps the merchant to find
    the payment; it credits nothing, since anyone can read the chain and paste somebody else's transaction."""

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="hints")
    network = models.CharField(max_length=60)
    txid = models.CharField(max_length=120, blank=True)
    given_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["invoice", "network", "txid"], name="hint_once")]
        indexes: ClassVar = [models.Index(fields=["txid"], name="hint_of_transaction")]

    def __str__(self) -> str:
        return self.txid or f"paid on {self.network}"
