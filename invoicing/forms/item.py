"""A saved item, as fields: its price and tax are written as in a line of an invoice."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _l

from invoicing import entry, items, money
from invoicing.forms.fields import OneLine
from invoicing.forms.payer import LONG, WantedLine
from invoicing.models import Item
from invoicing.money import NotAnAmount
from merchants import assets
from merchants.models import Merchant


class ItemForm(forms.Form):
    description = WantedLine(
        label=_l("Description"),
        max_length=300,
        help_text=_l("As it stands in the line."),
        error_messages={"max_length": LONG, "required": _l("Say what this is for.")},
    )
    currency = forms.ChoiceField(
        label=_l("Currency"),
        help_text=_l("It is offered on invoices in this currency."),
        error_messages={"invalid_choice": _l("Choose a currency from the list."), "required": _l("Choose a currency from the list.")},
    )
    unit_price = WantedLine(label=_l("Unit price"), max_length=40, error_messages={"max_length": LONG, "required": _l("Say what one costs.")})
    tax = OneLine(
        label=_l("Tax"), max_length=60, required=False, help_text=_l("23 %, or with its name, VAT 23 %."), error_messages={"max_length": LONG}
    )

    def __init__(self, data: Any = None, *, merchant: Merchant, item: Item | None = None) -> None:
        initial = items.cells_of(item) | {"currency": item.currency} if item else {"currency": merchant.currency}
        super().__init__(data, initial=initial, use_required_attribute=False)
        language = get_language() or "en"
        codes = dict.fromkeys([merchant.currency, *([item.currency] if item else []), *assets.catalogue().currencies])
        self.fields["currency"].choices = [(code, f"{code} {money.currency_name(code, language)}") for code in codes]  # type: ignore[attr-defined]
        for name in ("description", "unit_price", "tax"):
            self.fields[name].widget.attrs["autocomplete"] = "off"
        self.fields["unit_price"].widget.attrs["inputmode"] = "decimal"

    def clean_tax(self) -> tuple[str, int]:
        try:
            return entry.tax(self.cleaned_data["tax"])
        except NotAnAmount as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("unit_price") and data.get("currency"):
            try:
                data["unit_price"] = entry.price(data["unit_price"], data["currency"])
            except NotAnAmount as error:
                self.add_error("unit_price", str(error))
        return data

    def values(self) -> dict[str, Any]:
        """The columns of `Item`. Only after `is_valid`."""
        data = self.cleaned_data
        name, rate = data["tax"]
        return {
            "description": data["description"],
            "currency": data["currency"],
            "unit_price_minor": data["unit_price"],
            "tax_name": name,
            "tax_e4": rate,
        }
