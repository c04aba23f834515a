"""What the sources of the Bitcoin family take for a number, and what a node's answers are held to."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from payments.rails import RailUnreachable
from payments.rails.bitcoind import CoreSource
from payments.rails.jsonrpc import Node, RpcError
from payments.rails.source import Malformed, coins, count

HASH, TXID, SCRIPT = "ab" * 32, "cd" * 32, "0014" + "11" * 20


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("0.1", 10_000_000),
        ("0.29", 29_000_000),
        ("2.4", 240_000_000),
        ("1e-8", 1),
        ("21000000.00000001", 2_100_000_000_000_001),
        ("0", 0),
        ("5", 500_000_000),
    ],
)
def test_coins_are_satoshi_exactly(text: str, units: int) -> None:
    assert coins(json.loads(text, parse_float=Decimal)) == units


@pytest.mark.parametrize("text", ["-1", "-0.1", "0.000000001", "1e-9", "1e999999999", "1e-999999999", "92233720369", '"1"', "true", "null", "[1]"])
def test_what_is_no_amount_is_refused_and_never_rounded(text: str) -> None:
    with pytest.raises(Malformed):
        coins(json.loads(text, parse_float=Decimal))


def test_a_float_is_no_amount() -> None:
    with pytest.raises(Malformed):
        coins(0.1)


@pytest.mark.parametrize("found", [-1, 2**63, 1.0, "1", True, None])
def test_what_is_no_count_is_refused(found: Any) -> None:
    with pytest.raises(Malformed):
        count(found)


class SaidNode(Node):
    """A node that says what it is told to."""

    def __init__(self, **said: Any) -> None:
        super().__init__("http://127.0.0.1:1")
        self.said = {"getbestblockhash": HASH, "getblockcount": 7, "getblockhash": HASH, "getrawmempool": [TXID], **said}
        self.said.setdefault("getblockheader", {"hash": HASH, "height": 7, "time": 1_700_000_000})
        transaction = {"txid": TXID, "vout": [{"value": Decimal("0.1"), "n": 0, "scriptPubKey": {"hex": SCRIPT}}]}
        self.said.setdefault("getblock", {"hash": HASH, "tx": [transaction]})
        self.said.setdefault("getrawtransaction", transaction)

    def call(self, method: str, params: Any = (), *, timeout: Any = None) -> Any:
        if isinstance(found := self.said[method], Exception):
            raise found
        return found

    def batch(self, calls: Any, *, tolerant: bool = False, timeout: Any = None) -> list[Any]:
        return [self.said[method] for method, _params in calls]


def seen(**said: Any) -> list[int]:
    source, watched = CoreSource(SaidNode(**said)), {SCRIPT: "someone"}
    source.head()
    return [one.units for one in [*source.mined(watched, first=7, last=7), *source.waiting(watched)]]


def paying(**fields: Any) -> dict[str, Any]:
    output = {"value": Decimal("0.1"), "n": 0, "scriptPubKey": {"hex": SCRIPT}, **fields}
    return {"hash": HASH, "tx": [{"txid": TXID, "vout": [output]}]}


def test_a_node_that_says_what_it_should_is_believed() -> None:
    assert seen() == [10_000_000, 10_000_000]
    assert seen(getblock=paying(value=Decimal(0))) == [10_000_000]
    assert seen(getrawtransaction=RpcError("gone meanwhile", -5)) == [10_000_000]
    assert seen(getrawtransaction={"txid": TXID, "vout": [], "blockhash": HASH}) == [10_000_000]
    assert seen(getrawtransaction={"txid": TXID, "vout": [{"ismweb": True, "output_id": HASH}]}) == [10_000_000]


@pytest.mark.parametrize(
    "said",
    [
        {"getbestblockhash": None},
        {"getbestblockhash": "tip"},
        {"getblockheader": {"hash": TXID, "height": 7, "time": 1}},
        {"getblockheader": {"hash": HASH, "height": 8, "time": 1}},
        {"getblockheader": {"hash": HASH, "height": 7, "time": -1}},
        {"getblockheader": []},
        {"getblockcount": "7"},
        {"getblockhash": 7},
        {"getblockhash": RpcError("127.0.0.1:1 refused: no", -1)},
        {"getblock": {"hash": TXID, "tx": []}},
        {"getblock": {"hash": HASH, "tx": {}}},
        {"getblock": RpcError("127.0.0.1:1 refused: Block not available (pruned data)", -1)},
        {"getblock": paying(value=-1)},
        {"getblock": paying(value=0.1)},
        {"getblock": paying(value=Decimal("0.123456789"))},
        {"getblock": paying(n=-1)},
        {"getblock": paying(scriptPubKey={"hex": "xyz"})},
        {"getblock": paying(scriptPubKey="0014")},
        {"getrawmempool": {TXID: {}}},
        {"getrawmempool": ["all of them"]},
        {"getrawtransaction": {"txid": HASH, "vout": []}},
        {"getrawtransaction": RpcError("127.0.0.1:1 refused: no", -32601)},
        {"getrawtransaction": "0200"},
    ],
    ids=str,
)
def test_a_node_that_says_what_cannot_be_is_not_read(said: dict[str, Any]) -> None:
    with pytest.raises(RailUnreachable) as refused:
        seen(**said)
    assert str(refused.value).startswith("127.0.0.1:1 ") and not isinstance(refused.value, RpcError)
