"""What the EVM rail asks of its nodes, and what it makes of hostile, late and broken ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from payments.rails import RailUnreachable, Sighting, evm_chain, rail_for
from payments.rails import evm_format as fmt
from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.chains.facade import Bend, Denied, Facade
from tests.payments.rails.anvil_chain import EvmChain, behind, seen

pytestmark = pytest.mark.chain


@pytest.fixture
def chain(anvil: Anvil, settings: Any, tmp_path: Path) -> EvmChain:
    evm.install(settings, tmp_path, evm.network_row(anvil))
    return EvmChain(anvil, evm.NETWORK)


# --- windows and costs ------------------------------------------------------------------------------------------


def test_a_window_in_which_nothing_moved_costs_two_calls(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    with Facade(anvil.url) as facade:
        chain = behind(anvil, facade, settings, tmp_path)
        address = chain.rail.address(key=chain.keys[0], index=0)
        anvil.pay(address, 5, token=anvil.usdt)
        anvil.pay(address, 5)
        anvil.mine(3)
        head = chain.rail.head()
        again = lambda: chain.rail.scan({address}, first=head.height - 8, last=head.height)
        assert len(again()) == 2
        assert facade.counted(again) == {"eth_getBlockByNumber": 1, "eth_getLogs": 1}
        assert facade.counted(lambda: chain.rail.blocks(head.height - 8, head.height)) == {"eth_getBlockByNumber": 1}
        anvil.mine()
        costs = facade.counted(lambda: chain.rail.scan({address}, first=head.height - 7, last=head.height + 1))
        assert costs == {"eth_getBlockByNumber": 1, "eth_getBlockByHash": 1, "eth_getLogs": 1}


@pytest.mark.parametrize(("count", "calls"), [(1, 1), (500, 1), (501, 2), (2000, 4), (10_000, 20), (10_001, 1)])
def test_one_call_asks_for_five_hundred_addresses_and_many_are_compared_here(
    anvil: Anvil, settings: Any, tmp_path: Path, count: int, calls: int
) -> None:
    with Facade(anvil.url) as facade:
        chain = behind(anvil, facade, settings, tmp_path, native="balances")
        address = chain.rail.address(key=chain.keys[0], index=0)
        many = {address, *(f"0x{number:040x}" for number in range(10**30, 10**30 + count - 1))}
        anvil.pay(address, 5, token=anvil.usdt)
        anvil.pay(anvil.accounts[2], 5, token=anvil.usdt)
        anvil.mine()
        found: list[Sighting] = []
        costs = facade.counted(lambda: found.extend(chain.rail.scan(many, first=9, last=9)))
        assert (costs["eth_getLogs"], [one.units for one in found]) == (calls, [5])


def test_a_node_that_refuses_wide_windows_is_asked_for_narrow_ones(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    asked: list[int] = []

    def five_at_most(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getLogs":
            asked.append(int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) + 1)
            if asked[-1] > 5:
                raise Denied("query exceeds the maximum of 5 blocks")
        return result

    with Facade(anvil.url, five_at_most) as facade:
        chain = behind(anvil, facade, settings, tmp_path, max_range=40)
        address = chain.rail.address(key=chain.keys[0], index=0)
        for _block in range(3):
            anvil.pay(address, 5, token=anvil.usdt)
            anvil.mine(10)
        assert len(seen(chain, address)) == 3
        assert asked[:4] == [39, 19, 9, 4]
        assert max(asked[4:]) <= 10
        facade.bend = lambda method, params, result: (
            asked.append(int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) + 1) or result if method == "eth_getLogs" else result
        )
        seen(chain, address)
        seen(chain, address)
        assert asked[-1] == 39


def test_a_node_that_refuses_one_block_is_left(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    def none(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getLogs":
            raise Denied("the method eth_getLogs is not available")
        return result

    with Facade(anvil.url, none) as facade:
        evm.install(settings, tmp_path, evm.network_row(anvil, urls=(facade.url, anvil.url)))
        chain = EvmChain(anvil, evm.NETWORK)
        address = chain.rail.address(key=chain.keys[0], index=0)
        anvil.pay(address, 5, token=anvil.usdt)
        anvil.mine()
        with pytest.raises(RailUnreachable, match="not available"):
            seen(chain, address)
        assert len(seen(chain, address)) == 1


def test_catching_up_from_far_behind_reads_only_its_own_blocks(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    with Facade(anvil.url) as facade:
        chain = behind(anvil, facade, settings, tmp_path)
        address = chain.rail.address(key=chain.keys[0], index=0)
        anvil.pay(address, 5, token=anvil.usdt)
        anvil.mine(100)
        chain.rail.head()
        found: list[Sighting] = []
        costs = facade.counted(lambda: found.extend(chain.rail.scan({address}, first=5, last=14)))
        assert ([one.units for one in found], costs["eth_getBlockByNumber"]) == ([5], 11)


# --- lies, lags, and several nodes ------------------------------------------------------------------------------
def bent(only: str, change: Callable[[Any], Any]) -> Bend:
    return lambda method, params, result: change(result) if method == only else result


def paid_behind(anvil: Anvil, facade: Facade, settings: Any, folder: Path) -> tuple[EvmChain, str]:
    """A token payment in the last block, and the chain as `facade` shows it."""
    chain = behind(anvil, facade, settings, folder)
    address = chain.rail.address(key=chain.keys[0], index=0)
    anvil.pay(address, 5, token=anvil.usdt)
    anvil.mine()
    return chain, address


def of_first(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Any], Any]:
    return lambda rows: [change(row) for row in rows]


@pytest.mark.parametrize(
    ("method", "change"),
    [
        ("eth_getTransactionReceipt", lambda result: None),
        ("eth_getTransactionReceipt", lambda result: {**result, "status": "0x0"}),
        ("eth_getTransactionReceipt", lambda result: {**result, "logs": []}),
        ("eth_getTransactionReceipt", lambda result: {**result, "blockHash": "0x" + "ab" * 32}),
        ("eth_getTransactionReceipt", lambda result: {**result, "logs": [{**result["logs"][0], "data": "0x" + "0" * 63 + "4"}]}),
        ("eth_getTransactionReceipt", lambda result: {**result, "logs": [{**result["logs"][0], "transactionHash": "0x" + "ab" * 32}]}),
        ("eth_getLogs", of_first(lambda row: {**row, "removed": True})),
        ("eth_getLogs", of_first(lambda row: {**row, "data": "0x" + "f" * 64})),
        ("eth_getLogs", of_first(lambda row: {**row, "logIndex": "0x7"})),
        ("eth_getLogs", of_first(lambda row: {**row, "address": "0x" + "ab" * 20})),
        ("eth_getLogs", of_first(lambda row: {**row, "topics": [*row["topics"][:2], fmt.padded("0x" + "ab" * 20)]})),
        ("eth_getLogs", of_first(lambda row: {**row, "blockNumber": "0xffff"})),
        ("eth_getLogs", lambda result: []),
    ],
)
def test_a_log_that_its_receipt_does_not_bear_out_is_nothing(
    anvil: Anvil, settings: Any, tmp_path: Path, method: str, change: Callable[[Any], Any]
) -> None:
    with Facade(anvil.url) as facade:
        chain, address = paid_behind(anvil, facade, settings, tmp_path)
        facade.bend = bent(method, change)
        assert seen(chain, address) == []
        facade.bend = None
        assert [one.units for one in seen(chain, address)] == [5]


def test_a_log_told_twice_is_one(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    with Facade(anvil.url, bent("eth_getLogs", lambda rows: rows * 2)) as facade:
        chain, address = paid_behind(anvil, facade, settings, tmp_path)
        assert len(seen(chain, address)) == 1


@pytest.mark.parametrize(
    "change", [lambda result: None, lambda result: {**result, "status": "0x0"}, lambda result: {**result, "blockHash": "0x" + "ab" * 32}]
)
def test_coin_that_its_receipt_does_not_bear_out_is_nothing_yet(anvil: Anvil, settings: Any, tmp_path: Path, change: Callable[[Any], Any]) -> None:
    with Facade(anvil.url, bent("eth_getTransactionReceipt", change)) as facade:
        chain = behind(anvil, facade, settings, tmp_path)
        address = chain.rail.address(key=chain.keys[0], index=0)
        txid = anvil.pay(address, 5)
        anvil.mine()
        assert (seen(chain, address), chain.rail.in_transaction(txid, {address})) == ([], [])
        facade.bend = None
        assert [one.units for one in seen(chain, address)] == [5]


def test_a_block_that_stands_at_another_height_than_asked_for_is_no_chain(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    with Facade(anvil.url) as facade:
        chain, address = paid_behind(anvil, facade, settings, tmp_path)
        anvil.mine(3)
        facade.bend = lambda method, params, result: {**result, "number": "0x5"} if params[:1] == ["0x9"] else result
        with pytest.raises(RailUnreachable, match="another chain in the middle"):
            chain.rail.scan({address}, first=3, last=12)


def test_a_node_that_spoke_nonsense_once_is_read_when_it_speaks_sense(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    with Facade(anvil.url) as facade:
        chain, address = paid_behind(anvil, facade, settings, tmp_path)
        facade.bend = bent("eth_getBlockByNumber", lambda result: {**result, "parentHash": "0x" + "ab" * 32})
        with pytest.raises(RailUnreachable, match="another chain in the middle"):
            seen(chain, address)
        facade.bend = None
        assert [one.units for one in seen(chain, address)] == [5]


@pytest.mark.parametrize(
    ("method", "change"),
    [
        ("eth_getLogs", lambda result: None),
        ("eth_getLogs", lambda result: [7]),
        ("eth_getLogs", of_first(lambda row: {**row, "blockHash": "0x" + "ab" * 32})),
        ("eth_getLogs", of_first(lambda row: {**row, "logIndex": None})),
        ("eth_getLogs", of_first(lambda row: {**row, "topics": "x"})),
        ("eth_getLogs", of_first(lambda row: {**row, "address": "0x12"})),
        ("eth_getTransactionReceipt", lambda result: "0x"),
        ("eth_getTransactionReceipt", lambda result: {**result, "blockNumber": "latest"}),
        ("eth_getBlockByHash", lambda result: None),
        ("eth_getBlockByHash", lambda result: {**result, "hash": "0x" + "ab" * 32}),
        ("eth_getBlockByHash", lambda result: {**result, "transactions": None}),
        ("eth_getBlockByHash", lambda result: {**result, "transactions": ["0x" + "ab" * 32]}),
        ("eth_getBlockByNumber", lambda result: {**result, "timestamp": "0x" + "f" * 60}),
        ("eth_getBlockByNumber", lambda result: {**result, "hash": "0x12"}),
        ("eth_getBlockByNumber", lambda result: {**result, "parentHash": "0x" + "ab" * 32}),
        ("eth_getBlockByNumber", lambda result: {**result, "number": 7}),
        ("eth_getBlockByNumber", lambda result: {**result, "number": "0x1"}),
        ("eth_chainId", lambda result: 31337),
        ("eth_chainId", lambda result: "0x1"),
    ],
)
def test_a_node_that_talks_nonsense_is_left_for_the_next(
    anvil: Anvil, settings: Any, tmp_path: Path, method: str, change: Callable[[Any], Any]
) -> None:
    with Facade(anvil.url) as facade:
        evm.install(settings, tmp_path, evm.network_row(anvil, urls=(facade.url, anvil.url)))
        chain = EvmChain(anvil, evm.NETWORK)
        address = chain.rail.address(key=chain.keys[0], index=0)
        anvil.pay(address, 5, token=anvil.usdt)
        anvil.pay(address, 6)
        anvil.mine(2)
        facade.bend = bent(method, change)
        try:
            found = seen(chain, address)
        except RailUnreachable as error:
            assert str(error).startswith("127.0.0.1:")
            found = seen(chain, address)
        assert (sorted(one.units for one in found), chain.rail.source()) == ([5, 6], f"127.0.0.1:{anvil.port}")


@pytest.mark.parametrize("odd", [{"value": None}, {"value": "x"}, {"value": 5}, {"hash": None}, {"hash": "0x12"}])
def test_a_payment_that_cannot_be_read_stops_us_only_where_it_is_ours(anvil: Anvil, settings: Any, tmp_path: Path, odd: dict[str, Any]) -> None:
    def strange(to: str) -> Bend:
        def change(block: dict[str, Any]) -> dict[str, Any]:
            return {**block, "transactions": [{**row, **odd} if row["to"] == to.lower() else row for row in block["transactions"]]}

        return bent("eth_getBlockByHash", change)

    with Facade(anvil.url) as facade:
        chain = behind(anvil, facade, settings, tmp_path)
        ours, somebodys = (chain.rail.address(key=chain.keys[0], index=index) for index in (0, 1))
        anvil.pay(somebodys, 5)
        anvil.pay(ours, 6)
        anvil.mine()
        facade.bend = strange(somebodys)
        assert [one.units for one in seen(chain, ours)] == [6]
        with pytest.raises(RailUnreachable, match=r"gave a (number|hash) that is none"):
            seen(chain, somebodys)
        facade.bend = None
        assert [one.units for one in seen(chain, somebodys)] == [5]


SOMEBODY, OTHER, NAME = "0x" + "11" * 20, "0x" + "22" * 20, "0x" + "ab" * 32


@pytest.mark.parametrize(
    ("row", "units"),
    [
        ({"value": "0x5"}, [5]),
        ({"value": "0x5", "to": OTHER.upper().replace("X", "x")}, [5]),
        ({"value": "0x10", "type": "0x3", "blobVersionedHashes": [NAME]}, [16]),
        ({"value": "0x5", "type": "0x7e", "mint": "0x7", "sourceHash": NAME}, [5]),
        ({"value": "0x0", "type": "0x7e", "mint": "0x7"}, []),
        ({"value": "0x"}, []),
        ({}, []),
        ({"value": "0x5", "to": None}, []),
        ({"value": "0x5", "to": ""}, []),
        ({"value": "0x5", "to": 7}, []),
        ({"value": "0x5", "to": SOMEBODY}, []),
    ],
)
def test_what_a_transaction_sends_whatever_its_kind(row: dict[str, Any], units: list[int]) -> None:
    block = {"transactions": [{"hash": NAME, "from": SOMEBODY, "to": OTHER, **row}]}
    assert [one.units for one in fmt.payments_to({SOMEBODY, OTHER}, fmt.sent(block))] == units


def test_a_node_that_goes_down_in_the_middle_is_told_and_the_next_one_asked(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    with Facade(anvil.url) as facade:
        evm.install(settings, tmp_path, evm.network_row(anvil, urls=(facade.url, anvil.url)))
        chain = EvmChain(anvil, evm.NETWORK)
        head = chain.rail.head()
        assert chain.rail.source() == facade.url.removeprefix("http://")
        facade.is_down = True
        with pytest.raises(RailUnreachable, match="broke off"):
            chain.rail.blocks(0, head.height)
        assert (chain.rail.head(), chain.rail.source()) == (head, f"127.0.0.1:{anvil.port}")


def test_a_node_of_another_chain_is_not_read_and_is_remarked_on(anvil: Anvil, other_anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    evm.install(settings, tmp_path, evm.network_row(anvil, urls=(other_anvil.url, anvil.url)))
    chain = EvmChain(anvil, evm.NETWORK)
    chain.rail.head()
    assert chain.rail.source() == f"127.0.0.1:{anvil.port}"
    found = chain.rail.check()
    assert (found.chain, found.remarks) == ("31337", (f"127.0.0.1:{other_anvil.port} serves chain 31338, and not 31337.",))


def test_a_look_at_the_network_tells_what_is_wrong_with_its_nodes_and_tokens(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    row = evm.network_row(anvil)
    _eth, usdt, dai, fee, moody = row["asset"]
    usdt["contract_symbol"] = "USDT0"
    dai["decimals"] = 6
    fee["id"] = f"{evm.NETWORK}/erc20:{anvil.accounts[0]}"
    moody |= {"symbol": "MOODY", "contract_symbol": "MOOD"}
    with Facade(anvil.url) as down:
        down.is_down = True
        evm.install(settings, tmp_path, {**row, "urls": (anvil.url, down.url)})
        found = rail_for(evm.NETWORK).check()
    assert found.remarks == (
        f"{down.url.removeprefix('http://')} broke off the connection.",
        f"{anvil.usdt} calls itself USDT with 6 decimals; the catalogue says USDT0 with 6.",
        f"{anvil.dai} calls itself DAI with 18 decimals; the catalogue says DAI with 6.",
        f"{anvil.accounts[0]} is no token here; the catalogue calls it FEE.",
    )


def test_a_network_without_a_node_says_so(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    evm.install(settings, tmp_path, {**evm.network_row(anvil), "urls": ()})
    with pytest.raises(RailUnreachable, match="No node is configured"):
        rail_for(evm.NETWORK).check()


def test_another_node_disputes_a_block_that_it_has_otherwise(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    anvil.mine(3)
    with Facade(anvil.url) as other:
        evm.install(settings, tmp_path, evm.network_row(anvil, urls=(anvil.url, other.url)))
        rail = rail_for(evm.NETWORK)
        blocks = {block.height: block.hash for block in rail.blocks(8, 11)}
        assert rail.disputed(blocks) == set()

        def otherwise(method: str, params: list[Any], result: Any) -> Any:
            if method != "eth_getBlockByNumber" or int(params[0], 16) < 10:
                return result
            return {**result, "hash": "0x" + "ab" * 32} if params[0] == hex(10) else None  # and lags behind

        other.bend = otherwise
        assert rail.disputed(blocks) == {10}
        elsewhere = {"eth_chainId": "0x1"}
        other.bend = lambda method, params, result: elsewhere.get(method) or otherwise(method, params, result)
        assert rail.disputed(blocks) == set()


def test_another_node_that_is_away_disputes_nothing_and_is_not_asked_again_at_once(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    with Facade(anvil.url) as other:
        evm.install(settings, tmp_path, evm.network_row(anvil, urls=(anvil.url, other.url)))
        rail = rail_for(evm.NETWORK)
        blocks = {block.height: block.hash for block in rail.blocks(0, 3)}
        other.is_down = True
        assert rail.disputed(blocks) == set()
        other.is_down = False
        assert other.counted(lambda: rail.disputed(blocks)) == {}


def test_what_the_network_calls_final_comes_from_its_tag(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    evm.install(settings, tmp_path, evm.network_row(anvil, finality="finalized"))
    anvil.mine(20)
    final = rail_for(evm.NETWORK).final_height()
    assert (final, rail_for(evm.NETWORK).head().height) == (20, 28)
    evm.install(settings, tmp_path, evm.network_row(anvil))
    assert rail_for(evm.NETWORK).final_height() is None


def test_a_node_that_knows_no_final_block_is_left_rather_than_believed(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    def unknown(method: str, params: list[Any], result: Any) -> Any:
        if params[:1] == ["finalized"]:
            raise Denied("unknown block")
        return result

    with Facade(anvil.url, unknown) as facade:
        rail = behind(anvil, facade, settings, tmp_path, finality="finalized").rail
        with pytest.raises(RailUnreachable, match="unknown block"):
            rail.final_height()
        facade.bend = lambda method, params, result: None if params[:1] == ["finalized"] else result
        assert rail.final_height() == -1


def test_a_backend_that_lags_shows_less_but_nothing_wrong(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    with Facade(anvil.url) as facade:
        chain, address = paid_behind(anvil, facade, settings, tmp_path)
        head = chain.rail.head()
        old = anvil.rpc("eth_getBlockByNumber", hex(head.height - 1), False)
        facade.bend = lambda method, params, result: old if params[:1] == ["latest"] else result
        assert chain.rail.head().height == head.height - 1
        assert [block.height for block in chain.rail.blocks(head.height - 2, head.height)] == [head.height - 2, head.height - 1]
        assert chain.rail.scan({address}, first=0, last=head.height) == []


def test_threads_share_a_rail(chain: EvmChain, anvil: Anvil) -> None:
    many = [chain.rail.address(key=chain.keys[0], index=index) for index in range(8)]
    for number, address in enumerate(many):
        anvil.pay(address, number + 1, token=anvil.usdt)
    anvil.mine(30)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda address: [one.units for one in seen(chain, address)], many))
    assert found == [[number + 1] for number in range(8)]


def test_a_node_that_stands_still_while_another_goes_on_is_left(anvil: Anvil, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Facade(anvil.url) as stuck, Facade(anvil.url) as other:
        evm.install(settings, tmp_path, evm.network_row(anvil, urls=(stuck.url, other.url)))
        rail = rail_for(evm.NETWORK)
        head = rail.head()
        old = anvil.rpc("eth_getBlockByNumber", "latest", False)
        stuck.bend = lambda method, params, result: old if params[:1] == ["latest"] else result
        later = time.monotonic() + evm_chain.PATIENCE + 1
        monkeypatch.setattr(time, "monotonic", lambda: later)
        assert (rail.head(), rail.source()) == (head, stuck.url.removeprefix("http://"))  # the other is no further
        anvil.mine()
        assert (rail.head().height, rail.source()) == (head.height + 1, other.url.removeprefix("http://"))


def test_a_node_far_behind_is_remarked_on(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    with Facade(anvil.url) as old:
        evm.install(settings, tmp_path, evm.network_row(anvil, urls=(anvil.url, old.url)))
        then = anvil.rpc("eth_getBlockByNumber", "latest", False)
        old.bend = lambda method, params, result: then if params[:1] == ["latest"] else result
        anvil.mine(13)
        assert rail_for(evm.NETWORK).check().remarks == (f"{old.url.removeprefix('http://')} is 13 blocks behind.",)


@pytest.mark.parametrize(
    "trace", [None, [], {"calls": 7}, {"calls": [{"type": "CALL", "value": "x"}]}, {"calls": [{"type": "CALL", "value": "0x1", "to": 5}]}]
)
def test_a_trace_that_is_none_shows_nothing_and_costs_the_node_nothing(anvil: Anvil, settings: Any, tmp_path: Path, trace: Any) -> None:
    with Facade(anvil.url, bent("debug_traceTransaction", lambda result: trace)) as facade:
        chain = behind(anvil, facade, settings, tmp_path)
        address = chain.rail.address(key=chain.keys[0], index=0)
        txid = anvil.do(anvil.purse, "pay(address,uint256)", address, 5)
        own = anvil.pay(address, 6)
        anvil.mine()
        assert chain.rail.in_transaction(txid, {address}) == []
        assert [one.units for one in chain.rail.in_transaction(own, {address})] == [6]
        assert chain.rail.chain.client.others == []
        assert chain.rail.source() == facade.url.removeprefix("http://")


def test_a_node_that_does_not_trace_shows_what_the_transaction_itself_says(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    def untraced(method: str, params: list[Any], result: Any) -> Any:
        if method == "debug_traceTransaction":
            raise Denied("the method debug_traceTransaction does not exist/is not available")
        return result

    with Facade(anvil.url, untraced) as facade:
        chain = behind(anvil, facade, settings, tmp_path)
        address = chain.rail.address(key=chain.keys[0], index=0)
        inner, own = anvil.do(anvil.purse, "pay(address,uint256)", address, 5), anvil.pay(address, 6)
        anvil.mine()
        assert chain.rail.in_transaction(inner, {address}) == []
        assert [one.units for one in chain.rail.in_transaction(own, {address})] == [6]


def test_places_of_inner_calls_count_every_call_also_those_that_were_undone() -> None:
    def call(to: str, units: int, *calls: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"type": "CALL", "from": "0x" + "11" * 20, "to": "0x" + to * 20, "value": hex(units), "calls": list(calls), **more}

    trace = call(
        "22",
        9,
        call("33", 1, call("44", 2), error="execution reverted"),
        call("55", 3, call("66", 4, type="DELEGATECALL"), call("77", 5, type="STATICCALL"), call("88", 6)),
        call("99", 0),
        call("aa", 7, type="SELFDESTRUCT"),
        call("11", 8),
    )
    assert [(place, to[2:4], units) for place, to, units in fmt.inner_payments(trace)] == [(3, "55", 3), (6, "88", 6), (8, "aa", 7)]
    assert fmt.inner_payments({**trace, "error": "out of gas"}) == []


@pytest.mark.parametrize(
    ("returned", "symbol"),
    [
        ("0x" + f"{32:064x}{4:064x}" + b"USDT".hex().ljust(64, "0"), "USDT"),
        ("0x" + b"MKR".hex().ljust(64, "0"), "MKR"),
        ("0x" + f"{32:064x}{7:064x}" + "USD₮0".encode().hex().ljust(64, "0"), "USD₮0"),
        ("0x", ""),
        (None, ""),
        ("0xzz", ""),
        ("0x" + f"{2**255:064x}{4:064x}", ""),
        ("0x" + f"{32:064x}{2**255:064x}" + b"A".hex() * 4000, "A" * 40),
        ("0x" + f"{32:064x}{4:064x}" + "ff00ff0a".ljust(64, "0"), "��"),
    ],
)
def test_a_symbol_is_read_however_the_contract_gives_it(returned: Any, symbol: str) -> None:
    assert fmt.text(returned) == symbol
