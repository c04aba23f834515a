"""When a delivery that failed for now is tried again. Pure; the schedules can be read aloud."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext as _

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)

# The wait before the second try, the third, …; after the last of them it is given up.
SCHEDULE: dict[str, tuple[timedelta, ...]] = {
    "webhook": (5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR),
    # CCPayment's own: 60 × 2ⁿ − 30 seconds
    "ccpayment": (30 * SECOND, 90 * SECOND, 210 * SECOND, 450 * SECOND, 930 * SECOND, 1890 * SECOND),
    "email": (30 * SECOND, 2 * MINUTE, 10 * MINUTE, 1 * HOUR, 4 * HOUR, 12 * HOUR),
}
# Receivers that failed together do not come back together: each wait is up to this much longer or shorter.
JITTER = {"webhook": 0.1, "ccpayment": 0.0, "email": 0.0}
LONGEST = 24 * HOUR  # whatever a receiver asks for in Retry-After


def wait(schedule: str, tries: int, *, luck: float = 0.0, retry_after: timedelta | None = None) -> timedelta | None:
    """How long to wait after `tries` failed tries; None when there are no more.

    `luck` from −1 to 1 places the wait inside the jitter. A receiver's own `retry_after` can make it longer, up to
    24 hours, never shorter.
    """
    if tries > len(SCHEDULE[schedule]):
        return None
    planned = SCHEDULE[schedule][tries - 1] * (1 + luck * JITTER[schedule])
    return max(planned, min(retry_after or timedelta(), LONGEST))


def waits_after(schedule: str, tries: int) -> list[timedelta]:
    """The waits still to come once the try after `tries` has failed too."""
    return list(SCHEDULE[schedule][tries:])


def in_words(span: timedelta) -> str:
    """'90 s', '7.5 min', '2 h'."""
    seconds = round(span.total_seconds())
    if seconds < 120:
        return _("%(count)d s") % {"count": seconds}
    if seconds < 3600:
        return _("%(count)g min") % {"count": seconds / 60}
    return _("%(count)d h") % {"count": seconds // 3600}
