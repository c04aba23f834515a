"""Everything of an invoice but its lines, as fields."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime, time, timedelta
from typing import Any

from babel.dates import format_date
from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import entry, money
from invoicing.models import Invoice
from merchants import assets, moments
from merchants.models import Merchant

DUE_AT = time(18, 0)
SENT_AT = time(9, 0)
FURTHEST = timedelta(days=3660)


class Lenient:
    """Marked as wanted, yet a draft may lack it: whether it is there is asked in `InvoiceForm`, when it is published."""

    def validate(self, value: Any) -> None:
        return None


class OneLine(Lenient, forms.CharField):
    """A line of text: control and direction characters and line breaks become spaces."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        return " ".join(
            "".join(" " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") or letter in DIRECTION else letter for letter in text).split()
        )


class Address(Lenient, forms.EmailField):
    pass


class Lines(forms.CharField):
    """Plain text with line breaks."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> str:
        text = (super().to_python(value) or "").replace("\r\n", "\n").replace("\r", "\n")
        return "".join(letter for letter in text if letter == "\n" or (unicodedata.category(letter) != "Cc" and letter not in DIRECTION))


DIRECTION = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def _long(most: int) -> dict[str, Any]:
    return {
        "max_length": _l("Shorten this to %(limit_value)d characters; it has %(show_value)d."),
        "null_characters_not_allowed": _l("Leave out the null characters."),
    }


def _text(label: Any, most: int, *, optional: bool = False, help_text: Any = "", field: type[forms.CharField] = OneLine, **attrs: Any) -> Any:
    made = field(label=label, max_length=most, required=not optional, help_text=help_text, error_messages=_long(most))
    made.widget.attrs |= attrs
    return made


def _email(label: Any) -> Address:
    wrong = _l("This is not an email address. Write it like name@example.com.")
    return Address(label=label, max_length=254, error_messages={"invalid": wrong, **_long(254)})


def _date(label: Any) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(
        label=label, required=False, input_formats=["%Y-%m-%d"], widget=widget, error_messages={"invalid": _l("Write the day like 2026-12-01.")}
    )


def _time(label: Any) -> forms.TimeField:
    widget = forms.TimeInput(format="%H:%M", attrs={"type": "time"})
    return forms.TimeField(
        label=label, required=False, input_formats=["%H:%M", "%H:%M:%S"], widget=widget, error_messages={"invalid": _l("Write the time like 18:00.")}
    )


class InvoiceForm(forms.Form):
    """The head of an invoice. With `publishing`, what a published invoice must have is asked for as well."""

    payer_name = _text(_l("Payer’s name"), 120, autocomplete="off", list="payers")
    payer_email = _email(_l("Payer’s email"))
    payer_address = _text(_l("Postal address"), 500, optional=True, field=Lines, rows=3)
    payer_tax_id = _text(_l("Tax number"), 60, optional=True)
    payer_reference = _text(_l("Their reference"), 60, optional=True, help_text=_l("A purchase order number, or whatever they asked you to quote."))
    merchant_name = _text(_l("Business name"), 120)
    merchant_email = _email(_l("Business email"))
    title = _text(_l("Title"), 160, help_text=_l("The payer sees this first."))
    description = _text(_l("Description"), 4000, optional=True, field=Lines, rows=3)
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
    issue_date = _date(_l("Send"))
    issue_time = _time(_l("Time of sending"))
    due_date = _date(_l("Due"))
    due_time = _time(_l("Time due"))
    notify_email = forms.BooleanField(label=_l("By email"), required=False)
    notify_webhook = forms.BooleanField(label=_l("By webhook"), required=False)

    def __init__(self, *args: Any, merchant: Merchant, now: datetime, publishing: bool = False, **kwargs: Any) -> None:
        kwargs["use_required_attribute"] = False
        super().__init__(*args, **kwargs)
        self.merchant, self.now, self.publishing = merchant, now, publishing
        self.tokens = assets.accepted_by(merchant)
        self.fields["asset_ids"].choices = [(token.id, token.label) for token in self.tokens]  # type: ignore[attr-defined]
        language = get_language() or "en"
        self.fields["currency"].choices = [  # type: ignore[attr-defined]
            (code, f"{code} {money.currency_name(code, language)}") for code in dict.fromkeys([merchant.currency, *assets.catalogue().currencies])
        ]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.has_error("issue_date") and not self.has_error("issue_time"):
            data["issue_at"] = self._moment("issue_date", "issue_time", SENT_AT)
        if not self.has_error("due_date") and not self.has_error("due_time"):
            data["due_at"] = self._moment("due_date", "due_time", DUE_AT)
        if not any(self.has_error(name) for name in ("issue_date", "issue_time", "due_date", "due_time")):
            self._order(data.get("issue_at"), data.get("due_at"))
        if self.publishing:
            self._whole()
        return data

    def _moment(self, day_field: str, time_field: str, usual: time) -> datetime | None:
        day: date | None = self.cleaned_data.get(day_field)
        at: time | None = self.cleaned_data.get(time_field)
        if day is None:
            return None
        if not date(2000, 1, 1) <= day <= (self.now + FURTHEST).date():
            last = moments.day(self.now + FURTHEST, self.merchant.time_zone)
            self.add_error(day_field, _("Choose a day before %(last)s.") % {"last": last} if day.year >= 2000 else _("Choose a day after 2000."))
            return None
        return entry.moment(day, at or usual, self.merchant.time_zone)

    def _order(self, issue_at: datetime | None, due_at: datetime | None) -> None:
        """Due comes after sending; what is sent at once is due after now."""
        if due_at is None:
            return
        sent = issue_at if issue_at and (issue_at > self.now or not self.publishing) else None
        if sent and due_at <= sent:
            zone = self.merchant.time_zone
            day, due_day = moments.local(sent, zone).date(), moments.local(due_at, zone).date()
            if day == due_day:
                words = _("This is not after the sending time, %(time)s. Choose a later time.") % {"time": f"{moments.local(sent, zone):%H:%M}"}
                self.add_error("due_time", words)
            else:
                self.add_error("due_date", _("This is before the sending date, %(day)s. Choose a later day.") % {"day": _day(day, self.now)})
        elif self.publishing and due_at <= self.now:
            self.add_error("due_date", _("This has passed, and it is sent now. Choose a later day."))

    def _whole(self) -> None:
        """What a draft may lack and a published invoice may not."""
        wanted = {
            "payer_name": _("Say who pays."),
            "payer_email": _("Say where to mail it."),
            "merchant_name": _("Say who it is from."),
            "merchant_email": _("Say where the payer can reach you."),
            "title": _("Give it a title."),
            "due_date": _("Say until when it is to be paid."),
        }
        for name, words in wanted.items():
            if not self.has_error(name) and not self.cleaned_data.get(name):
                self.add_error(name, words)
        if not self.tokens:
            self.add_error("asset_ids", _("No token is switched on for this business. Ask an owner to connect a wallet."))
        elif not self.has_error("asset_ids") and not self.cleaned_data.get("all_assets") and not self.cleaned_data.get("asset_ids"):
            self.add_error("asset_ids", _("Choose at least one token it can be paid with."))

    def as_typed(self) -> dict[str, Any]:
        """What is in the fields now, for showing them again without a verdict."""
        return {name: field.widget.value_from_datadict(self.data, self.files, self.add_prefix(name)) for name, field in self.fields.items()}


def _day(day: date, now: datetime) -> str:
    """'17 November', with the year when it is not this one."""
    return format_date(day, "d MMMM" if day.year == now.year else "d MMMM y", locale=money.locale_of(get_language() or "en"))


def blank(merchant: Merchant, now: datetime) -> dict[str, Any]:
    """What a new invoice starts with: sent at once, due after the merchant's usual days at 18:00 its time."""
    due = moments.local(now, merchant.time_zone).date() + timedelta(days=merchant.due_after_days)
    return {
        "merchant_name": merchant.name,
        "merchant_email": merchant.email,
        "currency": merchant.currency,
        "prices_include_tax": "",
        "all_assets": True,
        "asset_ids": [token.id for token in assets.accepted_by(merchant)],
        "due_date": due.isoformat(),
        "due_time": f"{DUE_AT:%H:%M}",
        "notify_email": True,
        "notify_webhook": True,
    }


def written(invoice: Invoice, merchant: Merchant) -> dict[str, Any]:
    """What a saved invoice puts into the fields. Times are shown in the merchant's zone."""
    plain = ("payer_name", "payer_email", "payer_address", "payer_tax_id", "payer_reference", "title", "description", "currency", "all_assets")
    values: dict[str, Any] = {name: getattr(invoice, name) for name in (*plain, "notify_email", "notify_webhook")}
    accepted = [token.id for token in assets.accepted_by(merchant)]
    values |= {
        "merchant_name": invoice.merchant_name or merchant.name,
        "merchant_email": invoice.merchant_email or merchant.email,
        "prices_include_tax": "1" if invoice.prices_include_tax else "",
        "asset_ids": accepted if invoice.all_assets else [name for name in invoice.asset_ids if name in accepted],
    }
    for field, at in (("issue", invoice.issue_at), ("due", invoice.due_at)):
        if at:
            local = moments.local(at, merchant.time_zone)
            values |= {f"{field}_date": f"{local:%Y-%m-%d}", f"{field}_time": f"{local:%H:%M}"}
    return values
