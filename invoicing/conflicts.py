"""Who was faster: what an author is told whose page was opened before the last change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.utils.translation import gettext as _

from invoicing.models import Invoice, Schedule
from merchants import moments
from merchants.models import Event, User

# what counts the version up → what to say of one's own other tab, and of another member; `when` is 'at 10:42'
CHANGES: dict[str, Callable[[], tuple[str, str]]] = {
    "edited": lambda: (_("You saved it in another tab %(when)s."), _("%(who)s saved it %(when)s while you were writing.")),
    "scheduled": lambda: (_("You published it in another tab %(when)s."), _("%(who)s published it %(when)s while you were writing.")),
    "published": lambda: (_("You published it in another tab %(when)s."), _("%(who)s published it %(when)s while you were writing.")),
    "paused": lambda: (_("You paused it in another tab %(when)s."), _("%(who)s paused it %(when)s while you were writing.")),
    "resumed": lambda: (_("You resumed it in another tab %(when)s."), _("%(who)s resumed it %(when)s while you were writing.")),
    "unscheduled": lambda: (_("You took it back in another tab %(when)s."), _("%(who)s took it back %(when)s while you were writing.")),
}


def said(changed: Invoice | Schedule, *, by: User | None, now: datetime | None) -> str:
    """'Inês Matos saved it at 10:42 while you were writing.', to the member `by` who meant to save at `now`.

    True for a colleague, and for one's own other tab; the time is in the merchant's zone, with its day unless that is today.
    """
    name = str(changed._meta.model_name)
    events = Event.objects.filter(merchant=changed.merchant_id, subject_kind=name, subject_id=changed.pk)
    event = events.filter(kind__in=[f"{name}.{kind}" for kind in CHANGES]).order_by("-id").first()
    if event is None:
        return _("It was saved again after this page was opened.")
    own, other = CHANGES[event.kind.partition(".")[2]]()
    words = own if by is not None and event.actor_id == by.pk else other
    return words % {"who": event.actor_name or _("Somebody"), "when": _when(event.at, now, changed.merchant.time_zone)}


def _when(at: datetime, now: datetime | None, zone: str) -> str:
    if now is not None and moments.local(at, zone).date() == moments.local(now, zone).date():
        return _("at %(time)s") % {"time": f"{moments.local(at, zone):%H:%M}"}
    return _("on %(day)s") % {"day": moments.short(at, zone)}
