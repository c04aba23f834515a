from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from invoicing import money
from merchants import assets, clock
from merchants.operators import OperatorAdmin
from payments.models import Cursor, Quote, ReceiveAddress, SandboxBlock, SandboxTransaction, Transfer, Wallet
from payments.rails import sandbox


def asset_amount(amount_units: int, asset_id: str) -> str:
    """'4,648.51 USDT'; the bare units of an asset that the catalogue dropped."""
    try:
        asset = assets.asset(asset_id)
    except assets.UnknownAsset:
        return f"{amount_units} {asset_id}"
    return f"{money.grouped(amount_units, asset.decimals, trim=True)} {asset.symbol}"


@admin.register(Wallet)
class WalletAdmin(OperatorAdmin):
    list_display = ("name", "merchant", "family", "way", "created_at", "retired_at")
    list_filter = ("family", "way")
    list_select_related = ("merchant",)
    search_fields = ("name", "merchant__slug")
    ordering = ("-id",)
    fields = ("merchant", "family", "name", "way", "fixed_address", "key", "created_at", "created_by", "retired_at", "retired_by")


@admin.register(ReceiveAddress)
class ReceiveAddressAdmin(OperatorAdmin):
    list_display = ("address", "family", "invoice", "index", "created_at")
    list_filter = ("family",)
    list_select_related = ("invoice",)
    search_fields = ("=address", "invoice__number")
    ordering = ("-id",)
    fields = ("address", "family", "wallet", "invoice", "index", "created_at")


@admin.register(Quote)
class QuoteAdmin(OperatorAdmin):
    list_display = ("reference", "invoice", "status", "amount", "credits", "rate", "rate_source", "created_at", "locked_until")
    list_filter = ("status", "asset_id", "rate_source")
    list_select_related = ("invoice",)
    search_fields = ("=reference", "invoice__number")
    ordering = ("-id",)
    fields = (
        *("reference", "invoice", "receive_address", "status", "asset_id", "amount", "credits"),
        *("rate", "rate_source", "rate_at", "created_at", "chosen_at", "locked_until"),
    )
    readonly_fields = ("amount", "credits")

    @admin.display(description=_("amount"))
    def amount(self, quote: Quote) -> str:
        return asset_amount(quote.amount_units, quote.asset_id)

    @admin.display(description=_("credits"))
    def credits(self, quote: Quote) -> str:
        return f"{money.format_minor(quote.fiat_minor, quote.invoice.currency)} {quote.invoice.currency}"


@admin.register(Transfer)
class TransferAdmin(OperatorAdmin):
    list_display = ("short_txid", "place", "network", "invoice", "status", "amount", "credit", "confirmations", "is_late", "is_held", "first_seen_at")
    list_filter = ("status", "network", "is_late", "is_held", ("invoice", admin.EmptyFieldListFilter))
    list_select_related = ("invoice",)
    search_fields = ("=txid", "invoice__number")
    ordering = ("-id",)
    fields = (
        *("network", "txid", "place", "invoice", "receive_address", "quote", "asset_id", "amount", "status", "first_seen_at"),
        *("block_height", "block_hash", "block_at", "confirmations", "confirmations_needed", "final_at"),
        *("credit", "credit_rate", "credit_source", "credit_reason", "credit_rate_at", "credited_at", "is_late", "is_held"),
    )
    readonly_fields = ("amount", "credit")

    @admin.display(description=_("amount"))
    def amount(self, transfer: Transfer) -> str:
        return asset_amount(transfer.amount_units, transfer.asset_id)

    @admin.display(description=_("credit"), empty_value="-")
    def credit(self, transfer: Transfer) -> str | None:
        if transfer.credit_minor is None or transfer.invoice is None:
            return None
        return f"{money.format_minor(transfer.credit_minor, transfer.invoice.currency)} {transfer.invoice.currency}"


@admin.register(Cursor)
class CursorAdmin(OperatorAdmin):
    list_display = ("network", "height", "head_height", "read_at", "source", "failures", "leased_until", "error")
    fields = (
        *("network", "height", "head_height", "head_at", "behind_since", "source", "read_at", "failures", "retry_at"),
        *("blocks", "lease", "leased_until", "error"),
    )


@admin.register(SandboxBlock)
class SandboxBlockAdmin(OperatorAdmin):
    list_display = ("height", "network", "hash", "at")
    search_fields = ("=hash", "=height")
    ordering = ("-height",)
    actions = ("mine",)
    fields = ("network", "height", "hash", "at")

    @admin.action(description=_("Mine a block on the network of the chosen one"))
    def mine(self, request: HttpRequest, chosen: QuerySet[SandboxBlock]) -> None:
        for network in sorted(set(chosen.values_list("network", flat=True))):
            block = sandbox.mine(now=clock.now(), network=network)
            self.message_user(request, gettext("Block %(height)s is mined.") % {"height": block.height}, messages.SUCCESS)


@admin.register(SandboxTransaction)
class SandboxTransactionAdmin(OperatorAdmin):
    list_display = ("txid", "address", "amount", "block_height", "not_before", "dropped", "created_at")
    list_filter = ("dropped", ("block_height", admin.EmptyFieldListFilter))
    search_fields = ("=txid", "=address")
    ordering = ("-id",)
    fields = ("network", "txid", "address", "asset_id", "amount", "block_height", "not_before", "dropped", "created_at")
    readonly_fields = ("amount",)

    @admin.display(description=_("amount"))
    def amount(self, transaction: SandboxTransaction) -> str:
        return asset_amount(transaction.amount_units, transaction.asset_id)
