"""What the chain says of refunds: which output pays which, and how deep it is. A part of each pass of the watcher.

A refund that is to be paid is found by itself: by an output of exactly its amount to its address, which came after its approval
and pays no other refund. Of one whose transaction is known, only that transaction counts; when it does not pay the refund, it
says why. Every change goes through `refunds`.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _

from invoicing.money import grouped
from merchants import assets
from merchants.assets import Asset, Network
from payments import confirmations, cursors, refunds
from payments.confirmations import Tip
from payments.matching import Key, was_before
from payments.models import Cursor, Refund
from payments.rails import Block, Fate, Rail, RailUnreachable, Sighting
from payments.reach import Reach

logger = logging.getLogger(__name__)

State = Refund.State
UNPAID = (State.APPROVED, State.SENT)
ASKED_A_PASS = 10  # single transactions
ASKED_FOR = timedelta(hours=1)  # in each pass, from when it was sent
RARELY = 30  # blocks between two looks after that


@dataclass
class Outgoing:
    """The refunds of one pass, with the outputs that pay them."""

    network: Network
    refunds: list[Refund]
    shown: dict[str, list[Sighting]]  # by address
    taken: dict[Key, dict[int, int]]  # which refund of which merchant has which output
    now: datetime
    paid: dict[int, Sighting] = field(default_factory=dict)  # by refund
    needed: dict[int, int] = field(default_factory=dict)  # confirmations, by refund

    def about_to_be_final(self, tip: Tip) -> dict[int, str]:
        """The blocks whose refunds would be confirmed under `tip`, and are not yet: height → hash."""
        blocks: dict[int, str] = {}
        for refund in self.refunds:
            block = self.paid[refund.pk].block if refund.pk in self.paid else None
            if block is None or (refund.status == State.CONFIRMED and refund.block_hash == block.hash):
                continue
            needed = self.needed[refund.pk]
            if confirmations.count(block.height, needed=needed, tip=tip) >= needed:
                blocks[block.height] = block.hash
        return blocks

    def take(self, refund: Refund, sighting: Sighting) -> None:
        self.paid[refund.pk] = sighting
        self.taken.setdefault(sighting.key, {})[refund.merchant_id] = refund.pk
        self.needed[refund.pk] = refund.confirmations_needed or refunds.needed(refund, refund.invoice, now=self.now)

    def is_free(self, sighting: Sighting, refund: Refund) -> bool:
        """Whether no other refund of its merchant has this output."""
        return self.taken.get(sighting.key, {}).get(refund.merchant_id, refund.pk) == refund.pk

    def is_contested(self, sighting: Sighting, refund: Refund) -> bool:
        """Whether it may be another merchant's payment: one has this output, or owes the same address the same sum. The chain does
        not say who paid, so none of them is found by itself."""
        if any(merchant != refund.merchant_id for merchant in self.taken.get(sighting.key, {})):
            return True
        same = (refund.address, refund.asset_id, refund.amount_units)
        return any(one.merchant_id != refund.merchant_id and (one.address, one.asset_id, one.amount_units) == same for one in self.refunds)


def finds_by_itself(asset: Asset) -> bool:
    """Whether a refund in `asset` is found without its transaction id. Native coin is not, where blocks come too fast to read each."""
    return not asset.is_native or asset.network.native == "blocks"


# --- what is looked for, and where it stands ---------------------------------------------------------------------------


def followed(network: Network, *, first: int) -> list[Refund]:
    """The refunds that are approved or sent, and those confirmed in block `first` or above. What has left the catalogue is nobody's."""
    mine = [asset.id for asset in assets.catalogue().assets.values() if asset.network.id == network.id]
    rows = Refund.objects.filter(Q(status__in=UNPAID) | Q(status=State.CONFIRMED, block_height__gte=first), asset_id__in=mine)
    return list(rows.select_related("invoice").order_by("approved_at", "id"))


def heights(of: Iterable[Refund]) -> list[int]:
    """The blocks that refunds wait in."""
    return [refund.block_height for refund in of if refund.status == State.SENT and refund.block_height is not None]


def placed(of: list[Refund], shown: Mapping[Key, Sighting], reach: Reach, network: Network, *, now: datetime) -> Outgoing:
    """Which of the outputs that a pass `shown` pays which refund. First come those whose transaction is known: a block that stands
    keeps what was in it, whatever a lagging node says."""
    addresses = {refund.address for refund in of}
    by_address: dict[str, list[Sighting]] = defaultdict(list)
    for one in sorted((one for one in shown.values() if one.address in addresses), key=_in_order):
        by_address[one.address].append(one)
    found = Outgoing(network, of, by_address, _taken(of, by_address), now)
    for refund in of:
        if refund.status != State.APPROVED and (own := _own(refund, by_address[refund.address], reach, found)):
            found.take(refund, own)
    for refund in of:
        if refund.status == State.APPROVED and (exact := _exact(refund, found)):
            found.take(refund, exact)
    return found


