from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from merchants.models import Merchant
from notifications import endpoints


class EndpointForm(forms.Form):
    """Where webhooks go; empty switches them off."""

    url = forms.URLField(
        label=_("Webhook address"),
        help_text=_("We POST to it whenever an invoice or a schedule changes. Leave it empty to switch webhooks off."),
        required=False,
        max_length=500,
        assume_scheme="https",
        widget=forms.URLInput(attrs={"placeholder": "https://example.com/hooks/quittance", "autocomplete": "off", "spellcheck": "false"}),
        error_messages={"invalid": _("This is not a web address. Write it like https://example.com/hooks.")},
    )

    def __init__(self, *args: Any, merchant: Merchant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.merchant = merchant

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        if url and (reason := endpoints.why_not(self.merchant, url)):
            raise forms.ValidationError(reason)
        return url
