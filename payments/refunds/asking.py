"""What is asked for: how much goes back on which payments, in what; and a change of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from invoicing import lifecycle
from invoicing.models import Invoice, Status
from merchants.assets import Asset
from merchants.models import User
from payments import rates, settlement, shares
from payments.models import LIVE, Refund, RefundShare
from payments.models.refund import new_nonce
from payments.refunds import claiming, door
from payments.refunds.door import Refused, State
from payments.shares import CannotRefund, Key, Reckoned

REFUNDABLE = (Status.OPEN, Status.PAID, Status.VOID)


@dataclass(frozen=True)
class Terms:
    """What is asked for. `keys` name the payments it goes back on; `other_minor` is for Basis.OTHER alone."""

    basis: str
    asset: Asset
    keys: frozenset[Key]
    other_minor: int = 0
    deduction_e4: int = 0
    reason: str = ""
    note: str = ""


def objection(invoice: Invoice) -> str:
    """Why nothing can be refunded on `invoice` as it stands, as a sentence; empty when something can."""
    if invoice.status not in REFUNDABLE:
        return _("%(name)s has not been issued; there is nothing to refund.") % {"name": invoice.name}
    if not invoice.left_minor:
        if invoice.pending_minor:
            return _("The payments of %(name)s are still confirming; they can be refunded once they are final.") % {"name": invoice.name}
        return _("Nothing is left to refund on %(name)s.") % {"name": invoice.name}
    return ""


def reckon(invoice: Invoice, terms: Terms, *, now: datetime, but: Refund | None = None) -> Reckoned:
    """What a refund of these terms would be now. CannotRefund, with a sentence. `but` is the refund that they are to change."""
    found = [source for source in shares.sources(invoice, but=but) if source.key in terms.keys]
    if not found:
        raise CannotRefund(_("Choose which payment goes back."))
    taken = invoice.refunded_minor + invoice.returning_minor - (but.amount_minor if but and but.status in LIVE else 0)
    over = max(invoice.credited_minor - invoice.total_minor - taken, 0)
    if invoice.status == Status.VOID:  # it bills nothing: all of it is too much
        over = sum(source.left_minor for source in found)
    return shares.reckon(
        terms.basis,
        found,
        asset=terms.asset,
        currency=invoice.currency,
        rate=rate_of(invoice, terms.asset, now),
        over_minor=over,
        other_minor=terms.other_minor,
        deduction_e4=terms.deduction_e4,
    )


def rate_of(invoice: Invoice, asset: Asset, now: datetime) -> rates.Rate | None:
    """Today's; None without one."""
    try:
        return rates.for_refund(invoice.merchant, asset, invoice.currency, now=now)
    except rates.NoRate:
        return None


def _columns(terms: Terms, found: Reckoned) -> dict[str, Any]:
    """The amount as it was reckoned. Where it is fixed at approval, what it would be now is not stored."""
    rate = found.rate if found.units is not None else None
    return {
        "basis": terms.basis,
        "deduction_e4": terms.deduction_e4,
        "amount_minor": found.amount_minor,
        "asset_id": terms.asset.id,
        "amount_units": found.units,
        "rate": format(rate.value, "f") if rate else "",
        "rate_source": rate.source if rate else "",
        "rate_at": rate.at if rate else None,
        "reason": terms.reason.strip()[:300],
        "note": terms.note.strip()[:1000],
    }


def request(invoice: Invoice, terms: Terms, *, form_key: str, by: User | None, now: datetime) -> Refund:
    """Begin a refund: the payer is asked where it is to go. The same `form_key` again is the same refund.

    Refused, or CannotRefund, with a sentence: nothing is left, not so much is left, there is no rate.
    """
    with transaction.atomic():
        held = lifecycle.locked(invoice.pk)
        if before := Refund.objects.filter(invoice=held, form_key=form_key).first():
            return before
        if reason := objection(held):
            raise Refused(reason)
        found = reckon(held, terms, now=now)
        columns = _columns(terms, found) | {"created_at": now, "created_by": by, "authors": door.also([], by), "claim_until": now + door.CLAIM_LASTS}
        try:
            with transaction.atomic():
                refund = Refund.objects.create(merchant=held.merchant, invoice=held, form_key=form_key, **columns)
        except IntegrityError:  # SQLite knows no row lock: there the constraint tells that the form was pressed twice
            return Refund.objects.get(invoice=held, form_key=form_key)
        shares.keep(refund, found.parts)
        held = settlement.settle(held, now=now)
        door.tell("refund.requested", refund, held, now=now, by=by)
        return refund


def change(refund: Refund, terms: Terms, *, by: User, version: int, now: datetime) -> Refund:
    """Give it another amount, another asset, or other words. Words alone change nothing else; else an approval is void, who has not
    given an address yet gets a new link, and on another network it is asked for again. MovedOn when it was changed since
    `version`."""
    with transaction.atomic():
        invoice, held = door.locked(refund)
        door.seen(held, version)
        if State(held.status) not in door.MOVES["refund.changed"]:
            raise Refused(door.refusal(held, "refund.changed"))
        found = reckon(invoice, terms, now=now, but=held)
        if _is_reworded(held, terms, found):
            door.write(held, {"reason": terms.reason.strip()[:300], "note": terms.note.strip()[:1000], "version": held.version + 1})
            door.tell("refund.changed", held, invoice, now=now, by=by, extra={"only_words": True})
            return held
        moves_network = terms.asset.network.id != held.network
        shares.keep(held, found.parts)
        columns = _columns(terms, found) | {"changed_by": by, "authors": door.also(held.authors, by)} | door.NOT_APPROVED
        if held.status == State.REQUESTED:  # what the payer has on its screen is not what is asked any more
            columns |= {"nonce": new_nonce(), "claim_until": now + door.CLAIM_LASTS}
        held = door.move(held, invoice, "refund.changed", now=now, by=by, **columns)
        if not moves_network:
            return held
        if held.status == State.CLAIMED:
            return claiming.start_again(held, invoice, by=by, now=now)
        return claiming.ask_anew(held, invoice, by=by, now=now)  # an address that was given and not confirmed is one of the old network


def _is_reworded(refund: Refund, terms: Terms, found: Reckoned) -> bool:
    """Whether its words are another and all else is as it was asked for. With the same words too, its amount is reckoned anew."""
    words = (terms.reason.strip()[:300], terms.note.strip()[:1000])
    asked = (terms.basis, terms.asset.id, terms.deduction_e4, found.amount_minor)
    parts = {shares.key_of(share): share.minor for share in RefundShare.objects.filter(refund=refund)}
    is_same = asked == (refund.basis, refund.asset_id, refund.deduction_e4, refund.amount_minor)
    return is_same and parts == {part.source.key: part.minor for part in found.parts} and words != (refund.reason, refund.note)


def of(invoice: Invoice) -> Iterable[Refund]:
    """Every refund of `invoice`, the latest first."""
    return Refund.objects.filter(invoice=invoice).select_related("created_by", "approved_by", "claimed_by", "credit_note").order_by("-id")
