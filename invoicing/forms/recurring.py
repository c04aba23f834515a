"""How often a schedule sends, from when and until when, as fields."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, Self

from django import forms
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import ngettext

from invoicing import occurrences, planning
from invoicing.forms import fields
from invoicing.forms.fields import day_in_words
from invoicing.models import Schedule
from invoicing.recurrence import LAST, MONTHS_OF, Rule, Timing, day_of
from merchants import moments
from merchants.models import Merchant

SENT_AT = time(9, 0)
USUAL_END = 12
MOST_INVOICES = 999
MOST_DAYS = 365
UNITS = [  # as stored, of one, of several
    ("days", _l("day"), _l("days")),
    ("weeks", _l("week"), _l("weeks")),
    ("months", _l("month"), _l("months")),
    ("quarters", _l("quarter"), _l("quarters")),
    ("years", _l("year"), _l("years")),
]
ON = [
    ("first", _l("the day of the first invoice")),
    ("day", _l("a day of the month")),
    ("last", _l("the last day")),
    ("nth", _l("a weekday of the month")),
]
NTH = [("1", _l("the first")), ("2", _l("the second")), ("3", _l("the third")), ("4", _l("the fourth")), (str(LAST), _l("the last"))]
DAYS = [(str(number), name) for number, name in WEEKDAYS.items()]
ENDS = [("after", _l("After")), ("date", _l("On a date"))]
CHOSEN = ("weekdays", "on", "day", "nth", "weekday", "ends", "ends_after", "ends_on")  # asked only where another choice asks for it


class RecurringForm(fields.TypedForm):
    """The rule, its start and its end. Read, they are `timing`, `ends_after` and `ends_on` of the cleaned data.

    The rule names its day of the month, so that it does not depend on the date that is shown. What the choices hide is
    neither judged nor taken, and kept as it was typed. `schedule` is the saved one that is edited.
    """

    every = fields.number(_l("Repeat every"), MOST_DAYS)
    unit = fields.choice(_l("Unit"), [(unit, many) for unit, _one, many in UNITS])
    weekdays = forms.MultipleChoiceField(
        label=_l("On"),
        choices=DAYS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": _l("Choose among the days of the week.")},
    )
    on = fields.choice(_l("On"), ON)
    day = fields.number(_l("Day of the month"), 31)
    nth = fields.choice(_l("Which of the month"), NTH)
    weekday = fields.choice(_l("Day of the week"), DAYS)
    first_date = fields.day(_l("First invoice"))
    first_time = fields.clock(_l("Time of sending"))
    due_after_days = fields.number(_l("Each is due"), MOST_DAYS)
    standing = forms.BooleanField(label=_l("Standing"), required=False)
    ends = fields.choice(_l("Ends"), ENDS, widget=forms.RadioSelect)
    ends_after = fields.number(_l("How many invoices"), MOST_INVOICES)
    ends_on = fields.day(_l("Last day"))
    shown_next = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)  # the next date when the page was made

    def __init__(self, *args: Any, schedule: Schedule | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.schedule = schedule
        self.zone = zone_of(schedule, self.merchant)
        self.is_running = schedule is not None and schedule.is_running
        if self.is_running:
            self.fields["first_date"].label = _("Next invoice")

    @property
    def units(self) -> list[tuple[str, Any, Any]]:
        """The units with their words after 1, and after another number."""
        return UNITS

    @property
    def is_single(self) -> bool:
        return str(self["every"].value()).strip() == "1"

    @property
    def next_shown(self) -> datetime | None:
        """The next planned time of a running schedule as this page showed it."""
        try:
            found = datetime.fromisoformat(str(self["shown_next"].value() or ""))
        except ValueError:
            return None
        return found if found.tzinfo else None

    def again(self, data: dict[str, Any]) -> Self:
        return type(self)(data, merchant=self.merchant, now=self.now, schedule=self.schedule)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        self._forget_hidden(data)
        self.want({"every": _("Write how often, such as 1."), "unit": _("Choose days, weeks, months, quarters or years.")})
        self.want({"due_after_days": _("Write within how many days each is to be paid.")})
        self._want_day(data)
        timing = self._timing(data)
        data["timing"] = timing
        self._want_end(data)
        if timing is not None:
            first = day_of(timing.anchor, 1, timing.rule)
            self._begins(timing, first)
            self._ends(data, first)
        return data

    # --- what is asked ------------------------------------------------------------------------------------------
    def _asked(self, data: dict[str, Any]) -> set[str]:
        """The fields, of those that depend on a choice, that the choices ask for."""
        asked = {"weekdays"} if data.get("unit") == "weeks" else set()
        if data.get("unit") in MONTHS_OF:
            asked |= {"on"} | {"day": {"day"}, "nth": {"nth", "weekday"}}.get(data.get("on") or "", set())
        if not data.get("standing"):
            asked |= {"ends"} | {"after": {"ends_after"}, "date": {"ends_on"}}.get(data.get("ends") or "", set())
        return asked

    def _forget_hidden(self, data: dict[str, Any]) -> None:
        for name in set(CHOSEN) - self._asked(data):
            self.errors.pop(name, None)
            data[name] = [] if name == "weekdays" else None

    def _want_day(self, data: dict[str, Any]) -> None:
        asked = self._asked(data)
        wanted = {
            "on": _("Choose on which day."),
            "day": _("Write a day of the month, from 1 to 31."),
            "nth": _("Choose which of the month."),
            "weekday": _("Choose a day of the week."),
        }
        self.want({name: words for name, words in wanted.items() if name in asked})
        untouched = (data.get("every"), data.get("unit"), data.get("on")) == (1, "months", "first")
        if self.publishing or not untouched:  # a draft may lack its timing, but no part of one
            self.want({"first_date": _("Choose the day of the first invoice.")})

    def _want_end(self, data: dict[str, Any]) -> None:
        """A schedule without an end is a standing one: that is said, never left out."""
        asked = self._asked(data)
        wanted = {
            "ends": _("Choose when it ends, or that it is standing."),
            "ends_after": _("Write after how many invoices it ends, or make it standing."),
            "ends_on": _("Choose its last day, or make it standing."),
        }
        self.want({name: words for name, words in wanted.items() if name in asked})
        if "ends_on" in asked:
            self.within_reach("ends_on")

    # --- what it makes --------------------------------------------------------------------------------------------
    def _timing(self, data: dict[str, Any]) -> Timing | None:
        """The timing, when every part of it can be read."""
        first = self.within_reach("first_date")
        parts = ("every", "unit", "weekdays", "on", "day", "nth", "weekday", "first_date", "first_time")
        if first is None or any(self.has_error(name) for name in parts):
            return None
        return Timing(self._rule(data, first), first, data.get("first_time") or SENT_AT, self.zone)

    @staticmethod
    def _rule(data: dict[str, Any], first: date) -> Rule:
        if data["unit"] not in MONTHS_OF:
            return Rule(data["unit"], data["every"], frozenset(map(int, data["weekdays"])))
        if data["on"] == "nth":
            return Rule(data["unit"], data["every"], nth=int(data["nth"]), weekday=int(data["weekday"]))
        day = {"first": first.day, "day": data["day"], "last": LAST}[data["on"]]
        return Rule(data["unit"], data["every"], day=day)

    def _begins(self, timing: Timing, first: date) -> None:
        """It begins today or later; one that runs only if its timing is another now."""
        today = moments.local(self.now, self.zone).date()
        if not self.publishing:
            return
        if self.schedule is not None and self.is_running:
            if timing.anchor < today and not planning.is_untouched(self.schedule, timing, self.next_shown):
                self.add_error("first_date", _("Its next date would be in the past. Choose today or a later day."))
        elif first < today:
            self.add_error("first_date", _("The date of its first invoice has passed. Choose today or a later day."))

    def _ends(self, data: dict[str, Any], first: date) -> None:
        """It ends after its next invoice, not before."""
        last, most = data.get("ends_on"), data.get("ends_after")
        if last and not self.has_error("ends_on") and last < first:
            which = _("This is before the next invoice, %(day)s.") if self.is_running else _("This is before the first invoice, %(day)s.")
            self.add_error("ends_on", f"{which % {'day': day_in_words(first, self.now)}} {_('Choose a later day.')}")
        sent = occurrences.issued_count(self.schedule) if most and self.is_running and self.schedule else 0
        if sent and most and most <= sent:
            words = ngettext("%(n)d has been sent already.", "%(n)d have been sent already.", sent) % {"n": sent}
            self.add_error("ends_after", f"{words} {_('Write a higher number.')}")


def zone_of(schedule: Schedule | None, merchant: Merchant) -> str:
    """On whose clocks its times are: those it has been planned on, else the merchant's."""
    segment = schedule.segments.last() if schedule else None
    return segment.zone if segment else merchant.time_zone


