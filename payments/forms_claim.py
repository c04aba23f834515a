"""The address that a payer gives for a refund."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments import claims
from payments.models import Refund

LONGEST = 500  # far above any address: what is longer is not read


class ClaimForm(forms.Form):
    address = forms.CharField(max_length=LONGEST, error_messages={"required": gettext_lazy("Give the address that the money is to go to.")})
    last = forms.CharField(max_length=LONGEST, error_messages={"required": gettext_lazy("Give the last 4 characters, as your wallet shows them.")})
    is_mine = forms.BooleanField(error_messages={"required": gettext_lazy("Say that the address is yours.")})

    def __init__(self, *args: Any, refund: Refund, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.refund = refund
        self.is_secret = False  # what was typed can spend: it must not be shown again
        self.fields["address"].error_messages["max_length"] = _("This is longer than any address.")

    def clean_address(self) -> str:
        try:
            return claims.checked(self.refund, self.cleaned_data["address"])
        except claims.SecretGiven as reason:
            self.is_secret = True
            raise forms.ValidationError(str(reason)) from None
        except claims.CannotClaim as reason:
            raise forms.ValidationError(str(reason)) from None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.is_secret:
            self.data = {}  # type: ignore[assignment]
            self.errors.pop("last", None)
            self.errors.pop("is_mine", None)
        return cleaned
