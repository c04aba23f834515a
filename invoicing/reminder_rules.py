"""A merchant's rules of when it reminds, and what a change of them means for the invoices that are open.

A change is made in two steps. The rules change under the merchant's lock, which issuing takes too; then, without it, since an
invoice is locked before its merchant, the open invoices are brought up to date. What a dead process left out of the second
step is found by the hourly `catch_up`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from invoicing import reminders
from invoicing.models import Invoice, Reminder, ReminderRule, Status
from merchants.events import record
from merchants.models import Merchant, User

EARLIEST, LATEST = -60, 90  # days from the due date
MOST = 5
SUGGESTED = (-3, 0, 7)
BATCH = 500


def of(merchant: Merchant) -> list[int]:
    """The days from the due date on which it reminds, the earliest first."""
    return list(ReminderRule.objects.filter(merchant=merchant).order_by("days").values_list("days", flat=True))


def change(merchant: Merchant, *, days: Iterable[int], by: User | None, now: datetime) -> bool:
    """Remind on these days from the due date, of open invoices too; whether that is a change. What would have gone out before
    `now` does not. ValueError for more than MOST of them, and outside EARLIEST to LATEST."""
    new = sorted(set(days))
    if len(new) > MOST or any(not EARLIEST <= one <= LATEST for one in new):
        raise ValueError(f"{new} are no rules")
    with transaction.atomic():
        held = Merchant.objects.select_for_update(no_key=True).get(pk=merchant.pk)
        was = of(held)
        if was == new:
            return False
        ReminderRule.objects.filter(merchant=held).exclude(days__in=new).delete()
        ReminderRule.objects.bulk_create(ReminderRule(merchant=held, days=one) for one in new if one not in was)
        told = {"fields": ["reminders"], "was": was, "reminders": new}
        record("merchant.changed", merchant=held, subject=held, now=now, by=by, facts=told)
    _without_rule(_planned().filter(invoice__merchant=merchant, invoice__status=Status.OPEN)).delete()
    plan_open(merchant, now=now)
    return True


def plan_open(merchant: Merchant, *, now: datetime) -> int:
    """Plan what is missing for the merchant's open invoices; how many reminders."""
    return sum(_plan(merchant, days, now) for days in of(merchant))


def _plan(merchant: Merchant, days: int, now: datetime) -> int:
    lacking = (
        Invoice.objects.filter(merchant=merchant, status=Status.OPEN, remind=True)
        .filter(due_at__gt=now - timedelta(days=days + 2))  # roughly those whose time is ahead; the zone decides
        .exclude(Exists(Reminder.objects.filter(invoice=OuterRef("pk"), days=days)))
        .order_by("pk")
    )
    written, after = 0, 0
    while found := list(lacking.filter(pk__gt=after)[:BATCH]):
        written += reminders.write(found, [days], now=now)
        after = found[-1].pk
    return written


def catch_up(*, now: datetime) -> None:
    """Whatever a change of rules has left undone, of every merchant."""
    _without_rule(_planned()).delete()
    for merchant in Merchant.objects.filter(Exists(ReminderRule.objects.filter(merchant=OuterRef("pk")))):
        plan_open(merchant, now=now)


def _planned() -> QuerySet[Reminder]:
    return Reminder.objects.filter(state=Reminder.State.PLANNED)


def _without_rule(planned: QuerySet[Reminder]) -> QuerySet[Reminder]:
    return planned.exclude(Exists(ReminderRule.objects.filter(merchant=OuterRef("invoice__merchant"), days=OuterRef("days"))))
