"""A refund as its payer reads it, and as who pays it does: where it stands, what goes out, what the chain says.

Read here, changed nowhere in this module.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.utils import translation
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from invoicing import money
from invoicing.models import CreditNote
from invoicing.pdf.paper import rate_words
from invoicing.snapshot import Document, document
from payments import claims, shares
from payments.asking import Slip
from payments.models import Claim, Refund
from payments.rails import sandbox
from payments.slips import asset_of, segments, served_rail, usual_time

State = Refund.State


class Stage(StrEnum):
    GIVE = "give"  # an address is wanted
    MAILED = "mailed"  # one was given; the mail about it is to be answered
    LAPSED = "lapsed"  # the link was not used in time
    CLAIMED = "claimed"
    APPROVED = "approved"
    SHORT = "short"  # approved, and a payment behind it was taken back: not to be paid now. Who pays it is told, its payer not
    SENT = "sent"
    CONFIRMED = "confirmed"
    ENDED = "ended"  # cancelled, rejected, failed


# What a page says of itself when it changes under a reader who cannot see it.
SENTENCES = {
    Stage.GIVE: _("An address is wanted."),
    Stage.MAILED: _("The address is to be confirmed from the mail."),
    Stage.LAPSED: _("The link has ended."),
    Stage.CLAIMED: _("The address is confirmed. The refund is to be approved."),
    Stage.APPROVED: _("The refund is approved and is to be paid."),
    Stage.SHORT: _("Do not pay this now: a payment behind it does not count any more."),
    Stage.SENT: _("The refund has been sent. The network is confirming it."),
    Stage.CONFIRMED: _("Refunded."),
    Stage.ENDED: _("This refund has ended."),
}


@dataclass(frozen=True)
class Returning(Slip):
    refund: Refund
    asset: dict[str, Any]
    document: Document
    now: datetime
    given: Claim | None  # an address that waits to be confirmed
    is_short: bool = False  # see `paying`

    @property
    def asset_id(self) -> str:
        return self.refund.asset_id

    @property
    def address(self) -> str:
        """The one it goes to; before that the one that was given and not confirmed yet."""
        return self.refund.address or (self.given.address if self.given else "")

    @property
    def units(self) -> int:
        """0 while it is not known what goes out: see `is_fixed_later`."""
        return self.refund.amount_units or 0

    @property
    def is_test(self) -> bool:
        return self.document.is_test

    @property
    def is_fixed_later(self) -> bool:
        """Whether the amount in the asset follows from the rate at approval, which is still to come."""
        return self.refund.amount_units is None

    @property
    def stage(self) -> Stage:
        match self.refund.status:
            case State.REQUESTED if claims.is_open(self.refund, self.now):
                return Stage.MAILED if self.given else Stage.GIVE
            case State.REQUESTED | State.EXPIRED:
                return Stage.LAPSED
            case State.CANCELLED | State.REJECTED | State.FAILED:
                return Stage.ENDED
            case State.APPROVED if self.is_short:
                return Stage.SHORT
        return Stage(self.refund.status)

    @property
    def sentence(self) -> Any:
        return SENTENCES[self.stage]

    @property
    def is_over(self) -> bool:
        """Nothing on its page will change by itself any more."""
        return self.stage in (Stage.LAPSED, Stage.CONFIRMED, Stage.ENDED)

    @property
    def waits(self) -> bool:
        """Whether others have the next move, so that the page is worth asking again."""
        return self.stage in (Stage.MAILED, Stage.CLAIMED, Stage.APPROVED, Stage.SENT)

    @cached_property
    def is_as_paid(self) -> bool:
        """Whether it goes back in the very asset that came."""
        came = {share.transfer.asset_id if share.transfer else "" for share in self.refund.shares.select_related("transfer")}  # type: ignore[attr-defined]
        return came == {self.asset_id}

    @property
    def family(self) -> str:
        """The kind of network, for what only wallets of that kind can do; empty once the catalogue dropped it."""
        return rail.network.family if (rail := served_rail(self.refund.network)) else ""

    @property
    def is_surplus(self) -> bool:
        return self.refund.basis == Refund.Basis.SURPLUS

    @property
    def rate(self) -> str:
        return rate_words(self.refund.rate, self.asset["symbol"], self.document.invoice.currency, translation.get_language() or "en")

    @property
    def explorer(self) -> str:
        """Where to look at the transaction; empty where there is no such page."""
        rail = served_rail(self.refund.network)
        return rail.explorer_tx(self.refund.txid) if rail and self.refund.txid else ""

    @property
    def block(self) -> str:
        """'31,204,877', or empty while it waits for one."""
        height = self.refund.block_height
        return "" if height is None else money.grouped(height, 0, translation.get_language() or "en")

    @property
    def usual_time(self) -> str:
        return usual_time(self.asset_id)

    @property
    def segments(self) -> list[str]:
        return segments(self.refund.confirmations, self.refund.confirmations_needed)

    @property
    def note(self) -> CreditNote | None:
        """The credit note, while it holds."""
        note = self.refund.credit_note
        return note if note and note.withdrawn_at is None and self.refund.status == State.CONFIRMED else None

    @property
    def is_in_sandbox(self) -> bool:
        return self.is_test and self.refund.network == sandbox.NETWORK

    @property
    def etag(self) -> str:
        """A strong validator: the same for as long as nothing that a page says of it has changed."""
        refund = self.refund
        said = [refund.pk, refund.version, self.stage, refund.status, refund.address, refund.amount_units, refund.asset_id, refund.txid]
        said += [refund.place, refund.trouble, refund.block_height, refund.confirmations, refund.confirmations_needed]
        return f'"{hashlib.sha256(repr(said).encode()).hexdigest()[:32]}"'


def returning(refund: Refund, *, now: datetime) -> Returning:
    shown = document(refund.invoice)
    return Returning(refund, asset_of(shown, refund.asset_id), shown, now, claims.given(refund, now))


def paying(refund: Refund, *, now: datetime) -> Returning:
    """The same for who pays it, who must not while a payment behind it counts for less than goes back on it."""
    invoice = refund.invoice
    is_short = bool(refund.status == State.APPROVED and invoice.shortfall_minor and shares.is_short(refund, invoice))
    return replace(returning(refund, now=now), is_short=is_short)
