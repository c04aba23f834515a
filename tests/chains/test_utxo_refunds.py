"""Refunds on Litecoin: read from the node itself, and through Esplora."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from payments import refunds
from payments.models import Refund
from payments.rails import Fate, rail_for
from tests.chains.esplora import esplora
from tests.chains.facade import Denied, Facade
from tests.chains.litecoin import COIN, LTC, MISSING, NETWORK, Litecoin, catalogue, litecoin, litecoin_nodes, nobody
from tests.chains.refunding import OnChain, stands
from tests.chains.utxo_story import UtxoStory, live_merchant

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
__all__ = ["MISSING", "esplora", "litecoin", "litecoin_nodes"]


class UtxoRefunds(OnChain, UtxoStory):
    coin = LTC

    def __init__(self, node: Litecoin, **fields: Any) -> None:
        self.payer = nobody()
        super().__init__(live_merchant(), node=node, paid=False, **fields)
        self.pay()
        self.blocks(3)

    def send(self, refund: Refund, *, units: int | None = None) -> str:
        refund.refresh_from_db()
        return self.node.pay(refund.address, refund.amount_units or 0 if units is None else units)


@pytest.fixture
def story(db: None, litecoin: Litecoin, settings: Any, tmp_path: Path) -> UtxoRefunds:
    settings.NETWORKS_FILE = catalogue(tmp_path, [litecoin.url])
    return UtxoRefunds(litecoin)


@pytest.fixture(params=["core", "esplora"])
def either(request: pytest.FixtureRequest, db: None, litecoin: Litecoin, settings: Any, tmp_path: Path) -> UtxoRefunds:
    url = litecoin.url if request.param == "core" else request.getfixturevalue("esplora").url
    settings.NETWORKS_FILE = catalogue(tmp_path, [url])
    return UtxoRefunds(litecoin)


def fee_of(node: Litecoin, txid: str) -> int:
    """What the miner's wallet says it paid."""
    return -int(node.rpc("gettransaction", txid)["fee"] * COIN)


def test_what_was_paid_goes_back_and_is_confirmed_with_its_fee(either: UtxoRefunds) -> None:
    refund = either.approved()
    assert (refund.amount_units, either.fresh().status) == (COIN, "paid")
    txid = either.send(refund)
    either.look()
    assert (stands(refund), refund.txid, refund.way) == (("sent", 0, ""), txid, "found")
    seen = [(either.blocks().refunded_minor, stands(refund)[:2]) for _block in range(3)]
    assert seen == [(0, ("sent", 1)), (0, ("sent", 2)), (10_000, ("confirmed", 3))]
    assert refund.fee_units == fee_of(either.node, txid) > 0


def test_a_reorg_takes_it_back_to_sent_and_its_next_block_confirms_it_anew(either: UtxoRefunds) -> None:
    refund = either.approved()
    txid = either.send(refund)
    either.blocks(4)
    assert stands(refund) == ("confirmed", 3, "")
    either.node.reorg(4, empty=True)
    assert either.look().refunded_minor == 0
    assert (stands(refund), refund.block_height, refund.txid) == (("sent", 0, ""), None, txid)
    either.blocks(3)
    assert (stands(refund), either.fresh().refunded_minor) == (("confirmed", 3, ""), 10_000)
    told = [kind for kind in either.kinds() if kind.startswith("refund.")]
    assert told[-4:] == ["refund.sent", "refund.confirmed", "refund.reopened", "refund.confirmed"]


def test_one_that_is_double_spent_is_not_there(either: UtxoRefunds) -> None:
    refund = either.approved()
    txid = either.send(refund)
    either.blocks(4)
    either.node.reorg(4, drop=[txid])
    either.look()
    assert (stands(refund), refund.place, either.fresh().refunded_minor) == (("sent", 0, ""), None, 0)


def test_a_fee_that_is_bumped_makes_it_another_transaction(either: UtxoRefunds) -> None:
    refund = either.approved()
    first = either.send(refund)
    either.look()
    assert (stands(refund), refund.txid) == (("sent", 0, ""), first)
    second = either.node.double_spend(first, to=refund.address, units=refund.amount_units or 0)
    either.look()
    assert (stands(refund), refund.txid) == (("sent", 0, ""), second)
    either.blocks(3)
    assert (stands(refund), refund.fee_units) == (("confirmed", 3, ""), fee_of(either.node, second))