def _in_order(sighting: Sighting) -> tuple[bool, int, str, int]:
    """Those in blocks first, the oldest first."""
    return sighting.block is None, sighting.block.height if sighting.block else 0, *sighting.key


def _taken(of: list[Refund], shown: Mapping[str, list[Sighting]]) -> dict[Key, dict[int, int]]:
    txids = {one.txid for rows in shown.values() for one in rows} | {refund.txid for refund in of if refund.txid}
    rows = Refund.objects.filter(txid__in=txids, place__isnull=False) if txids else Refund.objects.none()
    taken: dict[Key, dict[int, int]] = defaultdict(dict)
    for txid, place, merchant, pk in rows.values_list("txid", "place", "merchant", "pk"):
        taken[txid, place or 0][merchant] = pk
    return taken


def _own(refund: Refund, rows: list[Sighting], reach: Reach, found: Outgoing) -> Sighting | None:
    """The output of its transaction that pays it, among `rows`."""
    seen = _best(refund, rows, found)
    if (seen is None or seen.block is None) and refund.place is not None and refund.block_at and reach.stands(refund):
        block = Block(refund.block_height or 0, refund.block_hash, refund.block_at)
        return Sighting(refund.txid, refund.place, refund.address, refund.asset_id, refund.amount_units or 0, block)
    return seen


def _best(refund: Refund, rows: Iterable[Sighting], found: Outgoing) -> Sighting | None:
    """Its transaction may pay several: the output that it has, else one of exactly its amount, else one of more."""
    wanted = refund.amount_units or 0
    fit = [one for one in rows if one.txid == refund.txid and one.asset_id == refund.asset_id and one.units >= wanted and found.is_free(one, refund)]
    return min(fit, key=lambda one: (one.place != refund.place, one.units, one.place), default=None)


def _exact(refund: Refund, found: Outgoing) -> Sighting | None:
    """An output that can only be meant for it."""
    return next((one for one in found.shown.get(refund.address, []) if _is_meant(one, refund, found)), None)


def _is_meant(one: Sighting, refund: Refund, found: Outgoing) -> bool:
    if (one.asset_id, one.units) != (refund.asset_id, refund.amount_units) or one.txid in refund.refused_txids or not found.is_free(one, refund):
        return False
    if found.is_contested(one, refund):
        return False
    approved = refund.approved_at
    return approved is not None and not was_before(one.block, since=approved, from_height=refund.approved_height, rail=found.network.rail)


# --- single transactions ------------------------------------------------------------------------------------------------


def _asked(found: Outgoing, rail: Rail, head: int, now: datetime) -> Iterator[tuple[Refund, Sighting | None, str]]:
    """Those whose transaction no scan has shown, each with what the node says when it is asked for that one: the output that pays
    it, or why none does, '' while it is merely not there. At a node that cannot say, only a block that is gone is news."""
    rows = [refund for refund in found.refunds if refund.status != State.APPROVED and refund.pk not in found.paid]
    rows = [refund for refund in rows if refund.block_height is not None or _is_turn(refund, head, now)]
    rows.sort(key=lambda refund: (refund.block_height is None, -(refund.sent_at or now).timestamp()))
    may_ask = True
    for number, refund in enumerate(rows):
        try:
            if may_ask and number < ASKED_A_PASS:
                yield (refund, *_told(refund, rail, found))
                continue
        except RailUnreachable as error:
            logger.warning("%s does not tell of single transactions: %s", found.network.name, error)
            may_ask = False
        except Exception:
            logger.exception("The transaction of %s could not be looked at", refund)
        if refund.block_height is not None:
            yield refund, None, ""


def _is_turn(refund: Refund, head: int, now: datetime) -> bool:
    return refund.sent_at is None or now - refund.sent_at < ASKED_FOR or (head + refund.pk) % RARELY == 0


def _told(refund: Refund, rail: Rail, found: Outgoing) -> tuple[Sighting | None, str]:
    rows = rail.in_transaction(refund.txid, [refund.address])
    if seen := _best(refund, rows, found):
        return seen, ""
    return None, _why(refund, rows, rail, found)


