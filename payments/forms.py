"""The form on which a member writes down a payment made elsewhere."""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import entry
from invoicing.forms.fields import OneLine
from invoicing.models import Invoice
from invoicing.money import NotAnAmount
from merchants import moments
from payments.models import RecordedPayment

MOST_BEFORE = timedelta(days=366)  # of the day an invoice was issued on; earlier than that, the year was mistyped
MINUS = ("-", "\N{MINUS SIGN}", "\N{EN DASH}")
ONE_LINE_MOST = 300


class RecordForm(forms.Form):
    """Way, amount in the invoice's currency, when it came (in the merchant's zone), and a note.

    Once valid, `cleaned_data` has `amount_minor` and `paid_at`. Without a time, the day's noon counts, or now when that is earlier.
    """

    form_key = forms.CharField(max_length=43, required=False, widget=forms.HiddenInput)
    way = forms.ChoiceField(
        label=_l("How it came"),
        choices=RecordedPayment.Way.choices,
        error_messages={"required": _l("Choose how it came."), "invalid_choice": _l("Choose how it came.")},
    )
    amount = forms.CharField(label=_l("Amount"), max_length=60, error_messages={"required": _l("Write how much came.")})
    day = forms.DateField(
        label=_l("Received on"),
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        error_messages={"required": _l("Choose the day on which it came."), "invalid": _l("Write the day like 2026-12-01.")},
    )
    at = forms.TimeField(
        label=_l("Time"),
        required=False,
        input_formats=["%H:%M", "%H:%M:%S"],
        widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
        error_messages={"invalid": _l("Write the time like 18:00.")},
    )
    note = OneLine(
        label=_l("Note"),
        max_length=ONE_LINE_MOST,
        required=False,
        help_text=_l("Only your team sees it: a bank reference, who took the cash."),
        error_messages={"max_length": _l("Shorten this to %(limit_value)d characters; it has %(show_value)d.")},
    )

    def __init__(self, *args: Any, invoice: Invoice, zone: str, now: datetime, **kwargs: Any) -> None:
        kwargs["use_required_attribute"] = False
        super().__init__(*args, **kwargs)
        self.invoice, self.zone, self.now = invoice, zone, now
        self.fields["amount"].widget.attrs |= {"inputmode": "decimal", "autocomplete": "off"}
        self.fields["day"].widget.attrs["max"] = f"{moments.local(now, zone):%Y-%m-%d}"

    def clean_form_key(self) -> str:
        """The key the form was opened with; one of its own when that was taken out."""
        key: str = self.cleaned_data["form_key"]
        return key or secrets.token_urlsafe(16)

    def clean_amount(self) -> str:
        text: str = self.cleaned_data["amount"]
        if text.strip().startswith(MINUS):
            raise forms.ValidationError(_("Write an amount above zero."))
        try:
            minor = entry.price(text, self.invoice.currency)
        except NotAnAmount as reason:
            raise forms.ValidationError(str(reason)) from None
        if minor <= 0:
            raise forms.ValidationError(_("Write an amount above zero."))
        self.cleaned_data["amount_minor"] = minor
        return text

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        day: date | None = data.get("day")
        if day is None or self.has_error("at"):
            return data
        if day < moments.local(self.invoice.issued_at or self.now, self.zone).date() - MOST_BEFORE:
            self.add_error("day", _("This is more than a year before the invoice was issued. Check the year."))
            return data
        paid_at = entry.moment(day, data.get("at") or time(12), self.zone)
        if data.get("at") is None and day == moments.local(self.now, self.zone).date():
            paid_at = min(paid_at, self.now)
        if paid_at > self.now:
            is_today = day == moments.local(self.now, self.zone).date()
            field, words = (
                ("at", _("This is ahead of now. Choose an earlier time.")) if is_today else ("day", _("This day is ahead. Choose an earlier one."))
            )
            self.add_error(field, words)
        data["paid_at"] = paid_at.astimezone(UTC)
        return data


def blank(invoice: Invoice, *, zone: str, now: datetime) -> dict[str, Any]:
    """What the form starts with: what is still due, now, and a key of its own."""
    local = moments.local(now, zone)
    return {
        "form_key": secrets.token_urlsafe(16),
        "way": RecordedPayment.Way.BANK,
        "amount": entry.price_text(invoice.due_minor, invoice.currency) if invoice.due_minor else "",
        "day": f"{local:%Y-%m-%d}",
        "at": f"{local:%H:%M}",
    }
