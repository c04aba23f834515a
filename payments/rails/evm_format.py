"""What an Ethereum node says, in our words, and addresses as EIP-55 spells them. Pure: no node is asked here.

Quantities and data are hex, as in https://ethereum.org/en/developers/docs/apis/json-rpc/. A 20-byte address is here
always 40 digits in lower case after '0x', whatever the network shows to people.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from Crypto.Hash import keccak

from payments.rails.base import Block

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"  # keccak("Transfer(address,address,uint256)")
SEND = "a9059cbb"  # transfer(address,uint256)
SYMBOL, DECIMALS = "0x95d89b41", "0x313ce567"
WORD_MOST = 2**256 - 1
LONGEST_SYMBOL = 40

_HASH = re.compile(r"0x[0-9a-f]{64}")
_NOTHING = re.compile(r"0x0*")
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")


class Garbled(ValueError):
    """A node's answer is not what the protocol says; the text tells which part, without repeating it."""


@dataclass(frozen=True)
class Header:
    height: int
    hash: str
    parent: str
    at: datetime

    @property
    def block(self) -> Block:
        return Block(self.height, self.hash, self.at)


@dataclass(frozen=True, slots=True)
class Payment:
    """A transaction's own native value; whether it came through is in the receipt."""

    txid: str
    to: str
    units: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that sends native coin to somebody else, as the node wrote it down. It is read closely only where it
    is somebody's we know: chains have transactions of kinds of their own, and no stranger's may stop us."""

    to: str
    txid: Any
    value: Any

    @property
    def payment(self) -> Payment:
        return Payment(hashed(self.txid), self.to, quantity(self.value))


@dataclass(frozen=True, slots=True)
class Log:
    """What an event log says word for word, and where it stands."""

    txid: str
    index: int  # in its block
    height: int
    block_hash: str
    contract: str
    topics: tuple[str, ...]
    data: str
    is_removed: bool

    @property
    def words(self) -> tuple[str, tuple[str, ...], str]:
        return self.contract, self.topics, self.data

    @property
    def is_transfer(self) -> bool:
        """An ERC-20 transfer (EIP-20) of something to somebody else. An ERC-721 one has a fourth topic."""
        if self.is_removed or len(self.topics) != 3 or self.topics[0] != TRANSFER or not _HASH.fullmatch(self.data):
            return False
        return self.topics[2].startswith("0x" + "0" * 24) and self.topics[1] != self.topics[2] and self.units > 0

    @property
    def to(self) -> str:
        return "0x" + self.topics[2][-40:]

    @property
    def units(self) -> int:
        return int(self.data, 16)


@dataclass(frozen=True, slots=True)
class Receipt:
    height: int
    block_hash: str
    is_done: bool  # it was carried out, not reverted
    logs: dict[int, Log] = field(hash=False)
    fee: int | None = None  # in the native coin's smallest unit, what a chain above another pays to that one included

    def place(self, log: Log) -> int:
        """1 + its index among the transaction's own logs: a reorg moves the index in the block, but not this."""
        return 1 + log.index - min(self.logs)

    def has(self, log: Log) -> bool:
        there = self.logs.get(log.index)
        return self.is_done and self.block_hash == log.block_hash and there is not None and there.words == log.words and there.txid == log.txid


def quantity(value: Any) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"0x[0-9a-fA-F]{1,64}", value):
        raise Garbled("gave a number that is none")
    return int(value, 16)


def hashed(value: Any) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value.lower()):
        raise Garbled("gave a hash that is none")
    return value.lower()


def padded(address: str) -> str:
    """An address as a 32-byte word: how topics and arguments hold it."""
    return "0x" + "0" * 24 + address[2:]


def sending(address: str, units: int) -> str:
    """The call data of transfer(address, units)."""
    return f"0x{SEND}{padded(address)[2:]}{units:064x}"


def header(value: Any) -> Header:
    found = _object(value)
    seconds = quantity(found.get("timestamp"))
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        raise Garbled("gave a block of an impossible time") from None
    return Header(quantity(found.get("number")), hashed(found.get("hash")), hashed(found.get("parentHash")), at)


def sent(value: Any) -> tuple[Sent, ...]:
    """The transactions of a full block that send native coin to somebody else."""
    rows = [_object(row) for row in _list(_object(value).get("transactions"))]
    found = [
        Sent(row["to"].lower(), row.get("hash"), row.get("value"))
        for row in rows
        if isinstance(row.get("to"), str) and not _NOTHING.fullmatch(str(row.get("value", "0x0"))) and row["to"] != row.get("from")
    ]
    return tuple(found)


