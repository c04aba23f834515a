"""Sources that go down, lag, disagree, or are of another chain; the money stays right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.chains.esplora import Esplora
from tests.chains.litecoin import Litecoin, catalogue
from tests.chains.utxo_story import UtxoStory, installed, live_merchant, story

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
__all__ = ["installed", "story"]


def of(urls: list[str], node: Litecoin, folder: Path, settings: Any) -> UtxoStory:
    settings.NETWORKS_FILE = catalogue(folder, urls)
    return UtxoStory(live_merchant(), node)


def host(source: Esplora | Litecoin) -> str:
    return source.url.rpartition("@")[2].removeprefix("esplora+http://").removesuffix("/api")


def test_a_node_that_goes_down_and_comes_back_loses_nothing(story: UtxoStory) -> None:
    story.pay()
    story.blocks()
    story.node.stop()
    for _pass in range(2):
        story.look()
    assert (story.outcome(), story.fresh().pending_minor, story.cursor().failures) == ([("seen", 10_000)], 10_000, 2)
    assert story.cursor().error == f"{host(story.node)} refused the connection."
    story.node.start_again()
    assert story.blocks(2).status == "paid"
    assert (story.cursor().failures, story.cursor().error) == (0, "")


def test_when_the_node_goes_down_esplora_is_asked_within_the_same_pass(db: None, other_litecoin: Litecoin, settings: Any, tmp_path: Path) -> None:
    """The same chain by two ways; the one on which Esplora stands lives on."""
    facade = Esplora(other_litecoin)
    story = of([facade.url, other_litecoin.url], other_litecoin, tmp_path, settings)
    story.pay()
    story.blocks()
    assert story.cursor().source == host(facade)
    facade.close()
    assert story.blocks(2).status == "paid"
    assert (story.cursor().source, story.cursor().error, story.outcome()) == (host(other_litecoin), "", [("final", 10_000)])


@pytest.mark.parametrize("status", [429, 503])
def test_a_source_that_fails_in_the_middle_of_a_pass_leaves_nothing_half_done(
    db: None, litecoin: Litecoin, esplora: Esplora, settings: Any, tmp_path: Path, status: int
) -> None:
    story = of([esplora.url, litecoin.url], litecoin, tmp_path, settings)
    story.pay()
    story.blocks()
    esplora.spoil = lambda path, answer: (status, "busy") if "/address/" in path else answer
    assert story.blocks(2).status == "paid"
    assert (story.cursor().source, story.cursor().error) == (host(litecoin), "")


def test_a_backend_that_shows_an_empty_address_withdraws_nothing(
    db: None, litecoin: Litecoin, esplora: Esplora, settings: Any, tmp_path: Path
) -> None:
    """One of several servers behind a name, whose index has not come so far."""
    story = of([esplora.url], litecoin, tmp_path, settings)
    story.pay()
    story.blocks()
    nothing = {"tx_count": 0, "funded_txo_count": 0, "funded_txo_sum": 0}

    def empty(path: str, answer: Any) -> Any:
        if "/address/" not in path:
            return answer
        return 200, [] if "/txs" in path else {"chain_stats": nothing, "mempool_stats": nothing}

    esplora.spoil = empty
    assert (story.blocks(3).status, story.outcome(), story.kinds().count("payment.dropped")) == ("paid", [("final", 10_000)], 0)


def test_a_backend_that_is_some_blocks_behind_lowers_nothing(db: None, litecoin: Litecoin, esplora: Esplora, settings: Any, tmp_path: Path) -> None:
    story = of([esplora.url], litecoin, tmp_path, settings)
    story.pay()
    story.blocks(2)
    old = litecoin.rpc("getblockhash", litecoin.height - 1)
    esplora.spoil = lambda path, answer: (200, old) if path.endswith("/blocks/tip/hash") else answer
    height = story.cursor().height
    story.look()
    assert (story.outcome(), story.transfer().confirmations, story.cursor().height) == ([("seen", 10_000)], 2, height)
    esplora.spoil = lambda path, answer: answer
    assert story.blocks().status == "paid"


def test_two_backends_behind_one_name_of_which_one_is_ahead_take_nothing_back(
    db: None, litecoin: Litecoin, esplora: Esplora, settings: Any, tmp_path: Path
) -> None:
    """One tells the newest block; the other has one more, and in it the payment that waited."""
    story = of([esplora.url], litecoin, tmp_path, settings)
    story.pay()
    story.look()
    old = litecoin.rpc("getbestblockhash")
    story.mine()
    esplora.spoil = lambda path, answer: (200, old) if path.endswith("/blocks/tip/hash") else answer
    assert (story.look().pending_minor, story.outcome(), story.transfer().block_height) == (10_000, [("seen", 10_000)], None)
    esplora.spoil = lambda path, answer: answer
    assert (story.blocks(2).status, story.kinds().count("payment.dropped")) == ("paid", 0)


def test_what_a_lagging_backend_did_not_show_is_found_while_its_block_is_in_the_window(
    db: None, litecoin: Litecoin, esplora: Esplora, settings: Any, tmp_path: Path
) -> None:
    story = of([esplora.url], litecoin, tmp_path, settings)
    story.pay()
    nothing = {"tx_count": 0, "funded_txo_count": 0, "funded_txo_sum": 0}
    stats = {"chain_stats": nothing, "mempool_stats": nothing}
    esplora.spoil = lambda path, answer: (200, stats) if "/address/" in path else answer
    story.blocks(5)
    assert story.transfers() == []
    esplora.spoil = lambda path, answer: answer
    assert (story.look().status, story.outcome()) == ("paid", [("final", 10_000)])


def test_while_two_nodes_disagree_about_a_block_nothing_in_it_is_final(
    db: None, litecoin: Litecoin, other_litecoin: Litecoin, settings: Any, tmp_path: Path
) -> None:
    """The second node went its own way from block 131 on."""
    other_litecoin.mine(max(litecoin.height + 8 - other_litecoin.height, 0))
    story = of([litecoin.url, other_litecoin.url], litecoin, tmp_path, settings)
    story.pay()
    story.blocks(5)
    row = story.transfer()
    assert (story.invoice.status, row.status, row.confirmations, story.cursor().source) == ("open", "seen", 2, host(litecoin))
    assert story.cursor().error == f"Two nodes show different blocks at {row.block_height}; what is in them waits."
    other_litecoin.kill()
    assert (story.look().status, story.cursor().error) == ("paid", "")


def test_a_second_node_that_is_away_or_of_another_chain_holds_nothing_up(
    db: None, litecoin: Litecoin, esplora: Esplora, settings: Any, tmp_path: Path
) -> None:
    esplora.spoil = lambda path, answer: (200, "ab" * 32) if "/block-height/" in path else answer
    story = of([litecoin.url, esplora.url, "http://127.0.0.1:1"], litecoin, tmp_path, settings)
    story.pay()
    assert story.blocks(3).status == "paid"


def test_a_node_of_another_chain_is_never_read(db: None, litecoin: Litecoin, esplora: Esplora, settings: Any, tmp_path: Path) -> None:
    esplora.spoil = lambda path, answer: (200, "ab" * 32) if path.endswith("/block-height/0") else answer
    story = of([esplora.url], litecoin, tmp_path, settings)
    story.pay()
    story.blocks(3)
    assert (story.transfers(), story.cursor().height) == ([], -1)
    assert story.cursor().error == f"{host(esplora)} is a node of another chain: its first block is {'ab' * 16}."


@pytest.mark.parametrize(
    "output", [{"value": 10**10 + 0.5}, {"value": -(10**8)}, {"value": 2**63}, {"value": "100000000"}, {"scriptpubkey": ""}], ids=str
)
def test_a_hostile_server_credits_nothing(
    db: None, litecoin: Litecoin, esplora: Esplora, settings: Any, tmp_path: Path, output: dict[str, Any]
) -> None:
    story = of([esplora.url], litecoin, tmp_path, settings)
    story.pay(units=1_000)

    def spoil(path: str, answer: Any) -> Any:
        if not path.endswith("/txs"):
            return answer
        return 200, [{**row, "vout": [{**one, **output} for one in row["vout"]]} for row in answer[1]]

    esplora.spoil = spoil
    story.blocks(4)
    assert (story.invoice.credited_minor, story.invoice.pending_minor, story.transfers()) == (0, 0, [])
