"""Invoices paid on a real Litecoin chain, read from a node's JSON-RPC and through Esplora."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bip_utils import Base58Decoder, Base58Encoder

from payments import keys, quotes, wallets, watcher
from payments.models import ReceiveAddress, Transfer, WalletKey
from tests.chains.litecoin import NETWORK, Litecoin, fresh_key
from tests.chains.utxo_story import COIN, UtxoStory, either, installed, live_merchant, story
from tests.factories import NOW, make_merchant
from tests.payments.prices import set_prices

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
__all__ = ["either", "installed", "story"]


def test_the_quoted_amount_is_seen_in_the_pool_confirms_and_pays(either: UtxoStory) -> None:
    txid = either.pay()
    assert (either.look().pending_minor, either.invoice.status) == (10_000, "open")
    row = either.transfer()
    assert (row.txid, row.amount_units, row.confirmations, row.block_height) == (txid, COIN, 0, None)
    assert [either.blocks().status for _block in range(3)] == ["open", "open", "paid"]
    assert (either.invoice.credited_minor, either.invoice.pending_minor, either.transfer().confirmations) == (10_000, 0, 3)
    assert either.transfer().block_hash == either.node.rpc("getblockhash", either.transfer().block_height)
    assert either.kinds()[-3:] == ["payment.detected", "payment.confirmed", "invoice.paid"]


def test_a_part_and_then_the_rest_pay_it(either: UtxoStory) -> None:
    either.pay(units=30_000_000)
    either.blocks(3)
    assert (either.invoice.status, either.invoice.credited_minor, either.invoice.is_underpaid) == ("open", 3_000, True)
    rest = either.quote()
    assert (rest.fiat_minor, rest.amount_units) == (7_000, 70_000_000)
    either.pay(quote=rest)
    assert (either.blocks(3).status, either.invoice.credited_minor, either.invoice.is_underpaid) == ("paid", 10_000, False)


def test_more_than_was_asked_for_is_told(story: UtxoStory) -> None:
    story.pay(units=2 * COIN)
    assert (story.blocks(3).status, story.invoice.credited_minor, story.invoice.is_overpaid) == ("paid", 20_000, True)


def test_two_outputs_to_its_address_in_one_transaction_both_count(either: UtxoStory) -> None:
    address = either.address()
    either.node.pay_many([(address, 10_000_000), (address, 90_000_000)])
    assert either.look().pending_minor == 10_000
    assert (either.blocks(3).status, either.outcome()) == ("paid", [("final", 1_000), ("final", 9_000)])
    assert [row.place for row in either.transfers()] == [0, 1]


def test_one_transaction_may_pay_two_invoices(story: UtxoStory) -> None:
    other = UtxoStory(story.invoice.merchant, story.node)
    story.node.pay_many([(story.address(), COIN), (other.address(), COIN // 2)])
    story.blocks(3)
    assert [(one.fresh().status, one.outcome()) for one in (story, other)] == [("paid", [("final", 10_000)]), ("open", [("final", 5_000)])]


def test_a_late_payment_counts_at_the_price_of_its_time_when_that_has_moved(story: UtxoStory) -> None:
    quote = story.quote()
    story.wait(12)
    quotes.expire(now=story.now)
    set_prices("EUR", {"LTC": "50"}, at=story.now)
    story.pay(quote=quote)
    story.blocks(3)
    assert (story.transfer().credit_reason, story.transfer().credit_minor, story.invoice.status) == ("late_rate", 5_000, "open")


def test_a_payment_in_the_pool_in_time_is_in_time_however_late_its_block_comes(story: UtxoStory) -> None:
    story.pay()
    story.look()
    story.wait(24)
    assert (story.blocks(3).status, story.invoice.is_paid_late) == ("paid", False)


def test_a_payment_made_while_the_server_was_off_is_found_and_in_time(either: UtxoStory) -> None:
    """Mined in time, and read much later: nothing expires before the network was read."""
    quote = either.quote()
    either.pay(quote=quote)
    either.mine(30)
    assert either.now > quote.locked_until
    quotes.expire(now=either.now)
    quote.refresh_from_db()
    assert quote.status == "live"
    assert (either.look().status, either.invoice.is_paid_late, either.outcome()) == ("paid", False, [("final", 10_000)])


def test_an_address_handed_out_and_paid_between_two_passes_is_seen(either: UtxoStory) -> None:
    either.look()
    either.pay()
    either.mine()
    either.mine()
    assert either.look().pending_minor == 10_000
    assert either.blocks().status == "paid"


def test_an_address_paid_in_blocks_no_pass_ended_with_is_seen(story: UtxoStory) -> None:
    """Ten blocks between two passes: more than the trailing window holds."""
    story.look()
    story.pay()
    story.mine(10)
    assert story.look().status == "paid"


@pytest.mark.parametrize("script", ["p2pkh", "p2sh-p2wpkh", "p2wpkh", "p2tr"])
def test_every_kind_of_address_is_paid(db: None, installed: Litecoin, script: str) -> None:
    story = UtxoStory(live_merchant(key=fresh_key(script)), installed)
    story.pay()
    assert story.blocks(3).status == "paid"


def test_what_the_merchant_sends_on_changes_nothing(either: UtxoStory) -> None:
    """The address is of the miner's own wallet, so that the money can be sent on."""
    address = either.address()
    mine = either.node.rpc("getnewaddress", "", "bech32")
    ReceiveAddress.objects.filter(address=address).update(address=mine)
    txid = either.node.pay_many([(mine, COIN)])
    either.blocks(2)
    spend = either.node.rpc("createrawtransaction", [{"txid": txid, "vout": 0}], {either.node.rpc("getnewaddress"): "0.999"})
    either.node.rpc("sendrawtransaction", either.node.rpc("signrawtransactionwithwallet", spend)["hex"])
    assert (either.blocks(3).status, either.outcome()) == ("paid", [("final", 10_000)])


