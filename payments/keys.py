"""Extended public keys: reading what a person pasted, and making receive addresses from it. Pure; nothing here can spend.

A key is BIP-32 serialised (https://github.com/bitcoin/bips/blob/master/bip-0032.mediawiki). Its first four bytes say what kind of
addresses some wallets mean by it (SLIP-132, https://github.com/satoshilabs/slips/blob/master/slip-0132.md), others write xpub for
every kind: so the kind is asked for, and the bytes are only held against the answer.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bip_utils import (
    Base58ChecksumError,
    Base58Decoder,
    Base58Encoder,
    Bip32Slip10Secp256k1,
    EthAddrEncoder,
    P2PKHAddrEncoder,
    P2SHAddrEncoder,
    P2TRAddrEncoder,
    P2WPKHAddrEncoder,
    TrxAddrEncoder,
)
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from merchants.assets import Network

XPUB = bytes.fromhex("0488b21e")
ACCOUNT_DEPTH = 3  # m / purpose' / coin' / account' (BIP-44)
HARDENED = 2**31
SIZE = 78  # version 4, depth 1, parent 4, child 4, chain code 32, key 33
COINS = {"bitcoin": 0, "litecoin": 2, "evm": 60, "tron": 195}  # SLIP-44
PURPOSES = {"p2pkh": 44, "p2sh-p2wpkh": 49, "p2wpkh": 84, "p2tr": 86, "evm": 44, "tron": 44}
SCRIPT_NAMES = {
    "p2wpkh": gettext_lazy("Native SegWit"),
    "p2tr": gettext_lazy("Taproot"),
    "p2sh-p2wpkh": gettext_lazy("SegWit in P2SH"),
    "p2pkh": gettext_lazy("Legacy"),
    "evm": gettext_lazy("Ethereum"),
    "tron": gettext_lazy("Tron"),
}
MULTISIG = "multisig"


@dataclass(frozen=True)
class Header:
    name: str
    script: str = ""  # what wallets mean by it; empty where that is no one kind
    family: str = ""
    test: bool = False


HEADERS = {
    XPUB: Header("xpub"),
    bytes.fromhex("049d7cb2"): Header("ypub", "p2sh-p2wpkh"),
    bytes.fromhex("04b24746"): Header("zpub", "p2wpkh"),
    bytes.fromhex("0295b43f"): Header("Ypub", MULTISIG),
    bytes.fromhex("02aa7ed3"): Header("Zpub", MULTISIG),
    bytes.fromhex("043587cf"): Header("tpub", test=True),
    bytes.fromhex("044a5262"): Header("upub", "p2sh-p2wpkh", test=True),
    bytes.fromhex("045f1cf6"): Header("vpub", "p2wpkh", test=True),
    bytes.fromhex("024289ef"): Header("Upub", MULTISIG, test=True),
    bytes.fromhex("02575483"): Header("Vpub", MULTISIG, test=True),
    bytes.fromhex("019da462"): Header("Ltub", "p2pkh", "litecoin"),
    bytes.fromhex("01b26ef6"): Header("Mtub", "p2sh-p2wpkh", "litecoin"),
    bytes.fromhex("0436f6e1"): Header("ttub", "", "litecoin", test=True),
}

# What can spend, however it is wrapped: extended private keys, a key as WIF or encrypted by BIP-38, a key or a seed in hex.
_BASE58 = "1-9A-HJ-NP-Za-km-z"
_PRIVATE = re.compile(r"(?:[xyztuvw]prv|(?:lt|mt|tt|dg)pv)[0-9a-z]{16,}|6P[0-9a-z]{56}|[0-9a-z]{51,52}", re.IGNORECASE)
_HEX = re.compile(r"(?:0x)?(?:[0-9a-f]{64}|[0-9a-f]{128})", re.IGNORECASE)
_PHRASE_WORDS = 8  # recovery phrases have 12 to 33; somebody may have left out a few


class BadKey(ValueError):
    """This is no extended public key that can be used; the text says why, and never what was typed."""


class PrivateKeyRefused(BadKey):
    """What was typed can spend. It goes no further: not into a log, a session, a page or the database."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "This is a private key or a recovery phrase: whoever has it can spend your money. It was not kept. Never type it into a website; "
                "if this device or this connection is not yours alone, move the money to a new wallet."
            )
        )


