"""A network whose node takes a connection and never answers: no other network is read a moment later for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from config.celery import BEAT, WATCH
from config.run import WATCH_THREADS
from merchants import assets
from payments import cursors, tasks, watcher
from payments.models import Cursor
from tests.chains import evm
from tests.chains.anvil import Anvil
from tests.chains.evm_story import EvmStory, live_merchant
from tests.chains.silent import Silent
from tests.factories import NOW

pytestmark = [pytest.mark.chain, pytest.mark.django_db(transaction=True)]

TICK = timedelta(seconds=BEAT["payments.tasks.watch_networks"][0])


@pytest.fixture
def silent(anvil: Anvil, settings: Any, tmp_path: Path) -> Iterator[Silent]:
    """The node of network 31338; that of 31337 is anvil, and well."""
    with Silent() as node:
        other = {**evm.network_row(anvil, urls=(node.url,)), "id": evm.OTHER, "key": "silent", "name": "Silent", "chain_id": 31338, "asset": []}
        evm.install(settings, tmp_path, evm.network_row(anvil), other)
        yield node


class Hanging:
    """A pass over the silent network in a thread, as the watcher's worker runs it."""

    def __init__(self, silent: Silent) -> None:
        self.silent = silent
        self.thread = threading.Thread(target=self._read)

    def __enter__(self) -> threading.Thread:
        self.thread.start()
        assert self.silent.asked.wait(timeout=10)
        return self.thread

    def __exit__(self, *_exc: object) -> None:
        self.silent.let_go()
        self.thread.join(timeout=30)

    def _read(self) -> None:
        try:
            watcher.read(evm.OTHER, now=NOW)
        finally:
            connection.close()


def test_while_one_hangs_another_is_read_in_its_usual_time(silent: Silent, anvil: Anvil) -> None:
    story = EvmStory(live_merchant(), anvil)
    story.pay()
    began = time.monotonic()
    story.blocks()
    usual = time.monotonic() - began
    with Hanging(silent) as hanging:
        began = time.monotonic()
        story.blocks(2)
        took = time.monotonic() - began
        assert hanging.is_alive()  # it hung all the time
    assert (story.invoice.status, story.outcome()) == ("paid", [("final", 10_000)])
    assert took < 2 * usual + 3  # far from the ten seconds that the other waits
    assert Cursor.objects.get(network=evm.OTHER).failures == 1


def test_while_one_hangs_it_is_not_asked_a_second_time(silent: Silent) -> None:
    live_merchant()
    with Hanging(silent) as hanging:
        began = time.monotonic()
        assert watcher.read(evm.OTHER, now=NOW + TICK) is None
        assert (time.monotonic() - began < 3, hanging.is_alive(), silent.count) == (True, True, 1)


def test_the_merchants_and_operators_pages_do_not_wait_for_it(silent: Silent) -> None:
    live_merchant()
    with Hanging(silent) as hanging:
        states = {state.network.id: state for state in cursors.states(NOW)}
        assert (states[evm.OTHER].is_well, hanging.is_alive(), silent.count) == (False, True, 1)


def test_each_network_is_a_task_of_its_own(silent: Silent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enqueued by beat's task, run by threads of a worker that has nothing else to do."""
    live_merchant()
    sent: list[tuple[list[str], str]] = []
    monkeypatch.setattr(tasks.watch_network, "apply_async", lambda args, *, queue, **_options: sent.append((args, queue)))
    tasks.watch_networks()
    assert (sent, silent.count) == ([([evm.NETWORK], "watch"), ([evm.OTHER], "watch")], 0)


def test_there_is_a_thread_for_every_network_when_all_hang_and_some_to_spare() -> None:
    """For the task that sends the others, the prices, and the look over the networks."""
    on = [network for network in assets.catalogue().networks.values() if network.urls]
    assert len(on) + 3 <= WATCH_THREADS
    assert {BEAT[f"payments.tasks.{name}"][1] for name in ("watch_networks", "look_networks_over", "refresh_rates")} == {WATCH}


def test_one_that_fails_is_tried_seldom_and_the_other_as_often_as_ever(silent: Silent, anvil: Anvil) -> None:
    live_merchant()
    anvil.mine(at=NOW)
    silent.let_go()
    tried: dict[str, list[int]] = {evm.NETWORK: [], evm.OTHER: []}
    for second in range(0, 240, TICK.seconds):
        now = NOW + timedelta(seconds=second)
        for network in cursors.due_networks(now):
            watcher.read(network, now=now)
            tried[network].append(second)
    assert tried[evm.NETWORK] == list(range(0, 240, TICK.seconds))
    assert tried[evm.OTHER] == [0, 2, 6, 14, 30, 62, 122, 182]


def test_one_that_comes_back_is_read_as_often_as_ever(silent: Silent, anvil: Anvil, settings: Any, tmp_path: Path) -> None:
    live_merchant()
    silent.let_go()
    for second in (0, 2, 6, 14):
        watcher.read(evm.OTHER, now=NOW + timedelta(seconds=second))
    evm.install(settings, tmp_path, evm.network_row(anvil), {**evm.network_row(anvil), "id": evm.OTHER, "key": "back", "asset": []})
    later = NOW + timedelta(seconds=30)
    assert evm.OTHER in cursors.due_networks(later)
    watcher.read(evm.OTHER, now=later)
    found = Cursor.objects.get(network=evm.OTHER)
    assert (found.failures, found.retry_at, found.error, found.head_height) == (0, None, "", anvil.height)
    assert evm.OTHER in cursors.due_networks(later + TICK)
