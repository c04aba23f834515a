"""The one door for a refund's status.

Every move locks the invoice and then the refund, checks the table, changes the row only if its status is still the old one,
adds the invoice's sums up anew and writes its event: all in one transaction. What cannot be done is `Refused`, whose text is
a sentence for people. Nothing here asks the chain or sends a mail: see `outgoing`, and `notifications`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from invoicing import credit_notes, facts, lifecycle
from invoicing.models import Invoice, Status
from invoicing.money import digits, plain
from merchants import assets, haste
from merchants.assets import Asset
from merchants.events import record
from merchants.models import User
from payments import approvals, confirmations, rates, settlement, shares
from payments.models import LIVE, Claim, Cursor, Refund
from payments.models.refund import new_nonce
from payments.shares import CannotRefund, Key, Reckoned

State = Refund.State
REFUNDABLE = (Status.OPEN, Status.PAID, Status.VOID)
CLAIM_LASTS = timedelta(days=30)
WATCH = "payments.tasks.watch_network"

MOVES: dict[str, dict[State, State]] = {
    # event: {from: to}
    "refund.changed": {State.REQUESTED: State.REQUESTED, State.CLAIMED: State.CLAIMED, State.APPROVED: State.CLAIMED},
    "refund.renewed": {State.REQUESTED: State.REQUESTED, State.EXPIRED: State.REQUESTED},  # a new link; the one before opens nothing
    "refund.expired": {State.REQUESTED: State.EXPIRED},
    "refund.claimed": {State.REQUESTED: State.CLAIMED},
    "refund.restarted": {State.CLAIMED: State.REQUESTED, State.APPROVED: State.REQUESTED},  # another address is wanted
    "refund.approved": {State.CLAIMED: State.APPROVED},
    "refund.rejected": {State.CLAIMED: State.REJECTED},
    "refund.cancelled": {State.REQUESTED: State.CANCELLED, State.CLAIMED: State.CANCELLED, State.APPROVED: State.CANCELLED},
    "refund.sent": {State.APPROVED: State.SENT},
    "refund.unsent": {State.SENT: State.APPROVED},  # the transaction that was named is not this refund
    "refund.confirmed": {State.SENT: State.CONFIRMED},
    "refund.reopened": {State.CONFIRMED: State.SENT},  # its network took it back
    "refund.failed": {State.SENT: State.FAILED},
}
NOTHING_SENT: dict[str, Any] = {
    "txid": "",
    "way": "",
    "sent_at": None,
    "sent_by": None,
    "place": None,
    "trouble": "",
    "confirmed_at": None,
    "block_height": None,
    "block_hash": "",
    "block_at": None,
    "confirmations": 0,
    "confirmations_needed": 0,
    "fee_units": None,
}
NOT_APPROVED: dict[str, Any] = {"approved_at": None, "approved_by": None, "approved_height": None}
NO_ADDRESS: dict[str, Any] = {"address": "", "claimed_at": None, "claimed_by": None, "by_member": False}


class Refused(Exception):
    """This cannot be done to this refund; the text says why, and what can be done."""


class MovedOn(Refused):
    """The refund was changed since it was looked at."""


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


# --- the door -----------------------------------------------------------------------------------------------------------


def locked(refund: Refund) -> tuple[Invoice, Refund]:
    """The refund's invoice and the refund, each under its lock, in this order."""
    invoice = lifecycle.locked(refund.invoice_id)
    return invoice, Refund.objects.select_for_update(of=("self",)).get(pk=refund.pk)


def _move(refund: Refund, invoice: Invoice, event: str, *, now: datetime, by: User | None = None, **columns: Any) -> Refund:
    """Take `refund` (under both locks) through the door; `columns` change with the status."""
    old = State(refund.status)
    target = MOVES[event].get(old)
    if target is None:
        raise Refused(refusal(refund, event))
    columns |= {"status": target, "version": refund.version + 1}
    if not _swap(refund, old, columns):
        raise MovedOn(_("This refund has just been changed by somebody else. Look at it again."))
    for name, value in columns.items():
        setattr(refund, name, value)
    invoice = settlement.settle(invoice, now=now)
    tell(event, refund, invoice, now=now, by=by)
    return refund


