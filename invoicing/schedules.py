"""The one door for a schedule's status and its occurrences', and what beat runs.

draft → active ⇄ paused → stopped, or completed. Every change is made under the schedule's lock, checks what it finds, and
writes its event, in one transaction. An occurrence is one row, unique on (schedule, k): two workers, ten restarts and a slow
clock make one invoice. Its planned time never changes, however late it is decided.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing import facts, lifecycle, occurrences
from invoicing.lifecycle import MovedOn, Refused
from invoicing.models import Invoice, Occurrence, Schedule, ScheduleStatus, Segment
from invoicing.models.schedule import RUNNING
from merchants import moments
from merchants.events import record
from merchants.models import User

logger = logging.getLogger(__name__)
BATCH = 200  # schedules in one run
BURST = 25  # invoices of one schedule in one run: a long catch-up does not hold up the others
RETRY = timedelta(minutes=10)
FAR_AHEAD = 120  # how many dates ahead one may be skipped
FOREVER = 10**6

State = Occurrence.State
MOVES: dict[str, tuple[frozenset[ScheduleStatus], ScheduleStatus]] = {
    # event: (from, to)
    "schedule.published": (frozenset({ScheduleStatus.DRAFT}), ScheduleStatus.ACTIVE),
    "schedule.paused": (frozenset({ScheduleStatus.ACTIVE}), ScheduleStatus.PAUSED),
    "schedule.resumed": (frozenset({ScheduleStatus.PAUSED}), ScheduleStatus.ACTIVE),
    "schedule.stopped": (frozenset(RUNNING), ScheduleStatus.STOPPED),
    "schedule.completed": (frozenset({ScheduleStatus.ACTIVE}), ScheduleStatus.COMPLETED),
}


def locked(pk: int) -> Schedule:
    """The schedule under its lock. Its invoices are locked after it, never before."""
    return Schedule.objects.select_for_update(of=("self",)).select_related("merchant").get(pk=pk)


def _move(schedule: Schedule, event: str, *, now: datetime, by: User | None = None, extra: dict[str, Any] | None = None, **changes: Any) -> Schedule:
    allowed, target = MOVES[event]
    old = ScheduleStatus(schedule.status)
    if old not in allowed:
        raise Refused(_("%(name)s is %(status)s; this does not go with it.") % {"name": schedule.name, "status": str(old.label).lower()})
    changes |= {"status": target, "version": schedule.version + 1}
    if not _swap(schedule, old, changes):
        raise MovedOn(_("%(name)s has just been changed by somebody else. Look at it again.") % {"name": schedule.name})
    for column, value in changes.items():
        setattr(schedule, column, value)
    tell(event, schedule, now=now, by=by, **(extra or {}))
    return schedule


def _swap(schedule: Schedule, old: ScheduleStatus, changes: dict[str, Any]) -> int:
    """Change the row if its status is still `old`; how many rows. SQLite knows no row lock, so this holds there too."""
    return Schedule.objects.filter(pk=schedule.pk, status=old).update(**changes)


def tell(kind: str, schedule: Schedule, *, now: datetime, by: User | None = None, **more: Any) -> None:
    """Record an event about `schedule`."""
    record(kind, merchant=schedule.merchant, subject=schedule, now=now, by=by, facts={"schedule": facts.of_schedule(schedule), **more})


# --- what a member does -----------------------------------------------------------------------------------------
def publish(schedule: Schedule, *, by: User | None, version: int, now: datetime) -> Schedule:
    """Start a draft. Refused when it is not whole (see `blockers`); MovedOn when it moved on since `version`."""
    with transaction.atomic():
        held = locked(schedule.pk)
        if held.status == ScheduleStatus.DRAFT and held.version != version:
            raise MovedOn(_("This draft was changed while you were looking at it. Look at it again before you publish."))
        if held.status == ScheduleStatus.DRAFT and (reasons := blockers(held, now)):
            raise Refused(" ".join(reasons))
        first = held.segments.first()
        return _move(held, "schedule.published", now=now, by=by, published_at=now, next_at=first.planned(1) if first else None)


def blockers(schedule: Schedule, now: datetime) -> list[str]:
    """Why a draft may not be published, as sentences; empty when it may."""
    segment = schedule.segments.first()
    if segment is None:
        return [_("Say how often, and when the first invoice is to go out.")]
    day = segment.day_of(1)
    if day < moments.local(now, segment.zone).date():
        return [_("The date of its first invoice has passed. Choose a later one.")]
    if occurrences.is_over(schedule, day, issued=0):
        return [_("It would end before its first invoice. Choose a later end.")]
    invoice, _lines = occurrences.unsaved(schedule, 1, sent_at=segment.planned(1))
    return lifecycle.blockers(invoice, now)


def pause(schedule: Schedule, *, by: User, now: datetime) -> Schedule:
    """Send nothing until it is resumed. No date moves."""
    with transaction.atomic():
        return _move(locked(schedule.pk), "schedule.paused", now=now, by=by)


def resume(schedule: Schedule, *, skip_past: bool, by: User, now: datetime) -> Schedule:
    """Go on. What came while it was paused is skipped, or else issued by the next run as far as it is still before its due."""
    with transaction.atomic():
        held = _move(locked(schedule.pk), "schedule.resumed", now=now, by=by, extra={"skipped": skip_past})
        if skip_past:
            skip_until(held, now)
        return _go_on(held, now=now)


def skip_until(held: Schedule, now: datetime) -> None:
    """Skip every date (of a schedule under its lock) whose time has come and on which nothing was decided."""
    past = occurrences.coming(held, most=FOREVER, until=now, counted=False)
    Occurrence.objects.bulk_create(_row(held, date.k, date.planned_at, State.SKIPPED, now=now) for date in past)


def keep_skipped(held: Schedule, k: int, planned: datetime, *, now: datetime) -> None:
    """A day that was skipped, under the number and time that a new timing gives it."""
    _row(held, k, planned, State.SKIPPED, now=now).save(force_insert=True)


def stop(schedule: Schedule, *, by: User, now: datetime) -> Schedule:
    """End it for good. What was issued stays as it is; nothing more is sent."""
    with transaction.atomic():
        held = locked(schedule.pk)
        return _move(held, "schedule.stopped", now=now, by=by, extra={"issued": occurrences.issued_count(held)}, ended_at=now, next_at=None)


def skip(schedule: Schedule, k: int, *, by: User, now: datetime) -> None:
    """Do not send occurrence `k`: one that is coming, or one that was missed or held and shall not be sent after all."""
    with transaction.atomic():
        held = locked(schedule.pk)
        row = Occurrence.objects.filter(schedule=held, k=k).first()
        if row is not None:
            if not Occurrence.objects.filter(pk=row.pk, state__in=(State.MISSED, State.HELD)).update(state=State.SKIPPED, reason="", at=now):
                raise Refused(_("No. %(k)d is already decided; it cannot be skipped.") % {"k": k})
            planned = row.planned_at
        else:
            planned = _planned(held, k)
            if len(occurrences.coming(held, most=2)) == 1:
                raise Refused(_("No. %(k)d is the last date. To send no more, stop the schedule.") % {"k": k})
            _row(held, k, planned, State.SKIPPED, now=now).save(force_insert=True)
        tell("schedule.skipped", held, now=now, by=by, occurrence=facts.of_occurrence(k, planned))
        _go_on(held, now=now)


def put_back(schedule: Schedule, k: int, *, by: User, now: datetime) -> None:
    """Send a skipped occurrence after all, at its planned time, which is still ahead."""
    with transaction.atomic():
        held = locked(schedule.pk)
        gone, _kinds = Occurrence.objects.filter(schedule=held, k=k, state=State.SKIPPED, planned_at__gt=now).delete()
        if not gone or not held.is_running:
            raise Refused(_("No. %(k)d cannot be put back; its time has passed, or it is not skipped.") % {"k": k})
        if not is_of_present_timing(held, k):
            raise Refused(_("No. %(k)d was planned before the dates were changed. Send it now instead, or leave it skipped.") % {"k": k})
        tell("schedule.put_back", held, now=now, by=by, occurrence=facts.of_occurrence(k, _segment(held, k).planned(k)))
        held.next_k = min(held.next_k, k)
        _go_on(held, now=now)


def send_now(schedule: Schedule, k: int, *, by: User, now: datetime) -> Invoice:
    """Issue the next occurrence before its time, or one that was missed, skipped or held after it; due its days from today.

    The texts are those of its planned date. Refused for any other, when it has ended by hand, and when it could not be published.
    """
    with transaction.atomic():
        held = locked(schedule.pk)
        row = Occurrence.objects.filter(schedule=held, k=k).first()
        if held.status == ScheduleStatus.STOPPED or (row is None and not (held.is_running and k == held.next_k and held.next_at)):
            raise Refused(_("No. %(k)d cannot be sent now. Look at the schedule again.") % {"k": k})
        if row is not None and row.state == State.ISSUED:
            raise Refused(_("No. %(k)d has gone out already.") % {"k": k})
        planned = row.planned_at if row else _planned(held, k)
        invoice, lines = occurrences.unsaved(held, k, sent_at=now, from_now=now)
        if reasons := lifecycle.blockers(invoice, now):
            raise Refused(" ".join(reasons))
        occurrences.store(invoice, lines, schedule=held, now=now)
        _decide(held, k, planned, State.ISSUED, row=row, now=now, invoice=invoice)
        tell("schedule.sent", held, now=now, by=by, occurrence=facts.of_occurrence(k, planned))
        lifecycle.issue(invoice, now=now, by=by, extra=_origin(held, k))
        _go_on(held, now=now)
        return invoice


def is_of_present_timing(schedule: Schedule, k: int) -> bool:
    """Whether occurrence `k` goes by the timing that what is coming goes by."""
    last = schedule.segments.last()
    return last is not None and k >= last.first_k


# --- what beat does ---------------------------------------------------------------------------------------------
def run_due(*, now: datetime) -> int:
    """Decide every occurrence whose time has come, oldest first; how many. Any number of workers may run this at once.

    A schedule that cannot be worked on is logged and tried again by the next run; it holds up none of those behind it.
    """
    due = Schedule.objects.filter(status=ScheduleStatus.ACTIVE, next_at__lte=now).order_by("next_at", "id")
    decided = sum(_burst(pk, now) for pk in list(due.values_list("pk", flat=True)[:BATCH]))
    waiting = Occurrence.objects.filter(state=State.HELD, at__lte=now - RETRY, schedule__status=ScheduleStatus.ACTIVE).order_by("at", "id")
    for pk in list(waiting.values_list("pk", flat=True)[:BATCH]):
        _guarded(retry, pk, now)
    return decided


def _burst(pk: int, now: datetime) -> int:
    for count in range(BURST):
        if not _guarded(occur, pk, now):
            return count
    return BURST


def _guarded(work: Any, pk: int, now: datetime) -> bool:
    try:
        return bool(work(pk, now=now))
    except Exception:
        logger.exception("%s of %s failed; it is tried again", work.__name__, pk)
        return False


def occur(pk: int, *, now: datetime) -> bool:
    """Decide the next occurrence of one schedule, if its time has come. False when there is nothing to do (any more).

    Issued while its invoice would not be past its due time; all that are past are missed together, with one event. Held, and
    tried again, when it cannot be published.
    """
    with transaction.atomic():
        rows = Schedule.objects.select_for_update(skip_locked=True, of=("self",)).select_related("merchant")
        held = rows.filter(pk=pk, status=ScheduleStatus.ACTIVE, next_at__lte=now).first()
        if held is None or held.next_at is None or not _take(held):
            return False
        missed = [date for date in occurrences.coming(held, most=FOREVER, until=now, counted=False) if date.due_at <= now]
        if missed:
            Occurrence.objects.bulk_create(_row(held, date.k, date.planned_at, State.MISSED, now=now) for date in missed)
            tell("schedule.missed", held, now=now, occurrences=[facts.of_occurrence(date.k, date.planned_at) for date in missed])
        else:
            _try(held, held.next_k, held.next_at, row=None, now=now)
        _go_on(held, now=now)
        return True


def retry(pk: int, *, now: datetime) -> bool:
    """Try a held occurrence again: issued when nothing stands in its way any more, missed once its due time has passed."""
    with transaction.atomic():
        schedule_id = Occurrence.objects.values_list("schedule_id", flat=True).get(pk=pk)
        held = locked(schedule_id)
        row = Occurrence.objects.get(pk=pk)
        if row.state != State.HELD or row.at > now - RETRY or held.status != ScheduleStatus.ACTIVE:
            return False
        if _due(held, row.k) <= now:
            _decide(held, row.k, row.planned_at, State.MISSED, row=row, now=now)
            tell("schedule.missed", held, now=now, occurrences=[facts.of_occurrence(row.k, row.planned_at)])
            _go_on(held, now=now)
            return True
        issued = _try(held, row.k, row.planned_at, row=row, now=now)
        _go_on(held, now=now)
        return issued


def _try(held: Schedule, k: int, planned: datetime, *, row: Occurrence | None, now: datetime) -> bool:
    """Issue occurrence `k` for its planned time, or hold it. The event of holding it is written once."""
    invoice, lines = occurrences.unsaved(held, k, sent_at=planned)
    if reasons := lifecycle.blockers(invoice, now):
        _decide(held, k, planned, State.HELD, row=row, now=now, reason=" ".join(reasons)[:500])
        if row is None:
            tell("schedule.held", held, now=now, occurrences=[facts.of_occurrence(k, planned)], reason=" ".join(reasons))
        return False
    occurrences.store(invoice, lines, schedule=held, now=now)
    _decide(held, k, planned, State.ISSUED, row=row, now=now, invoice=invoice)
    lifecycle.issue(invoice, now=now, extra=_origin(held, k))
    return True


# --- rows and dates ---------------------------------------------------------------------------------------------
def _take(schedule: Schedule) -> int:
    """Claim the next occurrence if it is still the next; how many rows. SQLite knows no row lock, so this holds there too."""
    return Schedule.objects.filter(pk=schedule.pk, status=ScheduleStatus.ACTIVE, next_k=schedule.next_k, next_at=schedule.next_at).update(
        next_at=None
    )


def _row(schedule: Schedule, k: int, planned: datetime, state: Occurrence.State, *, now: datetime, **more: Any) -> Occurrence:
    return Occurrence(schedule=schedule, k=k, planned_at=planned, state=state, at=now, **more)


def _decide(
    held: Schedule,
    k: int,
    planned: datetime,
    state: Occurrence.State,
    *,
    row: Occurrence | None,
    now: datetime,
    invoice: Invoice | None = None,
    reason: str = "",
) -> None:
    """Write what became of occurrence `k`: a new row, or the change of one that was not issued."""
    if row is None:
        _row(held, k, planned, state, now=now, invoice=invoice, reason=reason).save(force_insert=True)
        return
    unissued = Occurrence.objects.filter(pk=row.pk, invoice=None).exclude(state=State.ISSUED)
    if not unissued.update(state=state, invoice=invoice, reason=reason, at=now):
        raise Refused(_("No. %(k)d has gone out already.") % {"k": k})


def _segment(schedule: Schedule, k: int) -> Segment:
    return occurrences.segment_of(schedule, k)


def _due(schedule: Schedule, k: int) -> datetime:
    segment = _segment(schedule, k)
    return occurrences.due_at(segment.timing, segment.day_of(k), schedule.due_after_days)


def _planned(schedule: Schedule, k: int) -> datetime:
    """When a date that is coming is planned. Refused where there is no such date."""
    ahead = occurrences.coming(schedule, most=FAR_AHEAD) if schedule.is_running else []
    for date in ahead:
        if date.k == k:
            return date.planned_at
    raise Refused(_("There is no No. %(k)d among the coming dates. Look at the schedule again.") % {"k": k})


def _go_on(held: Schedule, *, now: datetime) -> Schedule:
    """Find what is next after a change; an active schedule with nothing coming, and nothing held, is completed."""
    ahead = occurrences.coming(held, most=1)
    held.next_k, held.next_at = (ahead[0].k, ahead[0].planned_at) if ahead else (first_free(held), None)
    Schedule.objects.filter(pk=held.pk).update(next_k=held.next_k, next_at=held.next_at)
    is_waiting = held.occurrences.filter(state=State.HELD).exists()
    if held.next_at is None and held.status == ScheduleStatus.ACTIVE and not is_waiting:
        _move(held, "schedule.completed", now=now, extra={"issued": occurrences.issued_count(held)}, ended_at=now)
    return held


def first_free(schedule: Schedule) -> int:
    """The first occurrence, from `next_k` on, on which nothing was decided."""
    taken = set(schedule.occurrences.filter(k__gte=schedule.next_k).values_list("k", flat=True))
    k = schedule.next_k
    while k in taken:
        k += 1
    return k


def _origin(schedule: Schedule, k: int) -> dict[str, Any]:
    return {"origin": {"schedule": schedule.pk, "title": schedule.title, "k": k}}
