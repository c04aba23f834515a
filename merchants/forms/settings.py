"""What a member writes about a business: a form for each page of its settings."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from babel.numbers import get_currency_precision
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from merchants import languages, profile
from merchants.assets import Asset, catalogue, usable_by
from merchants.forms.fields import LineField, email_field, in_our_words, name_field, zone_choices
from merchants.models import LatePolicy, Merchant, Paper

PERCENT = Decimal(10_000)  # tolerance is kept in 0.0001 %
MAX_TOLERANCE = Decimal(5)  # percent
MAX_SPREAD = Decimal(profile.MAX_SPREAD_E4) / PERCENT  # percent
LATE: dict[str, Any] = {
    LatePolicy.RATE: _("counts at its locked rate if that moved less than 2\N{NO-BREAK SPACE}%, else at the rate of that time"),
    LatePolicy.HOLD: _("is held until a member decides"),
}

STABLE: dict[str, Any] = {
    "market": _("counts as what the market pays for it: an invoice of 100.00\N{NO-BREAK SPACE}USD may ask for 100.04\N{NO-BREAK SPACE}USDT"),
    "par": _(
        "counts as one of its currency: an invoice of 100.00\N{NO-BREAK SPACE}USD asks for 100.00\N{NO-BREAK SPACE}USDT, whatever the market says"
    ),
}


class SettingsForm(forms.Form):
    """Starts with the merchant's own values; `kept` are the fields that are columns of it."""

    use_required_attribute = False
    kept: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *args: Any, merchant: Merchant, **kwargs: Any) -> None:
        self.merchant = merchant
        kwargs["initial"] = {name: getattr(merchant, name) for name in self.kept} | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        in_our_words(self)

    def choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        """What may be chosen in the field `name`, where that is known only now."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = choices

    def values(self) -> dict[str, Any]:
        """What to change, by the names of `merchants.profile`."""
        return {name: self.cleaned_data[name] for name in self.kept if name in self.cleaned_data}


class BusinessForm(SettingsForm):
    kept = ("name", "email", "address", "tax_id", "time_zone", "language")

    name = name_field()
    email = email_field()
    address = forms.CharField(
        label=_("Postal address"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "street-address"}),
        help_text=_("Many countries ask for it on an invoice."),
    )
    tax_id = LineField(label=_("Tax number"), max_length=60, required=False, help_text=_("A VAT or tax id, as your tax office writes it."))
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=zone_choices, help_text=_("Sending and due times are in it."))
    language = forms.ChoiceField(label=_("Language"), required=False, help_text=_("Of invoices and mails, unless an invoice says otherwise."))

    def __init__(self, *args: Any, merchant: Merchant, **kwargs: Any) -> None:
        super().__init__(*args, merchant=merchant, **kwargs)
        self.choose("language", languages.choices())

    def values(self) -> dict[str, Any]:
        return {name: value for name, value in super().values().items() if name != "language" or value}


class InvoicesForm(SettingsForm):
    """What a new invoice starts with."""

    kept = ("currency", "due_after_days", "paper")

    currency = forms.ChoiceField(label=_("Currency"))
    due_after_days = forms.IntegerField(
        label=_("Days until due"),
        min_value=1,
        max_value=365,
        error_messages={
            "required": _("Write how many days a payer has, from 1 to 365."),
            **dict.fromkeys(("invalid", "min_value", "max_value"), _("Write a whole number of days, from 1 to 365.")),
        },
    )
    tolerance = forms.DecimalField(
        label=_("Tolerance, in percent"),
        min_value=Decimal(0),
        max_value=MAX_TOLERANCE,
        max_digits=6,
        decimal_places=4,
        help_text=_("An invoice counts as paid when no more than this is missing. What is forgiven is written off. 0 forgives nothing."),
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), _("Write a number from 0 to 5.")),
    )
    paper = forms.ChoiceField(label=_("Paper"), choices=Paper.choices, help_text=_("Of the PDF."))

    def __init__(self, *args: Any, merchant: Merchant, **kwargs: Any) -> None:
        tolerance = (Decimal(merchant.tolerance_e4) / PERCENT).normalize().__format__("f")
        super().__init__(*args, merchant=merchant, initial={"tolerance": tolerance}, **kwargs)
        self.choose("currency", [(code, code) for code in catalogue().currencies])

    def values(self) -> dict[str, Any]:
        return super().values() | {"tolerance_e4": int(self.cleaned_data["tolerance"] * PERCENT)}


class LatePolicyForm(SettingsForm):
    """Apart from the other defaults: it decides what money counts for, so it is an owner's."""

    kept = ("late_policy",)

    late_policy = forms.ChoiceField(
        label=_("A payment that comes after its rate lock"),
        choices=list(LATE.items()),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose one of the two."), "invalid_choice": _("Choose one of the two.")},
    )

    def values(self) -> dict[str, Any]:
        return {"policy": self.cleaned_data["late_policy"]}

    @property
    def now(self) -> Any:
        """What holds now, in words."""
        return LATE[self.merchant.late_policy]


