"""Looking a network over: whether its nodes answer, are on the right chain, and its tokens are what the catalogue says.

Reading never depends on it; `manage.py networks`, the admin and /status show what was found.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from merchants.assets import Network
from payments.models import Cursor
from payments.rails import Checked, RailUnreachable, rail_for


def look(network: Network) -> Checked | str:
    """What the nodes of `network` say now, or the sentence that says why none can be asked."""
    try:
        return rail_for(network.id).check()
    except RailUnreachable as error:
        return str(error)


def look_over(networks: Iterable[Network], *, now: datetime) -> list[tuple[Network, Checked | str]]:
    """Look at all of them at once, so that one that does not answer holds up no other, and keep what was found."""
    chosen = list(networks)
    away = [network for network in chosen if network.urls]  # the others are in our own database, which is this thread's
    with ThreadPoolExecutor(max_workers=max(len(away), 1)) as pool:
        said = dict(zip((network.id for network in away), pool.map(look, away), strict=True))
    found = [(network, said[network.id] if network.id in said else look(network)) for network in chosen]
    for network, told in found:
        _keep(network, told, now)
    return found


def _keep(network: Network, told: Checked | str, now: datetime) -> None:
    columns: dict[str, object] = {"checked_at": now, "remarks": [told] if isinstance(told, str) else list(told.remarks)}
    if isinstance(told, Checked):
        columns["chain"] = told.chain[:80]
    Cursor.objects.update_or_create(network=network.id, defaults=columns)
