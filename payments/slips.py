"""A quote and a transfer as the payer reads them: words, figures, the QR code.

An issued invoice's words come from its own columns: an asset is the frozen dict of `Document.assets`, and only
one that the invoice never listed (money that came unasked) is looked up in the catalogue.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import segno
from django.utils.functional import cached_property

from invoicing import money
from invoicing.pdf.paper import rate_words
from invoicing.snapshot import Document
from merchants import assets, moments
from payments.models import BY_BALANCE, Hint, Quote, Transfer
from payments.rails import Rail, rail_for

MOST_SEGMENTS = 12


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


def usual_time(asset_id: str) -> str:
    """How long this network usually takes, to be read inside a sentence; empty when the catalogue dropped it."""
    found = assets.catalogue().networks.get(network_of(asset_id))
    return found.takes[:1].lower() + found.takes[1:] if found else ""


def is_beta(asset_id: str) -> bool:
    """Whether this network is new here, and says so."""
    found = assets.catalogue().networks.get(network_of(asset_id))
    return bool(found and found.beta)


def _rail(network_id: str) -> Rail | None:
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


@dataclass(frozen=True)
class Asked:
    """A quote as the payer reads it."""

    quote: Quote
    asset: dict[str, Any]
    document: Document
    now: datetime

    @property
    def address(self) -> str:
        return self.quote.receive_address.address

    @property
    def address_groups(self) -> list[str]:
        """The address in fours, to be set apart by margin and copied without gaps; what is over joins the last four."""
        fours = [self.address[at : at + 4] for at in range(0, len(self.address), 4)]
        return fours if len(fours[-1]) == 4 or len(fours) == 1 else [*fours[:-2], "".join(fours[-2:])]

    @property
    def amount_to_copy(self) -> str:
        return plain_units(self.quote.amount_units, self.asset["decimals"])

    @property
    def rate(self) -> str:
        return rate_words(self.quote.rate, self.asset["symbol"], self.document.invoice.currency, self.document.invoice.language)

    @property
    def locked_until_words(self) -> str:
        """'11:07 Lisbon time'; with the day, when that is not today."""
        zone, until = self.document.time_zone, self.quote.locked_until
        if moments.local(until, zone).date() != moments.local(self.now, zone).date():
            return moments.in_words(until, zone, self.document.invoice.language)
        return f"{moments.local(until, zone):%H:%M} {moments.zone_words(zone)}"

    @property
    def is_fixed(self) -> bool:
        """Whether the address is one for all payers, so that the exact amount tells whose payment it is."""
        return self.quote.receive_address.invoice_id is None

    @property
    def is_beta(self) -> bool:
        return is_beta(self.quote.asset_id)

    @cached_property
    def _served(self) -> tuple[assets.Asset, Rail] | None:
        """None once the catalogue dropped the asset."""
        try:
            found = assets.asset(self.quote.asset_id)
            return found, rail_for(found.network.id)
        except LookupError:
            return None

    @cached_property
    def uri(self) -> str:
        """What the QR code says: the network's payment link, or the bare address."""
        if self._served is None:
            return self.address
        asset, rail = self._served
        return rail.payment_uri(asset, address=self.address, units=self.quote.amount_units)

    @property
    def wallet_link(self) -> str:
        """The payment link, where a wallet can be expected to open it; else empty."""
        return self.uri if ":" in self.uri and not self.document.is_test else ""

    @property
    def token_link(self) -> str:
        """The link that some wallets read whole and others only in part; else empty."""
        if self._served is None:
            return ""
        asset, rail = self._served
        return rail.token_link(asset, address=self.address, units=self.quote.amount_units)

    @cached_property
    def wallet_call(self) -> str:
        """What js/wallet.js asks a wallet in the browser for, as JSON; empty where there is nothing to ask."""
        if self._served is None:
            return ""
        asset, rail = self._served
        call = rail.wallet_call(asset, address=self.address, units=self.quote.amount_units)
        return json.dumps(call) if call else ""

    @property
    def explorer_pattern(self) -> str:
        """The explorer's page of a transaction that is not known yet: '…/tx/{txid}'."""
        return self._served[1].explorer_tx("{txid}") if self._served else ""

    @property
    def qr(self) -> str:
        return segno.make_qr(self.uri, error="m").svg_data_uri(border=4, scale=4, dark="#131a2c", light="#ffffff")

    @property
    def seconds_left(self) -> int:
        return max(int((self.quote.locked_until - self.now).total_seconds()), 0)

    @property
    def seconds_whole(self) -> int:
        return max(int((self.quote.locked_until - self.quote.created_at).total_seconds()), 1)

    @property
    def clock(self) -> str:
        return minutes(self.seconds_left)

    @property
    def ring(self) -> int:
        """How much of the lock is left, of 100."""
        return min(self.seconds_left * 100 // self.seconds_whole, 100)

    @property
    def now_ms(self) -> int:
        return int(self.now.timestamp() * 1000)

    @property
    def until_ms(self) -> int:
        return int(self.quote.locked_until.timestamp() * 1000)


def minutes(seconds: int) -> str:
    """'12:18'."""
    return f"{seconds // 60}:{seconds % 60:02d}"


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
        rail = _rail(self.transfer.network)
        if rail is None:
            return ""
        if self.transfer.is_by_balance:
            return rail.explorer_address(self.transfer.txid.removeprefix(BY_BALANCE))
        return rail.explorer_tx(self.transfer.txid)

    @property
    def rate(self) -> str:
        return rate_words(self.transfer.credit_rate, self.asset["symbol"], self.document.invoice.currency, self.document.invoice.language)

    @property
    def block(self) -> str:
        """'31,204,877', or empty while it waits for one."""
        height = self.transfer.block_height
        return "" if height is None else money.grouped(height, 0, self.document.invoice.language)

    @property
    def usual_time(self) -> str:
        return usual_time(self.transfer.asset_id)

    @property
    def segments(self) -> list[str]:
        """One 'done', 'now' or 'left' per confirmation; of many, twelve that share them."""
        needed = max(self.transfer.confirmations_needed, 1)
        count = min(needed, MOST_SEGMENTS)
        done = min(self.transfer.confirmations, needed) * count // needed
        return ["done"] * done + ["now"] * (done < count) + ["left"] * (count - done - 1)

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
        rail = _rail(self.hint.network)
        return rail.explorer_tx(self.hint.txid) if rail and self.hint.txid else ""

    def answers(self, quote: Quote) -> bool:
        """Whether the transaction it names may be the one that `quote` asks for."""
        return bool(self.hint.txid) and self.hint.network == network_of(quote.asset_id) and self.hint.given_at >= quote.created_at