class PricesForm(SettingsForm):
    """How quotes are priced. An owner's, as the late policy is: it decides what money counts for."""

    stable = forms.ChoiceField(
        label=_("A stablecoin"),
        choices=list(STABLE.items()),
        widget=forms.RadioSelect,
        error_messages=dict.fromkeys(("required", "invalid_choice"), _("Choose one of the two.")),
    )
    spread = forms.DecimalField(
        label=_("Spread, in percent"),
        min_value=Decimal(0),
        max_value=MAX_SPREAD,
        decimal_places=2,
        help_text=_(
            "For what it costs you to change tokens into money. With 1, a token that is worth 2,000.00\N{NO-BREAK SPACE}EUR"
            " counts as 1,980.00\N{NO-BREAK SPACE}EUR,"
            " so that the payer sends a little more of it. The invoice stays the same. 0 adds nothing."
        ),
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value", "max_decimal_places"),
            _("Write a number from 0 to 5, with two decimals at most."),
        ),
    )

    def __init__(self, *args: Any, merchant: Merchant, initial: dict[str, Any] | None = None, **kwargs: Any) -> None:
        self.spread_now = (Decimal(merchant.spread_e4) / PERCENT).normalize().__format__("f")
        held = {"stable": "par" if merchant.stable_at_par else "market", "spread": self.spread_now}
        super().__init__(*args, merchant=merchant, initial=held | (initial or {}), **kwargs)

    @property
    def now(self) -> Any:
        """What holds now for stablecoins, in words."""
        return STABLE["par" if self.merchant.stable_at_par else "market"]

    def values(self) -> dict[str, Any]:
        return {"stable_at_par": self.cleaned_data["stable"] == "par", "spread_e4": int(self.cleaned_data["spread"] * PERCENT)}


class RefundLimitForm(SettingsForm):
    """Above how much a refund needs a second person. An owner's: a manager could otherwise lift it and pay alone."""

    limit = forms.DecimalField(
        label=_("Second person above"),
        required=False,
        min_value=Decimal(0),
        max_digits=15,
        localize=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text=_("Empty: one person is enough, whatever the amount. 0: every refund needs two."),
        error_messages=dict.fromkeys(("invalid", "min_value", "max_digits", "max_whole_digits"), _("Write an amount like 500.00, or nothing.")),
    )
    currency = forms.ChoiceField(label=_("Currency"), help_text=_("A refund in another currency is compared in US dollars."))

    def __init__(self, *args: Any, merchant: Merchant, initial: dict[str, Any] | None = None, **kwargs: Any) -> None:
        held: dict[str, Any] = {"currency": merchant.refund_limit_currency or merchant.currency}
        if merchant.refund_limit_minor is not None:
            places = get_currency_precision(merchant.refund_limit_currency)
            held["limit"] = format(Decimal(merchant.refund_limit_minor).scaleb(-places), "f")
        super().__init__(*args, merchant=merchant, initial=held | (initial or {}), **kwargs)
        self.choose("currency", [(code, code) for code in catalogue().currencies])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        limit, currency = data.get("limit"), data.get("currency")
        if limit is None or not currency:
            return data
        minor = limit.scaleb(get_currency_precision(currency))
        if minor != minor.to_integral_value():
            words = gettext("%(currency)s has %(count)d digits after the point. Write at most that many.")
            self.add_error("limit", words % {"currency": currency, "count": get_currency_precision(currency)})
        data["minor"] = int(minor)
        return data

    def values(self) -> dict[str, Any]:
        return {"minor": self.cleaned_data.get("minor"), "currency": self.cleaned_data["currency"]}


class TokensForm(SettingsForm):
    kept = ("accepted_assets",)

    accepted_assets = forms.MultipleChoiceField(
        label=_("Accepted tokens"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": _("One of these tokens cannot be received here. Look at the choice again.")},
    )

    def __init__(self, *args: Any, merchant: Merchant, **kwargs: Any) -> None:
        super().__init__(*args, merchant=merchant, **kwargs)
        self.choose("accepted_assets", [(asset.id, asset.label) for asset in usable_by(merchant)])

    @property
    def tokens(self) -> list[tuple[Asset, bool]]:
        """Every asset of the choice, and whether it is ticked."""
        ticked = set(self["accepted_assets"].value() or [])
        return [(asset, asset.id in ticked) for asset in usable_by(self.merchant)]

    def clean_accepted_assets(self) -> list[str]:
        """In the merchant's own order, new ones last."""
        chosen = self.cleaned_data["accepted_assets"]
        if not chosen and usable_by(self.merchant):
            raise ValidationError(_("Leave at least one token on, or nobody can pay."))
        before = [name for name in self.merchant.accepted_assets if name in chosen]
        return before + [name for name in chosen if name not in before]
