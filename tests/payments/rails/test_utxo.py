"""The Bitcoin-family rail on real Litecoin nodes, by their own JSON-RPC and through Esplora's REST."""

from __future__ import annotations

import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from merchants import assets
from merchants.assets import Asset
from payments.rails import Rail, RailUnreachable, Sighting, bitcoind, rail_for, scripts
from payments.rails.jsonrpc import Node
from tests.chains.esplora import Esplora
from tests.chains.litecoin import BASE_BLOCKS, COIN, LTC, NETWORK, PASSWORD, Litecoin, Nodes, catalogue, free_port, fresh_key
from tests.payments.rails.contract import RailContract

pytestmark = pytest.mark.chain


class LitecoinChain:
    def __init__(self, node: Litecoin, urls: list[str], folder: Path, settings: Any) -> None:
        settings.NETWORKS_FILE = catalogue(folder, urls)
        self.node, self.rail = node, rail_for(NETWORK)
        self.assets = [assets.asset(LTC)]
        self.keys = (fresh_key(), fresh_key())

    def pay(self, address: str, asset: Asset, units: int) -> str:
        return self.node.pay(address, units)

    def mine(self, blocks: int = 1) -> None:
        self.node.mine(blocks)

    def reorg(self, depth: int, *, drop: list[str]) -> None:
        self.node.reorg(depth, drop=drop)


class TestCoreRail(RailContract):
    @pytest.fixture
    def chain(self, litecoin: Litecoin, tmp_path: Path, settings: Any) -> LitecoinChain:
        return LitecoinChain(litecoin, [litecoin.url], tmp_path, settings)


class TestEsploraRail(RailContract):
    @pytest.fixture
    def chain(self, litecoin: Litecoin, esplora: Esplora, tmp_path: Path, settings: Any) -> LitecoinChain:
        return LitecoinChain(litecoin, [esplora.url], tmp_path, settings)


# --- beyond the contract ------------------------------------------------------------------------------------------


@pytest.fixture(params=["core", "esplora"])
def chain(request: pytest.FixtureRequest, litecoin: Litecoin, tmp_path: Path, settings: Any) -> LitecoinChain:
    url = litecoin.url if request.param == "core" else request.getfixturevalue("esplora").url
    return LitecoinChain(litecoin, [url], tmp_path, settings)


def here(rail: Rail, *addresses: str) -> list[Sighting]:
    head = rail.head()
    assert head
    return [*rail.scan(set(addresses), first=head.height - 7, last=head.height), *rail.pool(set(addresses))]


def test_every_kind_of_address_is_found_by_its_script(chain: LitecoinChain) -> None:
    kinds = ("p2pkh", "p2sh-p2wpkh", "p2wpkh", "p2tr")
    addresses = [chain.rail.address(key=fresh_key(kind), index=7) for kind in kinds]
    assert [scripts.script(address, chain.rail.network) for address in addresses] == [chain.node.script(address) for address in addresses]
    txids = [chain.pay(address, chain.assets[0], 50_000 + number) for number, address in enumerate(addresses)]
    assert sorted((one.address, one.txid, one.block) for one in here(chain.rail, *addresses)) == sorted(
        zip(addresses, txids, [None] * 4, strict=True)
    )
    chain.mine()
    assert {one.address: one.units for one in here(chain.rail, *addresses)} == {address: 50_000 + number for number, address in enumerate(addresses)}


def test_two_outputs_of_one_transaction_to_one_address_are_two_payments(chain: LitecoinChain) -> None:
    address, other = (chain.rail.address(key=chain.keys[0], index=index) for index in (0, 1))
    txid = chain.node.pay_many([(address, 10_000_000), (other, 7), (address, 20_000_000)])
    expected = [(address, (txid, 0), 10_000_000), (other, (txid, 1), 7), (address, (txid, 2), 20_000_000)]
    assert sorted(((one.address, one.key, one.units) for one in here(chain.rail, address, other)), key=lambda row: row[1]) == expected
    chain.mine()
    assert sorted(((one.address, one.key, one.units) for one in here(chain.rail, address, other)), key=lambda row: row[1]) == expected
    assert sum(one.units for one in here(chain.rail, address)) == 30_000_000  # 0.1 + 0.2, as floats 0.30000000000000004


