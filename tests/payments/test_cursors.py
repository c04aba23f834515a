"""A pass holds its network for as long as it takes, and no longer. These wait in real time: a lease is 0.6 seconds here."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from datetime import timedelta

import pytest
from django.db.backends.signals import connection_created

from payments import cursors, watcher
from payments.models import Cursor
from payments.rails import Sighting
from tests.factories import NOW
from tests.payments.pretend import HOME, LiveStory, Node, PretendRail, home, living, own_wallet

__all__ = ["home"]
pytestmark = pytest.mark.django_db(transaction=True)

LEASE = timedelta(seconds=0.6)
NEVER = timedelta(hours=1)


@pytest.fixture
def story(home: Node) -> LiveStory:
    merchant = living()
    own_wallet(merchant)
    return LiveStory(merchant, home)


def hasty(monkeypatch: pytest.MonkeyPatch, *, every: timedelta = LEASE / 6, longest: timedelta = NEVER) -> None:
    monkeypatch.setattr(cursors, "LEASE", LEASE)
    monkeypatch.setattr(cursors, "RENEWED_EVERY", every)
    monkeypatch.setattr(cursors, "LONGEST_PASS", longest)


def claimed() -> Cursor:
    cursor = cursors.claim(HOME, NOW)
    assert cursor is not None
    return cursor


def leased_for() -> timedelta | None:
    """Of the network's lease, from NOW on."""
    until = Cursor.objects.get(network=HOME).leased_until
    return None if until is None else until - NOW


def keepers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("lease of")]


@pytest.mark.parametrize("every", [LEASE / 6, NEVER])
def test_a_pass_longer_than_its_lease_lands_because_it_is_renewed(story: LiveStory, monkeypatch: pytest.MonkeyPatch, every: timedelta) -> None:
    """Without renewal the next tick takes it over, here in the middle of a scan, and the work of the first is lost."""
    hasty(monkeypatch, every=every)
    through, taken_over = PretendRail.scan, []

    def slow(rail: PretendRail, addresses: Collection[str], *, first: int, last: int) -> list[Sighting]:
        began = time.monotonic()
        time.sleep(LEASE.total_seconds() * 1.5)
        passed = timedelta(seconds=time.monotonic() - began)
        taken_over.append(cursors.claim(HOME, story.now + passed) is not None)
        return through(rail, addresses, first=first, last=last)

    story.pay()
    story.node.mine(now=story.now)
    monkeypatch.setattr(PretendRail, "scan", slow)
    watcher.read(HOME, now=story.now)
    is_renewed = every is not NEVER
    assert (taken_over, len(story.transfers()), leased_for() is None) == ([not is_renewed], int(is_renewed), is_renewed)


def test_a_pass_that_hangs_is_renewed_for_so_long_and_then_another_may_begin(home: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    hasty(monkeypatch, longest=LEASE / 3)
    with cursors.kept(claimed(), now=NOW):
        time.sleep(LEASE.total_seconds() * 1.5)
        until = leased_for()
        assert until is not None and LEASE <= until < LEASE * 1.5
        assert keepers() == []
        assert cursors.claim(HOME, NOW + LEASE * 1.5) is not None


def test_a_lease_that_another_took_over_or_that_was_released_is_left_alone(home: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    hasty(monkeypatch)
    cursor = claimed()
    cursors.release(cursor)
    with cursors.kept(cursor, now=NOW):
        time.sleep(LEASE.total_seconds() / 2)
        assert leased_for() is None
    later = claimed()
    with cursors.kept(cursor, now=NOW):
        time.sleep(LEASE.total_seconds() / 2)
        assert (leased_for(), cursors.is_held(later)) == (LEASE, True)


def test_nothing_is_renewed_after_the_pass(home: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    hasty(monkeypatch)
    cursor = claimed()
    with pytest.raises(ZeroDivisionError), cursors.kept(cursor, now=NOW):
        raise ZeroDivisionError
    time.sleep(LEASE.total_seconds() / 2)
    assert (leased_for(), keepers()) == (LEASE, [])


def test_a_short_pass_opens_no_connection_and_a_long_one_its_own(home: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def note(**_named: object) -> None:
        opened.append(threading.current_thread().name)

    cursor = claimed()
    connection_created.connect(note)
    try:
        with cursors.kept(cursor, now=NOW):
            pass
        assert opened == []
        hasty(monkeypatch)
        with cursors.kept(cursor, now=NOW):
            time.sleep(LEASE.total_seconds() / 2)
        assert opened == [f"lease of {HOME}"]
    finally:
        connection_created.disconnect(note)
