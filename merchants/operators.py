"""What every operators' page has in common: it shows, and what changes goes through the product's own doors."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ActionForm
from django.forms import CharField, TextInput
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _


class ReadOnly:
    """Nothing is added, changed or deleted. Who is let in at all is the site's to say."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True


class OperatorAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[misc]
    show_full_result_count = False
    list_per_page = 50


class OperatorInline(ReadOnly, admin.TabularInline):  # type: ignore[misc]
    extra = 0
    can_delete = False
    show_change_link = False


class ReasonForm(ActionForm):
    """Beside the choice of action: why."""

    reason = CharField(label=_("Reason"), required=False, max_length=300, widget=TextInput(attrs={"size": 40}))
