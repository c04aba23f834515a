"""Whose a payment is. Pure: the watcher brings what the database knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from payments.rails import Block, Sighting

# A block's own time is right within this, by rail. Bitcoin's may be two hours ahead of the network's (MAX_FUTURE_BLOCK_TIME), and behind.
RIGHT_WITHIN = {"utxo": timedelta(hours=2)}
RIGHT_WITHIN_ELSEWHERE = timedelta(minutes=5)

Key = tuple[str, int]  # txid and place
Exact = tuple[int, str, int]  # fixed address, asset, units


class Spot(NamedTuple):
    """A watched address: an invoice's own, or (`invoice_id` None) a wallet's fixed one."""

    address_id: int
    invoice_id: int | None


class Owner(NamedTuple):
    """An invoice; or, with `invoice_id` 0, nobody yet: money at a fixed address that no quote asked for."""

    invoice_id: int
    address_id: int

    @classmethod
    def of(cls, invoice_id: int | None, address_id: int) -> Owner:
        return cls(invoice_id, 0) if invoice_id else cls(0, address_id)

    def __str__(self) -> str:
        """As a cursor keeps it."""
        return str(self.invoice_id) if self.invoice_id else f"address:{self.address_id}"


class Asked(NamedTuple):
    """The invoice whose quote holds an exact amount: since when it asks for it, and the newest block known then."""

    invoice_id: int
    since: datetime
    from_height: int | None


def was_before(block: Block | None, *, since: datetime, from_height: int | None, rail: str) -> bool:
    """Whether a payment in `block` was there before it was asked for at `since`, when `from_height` (None: unknown) was the
    newest block known. A block's time alone is believed only as far as it can be right; one in the pool is new."""
    if block is None or block.at >= since:
        return False
    if from_height is not None and block.height <= from_height:
        return True
    return block.at < since - RIGHT_WITHIN.get(rail, RIGHT_WITHIN_ELSEWHERE)


def owner(sighting: Sighting, spot: Spot, *, rail: str, known: Mapping[Key, int | None], asked: Mapping[Exact, Asked]) -> Owner:
    """An invoice's own address is its alone, whatever comes there. At a fixed address a payment that is known stays whose it
    is, unassigned too; a new one belongs to the invoice whose quote holds exactly this amount of this asset, and held it
    before the money came; else to nobody.
    """
    if spot.invoice_id is not None:
        return Owner(spot.invoice_id, 0)
    if sighting.key in known:
        return Owner.of(known[sighting.key], spot.address_id)
    found = asked.get((spot.address_id, sighting.asset_id, sighting.units))
    if found is None or was_before(sighting.block, since=found.since, from_height=found.from_height, rail=rail):
        return Owner(0, spot.address_id)
    return Owner(found.invoice_id, 0)
