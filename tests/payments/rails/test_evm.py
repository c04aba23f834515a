"""The EVM rail against anvil: held to the contract, and to what a hostile or broken node can say."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from merchants import assets
from merchants.assets import Asset
from payments.rails import BadAddress, RailUnreachable, Sighting, evm_chain, rail_for
from payments.rails import evm_format as fmt
from payments.rails.evm_chain import UNFILTERED_FROM
from payments.rails.jsonrpc import RpcError
from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.chains.facade import Bend, Denied, Facade
from tests.payments.rails.contract import RailContract

pytestmark = pytest.mark.chain


class EvmChain:
    def __init__(self, anvil: Anvil, network: str) -> None:
        self.anvil, self.rail = anvil, rail_for(network)
        self.assets = [asset for asset in assets.catalogue().assets.values() if asset.symbol in ("ETH", "USDT", "DAI")]
        self.keys = (f"evm:{evm.XPUBS[0]}", f"evm:{evm.XPUBS[1]}")

    def pay(self, address: str, asset: Asset, units: int) -> str:
        return self.anvil.pay(address, units, token=asset.contract)

    def mine(self, blocks: int = 1) -> None:
        self.anvil.mine(blocks)

    def reorg(self, depth: int, *, drop: list[str]) -> None:
        self.anvil.reorg(depth, drop=drop)


@pytest.fixture
def chain(anvil: Anvil, settings: Any, tmp_path: Path) -> EvmChain:
    evm.install(settings, tmp_path, evm.network_row(anvil))
    return EvmChain(anvil, evm.NETWORK)


class TestEvmRail(RailContract):
    @pytest.fixture
    def chain(self, chain: EvmChain) -> EvmChain:
        return chain


# --- addresses, links, browser wallets --------------------------------------------------------------------------
EIP_55 = (
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
)


@pytest.mark.parametrize("address", EIP_55)
def test_an_address_in_small_or_capital_letters_gets_its_checksum(chain: EvmChain, address: str) -> None:
    for typed in (address, address.lower(), "0x" + address[2:].upper(), f"  {address}\n"):
        assert chain.rail.normal(typed) == address


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (EIP_55[0][:-1] + "D", "letter of this address is wrong"),
        (EIP_55[0].replace("A", "a", 1), "letter of this address is wrong"),
        ("0x" + "0" * 40, "belongs to nobody"),
        (EIP_55[0][2:], "no address of Anvil 31337"),
        ("0X" + EIP_55[0][2:], "no address of Anvil 31337"),
        ("0x" + "g" * 40, "no address of Anvil 31337"),
        ("ines.eth", "no address of Anvil 31337"),
        ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "no address of Anvil 31337"),
    ],
)
def test_what_is_no_wallet_is_refused_with_the_reason(chain: EvmChain, typed: str, why: str) -> None:
    with pytest.raises(BadAddress, match=why):
        chain.rail.normal(typed)


def test_the_contract_of_a_token_is_no_address_to_receive_at(chain: EvmChain, anvil: Anvil) -> None:
    with pytest.raises(BadAddress, match="contract of USDT on Anvil 31337"):
        chain.rail.normal(anvil.usdt)
    assert chain.rail.normal(anvil.fake).lower() == anvil.fake  # not in the catalogue: nothing is known of it


def test_a_link_holds_amount_and_chain_for_the_coin_and_only_the_address_for_a_token(chain: EvmChain) -> None:
    address = chain.rail.address(key=chain.keys[0], index=0)
    coin, token = chain.assets[:2]
    assert chain.rail.payment_uri(coin, address=address, units=12 * 10**17) == f"ethereum:{address}@31337?value=1200000000000000000"
    assert chain.rail.payment_uri(token, address=address, units=5) == address


def test_a_browser_wallet_is_asked_for_exactly_the_transfer(chain: EvmChain, anvil: Anvil) -> None:
    address = chain.rail.address(key=chain.keys[0], index=0)
    coin, token = chain.assets[:2]
    call = chain.rail.wallet_call(coin, address=address, units=255)
    assert call == {
        "chainId": "0x7a69",
        "add": {
            "chainId": "0x7a69",
            "chainName": "Anvil 31337",
            "nativeCurrency": {"name": "ETH", "symbol": "ETH", "decimals": 18},
            "rpcUrls": ["https://public.example/rpc"],
            "blockExplorerUrls": ["https://explorer.example"],
        },
        "transaction": {"to": address, "value": "0xff", "data": "0x"},
    }
    sent = chain.rail.wallet_call(token, address=address, units=2**256 - 1)["transaction"]
    assert sent == {"to": token.contract, "value": "0x0", "data": "0xa9059cbb" + "0" * 24 + address[2:].lower() + "f" * 64}


def test_what_a_browser_wallet_sends_is_what_the_rail_finds(chain: EvmChain, anvil: Anvil) -> None:
    address = chain.rail.address(key=chain.keys[0], index=0)
    for asset in chain.assets:
        sent = chain.rail.wallet_call(asset, address=address, units=7)["transaction"]
        anvil.send(sent["to"], int(sent["value"], 16), sent["data"])
    anvil.mine()
    assert {(found.asset_id, found.units) for found in seen(chain, address)} == {(asset.id, 7) for asset in chain.assets}


def test_a_node_of_the_operator_is_never_given_to_a_payers_wallet(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    evm.install(settings, tmp_path, evm.network_row(anvil, urls=("https://user:secret@own.example/key",), wallet_url=""))
    call = EvmChain(anvil, evm.NETWORK).rail.wallet_call(assets.asset(evm.ETH), address=EIP_55[0], units=1)
    assert call["add"] is None
    assert "own.example" not in str(call)


# --- what counts as a payment -----------------------------------------------------------------------------------
def seen(chain: EvmChain, *addresses: str) -> list[Sighting]:
    return chain.rail.scan(set(addresses), first=0, last=chain.rail.head().height)


def outcomes(found: list[Sighting]) -> list[tuple[str, int]]:
    return [(assets.asset(one.asset_id).symbol, one.units) for one in found]


@pytest.fixture
def address(chain: EvmChain) -> str:
    return chain.rail.address(key=chain.keys[0], index=0)


def test_a_token_that_only_shares_the_symbol_is_nothing(chain: EvmChain, anvil: Anvil, address: str) -> None:
    txid = anvil.pay(address, 10**6, token=anvil.fake)
    anvil.do(anvil.liar, "say(address,address,uint256)", anvil.accounts[1], address, 10**6)
    anvil.mine()
    assert len(anvil.receipt(txid)["logs"]) == 1
    assert seen(chain, address) == []
    assert chain.rail.in_transaction(txid, {address}) == []


def test_a_transfer_of_nothing_is_nothing(chain: EvmChain, anvil: Anvil, address: str) -> None:
    anvil.pay(address, 0, token=anvil.usdt)
    anvil.pay(address, 0)
    anvil.mine()
    assert seen(chain, address) == []


def test_an_amount_of_all_bits_is_told_exactly(chain: EvmChain, anvil: Anvil, address: str) -> None:
    anvil.do(anvil.usdt, "mint(address,uint256)", address, 2**256 - 1)
    anvil.mine()
    assert outcomes(seen(chain, address)) == [("USDT", 2**256 - 1)]


def test_of_a_token_with_a_fee_what_arrives_counts(chain: EvmChain, anvil: Anvil, address: str) -> None:
    anvil.pay(address, 1_000_000, token=anvil.fee)
    anvil.mine()
    (found,) = seen(chain, address)
    assert (found.units, found.place) == (990_000, 2)  # the fee is the first log


def test_a_transfer_that_fails_is_nothing(chain: EvmChain, anvil: Anvil, address: str) -> None:
    said_no = anvil.rpc("evm_snapshot")
    for mood in (1, 2):
        anvil.do(anvil.moody, "feel(uint8)", mood)
        anvil.mine()
        txid = anvil.pay(address, 10**6, token=anvil.moody)
        anvil.mine()
        assert anvil.receipt(txid)["status"] == ("0x1" if mood == 1 else "0x0")
        assert seen(chain, address) == []
        assert chain.rail.in_transaction(txid, {address}) == []
        anvil.rpc("evm_revert", said_no)
        said_no = anvil.rpc("evm_snapshot")


def test_coin_that_was_sent_in_vain_is_nothing(chain: EvmChain, anvil: Anvil) -> None:
    """A transaction to a contract that refuses it stands in the block with its value, all the same."""
    to = chain.rail.normal(anvil.fake)
    txid = anvil.pay(to, 10**18)
    anvil.mine()
    assert anvil.receipt(txid)["status"] == "0x0"
    assert seen(chain, to) == []
    assert chain.rail.in_transaction(txid, {to}) == []


def test_money_that_an_address_sends_itself_is_nothing(chain: EvmChain, anvil: Anvil) -> None:
    own = chain.rail.normal(anvil.accounts[3])
    anvil.pay(own, 10**18, sender=3)
    anvil.pay(own, 10**6, token=anvil.usdt, sender=3)
    anvil.mine()
    assert chain.rail.scan({own}, first=anvil.height, last=anvil.height) == []


def test_logs_of_another_shape_are_nothing(chain: EvmChain, anvil: Anvil, address: str, settings: Any, tmp_path: Path) -> None:
    """The liar is in the catalogue here: even then only an ERC-20 transfer counts."""
    row = evm.network_row(anvil)
    row["asset"][1]["id"] = f"{evm.NETWORK}/erc20:{anvil.liar}"
    evm.install(settings, tmp_path, row)
    word, one = fmt.padded(address.lower()), (1).to_bytes(32, "big")
    somebody = "0x" + "11" * 32
    for topics, data in (
        ([fmt.TRANSFER, somebody, word, word], b""),  # ERC-721
        ([fmt.TRANSFER, somebody, word, word], one),
        ([fmt.TRANSFER, word], one),
        ([fmt.TRANSFER, somebody, word], one + one),
        ([fmt.TRANSFER, somebody, word], one[1:]),
        ([fmt.TRANSFER, somebody, word], b""),
        ([fmt.TRANSFER, somebody, "0x" + "01" + word[4:]], one),
        ([somebody, somebody, word], one),
    ):
        anvil.do(anvil.liar, "log(bytes32[],bytes)", topics, data)
    anvil.do(anvil.liar, "log(bytes32[],bytes)", [fmt.TRANSFER, somebody, word], (77).to_bytes(32, "big"))
    anvil.mine()
    rail = rail_for(evm.NETWORK)
    found = rail.scan({address}, first=0, last=rail.head().height)
    assert [one.units for one in found] == [77]
    many = {address, *(f"0x{number:040x}" for number in range(10**30, 10**30 + UNFILTERED_FROM))}
    assert rail.scan(many, first=0, last=rail.head().height) == found


def test_a_poisoned_address_is_another_address(chain: EvmChain, anvil: Anvil, address: str) -> None:
    """Dust from and to an address that begins and ends alike, as those who hope for a copied one send it."""
    lookalike = address[:8].lower() + "0" * 28 + address[-6:].lower()
    anvil.do(anvil.liar, "say(address,address,uint256)", address, lookalike, 10**9)
    anvil.pay(lookalike, 10**9, token=anvil.usdt)
    anvil.pay(lookalike, 10**15)
    anvil.mine()
    assert seen(chain, address) == []


def test_many_payments_in_one_transaction_each_have_their_place(chain: EvmChain, anvil: Anvil, address: str) -> None:
    other = chain.rail.address(key=chain.keys[0], index=1)
    anvil.pay(other, 1, token=anvil.dai)  # takes the first log of the block
    txid = anvil.do(anvil.usdt, "transferMany(address[],uint256[])", [other, address, anvil.accounts[2], address], [1, 20, 3, 40])
    anvil.mine()
    found = [one for one in seen(chain, address) if one.txid == txid]
    assert [(one.place, one.units) for one in found] == [(2, 20), (4, 40)]


def test_a_payment_by_an_inner_call_is_hidden_from_the_scan_and_shown_by_balance_and_transaction(chain: EvmChain, anvil: Anvil, address: str) -> None:
    coin = chain.assets[0]
    txid = anvil.do(anvil.purse, "payMany(address[],uint256[])", [address, anvil.accounts[1], address], [10**17, 5, 3])
    anvil.mine()
    assert (seen(chain, address), chain.rail.hides_payments(coin)) == ([], True)
    (balance,) = chain.rail.balances({address}).values()
    assert (balance.units, balance.sent_count, balance.block) == (10**17 + 3, 0, chain.rail.head())
    found = chain.rail.in_transaction(txid, {address})
    assert [(one.place, one.units, one.asset_id) for one in found] == [(10_001, 10**17, coin.id), (10_003, 3, coin.id)]


def test_an_inner_call_that_was_undone_is_nothing(chain: EvmChain, anvil: Anvil, address: str) -> None:
    txid = anvil.do(anvil.purse, "payAndUndo(address,uint256)", address, 10**17)
    anvil.mine()
    assert anvil.receipt(txid)["status"] == "0x1"
    assert chain.rail.balances({address})[address].units == 0
    assert chain.rail.in_transaction(txid, {address}) == []


def test_a_transaction_is_read_as_a_scan_reads_it(chain: EvmChain, anvil: Anvil, address: str) -> None:
    native, token = anvil.pay(address, 10**18), anvil.pay(address, 5, token=anvil.usdt)
    waiting = chain.rail.in_transaction(native, {address})
    anvil.mine()
    found = [*chain.rail.in_transaction(native, {address}), *chain.rail.in_transaction(token, {address})]
    assert (waiting, sorted(found, key=str)) == ([], sorted(seen(chain, address), key=str))
    assert len(found) == 2
    assert chain.rail.in_transaction(native, {EIP_55[0]}) == []
    assert chain.rail.in_transaction("0x" + "ab" * 32, {address}) == []


def test_balances_of_many_addresses_are_each_their_own(chain: EvmChain, anvil: Anvil) -> None:
    many = [chain.rail.address(key=chain.keys[0], index=index) for index in range(120)]
    anvil.pay(many[7], 7)
    anvil.pay(many[119], 119)
    anvil.mine()
    found = chain.rail.balances(many)
    assert {address: balance.units for address, balance in found.items() if balance.units} == {many[7]: 7, many[119]: 119}
    sent = chain.rail.balances({chain.rail.normal(anvil.accounts[0])})
    assert next(iter(sent.values())).sent_count == int(anvil.rpc("eth_getTransactionCount", anvil.accounts[0], "latest"), 16)


def test_balances_of_an_older_block_are_told_as_they_were(chain: EvmChain, anvil: Anvil, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    anvil.pay(address, 10**17)
    anvil.mine()
    then = chain.rail.head()
    assert then is not None
    anvil.pay(address, 5)
    anvil.mine()
    found = chain.rail.balances({address}, height=then.height)
    assert [(one.units, one.sent_count, one.block) for one in found.values()] == [(10**17, 0, then)]
    assert chain.rail.balances({address}, height=then.height + 2) == {}

    def forgotten(*_args: object, **_named: object) -> None:
        raise RpcError("missing trie node")

    with monkeypatch.context() as patch:
        patch.setattr(chain.rail.chain.client, "batch", forgotten)
        assert chain.rail.balances({address}, height=then.height) == {}
    assert chain.rail.balances({address})[address].units == 10**17 + 5


def test_where_blocks_are_not_read_the_coin_is_found_by_asking_for_it(anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    evm.install(settings, tmp_path, evm.network_row(anvil, native="balances"))
    chain = EvmChain(anvil, evm.NETWORK)
    address = chain.rail.address(key=chain.keys[0], index=0)
    anvil.pay(address, 10**18)
    anvil.pay(address, 5, token=anvil.usdt)
    anvil.mine()
    head = chain.rail.head()
    assert outcomes(seen(chain, address)) == [("USDT", 5)]
    assert outcomes(chain.rail.native({address}, first=0, last=head.height)) == [("ETH", 10**18)]


def test_a_moved_token_payment_keeps_its_key_at_another_height_and_index(chain: EvmChain, anvil: Anvil, address: str) -> None:
    first, second = anvil.pay(address, 11, token=anvil.usdt), anvil.pay(address, 22, token=anvil.usdt)
    anvil.mine()
    before = {one.key: one.units for one in seen(chain, address)}
    index = int(anvil.receipt(second)["logs"][0]["logIndex"], 16)
    raw = anvil.raw(first, second)
    anvil.reorg(1, again=[])
    raised = {"gasPrice": hex(4 * 10**9)}
    anvil.pay(anvil.accounts[0], 1, token=anvil.dai, **raised)
    for txid in (second, first):
        anvil.rpc("eth_sendRawTransaction", raw[txid])
    anvil.mine()
    assert int(anvil.receipt(second)["logs"][0]["logIndex"], 16) != index or int(anvil.receipt(first)["logs"][0]["logIndex"], 16) != 0
    assert {one.key: one.units for one in seen(chain, address)} == before


def test_the_same_transaction_pasted_by_another_shows_only_their_own_address(chain: EvmChain, anvil: Anvil, address: str) -> None:
    other = chain.rail.address(key=chain.keys[0], index=1)
    txid = anvil.pay(address, 5, token=anvil.usdt)
    anvil.mine()
    assert chain.rail.in_transaction(txid, {other}) == []


# --- windows and costs ------------------------------------------------------------------------------------------
def behind(anvil: Anvil, facade: Facade, settings: Any, folder: Path, **columns: Any) -> EvmChain:
    evm.install(settings, folder, evm.network_row(anvil, urls=(facade.url,), **columns))
    return EvmChain(anvil, evm.NETWORK)


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
