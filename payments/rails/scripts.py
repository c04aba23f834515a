"""Addresses of the Bitcoin family and the output scripts they stand for: base58check, SegWit (BIP-173), Taproot (BIP-350).

Payments are matched on the script: nodes spell addresses differently, and old ones list several for an output.
"""

from __future__ import annotations

import re

from bip_utils import Base58ChecksumError, Base58Decoder, Base58Encoder, SegwitBech32Decoder, SegwitBech32Encoder
from bip_utils.bech32 import Bech32ChecksumError
from django.utils.translation import gettext as _

from merchants.assets import Network
from merchants.listing import any_of
from payments.rails.base import BadAddress

LONGEST = 90  # BIP-173
BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]{26,35}")
BECH32 = re.compile(r"([a-z]{2,12})1[02-9ac-hj-np-z]{6,}")
# Witness version and length of its program: P2WPKH, P2WSH, P2TR. Nobody holds a key to anything else.
PROGRAMS = {(0, 20), (0, 32), (1, 32)}


def script(address: str, network: Network) -> str:
    """The scriptPubKey of `address` in hex. BadAddress with a sentence for the person who typed it."""
    if not 0 < len(address) <= LONGEST or not address.isascii():
        raise _no_address(network)
    # Base58 first: an address of it may happen to look like SegWit with a letter wrong, and never the other way round.
    if (payload := _payload(address)) is not None:
        return _base58(payload, network)
    found = BECH32.fullmatch(address.lower())
    if found and (found[1] == network.bech32 or address in (address.lower(), address.upper())):
        return _segwit(address, found[1], network)
    raise _miscopied(network) if BASE58.fullmatch(address) else _no_address(network)


def address(script_hex: str, network: Network) -> str:
    """The one address of `script_hex`, in normal form: SegWit in lower case. ValueError for a script that has none."""
    raw = bytes.fromhex(script_hex)
    if len(raw) == 25 and raw[:3] == b"\x76\xa9\x14" and raw[23:] == b"\x88\xac":
        return str(Base58Encoder.CheckEncode(bytes([network.p2pkh]) + raw[3:23]))
    if len(raw) == 23 and raw[:2] == b"\xa9\x14" and raw[22:] == b"\x87":
        return str(Base58Encoder.CheckEncode(bytes([network.p2sh]) + raw[2:22]))
    version = raw[0] - 0x50 if raw and raw[0] else 0
    if len(raw) < 2 or raw[1] != len(raw) - 2 or (version, raw[1]) not in PROGRAMS:
        raise ValueError("This script has no address.")
    return str(SegwitBech32Encoder.Encode(network.bech32, version, raw[2:]))


def normal(address_typed: str, network: Network) -> str:
    """The one spelling of an address. BadAddress for what is none."""
    return address(script(address_typed.strip(), network), network)


def _segwit(address: str, prefix: str, network: Network) -> str:
    if address not in (address.lower(), address.upper()):
        raise BadAddress(_("This address mixes capital and small letters. Copy it from your wallet again."))
    try:
        version, program = SegwitBech32Decoder.Decode(prefix, address)
    except Bech32ChecksumError:
        raise _miscopied(network) if prefix == network.bech32 else _no_address(network) from None
    except ValueError:
        raise _no_address(network) from None
    if prefix != network.bech32:
        raise _elsewhere(network)
    if (version, len(program)) not in PROGRAMS:
        raise BadAddress(_("This kind of address is not known yet, so payments to it could not be spent safely. Use another address."))
    return bytes([0x50 + version if version else 0, len(program)]).hex() + str(bytes(program).hex())


def _payload(address: str) -> bytes | None:
    """What base58check holds; None for what is none, or is miscopied."""
    try:
        return bytes(Base58Decoder.CheckDecode(address))
    except (Base58ChecksumError, ValueError):
        return None


def _base58(payload: bytes, network: Network) -> str:
    if len(payload) != 21:
        raise _no_address(network)
    if payload[0] == network.p2pkh:
        return f"76a914{payload[1:].hex()}88ac"
    if payload[0] == network.p2sh:
        return f"a914{payload[1:].hex()}87"
    raise _elsewhere(network)


def _beginnings(network: Network) -> str:
    """How addresses of the network begin: 'ltc1, L or M'."""
    ends = (bytes(20), b"\xff" * 20)
    letters = [str(Base58Encoder.CheckEncode(bytes([version]) + end))[0] for version in (network.p2pkh, network.p2sh) for end in ends]
    return any_of(dict.fromkeys([f"{network.bech32}1", *letters]))


def _no_address(network: Network) -> BadAddress:
    text = _("This is no address of %(network)s: those begin with %(beginnings)s.")
    return BadAddress(text % {"network": network.name, "beginnings": _beginnings(network)})


def _elsewhere(network: Network) -> BadAddress:
    text = _("This address belongs to another network; addresses of %(network)s begin with %(beginnings)s.")
    return BadAddress(text % {"network": network.name, "beginnings": _beginnings(network)})


def _miscopied(network: Network) -> BadAddress:
    text = _("This address of %(network)s has a wrong letter: its checksum does not fit. Copy it from your wallet again.")
    return BadAddress(text % {"network": network.name})
