from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest

from merchants import clock, profile
from merchants.models import Event, Invitation, Membership, Merchant, NumberSegment, User
from merchants.operators import OperatorAdmin, OperatorInline


class MembershipInline(OperatorInline):
    model = Membership
    fields = ("user", "merchant", "role", "created_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("user", "merchant")


class InvitationInline(OperatorInline):
    model = Invitation
    fields = ("email", "role", "invited_by", "created_at", "expires_at", "accepted_at", "withdrawn_at")  # never the nonce
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("merchant", "invited_by")


class NumberSegmentInline(OperatorInline):
    model = NumberSegment
    fields = ("prefix", "first", "before", "started_at", "started_by")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("merchant", "started_by")


@admin.register(User)
class UserAdmin(OperatorAdmin):
    list_display = ("email", "name", "is_active", "is_staff", "last_login", "date_joined")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name")
    ordering = ("-id",)
    fields = ("email", "name", "is_active", "is_staff", "last_login", "date_joined")
    readonly_fields = ("email", "last_login", "date_joined")
    inlines = (MembershipInline,)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm, change: bool) -> None:
        obj.save(update_fields=form.changed_data)


@admin.register(Merchant)
class MerchantAdmin(OperatorAdmin):
    list_display = ("name", "slug", "is_test", "email", "currency", "time_zone", "daily_mail_limit", "created_at")
    list_filter = ("is_test",)
    search_fields = ("name", "slug", "email")
    ordering = ("-id",)
    fields = (
        *("name", "slug", "email", "is_test", "time_zone", "daily_mail_limit", "address", "tax_id", "currency", "language"),
        *(
            "due_after_days",
            "tolerance_e4",
            "late_policy",
            "stable_at_par",
            "spread_e4",
            "accepted_assets",
            "number_prefix",
            "next_number",
            "created_at",
        ),
    )
    changeable = frozenset({"name", "email", "time_zone", "daily_mail_limit"})
    inlines = (MembershipInline, InvitationInline, NumberSegmentInline)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [name for name in self.fields if name not in self.changeable]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def save_model(self, request: Any, obj: Merchant, form: ModelForm, change: bool) -> None:
        """Through the same door as the merchant's own settings, and with the operator's name on the event."""
        profile.change(obj, values={name: form.cleaned_data[name] for name in form.changed_data}, by=request.user, now=clock.now())


@admin.register(Membership)
class MembershipAdmin(OperatorAdmin):
    list_display = ("user", "merchant", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("user", "merchant")
    search_fields = ("user__email", "merchant__name", "merchant__slug")
    ordering = ("-id",)
    fields = ("user", "merchant", "role", "created_at")


@admin.register(Event)
class EventAdmin(OperatorAdmin):
    list_display = ("at", "kind", "merchant", "subject_kind", "subject_id", "actor_name", "sequence", "fanned_out_at")
    list_filter = ("kind",)
    list_select_related = ("merchant",)
    search_fields = ("kind", "merchant__slug", "=subject_id")
    ordering = ("-id",)
    fields = ("at", "kind", "merchant", "subject_kind", "subject_id", "actor", "actor_name", "facts", "sequence", "fanned_out_at")
