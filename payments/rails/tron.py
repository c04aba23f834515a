"""Tron, read as a dialect of EVM: java-tron's JSON-RPC (https://developers.tron.network/reference/json-rpc-api-overview).

TRC-20 tokens only. Tried against the same calls of an EVM node; never against a node of Tron, so it is off by default.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from bip_utils import Base58ChecksumError, Base58Decoder
from django.utils.translation import gettext as _

from merchants.assets import Asset
from payments.rails.base import BadAddress
from payments.rails.evm import EvmRail

MAINNET = b"\x41"  # before the 20 bytes that EVM would call the address


@lru_cache(maxsize=65536)
def _raw(address: str) -> str:
    """ValueError for what is no base58check of 0x41 and 20 bytes."""
    try:
        found = Base58Decoder.CheckDecode(address)
    except Base58ChecksumError as error:
        raise ValueError(str(error)) from error
    if len(found) != 21 or found[:1] != MAINNET:
        raise ValueError("no address of Tron")
    return "0x" + found[1:].hex()


class TronRail(EvmRail):
    def raw(self, address: str) -> str:
        return _raw(address)

    def shown_txid(self, txid: str) -> str:
        return txid.removeprefix("0x")

    def raw_txid(self, txid: str) -> str:
        return "0x" + txid

    def typed(self, text: str) -> str:
        if not re.fullmatch(r"T[1-9A-HJ-NP-Za-km-z]{33}", text):
            raise BadAddress(_("This is no address of Tron: those begin with T and have 34 letters and digits."))
        try:
            _raw(text)
        except ValueError:
            raise BadAddress(_("A letter of this address is wrong. Copy it from your wallet again.")) from None
        return text

    def is_txid(self, text: str) -> bool:
        return re.fullmatch(r"[0-9a-f]{64}", text) is not None

    def fee(self, txid: str) -> int | None:
        """None: what a transaction burns there is not what its gas would cost, since stakes pay for some of it."""
        return None

    def payment_uri(self, asset: Asset, *, address: str, units: int) -> str:
        return address

    def token_link(self, asset: Asset, *, address: str, units: int) -> str:
        return ""

    def wallet_call(self, asset: Asset, *, address: str, units: int) -> dict[str, Any] | None:
        """None: wallets of Tron do not speak EIP-1193."""
        return None
