"""A refund as the desk shows it: how it stands, what is to be done next and by whom, and all that is known of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _l

from invoicing import ledger, timeline
from invoicing.models import Invoice
from invoicing.money import format_minor, grouped
from invoicing.pdf.paper import rate_words
from invoicing.standing import REFUNDS
from merchants import assets
from merchants.assets import Asset
from merchants.models import Event, User
from payments import approvals, rates, refunds, shares
from payments.models import LIVE, Claim, Refund
from payments.rails import rail_for
from payments.refund_offers import WORDS
from payments.slips import segments

State = Refund.State


@dataclass(frozen=True)
class Act:
    """A button: the name of its URL, its word. Danger is for what ends it."""

    url: str
    word: str | Promise
    icon: str
    is_danger: bool = False


APPROVE = Act("refund_approve", _l("Approve…"), "check")
PAY = Act("refund_pay", _l("Pay it"), "wallet")
ADDRESS = Act("refund_address", _l("Enter the address…"), "pencil")
RENEW = Act("refund_renew", _l("Mail a new link…"), "mail")
AGAIN = Act("refund_renew", _l("Ask again…"), "mail")
CHANGE = Act("refund_change", _l("Change…"), "pencil-line")
RESTART = Act("refund_restart", _l("Ask for another address…"), "rotate-ccw")
REJECT = Act("refund_reject", _l("Reject…"), "circle-x", is_danger=True)
CANCEL = Act("refund_cancel", _l("Cancel the refund…"), "ban", is_danger=True)
UNSENT = Act("refund_unsent", _l("It is not this transaction…"), "undo-2")
FAILED = Act("refund_failed", _l("Give it up…"), "circle-x", is_danger=True)

# state → what is done next, what else stands beside it, what the menu has
ACTS: dict[str, tuple[Act | None, tuple[Act, ...], tuple[Act, ...]]] = {
    State.REQUESTED: (None, (RENEW, ADDRESS), (CHANGE, CANCEL)),
    State.CLAIMED: (APPROVE, (REJECT,), (CHANGE, RESTART)),
    State.APPROVED: (PAY, (), (CHANGE, RESTART, CANCEL)),
    State.SENT: (None, (), (UNSENT, FAILED)),
    State.EXPIRED: (AGAIN, (), ()),
}


@dataclass(frozen=True)
class Behind:
    """A payment that the refund goes back on, and how much of its credit that takes."""

    at: datetime
    asset: Asset | None
    units: int
    way: str
    minor: int
    is_gone: bool


@dataclass(frozen=True)
class Paid:
    """The transaction that pays it: where to look at it, and its confirmations as a bar."""

    explorer: str
    segments: tuple[str, ...]


def asset_of(refund: Refund) -> Asset | None:
    """None once it has left the catalogue."""
    return assets.catalogue().assets.get(refund.asset_id)


def names(refund: Refund) -> dict[str, str]:
    """What stands in a sentence about it: '46.00 USDT', or '42.00 EUR' while its amount is fixed in that."""
    asset, currency = asset_of(refund), refund.invoice.currency
    money = f"{format_minor(refund.amount_minor, currency)} {currency}"
    if asset is not None and refund.amount_units is not None:
        money = f"{grouped(refund.amount_units, asset.decimals, trim=True, minimum=min(2, asset.decimals))} {asset.symbol}"
    return {"payer": refund.invoice.payer_name, "money": money, "reference": refund.reference}


def about_units(refund: Refund, *, now: datetime) -> int | None:
    """What it would be in its asset now, while that is fixed only as it is approved; None without a rate, and otherwise."""
    asset, invoice = asset_of(refund), refund.invoice
    if refund.amount_units is not None or asset is None:
        return None
    try:
        rate = rates.for_refund(refund.merchant, asset, invoice.currency, now=now)
    except rates.NoRate:
        return None
    return shares.at_rate(refund.amount_minor, rate.value, asset, currency=invoice.currency)


def context(refund: Refund, user: User | None, *, now: datetime) -> dict[str, Any]:
    """All of the refund's page; `user` is the member where their role deals with money."""
    invoice, asset = refund.invoice, asset_of(refund)
    zone = refund.merchant.time_zone
    limit = approvals.Limit(refund.merchant, now=now)
    objection = limit.objection(refund, user) if user and refund.status == State.CLAIMED else ""
    is_short = refund.status in LIVE and shares.is_short(refund, invoice)
    next_act, beside, more = _acts(refund, is_stopped=bool(objection), is_short=is_short)
    events, deliveries = _told(refund, invoice)
    return {
        "nav": "refunds",
        "now": now,
        "zone": zone,
        "refund": refund,
        "invoice": invoice,
        "asset": asset,
        "badge": REFUNDS[refund.status],
        "may_money": user is not None,
        "may_write": user is not None,
        "next_act": next_act if user else None,
        "beside": beside if user else (),
        "more": more if user else (),
        "objection": objection,
        "is_short": is_short,
        "about": about_units(refund, now=now),
        "basis": str(WORDS[refund.basis]) % {"currency": invoice.currency},
        "rate": rate_words(refund.rate, asset.symbol, invoice.currency, "en") if asset and refund.rate_source != shares.AS_CREDITED else "",
        "behind": _behind(refund),
        "given": _given(refund, now),
        "paid": _paid(refund),
        "coin": _coin(refund),
        "limit": _limit(refund, limit),
        "can_again": user is not None and refund.status not in LIVE and not refunds.objection(invoice),
        # What the team was told stands in the list of messages alone.
        "timeline": timeline.entries(
            events,
            [one for one in deliveries if one.recipient in (invoice.payer_email, invoice.mail_to)],
            payer=invoice.payer_name,
            payer_email=invoice.payer_email,
            zone=zone,
        ),
        "messages_sent": ledger.messages(deliveries, zone=zone),
    }


