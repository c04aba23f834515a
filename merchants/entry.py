"""allauth's forms in this product's words: labels instead of placeholders, one hint instead of a list of rules.

Named in ACCOUNT_FORMS. Apart from `accounts`, since allauth's own forms are built on what stands there.
"""

from __future__ import annotations

from typing import Any

from allauth.account import forms
from allauth.core import context
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from merchants import accounts

NO_ADDRESS = _("This is not an email address. Write it like name@example.com.")


class Plain:
    """A placeholder that repeats the label, and is gone as one types, is left out."""

    fields: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
            field.error_messages["required"] = _("Fill this in.")
        if "email" in self.fields:
            self.fields["email"].error_messages["invalid"] = NO_ADDRESS
        if "password1" in self.fields:
            self.fields["password1"].help_text = _("At least 10 characters, and none of the common ones.")


class LoginForm(Plain, forms.LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("Email")
        self.fields["password"].help_text = ""  # the page has its own link for who forgot it
        self.fields["remember"].label = _("Keep me signed in on this device")


class SignupForm(Plain, forms.SignupForm):
    """Who comes by an invitation signs up with the address it was sent to."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invitation = accounts.invitation_of(context.request)
        if self.invitation:
            field = self.fields["email"]
            field.initial = self.initial["email"] = self.invitation.email
            field.help_text = _("The invitation is for this address.")

    def clean_email(self) -> str:
        email = str(super().clean_email())
        if self.invitation and email.lower() != self.invitation.email:
            raise ValidationError(_("The invitation is for %(email)s. Sign up with that address.") % {"email": self.invitation.email})
        return email


class ChangePasswordForm(Plain, forms.ChangePasswordForm):
    pass


class SetPasswordForm(Plain, forms.SetPasswordForm):
    pass


class ResetPasswordForm(Plain, forms.ResetPasswordForm):
    pass


class ResetPasswordKeyForm(Plain, forms.ResetPasswordKeyForm):
    pass


class ReauthenticateForm(Plain, forms.ReauthenticateForm):
    pass


class AddEmailForm(Plain, forms.AddEmailForm):
    pass
