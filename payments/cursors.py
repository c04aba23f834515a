"""How far each network has been read, who reads it now, and when it is read next."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Thread

from django.conf import settings
from django.db import Error, connection, connections
from django.db.models import Q

from merchants import assets
from merchants.assets import Network
from payments.models import Cursor, Wallet

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=3)
RENEWED_EVERY = timedelta(seconds=30)
LONGEST_PASS = timedelta(minutes=30)  # after that it hangs, and another may begin
LONGEST_WAIT = timedelta(seconds=60)  # after failures
PATIENCE = timedelta(seconds=60)  # beyond its own interval, before a network that was not read is called unwell


@dataclass(frozen=True)
class NetworkState:
    """A network as the operator sees it. Heights are None while they are unknown."""

    network: Network
    height: int | None
    head: int | None
    read_at: datetime | None
    source: str  # the host that was read last
    error: str
    failures: int  # passes in a row in which no node could be asked
    behind_since: datetime | None
    is_used: bool
    is_well: bool
    chain: str = ""  # chain id or genesis, as the node said
    checked_at: datetime | None = None  # when its nodes and tokens were last looked over
    remarks: tuple[str, ...] = ()  # what was wrong with them

    @property
    def behind(self) -> int:
        """Blocks that are known to be there and not read yet."""
        return 0 if self.height is None or self.head is None else max(self.head - self.height, 0)


def claim(network_id: str, now: datetime) -> Cursor | None:
    """The network's cursor, leased to the caller; None while another worker has it."""
    cursor, _created = Cursor.objects.get_or_create(network=network_id)
    free = Cursor.objects.filter(Q(leased_until=None) | Q(leased_until__lte=now), pk=cursor.pk, lease=cursor.lease)
    if not free.update(lease=cursor.lease + 1, leased_until=now + LEASE):
        return None
    cursor.lease += 1
    return cursor


@contextmanager
def kept(cursor: Cursor, *, now: datetime) -> Iterator[None]:
    """Around a pass that was claimed at `now`: its lease is renewed while it goes on, for LONGEST_PASS at most, by a thread
    with a connection of its own. A pass that is over before the first renewal needs no connection. A lease that
    another has taken over, or that was released, is left alone; that of a killed worker ends by itself."""
    over = Event()
    keeper = Thread(target=_keep, args=(cursor, now, over), name=f"lease of {cursor.network}", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


def _keep(cursor: Cursor, now: datetime, over: Event) -> None:
    began = time.monotonic()
    try:
        while not over.wait(RENEWED_EVERY.total_seconds()):
            passed = timedelta(seconds=time.monotonic() - began)
            if passed > LONGEST_PASS or not _renewed(cursor, until=now + passed + LEASE):
                return
    finally:
        connections.close_all()  # this thread's


def _renewed(cursor: Cursor, *, until: datetime) -> bool:
    """Whether the lease is the caller's still. A database that cannot be asked may answer the next time."""
    try:
        return bool(Cursor.objects.filter(pk=cursor.pk, lease=cursor.lease, leased_until__isnull=False).update(leased_until=until))
    except Error as error:
        logger.warning("The lease of %s could not be renewed: %s", cursor.network, error)
        connection.close()
        return True


def is_held(cursor: Cursor) -> bool:
    """Whether the caller's lease is still the latest."""
    return Cursor.objects.filter(pk=cursor.pk, lease=cursor.lease).exists()


def release(cursor: Cursor, **columns: object) -> None:
    Cursor.objects.filter(pk=cursor.pk, lease=cursor.lease).update(leased_until=None, **columns)


def give_up(cursor: Cursor, *, error: str, now: datetime) -> None:
    """End a pass that came to nothing: each failure in a row doubles the wait, up to LONGEST_WAIT."""
    failures = cursor.failures + 1
    poll = _poll(assets.catalogue().networks[cursor.network])
    wait = min(poll * 2 ** min(failures, 10), LONGEST_WAIT)
    release(cursor, error=error[:300], failures=failures, retry_at=now + wait)


def due_networks(now: datetime) -> list[str]:
    """The networks to be read now: in use, their interval over, and not waiting after a failure."""
    cursors = {row.network: row for row in Cursor.objects.only("network", "read_at", "retry_at", "behind_since")}
    return [network.id for network in used_networks() if _is_due(network, cursors.get(network.id), now)]


def _is_due(network: Network, cursor: Cursor | None, now: datetime) -> bool:
    if cursor is None:
        return True
    if cursor.retry_at is not None:
        return cursor.retry_at <= now
    return cursor.behind_since is not None or cursor.read_at is None or cursor.read_at + _poll(network) <= now


def _poll(network: Network) -> timedelta:
    return timedelta(seconds=max(network.poll_seconds, 1))


def used_networks() -> list[Network]:
    """Enabled networks that some wallet, retired or not, receives on."""
    families = set(Wallet.objects.order_by().values_list("family", flat=True).distinct())
    return [network for network in assets.catalogue().networks.values() if _is_open(network) and network.family in families]


def _is_open(network: Network) -> bool:
    return network.enabled and (settings.SANDBOX_OPEN or not network.test)


def states(now: datetime) -> list[NetworkState]:
    """Every network of the catalogue, in its order."""
    cursors = {row.network: row for row in Cursor.objects.defer("blocks", "unsettled")}
    used = {network.id for network in used_networks()}
    return [_state(network, cursors.get(network.id), is_used=network.id in used, now=now) for network in assets.catalogue().networks.values()]


def _state(network: Network, cursor: Cursor | None, *, is_used: bool, now: datetime) -> NetworkState:
    if cursor is None:
        return NetworkState(network, None, None, None, "", "", 0, None, is_used, is_well=not is_used)
    fresh = cursor.read_at is not None and now - cursor.read_at <= _poll(network) + PATIENCE
    return NetworkState(
        network=network,
        height=cursor.height if cursor.height >= 0 else None,
        head=cursor.head_height,
        read_at=cursor.read_at,
        source=cursor.source,
        error=cursor.error,
        failures=cursor.failures,
        behind_since=cursor.behind_since,
        is_used=is_used,
        is_well=not is_used or (fresh and not cursor.error and cursor.behind_since is None),
        chain=cursor.chain,
        checked_at=cursor.checked_at,
        remarks=tuple(cursor.remarks),
    )


def read_until() -> dict[str, datetime | None]:
    """Up to when each used network has been read whole: None for one that is catching up. Those never read are left out."""
    used = [network.id for network in used_networks()]
    rows = Cursor.objects.filter(network__in=used).values_list("network", "read_at", "behind_since")
    return {network: read_at if behind_since is None else None for network, read_at, behind_since in rows}