def test_amounts_that_floats_cannot_hold_are_exact(chain: LitecoinChain) -> None:
    amounts = [29, 57_000_001, 110_000_000, 1_999_999_999, 2_346_078_901]
    addresses = [chain.rail.address(key=chain.keys[0], index=index) for index in range(len(amounts))]
    for address, units in zip(addresses, amounts, strict=True):
        chain.pay(address, chain.assets[0], units)
    chain.mine()
    assert {one.address: one.units for one in here(chain.rail, *addresses)} == dict(zip(addresses, amounts, strict=True))


def test_a_replaced_payment_leaves_the_pool_and_its_replacement_is_there(chain: LitecoinChain) -> None:
    address = chain.rail.address(key=chain.keys[0], index=0)
    first = chain.pay(address, chain.assets[0], 4_000_000)
    assert [one.txid for one in here(chain.rail, address)] == [first]
    second = chain.node.double_spend(first, to=address, units=4_000_000)
    assert [(one.txid, one.units) for one in here(chain.rail, address)] == [(second, 4_000_000)]
    chain.node.double_spend(second)
    assert here(chain.rail, address) == []


def test_what_the_merchant_sends_on_is_no_payment(chain: LitecoinChain) -> None:
    address = chain.node.rpc("getnewaddress", "", "bech32")
    txid = chain.node.pay_many([(address, 2_000_000_000)])
    chain.mine()
    swept = chain.node.rpc("createrawtransaction", [{"txid": txid, "vout": 0}], {chain.node.rpc("getnewaddress"): "19.999"})
    chain.node.rpc("sendrawtransaction", chain.node.rpc("signrawtransactionwithwallet", swept)["hex"])
    assert [one.txid for one in here(chain.rail, address)] == [txid]
    chain.mine()
    assert [one.txid for one in here(chain.rail, address)] == [txid]


def test_a_payment_link_has_a_plain_amount(chain: LitecoinChain) -> None:
    address = chain.rail.address(key=chain.keys[0], index=0)
    links = [chain.rail.payment_uri(chain.assets[0], address=address, units=units) for units in (1, 50_000_000, 10**8, 21 * 10**14)]
    assert links == [f"litecoin:{address}?amount={amount}" for amount in ("0.00000001", "0.5", "1", "21000000")]


def test_among_many_addresses_the_paid_one_is_found(chain: LitecoinChain) -> None:
    address = chain.rail.address(key=chain.keys[0], index=0)
    many = {chain.rail.address(key=chain.keys[1], index=index) for index in range(30)}
    chain.pay(address, chain.assets[0], 1_000)
    assert [one.address for one in here(chain.rail, address, *many)] == [address]


def test_what_litecoin_hides_in_mweb_holds_nothing_up_and_a_payment_out_of_it_is_found(litecoin_nodes: Nodes, tmp_path: Path, settings: Any) -> None:
    """From block 432 on regtest has it. Outputs there show neither amount nor script; what leaves it does."""
    node = litecoin_nodes.ready("private")
    node.mine(432 - node.height - 1)
    chain = LitecoinChain(node, [node.url], tmp_path, settings)
    address, hidden = chain.rail.address(key=chain.keys[0], index=0), node.rpc("getnewaddress", "", "mweb")
    node.pay(hidden, 1_480 * COIN)
    node.mine(2)
    node.pay(node.rpc("getnewaddress", "", "mweb"), COIN)
    assert [one.get("ismweb") for one in node.rpc("getrawtransaction", node.rpc("getrawmempool")[0], True)["vout"]] == [True, True]
    assert here(chain.rail, address) == []
    node.mine()
    node.pay(address, 100 * COIN)  # more than is left outside
    assert here(chain.rail, address) == []
    node.mine()
    assert [(one.units, one.block) for one in here(chain.rail, address)] == [(100 * COIN, chain.rail.head())]


# --- several nodes ------------------------------------------------------------------------------------------------


