"""Signs of life of what works unseen.

Beat sends `merchants.tasks.heartbeat` every ten seconds and says so as it sends; a worker says so as it runs it. So a
silent worker and a silent beat can be told apart. The marks are in the cache: losing them costs ten seconds, and a
cache that is away is no reason for a task to fail. They are in real time, since a journey that moves the clock by a week
has not stopped anything.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from django.core.cache import cache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

TASK = "merchants.tasks.heartbeat"
BEAT, WORKER = "beat", "worker"
KEPT_SECONDS = 7 * 24 * 3600


def seen(who: str) -> None:
    """`who` is alive at this moment."""
    try:
        cache.set(_key(who), datetime.now(UTC).isoformat(), KEPT_SECONDS)
    except (RedisError, OSError) as error:
        logger.warning("The heartbeat of %s could not be kept: %s", who, error)


def last_seen(who: str) -> datetime | None:
    """When `who` was last seen, in real time; None when never, or when the cache cannot say."""
    try:
        kept = cache.get(_key(who))
    except (RedisError, OSError):
        return None
    return datetime.fromisoformat(kept) if kept else None


def _key(who: str) -> str:
    return f"heartbeat:{who}"
