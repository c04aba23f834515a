"""Extended public keys, against the vectors that BIP-44, 49, 84 and 86 publish for "abandon … about", and against what people paste."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bip_utils import Base58Decoder, Base58Encoder
from hypothesis import example, given
from hypothesis import strategies as st

from merchants import assets
from payments import keys

BITCOIN = "bip122:000000000019d6689c085ae165831e93"
LITECOIN = "bip122:12a765e31ffd4059bada1e25190f6e98"
PHRASE = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
LEGACY = "xpub6BosfCnifzxcFwrSzQiqu2DBVTshkCXacvNsWGYJVVhhawA7d4R5WSWGFNbi8Aw6ZRc1brxMyWMzG3DSSSSoekkudhUd9yLb6qx39T9nMdj"
NESTED = "ypub6Ww3ibxVfGzLrAH1PNcjyAWenMTbbAosGNB6VvmSEgytSER9azLDWCxoJwW7Ke7icmizBMXrzBx9979FfaHxHcrArf3zbeJJJUZPf663zsP"
NATIVE = "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs"
TAPROOT = "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ"
EVM = "xpub6DCoCpSuQZB2jawqnGMEPS63ePKWkwWPH4TU45Q7LPXWuNd8TMtVxRrgjtEshuqpK3mdhaWHPFsBngh5GFZaM6si3yZdUsT8ddYM3PwnATt"
TRON = "xpub6D1AabNHCupeiLM65ZR9UStMhJ1vCpyV4XbZdyhMZBiJXALQtmn9p42VTQckoHVn8WNqS7dqnJokZHAHcHGoaQgmv8D45oNUKx6DZMNZBCd"
LTC_LEGACY = "xpub6BnJJjq783EdyBeQPA9P9ao9DTS3fUqyKG5NJDcrCiwwxEkesGoHN94LZRGE7rz1jgcvmmp8j55BNx573KFq1WBwKiemzkdfNKffKx6Mvku"
LTC_NATIVE = "zpub6rPo5mF47z5coVm5rvWv7fv181awb7Vckn5Cf3xQXBVKu18kuBHDhNi1Jrb4br6vVD3ZbrnXemEsWJoR18mZwkUdzwD8TQnHDUCGxqZ6swA"
TESTNET = "vpub5Y6cjg78GGuNLsaPhmYsiw4gYX3HoQiRBiSwDaBXKUafCt9bNwWQiitDk5VZ5BVxYnQdwoTyXSs2JHRPAgjAvtbBrf8ZhDYe2jWAqvZVnsc"

# What can spend: none of it may be kept. The keys of the phrase above, which the whole world has.
PRIVATE = {
    "xprv": "xprv9xpXFhFpqdQK3TmytPBqXtGSwS3DLjojFhTGht8gwAAii8py5X6pxeBnQ6ehJiyJ6nDjWGJfZ95WxByFXVkDxHXrqu53WCRGypk2ttuqncb",
    "yprv": "yprvAHwhK6RbpuS3dgCYHM5jc2ZvEKd7Bi61u9FVhYMpgMSuZS613T1xxQeKTffhrHY79hZ5PsskBjcc6C2V7DrnsMsNaGDaWev3GLRQRgV7hxF",
    "zprv": "zprvAdG4iTXWBoARxkkzNpNh8r6Qag3irQB8PzEMkAFeTRXxHpbF9z4QgEvBRmfvqWvGp42t42nvgGpNgYSJA9iefm1yYNZKEm7z6qUWCroSQnE",
    "WIF": "L1aW4aubDFB7yfras2S1mN3bqg9nwySY8nkoLmJebSLD5BWv3ENZ",
    "WIF, uncompressed": "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
    "BIP-38": "6PRVWUbkzzsbcVac2qwfssoUJAN1Xhrg6bNk8J7Nzm5H7kxEbn2Nh2ZoGg",
    "a key in hex": "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35",
    "a key in hex with 0x": "0xE8F32E723DECF4051AEFAC8E2C93C9C5B214313817CDB01A1494B917C8436B35",
    "a seed in hex": "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1"
    + "9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4",
    "12 words": PHRASE,
    "24 words": "abandon " * 23 + "art",
    "words with numbers": " ".join(f"{number}. {word}" for number, word in enumerate(PHRASE.split(), start=1)),
    "words with commas": PHRASE.replace(" ", ", "),
    "a phrase short of two words": " ".join(PHRASE.split()[:10]),
}


def network(network_id: str) -> assets.Network:
    return assets.catalogue().networks[network_id]


def spelt(key: str, version: str) -> str:
    return str(Base58Encoder.CheckEncode(bytes.fromhex(version) + Base58Decoder.CheckDecode(key)[4:]))


def first(text: str, script: str, network_id: str, count: int = 2) -> list[str]:
    key = keys.parse(text, family=network(network_id).family, script=script)
    return [keys.address(key.spec, index, network(network_id)) for index in range(count)]


# --- the published vectors ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "script", "network_id", "expected"),
    [
        (LEGACY, "p2pkh", BITCOIN, ["1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA", "1Ak8PffB2meyfYnbXZR9EGfLfFZVpzJvQP"]),
        (NESTED, "p2sh-p2wpkh", BITCOIN, ["37VucYSaXLCAsxYyAPfbSi9eh4iEcbShgf", "3LtMnn87fqUeHBUG414p9CWwnoV6E2pNKS"]),
        (NATIVE, "p2wpkh", BITCOIN, ["bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"]),
        (
            *(TAPROOT, "p2tr", BITCOIN),
            ["bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr", "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"],
        ),
        (EVM, "evm", "eip155:1", ["0x9858EfFD232B4033E47d90003D41EC34EcaEda94", "0x6Fac4D18c912343BF86fa7049364Dd4E424Ab9C0"]),
        (TRON, "tron", "tron:0x2b6653dc", ["TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdH", "TSeJkUh4Qv67VNFwY8LaAxERygNdy6NQZK"]),
        (LTC_LEGACY, "p2pkh", LITECOIN, ["LUWPbpM43E2p7ZSh8cyTBEkvpHmr3cB8Ez", "Ldatw8ZjgMGNUo5HMN6RgCrjmh7q494Si3"]),
        (LTC_NATIVE, "p2wpkh", LITECOIN, ["ltc1qjmxnz78nmc8nq77wuxh25n2es7rzm5c2rkk4wh", "ltc1qwlezpr3890hcp6vva9twqh27mr6edadreqvhnn"]),
    ],
    ids=["BIP-44", "BIP-49", "BIP-84", "BIP-86", "Ethereum", "Tron", "Litecoin", "Litecoin SegWit"],
)
def test_a_key_makes_the_addresses_that_its_standard_publishes(text: str, script: str, network_id: str, expected: list[str]) -> None:
    assert first(text, script, network_id) == expected


def test_the_network_decides_how_an_address_is_spelt() -> None:
    regtest = replace(network(BITCOIN), bech32="bcrt", p2pkh=0x6F, p2sh=0xC4)
    spec = keys.parse(TESTNET, family="bitcoin", script="p2wpkh").spec
    assert keys.address(spec, 0, replace(regtest, bech32="tb")) == "tb1q6rz28mcfaxtmd6v789l9rrlrusdprr9pqcpvkl"  # BIP-84's phrase on testnet
    assert keys.address(spec, 0, regtest).startswith("bcrt1q")
    assert keys.address(keys.parse(LEGACY, family="bitcoin", script="p2pkh").spec, 0, regtest)[0] in "mn"
    assert keys.address(keys.parse(NESTED, family="bitcoin", script="p2sh-p2wpkh").spec, 0, regtest)[0] == "2"


def test_a_network_without_such_addresses_is_a_programming_error() -> None:
    spec = keys.parse(NATIVE, family="bitcoin", script="p2wpkh").spec
    with pytest.raises(ValueError, match="no SegWit addresses"):
        keys.address(spec, 0, network("eip155:1"))
    with pytest.raises(ValueError, match="no addresses of this kind"):
        keys.address(spec.replace("p2wpkh", "p2pkh"), 0, network("eip155:1"))
    for index in (-1, 2**31):
        with pytest.raises(ValueError, match="no address"):
            keys.address(spec, index, network(BITCOIN))


# --- one key, many spellings --------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", [bytes.hex(version) for version in keys.HEADERS])
def test_every_spelling_of_a_key_is_the_same_key(version: str) -> None:
    other = spelt(NATIVE, version)
    key = keys.parse(other, family="litecoin", script="p2wpkh")
    assert key.spec == "p2wpkh:" + spelt(NATIVE, "0488b21e")
    assert key.header == other[:4]
    assert keys.identity(key.spec) == keys.identity("p2tr:" + NATIVE) == keys.identity("evm:" + other)


def test_the_identity_ignores_what_a_header_says_of_parent_and_account() -> None:
    raw = Base58Decoder.CheckDecode(LEGACY)
    elsewhere = Base58Encoder.CheckEncode(raw[:5] + b"\x01\x02\x03\x04" + b"\x80\x00\x00\x09" + raw[13:])
    assert keys.identity("p2pkh:" + elsewhere) == keys.identity("p2pkh:" + LEGACY)
    assert keys.identity("p2pkh:" + NESTED) != keys.identity("p2pkh:" + LEGACY)


def test_a_key_is_read_with_its_origin_and_with_spaces_around() -> None:
    plain = keys.parse(NATIVE, family="bitcoin", script="p2wpkh")
    assert keys.parse(f"\n  [73c5da0a/84h/0h/0h]{NATIVE} \t", family="bitcoin", script="p2wpkh") == plain


def test_a_header_that_speaks_of_other_addresses_is_reported() -> None:
    def said(text: str, script: str, family: str = "bitcoin") -> str:
        return keys.parse(text, family=family, script=script).contradiction

    assert said(LEGACY, "p2wpkh") == said(NATIVE, "p2wpkh") == said(EVM, "evm", "evm") == ""
    assert said(NATIVE, "p2pkh") == "zpub is how wallets spell a key for Native SegWit addresses; you chose Legacy."
    assert said(spelt(NATIVE, "01b26ef6"), "p2sh-p2wpkh") == "Mtub is how wallets spell a Litecoin key."
    assert said(spelt(NATIVE, "01b26ef6"), "p2sh-p2wpkh", "litecoin") == ""
    assert said(spelt(NATIVE, "043587cf"), "p2wpkh") == "tpub is how wallets spell a key of a test network."
    assert said(spelt(NATIVE, "02aa7ed3"), "p2wpkh").startswith("Zpub is how wallets spell one signer's key of a wallet that several sign for")


def test_a_path_says_where_the_address_is_and_marks_what_the_key_does_not_tell() -> None:
    spec = keys.parse(NATIVE, family="bitcoin", script="p2wpkh").spec
    assert keys.path(spec, 5, family="bitcoin") == "m/84'/0'/0'/0/5"
    assert keys.path(spec, 5, family="litecoin") == "m/84'/2'/0'/0/5"
    assert keys.path(spec, 5) == "m/84'/?'/0'/0/5"
    assert keys.path(keys.parse(EVM, family="evm", script="evm").spec, 0) == "m/44'/60'/0'/0/0"
    raw = Base58Decoder.CheckDecode(NATIVE)
    unusual = Base58Encoder.CheckEncode(raw[:9] + b"\x00\x00\x00\x07" + raw[13:])
    assert keys.path("p2tr:" + unusual, 1, family="bitcoin") == "m/86'/0'/?'/0/1"


def test_a_masked_key_shows_its_ends() -> None:
    assert keys.parse(NATIVE, family="bitcoin", script="p2wpkh").masked == "zpub6rFR…GutZYs"


# --- what can spend -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("what", PRIVATE)
def test_what_can_spend_is_refused_loudly_and_not_repeated(what: str) -> None:
    with pytest.raises(keys.PrivateKeyRefused) as refusal:
        keys.parse(PRIVATE[what], family="bitcoin", script="p2wpkh")
    assert "private key or a recovery phrase" in str(refusal.value)
    assert not any(word in str(refusal.value) for word in PRIVATE[what].split() if len(word) > 20)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize(
    "text",
    [
        f"  {PRIVATE['xprv']}\n",
        f"wpkh([73c5da0a/84h/0h/0h]{PRIVATE['xprv']}/0/*)#abcd1234",
        '{"keystore": {"type": "bip32", "xprv": "' + PRIVATE["zprv"] + '"}}',
        PRIVATE["xprv"][:60] + "\n" + PRIVATE["xprv"][60:],  # broken over two lines
        PRIVATE["xprv"][:-1] + "c",  # with a typing error it is still nearly all of it
        "Xprv" + PRIVATE["xprv"][4:],
        *(spelt(PRIVATE["xprv"], version) for version in ("0295b005", "02aa7a99", "04358394", "045f18bc", "019d9cfe", "01b26792", "02fac398")),
        spelt(PRIVATE["xprv"], "0488b21e"),  # as an xpub in its spelling, and a private key in its contents
        PRIVATE["WIF"][:-1] + "a",
        "p2wpkh:" + PRIVATE["WIF"],
        PHRASE.upper(),
    ],
)
def test_what_can_spend_is_found_however_it_is_wrapped(text: str) -> None:
    with pytest.raises(keys.PrivateKeyRefused):
        keys.refuse_private(text)


@pytest.mark.parametrize(
    "text",
    [
        *(LEGACY, NESTED, NATIVE, TAPROOT, EVM, TRON, LTC_NATIVE, TESTNET, f"[73c5da0a/84h/0h/0h]{NATIVE}"),
        *("0x9858EfFD232B4033E47d90003D41EC34EcaEda94", "TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdH", "1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA"),
        "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
        *("ltc1qjmxnz78nmc8nq77wuxh25n2es7rzm5c2rkk4wh", "", "The Ledger in the studio's vault"),
    ],
)
def test_what_cannot_spend_is_not_taken_for_a_private_key(text: str) -> None:
    keys.refuse_private(text)


# --- what is no key -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Paste the extended public key"),
        ("bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", "This is an address."),
        ("0x9858EfFD232B4033E47d90003D41EC34EcaEda94", "This is an address."),
        ("TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdH", "This is an address."),
        (NATIVE[:-1], "checksum does not fit"),
        (NATIVE[:50] + ("1" if NATIVE[50] != "1" else "2") + NATIVE[51:], "checksum does not fit"),
        (NATIVE[:40], "This is no extended public key"),
        (NATIVE + "0", "This is no extended public key"),
        ("<script>alert(1)</script>", "This is no extended public key"),
        ("zpub" + "\u0430" * 107, "This is no extended public key"),
        (spelt(NATIVE, "deadbeef"), "This is no extended public key"),
    ],
)
def test_what_is_no_key_is_refused_with_what_to_do(text: str, said: str) -> None:
    with pytest.raises(keys.BadKey, match=said) as refusal:
        keys.parse(text, family="bitcoin", script="p2wpkh")
    assert not text or text not in str(refusal.value)


@pytest.mark.parametrize(
    ("depth", "said"), [(0, "above the account"), (2, "above the account"), (4, "below the account"), (255, "below the account")]
)
def test_a_key_of_another_depth_is_refused(depth: int, said: str) -> None:
    raw = Base58Decoder.CheckDecode(NATIVE)
    with pytest.raises(keys.BadKey, match=said):
        keys.parse(Base58Encoder.CheckEncode(raw[:4] + bytes([depth]) + raw[5:]), family="bitcoin", script="p2wpkh")


def test_a_key_that_is_no_point_of_the_curve_is_refused_without_a_word_of_it() -> None:
    raw = Base58Decoder.CheckDecode(NATIVE)
    for key in (b"\x05" + raw[46:], b"\x02" + b"\xff" * 32, b"\x04" + raw[46:]):
        with pytest.raises(keys.BadKey, match="do not lie on the curve") as refusal:
            keys.parse(Base58Encoder.CheckEncode(raw[:45] + key), family="bitcoin", script="p2wpkh")
        assert refusal.value.__cause__ is None
        assert refusal.value.__suppress_context__


@given(st.text(max_size=200))
@example("\x00")
@example("[" * 150)
@example("1" * 111)
def test_no_text_makes_it_fail_otherwise(text: str) -> None:
    with pytest.raises(keys.BadKey):
        keys.parse(text, family="bitcoin", script="p2wpkh")


def test_a_spec_is_checked_like_a_pasted_key() -> None:
    assert keys.canonical("p2wpkh:" + NATIVE).spec == "p2wpkh:" + spelt(NATIVE, "0488b21e")
    with pytest.raises(keys.BadKey, match="no addresses of this kind"):
        keys.canonical("p2wsh:" + NATIVE)
    with pytest.raises(keys.PrivateKeyRefused):
        keys.canonical("p2wpkh:" + PRIVATE["zprv"])