def rail_of(urls: list[str], folder: Path, settings: Any) -> Rail:
    settings.NETWORKS_FILE = catalogue(folder, urls)
    return rail_for(NETWORK)


def test_when_the_node_is_away_the_next_source_is_asked(litecoin: Litecoin, esplora: Esplora, tmp_path: Path, settings: Any) -> None:
    gone = f"http://u:{PASSWORD}@127.0.0.1:{free_port()}"
    rail = rail_of([gone, esplora.url], tmp_path, settings)
    address = rail.address(key=fresh_key(), index=0)
    txid = litecoin.pay(address, 5_000)
    litecoin.mine()
    assert [one.txid for one in here(rail, address)] == [txid]
    assert f"esplora+http://{rail.source()}/api" == esplora.url
    assert [remark.partition(" ")[2] for remark in rail.check().remarks] == ["refused the connection."]


def test_a_look_at_the_network_says_which_node_is_behind(litecoin: Litecoin, esplora: Esplora, tmp_path: Path, settings: Any) -> None:
    rail = rail_of([litecoin.url, esplora.url], tmp_path, settings)
    old = litecoin.rpc("getbestblockhash")
    litecoin.mine(3)
    assert rail.check().remarks == ()
    esplora.spoil = lambda path, answer: (200, old) if path.endswith("/blocks/tip/hash") else answer
    assert [remark.partition(" ")[2] for remark in rail.check().remarks] == ["is 3 blocks behind."]


def test_a_source_that_fails_within_a_pass_ends_it_and_the_next_pass_asks_another(
    litecoin: Litecoin, esplora: Esplora, tmp_path: Path, settings: Any
) -> None:
    rail = rail_of([esplora.url, litecoin.url], tmp_path, settings)
    address = rail.address(key=fresh_key(), index=0)
    litecoin.pay(address, 5_000)
    litecoin.mine()
    head = rail.head()
    assert head and esplora.asked
    esplora.spoil = lambda path, answer: (502, "Bad gateway")
    with pytest.raises(RailUnreachable, match=r"^127.0.0.1:\d+ answered HTTP 502\.$"):
        rail.scan({address}, first=head.height, last=head.height)
    assert rail.head() == head
    assert [one.units for one in rail.scan({address}, first=head.height, last=head.height)] == [5_000]
    assert rail.source() == f"127.0.0.1:{litecoin.port}"


def test_a_node_of_another_chain_is_never_used(litecoin: Litecoin, esplora: Esplora, tmp_path: Path, settings: Any) -> None:
    esplora.spoil = lambda path, answer: (200, "ab" * 32) if path.endswith("/block-height/0") else answer
    rail = rail_of([esplora.url], tmp_path, settings)
    words = "is a node of another chain: its first block is abababababababababababababababab."
    for ask in (rail.head, rail.check, lambda: rail.pool({rail.address(key=fresh_key(), index=0)})):
        with pytest.raises(RailUnreachable, match=words):
            ask()
    both = rail_of([esplora.url, litecoin.url], tmp_path, settings)
    assert both.head() is not None and both.source() == f"127.0.0.1:{litecoin.port}"
    assert [words in remark for remark in both.check().remarks] == [True]


def test_blocks_that_another_node_has_otherwise_are_disputed(litecoin: Litecoin, other_litecoin: Litecoin, tmp_path: Path, settings: Any) -> None:
    rail = rail_of([litecoin.url, other_litecoin.url], tmp_path, settings)
    litecoin.mine(2)
    other_litecoin.mine(max(litecoin.height - other_litecoin.height - 2, 0))
    head = rail.head()
    assert head and head.height == other_litecoin.height + 2
    blocks = {block.height: block.hash for block in rail.blocks(BASE_BLOCKS - 1, head.height)}
    assert rail.disputed(blocks) == set(range(BASE_BLOCKS + 1, other_litecoin.height + 1))
    assert rail.disputed({}) == set()
    other_litecoin.kill()
    assert rail.disputed(blocks) == set()


