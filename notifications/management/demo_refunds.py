"""The demo's refunds: one that waits for an address, one to approve, one to pay, and one that has arrived."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from invoicing.models import Invoice
from invoicing.money import parse_minor
from merchants import assets
from merchants.models import User
from payments import claims, refunds, shares, watcher
from payments.models import Refund
from payments.rails import rail_for, sandbox

Step = tuple[datetime, Callable[[datetime], None]]
Basis = Refund.Basis
WALLET = "sandbox:payers-own"  # the key of the wallet that the payers get their money back in
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Given:
    """What goes back of the invoice with that title, and how far it has come."""

    title: str
    days_ago: int
    basis: str
    other: str
    reason: str
    acts: tuple[str, ...]


ALL = ("ask", "give", "confirm", "approve", "send", "arrive")  # in their order
GIVEN = (
    Given("Menu and window lettering", 11, Basis.OTHER, "492.00", "The window was never lettered.", ALL),
    Given("Stationery", 4, Basis.OTHER, "185.00", "Two pieces fewer than planned.", ALL[:4]),
    Given("Competition boards", 2, Basis.OTHER, "381.30", "One board was not printed.", ALL[:3]),
    Given("Poster series", 1, Basis.SURPLUS, "", "More was sent than the invoice asked for.", ALL[:1]),
)


@dataclass(frozen=True)
class Back:
    """Who gives back, and how the invoice of a title is found."""

    user: User
    now: datetime
    invoice: Callable[[str], Invoice]

    def steps(self) -> Iterator[Step]:
        for number, given in enumerate(GIVEN):
            began = self.now - timedelta(days=given.days_ago, hours=2)
            for minutes, act in enumerate(given.acts):
                yield began + minutes * 10 * MINUTE, partial(getattr(self, f"_{act}"), given, number)

    def _refund(self, given: Given) -> Refund:
        return Refund.objects.select_related("invoice__merchant", "merchant").get(invoice=self.invoice(given.title))

    # --- what happens -----------------------------------------------------------------------------------------------
    def _ask(self, given: Given, _number: int, at: datetime) -> None:
        """In the token that it was paid in."""
        invoice = self.invoice(given.title)
        sources = shares.sources(invoice)
        terms = refunds.Terms(
            basis=given.basis,
            asset=assets.asset(sources[0].asset_id),
            keys=frozenset(source.key for source in sources),
            other_minor=parse_minor(given.other, invoice.currency) if given.other else 0,
            reason=given.reason,
        )
        refunds.request(invoice, terms, form_key=secrets.token_urlsafe(16), by=self.user, now=at)

    def _give(self, given: Given, number: int, at: datetime) -> None:
        refund = self._refund(given)
        address = rail_for(refund.network).address(key=WALLET, index=number)
        claims.offer(refund, address=address, last=address[-claims.LAST :], now=at)

    def _confirm(self, given: Given, _number: int, at: datetime) -> None:
        claims.confirm(self._refund(given).claims.latest("id"), now=at)

    def _approve(self, given: Given, _number: int, at: datetime) -> None:
        refund = self._refund(given)
        refunds.approve(refund, by=self.user, version=refund.version, now=at)

    def _send(self, given: Given, _number: int, at: datetime) -> None:
        """The merchant's own wallet pays; the watcher finds it by itself."""
        refund = self._refund(given)
        sandbox.pay(refund.address, refund.asset_id, refund.amount_units or 0, now=at)
        self._block(at)

    def _arrive(self, given: Given, _number: int, at: datetime) -> None:
        for second in range(self._refund(given).confirmations_needed):
            self._block(at + timedelta(seconds=second))

    def _block(self, at: datetime) -> None:
        sandbox.mine(now=at)
        watcher.read(sandbox.NETWORK, now=at)
