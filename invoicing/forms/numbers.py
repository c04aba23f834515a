"""The next segment of the number series."""

from __future__ import annotations

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from invoicing.numbering import HIGHEST_FIRST

# It becomes part of file names: it starts with a letter or digit, and has no dots.
PREFIX = RegexValidator(r"\A[A-Za-z0-9][A-Za-z0-9/_-]*\Z", _("Use letters, digits, - / or _, and begin with a letter or a digit."))


class NumbersForm(forms.Form):
    use_required_attribute = False
    prefix = forms.CharField(  # type: ignore[assignment]
        label=_("Prefix"),
        max_length=12,
        required=False,
        validators=[PREFIX],
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
        help_text=_("Before the number, such as INV- or 2027-."),
        error_messages={"max_length": _("Shorten this to %(limit_value)d characters; it has %(show_value)d.")},
    )
    first = forms.IntegerField(
        label=_("Starting at"),
        min_value=1,
        max_value=HIGHEST_FIRST,
        help_text=_("500 is written 000500."),
        error_messages={
            "required": _("Write the number of the next invoice."),
            "invalid": _("Write a whole number, such as 500."),
            "min_value": _("Write a number from %(limit_value)d on."),
            "max_value": _("Write a number of at most %(limit_value)d."),
        },
    )
