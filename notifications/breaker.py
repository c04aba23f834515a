"""Whether a receiver is left alone for a while: an endpoint, or a merchant's own mail server, that does not answer.

Five tries in a row that time out, find nobody or are told 'not now' block it for a minute, each further one for twice as
long, up to a quarter of an hour. What waits for it waits, and no try of it is counted. After that there is one try at a time
until one succeeds. An endpoint on which nothing has succeeded for five days is switched off; of a mail server through which
nothing has gone for a day its owners are told. Blocking is no event: the row says so, and the pages that show it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, DateTimeField, F, Q, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from merchants.events import record
from merchants.models import Event
from notifications.audience import owners
from notifications.models import Endpoint, MailServer
from notifications.transports import Outcome
from notifications.webhooks import endpoints

Receiver = Endpoint | MailServer
TOLERATED = 4  # failures in a row that change nothing
FIRST, LONGEST = timedelta(seconds=60), timedelta(minutes=15)
PATIENCE = timedelta(days=5)  # without a success; then it is switched off
WARNED_AFTER = timedelta(days=1)  # without a success of a mail server


def block_after(failures: int) -> timedelta | None:
    """For how long nothing is tried after so many failures in a row. Pure."""
    if failures <= TOLERATED:
        return None
    return min(FIRST * 2 ** min(failures - TOLERATED - 1, 8), LONGEST)


def heard(receiver: Receiver, outcome: Outcome, *, now: datetime) -> None:
    """Count how a try went. It is one UPDATE: several senders may report at the same moment."""
    row = type(receiver)._default_manager.filter(pk=receiver.pk)
    if outcome.ok:
        failing = Q(failures__gt=0) | Q(blocked_until__isnull=False) | Q(failing_since__isnull=False)
        row.filter(failing).update(failures=0, blocked_until=None, failing_since=None)
        return
    changes: dict[str, Any] = {}
    if outcome.is_down or isinstance(receiver, Endpoint):  # what a mail server says of one mail is no failure of the server
        changes["failing_since"] = Coalesce(F("failing_since"), Value(now, output_field=DateTimeField()))
    if outcome.is_down:
        changes |= {"failures": F("failures") + 1, "blocked_until": _blocked_until(now)}
    if changes:
        row.update(**changes)


def _blocked_until(now: datetime) -> Case:
    """`block_after` for a row whose count is about to be raised by one."""
    steps = []
    failures = TOLERATED + 1
    while (span := block_after(failures)) is not None and span < LONGEST:
        steps.append(When(failures=failures - 1, then=Value(now + span, output_field=DateTimeField())))
        failures += 1
    last = When(failures__gte=failures - 1, then=Value(now + LONGEST, output_field=DateTimeField()))
    return Case(*steps, last, default=Value(None, output_field=DateTimeField()), output_field=DateTimeField())


def give_up_on(endpoint: Endpoint, outcome: Outcome, *, now: datetime) -> bool:
    """Switch the endpoint off where this answer, or five days without a success, say so. True when that was done now."""
    if outcome.ok:
        return False
    if outcome.code == "410":
        return endpoints.disable(endpoint, reason=_("It answered 410 Gone."), now=now)
    if not Endpoint.objects.filter(pk=endpoint.pk, failing_since__lte=now - PATIENCE).exists():
        return False
    reason = _("Nothing has succeeded for %(count)d days. The last answer: %(answer)s") % {"count": PATIENCE.days, "answer": _last(outcome)}
    return endpoints.disable(endpoint, reason=reason, now=now)


def warn_of(server: MailServer, outcome: Outcome, *, now: datetime) -> bool:
    """Tell the owners, once, of a mail server that has not answered for a day. True when that was done now."""
    if outcome.ok:
        return False
    with transaction.atomic():
        failing = MailServer.objects.select_for_update(of=("self",)).filter(is_enabled=True, failing_since__lte=now - WARNED_AFTER)
        found = failing.filter(pk=server.pk).select_related("merchant").first()
        told = Event.objects.filter(kind="mail_server.failing", subject_kind="mailserver", subject_id=server.pk)
        if found is None or told.filter(at__gte=found.failing_since).exists():
            return False
        facts = {"server": str(found), "answer": _last(outcome), "business": found.merchant.name, "owners": owners(found.merchant)}
        record("mail_server.failing", merchant=found.merchant, subject=found, now=now, facts=facts)
        return True


def _last(outcome: Outcome) -> str:
    return f"{outcome.code} {outcome.answer}".strip()[:150]
