"""What the page shows of the money and the times, added up from whatever can be read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from invoicing.totals import Totals


@dataclass(frozen=True)
class Sums:
    """Money is in minor units. A row that cannot be read counts for nothing and is None."""

    currency: str
    amounts: tuple[int | None, ...]
    totals: Totals
    gross_minor: int  # before discounts: the 'Subtotal' above them
    recipient: str
    sent_at: datetime | None  # None: at once, and for a schedule
    due_at: datetime | None
    tokens: int
    networks: int
