"""The Esplora client: how little it asks, and what it does with answers that cannot be."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from payments.rails import Rail, RailUnreachable, Sighting, rail_for
from payments.rails import esplora as client
from payments.rails.jsonrpc import Node
from tests.chains.esplora import Answer, Esplora
from tests.chains.litecoin import NETWORK, Litecoin, catalogue, fresh_key

pytestmark = pytest.mark.chain


@pytest.fixture
def rail(esplora: Esplora, tmp_path: Path, settings: Any) -> Rail:
    settings.NETWORKS_FILE = catalogue(tmp_path, [esplora.url])
    return rail_for(NETWORK)


@pytest.fixture
def address(rail: Rail) -> str:
    return rail.address(key=fresh_key(), index=0)


def look(rail: Rail, *addresses: str, depth: int = 8) -> list[Sighting]:
    head = rail.head()
    assert head
    return [*rail.scan(set(addresses), first=head.height - depth + 1, last=head.height), *rail.pool(set(addresses))]


# --- how little it asks -------------------------------------------------------------------------------------------


def kinds(esplora: Esplora, address: str) -> Counter[str]:
    found = Counter(path.replace(address, ":address") for path in esplora.asked)
    esplora.asked.clear()
    return found


def test_an_address_that_was_never_paid_is_one_question(rail: Rail, esplora: Esplora, litecoin: Litecoin, address: str) -> None:
    look(rail, address)
    esplora.asked.clear()
    look(rail, address)
    assert kinds(esplora, address) == {"/blocks/tip/hash": 1, "/address/:address": 1}


def test_its_payments_are_asked_for_when_something_may_have_changed(rail: Rail, esplora: Esplora, litecoin: Litecoin, address: str) -> None:
    litecoin.pay(address, 5_000)
    litecoin.mine()
    assert len(look(rail, address)) == 1
    esplora.asked.clear()
    assert len(look(rail, address)) == 1
    assert kinds(esplora, address) == {"/blocks/tip/hash": 1, "/address/:address": 1}
    name = litecoin.mine()[0]
    assert len(look(rail, address)) == 1
    height = litecoin.height - 1
    expected = {"/blocks/tip/hash": 1, f"/block/{name}": 1, "/address/:address": 1, "/address/:address/txs": 1, f"/block-height/{height}": 1}
    assert kinds(esplora, address) == expected


def test_an_address_with_something_in_the_pool_is_looked_at_each_time(rail: Rail, esplora: Esplora, litecoin: Litecoin, address: str) -> None:
    """A payment replaced by one of the same amount leaves all counts as they were."""
    first = litecoin.pay(address, 5_000)
    assert [one.txid for one in look(rail, address)] == [first]
    second = litecoin.double_spend(first, to=address, units=5_000)
    assert [one.txid for one in look(rail, address)] == [second]


def test_a_long_history_is_read_page_by_page_no_further_than_is_asked(rail: Rail, esplora: Esplora, litecoin: Litecoin, address: str) -> None:
    esplora.page = 2
    txids = []
    for _block in range(4):
        txids += [litecoin.pay(address, 5_000 + len(txids)) for _payment in range(2)]
        litecoin.mine()
    assert [one.txid for one in look(rail, address, depth=2)] == sorted(txids[4:6]) + sorted(txids[6:])
    assert sum("/txs" in path for path in esplora.asked) == 3
    assert {one.txid for one in look(rail, address)} == set(txids)


def test_behind_a_page_full_of_what_waits_the_mined_ones_are_asked_for(rail: Rail, esplora: Esplora, litecoin: Litecoin, address: str) -> None:
    mined = litecoin.pay(address, 5_000)
    litecoin.mine()
    waiting = litecoin.pay(address, 6_000)
    esplora.spoil = lambda path, answer: (200, answer[1][:1]) if path.endswith("/txs") else answer
    assert [one.txid for one in look(rail, address)] == [mined, waiting]
    assert f"/address/{address}/txs/chain" in esplora.asked


def test_neighbouring_blocks_are_one_question(rail: Rail, esplora: Esplora, litecoin: Litecoin, address: str) -> None:
    litecoin.mine(6)
    head = rail.head()
    assert head
    esplora.asked.clear()
    assert [block.height for block in rail.blocks(head.height - 7, head.height)] == list(range(head.height - 7, head.height + 1))
    assert kinds(esplora, address) == {"/blocks/tip/hash": 1, f"/blocks/{head.height - 1}": 1}
    deep = rail.blocks(5, 8)
    assert [block.hash for block in deep] == [litecoin.rpc("getblockhash", height) for height in range(5, 9)]


def test_asked_too_often_it_keeps_quiet_for_a_while(
    rail: Rail, esplora: Esplora, litecoin: Litecoin, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1_000.0
    monkeypatch.setattr(client.time, "monotonic", lambda: clock)
    litecoin.pay(address, 5_000)
    esplora.spoil = lambda path, answer: (429, "Too Many Requests")
    for rest in (30, 60, 120):
        with pytest.raises(RailUnreachable, match=r"was asked too often \(HTTP 429\)\."):
            rail.head()
        esplora.asked.clear()
        clock += rest - 1
        with pytest.raises(RailUnreachable, match="was asked too often, and is left alone for a while"):
            rail.head()
        assert esplora.asked == []
        clock += 2
    esplora.spoil = lambda path, answer: answer
    assert len(look(rail, address)) == 1


# --- answers that cannot be ---------------------------------------------------------------------------------------


def changed(part: str, change: Callable[[Any], Any]) -> Callable[[str, Answer], Answer]:
    """Change the JSON of every answer to a path that ends in `part`."""

    def spoil(path: str, answer: Answer) -> Answer:
        return (200, change(json.loads(json.dumps(answer[1], default=float)))) if path.endswith(part) else answer

    return spoil


def each_output(**fields: Any) -> Callable[[Any], Any]:
    return lambda rows: [{**row, "vout": [{**output, **fields} for output in row["vout"]]} for row in rows]


def each_status(**fields: Any) -> Callable[[Any], Any]:
    return lambda rows: [{**row, "status": {**row["status"], **fields}} for row in rows]


IMPOSSIBLE: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "a float": ("/txs", each_output(value=0.00005), "a number that cannot be"),
    "a whole float": ("/txs", each_output(value=5000.0), "a number that cannot be"),
    "below zero": ("/txs", each_output(value=-5000), "a number that cannot be"),
    "beyond all coins": ("/txs", each_output(value=2**63), "a number that cannot be"),
    "text": ("/txs", each_output(value="5000"), "a number that cannot be"),
    "true": ("/txs", each_output(value=True), "a number that cannot be"),
    "no list": ("/txs", lambda rows: {"error": "try later"}, "an answer that is no list"),
    "no status": ("/txs", lambda rows: [{**row, "status": None} for row in rows], "an answer without confirmed"),
    "a word for a status": ("/txs", each_status(confirmed="yes"), "a status that is none"),
    "a hash of another length": ("/txs", each_status(block_hash="ab" * 20), "a hash that is none"),
    "a height below zero": ("/txs", each_status(block_height=-1), "a number that cannot be"),
    "a time in no year": ("/txs", each_status(block_time=10**18), "a number that cannot be"),
    "a transaction without an id": ("/txs", lambda rows: [{**row, "txid": "../../etc"} for row in rows], "a hash that is none"),
    "no counts": ("/address/:address", lambda row: {}, "an answer without chain_stats"),
    "a count in words": ("/address/:address", lambda row: {**row, "chain_stats": {"tx_count": "one"}}, "a number that cannot be"),
}  # fmt: skip


@pytest.mark.parametrize("script", [None, 7, "", "0014" + "00" * 20])
def test_an_output_to_another_script_is_no_payment_whatever_address_is_beside_it(
    script: Any, rail: Rail, esplora: Esplora, litecoin: Litecoin, address: str
) -> None:
    litecoin.pay(address, 5_000)
    esplora.spoil = changed("/txs", each_output(scriptpubkey=script, scriptpubkey_address=address))
    assert look(rail, address) == []


@pytest.mark.parametrize(("part", "change", "words"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_an_answer_that_cannot_be_ends_the_pass(
    part: str, change: Callable[[Any], Any], words: str, rail: Rail, esplora: Esplora, litecoin: Litecoin, address: str
) -> None:
    litecoin.pay(address, 5_000)
    litecoin.mine()
    esplora.spoil = changed(part.replace(":address", address), change)
    with pytest.raises(RailUnreachable) as refused:
        look(rail, address)
    assert str(refused.value).endswith(f"gave {words}.")
    esplora.spoil = lambda path, answer: answer
    assert [one.units for one in look(rail, address)] == [5_000]


NONSENSE = {
    "a page of HTML": (200, "<html>Just a moment...</html>", "gave a hash that is none"),
    "nothing": (200, "", "gave a hash that is none"),
    "bytes that are no text": (200, b"\xff\xfe\x00", "gave a hash that is none"),
    "a hash in capitals": (200, "AB" * 32, "gave a hash that is none"),
    "a redirect": (302, "", "answered HTTP 302"),
    "an error": (500, "database is locked", "answered HTTP 500"),
}


@pytest.mark.parametrize(("status", "body", "words"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_no_head(status: int, body: Any, words: str, rail: Rail, esplora: Esplora) -> None:
    rail.head()
    esplora.spoil = lambda path, answer: (status, body)
    with pytest.raises(RailUnreachable, match=f"{words}\\.$"):
        rail.head()


@pytest.mark.parametrize("body", ["<html>ok</html>", "[" * 100_000, '{"chain_stats": NaN}', ""], ids=["HTML", "too deep", "NaN", "nothing"])
def test_what_is_no_json_is_told(body: str, rail: Rail, esplora: Esplora, address: str) -> None:
    esplora.spoil = lambda path, answer: (200, body) if "/address/" in path else answer
    with pytest.raises(RailUnreachable, match="gave an answer"):
        look(rail, address)


def test_an_answer_without_end_is_cut_off(
    esplora: Esplora, litecoin: Litecoin, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_BYTES", 2**20)
    settings.NETWORKS_FILE = catalogue(tmp_path, [esplora.url])
    rail = rail_for(NETWORK)
    address = rail.address(key=fresh_key(), index=0)
    esplora.spoil = lambda path, answer: (200, b" " * 2**21) if "/address/" in path else answer
    with pytest.raises(RailUnreachable, match="answered more than 1 MB"):
        look(rail, address)


@pytest.mark.parametrize("wrong", [{"block_hash": "ab" * 32}, {"block_height": -1}, {"block_height": 1}], ids=["hash", "below", "above"])
def test_a_payment_whose_block_is_not_certain_is_there_and_waits(
    wrong: dict[str, Any], rail: Rail, esplora: Esplora, litecoin: Litecoin, address: str
) -> None:
    """The server's index of addresses can be behind its chain or ahead of it, or it lies."""
    litecoin.pay(address, 5_000)
    litecoin.mine()
    told = {name: value if isinstance(value, str) else litecoin.height + value for name, value in wrong.items()}
    esplora.spoil = changed("/txs", each_status(**told))
    assert [(one.units, one.block) for one in look(rail, address)] == [(5_000, None)]
    esplora.spoil = lambda path, answer: answer
    litecoin.mine()
    assert [(one.units, one.block and one.block.height) for one in look(rail, address)] == [(5_000, litecoin.height - 1)]


