"""The payments, refunds and messages of one invoice, as rows to read. Floors above are only looked at, through relations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from invoicing.models import Invoice
from invoicing.pdf.paper import rate_words
from invoicing.snapshot import Document
from invoicing.standing import REFUNDS, Badge
from invoicing.timeline import mail_name
from merchants import assets, moments

LIVE = ("requested", "claimed", "approved", "sent", "confirmed")  # of refunds: what they take is not left
SENDABLE = ("failed", "sent", "cancelled")  # what 'send again' is offered for


@dataclass(frozen=True)
class Row:
    """A transfer. `asset` is the frozen dict of the invoice, or None when it was paid in something else."""

    is_recorded = False

    pk: int
    is_held: bool
    is_by_balance: bool  # only the address's balance shows it; `explorer` then leads to the address
    asset: dict[str, Any] | None
    amount_units: int
    txid: str
    short_txid: str
    explorer: str
    seen_at: datetime
    icon: str
    tone: str
    state: str
    is_counted: bool
    credit_minor: int | None
    note: str
    rate: str


@dataclass(frozen=True)
class Recorded:
    """A payment that a member wrote down. `seen_at` is when the money came, as they said."""

    is_recorded = True
    rate = ""

    pk: int
    way: str
    who: str  # empty when their account is gone
    seen_at: datetime
    icon: str
    tone: str
    state: str
    is_counted: bool
    credit_minor: int
    note: str  # the team's own


def payments(invoice: Invoice, document: Document) -> list[Row | Recorded]:
    """Transfers and payments recorded by hand, newest first. What was dropped or reversed stays in the list, and says so."""
    found: list[Row | Recorded] = [_row(transfer, document) for transfer in invoice.transfers.order_by("-id")]  # type: ignore[attr-defined]
    recorded = invoice.recorded_payments.select_related("recorded_by", "reversed_by").order_by("-id")  # type: ignore[attr-defined]
    found += [_recorded(payment, document) for payment in recorded]
    return sorted(found, key=lambda row: row.seen_at, reverse=True)


def rates(rows: list[Row | Recorded]) -> list[str]:
    """Each rate that a row was counted at, once, in their order."""
    return list(dict.fromkeys(row.rate for row in rows if row.rate))


def _recorded(payment: Any, document: Document) -> Recorded:
    is_counted = payment.reversed_at is None
    return Recorded(
        pk=payment.pk,
        way=payment.get_way_display(),
        who=payment.recorded_by.display_name if payment.recorded_by else "",
        seen_at=payment.paid_at,
        icon="circle-check" if is_counted else "undo-2",
        tone="green" if is_counted else "grey",
        state=_("Recorded") if is_counted else _reversal(payment, document.time_zone),
        is_counted=is_counted,
        credit_minor=payment.amount_minor,
        note=payment.note,
    )


def _reversal(payment: Any, zone: str) -> str:
    when = moments.short(payment.reversed_at, zone)
    if payment.reversed_by is None:
        return _("Reversed %(when)s") % {"when": when}
    return _("Reversed by %(who)s, %(when)s") % {"who": payment.reversed_by.display_name, "when": when}


def _row(transfer: Any, document: Document) -> Row:
    asset = document.asset(transfer.asset_id) or _from_catalogue(transfer.asset_id)
    network = assets.catalogue().networks.get(transfer.network)
    icon, tone, state = _state(transfer)
    return Row(
        pk=transfer.pk,
        is_held=transfer.is_held and transfer.status != "dropped",
        is_by_balance=transfer.is_by_balance,
        asset=asset,
        amount_units=transfer.amount_units,
        txid=transfer.txid,
        short_txid=transfer.short_txid,
        explorer=_explorer(transfer, network),
        seen_at=transfer.first_seen_at,
        icon=icon,
        tone=tone,
        state=state,
        is_counted=transfer.status != "dropped" and transfer.credit_reason != "dust",
        credit_minor=transfer.credit_minor,
        note=_note(transfer),
        rate=_rate(transfer, asset, document),
    )


def _explorer(transfer: Any, network: assets.Network | None) -> str:
    if network is None:
        return ""
    if transfer.is_by_balance:
        return network.explorer_address.replace("{address}", transfer.txid.partition(":")[2])
    return network.explorer_tx.replace("{txid}", transfer.txid)


def _note(transfer: Any) -> str:
    if transfer.is_held and transfer.handled_at is not None:
        return _("not counted: %(note)s") % {"note": transfer.handled_note}
    if transfer.credit_reason == "dust":
        return _("too little to count")
    return _("held for a decision") if transfer.is_held else _("came late") if transfer.is_late else ""


@dataclass(frozen=True)
class Back:
    """A refund. `asset` is as the invoice froze it, or None once it is unknown; `amount_units` is None until it is fixed."""

    pk: int
    reference: str
    asked_at: datetime
    badge: Badge
    asset: dict[str, Any] | None
    amount_units: int | None
    amount_minor: int
    is_live: bool  # it takes from what is left
    is_confirmed: bool
    confirmations: str  # '2 of 3' while its network confirms it
    note_pk: int | None
    note_number: str
    note_withdrawn: bool


def refunds(invoice: Invoice, document: Document) -> list[Back]:
    """Every refund of `invoice`, the latest first; one that ended stays in the list, and says so."""
    return [_back(refund, document) for refund in invoice.refunds.select_related("credit_note").order_by("-id")]  # type: ignore[attr-defined]


def _back(refund: Any, document: Document) -> Back:
    note = refund.credit_note
    have = min(refund.confirmations, refund.confirmations_needed)
    is_seen = refund.status == "sent" and refund.place is not None
    return Back(
        pk=refund.pk,
        reference=refund.reference,
        asked_at=refund.created_at,
        badge=REFUNDS[refund.status],
        asset=document.asset(refund.asset_id) or _from_catalogue(refund.asset_id),
        amount_units=refund.amount_units,
        amount_minor=refund.amount_minor,
        is_live=refund.status in LIVE,
        is_confirmed=refund.status == "confirmed",
        confirmations=_("%(have)d of %(need)d") % {"have": have, "need": refund.confirmations_needed} if is_seen else "",
        note_pk=note.pk if note else None,
        note_number=note.number if note else "",
        note_withdrawn=note is not None and note.withdrawn_at is not None,
    )


@dataclass(frozen=True)
class Told:
    """A payer's word that it has paid; of its transaction, when it named one."""

    txid: str
    explorer: str
    at: datetime

    @property
    def short_txid(self) -> str:
        return f"{self.txid[:6]}…{self.txid[-4:]}" if self.txid else ""


