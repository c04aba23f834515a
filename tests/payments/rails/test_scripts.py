"""Addresses and scripts, by the vectors that BIP-173, BIP-350, BIP-84 and BIP-86 publish, and addresses known to all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from merchants import assets
from merchants.assets import Network
from payments.rails import BadAddress, scripts


def network(key: str) -> Network:
    return next(row for row in assets.catalogue().networks.values() if row.key == key)


BITCOIN = network("bitcoin")
LITECOIN = network("litecoin")
TESTNET = replace(BITCOIN, name="Bitcoin Testnet", bech32="tb", p2pkh=0x6F, p2sh=0xC4)
REGTEST = replace(LITECOIN, bech32="rltc", p2pkh=0x6F, p2sh=0x3A)

KNOWN = [
    (BITCOIN, "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "76a91477bff20c60e522dfaa3350c39b030a5d004e839a88ac"),
    (BITCOIN, "1111111111111111111114oLvT2", "76a914000000000000000000000000000000000000000088ac"),
    (BITCOIN, "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", "a914b472a266d0bd89c13706a4132ccfb16f7c3b9fcb87"),
    (BITCOIN, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
    (BITCOIN, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", "0014c0cebcd6c3d3ca8c75dc5ec62ebe55330ef910e2"),
    (
        BITCOIN,
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    ),
    (
        BITCOIN,
        "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
        "5120a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c",
    ),
    (
        TESTNET,
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
        "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
    ),
    (
        TESTNET,
        "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy",
        "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
    ),
    (
        TESTNET,
        "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
        "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
    ),
    (LITECOIN, "LUWPbpM43E2p7ZSh8cyTBEkvpHmr3cB8Ez", "76a91465d4f0444069f3881221e24bb6a99b1d53e008cf88ac"),
]


@pytest.mark.parametrize(("row", "address", "script"), KNOWN, ids=[address for _network, address, _script in KNOWN])
def test_an_address_is_its_script_and_the_other_way_round(row: Network, address: str, script: str) -> None:
    assert scripts.script(address, row) == script
    assert scripts.address(script, row) == address


def test_an_old_address_that_looks_like_segwit_is_read_as_what_it_is() -> None:
    """Some letters, a 1, and nothing after it but letters of bech32: one in a hundred of Litecoin's old addresses."""
    address = "LQWX1YGuPqgzkTfu9LenZgRZkaRMrdj5Mh"
    assert scripts.BECH32.fullmatch(address.lower())
    assert scripts.script(address, LITECOIN) == "76a91439fa9ec190eee7b6f4dff1100d6343e10918d04488ac"


def test_capital_segwit_is_the_same_address_in_small_letters() -> None:
    assert scripts.normal(" BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4 ", BITCOIN) == "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    assert scripts.normal("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", BITCOIN) == "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"


NO_ADDRESS = "This is no address of Bitcoin: those begin with bc1, 1 or 3."
ELSEWHERE = "This address belongs to another network; addresses of Bitcoin begin with bc1, 1 or 3."
MISCOPIED = "This address of Bitcoin has a wrong letter: its checksum does not fit. Copy it from your wallet again."
UNKNOWN = "This kind of address is not known yet, so payments to it could not be spent safely. Use another address."
REFUSED = {
    "": NO_ADDRESS,
    "me@example.com": NO_ADDRESS,
    "٣J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy": NO_ADDRESS,
    "bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4": NO_ADDRESS,
    "1" * 5_000: NO_ADDRESS,
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3": MISCOPIED,
    "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLx": MISCOPIED,
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5": MISCOPIED,
    "bc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4": "This address mixes capital and small letters. Copy it from your wallet again.",
    "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx": ELSEWHERE,
    "LUWPbpM43E2p7ZSh8cyTBEkvpHmr3cB8Ez": ELSEWHERE,
    "n2eMqTT929pb1RDNuqEnxdaLau1rxy3efi": ELSEWHERE,
    "5Kd3NBUAdUnhyzenEwVLy9pBKxSwXvE9FMPyR4UKZvpe6E3AgLr": NO_ADDRESS,
    # BIP-350: witness versions and lengths that nobody holds a key to
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y": UNKNOWN,
    "BC1SW50QGDZ25J": UNKNOWN,
    "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs": UNKNOWN,
    # BIP-350: version 0 with the newer checksum, version 1 with the older one, a length that cannot be, wrong padding
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh": MISCOPIED,
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd": MISCOPIED,
    "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P": NO_ADDRESS,
    "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4": NO_ADDRESS,
    "bc1gmk9yu": NO_ADDRESS,
}


@pytest.mark.parametrize(("typed", "why"), REFUSED.items(), ids=[typed[:44] or "nothing" for typed in REFUSED])
def test_what_is_no_address_here_is_refused_with_its_reason(typed: str, why: str) -> None:
    with pytest.raises(BadAddress) as refused:
        scripts.normal(typed, BITCOIN)
    assert str(refused.value) == why


def test_each_network_says_how_its_own_addresses_begin() -> None:
    begins = {}
    for row in (BITCOIN, LITECOIN, TESTNET, REGTEST):
        with pytest.raises(BadAddress) as refused:
            scripts.normal("nobody", row)
        begins[row.bech32] = str(refused.value).partition("begin with ")[2]
    assert begins == {"bc": "bc1, 1 or 3.", "ltc": "ltc1, L or M.", "tb": "tb1, m, n or 2.", "rltc": "rltc1, m, n or Q."}


def test_every_single_wrong_letter_is_found() -> None:
    address = "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"
    for place in range(4, len(address)):
        wrong = address[:place] + ("q" if address[place] != "q" else "p") + address[place + 1 :]
        with pytest.raises(BadAddress):
            scripts.script(wrong, BITCOIN)


@pytest.mark.parametrize("script", ["", "00", "6a04deadbeef", "0013" + "00" * 19, "5114" + "00" * 20, "5220" + "00" * 32, "76a914" + "00" * 20])
def test_a_script_without_an_address_has_none(script: str) -> None:
    with pytest.raises(ValueError, match="This script has no address"):
        scripts.address(script, BITCOIN)
