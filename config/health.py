"""Whether this installation is alive, ready, and well.

/healthz   the process answers; asks nothing of anybody
/readyz    the database answers and every migration is applied: requests can be sent here
/status    the parts one by one, for operators: 200 when all are well, 503 when one is not
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from merchants import clock, heartbeats
from notifications import turns
from notifications.models import Attempt, Channel
from payments import cursors

QUIET_TOO_LONG = timedelta(seconds=45)  # four heartbeats and a half
MAIL_WINDOW = timedelta(hours=24)
LATE = timedelta(minutes=5)


@dataclass(frozen=True)
class Part:
    ok: bool
    last_seen: datetime | None
    detail: str = ""
    more: dict[str, Any] | None = None

    def shown(self) -> dict[str, Any]:
        seen = self.last_seen.isoformat(timespec="seconds").replace("+00:00", "Z") if self.last_seen else None
        return {"ok": self.ok, "last_seen": seen, "detail": self.detail, **(self.more or {})}


@never_cache
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    part = database()
    return HttpResponse("ready\n" if part.ok else f"{part.detail}\n", content_type="text/plain", status=200 if part.ok else 503)


@never_cache
@require_safe
def status(request: HttpRequest) -> HttpResponse:
    if not _may_see(request):
        refusal = JsonResponse({"detail": "Sign in as an operator, or send STATUS_TOKEN as a bearer token."}, status=401)
        refusal["WWW-Authenticate"] = "Bearer"
        return refusal
    parts = {
        "database": database(),
        "broker": broker(),
        "worker": _heartbeat("worker"),
        "beat": _heartbeat("beat"),
        "mail": mail(),
        "messages": messages(),
        "networks": networks(),
    }
    well = all(part.ok for part in parts.values())
    return JsonResponse({"ok": well, **{name: part.shown() for name, part in parts.items()}}, status=200 if well else 503)


def _may_see(request: HttpRequest) -> bool:
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if settings.STATUS_TOKEN and scheme.lower() == "bearer":  # asked first: it needs no database
        return constant_time_compare(token.strip(), settings.STATUS_TOKEN)
    return settings.STATUS_OPEN or (request.user.is_active and request.user.is_staff)


def database() -> Part:
    """Reachable, and as new as the code. `detail` is for anybody: the driver's words name an address and a user."""
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error as error:
        return Part(False, None, "The database cannot be reached.", {"error": _first_line(error)})
    if waiting:
        return Part(False, None, f"{len(waiting)} migrations are not applied. Run: python manage.py migrate")
    return Part(True, datetime.now(UTC))


def broker() -> Part:
    if not settings.REDIS_URL:
        return Part(False, None, "REDIS_URL is not set for this process.")
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
            client.ping()
    except redis.RedisError as error:
        return Part(False, None, f"The broker does not answer: {_first_line(error)}")
    return Part(True, datetime.now(UTC))


def _heartbeat(who: str) -> Part:
    seen = heartbeats.last_seen(who)
    if seen is None:
        return Part(False, None, f"The {who} has not been seen yet.")
    silent = datetime.now(UTC) - seen
    if silent > QUIET_TOO_LONG:
        return Part(False, seen, f"The {who} has been silent for {int(silent.total_seconds())} seconds.")
    return Part(True, seen)


def mail() -> Part:
    """Well unless the mail server let us down the last time; an address that it refuses is no fault of the server."""
    try:
        return _mail()
    except Error as error:
        return Part(False, None, f"The database cannot be reached: {_first_line(error)}")


def _mail() -> Part:
    tried = Attempt.objects.filter(delivery__channel=Channel.EMAIL, succeeded__isnull=False)
    sent = tried.filter(succeeded=True).order_by("-started_at").values_list("started_at", flat=True).first()
    last = tried.exclude(succeeded=False, is_permanent=True).order_by("-started_at").first()
    failures = tried.filter(succeeded=False, started_at__gt=clock.now() - MAIL_WINDOW).count()
    more = {"last_attempt": last.started_at.isoformat(timespec="seconds").replace("+00:00", "Z") if last else None, "failures_in_24_hours": failures}
    if last is not None and not last.succeeded:
        return Part(False, sent, f"The last mail could not be sent: {_first_line(last.answer)}", more)
    return Part(True, sent, "" if last else "No mail has been sent yet.", more)


def messages() -> Part:
    """Well while everything that is due leaves within minutes; what waits for a receiver that fails is not due."""
    try:
        late = turns.overdue(clock.now() - LATE)
    except Error as error:
        return Part(False, None, f"The database cannot be reached: {_first_line(error)}")
    minutes = int(LATE.total_seconds() // 60)
    return Part(not late, None, f"Messages have been due for more than {minutes} minutes. Does the sender run?" if late else "")


def networks() -> Part:
    """The networks that some wallet receives on: well when each was read lately, and to its head."""
    try:
        states = [state for state in cursors.states(clock.now()) if state.is_used]
    except Error as error:
        return Part(False, None, f"The database cannot be reached: {_first_line(error)}")
    ill = [state.network.name for state in states if not state.is_well]
    seen = [state.read_at for state in states if state.read_at]
    return Part(
        not ill, max(seen, default=None), f"Not read to the head: {', '.join(ill)}." if ill else "", {"each": [_told(state) for state in states]}
    )


def _told(state: cursors.NetworkState) -> dict[str, Any]:
    return {
        "network": state.network.id,
        "name": state.network.name,
        "ok": state.is_well,
        "chain": state.chain,
        "height": state.height,
        "head": state.head,
        "behind": state.behind,
        "read_at": state.read_at.isoformat(timespec="seconds").replace("+00:00", "Z") if state.read_at else None,
        "source": state.source,
        "failures": state.failures,
        "error": state.error,
        "remarks": list(state.remarks),
    }


def _first_line(said: object) -> str:
    return next(iter(str(said).strip().splitlines()), "")[:200]
