from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from invoicing import recurrence
from invoicing.models.contents import Contents, Line
from invoicing.models.invoice import Invoice
from invoicing.recurrence import Rule, Timing
from merchants.models import Merchant


class ScheduleStatus(models.TextChoices):
    DRAFT = "draft", _("Draft")
    ACTIVE = "active", _("Active")
    PAUSED = "paused", _("Paused")
    STOPPED = "stopped", _("Stopped")
    COMPLETED = "completed", _("Completed")


RUNNING = (ScheduleStatus.ACTIVE, ScheduleStatus.PAUSED)
ENDED = (ScheduleStatus.STOPPED, ScheduleStatus.COMPLETED)


class Schedule(Contents):
    """What to invoice, how often, from when, until when. Its status changes only in `invoicing.schedules`.

    `next_k` is the first occurrence without a row, and `next_at` when that is planned: what beat looks for.
    Standing when neither `ends_after` nor `ends_on` is set.
    """

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="schedules")
    status = models.CharField(max_length=10, choices=ScheduleStatus, default=ScheduleStatus.DRAFT)
    due_after_days = models.PositiveSmallIntegerField(default=14)
    ends_after = models.PositiveIntegerField(null=True, blank=True)  # invoices issued
    ends_on = models.DateField(null=True, blank=True)  # the last day on which one may go out, in the segment's zone
    next_k = models.PositiveIntegerField(default=1)
    next_at = models.DateTimeField(null=True, blank=True)  # None: nothing is coming
    published_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    forgotten: tuple[date, ...] = ()  # days skipped ahead that the edit just made has no place for; not stored

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["merchant", "form_key"], name="schedule_form_once", condition=~Q(form_key="")),
            models.CheckConstraint(condition=Q(ends_after__isnull=True) | Q(ends_on__isnull=True), name="schedule_one_end"),
            models.CheckConstraint(condition=~Q(status__in=ENDED) | Q(next_at__isnull=True), name="schedule_ended_sends_nothing"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["merchant", "-id"], name="schedule_list"),
            models.Index(fields=["next_at", "id"], name="schedule_claim", condition=Q(status="active")),
        ]

    def __str__(self) -> str:
        return self.title or f"Schedule #{self.pk}"

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        return self.title or str(_("this schedule"))

    @property
    def is_standing(self) -> bool:
        return self.ends_after is None and self.ends_on is None

    @property
    def is_editable(self) -> bool:
        return self.status not in ENDED

    @property
    def is_running(self) -> bool:
        return self.status in RUNNING


class ScheduleLine(Line):
    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="lines")

    class Meta(Line.Meta):
        constraints: ClassVar = [models.UniqueConstraint(fields=["schedule", "position"], name="schedule_line_position_once")]


class Segment(models.Model):
    """The timing of a schedule from occurrence `first_k` on. An edit of the timing begins a new one; k goes on."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="segments")
    first_k = models.PositiveIntegerField()
    anchor = models.DateField()
    at = models.TimeField()  # on the clocks of `zone`
    zone = models.CharField(max_length=60)
    unit = models.CharField(max_length=8)
    every = models.PositiveSmallIntegerField(default=1)
    weekdays = models.JSONField(default=list, blank=True)  # 0 is Monday
    day = models.SmallIntegerField(null=True, blank=True)  # of the month; -1 is the last
    nth = models.SmallIntegerField(null=True, blank=True)
    weekday = models.SmallIntegerField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["first_k"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["schedule", "first_k"], name="segment_once")]

    def __str__(self) -> str:
        return f"every {self.every} {self.unit} from {self.anchor}"

    @property
    def timing(self) -> Timing:
        rule = Rule(self.unit, self.every, frozenset(self.weekdays), self.day, self.nth, self.weekday)
        return Timing(rule, self.anchor, self.at, self.zone)

    def planned(self, k: int) -> datetime:
        """When occurrence `k` (not before `first_k`) is, in UTC."""
        return self.timing.planned(k - self.first_k + 1)

    def day_of(self, k: int) -> date:
        """The day of occurrence `k` on the calendar of the segment's zone."""
        return recurrence.day_of(self.anchor, k - self.first_k + 1, self.timing.rule)


class Occurrence(models.Model):
    """One date of a schedule that came, or was touched before it came. Its planned time never changes."""

    class State(models.TextChoices):
        ISSUED = "issued", _("Issued")
        MISSED = "missed", _("Missed")  # its invoice would have been past its due time
        SKIPPED = "skipped", _("Skipped")
        HELD = "held", _("Held")  # could not be published: `reason` says why

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="occurrences")
    k = models.PositiveIntegerField()
    planned_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State)
    invoice = models.OneToOneField(Invoice, null=True, blank=True, on_delete=models.PROTECT, related_name="occurrence")
    reason = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()  # when it was decided

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["schedule", "k"], name="occurrence_once"),
            models.CheckConstraint(
                condition=Q(state="issued", invoice__isnull=False) | (~Q(state="issued") & Q(invoice__isnull=True)),
                name="occurrence_issued_has_invoice",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["schedule", "state"], name="occurrence_state")]

    def __str__(self) -> str:
        return f"{self.schedule_id} #{self.k} {self.state}"
