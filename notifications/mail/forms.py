"""What a merchant decides about its mails."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from invoicing.forms import copies
from merchants.forms.fields import NO_ADDRESS, LineField, MailField, in_our_words
from merchants.forms.settings import SettingsForm
from merchants.models import Merchant
from notifications.mail import mailservers, own_server
from notifications.models import MailServer, Security


class PayerMailForm(SettingsForm):
    """What every mail to a payer brings along, and who else gets it."""

    kept = ("attach_pdf", "copies_to")

    attach_pdf = forms.BooleanField(
        label=_("Attach the PDF"),
        required=False,
        help_text=_("To the invoice, its reminders and the receipt. Without it they have a link to it."),
    )
    copies_to = MailField(
        label=_("Blind copies"),
        required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
        help_text=_("Each mail to a payer goes to this address too; payers do not see it. Mails about a refund do not."),
        error_messages={"invalid": NO_ADDRESS},
    )


class RecipientsForm(forms.Form):
    """Where the mails of an issued invoice go."""

    use_required_attribute = False

    main = MailField(
        label=_("Payer’s email"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
        help_text=_("Its mails go here, also those about a refund. The document keeps the address that is on it."),
        error_messages={"required": _("Say where to mail it."), "invalid": NO_ADDRESS},
    )
    mail_to, mail_cc, mail_bcc = copies.fields().values()
    mail_now = forms.BooleanField(required=False)
    keep = forms.BooleanField(label=_("Use these addresses for new invoices too"), required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        data["mail_copies"] = copies.taken(self, data, main=data.get("main", ""))
        return data


class ServerForm(forms.Form):
    """A merchant's own mail server. Its password is never shown again; left empty, it is kept."""

    use_required_attribute = False
    NOT_SECRET = ("host", "port", "security", "username", "sender")

    host = LineField(
        label=_("Server"),
        max_length=253,
        widget=forms.TextInput(attrs={"placeholder": "mail.example.com", "autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": _("Write the name of the server, such as mail.example.com.")},
    )
    port = forms.IntegerField(
        label=_("Port"),
        min_value=1,
        max_value=65535,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), _("Write a port, such as 587.")),
    )
    security = forms.ChoiceField(label=_("Protection"), choices=Security.choices, widget=forms.RadioSelect)
    username = LineField(label=_("User name"), max_length=254, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    password = forms.CharField(
        label=_("Password"), max_length=500, strip=False, required=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )
    sender = MailField(
        label=_("Sender"),
        max_length=254,
        help_text=_("Payers see it as the address that mails are from, under your business’s name. Your server must let you use it."),
        error_messages={"required": _("Write the address that mails are from."), "invalid": NO_ADDRESS},
    )

    def __init__(self, data: Any = None, *, merchant: Merchant, server: MailServer | None, typed: dict[str, str] | None = None) -> None:
        kept = {name: getattr(server, name) for name in self.NOT_SECRET} if server else {"port": 587, "security": Security.STARTTLS, "sender": ""}
        super().__init__(data, initial=kept | (typed or {}))
        self.merchant = merchant
        in_our_words(self)
        if not mailservers.loopback_ok(merchant):  # without TLS it speaks to this machine alone
            security: Any = self.fields["security"]
            security.choices = [choice for choice in Security.choices if choice[0] != Security.NONE]
        if server and server.password:
            self.fields["password"].help_text = gettext("Leave it empty to keep the one that is stored.")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if {"host", "port", "security"} <= set(data):
            wrong = own_server.why_not(self.merchant, data["host"], data["port"], data["security"])
            if wrong:
                self.add_error(*wrong)
        return data

    @property
    def wanted(self) -> own_server.Wanted:
        return own_server.Wanted(**{name: self.cleaned_data[name] for name in (*self.NOT_SECRET, "password")})