def test_one_key_spelt_in_two_ways_never_gives_one_address_twice(db: None, installed: Litecoin) -> None:
    spec = fresh_key()
    xpub = spec.partition(":")[2]
    zpub = Base58Encoder.CheckEncode(bytes.fromhex("04b24746") + Base58Decoder.CheckDecode(xpub)[4:])
    merchants = [make_merchant(slug=slug, is_test=False) for slug in ("harbour-pine", "kelp-and-co")]
    for merchant, spelt in zip(merchants, (xpub, zpub), strict=True):
        wallet = wallets.connect_key(
            merchant, family="litecoin", spec=keys.parse(spelt, family="litecoin", script="p2wpkh").spec, name="Key", by=None, now=NOW
        )
        assert wallet.key == WalletKey.objects.get()
    stories = [UtxoStory(merchant, installed) for merchant in (*merchants, *merchants)]
    addresses = [one.address() for one in stories]
    assert sorted(addresses) == sorted({installed.rpc("deriveaddresses", _descriptor(installed, xpub), [n, n])[0] for n in range(4)})
    stories[2].pay()
    stories[2].blocks(3)
    assert [one.fresh().status for one in stories] == ["open", "open", "paid", "open"]


def _descriptor(node: Litecoin, xpub: str) -> str:
    """As the node itself derives: regtest spells an extended public key tpub."""
    tpub = Base58Encoder.CheckEncode(bytes.fromhex("043587cf") + Base58Decoder.CheckDecode(xpub)[4:])
    return str(node.rpc("getdescriptorinfo", f"wpkh({tpub}/0/*)")["descriptor"])


def test_at_a_fixed_address_the_exact_amount_tells_the_invoice(db: None, installed: Litecoin) -> None:
    merchant = live_merchant(fixed=installed.rpc("getnewaddress", "", "bech32"))
    first, second = UtxoStory(merchant, installed), UtxoStory(merchant, installed)
    amounts = [one.quote().amount_units for one in (first, second)]
    assert amounts == [COIN, COIN + 1]
    second.pay()
    second.pay(units=77_777)
    second.blocks(3)
    assert [(one.fresh().status, one.outcome()) for one in (first, second)] == [("open", []), ("paid", [("final", 10_000)])]
    stray = Transfer.objects.get(invoice=None)
    assert (stray.amount_units, stray.status) == (77_777, "final")


def test_a_pass_over_a_chain_that_stood_still_changes_nothing(either: UtxoStory) -> None:
    either.pay()
    either.blocks(3)
    before = (either.kinds(), Transfer.objects.values().get())
    for _again in range(3):
        assert watcher.read(NETWORK, now=either.now + timedelta(seconds=5)) == 0
    assert (either.kinds(), Transfer.objects.values().get()) == before
