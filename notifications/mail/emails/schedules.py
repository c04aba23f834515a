"""Mails about a recurring schedule, to the merchant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from invoicing import occurrences
from invoicing.models import Occurrence, Schedule, ScheduleStatus
from invoicing.models.schedule import ENDED
from merchants import languages, moments
from merchants.models import Event
from notifications.mail.emails.letter import Letterhead, Matter, link
from notifications.models import Delivery
from notifications.transports import Withheld

DATES_SHOWN = 12


@dataclass(frozen=True)
class ScheduleMatter(Matter):
    schedule: Schedule
    event: Event


def about(delivery: Delivery, now: datetime) -> ScheduleMatter:
    event = delivery.origin
    schedule = Schedule.objects.select_related("merchant").filter(pk=event.subject_id, merchant=delivery.merchant_id).first()
    if schedule is None:
        raise Withheld(_("Its schedule was deleted before this could be sent."))
    return ScheduleMatter(delivery, Letterhead.of_merchant(schedule.merchant), now, languages.of_members(), schedule, event)


def context(matter: ScheduleMatter) -> dict[str, Any]:
    schedule = matter.schedule
    return {
        "schedule": schedule,
        "zone": moments.zone_words(matter.head.time_zone),
        "desk_url": link("schedule", schedule.merchant.slug, schedule.pk),
    } | KINDS[matter.delivery.template](matter)


# --- one function per kind --------------------------------------------------------------------------------------
def schedule_missed(matter: ScheduleMatter) -> dict[str, Any]:
    """These dates were not sent, since their due time had passed."""
    missed = _still(matter, Occurrence.State.MISSED)
    if not missed:
        raise Withheld(_("None of its dates was missed any more when this could be sent."))
    return _dates(matter, missed) | {"can_send": matter.schedule.status != ScheduleStatus.STOPPED}


def schedule_held(matter: ScheduleMatter) -> dict[str, Any]:
    """This date could not be sent, and why; it goes out as soon as it can."""
    held = _still(matter, Occurrence.State.HELD)
    if not held:
        raise Withheld(_("None of its dates was held any more when this could be sent."))
    segment, schedule = occurrences.segment_of(matter.schedule, held[0].k), matter.schedule
    due = occurrences.due_at(segment.timing, segment.day_of(held[0].k), schedule.due_after_days)
    return _dates(matter, held) | {"reason": held[0].reason, "due": matter.moment(due)}


def schedule_ended(matter: ScheduleMatter) -> dict[str, Any]:
    """Nothing more is sent: it has come to its end, or somebody stopped it."""
    if matter.schedule.status not in ENDED:
        raise Withheld(_("The schedule had not ended when this could be sent."))
    is_stopped = matter.event.kind == "schedule.stopped"
    return {"issued": matter.event.facts["issued"], "is_stopped": is_stopped, "who": matter.event.actor_name or _("The system")}


KINDS: dict[str, Callable[[ScheduleMatter], dict[str, Any]]] = {
    "schedule_missed": schedule_missed,
    "schedule_held": schedule_held,
    "schedule_ended": schedule_ended,
}


# --- their parts ------------------------------------------------------------------------------------------------
def _still(matter: ScheduleMatter, state: Occurrence.State) -> list[Occurrence]:
    """Those of the event's dates that are in `state` still, in order."""
    told = [date["n"] for date in matter.event.facts["occurrences"]]
    return list(matter.schedule.occurrences.filter(k__in=told, state=state).order_by("k"))


def _dates(matter: ScheduleMatter, found: list[Occurrence]) -> dict[str, Any]:
    """The first dates, each with its title as it would have read, and how many there are."""
    segments = list(matter.schedule.segments.all())
    shown = [
        {
            "title": occurrences.title_of(matter.schedule, [one for one in segments if one.first_k <= date.k][-1], date.k),
            "planned": moments.short(date.planned_at, matter.head.time_zone, matter.language),
        }
        for date in found[:DATES_SHOWN]
    ]
    return {"dates": shown, "count": len(found), "hidden": len(found) - len(shown), "first": shown[0]["title"]}