def blank(merchant: Merchant, now: datetime) -> dict[str, Any]:
    """A new schedule: every month from the next first of a month on, twelve times."""
    today = moments.local(now, merchant.time_zone).date()
    first = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    return {
        "every": 1,
        "unit": "months",
        "weekdays": [],
        "on": "first",
        "nth": "1",
        "weekday": "0",
        "first_date": first.isoformat(),
        "first_time": f"{SENT_AT:%H:%M}",
        "due_after_days": merchant.due_after_days,
        "standing": False,
        "ends": "after",
        "ends_after": USUAL_END,
    }


def written(schedule: Schedule, merchant: Merchant, now: datetime) -> dict[str, Any]:
    """What a saved schedule puts into the fields: its next date, in the zone it is planned in."""
    values = blank(merchant, now) | {
        "due_after_days": schedule.due_after_days,
        "standing": schedule.is_standing,
        "ends": "date" if schedule.ends_on else "after",
        "ends_after": schedule.ends_after if schedule.ends_after else "" if schedule.ends_on else USUAL_END,
        "ends_on": schedule.ends_on.isoformat() if schedule.ends_on else "",
    }
    timing, segment = planning.upcoming_timing(schedule), schedule.segments.last()
    if timing is None or segment is None:
        return values | {"first_date": ""}
    start = {"first_date": timing.anchor.isoformat(), "first_time": f"{timing.at:%H:%M}"}
    if schedule.is_running and schedule.next_at:
        start["shown_next"] = schedule.next_at.isoformat()
    return values | _of_rule(timing.rule, segment.anchor) | start


def _of_rule(rule: Rule, anchor: date) -> dict[str, Any]:
    """The choices that make `rule`, whose segment begins on `anchor`."""
    values: dict[str, Any] = {"every": rule.every, "unit": rule.unit, "weekdays": [str(day) for day in sorted(rule.weekdays)]}
    if rule.nth is not None:
        return values | {"on": "nth", "nth": str(rule.nth), "weekday": str(rule.weekday)}
    if rule.day == LAST:
        return values | {"on": "last"}
    return values | {"on": "day", "day": rule.day or anchor.day}
