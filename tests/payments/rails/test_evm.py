"""The EVM rail against anvil: held to the contract; its addresses, and what counts as a payment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from merchants import assets
from payments.rails import BadAddress, rail_for
from payments.rails import evm_format as fmt
from payments.rails.evm_chain import UNFILTERED_FROM
from payments.rails.jsonrpc import RpcError
from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.payments.rails.anvil_chain import EvmChain, outcomes, seen
from tests.payments.rails.contract import RailContract

pytestmark = pytest.mark.chain


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