def _swap(refund: Refund, old: State, columns: dict[str, Any]) -> int:
    """Change the row if it is still as it was read; how many rows. SQLite knows no row lock, so this holds there too."""
    return Refund.objects.filter(pk=refund.pk, status=old, version=refund.version).update(**columns)


def tell(event: str, refund: Refund, invoice: Invoice, *, now: datetime, by: User | None = None, extra: dict[str, Any] | None = None) -> None:
    """Record `event` about a refund of `invoice`, in the transaction of the change."""
    about = {"invoice": facts.of_invoice(invoice), "refund": facts_of(refund, invoice), **(extra or {})}
    record(event, merchant=invoice.merchant, subject=invoice, now=now, by=by, facts=about)


def refusal(refund: Refund, event: str) -> str:
    """Why `event` does not go with the refund as it stands, as a sentence."""
    names = {"reference": refund.reference, "state": str(State(refund.status).label).lower()}
    if refund.status in (State.SENT, State.CONFIRMED) and event in ("refund.cancelled", "refund.changed", "refund.restarted", "refund.rejected"):
        return _("Refund %(reference)s has been sent; it cannot be called back.") % names
    if refund.status in (State.CANCELLED, State.REJECTED, State.FAILED, State.EXPIRED):
        return _("Refund %(reference)s has ended (%(state)s). Create a new one.") % names
    return _("Refund %(reference)s is at “%(state)s”; this does not go with it now. Look at it again.") % names


def facts_of(refund: Refund, invoice: Invoice) -> dict[str, Any]:
    """A refund in an event: amounts as decimal strings, times in UTC. Nothing that opens a page, and no private note."""
    asset = assets.catalogue().assets.get(refund.asset_id)
    places = digits(invoice.currency)
    return {
        "id": refund.pk,
        "reference": refund.reference,
        "status": str(refund.status),
        "basis": refund.basis,
        "amount": plain(refund.amount_minor, places),
        "currency": invoice.currency,
        "asset": refund.asset_id,
        "symbol": asset.symbol if asset else refund.asset_id,
        "network": refund.network,
        "network_name": asset.network.name if asset else refund.network,
        "asset_amount": plain(refund.amount_units, asset.decimals if asset else 0) if refund.amount_units is not None else None,
        "rate": refund.rate or None,
        "rate_source": refund.rate_source or None,
        "reason": refund.reason or None,
        "address": refund.address or None,
        "address_by": ("member" if refund.by_member else "payer") if refund.address else None,
        "txid": refund.txid or None,
        "confirmations": refund.confirmations,
        "credit_note": refund.credit_note.number if refund.credit_note_id and refund.credit_note else None,
        "why": refund.ended_why or None,
        "claim_until": facts.moment(refund.claim_until) if refund.status == State.REQUESTED else None,
    }


# --- asking for it ------------------------------------------------------------------------------------------------------


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
        rate=_rate(invoice, terms.asset, now),
        over_minor=over,
        other_minor=terms.other_minor,
        deduction_e4=terms.deduction_e4,
    )


def _rate(invoice: Invoice, asset: Asset, now: datetime) -> rates.Rate | None:
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
        columns = _columns(terms, found) | {"created_at": now, "created_by": by, "claim_until": now + CLAIM_LASTS}
        try:
            with transaction.atomic():
                refund = Refund.objects.create(merchant=held.merchant, invoice=held, form_key=form_key, **columns)
        except IntegrityError:  # SQLite knows no row lock: there the constraint tells that the form was pressed twice
            return Refund.objects.get(invoice=held, form_key=form_key)
        shares.keep(refund, found.parts)
        held = settlement.settle(held, now=now)
        tell("refund.requested", refund, held, now=now, by=by)
        return refund


