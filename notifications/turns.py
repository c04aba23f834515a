"""Who sends next. Merchants take turns, then their lanes: an endpoint, or a mail server.

A lane with nothing due, blocked, paused or busy is passed over, whatever waits behind it. What a choice costs grows with the
number of lanes that something waits for, not with how much waits: the indexes are skipped through from lane to lane
(https://wiki.postgresql.org/wiki/Loose_indexscan).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Count, Q, QuerySet

from merchants.models import Event
from notifications import limits
from notifications.models import Channel, Delivery, Endpoint, MailServer
from notifications.plans import TO_PAYERS

Taken = TypeVar("Taken")
AT_ONCE = 2  # webhooks on their way to one endpoint, over all senders; to one whose last try failed a single one
LANES = 8  # mail servers that one sender talks to at once: one of them is the installation's, whatever the others do
SHOWN = 200  # of a merchant with a mail server of its own: how far into its mails, those to payers and the others, a choice looks

# The next lane is the smallest KEY above this one: one step into the index each.
LANES_SQL = """
WITH RECURSIVE lane(id) AS (
    SELECT MIN(KEY) FROM TABLE WHERE WAITS
    UNION ALL
    SELECT (SELECT MIN(KEY) FROM TABLE WHERE WAITS AND KEY > lane.id) FROM lane WHERE lane.id IS NOT NULL
)
"""
OPEN_ENDPOINTS_SQL = """
SELECT e.id, e.merchant_id, e.failures FROM lane JOIN notifications_endpoint e ON e.id = lane.id
WHERE (e.removed_at IS NOT NULL OR (e.is_enabled AND e.paused_at IS NULL AND (e.blocked_until IS NULL OR e.blocked_until <= %s)))
AND (SELECT MIN(d.next_at) FROM notifications_delivery d WHERE d.status = 'queued' AND d.endpoint_id = e.id) <= %s
"""
SENDERS_SQL = """
SELECT id FROM lane WHERE id IS NOT NULL AND
(SELECT MIN(d.next_at) FROM notifications_delivery d WHERE d.status = 'queued' AND d.channel = 'email' AND d.merchant_id = lane.id) <= %s
"""
TELLERS_SQL = "SELECT id FROM lane WHERE id IS NOT NULL"


def _lanes(key: str, table: str, waits: str) -> str:
    return LANES_SQL.replace("KEY", key).replace("TABLE", table).replace("WAITS", waits)


@dataclass(frozen=True)
class Lane:
    """An endpoint that something is due for."""

    endpoint: int
    merchant: int
    is_failing: bool  # its last try failed

    @property
    def at_once(self) -> int:
        return 1 if self.is_failing else AT_ONCE


def overdue(now: datetime) -> bool:
    """Whether a message was due before `now` that nothing keeps from being tried: nobody sends, or too few do."""
    return bool(due_lanes(now) or senders(now))


def in_turn(queues: Iterable[Iterable[Taken]]) -> Iterator[Taken]:
    """The first of each queue, then the second of each, until all are empty."""
    left = [iter(queue) for queue in queues]
    while left:
        for queue in list(left):
            try:
                yield next(queue)
            except StopIteration:
                left.remove(queue)


def due_lanes(now: datetime) -> list[Lane]:
    """The endpoints that may be tried now and for which something is due."""
    lanes = _lanes("endpoint_id", "notifications_delivery", "status = 'queued'")
    return [Lane(endpoint, merchant, failures > 0) for endpoint, merchant, failures in _rows(lanes + OPEN_ENDPOINTS_SQL, now, now)]


def choose(lanes: Iterable[Lane], *, limit: int, failing: int) -> Counter[Lane]:
    """How many of each to try: `limit` in all, `failing` of them for endpoints whose last try failed. Whoever has the fewest
    on their way comes first."""
    busy, held = on_their_way(), Counter[int]()
    of: dict[int, list[Lane]] = {}
    for lane in lanes:
        of.setdefault(lane.merchant, []).append(lane)
        held[lane.merchant] += busy[lane.endpoint]
    queues = [_places(found, busy) for _merchant, found in sorted(of.items(), key=lambda pair: (held[pair[0]], random.random()))]  # noqa: S311 - a draw
    chosen: Counter[Lane] = Counter()
    for lane in in_turn(queues):
        if chosen.total() >= limit:
            break
        if lane.is_failing:
            if failing <= 0:
                continue
            failing -= 1
        chosen[lane] += 1
    return chosen


def _places(lanes: list[Lane], busy: Counter[int]) -> Iterator[Lane]:
    """A merchant's endpoints as often as there is a place at each, one place of each before the second of any."""
    ordered = sorted(lanes, key=lambda lane: (busy[lane.endpoint], random.random()))  # noqa: S311
    return in_turn([lane] * max(lane.at_once - busy[lane.endpoint], 0) for lane in ordered)


def on_their_way(endpoints: Iterable[int] | None = None) -> Counter[int]:
    """How many webhooks are being sent to each endpoint, by all senders."""
    sending = Delivery.objects.filter(status=Delivery.State.SENDING, endpoint__isnull=False)
    if endpoints is not None:
        sending = sending.filter(endpoint__in=list(endpoints))
    return Counter(dict(sending.order_by().values_list("endpoint").annotate(Count("pk"))))


