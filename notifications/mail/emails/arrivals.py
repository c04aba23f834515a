"""What came on a chain, as an event tells it."""

from __future__ import annotations

from typing import Any

from invoicing.money import grouped, parse_scaled
from payments.models import BY_BALANCE


def arrival(told: dict[str, Any], language: str) -> dict[str, Any]:
    """The transfer of an event's facts, its amount in the reader's way of writing with all its digits, and its transaction; empty
    while only a balance shows it."""
    places = len(told["amount"].partition(".")[2])
    amount = grouped(parse_scaled(told["amount"], places), places, language)
    return {"transfer": told, "amount": amount, "txid": "" if told["txid"].startswith(BY_BALANCE) else told["txid"]}
