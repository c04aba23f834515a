"""Who belongs to a merchant, and as what: after founding, the only writer of memberships and invitations.

Everything happens under a lock on the merchant's row, so that two owners who leave at once cannot leave it
without one. What cannot be done is `Refused`, whose text is a sentence for people. Each event says who was an
owner before it (`owners`), so that somebody who has just been taken out is told as well.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from allauth.account.models import EmailAddress
from django.core import signing
from django.db import models, transaction
from django.utils.translation import gettext as _

from merchants.events import record
from merchants.models import Invitation, Membership, Merchant, Role, User

VALID = timedelta(days=7)
MOST_OPEN = 50  # invitations of one merchant that nobody has answered
SIGNER = signing.Signer(sep=".", salt="merchants.team.invitation")


class Refused(Exception):
    """This cannot be done to this team; the text says why, and what can be done."""


class Standing(StrEnum):
    OPEN = "open"
    EXPIRED = "expired"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"


# --- invitations ------------------------------------------------------------------------------------------------
def standing(invitation: Invitation, now: datetime) -> Standing:
    if invitation.accepted_at:
        return Standing.ACCEPTED
    if invitation.withdrawn_at:
        return Standing.WITHDRAWN
    return Standing.OPEN if now < invitation.expires_at else Standing.EXPIRED


def waiting(merchant: Merchant) -> models.QuerySet[Invitation]:
    """The invitations that nobody has answered or withdrawn, expired ones too, oldest first."""
    return merchant.invitations.filter(accepted_at=None, withdrawn_at=None).order_by("id")


def invite(merchant: Merchant, *, email: str, role: str, by: User, now: datetime) -> Invitation:
    """Offer a seat to an address; its mail comes from the event. Refused for a member, and for who is invited already."""
    address = email.strip().lower()
    with transaction.atomic():
        held = _owned(merchant, by)
        if _belongs(held, address):
            raise Refused(_("%(email)s belongs to this business already.") % {"email": address})
        if waiting(held).filter(email=address).exists():
            raise Refused(_("%(email)s has an invitation already. Send it again, or withdraw it first.") % {"email": address})
        if waiting(held).count() >= MOST_OPEN:
            raise Refused(_("%(most)d invitations wait for an answer. Withdraw one first.") % {"most": MOST_OPEN})
        invitation = Invitation.objects.create(
            merchant=held, email=address, role=Role(role), nonce=_nonce(), invited_by=by, created_at=now, expires_at=now + VALID
        )
        _record("member.invited", held, invitation, now=now, by=by, facts=_offer(invitation) | {"again": False})
    return invitation


def renew(invitation: Invitation, *, by: User, now: datetime) -> Invitation:
    """Send it once more, valid anew; the link in the mail before stops working."""
    with transaction.atomic():
        merchant = _owned(invitation.merchant, by)
        held = _answerable(invitation)
        held.nonce, held.expires_at, held.invited_by = _nonce(), now + VALID, by
        held.save(update_fields=["nonce", "expires_at", "invited_by"])
        _record("member.invited", merchant, held, now=now, by=by, facts=_offer(held) | {"again": True})
    return held


def withdraw(invitation: Invitation, *, by: User, now: datetime) -> None:
    """Its link stops working."""
    with transaction.atomic():
        _withdraw(_owned(invitation.merchant, by), _answerable(invitation), by=by, now=now)


def _withdraw(merchant: Merchant, held: Invitation, *, by: User, now: datetime) -> None:
    held.withdrawn_at = now
    held.save(update_fields=["withdrawn_at"])
    _record("invitation.withdrawn", merchant, held, now=now, by=by, facts=_offer(held))


def accept(invitation: Invitation, *, user: User, now: datetime) -> Membership:
    """`user` takes the seat. Only with the very address that was invited, confirmed, and only while it is open."""
    with transaction.atomic():
        merchant = _locked(invitation.merchant)
        held = Invitation.objects.get(pk=invitation.pk)
        if standing(held, now) != Standing.OPEN or held.nonce != invitation.nonce:
            raise Refused(_("This invitation is no longer open. Ask %(business)s for a new one.") % {"business": merchant.name})
        if not has_address(user, held.email):
            raise Refused(_("This invitation is for %(email)s. Sign in with that address.") % {"email": held.email})
        if merchant.memberships.filter(user=user).exists():
            raise Refused(_("You belong to %(business)s already.") % {"business": merchant.name})
        held.accepted_at = now
        held.save(update_fields=["accepted_at"])
        membership = Membership.objects.create(user=user, merchant=merchant, role=held.role)
        facts = {"member": _person(user), "role": held.role, "invitation": held.pk}
        _record("member.joined", merchant, membership, now=now, by=user, facts=facts)
    return membership


def has_address(user: User, email: str) -> bool:
    """Whether `user` has confirmed this very address as theirs."""
    return EmailAddress.objects.filter(user=user, verified=True, email__iexact=email).exists()


# --- the link in the mail ---------------------------------------------------------------------------------------
def link_token(invitation: Invitation) -> str:
    """What stands in the link: made as the mail leaves, kept nowhere. A renewed invitation ends the one before."""
    return SIGNER.sign_object([invitation.pk, invitation.nonce])


def read_token(token: str) -> Invitation | None:
    """The invitation of a link, whatever has become of it; None for a link that is not whole or was replaced."""
    try:
        pk, nonce = SIGNER.unsign_object(token)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return Invitation.objects.select_related("merchant", "invited_by").filter(pk=pk, nonce=nonce).first()


def from_token(token: str, now: datetime) -> Invitation | None:
    """The invitation of a link, while it can be accepted."""
    found = read_token(token)
    return found if found and standing(found, now) == Standing.OPEN else None


# --- members ----------------------------------------------------------------------------------------------------
def change_role(membership: Membership, *, role: str, by: User, now: datetime) -> Membership:
    """Give a member another role. An owner's unanswered invitations end with the ownership."""
    with transaction.atomic():
        merchant = _owned(membership.merchant, by)
        held = _member(membership)
        was, new = Role(held.role), Role(role)
        if was == new:
            return held
        if was == Role.OWNER:
            _leave_an_owner(merchant, without=[held])
        facts = {"member": _person(held.user), "was": was.value, "role": new.value}
        _record("member.role_changed", merchant, held, now=now, by=by, facts=facts)
        _set_role(held, new)
        if was == Role.OWNER:
            _end_invitations(merchant, of=held.user, by=by, now=now)
    return held


