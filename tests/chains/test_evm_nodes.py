"""Nodes that go down, lag, disagree, or are of another chain; the money stays right."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from payments.rails import rail_for
from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.chains.evm_story import DOLLARS, EvmStory, live_merchant
from tests.chains.facade import Facade

pytestmark = [pytest.mark.chain, pytest.mark.django_db]


@dataclasses.dataclass
class World:
    story: EvmStory
    first: Facade
    second: Facade


@pytest.fixture
def world(db: None, anvil: Anvil, settings: Any, tmp_path: Path) -> Iterator[World]:
    """Two nodes of one chain, each of which can misbehave."""
    with Facade(anvil.url) as first, Facade(anvil.url) as second:
        evm.install(settings, tmp_path, evm.network_row(anvil, urls=(first.url, second.url)))
        yield World(EvmStory(live_merchant(), anvil), first, second)


def host(facade: Facade) -> str:
    return facade.url.removeprefix("http://")


def test_a_node_that_goes_down_is_replaced_by_the_other_within_the_pass(world: World) -> None:
    world.story.pay()
    world.story.blocks()
    assert world.story.cursor().source == host(world.first)
    world.first.is_down = True
    assert world.story.blocks(2).status == "paid"
    assert (world.story.cursor().source, world.story.cursor().error) == (host(world.second), "")


def test_with_all_nodes_down_nothing_is_lost_and_the_network_says_so(world: World) -> None:
    story = world.story
    address = story.address()
    story.pay()
    story.blocks()
    world.first.is_down = world.second.is_down = True
    story.blocks(2)
    cursor = story.cursor()
    assert (story.outcome(), story.invoice.pending_minor, cursor.failures) == ([("seen", 10_000)], 10_000, 2)
    assert cursor.error.startswith("127.0.0.1:") and "http" not in cursor.error
    assert cursor.retry_at > story.now
    story.anvil.pay(address, 5 * 10**18, token=story.anvil.dai)
    world.first.is_down = world.second.is_down = False
    assert (story.blocks(3).status, story.cursor().failures, story.cursor().error) == ("paid", 0, "")
    assert len(story.transfers()) == 2


def test_a_node_that_goes_down_in_the_middle_of_a_pass_changes_nothing_by_half(world: World) -> None:
    story = world.story
    story.pay()

    def down_at_logs(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getLogs":
            world.first.is_down = True
            return "nonsense"
        return result

    world.first.bend = down_at_logs
    assert (story.blocks().pending_minor, story.cursor().source) == (10_000, host(world.second))


def test_a_backend_that_answers_nothing_withdraws_nothing(world: World) -> None:
    story = world.story
    story.pay()
    story.pay("ETH", units=10**15)
    story.blocks()
    before = story.outcome()
    world.first.bend = lambda method, params, result: {"eth_getLogs": [], "eth_getTransactionReceipt": None}.get(method, result)
    story.blocks(2)
    assert [status for status, _credit in before] == ["seen", "seen"]
    assert story.outcome() == [("final", credit) for _status, credit in before]
    assert "payment.dropped" not in story.kinds()


def test_a_payment_that_a_lagging_backend_did_not_show_is_found_while_its_block_is_in_the_window(world: World) -> None:
    story = world.story
    story.pay()
    world.first.bend = lambda method, params, result: [] if method == "eth_getLogs" else result
    story.blocks(5)
    assert story.transfers() == []
    world.first.bend = None
    assert (story.look().status, story.outcome()) == ("paid", [("final", 10_000)])


def test_a_log_without_a_receipt_is_nothing_until_there_is_one(world: World) -> None:
    story = world.story
    story.pay()
    world.first.bend = lambda method, params, result: None if method == "eth_getTransactionReceipt" else result
    assert story.blocks(2).pending_minor == 0
    world.first.bend = None
    assert story.look().pending_minor == 10_000


def test_a_node_that_falls_behind_lowers_nothing(world: World) -> None:
    story = world.story
    story.pay()
    story.blocks(2)
    old = story.anvil.rpc("eth_getBlockByNumber", hex(story.anvil.height - 1), False)
    world.first.bend = lambda method, params, result: old if params[:1] == ["latest"] else result
    height = story.cursor().height
    story.look()
    assert (story.outcome(), story.transfer().confirmations, story.cursor().height) == ([("seen", 10_000)], 2, height)
    world.first.bend = None
    assert story.blocks().status == "paid"


def test_while_two_nodes_disagree_about_a_block_nothing_in_it_is_final(world: World) -> None:
    story = world.story
    story.pay()
    story.blocks()
    height = story.transfer().block_height
    another = {"hash": "0x" + "ab" * 32}
    world.second.bend = lambda method, params, result: {**result, **another} if params[:1] == [hex(height)] else result
    story.blocks(5)
    assert (story.invoice.status, story.outcome(), story.transfer().confirmations) == ("open", [("seen", 10_000)], 2)
    assert f"different blocks at {height}" in story.cursor().error
    world.second.bend = None
    assert (story.look().status, story.cursor().error) == ("paid", "")


def test_a_second_node_that_is_away_or_of_another_chain_holds_nothing_up(world: World) -> None:
    world.second.is_down = True
    world.story.pay()
    assert world.story.blocks(3).status == "paid"


def test_a_node_of_another_chain_is_never_read(db: None, anvil: Anvil, other_anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    """The other chain has the same contracts at the same addresses, and a payment to the same address."""
    evm.install(settings, tmp_path, evm.network_row(anvil, urls=(other_anvil.url, anvil.url)))
    story = EvmStory(live_merchant(), anvil)
    quote = story.quote()
    other_anvil.pay(quote.receive_address.address, quote.amount_units, token=other_anvil.usdt)
    other_anvil.mine(3, at=story.now + timedelta(minutes=1))
    story.blocks(3)
    assert (story.transfers(), story.cursor().source) == ([], f"127.0.0.1:{anvil.port}")
    story.pay(quote=quote)
    assert story.blocks(3).status == "paid"


def test_with_only_a_node_of_another_chain_nothing_is_read(db: None, anvil: Anvil, other_anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    evm.install(settings, tmp_path, evm.network_row(anvil, urls=(other_anvil.url,)))
    story = EvmStory(live_merchant(), anvil)
    story.blocks()
    assert (story.cursor().height, story.cursor().error) == (-1, f"127.0.0.1:{other_anvil.port} serves chain 31338, and not 31337.")


def test_a_rail_that_lies_about_one_token_credits_only_what_receipts_bear_out(world: World) -> None:
    story = world.story
    story.pay(units=10**6)

    def a_hundredfold(method: str, params: list[Any], result: Any) -> Any:
        return [{**row, "data": "0x" + f"{DOLLARS:064x}"} for row in result] if method == "eth_getLogs" else result

    world.first.bend = a_hundredfold
    assert story.blocks(3).credited_minor == 0
    world.first.bend = None
    assert (story.look().credited_minor, story.transfer().amount_units) == (91, 10**6)


def test_a_pass_over_a_still_window_costs_few_calls(world: World) -> None:
    story = world.story
    story.pay()
    story.blocks(4)
    world.first.calls.clear()
    story.look()
    assert (world.first.calls["eth_getLogs"], world.first.calls["eth_getBlockByHash"]) == (1, 0)
    assert sum(world.first.calls.values()) <= 8
    assert rail_for(evm.NETWORK).source() == host(world.first)
