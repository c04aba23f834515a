"""The one door for a reminder's state: when each open invoice is reminded of, and whether it still is when that time comes.

A reminder that goes out is an event, `invoice.reminded`; whoever tells the payer reads it. Every decision is made under the
invoice's lock: of several that are due only the latest counts, so that an outage is not followed by a volley, and no payer is
reminded twice on a day or on the day of issuing. Days are those of the invoice's zone, the merchant's at issue: the one its
due time is written in.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from itertools import zip_longest

from django.db import transaction
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import entry, facts
from invoicing.models import Invoice, Reminder, ReminderRule, Status
from merchants import moments
from merchants.events import record
from merchants.models import Event, User

logger = logging.getLogger(__name__)
AT = time(9)  # on the clocks of the invoice's zone
TOO_LATE = timedelta(days=3)  # by then it would say something that was true another day
BATCH = 1000  # invoices in one run
READ = 50_000  # due reminders that one run looks at
REMINDED = "invoice.reminded"

State = Reminder.State

# Why nobody is reminded: what stands on a reminder that was dropped, and what a member is told who wants to send one.
DROPPED: dict[str, str | Promise] = {
    "paid": _l("It was paid by then."),
    "void": _l("It was void by then."),
    "confirming": _l("A payment was confirming."),
    "issued today": _l("It was issued on that day."),
    "today": _l("Another one had gone out on that day."),
    "off": _l("Reminders were switched off for this invoice."),
    "too late": _l("It could not be sent for more than 3 days."),
    "no rule": _l("It was taken out of the settings."),
    "collapsed": _l("It could not be sent in time; the next one took its place."),
}
REFUSED: dict[str, str | Promise] = {
    "paid": _l("%(name)s is paid; there is nothing to remind of."),
    "void": _l("%(name)s is void; there is nothing to remind of."),
    "not open": _l("%(name)s has not been issued; there is nothing to remind of."),
    "confirming": _l("A payment of %(name)s is confirming; nobody is asked again meanwhile."),
    "issued today": _l("%(name)s was issued today. A reminder can go out from tomorrow on."),
    "today": _l("%(payer)s has been reminded of %(name)s today. The next one can go out tomorrow."),
}


class Refused(Exception):
    """Nobody can be reminded of this invoice now; the text says why."""


# --- planning -----------------------------------------------------------------------------------------------------
def plan(invoice: Invoice, *, now: datetime) -> int:
    """Write down when `invoice`, which is open, is reminded of by its merchant's rules; how many times were new.

    What has passed is not planned. Called as it is issued, after its number is taken: by then a change of the rules has
    either ended, or will find it among the open ones.
    """
    if not invoice.remind:
        return 0
    rules = ReminderRule.objects.filter(merchant=invoice.merchant_id).values_list("days", flat=True)
    return write([invoice], rules, now=now)


def write(invoices: Iterable[Invoice], rules: Iterable[int], *, now: datetime) -> int:
    """Plan every one of `rules` for each of `invoices`, where that is ahead of `now` and not there yet; how many were ahead."""
    rules = list(rules)
    rows = [
        Reminder(invoice=invoice, days=days, send_at=moment) for invoice in invoices for days in rules if (moment := _moment(invoice, days)) > now
    ]
    Reminder.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _moment(invoice: Invoice, days: int) -> datetime:
    """When the rule of so many days from the due date sends, for an issued invoice."""
    assert invoice.due_at is not None  # noqa: S101 - for the type checker: the database has no issued one without
    day = moments.local(invoice.due_at, invoice.time_zone).date() + timedelta(days=days)
    return entry.moment(day, AT, invoice.time_zone)


def forget(invoice: Invoice) -> None:
    """Take back what is planned for `invoice` and not decided."""
    Reminder.objects.filter(invoice=invoice, state=State.PLANNED).delete()


def switch(invoice: Invoice, *, on: bool, by: User, now: datetime) -> bool:
    """Let an open invoice be reminded of by the rules, or not; whether that is a change. What was decided stays as it is."""
    with transaction.atomic():
        held = _locked(invoice.pk)
        if held.status != Status.OPEN:
            raise Refused(_refusal(held, _settled(held) or "not open"))
        if not Invoice.objects.filter(pk=held.pk, remind=not on).update(remind=on):
            return False
        held.remind = on
        if on:
            plan(held, now=now)
        else:
            forget(held)
        kind = "invoice.reminders_on" if on else "invoice.reminders_off"
        record(kind, merchant=held.merchant, subject=held, now=now, by=by, facts={"invoice": facts.of_invoice(held)})
    return True


# --- what beat does -----------------------------------------------------------------------------------------------
def run_due(*, now: datetime, limit: int = BATCH) -> int:
    """Decide the reminders whose time has come, the merchants in turn; of how many invoices. Any number of workers at once.

    One that cannot be decided is logged and tried again by the next run; it holds up none of those behind it.
    """
    due = Reminder.objects.filter(state=State.PLANNED, send_at__lte=now).order_by("send_at", "id")
    turns: dict[int, dict[int, None]] = {}
    for merchant, invoice in due.values_list("invoice__merchant_id", "invoice_id")[:READ]:
        turns.setdefault(merchant, {})[invoice] = None
    fair = [pk for turn in zip_longest(*turns.values()) for pk in turn if pk is not None]
    return sum(_guarded(pk, now) for pk in fair[:limit])


def _guarded(pk: int, now: datetime) -> bool:
    try:
        return decide(pk, now=now)
    except Exception:
        logger.exception("The reminder of invoice %s failed; it is tried again", pk)
        return False


def decide(pk: int, *, now: datetime) -> bool:
    """Send the latest due reminder of one invoice, or drop it with the reason; those before it are dropped. False when there is
    nothing to do (any more)."""
    with transaction.atomic():
        rows = Invoice.objects.select_for_update(skip_locked=True, of=("self",)).select_related("merchant")
        held = rows.filter(pk=pk).first()
        due = list(Reminder.objects.filter(invoice=held, state=State.PLANNED, send_at__lte=now)) if held else []
        if held is None or not due:
            return False
        *earlier, last = due
        for row in earlier:
            _drop(row, "collapsed", now=now)
        if why := _against(held, last, now):
            return bool(_drop(last, why, now=now))
        if not _swap(last, State.SENT, now=now):
            return False
        _tell(held, days=last.days, by=None, now=now)
        return True


def _against(invoice: Invoice, row: Reminder, now: datetime) -> str:
    """Why a reminder by rule is dropped, as a key of DROPPED; empty when it goes out."""
    if why := _settled(invoice):
        return why
    if not invoice.remind:
        return "off"
    if not ReminderRule.objects.filter(merchant=invoice.merchant_id, days=row.days).exists():
        return "no rule"
    if row.send_at <= now - TOO_LATE:
        return "too late"
    return _spoken_to(invoice, now)


def _settled(invoice: Invoice) -> str:
    """Why nothing is asked for on `invoice`; empty where something is."""
    if invoice.status == Status.OPEN:
        return "confirming" if invoice.pending_minor or not invoice.due_minor else ""
    return {Status.PAID.value: "paid", Status.VOID.value: "void"}.get(invoice.status, "not open")


def _spoken_to(invoice: Invoice, now: datetime) -> str:
    """Why the payer has heard enough of `invoice` on this day; empty when they have not."""
    began = day_began(invoice, now)
    if invoice.issued_at and invoice.issued_at >= began:
        return "issued today"
    again = Q(kind="delivery.resent", facts__template="reminder", facts__recipient__iexact=invoice.mail_address)
    told = Event.objects.filter(Q(kind=REMINDED) | again, subject_kind="invoice", subject_id=invoice.pk)
    return "today" if told.filter(at__gte=began).exists() else ""


def day_began(invoice: Invoice, now: datetime) -> datetime:
    """When the day of `now` began in the invoice's zone."""
    return entry.moment(moments.local(now, invoice.time_zone).date(), time(), invoice.time_zone)