def change(refund: Refund, terms: Terms, *, by: User, version: int, now: datetime) -> Refund:
    """Give it another amount, or another asset. An approval is void then; who has not given an address yet gets a new link, and on
    another network it is asked for again. MovedOn when it was changed since `version`."""
    with transaction.atomic():
        invoice, held = locked(refund)
        _seen(held, version)
        if State(held.status) not in MOVES["refund.changed"]:
            raise Refused(refusal(held, "refund.changed"))
        found = reckon(invoice, terms, now=now, but=held)
        moves_network = terms.asset.network.id != held.network
        shares.keep(held, found.parts)
        columns = _columns(terms, found) | {"changed_by": by} | NOT_APPROVED
        if held.status == State.REQUESTED:  # what the payer has on its screen is not what is asked any more
            columns |= {"nonce": new_nonce(), "claim_until": now + CLAIM_LASTS}
        held = _move(held, invoice, "refund.changed", now=now, by=by, **columns)
        if not moves_network:
            return held
        if held.status == State.CLAIMED:
            return _restart(held, invoice, by=by, now=now)
        return _renew(held, invoice, by=by, now=now)  # an address that was given and not confirmed is one of the old network


def _seen(refund: Refund, version: int) -> None:
    if refund.version != version:
        raise MovedOn(_("This refund was changed while you were looking at it. Look at it again."))


# --- where it goes: see `claims` -----------------------------------------------------------------------------------------


def renew(refund: Refund, *, by: User | None, now: datetime) -> Refund:
    """Mail the payer a new link; the one before opens nothing any more. An expired refund is asked for again, if so much is still
    left."""
    with transaction.atomic():
        invoice, held = locked(refund)
        if held.status == State.EXPIRED:
            _check_left(held, invoice)
        return _renew(held, invoice, by=by, now=now)


def _renew(refund: Refund, invoice: Invoice, *, by: User | None, now: datetime) -> Refund:
    return _move(refund, invoice, "refund.renewed", now=now, by=by, nonce=new_nonce(), claim_until=now + CLAIM_LASTS, ended_at=None)


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
        invoice, held = locked(refund)
        if held.nonce != nonce:
            raise MovedOn(_("This refund has been asked for anew since. Use the link in the latest mail."))
        Claim.objects.filter(refund=held, confirmed_at=None, address=address).update(confirmed_at=now)
        columns: dict[str, Any] = {"address": address, "claimed_at": now, "claimed_by": by, "by_member": by is not None}
        return _move(held, invoice, "refund.claimed", now=now, by=by, **columns)


def restart(refund: Refund, *, by: User | None, now: datetime) -> Refund:
    """Another address is wanted, by a member or (`by` None) by the payer: the claim begins anew, with a new link, and an approval
    is void."""
    with transaction.atomic():
        invoice, held = locked(refund)
        return _restart(held, invoice, by=by, now=now)


def _restart(refund: Refund, invoice: Invoice, *, by: User | None, now: datetime) -> Refund:
    columns = NO_ADDRESS | NOT_APPROVED | {"nonce": new_nonce(), "claim_until": now + CLAIM_LASTS}
    if refund.basis == Refund.Basis.FIAT:
        columns |= {"amount_units": None, "rate": "", "rate_source": "", "rate_at": None}
    return _move(refund, invoice, "refund.restarted", now=now, by=by, **columns)


def expire_due(*, now: datetime, limit: int = 200) -> int:
    """End every refund whose link was not used in time; how many."""
    due = Refund.objects.filter(status=State.REQUESTED, claim_until__lte=now).order_by("claim_until")[:limit]
    return sum(_expire(refund, now=now) for refund in due)


def _expire(refund: Refund, *, now: datetime) -> bool:
    with transaction.atomic():
        invoice, held = locked(refund)
        if held.status != State.REQUESTED or held.claim_until > now:
            return False
        _move(held, invoice, "refund.expired", now=now, ended_at=now)
        return True


# --- deciding -----------------------------------------------------------------------------------------------------------


def approve(refund: Refund, *, by: User, version: int, now: datetime) -> Refund:
    """It may be paid, exactly as it was seen at `version`. What was fixed in the invoice's currency gets its amount in the asset
    now, at the rate of now. Refused for who needs a second person, without a rate, and when a payment behind it was taken
    back."""
    with transaction.atomic():
        invoice, held = locked(refund)
        _seen(held, version)
        if State(held.status) not in MOVES["refund.approved"]:
            raise Refused(refusal(held, "refund.approved"))
        if reason := approvals.objection(held, by, now=now):
            raise Refused(reason)
        if shares.is_short(held, invoice):
            raise Refused(_("A payment that this goes back on does not count any more: its network took it back, or it was reversed."))
        known = Cursor.objects.filter(network=held.network).values_list("head_height", flat=True).first()
        columns = {**_fixed(held, invoice, now), "approved_at": now, "approved_by": by, "approved_height": known}
        held = _move(held, invoice, "refund.approved", now=now, by=by, **columns)
        transaction.on_commit(partial(haste.wake, WATCH, held.network), robust=True)
        return held