def remove(membership: Membership, *, by: User, now: datetime) -> None:
    """Take a member out. The invitations they sent that nobody answered end too."""
    with transaction.atomic():
        merchant = _owned(membership.merchant, by)
        held = _member(membership)
        _leave_an_owner(merchant, without=[held])
        _record("member.removed", merchant, held, now=now, by=by, facts={"member": _person(held.user), "role": held.role})
        _end_invitations(merchant, of=held.user, by=by, now=now)
        _take_out(held)


def leave(membership: Membership, *, now: datetime) -> None:
    """A member goes of their own accord. The invitations they sent that nobody answered end too."""
    with transaction.atomic():
        merchant = _locked(membership.merchant)
        held = _member(membership)
        _leave_an_owner(merchant, without=[held])
        _record("member.left", merchant, held, now=now, by=held.user, facts={"member": _person(held.user), "role": held.role})
        _end_invitations(merchant, of=held.user, by=held.user, now=now)
        _take_out(held)


def hand_over(merchant: Merchant, *, to: Membership, by: User, stays: str, now: datetime) -> None:
    """The owner `by` makes `to` an owner and becomes what `stays` says: an owner still, or a manager, whose open invitations end."""
    with transaction.atomic():
        held = _owned(merchant, by)
        taker, giver = _member(to), held.memberships.get(user=by)
        if taker.pk == giver.pk:
            raise Refused(_("Choose somebody else; it is yours already."))
        facts = {"from": _person(by), "to": _person(taker.user), "was": taker.role, "role": Role.OWNER.value, "giver_role": Role(stays).value}
        _record("merchant.handed_over", held, held, now=now, by=by, facts=facts)
        _set_role(taker, Role.OWNER)
        _set_role(giver, Role(stays))
        if stays != Role.OWNER:
            _end_invitations(held, of=by, by=by, now=now)