def test_a_node_that_is_behind_shows_less_and_disputes_nothing_it_does_not_have(
    litecoin: Litecoin, esplora: Esplora, tmp_path: Path, settings: Any
) -> None:
    rail = rail_of([esplora.url, litecoin.url], tmp_path, settings)
    address = rail.address(key=fresh_key(), index=0)
    litecoin.pay(address, 5_000)
    before = litecoin.height
    litecoin.mine(2)
    behind = {"/blocks/tip/hash": (200, litecoin.rpc("getblockhash", before))}
    esplora.spoil = lambda path, answer: behind.get(path.removeprefix("/api"), answer)
    head = rail.head()
    assert head and head.height == before
    assert rail.blocks(before, before + 2) == [head]
    assert rail.scan({address}, first=0, last=before) == []


def test_what_went_wrong_is_told_without_passwords(tmp_path: Path, settings: Any, litecoin: Litecoin, esplora: Esplora) -> None:
    port = free_port()
    esplora.spoil = lambda path, answer: (500, f"no route {path}")
    urls = [
        f"http://walter:open-sesame@127.0.0.1:{port}/key-abc123?token=s3cr3t-t0ken",
        f"esplora+http://walter:open-sesame@127.0.0.1:{port}/key-abc123?token=s3cr3t-t0ken",
        litecoin.url.replace(PASSWORD, "wrong-sesame"),
        esplora.url.replace("/api", "/key-abc123"),
    ]
    for url in urls:
        with pytest.raises(RailUnreachable) as away:
            rail_of([url], tmp_path, settings).head()
        told = "".join(traceback.format_exception(away.value))
        assert str(away.value).startswith("127.0.0.1:")
        assert not [secret for secret in ("sesame", "key-abc123", "s3cr3t", "walter") if secret in told]


# --- how much it asks ---------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods that nodes were asked, one by one, since the test began."""
    found: list[str] = []
    post = Node._post

    def listening(self: Node, body: Any, timeout: Any) -> Any:
        found.extend(call["method"] for call in (body if isinstance(body, list) else [body]))
        return post(self, body, timeout)

    monkeypatch.setattr(Node, "_post", listening)
    return found


def test_a_node_is_asked_for_each_block_and_each_waiting_transaction_once(
    litecoin: Litecoin, tmp_path: Path, settings: Any, asked: list[str]
) -> None:
    rail = rail_of([litecoin.url], tmp_path, settings)
    address = rail.address(key=fresh_key(), index=0)
    txids = [litecoin.pay(address, units) for units in (1_000, 2_000)]
    here(rail, address)
    litecoin.mine(empty=True)
    txids.append(litecoin.pay(address, 3_000))
    asked.clear()
    assert sorted(one.txid for one in here(rail, address)) == sorted(txids)
    assert Counter(asked) == {
        "getbestblockhash": 1, "getblockheader": 1, "getblockcount": 1, "getblockhash": 8, "getblock": 1, "getrawmempool": 1, "getrawtransaction": 1
    }  # fmt: skip


def test_a_pool_too_large_for_one_pass_is_never_taken_for_a_smaller_one(
    litecoin: Litecoin, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bitcoind, "READ_A_PASS", 2)
    rail = rail_of([litecoin.url], tmp_path, settings)
    address = rail.address(key=fresh_key(), index=0)
    for _payment in range(5):
        litecoin.pay(address, 1_000)
    for read in (2, 4):
        rail.head()
        with pytest.raises(RailUnreachable, match=f"has 5 waiting transactions, of which {read} are read"):
            rail.pool({address})
    rail.head()
    assert len(rail.pool({address})) == 5


def test_a_node_keeps_no_more_blocks_than_it_may(litecoin: Litecoin, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitcoind, "KEPT_OUTPUTS", 4)
    monkeypatch.setattr(bitcoind, "KEPT_HEADERS", 4)
    rail = rail_of([litecoin.url], tmp_path, settings)
    address = rail.address(key=fresh_key(), index=0)
    litecoin.pay(address, 1_000)
    litecoin.mine(6)
    assert len(here(rail, address)) == len(here(rail, address)) == 1
    source = rail._sources[rail._client.node]  # type: ignore[attr-defined]
    assert sum(len(outputs) for outputs in source._blocks.values()) <= 4 and len(source._headers) <= 4
