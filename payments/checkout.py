"""Where the payment of an invoice stands, as its payer sees it: read here, changed nowhere in this module."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext_lazy as _

from invoicing.models import Invoice, Status
from invoicing.pdf.paper import number_of
from invoicing.snapshot import Document, document
from payments import hints, quotes
from payments.asking import Asked
from payments.credit import DUST
from payments.models import Hint, Quote, RecordedPayment
from payments.slips import Received, Said, asset_of, network_of


class Stage(StrEnum):
    CHOOSE = "choose"
    QUOTED = "quoted"
    EXPIRED = "expired"
    CONFIRMING = "confirming"
    PART = "part"
    HELD = "held"
    PAID = "paid"
    VOID = "void"
    MISSED = "missed"


# What the page says of itself when it changes under a reader who cannot see it.
SENTENCES = {
    Stage.CHOOSE: _("Choose how to pay."),
    Stage.QUOTED: _("Waiting for your payment."),
    Stage.EXPIRED: _("The rate lock has ended. Get a new quote."),
    Stage.CONFIRMING: _("Your payment has been seen. The network is confirming it."),
    Stage.PART: _("A part has been received. The rest is still due."),
    Stage.HELD: _("Your payment arrived and is being looked at."),
    Stage.PAID: _("Paid, thank you. You owe nothing more on this invoice."),
    Stage.VOID: _("This invoice is cancelled."),
    Stage.MISSED: _("This invoice was not sent in time."),
}
LOOKING = _("Looking for your payment.")
ENDED = frozenset({Stage.PAID, Stage.VOID, Stage.MISSED})


@dataclass(frozen=True)
class Situation:
    stage: Stage
    invoice: Invoice
    document: Document
    asked: Asked | None  # the quote on the page: live, or the one that ended
    latest: Quote | None  # the newest of all, whatever became of it
    received: list[Received]
    recorded: list[RecordedPayment]  # by hand, and not reversed
    rest_minor: int  # what the payer is still asked for; 0 when what is on its way covers it
    said: Said | None  # the payer says it paid, and no payment shows that yet
    now: datetime

    @property
    def is_over(self) -> bool:
        """Nothing on this page will change by itself any more."""
        return self.stage in ENDED

    @property
    def sentence(self) -> Any:
        return LOOKING if self.said and self.stage in (Stage.QUOTED, Stage.EXPIRED) else SENTENCES[self.stage]

    @property
    def wallet_call(self) -> str:
        """What a wallet in the browser is asked for; empty once it was sent, so that it is not sent twice."""
        if self.asked is None or (self.said and self.said.answers(self.asked.quote)):
            return ""
        return self.asked.wallet_call

    @property
    def receipt_number(self) -> str:
        return number_of(self.invoice, "receipt")

    @property
    def counted(self) -> list[Received]:
        return [row for row in self.received if not row.is_dropped]

    @property
    def pending(self) -> list[Received]:
        return [row for row in self.received if row.is_pending]

    @property
    def held(self) -> list[Received]:
        return [row for row in self.received if row.is_held]

    @property
    def is_late(self) -> bool:
        """Whether what is held came after its rate lock; else it was never asked for, or had no price."""
        return any(row.transfer.is_late for row in self.held)

    @property
    def dropped(self) -> list[Received]:
        return [row for row in self.received if row.is_dropped]

    @property
    def slowest(self) -> Received | None:
        """The pending transfer that the payer waits for longest."""
        return min(self.pending, key=lambda row: (row.transfer.confirmations - row.transfer.confirmations_needed, -row.transfer.pk), default=None)

    @property
    def received_share(self) -> int:
        """Of 1000: how much of the total is credited."""
        return min(self.invoice.credited_minor * 1000 // max(self.invoice.total_minor, 1), 1000)

    @property
    def pending_share(self) -> int:
        """Of 1000: how much of the total is on its way."""
        return min(self.invoice.pending_minor * 1000 // max(self.invoice.total_minor, 1), 1000 - self.received_share)

    @property
    def etag(self) -> str:
        """A strong validator: the same for as long as nothing that the fragment says has changed."""
        invoice, quote = self.invoice, self.asked and self.asked.quote
        said: list[Any] = [self.stage, invoice.pk, invoice.version, invoice.status, self.rest_minor]
        said += [invoice.credited_minor, invoice.pending_minor, invoice.refunded_minor, invoice.written_off_minor, invoice.is_overpaid]
        said += [invoice.returning_minor, invoice.shortfall_minor]
        said += [quote.reference, quote.locked_until.isoformat()] if quote else []
        for row in self.received:
            transfer = row.transfer
            said += [
                transfer.pk,
                transfer.status,
                transfer.confirmations,
                transfer.credit_minor,
                transfer.is_held,
                transfer.is_late,
                transfer.block_height,
            ]
        said += [(payment.pk, payment.amount_minor) for payment in self.recorded]
        said += [self.said.hint.pk, self.said.hint.txid, self.said.hint.given_at.isoformat()] if self.said else []
        return f'"{hashlib.sha256(repr(said).encode()).hexdigest()[:32]}"'


def situation(invoice: Invoice, *, now: datetime, choosing: bool = False) -> Situation:
    """Where the payment of `invoice` stands at `now`. `choosing`: the payer asked to see the tokens again."""
    found = _situation(invoice, now, choosing)
    if found.stage is Stage.CHOOSE and not choosing and found.latest and found.latest.status == Quote.State.USED:
        invoice.refresh_from_db()  # the payment may have been settled after the invoice was read, and before its quote was
        found = _situation(invoice, now, choosing)
    return found


def _situation(invoice: Invoice, now: datetime, choosing: bool) -> Situation:
    shown = document(invoice)
    transfers = list(invoice.transfers.exclude(credit_reason=DUST).select_related("quote").order_by("id"))
    received = [Received(transfer, asset_of(shown, transfer.asset_id), shown, now) for transfer in transfers]
    recorded = list(invoice.recorded_payments.filter(reversed_at=None).order_by("paid_at", "id"))
    latest = quotes.latest(invoice)
    rest = invoice.due_minor if invoice.due_minor > invoice.tolerance_minor else 0
    stage, quote = _stage(invoice, received, latest=latest, rest=rest, choosing=choosing, now=now)
    asked = Asked(quote, asset_of(shown, quote.asset_id), shown, now) if quote else None
    said = None if stage in ENDED else _said(invoice, received, latest)
    return Situation(stage, invoice, shown, asked, latest, received, recorded, rest, said, now)


def _said(invoice: Invoice, received: Sequence[Received], latest: Quote | None) -> Said | None:
    """The payer's last word, unless a payment has come that may be the one it meant. A transaction id is noted on every network
    that it could be of: the one of the latest quote is shown."""
    open_words = [hint for hint in hints.given(invoice) if not _is_answered(hint, received)]
    if not open_words or latest is None:
        return None
    is_fixed, network = latest.receive_address.invoice_id is None, network_of(latest.asset_id)
    said = [Said(hint, is_fixed) for hint in open_words]
    return max(said, key=lambda one: (one.answers(latest), one.hint.given_at, one.hint.network == network))


def _is_answered(hint: Hint, received: Sequence[Received]) -> bool:
    """Networks spell the same transaction id with 0x or without."""
    transfers = [row.transfer for row in received if not row.is_dropped]
    if hint.txid:
        return hint.txid.removeprefix("0x") in {transfer.txid.removeprefix("0x") for transfer in transfers}
    return any(transfer.network == hint.network and transfer.first_seen_at >= hint.given_at for transfer in transfers)


def _stage(
    invoice: Invoice, received: Sequence[Received], *, latest: Quote | None, rest: int, choosing: bool, now: datetime
) -> tuple[Stage, Quote | None]:
    """The stage, and the quote that it shows. A quote is shown only while it asks for what is still due."""
    ended = {Status.PAID: Stage.PAID, Status.VOID: Stage.VOID, Status.MISSED: Stage.MISSED}.get(Status(invoice.status))
    if ended:
        return ended, None
    if rest == 0:
        return Stage.CONFIRMING, None
    if choosing:
        return Stage.CHOOSE, None
    live = quotes.live(invoice, now=now)
    if live and live.fiat_minor == rest:
        return Stage.QUOTED, live
    if any(row.is_held for row in received):
        return Stage.HELD, None
    if latest and latest.fiat_minor == rest and latest.status != Quote.State.USED:
        return Stage.EXPIRED, latest
    if invoice.credited_minor or invoice.pending_minor:
        return Stage.PART, None
    return Stage.CHOOSE, None
