"""A refund brought to any of its states, and every move it can be asked to make."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from invoicing.models import Invoice
from payments import refunds
from payments.models import Refund
from payments.refunds import Seen
from tests.payments.refunding import RefundStory, payers_address

ETHEREUM = "eip155:1/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7"
TXID, OTHER_TXID = "a" * 64, "b" * 64
STATES = [str(state) for state in Refund.State]


def seen(txid: str = TXID, *, place: int = 0, height: int | None = 90, block: str = "90", confirmations: int = 3, at: datetime | None = None) -> Seen:
    return Seen(txid, place, height, block if height is not None else "", at, confirmations if height is not None else 0)


def at(story: RefundStory, state: str, basis: str = "paid", **more: Any) -> Refund:
    """A refund of `story` that has come to `state`."""
    refund = story.ask(basis, **more)
    if state == "requested":
        return refund
    if state == "expired":
        story.now += timedelta(days=30)
        refunds.expire_due(now=story.now)
        return fresh(refund)
    if state == "cancelled":
        return refunds.cancel(refund, why="Agreed otherwise", by=story.owner, now=story.now)
    refund = story.claim(refund)
    if state == "claimed":
        return refund
    if state == "rejected":
        return refunds.reject(refund, why="Not ours", by=story.second, now=story.now)
    refund = story.approve(refund)
    if state == "approved":
        return refund
    refund = refunds.sent(refund, txid=TXID, way="pasted", by=story.second, now=story.now)
    if state == "sent":
        return refund
    if state == "failed":
        return refunds.fail(refund, why="It never arrived", by=story.owner, now=story.now)
    return refunds.found(refund, seen(), now=story.now)


def fresh(refund: Refund) -> Refund:
    return Refund.objects.get(pk=refund.pk)


def row(refund: Refund) -> dict[str, Any]:
    return dict(Refund.objects.values().get(pk=refund.pk))


def sums(invoice: Invoice) -> tuple[int, int, int, int]:
    """Refunded, on its way, short, left."""
    invoice.refresh_from_db()
    return invoice.refunded_minor, invoice.returning_minor, invoice.shortfall_minor, invoice.left_minor


def move(story: RefundStory, refund: Refund, event: str) -> Any:
    now = story.now
    calls: dict[str, Callable[[], Any]] = {
        "changed": lambda: refunds.change(refund, story.terms("other", other_minor=50), by=story.owner, version=refund.version, now=now),
        "renewed": lambda: refunds.renew(refund, by=story.owner, now=now),
        "expired": lambda: refunds.expire_due(now=now + timedelta(days=31)),
        "claimed": lambda: refunds.claimed(refund, address=payers_address(5), by=None, nonce=refund.nonce, now=now),
        "restarted": lambda: refunds.restart(refund, by=story.owner, now=now),
        "approved": lambda: refunds.approve(refund, by=story.second, version=refund.version, now=now),
        "rejected": lambda: refunds.reject(refund, why="No", by=story.second, now=now),
        "cancelled": lambda: refunds.cancel(refund, why="No", by=story.owner, now=now),
        "sent": lambda: refunds.sent(refund, txid=OTHER_TXID, way="wallet", by=story.second, now=now),
        "unsent": lambda: refunds.unsent(refund, by=story.owner, now=now),
        "failed": lambda: refunds.fail(refund, why="No", by=story.owner, now=now),
    }
    return calls[event]()