def test_a_transaction_told_twice_is_one_payment(rail: Rail, esplora: Esplora, litecoin: Litecoin, address: str) -> None:
    litecoin.pay(address, 5_000)
    esplora.spoil = changed("/txs", lambda rows: rows * 2)
    assert len(look(rail, address)) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[1:], "other blocks than it was asked for"),
        (lambda rows: [], "other blocks than it was asked for"),
        (lambda rows: [{**row, "previousblockhash": "ab" * 32} for row in rows], "blocks that are no chain"),
    ],
)
def test_blocks_that_are_no_chain_are_refused(change: Any, words: str, rail: Rail, esplora: Esplora, litecoin: Litecoin) -> None:
    head = rail.head()
    assert head
    esplora.spoil = lambda path, answer: (200, change(answer[1])) if re.search(r"/blocks/\d+$", path) else answer
    with pytest.raises(RailUnreachable, match=f"gave {words}"):
        rail.blocks(head.height - 5, head.height)


def test_blocks_that_go_round_in_a_circle_end(rail: Rail, esplora: Esplora, litecoin: Litecoin) -> None:
    """Below the newest is one below which is the newest."""
    newest, other = litecoin.mine()[0], "ab" * 32

    def spoil(path: str, answer: Answer) -> Answer:
        if path.endswith(f"/block/{newest}"):
            return 200, {**answer[1], "previousblockhash": other}
        return (200, [{**answer[1][0], "id": other, "previousblockhash": newest}]) if re.search(r"/blocks/\d+$", path) else answer

    esplora.spoil = spoil
    with pytest.raises(RailUnreachable, match=r"gave blocks that are no chain\.$"):
        rail.blocks(litecoin.height - 5, litecoin.height)


