"""Who belongs to a business, and as what."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from merchants.forms.fields import NO_ADDRESS, MailField
from merchants.models import Membership, Merchant, Role, User

NO_ROLE = _("Choose what they may do.")
# The least first, so that nobody is given more by leaving the choice as it stands.
ROLES = (Role.VIEWER, Role.MANAGER, Role.OWNER)
MAY: dict[str, Any] = {
    Role.VIEWER: _("Sees everything of this business, except secrets and payers' links. Changes nothing."),
    Role.MANAGER: _("Writes, publishes and voids invoices, looks after payers and payments, and edits profile, branding and defaults."),
    Role.OWNER: _("Does everything; only owners decide on wallets, webhooks, secrets, the late policy, prices, the refund limit, and the team."),
}


def role_field() -> forms.ChoiceField:
    return forms.ChoiceField(
        label=_("Role"),
        choices=[(role.value, role.label) for role in ROLES],
        widget=forms.RadioSelect,
        error_messages={"required": NO_ROLE, "invalid_choice": NO_ROLE},
    )


class RoleForm(forms.Form):
    use_required_attribute = False
    role = role_field()

    @property
    def choices(self) -> list[tuple[Any, Any]]:
        """Each choice with what it lets a member do."""
        return [(option, MAY[option.data["value"]]) for option in self["role"]]


class InviteForm(RoleForm):
    email = MailField(
        label=_("Email"),
        widget=forms.EmailInput(attrs={"autocomplete": "off", "inputmode": "email"}),
        error_messages={"required": _("Enter the address of whom you invite."), "invalid": NO_ADDRESS},
    )
    field_order = ("email", "role")


class HandOverForm(forms.Form):
    """To whom the business goes, and what becomes of the one who gives it."""

    use_required_attribute = False
    to = forms.ChoiceField(
        label=_("New owner"),
        error_messages={"required": _("Choose who gets it."), "invalid_choice": _("Choose one of the members.")},
    )
    stays = forms.ChoiceField(
        label=_("And you"),
        choices=[(Role.OWNER.value, _("I stay an owner too")), (Role.MANAGER.value, _("I become a manager"))],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what you become.")},
    )

    def __init__(self, *args: Any, merchant: Merchant, giver: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.others = {str(member.pk): member for member in _others(merchant, giver)}
        field = self.fields["to"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = [("", _("Choose a member")), *((pk, _said(member)) for pk, member in self.others.items())]

    def clean_to(self) -> Membership:
        return self.others[self.cleaned_data["to"]]


def _others(merchant: Merchant, giver: User) -> list[Membership]:
    return list(merchant.memberships.select_related("user").exclude(user=giver).order_by("id"))


def _said(member: Membership) -> str:
    return f"{member.user.display_name}, {member.user.email} ({member.get_role_display()})"
