"""What a member writes about a business."""

from __future__ import annotations

import base64
import binascii
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from merchants import branding, logos
from merchants.assets import Asset, catalogue, usable_by
from merchants.models import Logo, Merchant, Paper
from merchants.moments import zones

PERCENT = Decimal(10_000)  # tolerance is kept in 0.0001 %
MAX_TOLERANCE = Decimal(5)  # percent
AS_KEPT = (
    *("name", "email", "address", "tax_id", "currency", "language", "due_after_days"),
    *("time_zone", "paper", "brand_color", "footer", "accepted_assets"),
)


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


def email_field() -> forms.EmailField:
    return forms.EmailField(
        label=_("Business email"),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text=_("Payers see it and answer to it."),
        error_messages={
            "required": _("Enter an address that payers can write to."),
            "invalid": _("This is not an email address. Write it like name@example.com."),
        },
    )


class WelcomeForm(forms.Form):
    """The two fields of a new business; the time zone comes from the browser."""

    name = name_field()
    email = email_field()
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=zone_choices, required=False, help_text=_("Due times are in it."))

    def clean_time_zone(self) -> str:
        return self.cleaned_data["time_zone"] or "UTC"


class SettingsForm(forms.Form):
    """Business profile, defaults for new invoices, accepted tokens and looks."""

    name = name_field()
    email = email_field()
    address = forms.CharField(
        label=_("Postal address"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "street-address"}),
        help_text=_("Many countries ask for it on an invoice."),
    )
    tax_id = LineField(label=_("Tax number"), max_length=60, required=False)
    currency = forms.ChoiceField(label=_("Currency"))
    language = forms.ChoiceField(
        label=_("Language"), choices=settings.LANGUAGES, help_text=_("Of invoices and mails, unless an invoice says otherwise.")
    )
    due_after_days = forms.IntegerField(label=_("Days until due"), min_value=1, max_value=365)
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=zone_choices, help_text=_("Due times are in it."))
    paper = forms.ChoiceField(label=_("Paper"), choices=Paper.choices)
    tolerance = forms.DecimalField(
        label=_("Tolerance, in percent"),
        min_value=Decimal(0),
        max_value=MAX_TOLERANCE,
        max_digits=6,
        decimal_places=4,
        help_text=_("An invoice counts as paid when no more than this is missing. What is forgiven is written off. 0 forgives nothing."),
    )
    accepted_assets = forms.MultipleChoiceField(
        label=_("Accepted tokens"), required=False, widget=forms.CheckboxSelectMultiple, help_text=_("Each new invoice starts with these.")
    )
    brand_color = forms.CharField(
        label=_("Colour"),
        max_length=7,
        validators=[RegexValidator(r"\A#[0-9A-Fa-f]{6}\Z", _("Write the colour as # and six digits or letters a to f, such as #0B5563."))],
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "characters", "data-brand-input": ""}),
    )
    footer = LineField(
        label=_("Footer"),
        max_length=300,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Under every invoice. Up to 300 characters."),
    )
    logo = forms.FileField(
        label=_("Logo"),
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
        help_text=_("PNG, JPEG or WebP, up to 2 MB. A square one looks best."),
    )
    logo_kept = forms.CharField(required=False, widget=forms.HiddenInput)  # the accepted upload, while another field holds the form back
    logo_remove = forms.BooleanField(label=_("Remove the logo"), required=False)

    def __init__(self, *args: Any, merchant: Merchant, **kwargs: Any) -> None:
        self.merchant = merchant
        initial = {name: getattr(merchant, name) for name in AS_KEPT}
        initial["tolerance"] = (Decimal(merchant.tolerance_e4) / PERCENT).normalize().__format__("f")
        kwargs["initial"] = initial
        super().__init__(*args, **kwargs)
        self._choices("currency", [(code, code) for code in catalogue().currencies])
        self._choices("accepted_assets", [(asset.id, asset.label) for asset in usable_by(merchant)])

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = choices

    @property
    def tokens(self) -> list[tuple[Asset, bool]]:
        """Every asset of the choice, and whether it is ticked."""
        ticked = set(self["accepted_assets"].value() or [])
        return [(asset, asset.id in ticked) for asset in usable_by(self.merchant)]

    @property
    def color_shown(self) -> str:
        """The colour as typed while it is one, else the merchant's."""
        typed = str(self["brand_color"].value() or "")
        return self.merchant.brand_color if self.errors.get("brand_color") else typed

    @property
    def logo_shown(self) -> str:
        """The accepted upload as base64, once there is one; for the page that asks to mend another field."""
        logo = self.cleaned_data.get("logo") if self.is_bound and hasattr(self, "cleaned_data") else None
        return base64.b64encode(logo).decode() if isinstance(logo, bytes) else ""

    def clean_brand_color(self) -> str:
        color = str(self.cleaned_data["brand_color"]).upper()
        if not branding.is_seen_on_paper(color):
            raise ValidationError(_("This colour can hardly be seen on white paper. Choose a darker one."))
        return color

    def clean_tolerance(self) -> int:
        """In units of 0.0001 %."""
        return int(self.cleaned_data["tolerance"] * PERCENT)

    def clean_accepted_assets(self) -> list[str]:
        """In the merchant's own order, new ones last."""
        chosen = self.cleaned_data["accepted_assets"]
        if not chosen and usable_by(self.merchant):
            raise ValidationError(_("Leave at least one token on, or nobody can pay."))
        before = [name for name in self.merchant.accepted_assets if name in chosen]
        return before + [name for name in chosen if name not in before]

    def clean_logo(self) -> bytes | None:
        """The PNG made from the upload, or from the one accepted before another field held the form back."""
        upload = self.cleaned_data["logo"]
        try:
            if isinstance(upload, UploadedFile):
                if (upload.size or 0) > logos.MAX_BYTES:
                    raise logos.NotALogo(_("This file is larger than 2 MB. Choose a smaller one."))
                return logos.made_from(upload.read())
            kept = base64.b64decode(self.data.get(self.add_prefix("logo_kept"), ""), validate=True)
            return logos.made_from(kept) if kept else None
        except (logos.NotALogo, binascii.Error) as error:
            raise ValidationError(str(error)) from error

    def values(self) -> dict[str, Any]:
        """What to change, by the names of `merchants.profile`."""
        values = dict(self.cleaned_data)
        values["tolerance_e4"] = values.pop("tolerance")
        values.pop("logo_kept")
        logo, remove = values.pop("logo"), values.pop("logo_remove")
        if logo is not None or remove:
            values["logo"] = Logo.keep(logo) if logo else None
        return values