def _fixed(refund: Refund, invoice: Invoice, now: datetime) -> dict[str, Any]:
    if refund.basis != Refund.Basis.FIAT:
        return {}
    rate = _rate(invoice, refund.asset, now)
    if rate is None:
        raise Refused(_("There is no price for %(asset)s now. Try again in some minutes.") % {"asset": refund.asset.label})
    units = shares.at_rate(refund.amount_minor, rate.value, refund.asset, currency=invoice.currency)
    if units <= 0:
        raise Refused(_("That is less than can be sent in %(asset)s.") % {"asset": refund.asset.label})
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
        invoice, held = locked(refund)
        if held.place is not None:
            raise Refused(_("The network shows this payment. Wait until it is confirmed, or taken back."))
        _withdraw_note(held, now)
        return _move(held, invoice, "refund.failed", now=now, by=by, ended_at=now, ended_by=by, ended_why=why.strip()[:300])


def _end(refund: Refund, event: str, *, why: str, by: User | None, now: datetime) -> Refund:
    with transaction.atomic():
        invoice, held = locked(refund)
        return _move(held, invoice, event, now=now, by=by, ended_at=now, ended_by=by, ended_why=why.strip()[:300])


# --- paying it: see `outgoing` for what the chain says -----------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """The output that pays a refund, as the chain shows it; `block_*` are None and '' while it waits for one."""

    txid: str
    place: int
    block_height: int | None = None
    block_hash: str = ""
    block_at: datetime | None = None
    confirmations: int = 0

    def columns(self) -> dict[str, Any]:
        return {**vars(self), "trouble": ""}


def sent(refund: Refund, *, txid: str, way: str, by: User | None, now: datetime) -> Refund:
    """It has been paid by `txid`, in the rail's spelling; the watcher finds out whether that is so. Naming the same transaction
    again changes nothing."""
    with transaction.atomic():
        invoice, held = locked(refund)
        if held.status == State.SENT and held.txid == txid:
            return held
        columns = NOTHING_SENT | {"txid": txid, "way": way, "sent_at": now, "sent_by": by, "confirmations_needed": needed(held, invoice, now=now)}
        held = _move(held, invoice, "refund.sent", now=now, by=by, **columns)
        transaction.on_commit(partial(haste.wake, WATCH, held.network), robust=True)
        return held


def needed(refund: Refund, invoice: Invoice, *, now: datetime) -> int:
    """How many confirmations make it final."""
    return confirmations.needed(refund.asset.network, rates.in_usd(refund.amount_minor, invoice.currency, now=now))


def unsent(refund: Refund, *, by: User, now: datetime) -> Refund:
    """The transaction that was named or found is not this refund: it is to be paid still. It is never taken for it again."""
    with transaction.atomic():
        invoice, held = locked(refund)
        refused = [*dict.fromkeys([*held.refused_txids, held.txid])]
        return _move(held, invoice, "refund.unsent", now=now, by=by, **NOTHING_SENT | {"refused_txids": refused})


class _Taken(Exception):
    """Another refund has this output."""


def found(refund: Refund, seen: Seen, *, now: datetime) -> Refund:
    """The chain shows the output that pays it. Moves its block and counts it up; what was only approved is sent by it. When
    another refund has this output, nothing changes but the `trouble` of one that was sent."""
    try:
        with transaction.atomic():
            if refund.status == State.APPROVED:
                refund = sent(refund, txid=seen.txid, way=Refund.Way.FOUND, by=None, now=now)
            invoice, held = locked(refund)
            return _found(held, invoice, seen, now=now)
    except _Taken:
        with transaction.atomic():
            _invoice, held = locked(refund)
            if held.status == State.SENT and held.txid == seen.txid:
                _write(held, {"trouble": _("This transaction pays another refund.")})
            return held


