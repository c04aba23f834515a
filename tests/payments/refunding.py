"""A paid invoice of 100.00 EUR on the sandbox, and a refund of it taken step by step, for tests of everything that goes back."""

from __future__ import annotations

from typing import Any

from merchants import assets
from merchants.models import Merchant, Role, User
from payments import claims, refunds, shares
from payments.models import Refund
from payments.rails import rail_for, sandbox
from payments.refunds import Terms
from tests.factories import add_member
from tests.payments.money import NETWORK, USDT, Story

SECOND = "second@harbourpine.example"
PAYERS = "sandbox:payer"  # the key of the payer's own wallet


def payers_address(index: int = 0) -> str:
    return rail_for(NETWORK).address(key=PAYERS, index=index)


class RefundStory(Story):
    """Its owner asks for refunds; `second` is a manager who may approve them."""

    def __init__(self, merchant: Merchant, *, paid: bool = True, **fields: Any) -> None:
        super().__init__(merchant, **fields)
        self.merchant = merchant
        self.owner: User = merchant.memberships.filter(role=Role.OWNER).order_by("id").first().user  # type: ignore[union-attr]
        known = User.objects.filter(email=SECOND).first()  # of another story, maybe of this very merchant
        is_member = known is not None and merchant.memberships.filter(user=known).exists()
        self.second = known if is_member and known else add_member(merchant, Role.MANAGER, email=SECOND, user=known)
        self.number = 0
        if paid:
            self.pay()
            self.blocks(5)

    def terms(self, basis: str = Refund.Basis.PAID, *, asset: str = USDT, **more: Any) -> Terms:
        """On every payment that counts, unless `keys` names some."""
        keys = more.pop("keys", None) or frozenset(source.key for source in shares.sources(self.fresh()))
        return Terms(basis=basis, asset=assets.asset(asset), keys=keys, **more)

    def ask(self, basis: str = Refund.Basis.PAID, *, by: User | None = None, **more: Any) -> Refund:
        self.number += 1
        form_key = f"{self.number:043d}"
        return refunds.request(self.fresh(), self.terms(basis, **more), form_key=form_key, by=by or self.owner, now=self.now)

    def claim(self, refund: Refund, *, address: str = "") -> Refund:
        """The payer gives its address and confirms it."""
        refund.refresh_from_db()
        address = address or payers_address()
        given = claims.offer(refund, address=address, last=address[-4:], now=self.now)
        return claims.confirm(given, now=self.now)

    def approve(self, refund: Refund, *, by: User | None = None) -> Refund:
        refund.refresh_from_db()
        return refunds.approve(refund, by=by or self.second, version=refund.version, now=self.now)

    def send(self, refund: Refund, *, units: int | None = None) -> str:
        """Pay it on the chain, and say nothing of it here; the transaction."""
        refund.refresh_from_db()
        return sandbox.pay(refund.address, refund.asset_id, refund.amount_units if units is None else units, now=self.now).txid  # type: ignore[arg-type]

    def approved(self, basis: str = Refund.Basis.PAID, **more: Any) -> Refund:
        return self.approve(self.claim(self.ask(basis, **more)))
