"""The first page of a new business."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from merchants.forms.fields import email_field, name_field, zone_choices


class WelcomeForm(forms.Form):
    """The two fields of a new business; the time zone comes from the browser."""

    name = name_field()
    email = email_field()
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=zone_choices, required=False, help_text=_("Due times are in it."))

    def clean_time_zone(self) -> str:
        return self.cleaned_data["time_zone"] or "UTC"