def _found(held: Refund, invoice: Invoice, seen: Seen, *, now: datetime) -> Refund:
    if held.status not in (State.SENT, State.CONFIRMED) or held.txid != seen.txid:
        return held
    if held.status == State.CONFIRMED and (held.block_hash, held.block_height) != (seen.block_hash, seen.block_height):
        held = _reopen(held, invoice, now=now)
    try:
        with transaction.atomic():
            _write(held, seen.columns())
    except IntegrityError:
        raise _Taken from None
    if held.status == State.SENT and held.block_height is not None and held.confirmations >= held.confirmations_needed:
        held = _confirm(held, invoice, now=now)
    return held


def replaced(refund: Refund, *, txid: str, now: datetime) -> Refund:
    """The transaction that was named or found does not pay it, and `txid` does: a wallet has sent it again for a higher fee, or
    after the first one failed. What the chain shows already is not replaced."""
    with transaction.atomic():
        invoice, held = locked(refund)
        if held.status != State.SENT or held.place is not None or held.txid != refund.txid:
            return held
        _write(held, {"txid": txid, "way": Refund.Way.FOUND, "trouble": "", "fee_units": None, "version": held.version + 1})
        tell("refund.sent", held, invoice, now=now)
        return held


def missing(refund: Refund, *, why: str, now: datetime) -> Refund:
    """The chain does not show that this transaction pays it, or shows it no more: `why` is a sentence for members, '' while it is
    merely not there. A confirmed refund is sent again."""
    with transaction.atomic():
        invoice, held = locked(refund)
        if held.status == State.CONFIRMED:
            held = _reopen(held, invoice, now=now)
        if held.status == State.SENT:
            _write(held, {"place": None, "block_height": None, "block_hash": "", "block_at": None, "confirmations": 0, "trouble": why})
        return held


def note_fee(refund: Refund, units: int) -> None:
    """What the network took for it, in its native coin's smallest unit."""
    Refund.objects.filter(pk=refund.pk, fee_units=None).update(fee_units=units)


def _write(refund: Refund, columns: dict[str, Any]) -> None:
    Refund.objects.filter(pk=refund.pk).update(**columns)
    for name, value in columns.items():
        setattr(refund, name, value)


def _confirm(refund: Refund, invoice: Invoice, *, now: datetime) -> Refund:
    """Final. What was billed and went back gets its credit note; money goes back from a surplus first, and that makes none."""
    note = refund.credit_note
    if note is not None:
        credit_notes.restore(note)
    elif billed := _billed_minor(refund, invoice):
        note = credit_notes.issue(invoice, amount_minor=billed, reason=refund.reason, paid_back=_paid_back(refund), now=now)
    return _move(refund, invoice, "refund.confirmed", now=now, confirmed_at=now, credit_note=note)


def _billed_minor(refund: Refund, invoice: Invoice) -> int:
    """What of this refund takes back something that the invoice bills: a void one bills nothing, a surplus was never billed. All
    notes that hold take back what went back beyond the surplus, in whatever order refunds are confirmed, taken back and
    confirmed again."""
    if invoice.status == Status.VOID:
        return 0
    surplus = max(invoice.credited_minor - invoice.total_minor, 0)
    beyond = min(invoice.refunded_minor + refund.amount_minor - surplus, invoice.total_minor)
    return min(max(beyond - credit_notes.total(invoice), 0), refund.amount_minor)


def _paid_back(refund: Refund) -> dict[str, Any]:
    asset = refund.asset
    return {
        "reference": refund.reference,
        "amount": plain(refund.amount_units or 0, asset.decimals),
        "symbol": asset.symbol,
        "network": asset.network.name,
        "address": refund.address,
        "txid": refund.txid,
        "rate": refund.rate,
    }


def _reopen(refund: Refund, invoice: Invoice, *, now: datetime) -> Refund:
    _withdraw_note(refund, now)
    return _move(refund, invoice, "refund.reopened", now=now, confirmed_at=None)


def _withdraw_note(refund: Refund, now: datetime) -> None:
    if refund.credit_note is not None:
        credit_notes.withdraw(refund.credit_note, now=now)


def of(invoice: Invoice) -> Iterable[Refund]:
    """Every refund of `invoice`, the latest first."""
    return Refund.objects.filter(invoice=invoice).select_related("created_by", "approved_by", "claimed_by", "credit_note").order_by("-id")