def webhooks(chosen: Mapping[Lane, int], *, now: datetime) -> list[int]:
    """The deliveries themselves. In a transaction: each endpoint is locked, so that over all senders no more are on their way
    to it than may be. One that somebody else chooses for at this moment is passed over."""
    wanted = {lane.endpoint: (lane, count) for lane, count in chosen.items()}
    mine = list(Endpoint.objects.select_for_update(skip_locked=True, no_key=True).filter(pk__in=wanted).order_by("pk").values_list("pk", flat=True))
    busy = on_their_way(mine)
    found: list[int] = []
    for endpoint in mine:
        lane, count = wanted[endpoint]
        room = min(count, lane.at_once - busy[endpoint])
        if room > 0:
            due = Delivery.objects.filter(endpoint=endpoint, status=Delivery.State.QUEUED, next_at__lte=now)
            found += due.order_by("next_at", "id").values_list("pk", flat=True)[:room]
    return found


def senders(now: datetime) -> list[int]:
    """The merchants with mails that are due, in any order."""
    lanes = _lanes("merchant_id", "notifications_delivery", "status = 'queued' AND channel = 'email'")
    found = [pk for (pk,) in _rows(lanes + SENDERS_SQL, now)]
    random.shuffle(found)
    return found


def mails(merchants: list[int], *, now: datetime, limit: int, busy: Mapping[int | None, int]) -> list[int]:
    """Mails of `merchants` to try: so many that each mail server has `limit`, those counted that it is `busy` with. Those over
    their merchant's daily limit are put off. In a transaction: what somebody else takes at this moment is passed over."""
    servers = {server.merchant_id: server for server in MailServer.objects.filter(merchant__in=merchants, is_enabled=True)}
    room = limit - busy.get(None, 0)
    shared, chosen = [], []
    for merchant in [pk for pk in merchants if pk in servers][: LANES * 2]:
        own, others = _split(merchant, servers[merchant], now=now)
        shared.append(others)
        chosen.append((servers[merchant], own))
    if room > 0:
        shared += [_first(merchant, room, now=now) for merchant in islice((pk for pk in merchants if pk not in servers), room)]
    found = list(islice(in_turn(shared), max(room, 0)))
    return found + _own(chosen, limit, busy)


def _own(chosen: list[tuple[MailServer, list[int]]], limit: int, busy: Mapping[int | None, int]) -> list[int]:
    """From each merchant with a server of its own as many as that has room for; from one that failed last time a single one."""
    found: list[int] = []
    talking = {lane for lane in busy if lane is not None and busy[lane]}
    failing = 0
    for server, waiting in chosen:
        is_failing = server.failures > 0
        if not waiting or (server.pk not in talking and len(talking) >= LANES - 1) or (is_failing and failing >= LANES // 2):
            continue
        place = (1 if is_failing else limit) - busy.get(server.pk, 0)
        if taken := waiting[: max(place, 0)]:
            found += taken
            talking.add(server.pk)
            failing += is_failing
    return found


def _split(merchant: int, server: MailServer, *, now: datetime) -> tuple[list[int], list[int]]:
    """A merchant's first due mails: those through its own server, and the others. While that is blocked they are put off."""
    waiting, payers = _waiting(merchant, now), Q(template__in=TO_PAYERS)
    own = list(waiting.filter(payers).values_list("next_at", "pk")[:SHOWN])
    others = list(waiting.exclude(payers).values_list("next_at", "pk")[:SHOWN])
    if server.blocked_until and server.blocked_until > now:
        put_off = Delivery.objects.filter(pk__in=[pk for _at, pk in own], status=Delivery.State.QUEUED)
        put_off.update(next_at=server.blocked_until)
        own = []
    elif server.failures > 0 and Delivery.objects.filter(status=Delivery.State.SENDING, merchant=merchant, template__in=TO_PAYERS).exists():
        own = []  # one try at a time, over all senders
    both = sorted(own + others)
    allowed = set(both[: limits.room(merchant, waiting, len(both), now=now)])
    return [row[1] for row in own if row in allowed], [row[1] for row in others if row in allowed]


def _first(merchant: int, wanted: int, *, now: datetime) -> list[int]:
    waiting = _waiting(merchant, now)
    free = waiting.select_for_update(skip_locked=True, of=("self",))
    return list(free.values_list("pk", flat=True)[: limits.room(merchant, waiting, wanted, now=now)])


def _waiting(merchant: int, now: datetime) -> QuerySet[Delivery]:
    due = Delivery.objects.filter(merchant=merchant, channel=Channel.EMAIL, status=Delivery.State.QUEUED, next_at__lte=now)
    return due.order_by("next_at", "id")


def events(limit: int) -> list[int]:
    """Events to fan out next: merchants take turns; of each the oldest first, behind them those that could not be."""
    merchants = [pk for (pk,) in _rows(_lanes("merchant_id", "merchants_event", "fanned_out_at IS NULL") + TELLERS_SQL)]
    random.shuffle(merchants)
    some = merchants[:limit]
    waiting = Event.objects.filter(fanned_out_at=None).order_by("fan_out_tries", "id").values_list("fan_out_tries", "pk")
    queues = [list(waiting.filter(merchant=merchant)[: limit // len(some) + 1]) for merchant in some]
    return [pk for _tries, pk in sorted(in_turn(queues), key=lambda row: row[0])][:limit]


def _rows(sql: str, *moments: datetime) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [connection.ops.adapt_datetimefield_value(moment) for moment in moments])
        return list(cursor.fetchall())
