"""What every rail must do, whatever its network. A rail's test module subclasses `RailContract` and gives it a chain.

None of these is optional: `test_nothing_of_the_contract_is_left_out` counts them in the subclass.
"""

from __future__ import annotations

from typing import Protocol

import pytest

from merchants.assets import Asset
from payments.rails import BadAddress, Rail, Sighting


class Chain(Protocol):
    """A network that a test can play with. Amounts are smallest units of the asset."""

    rail: Rail
    assets: list[Asset]
    keys: tuple[str, str]  # two specs of a wallet

    def pay(self, address: str, asset: Asset, units: int) -> str:
        """Broadcast a payment and return its transaction id; it is not in a block yet, or at most in the next."""

    def mine(self, blocks: int = 1) -> None: ...

    def reorg(self, depth: int, *, drop: list[str]) -> None:
        """Replace the top `depth` blocks; payments in `drop` vanish, the others may be mined again."""


def _here(chain: Chain, *addresses: str) -> list[Sighting]:
    """What the chain shows of `addresses` from its first block to its head, and in its pool."""
    head = chain.rail.head()
    found = chain.rail.scan(set(addresses), first=0, last=head.height) if head else []
    return [*found, *chain.rail.pool(set(addresses))]


class RailContract:
    SIZE = 19

    @pytest.fixture
    def chain(self) -> Chain:
        raise LookupError("A rail's tests give the contract a chain.")

    @pytest.fixture
    def asset(self, chain: Chain) -> Asset:
        return chain.assets[0]

    @pytest.fixture
    def address(self, chain: Chain) -> str:
        return chain.rail.address(key=chain.keys[0], index=0)

    def test_an_address_is_the_same_every_time_and_another_for_every_other_pair(self, chain: Chain) -> None:
        made = {(key, index): chain.rail.address(key=key, index=index) for key in chain.keys for index in range(20)}
        assert {pair: chain.rail.address(key=pair[0], index=pair[1]) for pair in made} == made
        assert len(set(made.values())) == 40

    def test_an_address_it_made_is_in_its_normal_form_and_one_with_a_wrong_letter_is_refused(self, chain: Chain, address: str) -> None:
        assert chain.rail.normal(f" {address} ") == address
        for wrong in ("", "me@example.com", address[:-1], address + "0"):
            with pytest.raises(BadAddress):
                chain.rail.normal(wrong)

    def test_a_transaction_id_is_known_by_its_looks(self, chain: Chain, asset: Asset, address: str) -> None:
        chain.mine()
        txid = chain.pay(address, asset, asset.payable_unit)
        assert chain.rail.is_txid(txid)
        assert not any(chain.rail.is_txid(text) for text in ("", address, txid[:-1], txid + "0", "balance:" + address))

    def test_a_look_at_the_network_tells_its_head(self, chain: Chain) -> None:
        chain.mine()
        found = chain.rail.check()
        assert (found.head, found.remarks) == (chain.rail.head(), ())

    def test_the_head_grows_by_what_is_mined(self, chain: Chain) -> None:
        chain.mine()
        before = chain.rail.head()
        chain.mine(3)
        after = chain.rail.head()
        assert before and after and after.height == before.height + 3

    def test_blocks_come_lowest_first_and_none_is_above_the_head(self, chain: Chain) -> None:
        chain.mine(3)
        head = chain.rail.head()
        assert head
        found = chain.rail.blocks(head.height - 1, head.height + 5)
        assert [block.height for block in found] == [head.height - 1, head.height]
        assert found[-1] == head

    def test_times_are_aware(self, chain: Chain) -> None:
        chain.mine()
        head = chain.rail.head()
        assert head and head.at.utcoffset() is not None

    def test_a_payment_without_a_block_is_never_shown_with_one(self, chain: Chain, asset: Asset, address: str) -> None:
        chain.mine()
        chain.pay(address, asset, 7 * asset.payable_unit)
        assert [found.block for found in chain.rail.pool({address})] in ([None], [])

    def test_a_mined_payment_is_in_its_block_with_its_exact_amount(self, chain: Chain, address: str) -> None:
        chain.mine()
        for asset in chain.assets:
            txid = chain.pay(address, asset, 7 * asset.payable_unit)
            chain.mine()
            found = [one for one in _here(chain, address) if one.txid == txid]
            assert [(one.asset_id, one.units, one.address, one.block) for one in found] == [
                (asset.id, 7 * asset.payable_unit, address, chain.rail.head())
            ]

    def test_an_amount_beyond_sixteen_digits_is_exact(self, chain: Chain, address: str) -> None:
        chain.mine()
        asset = max(chain.assets, key=lambda one: one.decimals)
        units = 12_345_678_901_234_567_891 if asset.decimals >= 18 else 1_234_567_891
        chain.pay(address, asset, units)
        chain.mine()
        assert [found.units for found in _here(chain, address)] == [units]

    def test_a_scan_keeps_to_its_blocks_both_included(self, chain: Chain, asset: Asset, address: str) -> None:
        chain.mine(2)
        chain.pay(address, asset, asset.payable_unit)
        chain.mine(2)
        (found,) = _here(chain, address)
        assert found.block
        height = found.block.height
        assert len(chain.rail.scan({address}, first=height, last=height)) == 1
        assert chain.rail.scan({address}, first=height + 1, last=height + 1) == []
        assert chain.rail.scan({address}, first=max(height - 1, 0), last=height - 1) == []

    def test_only_the_addresses_asked_for_are_shown(self, chain: Chain, asset: Asset, address: str) -> None:
        other = chain.rail.address(key=chain.keys[0], index=1)
        chain.mine()
        chain.pay(other, asset, asset.payable_unit)
        chain.mine()
        assert _here(chain, address) == []
        assert len(_here(chain, address, other)) == 1

    def test_two_payments_in_one_block_are_two(self, chain: Chain, asset: Asset, address: str) -> None:
        chain.mine()
        chain.pay(address, asset, 3 * asset.payable_unit)
        chain.pay(address, asset, 3 * asset.payable_unit)
        chain.mine()
        found = _here(chain, address)
        assert [one.units for one in found] == [3 * asset.payable_unit] * 2
        assert len({one.key for one in found}) == 2

    def test_asking_twice_gives_the_same(self, chain: Chain, asset: Asset, address: str) -> None:
        chain.mine()
        chain.pay(address, asset, asset.payable_unit)
        chain.mine(2)
        assert _here(chain, address) == _here(chain, address)

    def test_a_reorg_changes_the_hashes_from_its_depth_on(self, chain: Chain) -> None:
        chain.mine(6)
        head = chain.rail.head()
        assert head
        before = {block.height: block.hash for block in chain.rail.blocks(head.height - 5, head.height)}
        chain.reorg(3, drop=[])
        after = {block.height: block.hash for block in chain.rail.blocks(head.height - 5, head.height)}
        assert [height for height in before if before[height] != after.get(height)] == [head.height - 2, head.height - 1, head.height]

    def test_a_payment_moved_by_a_reorg_keeps_its_key(self, chain: Chain, asset: Asset, address: str) -> None:
        chain.mine()
        chain.pay(address, asset, asset.payable_unit)
        chain.mine()
        (before,) = _here(chain, address)
        chain.reorg(1, drop=[])
        chain.mine(2)
        (after,) = _here(chain, address)
        assert (after.key, after.units) == (before.key, before.units)
        assert after.block and before.block and after.block.hash != before.block.hash

    def test_a_payment_dropped_by_a_reorg_is_gone(self, chain: Chain, asset: Asset, address: str) -> None:
        chain.mine()
        txid = chain.pay(address, asset, asset.payable_unit)
        chain.mine()
        chain.reorg(1, drop=[txid])
        chain.mine(2)
        assert _here(chain, address) == []

    def test_the_payment_uri_holds_the_address(self, chain: Chain, address: str) -> None:
        for asset in chain.assets:
            assert address in chain.rail.payment_uri(asset, address=address, units=asset.payable_unit)

    def test_the_explorer_link_holds_the_transaction_or_there_is_none(self, chain: Chain) -> None:
        link = chain.rail.explorer_tx("ab" * 32)
        assert link == "" or (link.startswith("https://") and "ab" * 32 in link)

    def test_nothing_of_the_contract_is_left_out(self) -> None:
        promised = {name for name in vars(RailContract) if name.startswith("test_")} - {"test_nothing_of_the_contract_is_left_out"}
        assert len(promised) == self.SIZE
        assert [name for name in promised if getattr(type(self), name) is not vars(RailContract)[name]] == []
