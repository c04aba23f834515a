"""Fields that more than one form has."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

from merchants.moments import zones

NO_ADDRESS = _("This is not an email address. Write it like name@example.com.")

UNWRITABLE = re.compile(r"[\x00-\x20\x7f]")


def check_address(value: str) -> None:
    """Refuse what is no email address, and one that no header can show: within quotation marks Django's own check lets control
    characters and spaces through."""
    validate_email(value)
    try:
        value.rpartition("@")[2].encode("idna")
    except UnicodeError:
        raise ValidationError(NO_ADDRESS, code="invalid") from None
    if UNWRITABLE.search(value):
        raise ValidationError(NO_ADDRESS, code="invalid")


class MailField(forms.EmailField):
    """An email address."""

    default_validators = [check_address]  # noqa: RUF012 - as Django declares it


DJANGOS = forms.ChoiceField.default_error_messages["invalid_choice"]
OURS = {
    "max_length": _("Shorten this to %(limit_value)d characters; it has %(show_value)d."),
    "max_decimal_places": _("Write at most %(max)s digits after the point."),
}


def in_our_words(form: forms.Form) -> None:
    """Let every refusal of `form` say how to mend it, where its fields do not say so themselves."""
    for field in form.fields.values():
        for code, words in OURS.items():
            field.error_messages.setdefault(code, words)
        if (
            isinstance(field, forms.ChoiceField)
            and field.error_messages["invalid_choice"] == forms.ChoiceField.default_error_messages["invalid_choice"]
        ):
            field.error_messages["invalid_choice"] = _("Choose one from the list.")


class LineField(forms.CharField):
    """Text on one line: it stands in subjects and sender names, where a line break would be a forgery."""

    def to_python(self, value: Any) -> str:
        return " ".join((super().to_python(value) or "").split())


def zone_choices() -> list[tuple[str, str]]:
    return [(name, name.replace("_", " ")) for name in zones()]


def name_field() -> LineField:
    return LineField(
        label=_("Business name"),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
        help_text=_("As it stands on your invoices."),
        error_messages={"required": _("Enter the name that stands on your invoices.")},
    )


def email_field() -> MailField:
    return MailField(
        label=_("Business email"),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text=_("Payers see it and answer to it."),
        error_messages={"required": _("Enter an address that payers can write to."), "invalid": NO_ADDRESS},
    )
