"""When a one-time invoice is sent and due, as fields. Times are those of the merchant's zone."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import entry
from invoicing.forms import fields
from invoicing.forms.fields import day_in_words
from invoicing.models import Invoice
from merchants import moments
from merchants.models import Merchant

DUE_AT = time(18, 0)
SENT_AT = time(9, 0)


class OnceForm(fields.TypedForm):
    """The sending and the due time. Read, they are `issue_at` (None: at once) and `due_at` of the cleaned data."""

    issue_date = fields.day(_l("Send"))
    issue_time = fields.clock(_l("Time of sending"))
    due_date = fields.day(_l("Due"))
    due_time = fields.clock(_l("Time due"))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.has_error("issue_date") and not self.has_error("issue_time"):
            data["issue_at"] = self._moment("issue_date", "issue_time", SENT_AT)
        if not self.has_error("due_date") and not self.has_error("due_time"):
            data["due_at"] = self._moment("due_date", "due_time", DUE_AT)
        if not self.errors:
            self._order(data.get("issue_at"), data.get("due_at"))
        if self.publishing:
            self.want({"due_date": _("Say until when it is to be paid.")})
        return data

    def _moment(self, day_field: str, time_field: str, usual: time) -> datetime | None:
        day, at = self.within_reach(day_field), self.cleaned_data.get(time_field)
        return entry.moment(day, at or usual, self.merchant.time_zone) if day else None

    def _order(self, issue_at: datetime | None, due_at: datetime | None) -> None:
        """Due comes after sending; what is sent at once is due after now."""
        if due_at is None:
            return
        sent = issue_at if issue_at and (issue_at > self.now or not self.publishing) else None
        if sent and due_at <= sent:
            zone = self.merchant.time_zone
            day, due_day = moments.local(sent, zone).date(), moments.local(due_at, zone).date()
            if day == due_day:
                words = _("This is not after the sending time, %(time)s. Choose a later time.") % {"time": f"{moments.local(sent, zone):%H:%M}"}
                self.add_error("due_time", words)
            else:
                self.add_error("due_date", _("This is before the sending date, %(day)s. Choose a later day.") % {"day": day_in_words(day, self.now)})
        elif self.publishing and due_at <= self.now:
            self.add_error("due_date", _("This has passed, and it is sent now. Choose a later day."))


def blank(merchant: Merchant, now: datetime) -> dict[str, Any]:
    """A new invoice is sent at once, and due after the merchant's usual days at 18:00 its time."""
    due = moments.local(now, merchant.time_zone).date() + timedelta(days=merchant.due_after_days)
    return {"due_date": due.isoformat(), "due_time": f"{DUE_AT:%H:%M}"}


def written(invoice: Invoice, merchant: Merchant) -> dict[str, Any]:
    """The times of a saved invoice. Both are shown in the merchant's zone."""
    values: dict[str, Any] = {}
    for field, at in (("issue", invoice.issue_at), ("due", invoice.due_at)):
        if at:
            local = moments.local(at, merchant.time_zone)
            values |= {f"{field}_date": f"{local:%Y-%m-%d}", f"{field}_time": f"{local:%H:%M}"}
    return values