def test_too_little_and_another_address_each_say_what_is_wrong(either: UtxoRefunds) -> None:
    refund = either.approved()
    said = []
    for pay in (lambda: either.send(refund, units=COIN // 2), lambda: either.node.pay(nobody(), COIN)):
        either.name(refund, pay())
        either.blocks(2)
        said.append(stands(refund))
        refunds.unsent(refund, by=either.owner, now=either.now)
    assert said == [
        ("sent", 0, "It pays 0.50 LTC; this refund is 1.00 LTC."),
        ("sent", 0, "This transaction pays nothing to the address of this refund."),
    ]


def test_one_transaction_for_two_refunds_pays_each_by_its_own_output(either: UtxoRefunds) -> None:
    first, second = (either.approved("other", other_minor=4_000) for _refund in range(2))
    txid = either.node.pay_many([(either.payer, first.amount_units or 0), (either.payer, second.amount_units or 0)])
    either.blocks(3)
    assert [(stands(one), one.txid, one.place) for one in (first, second)] == [
        (("confirmed", 3, ""), txid, 0),
        (("confirmed", 3, ""), txid, 1),
    ]


def test_one_output_for_two_refunds_pays_one(either: UtxoRefunds) -> None:
    first, second = (either.approved("other", other_minor=4_000) for _refund in range(2))
    txid = either.send(first)
    for refund in (first, second):
        either.name(refund, txid)
    either.blocks(3)
    assert (stands(first), stands(second)) == (("confirmed", 3, ""), ("sent", 0, "This transaction pays another refund."))


def test_what_was_paid_long_before_its_approval_counts_when_it_is_named(either: UtxoRefunds) -> None:
    claimed = either.claim(either.ask())
    txid = either.send(claimed)
    either.blocks(12)
    refund = either.approve(claimed)
    either.blocks()
    assert stands(refund) == ("approved", 0, "")
    either.name(refund, txid)
    either.look()
    either.look()
    assert (stands(refund), refund.txid) == (("confirmed", 3, ""), txid)


def test_a_node_without_an_index_knows_it_by_what_is_not_spent(db: None, litecoin: Litecoin, settings: Any, tmp_path: Path) -> None:
    def unindexed(method: str, _params: list[Any], true: Any) -> Any:
        if method == "getrawtransaction" and true.get("blockhash"):
            raise Denied("No such mempool transaction. Use -txindex.")
        return true

    with Facade(litecoin.url, unindexed) as facade:
        settings.NETWORKS_FILE = catalogue(tmp_path, [facade.url])
        story = UtxoRefunds(litecoin)
        claimed = story.claim(story.ask())
        txid = story.send(claimed)
        story.blocks(12)
        refund = story.name(story.approve(claimed), txid)
        story.look()
        story.look()
        assert (stands(refund), refund.block_height) == (("confirmed", 3, ""), litecoin.height - 11)


def test_a_transaction_is_told_of_by_itself(either: UtxoRefunds) -> None:
    rail, address = rail_for(NETWORK), nobody()
    txid = either.node.pay(address, 3 * COIN)
    rail.head()
    waiting = [(one.units, one.block) for one in rail.in_transaction(txid, [address, nobody()])]
    fee = fee_of(either.node, txid)
    assert (waiting, rail.fate(txid), rail.fee(txid)) in [([(3 * COIN, None)], Fate.WAITING, fee), ([], Fate.UNKNOWN, None)]
    either.mine()
    head = rail.head()
    assert [(one.txid, one.address, one.asset_id, one.units, one.block) for one in rail.in_transaction(txid, [address])] == [
        (txid, address, LTC, 3 * COIN, head)
    ]
    assert (rail.fate(txid), rail.in_transaction(txid, [nobody()])) == (Fate.DONE, [])
    either.node.reorg(1, drop=[txid])
    rail.head()
    assert (rail.fate(txid), rail.fate("ab" * 32), rail.fee("ab" * 32), rail.in_transaction(txid, [address])) == (
        Fate.UNKNOWN,
        Fate.UNKNOWN,
        None,
        [],
    )