def payments_to(addresses: Collection[str], found: Iterable[Sent]) -> list[Payment]:
    """Those of many transactions that pay one of `addresses`. Garbled when one of these cannot be read."""
    return [one.payment for one in found if one.to in addresses]


def log(value: Any) -> Log:
    row = _object(value)
    return Log(
        hashed(row.get("transactionHash")),
        quantity(row.get("logIndex")),
        quantity(row.get("blockNumber")),
        hashed(row.get("blockHash")),
        _address(row.get("address")),
        tuple(str(topic).lower() for topic in _list(row.get("topics"))),
        str(row.get("data")).lower(),
        bool(row.get("removed")),
    )


def logs(value: Any) -> list[Log]:
    return [log(row) for row in _list(value)]


def logs_to(addresses: Collection[str], value: Any) -> list[Log]:
    """Those of many logs whose third topic ends in one of `addresses`; only they are read closely."""
    rows = [_object(row) for row in _list(value)]
    return [log(row) for row in rows if len(found := _list(row.get("topics"))) > 2 and "0x" + str(found[2])[-40:].lower() in addresses]


def receipt(value: Any) -> Receipt:
    row = _object(value)
    found = {one.index: one for one in logs(row.get("logs"))}
    return Receipt(quantity(row.get("blockNumber")), hashed(row.get("blockHash")), row.get("status") == "0x1", found, _fee(row))


def _fee(row: dict[str, Any]) -> int | None:
    """`l1Fee` is of chains of Optimism's kind (https://docs.optimism.io/stack/transactions/fees); others have it in their gas."""
    try:
        above = quantity(row["l1Fee"]) if row.get("l1Fee") else 0
        return quantity(row.get("gasUsed")) * quantity(row.get("effectiveGasPrice")) + above
    except Garbled:
        return None


def inner_payments(trace: Any) -> list[tuple[int, str, int]]:
    """(position, to, units) of the native coin that inner calls of a transaction moved, from callTracer's answer
    (https://geth.ethereum.org/docs/developers/evm-tracing/built-in-tracers). Positions count every call, depth first; the
    transaction itself is 0 and left out. What a call that failed did is undone."""
    found, stack, position = [], [_object(trace)], -1
    while stack:
        call = stack.pop()
        position += 1
        if call.get("error") or call.get("revertReason"):
            position += _calls_within(call)
            continue
        units = quantity(call.get("value") or "0x0")
        if position and units and call.get("type") in ("CALL", "SELFDESTRUCT") and call.get("to") and call["to"] != call.get("from"):
            found.append((position, _address(call["to"]), units))
        stack += [_object(inner) for inner in reversed(_list(call.get("calls") or []))]
    return found


def _calls_within(call: dict[str, Any]) -> int:
    count, stack = 0, [call]
    while stack:
        inner = [_object(one) for one in _list(stack.pop().get("calls") or [])]
        count += len(inner)
        stack += inner
    return count


def text(value: Any) -> str:
    """A string that a contract returned: by the ABI, or as the bytes32 of tokens older than it. Empty when it is neither."""
    try:
        raw = bytes.fromhex(value[2:])
    except (TypeError, ValueError):
        return ""
    if len(raw) > 32:
        start = min(int.from_bytes(raw[:32], "big"), len(raw))
        size = int.from_bytes(raw[start : start + 32], "big")
        raw = raw[start + 32 : start + 32 + min(size, LONGEST_SYMBOL)]
    shown = raw.rstrip(b"\0").decode(errors="replace")
    return "".join(letter for letter in shown if letter.isprintable())[:LONGEST_SYMBOL]


def checksummed(address: str) -> str:
    """EIP-55 (https://eips.ethereum.org/EIPS/eip-55): letters in capitals where the digit of the hash is above seven."""
    digits = address[2:].lower()
    digest = keccak.new(digest_bits=256, data=digits.encode()).hexdigest()
    return "0x" + "".join(letter.upper() if int(mark, 16) > 7 else letter for letter, mark in zip(digits, digest, strict=False))


def _address(value: Any) -> str:
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value.lower()):
        raise Garbled("gave an address that is none")
    return value.lower()


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Garbled("gave something else than it was asked for")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Garbled("gave something else than it was asked for")
    return value