def told(invoice: Invoice, rows: list[Row | Recorded]) -> list[Told]:
    """What payers said and no payment shows, the latest first; a transaction that may be on several networks once."""
    here = {row.txid for row in rows if isinstance(row, Row)}
    found: dict[str, Told] = {}
    for hint in invoice.hints.order_by("-given_at", "-id"):  # type: ignore[attr-defined]
        network = assets.catalogue().networks.get(hint.network)
        if hint.txid in here or (not hint.txid and here):
            continue
        explorer = network.explorer_tx.replace("{txid}", hint.txid) if network and hint.txid else ""
        if hint.txid not in found or (explorer and not found[hint.txid].explorer):
            found[hint.txid] = Told(hint.txid, explorer, hint.given_at)
    return list(found.values())


def _from_catalogue(asset_id: str) -> dict[str, Any] | None:
    try:
        return assets.asset(asset_id).frozen()
    except assets.UnknownAsset:
        return None


def _state(transfer: Any) -> tuple[str, str, str]:
    if transfer.status == "dropped":
        return "circle-x", "red", _("Dropped")
    if transfer.status == "final":
        return "circle-check", "green", _("Final")
    names = {"have": min(transfer.confirmations, transfer.confirmations_needed), "need": transfer.confirmations_needed}
    return "loader", "cyan", _("%(have)d of %(need)d") % names


def _rate(transfer: Any, asset: dict[str, Any] | None, document: Document) -> str:
    """'1 EUR = 1.0860 USDT (Kraken, 16 Nov 2026, 17:51)', worded as the payer saw it; empty when it was not priced or does not count."""
    if not (transfer.credit_rate and asset) or transfer.status == "dropped":
        return ""
    source = transfer.credit_source or _("unknown source")
    when = f", {moments.short(transfer.credit_rate_at, document.time_zone)}" if transfer.credit_rate_at else ""
    return f"{rate_words(transfer.credit_rate, asset['symbol'], document.invoice.currency, translation.get_language() or 'en')} ({source}{when})"


@dataclass(frozen=True)
class Message:
    pk: int
    icon: str
    what: str
    to: str
    state_icon: str
    tone: str
    state: str
    at: datetime
    reason: str
    can_resend: bool


def messages(deliveries: list[Any], *, zone: str) -> list[Message]:
    """Every email and webhook, newest first."""
    return [_message(delivery, zone) for delivery in sorted(deliveries, key=lambda row: -row.pk)]


def _message(delivery: Any, zone: str) -> Message:
    is_mail = delivery.channel == "email"
    icon, tone, state = _delivery_state(delivery, zone)
    return Message(
        pk=delivery.pk,
        icon="mail" if is_mail else "webhook",
        what=mail_name(delivery.template) if is_mail else delivery.template,
        to=delivery.recipient if is_mail else _host(delivery),
        state_icon=icon,
        tone=tone,
        state=state,
        at=delivery.sent_at or delivery.created_at,
        reason=delivery.reason,
        can_resend=delivery.status in SENDABLE,
    )


def _host(delivery: Any) -> str:
    return delivery.endpoint.url.partition("://")[2].partition("/")[0] if delivery.endpoint else _("an endpoint that is gone")


def _delivery_state(delivery: Any, zone: str) -> tuple[str, str, str]:
    match delivery.status:
        case "sent":
            return "check", "green", _("Delivered")
        case "failed":
            return "circle-x", "red", _("Given up")
        case "cancelled":
            return "ban", "grey", _("Not sent")
        case "sending":
            return "loader", "cyan", _("Sending")
    if delivery.attempts_made:
        return "rotate-cw", "amber", _("Next try %(time)s") % {"time": f"{moments.local(delivery.next_at, zone):%H:%M}"}
    return "loader", "cyan", _("Waiting")
