"""The kinds of fields from which the pages of an invoice and a schedule are made, and the form that keeps what was typed."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime, timedelta
from typing import Any, Self

from babel.dates import format_date
from django import forms
from django.utils.text import format_lazy
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import money
from merchants import moments
from merchants.forms.fields import MailField
from merchants.models import Merchant

EARLIEST = date(2000, 1, 1)
FURTHEST = timedelta(days=3660)
DIRECTION = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class Lenient:
    """Marked as wanted, yet a draft may lack it: whether it is there is asked by its form, when it is published."""

    def validate(self, value: Any) -> None:
        return None


class OneLine(Lenient, forms.CharField):
    """A line of text: control and direction characters and line breaks become spaces."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        return " ".join(
            "".join(" " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") or letter in DIRECTION else letter for letter in text).split()
        )


class Address(Lenient, MailField):
    pass


class Lines(forms.CharField):
    """Plain text with line breaks."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> str:
        text = (super().to_python(value) or "").replace("\r\n", "\n").replace("\r", "\n")
        return "".join(letter for letter in text if letter == "\n" or (unicodedata.category(letter) != "Cc" and letter not in DIRECTION))


class Number(Lenient, forms.IntegerField):
    """A whole number as text, so that a browser keeps whatever is typed."""

    widget = forms.TextInput


def _long(most: int) -> dict[str, Any]:
    return {
        "max_length": _l("Shorten this to %(limit_value)d characters; it has %(show_value)d."),
        "null_characters_not_allowed": _l("Leave out the null characters."),
    }


def text(label: Any, most: int, *, optional: bool = False, help_text: Any = "", field: type[forms.CharField] = OneLine, **attrs: Any) -> Any:
    made = field(label=label, max_length=most, required=not optional, help_text=help_text, error_messages=_long(most))
    made.widget.attrs |= attrs
    return made


def email(label: Any) -> Address:
    wrong = _l("This is not an email address. Write it like name@example.com.")
    return Address(label=label, max_length=254, error_messages={"invalid": wrong, **_long(254)})


def day(label: Any) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(
        label=label, required=False, input_formats=["%Y-%m-%d"], widget=widget, error_messages={"invalid": _l("Write the day like 2026-12-01.")}
    )


def clock(label: Any) -> forms.TimeField:
    widget = forms.TimeInput(format="%H:%M", attrs={"type": "time"})
    return forms.TimeField(
        label=label, required=False, input_formats=["%H:%M", "%H:%M:%S"], widget=widget, error_messages={"invalid": _l("Write the time like 18:00.")}
    )


def number(label: Any, most: int) -> Number:
    """A whole number from 1 to `most`."""
    wrong = format_lazy(_l("Write a whole number from 1 to {most}."), most=most)
    made = Number(label=label, min_value=1, max_value=most, error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), wrong))
    made.widget.attrs |= {"inputmode": "numeric", "autocomplete": "off"}
    return made


def choice(label: Any, choices: list[tuple[str, Any]], *, widget: type[forms.Widget] = forms.Select) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, choices=choices, required=False, widget=widget, error_messages={"invalid_choice": _l("Choose one from the list.")}
    )


def day_in_words(found: date, now: datetime) -> str:
    """'17 November', with the year when it is not this one."""
    return format_date(found, "d MMMM" if found.year == now.year else "d MMMM y", locale=money.locale_of(get_language() or "en"))


class TypedForm(forms.Form):
    """A part of the page of one merchant. With `publishing`, what a published one must have is asked for as well."""

    def __init__(self, *args: Any, merchant: Merchant, now: datetime, publishing: bool = False, **kwargs: Any) -> None:
        kwargs["use_required_attribute"] = False
        super().__init__(*args, **kwargs)
        self.merchant, self.now, self.publishing = merchant, now, publishing

    def as_typed(self) -> dict[str, Any]:
        """What is in the fields now, for showing them again without a verdict."""
        return {name: field.widget.value_from_datadict(self.data, self.files, self.add_prefix(name)) for name, field in self.fields.items()}

    def read(self) -> dict[str, Any]:
        """What can be read of the fields as they are, whatever else is wrong; nothing is refused for want of publishing."""
        probe = self if self.is_bound else self.again({name: self[name].value() for name in self.fields})
        probe.is_valid()
        return probe.cleaned_data

    def again(self, data: dict[str, Any]) -> Self:
        return type(self)(data, merchant=self.merchant, now=self.now)

    def want(self, wanted: dict[str, str]) -> None:
        """Refuse the fields that are empty and have no other fault, in these words."""
        for name, words in wanted.items():
            if not self.has_error(name) and self.cleaned_data.get(name) in (None, ""):
                self.add_error(name, words)

    def within_reach(self, name: str) -> date | None:
        """The day in field `name` when it is within ten years; else None, refused where there is one."""
        found: date | None = self.cleaned_data.get(name)
        if found is None or EARLIEST <= found <= (self.now + FURTHEST).date():
            return found
        last = moments.day(self.now + FURTHEST, self.merchant.time_zone)
        self.add_error(name, _("Choose a day before %(last)s.") % {"last": last} if found > EARLIEST else _("Choose a day after 2000."))
        return None