def is_only_owner(membership: Membership) -> bool:
    """Whether the merchant would have no owner without this member."""
    return membership.role == Role.OWNER and not _owners(membership.merchant).exclude(pk=membership.pk).exists()


# --- under the lock ---------------------------------------------------------------------------------------------
def _locked(merchant: Merchant) -> Merchant:
    """The merchant's row, held to the end of the transaction. Not FOR UPDATE: other workers insert rows that refer to it."""
    return Merchant.objects.select_for_update(no_key=True).get(pk=merchant.pk)


def _owned(merchant: Merchant, by: User) -> Merchant:
    """The same, and `by` is an owner still."""
    held = _locked(merchant)
    if not _owners(held).filter(user=by).exists():
        raise Refused(_("You are no owner of %(business)s any more.") % {"business": held.name})
    return held


def _owners(merchant: Merchant) -> models.QuerySet[Membership]:
    return merchant.memberships.filter(role=Role.OWNER)


def _member(membership: Membership) -> Membership:
    held = Membership.objects.select_related("user").filter(pk=membership.pk).first()
    if held is None:
        raise Refused(_("Somebody else has just taken this member out."))
    return held


def _answerable(invitation: Invitation) -> Invitation:
    held = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, withdrawn_at=None).first()
    if held is None:
        raise Refused(_("This invitation has just been accepted or withdrawn."))
    return held


def _leave_an_owner(merchant: Merchant, *, without: list[Membership]) -> None:
    if not _owners(merchant).exclude(pk__in=[membership.pk for membership in without]).exists():
        raise Refused(_("%(business)s would have no owner left. Make somebody else an owner first.") % {"business": merchant.name})


def _take_out(membership: Membership) -> None:
    Membership.objects.filter(pk=membership.pk).delete()


def _set_role(membership: Membership, role: Role) -> None:
    membership.role = role
    membership.save(update_fields=["role"])


def _end_invitations(merchant: Merchant, *, of: User, by: User, now: datetime) -> None:
    """A seat offered by somebody who no longer may is no way back in."""
    for invitation in waiting(merchant).filter(invited_by=of):
        _withdraw(merchant, invitation, by=by, now=now)


def _belongs(merchant: Merchant, address: str) -> bool:
    theirs = EmailAddress.objects.filter(verified=True, email__iexact=address).values("user")
    return merchant.memberships.filter(models.Q(user__email__iexact=address) | models.Q(user__in=theirs)).exists()


def _nonce() -> str:
    return secrets.token_urlsafe(32)


# --- what the events say ----------------------------------------------------------------------------------------
def _record(kind: str, merchant: Merchant, subject: models.Model, *, now: datetime, by: User, facts: dict[str, Any]) -> None:
    """Called before a role changes or goes, so that `owners` are those before it."""
    owners = list(_owners(merchant).order_by("id").values_list("user__email", flat=True))
    told = {"business": merchant.name, "who": by.display_name, "owners": owners}
    record(kind, merchant=merchant, subject=subject, now=now, by=by, facts=told | facts)


def _offer(invitation: Invitation) -> dict[str, Any]:
    return {"invitation": invitation.pk, "email": invitation.email, "role": invitation.role, "expires_at": invitation.expires_at.isoformat()}


def _person(user: User) -> dict[str, str]:
    return {"name": user.display_name, "email": user.email}
