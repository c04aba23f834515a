"""How a delivery leaves: one module per channel. Each try ends in an `Outcome`, or in `Withheld`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from merchants.redaction import redacted

ANSWER_LIMIT = 2000  # characters of an answer that are kept


@dataclass(frozen=True)
class Outcome:
    """How one try went. A failure carries one bit: permanent, or worth another try."""

    ok: bool
    permanent: bool = False
    code: str = ""  # SMTP or HTTP status
    answer: str = ""  # what came back, or why nothing did
    retry_after: timedelta | None = None  # the receiver's own wish
    is_down: bool = False  # it says nothing of this message: the receiver does not answer, or wants no more for now
    provider_id: str = ""  # what the mail provider calls the mail it took
    request: dict[str, str] = field(default_factory=dict)  # a webhook's headers as they went


class Withheld(Exception):
    """It must not leave any more; the text says why. `is_held`: a member may still decide to send it anyway."""

    def __init__(self, reason: str, *, is_held: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_held = is_held


def readable(raw: bytes | str) -> str:
    """An answer as text that every database takes, cut to what is kept. A receiver may quote what it was sent: without our links."""
    text = raw.decode(errors="replace") if isinstance(raw, bytes) else raw
    return redacted(text).replace("\x00", "\N{REPLACEMENT CHARACTER}")[:ANSWER_LIMIT]
