from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from invoicing import lifecycle, money
from invoicing.models import CreditNote, Invoice, LineItem, Payer, Reminder, Rendering
from merchants import clock
from merchants.operators import OperatorAdmin, OperatorInline, ReasonForm


class LineInline(OperatorInline):
    model = LineItem
    fields = ("position", "description", "quantity", "unit_price", "tax_name", "amount")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[LineItem]:
        return super().get_queryset(request).select_related("invoice")

    @admin.display(description=_("quantity"))
    def quantity(self, line: LineItem) -> str:
        return money.grouped(line.quantity_e4, 4, trim=True)

    @admin.display(description=_("unit price"))
    def unit_price(self, line: LineItem) -> str:
        return money.format_minor(line.unit_price_minor, line.invoice.currency)

    @admin.display(description=_("amount"))
    def amount(self, line: LineItem) -> str:
        return money.format_minor(line.amount_minor, line.invoice.currency)


@admin.register(Invoice)
class InvoiceAdmin(OperatorAdmin):
    """Status and money as they stand. The payer's link, and with it public_id, is not the operator's to open."""

    list_display = ("__str__", "merchant", "status", "payer_name", "currency", "total", "credited", "pending", "issued_at", "due_at")
    list_filter = ("status", "currency", "is_underpaid", "is_overpaid", "is_paid_late")
    list_select_related = ("merchant",)
    search_fields = ("number", "title", "payer_name", "payer_email", "merchant__slug", "merchant__name")
    ordering = ("-id",)
    date_hierarchy = "issued_at"
    inlines = (LineInline,)
    actions = ("void",)
    action_form = ReasonForm
    fields = (
        *("number", "status", "version", "merchant", "created_by", "title", "description"),
        *("payer_name", "payer_email", "payer_address", "payer_tax_id", "payer_reference", "merchant_name", "merchant_email"),
        *("currency", "net", "tax", "total", "credited", "pending", "refunded", "returning", "shortfall"),
        *("written_off", "tolerance", "is_underpaid", "is_overpaid", "is_paid_late"),
        *("late_policy", "all_assets", "asset_ids", "language", "time_zone", "notify_email", "notify_webhook", "remind"),
        *("created_at", "issue_at", "due_at", "published_at", "issued_at", "viewed_at", "paid_at", "voided_at", "void_reason"),
    )
    readonly_fields = ("net", "tax", "total", "credited", "pending", "refunded", "returning", "shortfall", "written_off", "tolerance", "created_at")

    @admin.display(description=_("net"))
    def net(self, invoice: Invoice) -> str:
        return money.format_minor(invoice.net_minor, invoice.currency)

    @admin.display(description=_("tax"))
    def tax(self, invoice: Invoice) -> str:
        return money.format_minor(invoice.tax_minor, invoice.currency)

    @admin.display(description=_("total"))
    def total(self, invoice: Invoice) -> str:
        return money.format_minor(invoice.total_minor, invoice.currency)

    @admin.display(description=_("credited"))
    def credited(self, invoice: Invoice) -> str:
        return money.format_minor(invoice.credited_minor, invoice.currency)

    @admin.display(description=_("pending"))
    def pending(self, invoice: Invoice) -> str:
        return money.format_minor(invoice.pending_minor, invoice.currency)

    @admin.display(description=_("refunded"))
    def refunded(self, invoice: Invoice) -> str:
        return money.format_minor(invoice.refunded_minor, invoice.currency)

    @admin.display(description=_("on its way back"))
    def returning(self, invoice: Invoice) -> str:
        return money.format_minor(invoice.returning_minor, invoice.currency)

    @admin.display(description=_("shortfall"))
    def shortfall(self, invoice: Invoice) -> str:
        return money.format_minor(invoice.shortfall_minor, invoice.currency)

    @admin.display(description=_("written off"))
    def written_off(self, invoice: Invoice) -> str:
        return money.format_minor(invoice.written_off_minor, invoice.currency)

    @admin.display(description=_("tolerance"))
    def tolerance(self, invoice: Invoice) -> str:
        return money.format_minor(invoice.tolerance_minor, invoice.currency)

    @admin.action(description=_("Void, for the reason given"))
    def void(self, request: Any, chosen: QuerySet[Invoice]) -> None:
        reason = request.POST.get("reason", "").strip()
        if not reason:
            self.message_user(request, gettext("Give the reason beside the action: the payer is told."), messages.ERROR)
            return
        for invoice in chosen.order_by("id"):
            try:
                lifecycle.void(invoice, by=request.user, reason=reason, now=clock.now())
            except lifecycle.Refused as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
            else:
                self.message_user(request, gettext("%(name)s is void.") % {"name": invoice.name}, messages.SUCCESS)


@admin.register(Payer)
class PayerAdmin(OperatorAdmin):
    list_display = ("name", "email", "merchant", "created_at")
    list_select_related = ("merchant",)
    search_fields = ("name", "email", "merchant__slug")
    ordering = ("-id",)
    fields = ("merchant", "name", "email", "address", "tax_id", "created_at")


@admin.register(CreditNote)
class CreditNoteAdmin(OperatorAdmin):
    list_display = ("number", "merchant", "invoice", "amount", "issued_at", "withdrawn_at")
    list_filter = (("withdrawn_at", admin.EmptyFieldListFilter),)
    list_select_related = ("merchant", "invoice")
    search_fields = ("=number", "invoice__number", "merchant__slug")
    ordering = ("-id",)
    fields = ("number", "merchant", "invoice", "amount", "taxes", "reason", "paid_back", "issued_at", "withdrawn_at")
    readonly_fields = ("amount",)

    @admin.display(description=_("amount"))
    def amount(self, note: CreditNote) -> str:
        return f"{money.format_minor(note.amount_minor, note.invoice.currency)} {note.invoice.currency}"


@admin.register(Reminder)
class ReminderAdmin(OperatorAdmin):
    list_display = ("invoice", "days", "send_at", "state", "decided_at", "reason")
    list_filter = ("state",)
    list_select_related = ("invoice",)
    search_fields = ("invoice__number", "invoice__merchant__slug")
    ordering = ("-send_at", "-id")
    fields = ("invoice", "days", "send_at", "state", "reason", "decided_at")


@admin.register(Rendering)
class RenderingAdmin(OperatorAdmin):
    list_display = ("id", "invoice", "kind", "made_at", "attempts", "error")
    list_filter = ("kind", ("made_at", admin.EmptyFieldListFilter))
    list_select_related = ("invoice",)
    search_fields = ("invoice__number",)
    ordering = ("-id",)
    fields = ("invoice", "kind", "made_at", "sha256", "attempts", "error")
