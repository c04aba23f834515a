"""The sandbox: a small simulated network that ships with the project. Its chain is two tables.

Beat makes its blocks. Payments of every temper can be provoked on it, by the panel on the checkout of test merchants
and by tests: prompt, slow, partial, over, late, reorganised and dropped.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from merchants import assets
from merchants.assets import Asset
from payments.models import Quote, Refund, SandboxBlock, SandboxTransaction
from payments.rails.base import BadAddress, Block, Fate, Rail, Sighting

NETWORK = "sandbox:harbour"
KEPT_BLOCKS = 500
IDLE_SECONDS = 60  # an idle chain grows slowly, so that a demo left running does not fill its disk
SLOW_BLOCKS = 6

SCENARIOS = {
    "exact": gettext_lazy("Pay exactly"),
    "slow": gettext_lazy("Pay, but slowly"),
    "part": gettext_lazy("Pay half"),
    "over": gettext_lazy("Pay a tenth too much"),
    "late": gettext_lazy("Pay after the rate lock"),
    "reorg": gettext_lazy("Take its block back"),
    "drop": gettext_lazy("Let the payment vanish"),
}
REFUND_SCENARIOS = {
    "exact": gettext_lazy("Pay exactly"),
    "part": gettext_lazy("Pay half"),
    "reorg": gettext_lazy("Take its block back"),
    "drop": gettext_lazy("Let the payment vanish"),
}


class CannotProvoke(Exception):
    """This cannot be made to happen now; the text says why."""


class SandboxRail(Rail):
    def address(self, *, key: str, index: int) -> str:
        wallet = key.removeprefix("sandbox:")
        digest = hashlib.sha256(f"{self.network.id}/{settings.SECRET_KEY[:8]}/{wallet}/{index}".encode()).digest()
        return "sbx1" + base64.b32encode(digest[:20]).decode().lower()

    def normal(self, address: str) -> str:
        found = address.strip().lower()
        if not re.fullmatch(r"sbx1[a-z2-7]{32}", found):
            raise BadAddress(_("This is no address of the sandbox: those begin with sbx1."))
        return found

    def is_txid(self, text: str) -> bool:
        return re.fullmatch(r"[0-9a-f]{64}", text) is not None

    def head(self) -> Block | None:
        row = SandboxBlock.objects.filter(network=self.network.id).order_by("-height").first()
        return Block(row.height, row.hash, row.at) if row else None

    def blocks(self, first: int, last: int) -> list[Block]:
        rows = SandboxBlock.objects.filter(network=self.network.id, height__range=(first, last)).order_by("height")
        return [Block(row.height, row.hash, row.at) for row in rows]

    def scan(self, addresses: Collection[str], *, first: int, last: int) -> list[Sighting]:
        blocks = {block.height: block for block in self.blocks(first, last)}
        rows = SandboxTransaction.objects.filter(network=self.network.id, block_height__range=(first, last), dropped=False).order_by("id")
        return [_sighting(row, blocks[row.block_height]) for row in rows if row.address in addresses and row.block_height in blocks]

    def pool(self, addresses: Collection[str]) -> list[Sighting]:
        rows = SandboxTransaction.objects.filter(network=self.network.id, block_height=None, dropped=False).order_by("id")
        return [_sighting(row, None) for row in rows if row.address in addresses]

    def in_transaction(self, txid: str, addresses: Collection[str]) -> list[Sighting]:
        row = self._row(txid)
        if row is None or row.address not in addresses:
            return []
        if row.block_height is None:
            return [_sighting(row, None)]
        return [_sighting(row, block) for block in self.blocks(row.block_height, row.block_height)]

    def fate(self, txid: str) -> Fate:
        row = self._row(txid)
        if row is None:
            return Fate.UNKNOWN
        return Fate.WAITING if row.block_height is None else Fate.DONE

    def _row(self, txid: str) -> SandboxTransaction | None:
        return SandboxTransaction.objects.filter(network=self.network.id, txid=txid, dropped=False).first()

    def payment_uri(self, asset: Asset, *, address: str, units: int) -> str:
        return address


def _sighting(row: SandboxTransaction, block: Block | None) -> Sighting:
    return Sighting(row.txid, 0, row.address, row.asset_id, row.amount_units, block)


# --- the chain itself -------------------------------------------------------------------------------------------


def mine(*, now: datetime, network: str = NETWORK) -> Block:
    """Put what waits in the pool into a new block."""
    with transaction.atomic():
        top = SandboxBlock.objects.select_for_update().filter(network=network).order_by("-height").first()
        height = top.height + 1 if top else 0
        row = SandboxBlock.objects.create(network=network, height=height, hash=secrets.token_hex(32), at=now)
        waiting = SandboxTransaction.objects.filter(network=network, block_height=None, dropped=False, not_before__lte=height)
        waiting.update(block_height=height)
        SandboxBlock.objects.filter(network=network, height__lt=height - KEPT_BLOCKS).delete()
        return Block(row.height, row.hash, row.at)


def mine_if_due(*, now: datetime, network: str = NETWORK) -> Block | None:
    """A block when the last one is old enough; slower when no payment waits for one."""
    top = SandboxBlock.objects.filter(network=network).order_by("-height").first()
    if top is not None:
        depth = assets.catalogue().networks[network].confirmations + 2
        recent = SandboxTransaction.objects.filter(network=network, dropped=False, block_height__gt=top.height - depth).exists()
        busy = recent or SandboxTransaction.objects.filter(network=network, dropped=False, block_height=None).exists()
        every = settings.SANDBOX_BLOCK_SECONDS if busy else max(IDLE_SECONDS, settings.SANDBOX_BLOCK_SECONDS)
        if (now - top.at).total_seconds() < every:
            return None
    try:
        return mine(now=now, network=network)
    except IntegrityError:  # another worker made this very block
        return None


def pay(address: str, asset_id: str, units: int, *, now: datetime, after_blocks: int = 0) -> SandboxTransaction:
    """Send `units` of an asset to `address`. It waits in the pool, at least until `after_blocks` more blocks."""
    network = assets.asset(asset_id).network.id
    top = SandboxBlock.objects.filter(network=network).order_by("-height").first()
    height = top.height if top else -1
    return SandboxTransaction.objects.create(
        network=network,
        txid=secrets.token_hex(32),
        address=address,
        asset_id=asset_id,
        amount_units=units,
        not_before=height + 1 + after_blocks,
        created_at=now,
    )


def reorg(depth: int, *, now: datetime, network: str = NETWORK, drop: Collection[str] = ()) -> None:
    """Replace the top `depth` blocks by others. Their payments go back to the pool, those in `drop` vanish."""
    with transaction.atomic():
        top = SandboxBlock.objects.select_for_update().filter(network=network).order_by("-height").first()
        if top is None:
            return
        first = max(top.height - depth + 1, 0)
        SandboxBlock.objects.filter(network=network, height__gte=first).delete()
        loose = SandboxTransaction.objects.filter(network=network, block_height__gte=first)
        loose.update(block_height=None, not_before=top.height + 1)
        SandboxTransaction.objects.filter(network=network, txid__in=list(drop)).update(dropped=True)
        for height in range(first, top.height + 1):
            SandboxBlock.objects.create(network=network, height=height, hash=secrets.token_hex(32), at=now)


def provoke(quote: Quote, act: str, *, now: datetime) -> None:
    """Make one of SCENARIOS happen to `quote`. CannotProvoke when there is nothing it could happen to."""
    asset, address = quote.asset, quote.receive_address.address
    unit = asset.payable_unit
    match act:
        case "exact":
            pay(address, asset.id, quote.amount_units, now=now)
        case "slow":
            pay(address, asset.id, quote.amount_units, now=now, after_blocks=SLOW_BLOCKS)
        case "part":
            pay(address, asset.id, max(quote.amount_units // 2 // unit, 1) * unit, now=now)
        case "over":
            pay(address, asset.id, (quote.amount_units * 11 // 10 // unit + 1) * unit, now=now)
        case "late":
            grace = timedelta(minutes=asset.network.grace_minutes)
            Quote.objects.filter(pk=quote.pk).update(locked_until=now - grace - timedelta(seconds=1))
            pay(address, asset.id, quote.amount_units, now=now)
        case "reorg" | "drop":
            _undo(address, asset.network.id, now=now, vanish=act == "drop")
        case _:
            raise CannotProvoke(_("The sandbox does not know this one."))


def provoke_refund(refund: Refund, act: str, *, now: datetime) -> str:
    """Make one of REFUND_SCENARIOS happen to a refund that has an address: its transaction. Half of it is found only once a
    member names it. CannotProvoke when there is nothing it could happen to."""
    if not refund.address or refund.amount_units is None:
        raise CannotProvoke(_("This refund cannot be paid yet."))
    match act:
        case "exact":
            return pay(refund.address, refund.asset_id, refund.amount_units, now=now).txid
        case "part":
            return pay(refund.address, refund.asset_id, max(refund.amount_units // 2, 1), now=now).txid
        case "reorg" | "drop":
            return _undo(refund.address, refund.network, txid=refund.txid, now=now, vanish=act == "drop")
        case _:
            raise CannotProvoke(_("The sandbox does not know this one."))


def _undo(address: str, network: str, *, now: datetime, vanish: bool, txid: str = "") -> str:
    """The transaction that is taken back: `txid`, or the latest to `address`."""
    there = SandboxTransaction.objects.filter(network=network, address=address, dropped=False)
    paid = (there.filter(txid=txid) if txid else there).order_by("-id").first()
    if paid is None:
        raise CannotProvoke(_("There is no payment yet. Pay first, then take it back."))
    drop = [paid.txid] if vanish else []
    top = SandboxBlock.objects.filter(network=network).order_by("-height").first()
    if paid.block_height is None or top is None:
        SandboxTransaction.objects.filter(txid__in=drop).update(dropped=True)
    else:
        reorg(top.height - paid.block_height + 1, now=now, network=network, drop=drop)
    return paid.txid
