"""The settings of reminders, as fields: a row a reminder, so many days before or after the due date, or on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import reminder_rules

BEFORE, ON, AFTER = "before", "on", "after"
SIDES = [(BEFORE, _l("days before the due date")), (ON, _l("on the due date")), (AFTER, _l("days after the due date"))]
ROWS = range(1, reminder_rules.MOST + 1)
MOST_DAYS = {BEFORE: -reminder_rules.EARLIEST, ON: 0, AFTER: reminder_rules.LATEST}


class RemindersForm(forms.Form):
    """`rules` are the merchant's, which the rows begin with. Read, `days()` are those that were written."""

    use_required_attribute = False

    def __init__(self, *args: Any, rules: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for row in ROWS:
            rule = rules[row - 1] if row <= len(rules) else None
            self.fields[f"days_{row}"] = _days_field(row, rule)
            self.fields[f"side_{row}"] = forms.ChoiceField(
                label=_l("Before or after"),
                choices=SIDES,
                required=False,
                initial=_side(rule),
                error_messages={"invalid_choice": _l("Choose one from the list.")},
            )

    @property
    def rows(self) -> Iterator[tuple[BoundField, BoundField]]:
        for row in ROWS:
            yield self[f"days_{row}"], self[f"side_{row}"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        seen: set[int] = set()
        for row in ROWS:
            side = data.get(f"side_{row}") or BEFORE
            days: int | None = 0 if side == ON else data.get(f"days_{row}")
            if days is None:
                continue
            rule = -days if side == BEFORE else days
            if abs(rule) > MOST_DAYS[side]:
                self.add_error(f"days_{row}", _("Write at most %(most)d.") % {"most": MOST_DAYS[side]})
            elif rule in seen:
                self.add_error(f"days_{row}", _("This day is there already."))
            seen.add(rule)
        data["rules"] = sorted(seen)
        return data

    def days(self) -> list[int]:
        """The days from the due date, the earliest first. Only of a valid form."""
        rules: list[int] = self.cleaned_data["rules"]
        return rules


def _side(rule: int | None) -> str:
    if rule == 0:
        return ON
    return AFTER if rule and rule > 0 else BEFORE


def _days_field(row: int, rule: int | None) -> forms.IntegerField:
    return forms.IntegerField(
        label=_("Reminder %(n)d, days") % {"n": row},
        required=False,
        min_value=0,
        initial=abs(rule) if rule else None,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "size": 3}),
        error_messages=dict.fromkeys(("invalid", "min_value"), _l("Write a whole number of days, or nothing.")),
    )
