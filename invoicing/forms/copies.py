"""Who gets the payer's mails besides, as fields."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import recipients
from merchants.forms.fields import check_address

PREFIX = "mail_"  # + a part


class Addresses(forms.CharField):
    """Several addresses with commas between them; clean, a list."""

    def __init__(self, label: Any, help_text: Any = "") -> None:
        words = {"max_length": _l("Shorten this to %(limit_value)d characters; it has %(show_value)d.")}
        super().__init__(label=label, help_text=help_text, required=False, max_length=3000, error_messages=words)
        self.widget.attrs |= {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "inputmode": "email"}

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        found = recipients.split(super().clean(value))
        for address in found:
            try:
                check_address(address)
            except ValidationError:
                words = _("%(address)s is not an email address. Write several with commas between them.")
                raise ValidationError(words % {"address": address[:80]}) from None
            if len(address) > 254:
                raise ValidationError(_("An email address has 254 characters at most."))
        return found


def fields() -> dict[str, Addresses]:
    """A field for each part, by its name."""
    return {
        "mail_to": Addresses(_l("Also to")),
        "mail_cc": Addresses(_l("Copy to (Cc)")),
        "mail_bcc": Addresses(_l("Blind copy to (Bcc)"), _l("The others do not see it.")),
    }


def written(copies: recipients.Copies) -> dict[str, list[str]]:
    """What these copies put into the fields."""
    return {PREFIX + part: list(copies.get(part, [])) for part in recipients.PARTS}


def taken(form: forms.Form, data: dict[str, Any], *, main: str) -> recipients.Copies:
    """The copies that were typed into the fields of `form`; they leave `data`. Too many are refused in the first field."""
    typed = {part: data.pop(PREFIX + part, []) for part in recipients.PARTS}
    found = recipients.tidy(typed, main=main)
    if sum(map(len, found.values())) > recipients.MOST:
        form.add_error(PREFIX + "to", _("Copies go to %(most)d addresses at most. Take some out.") % {"most": recipients.MOST})
    return found
