"""The catalogue of the EVM chains that tests run: anvil as 31337, a second one as 31338, and anvil dressed as Tron."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bip_utils import Base58Encoder

from merchants import assets
from merchants.assets import Network
from tests.chains.anvil import Anvil

NETWORK, OTHER, TRON = "eip155:31337", "eip155:31338", "tron:0x7a69"
ETH = f"{NETWORK}/slip44:60"

# Accounts 0 and 1 of 'abandon … about': m/44'/60'/0' and m/44'/60'/1', and the same of Tron.
XPUBS = (
    "xpub6DCoCpSuQZB2jawqnGMEPS63ePKWkwWPH4TU45Q7LPXWuNd8TMtVxRrgjtEshuqpK3mdhaWHPFsBngh5GFZaM6si3yZdUsT8ddYM3PwnATt",
    "xpub6DCoCpSuQZB2k9PnGSMK9tinTK8kx3hcv7F4BWwhs5N2wnwGiLg17r9J7j2JcYP9gkip3sC87J1F99YxeBHGuFMg6ejA8qQEKSuzzaKvqBR",
)
TRON_XPUBS = (
    "xpub6D1AabNHCupeiLM65ZR9UStMhJ1vCpyV4XbZdyhMZBiJXALQtmn9p42VTQckoHVn8WNqS7dqnJokZHAHcHGoaQgmv8D45oNUKx6DZMNZBCd",
    "xpub6D1AabNHCupeoA3sb15rvtDPuaeZSRWg39QsynNZQETJfbuy3fFsEqY44mJEP2j4XxLgZUbZZxuFWf67Srqf6Ucu9spE8AmbWZu5ZET1ELw",
)


def usdt(anvil: Anvil, network: str = NETWORK) -> str:
    return f"{network}/erc20:{anvil.usdt}"


def dai(anvil: Anvil, network: str = NETWORK) -> str:
    return f"{network}/erc20:{anvil.dai}"


def tron_address(raw: str) -> str:
    return str(Base58Encoder.CheckEncode(b"\x41" + bytes.fromhex(raw[2:])))


def network_row(anvil: Anvil, *, urls: tuple[str, ...] = (), **columns: Any) -> dict[str, Any]:
    """An EVM network with its coin and three tokens; `columns` are those of `Network`."""
    network = f"eip155:{anvil.chain_id}"
    tokens = [(anvil.usdt, "USDT", 6), (anvil.dai, "DAI", 18), (anvil.fee, "FEE", 6), (anvil.moody, "MOOD", 6)]
    return {
        "id": network,
        "key": f"anvil{anvil.chain_id}",
        "name": f"Anvil {anvil.chain_id}",
        "rail": "evm",
        "family": "evm",
        "chain_id": anvil.chain_id,
        "urls": urls or (anvil.url,),
        "confirmations": 3,
        "reorg_depth": 12,
        "grace_minutes": 5,
        "takes": "A moment",
        "explorer_tx": "https://explorer.example/tx/{txid}",
        "explorer_address": "https://explorer.example/address/{address}",
        "wallet_url": "https://public.example/rpc",
        **columns,
        "asset": [
            _row(f"{network}/slip44:60", "ETH", 18, 8, -1),
            *(_row(f"{network}/erc20:{at}", name, places, 2, 4) for at, name, places in tokens),
        ],
    }


def tron_row(anvil: Anvil, *, urls: tuple[str, ...] = (), **columns: Any) -> dict[str, Any]:
    """The same chain under Tron's rules."""
    tokens = [(anvil.usdt, "USDT", 6), (anvil.dai, "DAI", 18)]
    found = network_row(anvil, urls=urls, rail="tron", family="tron", native="none", max_range=1000, **columns)
    found |= {"id": TRON, "key": "tron", "name": "Tron", "wallet_url": "", "beta": True}
    return {**found, "asset": [_row(f"{TRON}/trc20:{tron_address(at)}", name, places, 2, 4) for at, name, places in tokens]}


def _row(asset_id: str, symbol: str, decimals: int, payable: int, exact: int) -> dict[str, Any]:
    look = {"glyph": symbol[0], "colour": symbol.lower(), "price": symbol}
    row = {"id": asset_id, "symbol": symbol, "name": symbol, "decimals": decimals, "payable_decimals": payable, "minimum": "0.01", **look}
    return row | ({"exact_decimals": exact} if exact >= 0 else {}) | ({"peg": "USD"} if symbol in ("USDT", "DAI") else {})


def install(settings: Any, folder: Path, *rows: dict[str, Any]) -> dict[str, Network]:
    """Make these the networks of this installation."""
    lines = ['currencies = ["EUR", "USD"]']
    for row in rows:
        lines += ["[[network]]", *(f"{name} = {_toml(value)}" for name, value in row.items() if name != "asset")]
        for asset in row["asset"]:
            lines += ["[[network.asset]]", *(f"{name} = {_toml(value)}" for name, value in asset.items())]
    number = len(list(folder.glob("networks*.toml")))  # the catalogue is read once per file
    path = folder / f"networks{number}.toml"
    path.write_text("\n".join(lines))
    settings.NETWORKS_FILE, settings.NETWORK_OVERRIDES = path, {}
    return assets.catalogue().networks


def _toml(value: Any) -> str:
    return "[" + ", ".join(_toml(one) for one in value) + "]" if isinstance(value, (tuple, list)) else json.dumps(value, ensure_ascii=False)
