"""The contract of a wire format: what an endpoint is sent of an event, how it is signed, and what counts as received."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from merchants.models import Event
    from notifications.models import Delivery, Endpoint


class Wire(Protocol):
    """One way of writing webhooks. It has no state: one instance serves every endpoint of its format."""

    schedule: str  # when it is tried again, see notifications.backoff
    rotates: bool  # whether two secrets can sign at once

    def kinds(self) -> tuple[str, ...]:
        """The types of event it has something to say of, in the order of the plans."""

    def new_secret(self) -> str:
        """A secret in the form that receivers of this format expect, in plain text."""

    def payload(self, event: Event, endpoint: Endpoint) -> str | None:
        """The body; None when this format has nothing to say of it. It is built once, stored, and sent byte for byte at every
        try. `event` has its sequence."""

    def example(self, event: Event, kind: str, endpoint: Endpoint) -> str:
        """The body of a test of type `kind`, with `"test": true` in it; `event` is the one that says who tested. KeyError for
        a kind it has nothing to say of."""

    def headers(self, delivery: Delivery, endpoint: Endpoint, *, at: datetime) -> dict[str, str]:
        """The headers that go with the stored body, but those of HTTP itself. `at` is the installation's time, which a
        demonstration may have moved; what is signed is the real one, as receivers check it against their own clock.
        Reads the endpoint's secrets, and of some formats the merchant's App ID: for the thread that may ask the database."""

    def is_received(self, status: int, body: bytes) -> bool:
        """Whether this answer (its first bytes) means that the message has arrived."""