def _drop(row: Reminder, why: str, *, now: datetime) -> int:
    return _swap(row, State.DROPPED, now=now, reason=str(DROPPED[why]))


def _swap(row: Reminder, state: Reminder.State, *, now: datetime, reason: str = "") -> int:
    """Decide it if nobody has; how many rows. SQLite knows no row lock, so this holds there too."""
    return Reminder.objects.filter(pk=row.pk, state=State.PLANNED).update(state=state, reason=reason, decided_at=now)


# --- what a member does -------------------------------------------------------------------------------------------
def remind(invoice: Invoice, *, by: User, now: datetime) -> Event:
    """Remind the payer now, whatever the rules say. Refused where nothing is asked for, on the day of issuing, and when they
    have been reminded on this day."""
    with transaction.atomic():
        held = _locked(invoice.pk)
        if why := objection(held, now=now):
            raise Refused(why)
        return _tell(held, days=days_past(held, now), by=by, now=now)


def objection(invoice: Invoice, *, now: datetime) -> str:
    """Why nobody can be reminded of `invoice` by hand now, as a sentence; empty when they can."""
    why = _settled(invoice) or _spoken_to(invoice, now)
    return _refusal(invoice, why) if why else ""


def _refusal(invoice: Invoice, why: str) -> str:
    return str(REFUSED[why]) % {"name": invoice.name, "payer": invoice.payer_name or _("The payer")}


def days_past(invoice: Invoice, now: datetime) -> int:
    """How many days of its zone's calendar the due time of an issued invoice is past; negative while it is ahead."""
    assert invoice.due_at is not None  # noqa: S101 - as in _moment
    zone = invoice.time_zone
    return (moments.local(now, zone).date() - moments.local(invoice.due_at, zone).date()).days


def _tell(invoice: Invoice, *, days: int, by: User | None, now: datetime) -> Event:
    about = {"invoice": facts.of_invoice(invoice), "reminder": {"days": days, "by_hand": by is not None}}
    return record(REMINDED, merchant=invoice.merchant, subject=invoice, now=now, by=by, facts=about)


def _locked(pk: int) -> Invoice:
    """The invoice under its lock: the first lock of any transaction that decides on its reminders."""
    return Invoice.objects.select_for_update(of=("self",)).select_related("merchant").get(pk=pk)
