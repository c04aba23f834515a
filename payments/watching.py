"""What a merchant is told about the watch over its networks: the last block that was seen is the proof of life."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from invoicing.money import grouped
from merchants import assets, moments
from merchants.assets import Network
from payments.cursors import PATIENCE
from payments.models import Cursor

UNREACHABLE_FROM = 3  # failed passes in a row: one or two are repaired before anybody reads of them
TONES = ("red", "amber", "grey", "green")  # the worst first


@dataclass(frozen=True)
class Watch:
    """How one network is watched now, in words."""

    network: Network
    tone: str
    icon: str
    words: str
    note: str = ""


def watches(*, zone: str, now: datetime) -> dict[str, list[Watch]]:
    """By family, every network that is switched on. Times are of `zone`."""
    cursors = {row.network: row for row in Cursor.objects.defer("blocks", "unsettled")}
    found: dict[str, list[Watch]] = {}
    for network in assets.catalogue().networks.values():
        if network.enabled:
            found.setdefault(network.family, []).append(watch(network, cursors.get(network.id), zone=zone, now=now))
    return found


def worst(of: list[Watch]) -> Watch | None:
    """The one to show where there is room for one; among equals the catalogue's first."""
    return min(of, key=lambda found: TONES.index(found.tone), default=None)


def watch(network: Network, cursor: Cursor | None, *, zone: str, now: datetime) -> Watch:
    """How `network` is watched, as its cursor (None before the first pass) tells."""
    if cursor is None or (cursor.read_at is None and cursor.failures < UNREACHABLE_FROM):
        return Watch(network, "grey", "clock", _("Not looked at yet"), _("the first look comes within a minute"))
    since = _since(cursor.read_at, zone, now)
    if cursor.failures >= UNREACHABLE_FROM:
        return Watch(network, "red", "triangle-alert", _("Cannot be reached"), since)
    behind = max((cursor.head_height or 0) - cursor.height, 0)
    if cursor.behind_since is not None and behind:
        words = ngettext("Behind by %(count)s block", "Behind by %(count)s blocks", behind) % {"count": grouped(behind, 0)}
        return Watch(network, "amber", "triangle-alert", words, _("catching up since %(time)s") % {"time": _at(cursor.behind_since, zone, now)})
    if cursor.read_at is not None and now - cursor.read_at > timedelta(seconds=network.poll_seconds) + PATIENCE:
        return Watch(network, "amber", "triangle-alert", _("Not looked at"), since)
    return Watch(network, "green", "circle-check", _("Watching"), _block(cursor, now))


def _block(cursor: Cursor, now: datetime) -> str:
    if cursor.head_height is None or cursor.head_at is None:
        return ""
    told = {"height": grouped(cursor.head_height, 0), "ago": ago(now - cursor.head_at)}
    return _("block %(height)s, %(ago)s") % told


def _since(moment: datetime | None, zone: str, now: datetime) -> str:
    return _("since %(time)s") % {"time": _at(moment, zone, now)} if moment else ""


def _at(moment: datetime, zone: str, now: datetime) -> str:
    """'10:20' today, '16 Nov 2026, 10:20' before."""
    local = moments.local(moment, zone)
    return f"{local:%H:%M}" if local.date() == moments.local(now, zone).date() else moments.short(moment, zone)


def ago(time: timedelta) -> str:
    """'9 s ago', '6 min ago', '3 h ago', '2 days ago'; rounded down, and never ahead."""
    seconds = max(int(time.total_seconds()), 0)
    if seconds < 60:
        return _("%(count)d s ago") % {"count": seconds}
    if seconds < 3600:
        return _("%(count)d min ago") % {"count": seconds // 60}
    if seconds < 86400:
        return _("%(count)d h ago") % {"count": seconds // 3600}
    return ngettext("%(count)d day ago", "%(count)d days ago", seconds // 86400) % {"count": seconds // 86400}
