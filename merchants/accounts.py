"""How signing up and signing in (django-allauth) behave here.

Account mails (confirm an address, reset a password, security notices) belong to no merchant and answer a
click at once, so they go out directly and not through the outbox. Each is written once, as text; the HTML
form is the same paragraphs in the product's frame.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as allauth_context
from allauth.mfa.adapter import DefaultMFAAdapter
from django import forms
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.models import AbstractBaseUser
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from merchants import branding, clock, secrets, stationery, team
from merchants.forms.fields import check_address
from merchants.models import Invitation, User

# A paragraph such as "Confirm this address:" with a link on its second line becomes a button.
LINK = re.compile(r"(?P<label>[^\n]+):\n(?P<link>https?://\S+)\Z")


def sign_up_is_open() -> bool:
    """Open for the first user of an installation; after that only where the operator opens it."""
    return bool(settings.SIGNUP_OPEN) or not User.objects.exists()


def invitation_of(request: HttpRequest) -> Invitation | None:
    """The open invitation that this page of allauth goes back to: who comes from its link has been invited by an owner."""
    back = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
    try:
        found = resolve(urlsplit(back).path)
    except (Resolver404, ValueError):
        return None
    return team.from_token(found.kwargs["token"], clock.now()) if found.url_name == "invitation" else None


def sign_up(_request: HttpRequest) -> dict[str, Any]:
    """Context processor: `signup_open`, asked only where a template asks."""
    return {"signup_open": sign_up_is_open}


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "account_inactive": _("This account has been closed. Ask the operator of this installation."),
        "email_password_mismatch": _("The email address or the password is not right."),
        "email_taken": _("This address already has an account. Sign in, or reset its password."),
        "enter_current_password": _("Enter your current password."),
        "incorrect_code": _("This code is not right. Enter the one shown now."),
        "incorrect_password": _("This password is not right."),
        "invalid_or_expired_key": _("This key is not right, or it has expired. Ask for a new one."),
        "invalid_password_reset": _("This link has been used or has expired. Ask for a new one."),
        "rate_limited": _("That was too often. Try again in a few minutes."),
        "too_many_login_attempts": _("That was too often. Try again in a few minutes, or reset your password."),
        "unknown_email": _("No account has this address."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return sign_up_is_open() or invitation_of(request) is not None

    def is_email_verified(self, request: HttpRequest, email: str) -> bool:
        """Also an address whose own invitation was opened: that link has been mailed nowhere else."""
        invitation = invitation_of(request)
        return bool(invitation and invitation.email == email.lower()) or super().is_email_verified(request, email)

    def clean_email(self, email: str) -> str:
        check_address(email)
        return email

    def render_mail(
        self, template_prefix: str, email: str | list[str], context: dict[str, Any], headers: dict[str, str] | None = None
    ) -> EmailMultiAlternatives:
        """The text from `<prefix>_message.txt`, and the same words as HTML."""
        request = allauth_context.request
        context = context | {"site_url": settings.SITE_URL}
        subject = " ".join(render_to_string(f"{template_prefix}_subject.txt", context).split())
        text = re.sub(r"\n{3,}", "\n\n", render_to_string(f"{template_prefix}_message.txt", context, request)).strip() + "\n"
        page = render_to_string("account/email/frame.html", {"subject": subject, **_laid_out(text)}, request)
        to = [email] if isinstance(email, str) else email
        message = EmailMultiAlternatives(subject, text, self.get_from_email(), to, headers={"Auto-Submitted": "auto-generated", **(headers or {})})
        color = stationery.OWN_COLOR
        message.attach_alternative(stationery.inlined(page, light=branding.light(color), dark=branding.dark(color)), "text/html")
        return message


def _laid_out(text: str) -> dict[str, Any]:
    """The paragraphs of an account mail as its HTML wants them: what leads to the button, the button, what follows it."""
    parts = text.strip().split("\n\n")
    links = [(place, found) for place, part in enumerate(parts) if (found := LINK.match(part))]
    place, button = links[0] if links else (len(parts) - 1, None)
    return {
        "language": translation.get_language() or settings.LANGUAGE_CODE,
        "light": branding.light(stationery.OWN_COLOR),
        "head": {"name": "Quittance", "initials": "Q"},
        "to": "account",
        "site_url": settings.SITE_URL,
        "before": parts[:place],
        "button": button.groupdict() if button else None,
        "after": parts[place + 1 :] if button else parts[place:],
    }


class MFAAdapter(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {"incorrect_code": _("This code is not right. Enter the one shown now.")}

    def encrypt(self, text: str) -> str:
        """Keys of authenticator apps and seeds of recovery codes are secrets at rest."""
        return secrets.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return secrets.decrypt(encrypted_text)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return super().get_public_key_credential_rp_entity() | {"name": "Quittance"}


class SignupForm(forms.Form):
    """What signing up asks beyond the email address and the password; allauth builds its form on this one."""

    name = forms.CharField(label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    field_order = ("name", "email", "password1")

    def signup(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        assert isinstance(user, User)  # noqa: S101 - for the type checker
        user.name = self.cleaned_data["name"]
        user.save(update_fields=["name"])
