"""Everything of an invoice or a schedule but its lines and its times, as fields."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import money
from invoicing.forms import copies, fields
from invoicing.forms.fields import Lines, OneLine
from invoicing.forms.once import DUE_AT
from invoicing.models import Invoice, Schedule
from merchants import assets, languages
from merchants.models import Merchant

__all__ = ["DUE_AT", "HeadForm", "Lines", "OneLine", "blank", "written"]
PLAIN = ("payer_name", "payer_email", "payer_address", "payer_tax_id", "payer_reference", "title", "description", "currency", "all_assets")


class HeadForm(fields.TypedForm):
    """Who, from whom, what for, paid in what, and who is told."""

    payer_name = fields.text(_l("Payer’s name"), 120, autocomplete="off", list="payers")
    payer_email = fields.email(_l("Payer’s email"))
    payer_address = fields.text(_l("Postal address"), 500, optional=True, field=Lines, rows=3)
    payer_tax_id = fields.text(_l("Tax number"), 60, optional=True)
    payer_reference = fields.text(
        _l("Their reference"), 60, optional=True, help_text=_l("A purchase order number, or whatever they asked you to quote.")
    )
    mail_to, mail_cc, mail_bcc = copies.fields().values()
    merchant_name = fields.text(_l("Business name"), 120)
    merchant_email = fields.email(_l("Business email"))
    title = fields.text(_l("Title"), 160, help_text=_l("The payer sees this first."))
    description = fields.text(_l("Description"), 4000, optional=True, field=Lines, rows=3)
    currency = forms.ChoiceField(
        label=_l("Currency"),
        error_messages={"invalid_choice": _l("Choose a currency from the list."), "required": _l("Choose a currency from the list.")},
    )
    prices_include_tax = forms.TypedChoiceField(
        label=_l("Prices"),
        required=False,
        choices=[("", _l("Tax on top")), ("1", _l("Tax included"))],
        coerce=lambda value: value == "1",
        empty_value=False,  # type: ignore[arg-type]
        widget=forms.RadioSelect,
        error_messages={"invalid_choice": _l("Choose whether prices include tax.")},
    )
    all_assets = forms.BooleanField(label=_l("All of them"), required=False)
    asset_ids = forms.MultipleChoiceField(
        label=_l("Accepted tokens"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": _l("One of these tokens is no longer accepted here. Look at the choice again.")},
    )
    language = forms.ChoiceField(
        label=_l("Language"),
        required=False,
        help_text=_l("Of its page, its mails and its PDF."),
        error_messages={"invalid_choice": _l("Choose a language from the list.")},
    )
    notify_email = forms.BooleanField(label=_l("By email"), required=False)
    notify_webhook = forms.BooleanField(label=_l("By webhook"), required=False)
    remind = forms.BooleanField(label=_l("Remind the payer"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tokens = assets.accepted_by(self.merchant)
        self.fields["asset_ids"].choices = [(token.id, token.label) for token in self.tokens]  # type: ignore[attr-defined]
        self.fields["language"].choices = languages.choices()  # type: ignore[attr-defined]
        language = get_language() or "en"
        codes = dict.fromkeys([self.merchant.currency, *assets.catalogue().currencies])
        self.fields["currency"].choices = [(code, f"{code} {money.currency_name(code, language)}") for code in codes]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        data["mail_copies"] = copies.taken(self, data, main=data.get("payer_email", ""))
        if self.publishing:
            self._whole()
        return data

    def _whole(self) -> None:
        """What a draft may lack and a published one may not."""
        self.want(
            {
                "payer_name": _("Say who pays."),
                "payer_email": _("Say where to mail it."),
                "merchant_name": _("Say who it is from."),
                "merchant_email": _("Say where the payer can reach you."),
                "title": _("Give it a title."),
            }
        )
        if not self.tokens:
            self.add_error("asset_ids", _("No token is switched on for this business. Ask an owner to connect a wallet."))
        elif not self.has_error("asset_ids") and not self.cleaned_data.get("all_assets") and not self.cleaned_data.get("asset_ids"):
            self.add_error("asset_ids", _("Choose at least one token it can be paid with."))


def blank(merchant: Merchant) -> dict[str, Any]:
    """What a new page starts with."""
    return {
        "merchant_name": merchant.name,
        "merchant_email": merchant.email,
        "currency": merchant.currency,
        "prices_include_tax": "",
        "language": languages.known(merchant.language),
        "all_assets": True,
        "asset_ids": [token.id for token in assets.accepted_by(merchant)],
        "notify_email": True,
        "notify_webhook": True,
        "remind": True,
    }


def written(saved: Invoice | Schedule, merchant: Merchant) -> dict[str, Any]:
    """What a saved invoice or schedule puts into the fields."""
    values: dict[str, Any] = {name: getattr(saved, name) for name in (*PLAIN, "notify_email", "notify_webhook", "remind")}
    accepted = [token.id for token in assets.accepted_by(merchant)]
    return values | {
        **copies.written(saved.mail_copies),
        "language": languages.known(saved.language),
        "merchant_name": saved.merchant_name or merchant.name,
        "merchant_email": saved.merchant_email or merchant.email,
        "prices_include_tax": "1" if saved.prices_include_tax else "",
        "asset_ids": accepted if saved.all_assets else [name for name in saved.asset_ids if name in accepted],
    }
