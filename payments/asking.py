"""What a wallet is asked for, as the person who pays reads it: words, figures, the QR code."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import segno
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from invoicing.pdf.paper import rate_words
from invoicing.snapshot import Document
from merchants import assets, moments
from payments.models import Quote
from payments.rails import Rail, rail_for
from payments.slips import is_beta, minutes, plain_units


class Slip(ABC):
    """What a wallet is asked for: so much of an asset, to an address; with the code, the links and the call that say it."""

    asset: dict[str, Any]  # see Asset.frozen

    @property
    @abstractmethod
    def asset_id(self) -> str: ...

    @property
    @abstractmethod
    def address(self) -> str: ...

    @property
    @abstractmethod
    def units(self) -> int:
        """In the asset's smallest unit."""

    @property
    def is_test(self) -> bool:
        """Whether no wallet in the world knows this network."""
        return False

    @property
    def address_groups(self) -> list[str]:
        """The address in fours, to be set apart by margin and copied without gaps; what is over joins the last four."""
        fours = [self.address[at : at + 4] for at in range(0, len(self.address), 4)]
        return fours if len(fours[-1]) == 4 or len(fours) == 1 else [*fours[:-2], "".join(fours[-2:])]

    @property
    def amount_to_copy(self) -> str:
        return plain_units(self.units, self.asset["decimals"])

    @property
    def is_beta(self) -> bool:
        return is_beta(self.asset_id)

    @cached_property
    def _served(self) -> tuple[assets.Asset, Rail] | None:
        """None once the catalogue dropped the asset."""
        try:
            found = assets.asset(self.asset_id)
            return found, rail_for(found.network.id)
        except LookupError:
            return None

    @cached_property
    def uri(self) -> str:
        """What the QR code says: the network's payment link, or the bare address."""
        if self._served is None:
            return self.address
        asset, rail = self._served
        return rail.payment_uri(asset, address=self.address, units=self.units)

    @property
    def wallet_link(self) -> str:
        """The payment link, where a wallet can be expected to open it; else empty."""
        return self.uri if ":" in self.uri and not self.is_test else ""

    @property
    def token_link(self) -> str:
        """The link that some wallets read whole and others only in part; else empty."""
        if self._served is None:
            return ""
        asset, rail = self._served
        return rail.token_link(asset, address=self.address, units=self.units)

    @cached_property
    def wallet_call(self) -> str:
        """What js/wallet.js asks a wallet in the browser for, as JSON; empty where there is nothing to ask."""
        if self._served is None:
            return ""
        asset, rail = self._served
        call = rail.wallet_call(asset, address=self.address, units=self.units)
        return json.dumps(call) if call else ""

    @property
    def explorer_pattern(self) -> str:
        """The explorer's page of a transaction that is not known yet: '…/tx/{txid}'."""
        return self._served[1].explorer_tx("{txid}") if self._served else ""

    @property
    def qr(self) -> str:
        return segno.make_qr(self.uri, error="m").svg_data_uri(border=4, scale=4, dark="#131a2c", light="#ffffff")


@dataclass(frozen=True)
class Asked(Slip):
    """A quote as the payer reads it."""

    quote: Quote
    asset: dict[str, Any]
    document: Document
    now: datetime

    @property
    def asset_id(self) -> str:
        return self.quote.asset_id

    @property
    def address(self) -> str:
        return self.quote.receive_address.address

    @property
    def units(self) -> int:
        return self.quote.amount_units

    @property
    def is_test(self) -> bool:
        return self.document.is_test

    @property
    def rate(self) -> str:
        return rate_words(self.quote.rate, self.asset["symbol"], self.document.invoice.currency, self.document.invoice.language)

    @property
    def locked_until_words(self) -> str:
        """'11:07 Lisbon time'; with the day, when that is not today."""
        zone, until = self.document.time_zone, self.quote.locked_until
        if moments.local(until, zone).date() != moments.local(self.now, zone).date():
            return moments.in_words(until, zone)
        return _("%(time)s %(zone)s") % {"time": moments.hour(until, zone), "zone": moments.zone_words(zone)}

    @property
    def is_fixed(self) -> bool:
        """Whether the address is one for all payers, so that the exact amount tells whose payment it is."""
        return self.quote.receive_address.invoice_id is None

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
