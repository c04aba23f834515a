"""The checkout of a live merchant on the networks of config/networks.toml, none of which is ever asked: their nodes are away."""

from __future__ import annotations

from typing import Any

from merchants import assets
from merchants.models import Merchant
from payments import wallets
from payments.models import Quote
from tests.factories import NOW, make_merchant
from tests.payments.money import Story
from tests.payments.prices import set_prices

ETHEREUM, POLYGON, BASE, TRON = "eip155:1", "eip155:137", "eip155:8453", "tron:0x2b6653dc"
BITCOIN = "bip122:000000000019d6689c085ae165831e93"
ETH, BTC = f"{ETHEREUM}/slip44:60", f"{BITCOIN}/slip44:0"
USDT = f"{ETHEREUM}/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7"
TRON_USDT = f"{TRON}/trc20:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
KEYS = ("ethereum", "polygon", "bnb", "base", "arbitrum", "tron", "bitcoin", "litecoin")
PRICES = {"ETH": "3000", "BTC": "80000", "USDT": "0.92", "USDC": "0.92", "USD": "0.92", "POL": "0.4", "BNB": "600"}
# Account 0 of 'abandon … about': m/44'/60'/0', and its first address; m/84'/0'/0'.
XPUB = "xpub6DCoCpSuQZB2jawqnGMEPS63ePKWkwWPH4TU45Q7LPXWuNd8TMtVxRrgjtEshuqpK3mdhaWHPFsBngh5GFZaM6si3yZdUsT8ddYM3PwnATt"
OWN = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"
BITCOIN_XPUB = "xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V"
FIXED = "0x6Fac4D18c912343BF86fa7049364Dd4E424Ab9C0"
FIXED_TRON = "TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdH"
HASH = "0x" + "9c41" + "5" * 56 + "e07b"


def no_nodes(settings: Any, *, tron: bool = False) -> None:
    """The catalogue of the product, with nodes on a port where nobody listens."""
    settings.NETWORK_OVERRIDES = {key: {"urls": ["http://127.0.0.1:1"]} for key in KEYS}
    settings.NETWORK_OVERRIDES["tron"]["enabled"] = tron


class LiveStory(Story):
    """An open invoice of 100.00 EUR of a live merchant, who takes EVM at addresses of a key (or at one fixed), and Bitcoin."""

    def __init__(self, merchant: Merchant | None = None, **fields: Any) -> None:
        set_prices("EUR", PRICES, at=NOW)
        super().__init__(merchant or seller(), **fields)

    def start_chain(self) -> None:
        """It is away."""

    def quote(self, asset: str = USDT) -> Quote:
        set_prices("EUR", PRICES, at=self.now)
        return super().quote(asset)


def seller(slug: str = "live", *, fixed: bool = False, tron: bool = False, **fields: Any) -> Merchant:
    merchant = make_merchant(slug=slug, is_test=False, **fields)
    if fixed:
        wallets.connect_fixed(merchant, family="evm", address=FIXED, name="Fixed", by=None, now=NOW)
    else:
        wallets.connect_key(merchant, family="evm", spec=f"evm:{XPUB}", name="Key", by=None, now=NOW)
    if tron:
        wallets.connect_fixed(merchant, family="tron", address=FIXED_TRON, name="Tron", by=None, now=NOW)
    wallets.connect_key(merchant, family="bitcoin", spec=f"p2wpkh:{BITCOIN_XPUB}", name="Vault", by=None, now=NOW)
    merchant.accepted_assets = [found.id for found in assets.usable_by(merchant)]
    merchant.save(update_fields=["accepted_assets"])
    return merchant
