from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from invoicing import money
from merchants import assets, clock
from merchants.operators import OperatorAdmin
from payments import inspecting, rates
from payments.models import Claim, Cursor, Price, Quote, ReceiveAddress, Refund, SandboxBlock, SandboxTransaction, Transfer, Wallet
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


@admin.register(Refund)
class RefundAdmin(OperatorAdmin):
    """Money going back, as it stands. The nonce that the payer's link is made of is not the operator's to see."""

    list_display = ("reference", "merchant", "invoice", "status", "amount", "goes_out", "short_txid", "created_at", "confirmed_at")
    list_filter = ("status", "basis", "asset_id", "by_member", ("credit_note", admin.EmptyFieldListFilter))
    list_select_related = ("merchant", "invoice")
    search_fields = ("=reference", "=txid", "=address", "invoice__number", "merchant__slug")
    ordering = ("-id",)
    fields = (
        *("reference", "merchant", "invoice", "status", "version", "basis", "deduction", "amount", "asset_id", "goes_out"),
        *("rate", "rate_source", "rate_at", "reason", "note", "created_at", "created_by", "changed_by", "claim_until"),
        *("address", "claimed_at", "claimed_by", "by_member", "approved_at", "approved_by", "ended_at", "ended_by", "ended_why"),
        *("txid", "way", "sent_at", "sent_by", "place", "trouble", "block_height", "block_hash", "block_at"),
        *("confirmations", "confirmations_needed", "confirmed_at", "fee_units", "refused_txids", "credit_note"),
    )
    readonly_fields = ("amount", "goes_out", "deduction")

    @admin.display(description=_("amount"))
    def amount(self, refund: Refund) -> str:
        return f"{money.format_minor(refund.amount_minor, refund.invoice.currency)} {refund.invoice.currency}"

    @admin.display(description=_("goes out"), empty_value="-")
    def goes_out(self, refund: Refund) -> str | None:
        return None if refund.amount_units is None else asset_amount(refund.amount_units, refund.asset_id)

    @admin.display(description=_("deduction"))
    def deduction(self, refund: Refund) -> str:
        return f"{money.grouped(refund.deduction_e4, 4, trim=True)} %"


@admin.register(Claim)
class ClaimAdmin(OperatorAdmin):
    """Addresses that payers gave. What their links are made of is not shown."""

    list_display = ("refund", "address", "given_at", "until", "confirmed_at")
    list_filter = (("confirmed_at", admin.EmptyFieldListFilter),)
    list_select_related = ("refund",)
    search_fields = ("=address", "=refund__reference")
    ordering = ("-id",)
    fields = ("refund", "address", "given_at", "until", "confirmed_at")


@admin.register(Cursor)
class CursorAdmin(OperatorAdmin):
    """The networks: how far each is read, from where, and what was wrong when it was last looked over."""

    list_display = ("name", "height", "behind", "source", "chain", "read_at", "failures", "trouble", "checked_at")
    actions = ("look_over",)
    fields = (
        *("network", "chain", "source", "height", "head_height", "head_at", "behind_since", "read_at", "failures", "retry_at", "error"),
        *("checked_at", "remarks", "blocks", "lease", "leased_until"),
    )

    @admin.display(description=_("network"), ordering="network")
    def name(self, cursor: Cursor) -> str:
        found = assets.catalogue().networks.get(cursor.network)
        return found.name if found else cursor.network

    @admin.display(description=_("blocks behind"))
    def behind(self, cursor: Cursor) -> int | None:
        return None if cursor.head_height is None or cursor.height < 0 else max(cursor.head_height - cursor.height, 0)

    @admin.display(description=_("trouble"))
    def trouble(self, cursor: Cursor) -> str:
        return " ".join([cursor.error, *cursor.remarks]).strip()

    @admin.action(description=_("Ask the nodes of the chosen networks now"))
    def look_over(self, request: HttpRequest, chosen: QuerySet[Cursor]) -> None:
        networks = [found for name in chosen.values_list("network", flat=True) if (found := assets.catalogue().networks.get(name))]
        for network, told in inspecting.look_over(networks, now=clock.now()):
            wrong = told if isinstance(told, str) else " ".join(told.remarks)
            words = wrong or gettext("every node answers, and every token is what the catalogue says.")
            self.message_user(request, f"{network.name}: {words}", messages.WARNING if wrong else messages.SUCCESS)


@admin.register(Price)
class PriceAdmin(OperatorAdmin):
    list_display = ("name", "currency", "value", "source", "at", "refused")
    list_filter = (("refused", admin.EmptyFieldListFilter), "name", "currency")
    search_fields = ("=name", "=currency")
    ordering = ("name", "currency")
    actions = ("forget",)
    fields = ("name", "currency", "value", "source", "at", "refused")

    @admin.action(description=_("Forget this last good price, so that one source alone is believed again"))
    def forget(self, request: HttpRequest, chosen: QuerySet[Price]) -> None:
        for price in chosen.order_by("name", "currency"):
            self.log_change(request, price, gettext("The last good price was forgotten."))
            rates.forget(price)
            names = {"name": price.name, "currency": price.currency}
            self.message_user(request, gettext("The last price of %(name)s in %(currency)s is forgotten.") % names, messages.SUCCESS)


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
