"""The first page of a new business."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from merchants.forms.fields import email_field, in_our_words, name_field, zone_choices


class WelcomeForm(forms.Form):
    """The two fields of a new business; the time zone comes from the browser."""

    name = name_field()
    email = email_field()
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=zone_choices, required=False, help_text=_("Due times are in it."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        in_our_words(self)

    def clean_time_zone(self) -> str:
        return self.cleaned_data["time_zone"] or "UTC"
