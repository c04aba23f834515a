"""Writing a schedule: what was typed, checked and cleaned, becomes a draft or changes a schedule that is running.

An edit of the contents holds for every invoice that is not yet issued. An edit of the timing begins a new segment with its own
anchor, from now on: the numbering of occurrences goes on, and what was issued keeps its planned time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import count, takewhile
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from invoicing import authoring, conflicts, lifecycle, occurrences, schedules, uploads
from invoicing.authoring import Body
from invoicing.models import Attachment, Occurrence, Schedule, ScheduleStatus, Segment
from invoicing.recurrence import MONTHS_OF, Timing, day_of
from merchants import moments
from merchants.models import Merchant, User


@dataclass(frozen=True)
class Plan(Body):
    """Everything an author decides about a schedule, but its timing. Standing where neither end is set."""

    due_after_days: int
    ends_after: int | None
    ends_on: date | None


def save(
    schedule: Schedule | None,
    *,
    merchant: Merchant,
    by: User,
    version: int,
    cleaned: Plan,
    timing: Timing | None,
    form_key: str,
    shown_next: datetime | None = None,
    removed_files: tuple[str, ...] = (),
    now: datetime,
) -> Schedule:
    """Save as a new draft (`schedule` None) or into a schedule that has not ended. `timing` may be None in a draft only.

    `shown_next` is the next planned time of a running one as its page showed it: what `timing` was written against. Saved twice
    from the same form (`form_key`) it is one schedule. MovedOn when somebody else saved since `version`, and when the timing was
    changed against dates that have been decided since; Refused when it has ended, and when a running one could not go on like this.
    """
    with transaction.atomic():
        made = None if schedule else authoring.begin(Schedule, merchant, cleaned, by=by, form_key=form_key)
        held = made or _claim(schedule or Schedule.objects.get(merchant=merchant, form_key=form_key), version, form_key=form_key, by=by, now=now)
        before, was = authoring.as_written(held, Plan), _timing(held)
        authoring.write_body(held, cleaned, form_key=form_key)
        moved = uploads.attach(held, form_key=form_key, removed=removed_files)
        retimed = _retime(held, timing, shown_next=shown_next, now=now)
        if made is None and held.status != ScheduleStatus.DRAFT:
            _still_runs(held, now=now)
        if made:
            schedules.tell("schedule.created", held, now=now, by=by)
        elif retimed or moved or authoring.as_written(held, Plan) != before:
            forgotten = [day.isoformat() for day in held.forgotten]
            schedules.tell("schedule.edited", held, now=now, by=by, retimed=retimed and was is not None, forgotten=forgotten)
        else:  # nobody else's page is out of date
            held.version -= 1
            Schedule.objects.filter(pk=held.pk).update(version=held.version)
        return held


def save_apart(
    schedule: Schedule | None,
    *,
    merchant: Merchant,
    by: User,
    cleaned: Plan,
    timing: Timing | None,
    form_key: str,
    removed_files: tuple[str, ...] = (),
    now: datetime,
) -> Schedule:
    """What was typed into the form of `schedule` (None: deleted meanwhile), as a new draft with its own copies of the files.

    Pressed twice it is one draft: its key is derived from the form's.
    """
    key = authoring.key_apart(form_key)
    if not Schedule.objects.filter(merchant=merchant, form_key=key).exists():
        uploads.pending(merchant, form_key).update(form_key=key)
        if schedule is not None:
            uploads.share(Attachment.objects.filter(schedule=schedule).exclude(public_id__in=removed_files), form_key=key, now=now)
    return save(None, merchant=merchant, by=by, version=0, cleaned=cleaned, timing=timing, form_key=key, now=now)


def _claim(schedule: Schedule, version: int, *, form_key: str, by: User, now: datetime) -> Schedule:
    """Lock it for an edit that began at `version`, and count the version up."""
    held = schedules.locked(schedule.pk)
    if not held.is_editable:
        raise lifecycle.Refused(_("%(name)s has ended; it can no longer be changed. Duplicate it.") % {"name": held.name})
    own = form_key != "" and held.form_key == form_key  # the last save came from this very form: nobody else's is lost
    if held.version != version and not own:
        raise lifecycle.MovedOn(conflicts.said(held, by=by, now=now))
    Schedule.objects.filter(pk=held.pk).update(version=held.version + 1)
    held.version += 1
    return held


def _timing(schedule: Schedule) -> Timing | None:
    """The timing that what is coming goes by."""
    segment = schedule.segments.last()
    return segment.timing if segment else None


def upcoming_timing(schedule: Schedule) -> Timing | None:
    """The timing as an author sees it: its first date is the next one that is planned."""
    segment = schedule.segments.last()
    if segment is None or schedule.status == ScheduleStatus.DRAFT or schedule.next_at is None:
        return segment.timing if segment else None
    found = segment.timing
    return Timing(found.rule, moments.local(schedule.next_at, found.zone).date(), found.at, found.zone)


def _retime(held: Schedule, timing: Timing | None, *, shown_next: datetime | None, now: datetime) -> bool:
    """Take over the timing as it was written; whether that changed anything. Days skipped ahead that it has too stay skipped,
    and what came while it was paused is skipped."""
    if held.status == ScheduleStatus.DRAFT:
        return _draw(held, timing)
    if timing is None or is_untouched(held, timing, shown_next):
        return False
    if shown_next != held.next_at:
        raise lifecycle.MovedOn(_("What comes next has changed while you were writing. Look at the dates again."))
    if timing.anchor < moments.local(now, timing.zone).date():
        raise lifecycle.Refused(_("Its next date would be in the past. Choose today or a later day."))
    if held.status == ScheduleStatus.PAUSED:
        schedules.skip_until(held, now)
    elif held.next_at is not None and held.next_at <= now:
        raise lifecycle.Refused(_("No. %(k)d goes out at this moment. Save it again in a minute.") % {"k": held.next_k})
    found = retiming(held, timing, now)
    held.occurrences.filter(k__gte=found.first_k).delete()
    if held.occurrences.filter(planned_at=timing.planned(1)).exists():
        raise lifecycle.Refused(_("An invoice for this very date has been decided on. Choose another day or time."))
    held.segments.filter(first_k__gte=found.first_k).delete()
    _segment(held, found.first_k, timing)
    for k in found.kept:
        schedules.keep_skipped(held, k, timing.planned(k - found.first_k + 1), now=now)
    held.next_k, held.forgotten = found.first_k, found.forgotten
    return True


@dataclass(frozen=True)
class Retiming:
    """What a new timing makes of a running schedule: its first number, and the days skipped ahead under the old timing. Those that
    the new one has too stay skipped, by their new numbers (`kept`); the others are `forgotten`."""

    first_k: int
    kept: frozenset[int]
    forgotten: tuple[date, ...]


def retiming(schedule: Schedule, timing: Timing, now: datetime) -> Retiming:
    first = max(schedules.first_free(schedule), last_decided(schedule, now) + 1)
    ahead = schedule.occurrences.filter(state=Occurrence.State.SKIPPED, planned_at__gt=now, k__gte=first)
    days = {occurrences.segment_of(schedule, row.k).day_of(row.k) for row in ahead}
    new = dict(takewhile(lambda pair: pair[1] <= max(days), occurrences.days(timing, first, first))) if days else {}
    kept = frozenset(k for k, day in new.items() if day in days)
    return Retiming(first, kept, tuple(sorted(days - {new[k] for k in kept})))


def _draw(draft: Schedule, timing: Timing | None) -> bool:
    """The timing of a draft, as it was written; whether that changed anything."""
    if timing == _timing(draft):
        return False
    draft.segments.all().delete()
    if timing is not None:
        _segment(draft, 1, timing)
    return True


def is_untouched(held: Schedule, timing: Timing, shown_next: datetime | None) -> bool:
    """Whether the author left the timing as the page showed it, be that still the next date or not."""
    running = upcoming_timing(held)
    if running is None or timing == running:
        return running is not None
    return shown_next is not None and timing == replace(running, anchor=moments.local(shown_next, running.zone).date())


def last_decided(schedule: Schedule, now: datetime) -> int:
    """The last occurrence that is more than skipped ahead of its time; 0 when there is none."""
    ahead = {"state": Occurrence.State.SKIPPED, "planned_at__gt": now}
    return schedule.occurrences.exclude(**ahead).order_by("-k").values_list("k", flat=True).first() or 0


def _segment(schedule: Schedule, first_k: int, timing: Timing) -> Segment:
    rule = timing.rule
    return Segment.objects.create(
        schedule=schedule,
        first_k=first_k,
        anchor=timing.anchor,
        at=timing.at,
        zone=timing.zone,
        unit=rule.unit,
        every=rule.every,
        weekdays=sorted(rule.weekdays),
        day=rule.day,
        nth=rule.nth,
        weekday=rule.weekday,
    )


def _still_runs(held: Schedule, *, now: datetime) -> None:
    """A running schedule after its edit: what is next, by the new timing and end. Refused when nothing would be, or not like this.

    One whose last date is held may be edited, since that is often what lets it go out.
    """
    ahead = occurrences.coming(held, most=1)
    if not ahead and held.occurrences.filter(state=Occurrence.State.HELD).exists():
        held.next_at = None
        held.save(update_fields=["next_at"])
        return
    if not ahead:
        raise lifecycle.Refused(_("Nothing would be sent any more. Choose a later end, or stop it."))
    held.next_k, held.next_at = ahead[0].k, ahead[0].planned_at
    held.save(update_fields=["next_k", "next_at"])
    sent = max(held.next_at, now)  # what came while it was paused is decided when it is resumed
    invoice, _lines = occurrences.unsaved(held, held.next_k, sent_at=sent, from_now=sent)
    if reasons := lifecycle.blockers(invoice, now):
        raise lifecycle.Refused(" ".join(reasons))


def delete(schedule: Schedule, *, by: User, now: datetime) -> None:
    """Delete a draft with its files. Refused once it was published: it can be stopped then."""
    with transaction.atomic():
        held = schedules.locked(schedule.pk)
        if held.status != ScheduleStatus.DRAFT:
            raise lifecycle.Refused(_("%(name)s was published; it can be stopped, not deleted.") % {"name": held.name})
        schedules.tell("schedule.deleted", held, now=now, by=by)
        uploads.drop(Attachment.objects.filter(schedule=held))
        held.delete()


def duplicate(schedule: Schedule, *, by: User, form_key: str, now: datetime) -> Schedule:
    """A new draft with the same contents, files, end and rule; its first date is the first of the rule that is still ahead.

    Pressed twice it is one draft: `form_key` names the page it was pressed on.
    """
    with transaction.atomic():
        held = schedules.locked(schedule.pk)
        values: dict[str, Any] = {name: getattr(held, name) for name in occurrences.COPIED} | {"created_by": by}
        values |= {name: getattr(held, name) for name in ("due_after_days", "ends_after", "ends_on")}
        copy = Schedule(merchant=held.merchant, form_key=form_key, **values)
        try:
            with transaction.atomic():
                copy.save()
        except IntegrityError:
            return Schedule.objects.get(merchant=held.merchant, form_key=form_key)
        lines = held.lines.model
        lines.objects.bulk_create(lines(schedule=copy, **line.copied()) for line in held.lines.all())
        uploads.share(held.attachments.all(), to=copy, now=now)
        if timing := _timing(held):
            _segment(copy, 1, _ahead(timing, now))
        schedules.tell("schedule.created", copy, now=now, by=by, copied_from=held.title)
        return copy


def _ahead(timing: Timing, now: datetime) -> Timing:
    """The same dates, from the first that is after now on."""
    k = next(k for k in count(1) if timing.planned(k) > now)
    rule = timing.rule
    if rule.unit in MONTHS_OF and rule.day is None and rule.nth is None:
        rule = replace(rule, day=timing.anchor.day)
    if rule.unit == "weeks" and not rule.weekdays:
        rule = replace(rule, weekdays=frozenset({timing.anchor.weekday()}))
    return replace(timing, rule=rule, anchor=day_of(timing.anchor, k, timing.rule))
