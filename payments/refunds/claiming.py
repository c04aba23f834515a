"""Where a refund goes, as far as its status is concerned; the links and addresses themselves are `payments.claims`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing.models import Invoice
from merchants.models import User
from payments import shares
from payments.models import Claim, Refund
from payments.models.refund import new_nonce
from payments.refunds import door
from payments.refunds.door import MovedOn, Refused, State


def renew(refund: Refund, *, by: User | None, now: datetime) -> Refund:
    """Mail the payer a new link; the one before opens nothing any more. An expired refund is asked for again, if so much is still
    left."""
    with transaction.atomic():
        invoice, held = door.locked(refund)
        if held.status == State.EXPIRED:
            _check_left(held, invoice)
        return ask_anew(held, invoice, by=by, now=now)


def ask_anew(refund: Refund, invoice: Invoice, *, by: User | None, now: datetime) -> Refund:
    """`renew` under both locks."""
    return door.move(refund, invoice, "refund.renewed", now=now, by=by, nonce=new_nonce(), claim_until=now + door.CLAIM_LASTS, ended_at=None)


def _check_left(refund: Refund, invoice: Invoice) -> None:
    """An expired refund holds nothing: what it was about may have gone back otherwise since."""
    left = {source.key: source.left_minor for source in shares.sources(invoice)}
    for share in refund.shares.all():  # type: ignore[attr-defined]
        if left.get(shares.key_of(share), 0) < share.minor:
            raise Refused(_("What it was about has gone back otherwise since. Create a new refund."))


def claimed(refund: Refund, *, address: str, by: User | None, nonce: str, now: datetime) -> Refund:
    """The address is fixed: confirmed by the payer (`by` None), or entered by a member. `nonce` is that of the claim it was given
    in; one that began anew meanwhile is MovedOn."""
    with transaction.atomic():
        invoice, held = door.locked(refund)
        if held.nonce != nonce:
            raise MovedOn(_("This refund has been asked for anew since. Use the link in the latest mail."))
        if by is None:
            Claim.objects.filter(refund=held, for_nonce=nonce, confirmed_at=None, address=address).update(confirmed_at=now)
        columns: dict[str, Any] = {"address": address, "claimed_at": now, "claimed_by": by, "by_member": by is not None}
        return door.move(held, invoice, "refund.claimed", now=now, by=by, **columns)


def restart(refund: Refund, *, by: User | None, now: datetime) -> Refund:
    """Another address is wanted, by a member or (`by` None) by the payer: the claim begins anew, with a new link, and an approval
    is void. Once it is approved it may be on its way, and only a member, who knows that it is not, can begin anew."""
    with transaction.atomic():
        invoice, held = door.locked(refund)
        if by is None and held.status == State.APPROVED:
            raise Refused(_("It is approved and may be on its way. Write to %(name)s at once.") % {"name": invoice.merchant_name})
        return start_again(held, invoice, by=by, now=now)


def start_again(refund: Refund, invoice: Invoice, *, by: User | None, now: datetime) -> Refund:
    """`restart` under both locks."""
    columns = door.NO_ADDRESS | door.NOT_APPROVED | {"nonce": new_nonce(), "claim_until": now + door.CLAIM_LASTS}
    if refund.basis == Refund.Basis.FIAT:
        columns |= {"amount_units": None, "rate": "", "rate_source": "", "rate_at": None}
    return door.move(refund, invoice, "refund.restarted", now=now, by=by, **columns)


def expire_due(*, now: datetime, limit: int = 200) -> int:
    """End every refund whose link was not used in time; how many."""
    due = Refund.objects.filter(status=State.REQUESTED, claim_until__lte=now).order_by("claim_until")[:limit]
    return sum(_expire(refund, now=now) for refund in due)


def _expire(refund: Refund, *, now: datetime) -> bool:
    with transaction.atomic():
        invoice, held = door.locked(refund)
        if held.status != State.REQUESTED or held.claim_until > now:
            return False
        door.move(held, invoice, "refund.expired", now=now, ended_at=now)
        return True