def test_a_chain_that_changes_while_it_is_read_ends_the_pass(rail: Rail, esplora: Esplora, litecoin: Litecoin) -> None:
    litecoin.mine(3)
    rail.head()
    height = litecoin.height

    def spoil(path: str, answer: Answer) -> Answer:
        if path.endswith(f"/blocks/{height - 1}"):
            litecoin.reorg(3)
            return esplora.answer(path)
        return answer

    esplora.spoil = spoil
    with pytest.raises(RailUnreachable, match="changed its chain while it was read"):
        rail.blocks(height - 5, height)
    assert len(rail.blocks(height - 5, height)) == 6


def test_a_server_that_pages_for_ever_is_given_up(
    rail: Rail, esplora: Esplora, litecoin: Litecoin, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_PAGES", 5)
    litecoin.pay(address, 5_000)
    litecoin.mine()
    page = esplora._history(address)[1]
    counts = {"tx_count": 10**6, "funded_txo_count": 1, "funded_txo_sum": 5_000}
    stats = {"chain_stats": counts, "mempool_stats": {**counts, "tx_count": 0}}
    esplora.spoil = lambda path, answer: (200, page if "/txs" in path else stats) if "/address/" in path else answer
    with pytest.raises(RailUnreachable, match="gave more than 5 pages of one address"):
        look(rail, address)


def test_the_password_of_a_server_is_sent_as_such(rail: Rail) -> None:
    site = client.Site("http://walter:open%20sesame@127.0.0.1:1/api/?key=abcdef")
    assert isinstance(site, Node) and site.host == "127.0.0.1:1"
    assert site._auth is not None and (site._auth.username, site._auth.password) == (b"walter", b"open sesame")
