"""The forms of the Developers pages."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing.narrowing import midnight
from merchants.models import Merchant
from notifications.models import Endpoint, Format
from notifications.webhooks import endpoints, event_types, formats

ALL, CHOSEN = "all", "chosen"


class EndpointForm(forms.Form):
    """An endpoint: where it is, what it is for, how it is written to, which types it gets."""

    typed = ("url", "description", "format", "which")  # what is kept over a fresh sign-in

    url = forms.URLField(
        label=_l("Address"),
        help_text=_l("We POST to it. It begins with https:// and is reachable from the internet."),
        max_length=500,
        assume_scheme="https",
        widget=forms.URLInput(attrs={"placeholder": "https://example.com/hooks/quittance", "autocomplete": "off", "spellcheck": "false"}),
        error_messages={
            "invalid": _l("This is not a web address. Write it like https://example.com/hooks."),
            "required": _l("Write the address that we post to."),
        },
    )
    description = forms.CharField(
        label=_l("Description"), help_text=_l("For your own people, such as “Bookkeeping”."), required=False, max_length=120
    )
    format = forms.ChoiceField(label=_l("Format"), choices=Format, initial=Format.STANDARD)
    which = forms.ChoiceField(choices=[(ALL, ""), (CHOSEN, "")], initial=ALL, required=False)
    kinds = forms.MultipleChoiceField(required=False)

    def __init__(self, *args: Any, merchant: Merchant, of: Endpoint | None = None, **kwargs: Any) -> None:
        if of is not None:
            told = {"url": of.url, "description": of.description, "which": CHOSEN if of.kinds else ALL, "kinds": of.kinds}
            kwargs["initial"] = told | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        self.merchant = merchant
        if of is not None:
            del self.fields["format"]  # fixed when it was added: its secret is of that format
        self.is_chosen_from = of is None or of.format == Format.STANDARD
        self.groups = event_types.groups()
        self.fields["kinds"].choices = [(kind.kind, kind.kind) for group in self.groups for kind in group.types]  # type: ignore[attr-defined]

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        if reason := endpoints.why_not(self.merchant, url):
            raise forms.ValidationError(reason)
        return url

    def clean(self) -> None:
        told = self.cleaned_data
        if told.get("which") != CHOSEN or told.get("format") == Format.CCPAYMENT or not self.is_chosen_from:
            told["kinds"] = []
        elif "kinds" in told and not told["kinds"]:
            self.add_error("kinds", _("Choose at least one type, or let it get all."))

    @property
    def picked(self) -> list[str]:
        """The types whose boxes are ticked."""
        return [str(kind) for kind in self["kinds"].value() or []]


class TestForm(forms.Form):
    """A test event of one type."""

    kind = forms.ChoiceField(label=_l("Type"), error_messages={"invalid_choice": _l("Choose one of the types.")})

    def __init__(self, *args: Any, of: Endpoint, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = formats.wire(of).kinds()
        groups = [(str(group.name), [(kind.kind, kind.kind) for kind in group.types]) for group in event_types.groups(of.format)]
        field: Any = self.fields["kind"]
        field.choices, field.initial = groups, "invoice.paid" if "invoice.paid" in kinds else kinds[0]


class RangeForm(forms.Form):
    """What of an endpoint's past is sent again: days of the merchant's zone, both included."""

    since = forms.DateField(label=_l("From"), widget=forms.DateInput(attrs={"type": "date", "max": "2999-12-31"}))
    until = forms.DateField(label=_l("To"), widget=forms.DateInput(attrs={"type": "date", "max": "2999-12-31"}))
    which = forms.ChoiceField(
        label=_l("Which"),
        choices=[("failed", _l("Only what did not arrive")), ("all", _l("All, also what arrived"))],
        initial="failed",
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, today: date, zone: str, **kwargs: Any) -> None:
        kwargs["initial"] = {"since": today, "until": today, "which": "failed"} | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        self.zone = zone

    def clean(self) -> None:
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        for name, day in (("since", since), ("until", until)):
            if day and not 1900 <= day.year <= 2999:
                self.add_error(name, _("This is not a day of this calendar. Choose another one."))
        if since and until and since > until:
            self.add_error("until", _("This is before the first day. Choose a later one."))

    @property
    def span(self) -> tuple[datetime, datetime]:
        """From the first moment on, up to but without the second one."""
        told = self.cleaned_data
        return midnight(told["since"], self.zone), midnight(told["until"] + timedelta(days=1), self.zone)

    @property
    def only_failed(self) -> bool:
        return bool(self.cleaned_data["which"] == "failed")