@dataclass(frozen=True)
class PublicKey:
    """An account's extended public key and the kind of addresses it makes."""

    script: str
    xpub: str  # with the version bytes of xpub, however it was spelt
    spelt: str  # as it was spelt
    header: str
    contradiction: str = ""  # what its spelling says against the kind that was chosen; a sentence

    @property
    def spec(self) -> str:
        return f"{self.script}:{self.xpub}"

    @property
    def masked(self) -> str:
        return masked(self.spelt)


def refuse_private(text: str) -> None:
    """PrivateKeyRefused for whatever looks like something that can spend, rather once too often."""
    words = [word for word in re.split(r"[\s,;.:|/_-]+", text) if word.isalpha() and len(word) < 20]
    tokens = re.findall(r"[0-9A-Za-z]+", text) + re.findall(r"[0-9A-Za-z]+", re.sub(r"\s", "", text))  # broken lines are one key, too
    if len(words) >= _PHRASE_WORDS or any(_can_spend(token) for token in tokens):
        raise PrivateKeyRefused


def _can_spend(token: str) -> bool:
    if _PRIVATE.fullmatch(token) or _HEX.fullmatch(token):
        return True
    try:
        raw = Base58Decoder.CheckDecode(token)
    except (ValueError, Base58ChecksumError):
        return False
    return len(raw) == SIZE and raw[45] == 0  # BIP-32: a private key is padded with a zero, whatever the version says


def parse(text: str, *, family: str, script: str) -> PublicKey:
    """The key a person pasted, for addresses of kind `script`. BadKey says what is wrong with it; PrivateKeyRefused when it
    can spend. Key origins (`[d34db33f/84h/0h/0h]xpub…`) and spaces around are left out."""
    refuse_private(text)
    spelt = re.sub(r"^\[[^\]]*\]", "", text.strip()).strip()
    raw = _decoded(spelt)
    header = HEADERS[raw[:4]]
    if raw[4] != ACCOUNT_DEPTH:
        raise BadKey(_wrong_depth(raw[4]))
    xpub = Base58Encoder.CheckEncode(XPUB + raw[4:])
    try:
        Bip32Slip10Secp256k1.FromExtendedKey(xpub)
    except Exception:  # bip_utils has many, and their texts hold what was typed
        raise BadKey(_("This is no public key: its numbers do not lie on the curve. Copy it again from your wallet.")) from None
    return PublicKey(script=script, xpub=xpub, spelt=spelt, header=header.name, contradiction=_contradiction(header, family=family, script=script))


def _decoded(spelt: str) -> bytes:
    if not spelt:
        raise BadKey(_("Paste the extended public key of your wallet's account."))
    if re.fullmatch(r"0x[0-9a-fA-F]{40}|[a-z]{2,5}1[0-9a-z]{30,}|[0-9A-Za-z]{25,36}", spelt):
        raise BadKey(_("This is an address. An extended public key is longer, and begins with xpub, ypub or zpub."))
    if not re.fullmatch(rf"[{_BASE58}]{{100,120}}", spelt):
        raise BadKey(_("This is no extended public key: those have 111 letters and digits, and begin with xpub, ypub or zpub. Copy it again."))
    try:
        raw = Base58Decoder.CheckDecode(spelt)
    except (ValueError, Base58ChecksumError):
        raise BadKey(_("A letter of this key is wrong or missing: its checksum does not fit. Copy it again from your wallet.")) from None
    if len(raw) != SIZE or raw[:4] not in HEADERS:
        raise BadKey(_("This is no extended public key that Quittance knows. It begins with xpub, ypub or zpub."))
    return raw


def _wrong_depth(depth: int) -> str:
    if depth < ACCOUNT_DEPTH:
        return _("This key stands above the account: it would open every account of the wallet. Export the public key of one account.")
    return _("This key stands below the account, and would make addresses that your wallet does not show. Export the public key of the account.")


