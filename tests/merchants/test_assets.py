"""The catalogue: what the operator's file says, and who may use it."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest

from merchants import assets
from merchants.models import Merchant

USDT, ETH, BTC = "sandbox:harbour/token:usdt", "sandbox:harbour/slip44:60", "sandbox:harbour/slip44:0"

TRON = """
currencies = ["EUR", "JPY"]

[[network]]
id = "tron:0x2b6653dc"
name = "Tron"
rail = "tron"
family = "tron"
test = false
confirmations = 20
grace_minutes = 5
takes = "About a minute"
explorer_tx = "https://tronscan.org/#/transaction/{txid}"
reorg_depth = 20

[[network.asset]]
id = "tron:0x2b6653dc/trc20:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
symbol = "USDT"
name = "Tether USD"
decimals = 6
payable_decimals = 2
minimum = "0.01"
glyph = "₮"
colour = "usdt"
price = "USDT"
"""


@pytest.fixture
def both(settings: Any, tmp_path: Path) -> None:
    """A catalogue with the sandbox and Tron."""
    path = tmp_path / "networks.toml"
    shipped = Path(settings.NETWORKS_FILE).read_text()
    sandbox = shipped[shipped.index('[[network]]\nid = "sandbox:harbour"') :]
    path.write_text(TRON.replace('"JPY"', '"JPY", "USD"') + sandbox)
    settings.NETWORKS_FILE = str(path)


def test_a_catalogue_is_read():
    found = assets.parse(TRON)
    (asset,) = found.assets.values()
    assert (found.currencies, list(found.networks)) == (("EUR", "JPY"), ["tron:0x2b6653dc"])
    assert (asset.label, asset.minimum_units, asset.payable_unit, asset.network.confirmations) == ("USDT on Tron", 10_000, 10_000, 20)


def test_the_catalogue_that_ships_is_read_and_every_asset_is_payable():
    found = assets.catalogue()
    assert {USDT, ETH, BTC} <= set(found.assets)
    for asset in found.assets.values():
        assert asset.id.startswith(f"{asset.network.id}/")
        assert 0 <= asset.payable_decimals <= asset.decimals
        assert asset.minimum_units > 0
        assert asset.minimum_units % asset.payable_unit == 0
    assert {"EUR", "USD", "JPY", "KWD"} <= set(found.currencies)


@pytest.mark.parametrize(
    "line",
    [
        'symbol = "USDT"\n',
        "decimals = 6\n",
        'minimum = "0.01"\n',
        "payable_decimals = 2\n",
        'price = "USDT"\n',
        "confirmations = 20\n",
        'family = "tron"\n',
        'currencies = ["EUR", "JPY"]\n',
    ],
)
def test_a_missing_key_is_an_error_at_start(line: str):
    assert line in TRON
    with pytest.raises((KeyError, TypeError), match=line.partition(" ")[0]):
        assets.parse(TRON.replace(line, ""))


def test_an_unknown_key_is_an_error_and_not_ignored():
    with pytest.raises(TypeError, match="confirmation_count"):
        assets.parse(TRON.replace("confirmations = 20", "confirmations = 20\nconfirmation_count = 3"))


def test_a_network_listed_twice_is_an_error():
    with pytest.raises(ValueError, match="tron:0x2b6653dc is listed twice"):
        assets.parse(TRON + TRON[TRON.index("[[network]]") :])


def test_an_asset_listed_twice_is_an_error():
    with pytest.raises(ValueError, match=r"trc20:TR7N\w+ is listed twice"):
        assets.parse(TRON + TRON[TRON.index("[[network.asset]]") :])


def test_what_is_no_toml_is_an_error():
    with pytest.raises(tomllib.TOMLDecodeError):
        assets.parse("[[network]]\nid = ")


def test_an_asset_that_the_catalogue_does_not_have_is_unknown():
    with pytest.raises(assets.UnknownAsset):
        assets.asset("eip155:99/slip44:60")


@pytest.mark.parametrize(
    ("decimals", "minimum", "units"),
    [(18, "0.00001", 10**13), (8, "0.00000546", 546), (0, "1", 1), (18, "12345678.000000000000000001", 12345678000000000000000001)],
)
def test_a_minimum_is_counted_exactly(decimals: int, minimum: str, units: int):
    text = (
        TRON.replace("decimals = 6", f"decimals = {decimals}", 1)
        .replace("payable_decimals = 2", "payable_decimals = 0")
        .replace('minimum = "0.01"', f'minimum = "{minimum}"')
    )
    (asset,) = assets.parse(text).assets.values()
    assert asset.minimum_units == units


def test_what_is_frozen_of_an_asset_is_all_that_a_document_shows():
    assert assets.asset(BTC).frozen() == {
        "id": BTC, "symbol": "BTC", "name": "Bitcoin", "network": "Sandbox", "decimals": 8, "glyph": "₿", "colour": "btc",
    }  # fmt: skip


# --- who may use what -------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("both")
def test_a_test_merchant_may_use_the_sandbox_and_nothing_else():
    assert {asset.network.name for asset in assets.usable_by(Merchant(is_test=True))} == {"Sandbox"}


@pytest.mark.usefixtures("both")
def test_another_merchant_may_use_anything_but_the_sandbox():
    assert [asset.label for asset in assets.usable_by(Merchant(is_test=False))] == ["USDT on Tron"]


@pytest.mark.usefixtures("both")
def test_naming_an_asset_does_not_make_it_usable():
    everything = [*assets.catalogue().assets]
    assert [asset.label for asset in assets.accepted_by(Merchant(is_test=False, accepted_assets=everything))] == ["USDT on Tron"]
    assert {asset.network.name for asset in assets.accepted_by(Merchant(is_test=True, accepted_assets=everything))} == {"Sandbox"}


def test_accepted_assets_come_in_the_merchants_order_without_those_that_are_gone():
    merchant = Merchant(is_test=True, accepted_assets=[BTC, "sandbox:harbour/token:gone", USDT])
    assert [asset.id for asset in assets.accepted_by(merchant)] == [BTC, USDT]


def test_a_choice_among_assets_keeps_the_order_of_the_choice():
    usable = assets.usable_by(Merchant(is_test=True))
    assert [asset.id for asset in assets.among(usable, [ETH, "nothing", USDT])] == [ETH, USDT]


def test_the_catalogue_cannot_be_changed_by_who_reads_it():
    with pytest.raises(dataclasses.FrozenInstanceError):
        assets.asset(BTC).decimals = 2  # type: ignore[misc]
