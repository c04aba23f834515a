"""How webhooks are written and signed: one module per format behind one `Wire` contract."""

from __future__ import annotations

from notifications.models import Endpoint, Format
from notifications.webhooks.formats.base import Wire
from notifications.webhooks.formats.ccpayment import CCPayment
from notifications.webhooks.formats.standard import Standard

WIRES: dict[str, Wire] = {Format.STANDARD: Standard(), Format.CCPAYMENT: CCPayment()}


def wire(endpoint: Endpoint) -> Wire:
    return WIRES[endpoint.format]


def wants(endpoint: Endpoint, kind: str) -> bool:
    """Whether events of `kind` go to this endpoint, by its choice and its format."""
    return kind in kinds_of(endpoint)


def kinds_of(endpoint: Endpoint) -> tuple[str, ...]:
    """The types of event that go to this endpoint. None chosen means all, also those that are yet to come."""
    return tuple(kind for kind in wire(endpoint).kinds() if not endpoint.kinds or kind in endpoint.kinds)


__all__ = ["WIRES", "Wire", "kinds_of", "wants", "wire"]
