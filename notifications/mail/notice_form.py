"""Which notices a business gets."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from merchants import profile
from merchants.models import Merchant


class NoticesForm(forms.Form):
    """A box for each of profile.NOTICES; ticked: it is sent."""

    paid = forms.BooleanField(label=_("Invoice paid"), required=False, help_text=_("When the money is final."))
    seen = forms.BooleanField(
        label=_("Payment seen"),
        required=False,
        help_text=_("As soon as a payment is on its way: one mail more for each, minutes before the other."),
    )

    def __init__(self, *args: Any, merchant: Merchant, **kwargs: Any) -> None:
        kwargs["initial"] = {name: name not in merchant.notices_off for name in profile.NOTICES}
        super().__init__(*args, **kwargs)

    def wanted(self) -> dict[str, bool]:
        return {name: bool(self.cleaned_data[name]) for name in profile.NOTICES}
