"""The sandbox rail, held to the contract, and the tempers of its payments."""

from __future__ import annotations

from datetime import timedelta

import pytest

from merchants import assets
from merchants.assets import Asset
from merchants.models import Merchant
from payments.models import Quote, SandboxBlock
from payments.rails import rail_for, sandbox
from tests.factories import NOW
from tests.payments.money import NETWORK, Story
from tests.payments.rails.contract import RailContract

pytestmark = pytest.mark.django_db


class SandboxChain:
    def __init__(self) -> None:
        self.rail = rail_for(NETWORK)
        self.assets = [asset for asset in assets.catalogue().assets.values() if asset.network.id == NETWORK]
        self.keys = ("sandbox:1", "sandbox:2")
        self.now = NOW

    def pay(self, address: str, asset: Asset, units: int) -> str:
        return sandbox.pay(address, asset.id, units, now=self.now).txid

    def mine(self, blocks: int = 1) -> None:
        for _block in range(blocks):
            self.now += timedelta(seconds=5)
            sandbox.mine(now=self.now)

    def reorg(self, depth: int, *, drop: list[str]) -> None:
        sandbox.reorg(depth, now=self.now, drop=drop)


class TestSandboxRail(RailContract):
    @pytest.fixture
    def chain(self) -> SandboxChain:
        return SandboxChain()


def test_each_temper_ends_as_its_button_says(merchant: Merchant) -> None:
    ends = {}
    for act in ("exact", "slow", "part", "over", "late"):
        story = Story(merchant)
        sandbox.provoke(story.quote(), act, now=story.now)
        invoice = story.blocks(12)
        ends[act] = (invoice.status, invoice.credited_minor, invoice.is_overpaid, invoice.is_paid_late)
    assert ends == {
        "exact": ("paid", 10_000, False, False),
        "slow": ("paid", 10_000, False, False),
        "part": ("open", 5_000, False, False),
        "over": ("paid", 11_000, True, False),
        "late": ("paid", 10_000, False, True),
    }


def test_a_slow_payment_waits_some_blocks_in_the_pool(merchant: Merchant) -> None:
    story = Story(merchant)
    sandbox.provoke(story.quote(), "slow", now=story.now)
    story.blocks(sandbox.SLOW_BLOCKS)
    assert (story.transfers()[0].block_height, story.invoice.pending_minor) == (None, 10_000)


def test_a_block_taken_back_pays_again_and_a_dropped_payment_does_not(merchant: Merchant) -> None:
    story = Story(merchant)
    quote = story.quote()
    sandbox.provoke(quote, "exact", now=story.now)
    story.blocks(3)
    sandbox.provoke(quote, "reorg", now=story.now)
    assert story.look().status == "open"
    assert story.blocks(3).status == "paid"
    sandbox.provoke(quote, "drop", now=story.now)
    assert (story.look().status, story.blocks(3).credited_minor) == ("open", 0)


def test_a_payment_still_in_the_pool_can_vanish(merchant: Merchant) -> None:
    story = Story(merchant)
    sandbox.provoke(story.quote(), "slow", now=story.now)
    assert story.look().pending_minor == 10_000
    sandbox.provoke(Quote.objects.get(), "drop", now=story.now)
    assert (story.look().pending_minor, story.transfers()[0].status) == (0, "dropped")


@pytest.mark.parametrize("act", ["reorg", "drop"])
def test_nothing_can_be_taken_back_before_it_is_paid(merchant: Merchant, act: str) -> None:
    story = Story(merchant)
    with pytest.raises(sandbox.CannotProvoke, match="Pay first"):
        sandbox.provoke(story.quote(), act, now=story.now)


def test_an_idle_chain_grows_slowly_and_a_busy_one_quickly(merchant: Merchant) -> None:
    story = Story(merchant)
    assert sandbox.mine_if_due(now=story.now + timedelta(seconds=30)) is None
    assert sandbox.mine_if_due(now=story.now + timedelta(seconds=60)) is not None
    story.pay()
    story.now += timedelta(seconds=60)
    assert sandbox.mine_if_due(now=story.now + timedelta(seconds=4)) is None
    assert sandbox.mine_if_due(now=story.now + timedelta(seconds=5)) is not None


def test_old_blocks_are_forgotten(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "KEPT_BLOCKS", 10)
    for _block in range(15):
        sandbox.mine(now=NOW)
    assert SandboxBlock.objects.count() == 11
