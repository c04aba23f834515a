"""How a business looks to its payers: logo, colour, footer."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from merchants import branding, logos
from merchants.forms.fields import LineField
from merchants.forms.settings import SettingsForm
from merchants.models import Logo

MAX_FOOTER = 300


class LookForm(SettingsForm):
    kept = ("brand_color", "footer")

    logo = forms.FileField(
        label=_("Logo"),
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
        help_text=_("PNG, JPEG or WebP, up to 2 MB. A square one looks best."),
    )
    logo_kept = forms.CharField(required=False, widget=forms.HiddenInput)  # the accepted upload, while another field holds the form back
    logo_remove = forms.BooleanField(label=_("Remove the logo"), required=False)
    brand_color = forms.CharField(
        label=_("Colour"),
        validators=[RegexValidator(r"\A#[0-9A-Fa-f]{6}\Z", _("Write the colour as # and six digits or letters a to f, such as #0B5563."))],
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "characters", "maxlength": "7", "data-brand-input": ""}),
    )
    footer = LineField(
        label=_("Footer"),
        max_length=MAX_FOOTER,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Under every invoice. Up to 300 characters."),
    )

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
        values = super().values()
        logo = self.cleaned_data["logo"]
        if logo is not None or self.cleaned_data["logo_remove"]:
            values["logo"] = Logo.keep(logo) if logo else None
        return values