def _why(refund: Refund, rows: list[Sighting], rail: Rail, found: Outgoing) -> str:
    """Why a transaction with `rows` to its address does not pay it, as a sentence; empty while that is not certain."""
    ours = [one for one in rows if one.asset_id == refund.asset_id]
    if any(one.units >= (refund.amount_units or 0) for one in ours):
        return _("This transaction pays another refund.")
    if best := max(ours or rows, key=lambda one: one.units, default=None):
        words = {"paid": _words(best.asset_id, best.units), "wanted": _words(refund.asset_id, refund.amount_units or 0)}
        return _("It pays %(paid)s; this refund is %(wanted)s.") % words
    match rail.fate(refund.txid):
        case Fate.FAILED:
            return _("This transaction failed: it moved nothing.")
        case Fate.DONE:
            return _("This transaction pays nothing to the address of this refund.")
    return ""


def _words(asset_id: str, units: int) -> str:
    asset = assets.asset(asset_id)
    return f"{grouped(units, asset.decimals, trim=True, minimum=min(2, asset.decimals))} {asset.symbol}"


# --- what it changes ----------------------------------------------------------------------------------------------------


def settle(found: Outgoing, rail: Rail, cursor: Cursor, *, tip: Tip, now: datetime) -> tuple[int, list[str]]:
    """Take each refund where the chain says: how many changed, and the references of those that could not be settled. One holds up
    no other. Transactions are asked for outside of it."""
    changed, failed = 0, []
    for refund, move in _moves(found, rail, tip, now):
        if not move.is_news(refund):
            continue
        if not cursors.is_held(cursor):
            break
        try:
            move.make(refund, rail, now=now)
            changed += 1
        except refunds.Refused:  # a member was quicker; the next pass goes by that
            continue
        except Exception:
            logger.exception("The refund %s could not be settled", refund)
            failed.append(refund.reference)
    return changed, failed


@dataclass(frozen=True)
class Move:
    """What is to be written about one refund."""

    seen: refunds.Seen | None
    why: str = ""
    txid: str = ""  # the transaction that takes the place of the one that was named

    def is_news(self, refund: Refund) -> bool:
        """Whether the chain shows something else than was written down."""
        if self.seen is None:
            return refund.status == State.CONFIRMED or refund.place is not None or refund.trouble != self.why
        if any(getattr(refund, name) != value for name, value in self.seen.columns().items()):
            return True
        return refund.status != State.CONFIRMED and self.seen.confirmations >= refund.confirmations_needed

    def make(self, refund: Refund, rail: Rail, *, now: datetime) -> None:
        if self.seen is None:
            refunds.missing(refund, why=self.why, now=now)
            return
        if self.txid:
            refunds.missing(refund, why="", now=now)
            refund = refunds.replaced(refund, txid=self.txid, now=now)
        after = refunds.found(refund, self.seen, now=now)
        if refund.place is None or (after.status == State.CONFIRMED and refund.status != State.CONFIRMED):
            _note_fee(after, rail)


def _moves(found: Outgoing, rail: Rail, tip: Tip, now: datetime) -> Iterator[tuple[Refund, Move]]:
    for refund in found.refunds:
        if refund.pk in found.paid:
            yield refund, Move(_seen(refund, found.paid[refund.pk], found.needed[refund.pk], tip))
    for refund, one, why in _asked(found, rail, tip.head, now):
        txid = ""
        if one is None and refund.status == State.SENT and (exact := _exact(refund, found)) and _is_over(refund, why, rail):
            one, txid = exact, exact.txid
        if one is None:
            yield refund, Move(None, why)
            continue
        found.take(refund, one)
        # Nobody was asked whether its block is disputed: the next pass is, before this becomes final.
        unsure = Tip(tip.head, tip.final, tip.disputed | ({one.block.height} if one.block else set()))
        yield refund, Move(_seen(refund, one, found.needed[refund.pk], unsure), txid=txid)


def _is_over(refund: Refund, why: str, rail: Rail) -> bool:
    """Whether the transaction that was named does not pay it, and will not: it failed, pays something else, or is gone."""
    try:
        return bool(why) or rail.fate(refund.txid) != Fate.WAITING
    except RailUnreachable:
        return False


def _seen(refund: Refund, one: Sighting, needed: int, tip: Tip) -> refunds.Seen:
    """Never less deep while its block is the same: a node may lag."""
    if one.block is None:
        return refunds.Seen(one.txid, one.place)
    deep = confirmations.count(one.block.height, needed=needed, tip=tip)
    if one.block.hash == refund.block_hash:
        deep = max(deep, refund.confirmations)
    return refunds.Seen(one.txid, one.place, one.block.height, one.block.hash, one.block.at, deep)


def _note_fee(refund: Refund, rail: Rail) -> None:
    """Once for a transaction that pays several: their fees add up."""
    if refund.fee_units is not None or Refund.objects.filter(txid=refund.txid, fee_units__isnull=False).exists():
        return
    try:
        units = rail.fee(refund.txid)
    except RailUnreachable as error:
        logger.warning("The fee of %s is not known: %s", refund, error)
        return
    if units is not None:
        refunds.note_fee(refund, units)
