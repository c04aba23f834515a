"""An entry of the directory, and the days of a statement, as fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from babel.dates import format_date
from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import money
from invoicing.forms import copies
from invoicing.forms.fields import Lines, OneLine
from invoicing.models import Payer
from merchants import languages
from merchants.forms.fields import MailField

LONG = _l("Shorten this to %(limit_value)d characters; it has %(show_value)d.")
FIRST, LAST = date(2000, 1, 1), date(2199, 12, 31)


class WantedLine(OneLine):
    """A line of text that has to be there."""

    def validate(self, value: Any) -> None:
        forms.CharField.validate(self, value)


class PayerForm(forms.Form):
    name = WantedLine(label=_l("Name"), max_length=120, error_messages={"max_length": LONG, "required": _l("Say who it is.")})
    email = MailField(
        label=_l("Email"),
        max_length=254,
        error_messages={
            "max_length": LONG,
            "required": _l("Say where invoices are mailed to."),
            "invalid": _l("This is not an email address. Write it like name@example.com."),
        },
    )
    address = Lines(label=_l("Postal address"), max_length=500, required=False, error_messages={"max_length": LONG})
    tax_id = OneLine(label=_l("Tax number"), max_length=60, required=False, error_messages={"max_length": LONG})
    language = forms.ChoiceField(
        label=_l("Language"),
        required=False,
        choices=lambda: [("", _("As in your settings")), *languages.choices()],
        help_text=_l("A new invoice to them starts with it: its page, its mails and its PDF."),
        error_messages={"invalid_choice": _l("Choose a language from the list.")},
    )
    mail_to, mail_cc, mail_bcc = copies.fields().values()

    def __init__(self, data: Any = None, *, payer: Payer | None = None) -> None:
        initial = {name: getattr(payer, name, None) for name in self.base_fields} | copies.written(payer.mail_copies) if payer else {}
        super().__init__(data, initial=initial, use_required_attribute=False)
        self.fields["address"].widget.attrs["rows"] = 3
        self.fields["name"].widget.attrs["autocomplete"] = self.fields["email"].widget.attrs["autocomplete"] = "off"

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        data["mail_copies"] = copies.taken(self, data, main=data.get("email", ""))
        return data


def _day(label: Any, missing: Any) -> forms.DateField:
    return forms.DateField(
        label=label,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        error_messages={"required": missing, "invalid": _l("Write the day like 2026-12-01.")},
    )


class StatementForm(forms.Form):
    """`?from=…&to=…&currency=…`; what is not there is as in `usual`."""

    since = _day(_l("From"), _l("Choose the first day."))
    until = _day(_l("To"), _l("Choose the last day."))
    currency = forms.ChoiceField(label=_l("Currency"), error_messages={"invalid_choice": _l("Choose a currency from the list.")})

    NAMES = {"since": "from", "until": "to"}  # noqa: RUF012 - `from` is no name in Python

    def __init__(self, asked: Mapping[str, str], *, usual: dict[str, str], currencies: list[str]) -> None:
        given = {self.add_prefix(name): value for name, value in usual.items()}
        super().__init__(given | {name: asked[name] for name in asked if name in given}, use_required_attribute=False)
        self.fields["currency"].choices = [(code, code) for code in currencies]  # type: ignore[attr-defined]

    def add_prefix(self, field_name: str) -> str:
        return self.NAMES.get(field_name, field_name)

    def clean_since(self) -> date:
        return self._within(self.cleaned_data["since"])

    def clean_until(self) -> date:
        return self._within(self.cleaned_data["until"])

    def _within(self, day: date) -> date:
        if day < FIRST:
            raise forms.ValidationError(_("Choose a day after 1999."))
        if day > LAST:
            raise forms.ValidationError(_("Choose a day before 2200."))
        return day

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        since, until = data.get("since"), data.get("until")
        if since and until and until < since:
            first = format_date(since, "d MMMM y", locale=money.locale_of(get_language() or "en"))
            self.add_error("until", _("This is before the first day, %(first)s. Choose a later day.") % {"first": first})
        return data
