"""A refund taken step by step on a real chain: the story of a network, and of `RefundStory`."""

from __future__ import annotations

from typing import Any

from payments import refunds
from payments.models import Refund
from payments.refunds import Terms
from tests.payments.refunding import RefundStory


class OnChain(RefundStory):
    """Stands before the story of a network, which says `quote`, `blocks` and `look`."""

    coin = ""  # what refunds go out in, unless a test says otherwise
    payer = ""  # the payer's own address

    def terms(self, basis: str = Refund.Basis.PAID, *, asset: str = "", **more: Any) -> Terms:
        return super().terms(basis, asset=asset or self.coin, **more)

    def claim(self, refund: Refund, *, address: str = "") -> Refund:
        return super().claim(refund, address=address or self.payer)

    def name(self, refund: Refund, txid: str) -> Refund:
        """A member says which transaction it is."""
        refund.refresh_from_db()
        return refunds.sent(refund, txid=txid, way=Refund.Way.PASTED, by=self.owner, now=self.now)


def stands(refund: Refund) -> tuple[str, int, str]:
    """Its state, its confirmations, and its trouble."""
    refund.refresh_from_db()
    return refund.status, refund.confirmations, refund.trouble
