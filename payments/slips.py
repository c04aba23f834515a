"""A transfer as the payer reads it, and the words and figures of assets and networks.

An issued invoice's words come from its own columns: an asset is the frozen dict of `Document.assets`, and only
one that the invoice never listed (money that came unasked) is looked up in the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from invoicing import money
from invoicing.pdf.paper import rate_words
from invoicing.snapshot import Document
from merchants import assets
from payments.models import BY_BALANCE, Hint, Quote, Transfer
from payments.rails import Rail, rail_for

MOST_SEGMENTS = 12
# What config/networks.toml says of times, for the translators.
TIMES = (
    gettext_noop("Under a minute"),
    gettext_noop("About a minute"),
    gettext_noop("About 3 minutes"),
    gettext_noop("About 15 minutes"),
    gettext_noop("About 20 minutes"),
)


def network_of(asset_id: str) -> str:
    """The CAIP-2 part of a CAIP-19 id."""
    return asset_id.partition("/")[0]


def asset_of(shown: Document, asset_id: str) -> dict[str, Any]:
    """The asset as the invoice froze it; one the invoice never listed, from the catalogue; else its bare id."""
    frozen = shown.asset(asset_id)
    if frozen is not None:
        return frozen
    try:
        return assets.asset(asset_id).frozen()
    except assets.UnknownAsset:
        return {"id": asset_id, "symbol": asset_id, "name": asset_id, "network": network_of(asset_id), "decimals": 0, "glyph": "", "colour": ""}


def takes(network: assets.Network) -> str:
    """How long a payment takes there: 'About 3 minutes'. An operator's own words for it stay as they are."""
    return _(network.takes)


def usual_time(asset_id: str) -> str:
    """The same, to be read inside a sentence; empty when the catalogue dropped the network."""
    found = assets.catalogue().networks.get(network_of(asset_id))
    words = takes(found) if found else ""
    return words[:1].lower() + words[1:]


def is_beta(asset_id: str) -> bool:
    """Whether this network is new here, and says so."""
    found = assets.catalogue().networks.get(network_of(asset_id))
    return bool(found and found.beta)


def served_rail(network_id: str) -> Rail | None:
    """None when the catalogue dropped the network."""
    try:
        return rail_for(network_id)
    except LookupError:
        return None


def plain_units(units: int, decimals: int) -> str:
    """An asset amount for the clipboard: '4648.51', no grouping, no trailing zeros."""
    text = money.plain(units, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def roughly(units: int, decimals: int, language: str = "en") -> str:
    """An estimate for reading: five digits that count, or to the hundredth where that is more; rounded up."""
    drop = max(min(len(str(units)) - 5, decimals - 2), 0)
    return money.grouped(money.ceil_ratio(units, 10**drop), decimals - drop, language, trim=True, minimum=min(2, decimals))


def minutes(seconds: int) -> str:
    """'12:18'."""
    return f"{seconds // 60}:{seconds % 60:02d}"


def segments(confirmations: int, needed: int) -> list[str]:
    """One 'done', 'now' or 'left' per confirmation; of many, twelve that share them."""
    needed = max(needed, 1)
    count = min(needed, MOST_SEGMENTS)
    done = min(confirmations, needed) * count // needed
    return ["done"] * done + ["now"] * (done < count) + ["left"] * (count - done - 1)


@dataclass(frozen=True)
class Received:
    """A transfer as the payer reads it."""

    transfer: Transfer
    asset: dict[str, Any]
    document: Document
    now: datetime

    @property
    def is_pending(self) -> bool:
        return self.transfer.status == Transfer.State.SEEN

    @property
    def is_dropped(self) -> bool:
        return self.transfer.status == Transfer.State.DROPPED

    @property
    def is_held(self) -> bool:
        return self.transfer.is_held and not self.is_dropped and self.transfer.handled_at is None

    @property
    def asked(self) -> Quote | None:
        """The quote it answers, when less than that arrived."""
        quote = self.transfer.quote
        return quote if quote is not None and self.transfer.amount_units < quote.amount_units else None

    @property
    def explorer(self) -> str:
        """Where to look at the transaction; at the address, when only its balance shows the money."""
        rail = served_rail(self.transfer.network)
        if rail is None:
            return ""
        if self.transfer.is_by_balance:
            return rail.explorer_address(self.transfer.txid.removeprefix(BY_BALANCE))
        return rail.explorer_tx(self.transfer.txid)

    @property
    def rate(self) -> str:
        return rate_words(self.transfer.credit_rate, self.asset["symbol"], self.document.invoice.currency, translation.get_language() or "en")

    @property
    def block(self) -> str:
        """'31,204,877', or empty while it waits for one."""
        height = self.transfer.block_height
        return "" if height is None else money.grouped(height, 0, translation.get_language() or "en")

    @property
    def usual_time(self) -> str:
        return usual_time(self.transfer.asset_id)

    @property
    def segments(self) -> list[str]:
        return segments(self.transfer.confirmations, self.transfer.confirmations_needed)

    @property
    def since_ms(self) -> int:
        return int(self.transfer.first_seen_at.timestamp() * 1000)

    @property
    def now_ms(self) -> int:
        return int(self.now.timestamp() * 1000)

    @property
    def so_far(self) -> str:
        return minutes(max(int((self.now - self.transfer.first_seen_at).total_seconds()), 0))


@dataclass(frozen=True)
class Said:
    """What the payer says it paid, before any payment shows."""

    hint: Hint
    is_fixed: bool  # it was sent to an address for all payers

    @property
    def network(self) -> str:
        found = assets.catalogue().networks.get(self.hint.network)
        return found.name if found else self.hint.network

    @property
    def txid(self) -> str:
        return self.hint.txid

    @property
    def short_txid(self) -> str:
        return f"{self.txid[:6]}…{self.txid[-4:]}"

    @property
    def explorer(self) -> str:
        rail = served_rail(self.hint.network)
        return rail.explorer_tx(self.hint.txid) if rail and self.hint.txid else ""

    def answers(self, quote: Quote) -> bool:
        """Whether the transaction it names may be the one that `quote` asks for."""
        return bool(self.hint.txid) and self.hint.network == network_of(quote.asset_id) and self.hint.given_at >= quote.created_at
