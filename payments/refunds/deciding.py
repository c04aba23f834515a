"""Whether it is paid: approved, rejected, cancelled, given up."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing.models import Invoice
from merchants import haste
from merchants.models import User
from payments import approvals, shares
from payments.models import Cursor, Refund
from payments.refunds import door
from payments.refunds.asking import rate_of
from payments.refunds.door import Refused, State


def approve(refund: Refund, *, by: User, version: int, now: datetime) -> Refund:
    """It may be paid, exactly as it was seen at `version`. What was fixed in the invoice's currency gets its amount in the asset
    now, at the rate of now. Refused for who needs a second person, without a rate, and when a payment behind it was taken
    back."""
    with transaction.atomic():
        invoice, held = door.locked(refund)
        door.seen(held, version)
        if State(held.status) not in door.MOVES["refund.approved"]:
            raise Refused(door.refusal(held, "refund.approved"))
        if reason := approvals.objection(held, by, now=now):
            raise Refused(reason)
        if shares.is_short(held, invoice):
            raise Refused(_("A payment that this goes back on does not count any more: its network took it back, or it was reversed."))
        known = Cursor.objects.filter(network=held.network).values_list("head_height", flat=True).first()
        columns = {**_fixed(held, invoice, now), "approved_at": now, "approved_by": by, "approved_height": known}
        held = door.move(held, invoice, "refund.approved", now=now, by=by, **columns)
        transaction.on_commit(partial(haste.wake, door.WATCH, held.network), robust=True)
        return held


def _fixed(refund: Refund, invoice: Invoice, now: datetime) -> dict[str, Any]:
    asset = door.asset_of(refund)
    if refund.basis != Refund.Basis.FIAT:
        return {}
    rate = rate_of(invoice, asset, now)
    if rate is None:
        raise Refused(_("There is no price for %(asset)s now. Try again in some minutes.") % {"asset": asset.label})
    units = shares.at_rate(refund.amount_minor, rate.value, asset, currency=invoice.currency)
    if units < asset.minimum_units:
        raise Refused(_("That is less than can be sent in %(asset)s.") % {"asset": asset.label})
    return {"amount_units": units, "rate": format(rate.value, "f"), "rate_source": rate.source, "rate_at": rate.at}


def reject(refund: Refund, *, why: str, by: User, now: datetime) -> Refund:
    """It is not to be paid; the payer reads why."""
    return _end(refund, "refund.rejected", why=why, by=by, now=now)


def cancel(refund: Refund, *, why: str, by: User | None, now: datetime) -> Refund:
    """It is not to be paid after all; the payer reads why. What was sent cannot be cancelled."""
    return _end(refund, "refund.cancelled", why=why, by=by, now=now)


def fail(refund: Refund, *, why: str, by: User, now: datetime) -> Refund:
    """What was sent never arrives: a member has given it up. Its transaction may be another refund's then."""
    with transaction.atomic():
        invoice, held = door.locked(refund)
        if held.place is not None:
            raise Refused(_("The network shows this payment. Wait until it is confirmed, or taken back."))
        return door.move(held, invoice, "refund.failed", now=now, by=by, ended_at=now, ended_by=by, ended_why=why.strip()[:300])


def _end(refund: Refund, event: str, *, why: str, by: User | None, now: datetime) -> Refund:
    with transaction.atomic():
        invoice, held = door.locked(refund)
        return door.move(held, invoice, event, now=now, by=by, ended_at=now, ended_by=by, ended_why=why.strip()[:300])
