"""Whose a payment is. Pure: the watcher brings what the database knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from payments.rails import Sighting

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


def owner(sighting: Sighting, spot: Spot, *, known: Mapping[Key, int | None], holders: Mapping[Exact, int]) -> Owner:
    """An invoice's own address is its alone, whatever comes there. At a fixed address a payment that is known stays whose it
    is, unassigned too; a new one belongs to the invoice whose quote holds exactly this amount of this asset, else to nobody.
    """
    if spot.invoice_id is not None:
        return Owner(spot.invoice_id, 0)
    if sighting.key in known:
        return Owner.of(known[sighting.key], spot.address_id)
    return Owner.of(holders.get((spot.address_id, sighting.asset_id, sighting.units)), spot.address_id)