def _acts(refund: Refund, *, is_stopped: bool, is_short: bool) -> tuple[Act | None, tuple[Act, ...], tuple[Act, ...]]:
    """What goes with it now, see ACTS. What a payment taken back stands behind is neither approved nor paid: it may be cancelled."""
    next_act, beside, more = ACTS.get(refund.status, (None, (), ()))
    if refund.place is not None:
        more = tuple(act for act in more if act not in (FAILED, UNSENT))  # the network shows it: it is this one, and cannot be given up
    if is_short and next_act is PAY:
        return None, (CANCEL,), tuple(act for act in more if act is not CANCEL)
    return None if is_stopped or is_short else next_act, beside, more


def _told(refund: Refund, invoice: Invoice) -> tuple[list[Event], list[Any]]:
    """What happened to it, the latest first, and the messages about that."""
    rows = Event.objects.filter(merchant_id=invoice.merchant_id, subject_kind="invoice", subject_id=invoice.pk, kind__startswith="refund.")
    events = [event for event in rows.order_by("-id") if event.facts.get("refund", {}).get("id") == refund.pk]
    ids = {event.pk for event in events}
    sent: Iterable[Any] = invoice.deliveries.select_related("endpoint")  # type: ignore[attr-defined]
    return events, [delivery for delivery in sent if delivery.event_id in ids]


def _behind(refund: Refund) -> list[Behind]:
    found = []
    for share in refund.shares.select_related("transfer", "payment"):  # type: ignore[attr-defined]
        if share.transfer:
            asset = assets.catalogue().assets.get(share.transfer.asset_id)
            is_gone = share.transfer.status == "dropped"
            found.append(Behind(share.transfer.first_seen_at, asset, share.transfer.amount_units, "", share.minor, is_gone))
        elif payment := share.payment:
            found.append(Behind(payment.paid_at, None, 0, payment.get_way_display(), share.minor, payment.reversed_at is not None))
    return sorted(found, key=lambda row: row.at, reverse=True)


def _given(refund: Refund, now: datetime) -> Claim | None:
    """The address that the payer has given, while the mail that confirms it is waiting."""
    if refund.status != State.REQUESTED:
        return None
    latest = Claim.objects.filter(refund=refund).order_by("-id").first()
    return latest if latest and latest.for_nonce == refund.nonce and latest.until > now else None


def _paid(refund: Refund) -> Paid | None:
    if not refund.txid:
        return None
    known = refund.network in assets.catalogue().networks
    explorer = rail_for(refund.network).explorer_tx(refund.txid) if known else ""
    return Paid(explorer, tuple(segments(refund.confirmations, refund.confirmations_needed)))


def _coin(refund: Refund) -> Asset | None:
    """What the network takes its fee in; None where the catalogue does not have it."""
    return next((asset for asset in assets.catalogue().assets.values() if asset.is_native and asset.network.id == refund.network), None)


def _limit(refund: Refund, limit: approvals.Limit) -> str:
    """The limit above which it is, while that matters."""
    matters = refund.status in (State.REQUESTED, State.CLAIMED)
    return approvals.limit_words(refund.merchant) if matters and limit.is_above(refund) else ""