def _contradiction(header: Header, *, family: str, script: str) -> str:
    if header.script == MULTISIG:
        return _(
            "%(header)s is how wallets spell one signer's key of a wallet that several sign for; such a wallet does not show these addresses."
        ) % {"header": header.name}
    if header.family and header.family != family:
        return _("%(header)s is how wallets spell a Litecoin key.") % {"header": header.name}
    if header.script and header.script != script:
        return _("%(header)s is how wallets spell a key for %(meant)s addresses; you chose %(chosen)s.") % {
            "header": header.name,
            "meant": SCRIPT_NAMES[header.script],
            "chosen": SCRIPT_NAMES[script],
        }
    return _("%(header)s is how wallets spell a key of a test network.") % {"header": header.name} if header.test else ""


def canonical(spec: str) -> PublicKey:
    """The key of a spec, checked like a pasted one. BadKey for a spec of another form."""
    script, _colon, xpub = spec.partition(":")
    if script not in PURPOSES:
        raise BadKey(_("Quittance makes no addresses of this kind."))
    return parse(xpub, family="", script=script)


def masked(key: str) -> str:
    return f"{key[:8]}…{key[-6:]}"


def shown(spec: str) -> str:
    """A masked key as most wallets spell one for its kind of addresses, so that a person knows it again."""
    script, _colon, xpub = spec.partition(":")
    version = next((version for version, header in HEADERS.items() if header.script == script and not header.test and not header.family), XPUB)
    return masked(Base58Encoder.CheckEncode(version + Base58Decoder.CheckDecode(xpub)[4:]))


def identity(spec: str) -> str:
    """SHA-256 in hex of the raw public key (33 bytes) and its chain code (32): the same for every spelling and kind."""
    raw = Base58Decoder.CheckDecode(spec.partition(":")[2])
    return hashlib.sha256(raw[45:78] + raw[13:45]).hexdigest()


def path(spec: str, index: int, *, family: str = "") -> str:
    """Where a wallet finds the address: "m/84'/0'/0'/0/5". What the key does not tell is a question mark: the coin without a
    family, the account when the key was not made the usual way."""
    script, _colon, xpub = spec.partition(":")
    child = int.from_bytes(Base58Decoder.CheckDecode(xpub)[9:13], "big")
    account = str(child - HARDENED) if child >= HARDENED else "?"
    coin = COINS.get(script, COINS.get(family, "?"))
    return f"m/{PURPOSES[script]}'/{coin}'/{account}'/0/{index}"


@lru_cache(maxsize=512)
def _receiving(xpub: str) -> Bip32Slip10Secp256k1:
    """The chain of receive addresses of an account: parsed once, since that costs as much as many addresses."""
    return Bip32Slip10Secp256k1.FromExtendedKey(xpub).ChildKey(0)


def address(spec: str, index: int, network: Network) -> str:
    """The receive address <account>/0/index of a key, as `network` spells it. ValueError for an index that BIP-32 has not, or
    a kind of address that the network has not."""
    if not 0 <= index < HARDENED:
        raise ValueError(f"There is no address {index} of a key.")
    script, _colon, xpub = spec.partition(":")
    public = _receiving(xpub).ChildKey(index).PublicKey().KeyObject()
    return _ENCODED[script](public, network)


def _base58(version: int, network: Network) -> bytes:
    if version < 0:
        raise ValueError(f"{network.name} has no addresses of this kind.")
    return version.to_bytes(1, "big")


def _hrp(network: Network) -> str:
    if not network.bech32:
        raise ValueError(f"{network.name} has no SegWit addresses.")
    return network.bech32


_ENCODED: dict[str, Any] = {
    "evm": lambda key, network: EthAddrEncoder.EncodeKey(key),
    "tron": lambda key, network: TrxAddrEncoder.EncodeKey(key),
    "p2pkh": lambda key, network: P2PKHAddrEncoder.EncodeKey(key, net_ver=_base58(network.p2pkh, network)),
    "p2sh-p2wpkh": lambda key, network: P2SHAddrEncoder.EncodeKey(key, net_ver=_base58(network.p2sh, network)),
    "p2wpkh": lambda key, network: P2WPKHAddrEncoder.EncodeKey(key, hrp=_hrp(network)),
    "p2tr": lambda key, network: P2TRAddrEncoder.EncodeKey(key, hrp=_hrp(network)),
}
