"""The demo's schedules: a monthly retainer with a past, and a weekly one that is paused."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial

from invoicing import authoring, planning, schedules
from invoicing.models import Invoice, Schedule
from invoicing.recurrence import LAST, Rule, Timing
from merchants import moments
from merchants.models import Merchant, User

Step = tuple[datetime, Callable[[datetime], None]]
Pay = Callable[[Invoice, datetime], None]
Act = Callable[[str, int, Timing], Iterator[Step]]
SOON, TWO_HOURS = timedelta(seconds=20), timedelta(hours=2)


@dataclass(frozen=True)
class Tale:
    """Who writes the schedules, and how their invoices are paid."""

    merchant: Merchant
    user: User
    now: datetime
    zone: str
    pay: Pay

    def steps(self, retainer: planning.Plan, weekly: planning.Plan) -> Iterator[Step]:
        """Of five months of the retainer the third is skipped and the fourth missed; the weekly one is paused after two."""
        today = moments.local(self.now, self.zone).date()
        monthly = Timing(Rule("months", day=LAST), _month_before(today, 5), time(9), self.zone)
        acts: list[Act] = [self._sent, self._sent, self._skipped, partial(self._missed, days=retainer.due_after_days), self._sent]
        yield from self._told(retainer, monthly, acts)
        monday = today - timedelta(days=40)
        monday += timedelta(days=-monday.weekday() % 7)
        weeks = Timing(Rule("weeks", weekdays=frozenset({0})), monday, time(9, 30), self.zone)
        yield from self._told(weekly, weeks, [self._sent, self._sent])
        yield weeks.planned(2) + timedelta(days=1), partial(self._pause, weekly.title)

    def _told(self, plan: planning.Plan, timing: Timing, acts: list[Act]) -> Iterator[Step]:
        yield timing.planned(1) - timedelta(days=3), partial(self._write, plan, timing)
        for k, act in enumerate(acts, start=1):
            yield from act(plan.title, k, timing)

    def _sent(self, title: str, k: int, timing: Timing) -> Iterator[Step]:
        yield timing.planned(k) + SOON, partial(self._occur, title)
        yield timing.planned(k) + TWO_HOURS, partial(self._paid, title, k)

    def _skipped(self, title: str, k: int, timing: Timing) -> Iterator[Step]:
        yield timing.planned(k) - timedelta(days=2), partial(self._skip, title, k)

    def _missed(self, title: str, k: int, timing: Timing, *, days: int) -> Iterator[Step]:
        """The worker comes back only after its due time, as after a long outage."""
        yield timing.planned(k) + timedelta(days=days, hours=3), partial(self._occur, title)

    def _found(self, title: str) -> Schedule:
        return Schedule.objects.select_related("merchant").get(merchant=self.merchant, title=title)

    # --- what happens -----------------------------------------------------------------------------------------------
    def _write(self, plan: planning.Plan, timing: Timing, at: datetime) -> None:
        draft = planning.save(
            None, merchant=self.merchant, by=self.user, version=0, cleaned=plan, timing=timing, form_key=secrets.token_urlsafe(16), now=at
        )
        schedules.publish(draft, by=self.user, version=draft.version, now=at)

    def _occur(self, title: str, at: datetime) -> None:
        schedules.occur(self._found(title).pk, now=at)

    def _paid(self, title: str, k: int, at: datetime) -> None:
        self.pay(Invoice.objects.select_related("merchant").get(occurrence__schedule=self._found(title), occurrence__k=k), at)

    def _skip(self, title: str, k: int, at: datetime) -> None:
        schedules.skip(self._found(title), k, by=self.user, now=at)

    def _pause(self, title: str, at: datetime) -> None:
        schedules.pause(self._found(title), by=self.user, now=at)


def _month_before(day: date, months: int) -> date:
    """The first of the month that is `months` before that of `day`."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)


def plan_of(
    merchant: Merchant, payer: tuple[str, str, str, str], title: str, lines: tuple[authoring.WrittenLine, ...], *, due_after_days: int
) -> planning.Plan:
    """A standing schedule in euros, paid with whatever the merchant accepts."""
    name, email, address, tax_id = payer
    return planning.Plan(
        payer_name=name,
        payer_email=email,
        payer_address=address,
        payer_tax_id=tax_id,
        payer_reference="",
        merchant_name=merchant.name,
        merchant_email=merchant.email,
        title=title,
        description="",
        currency="EUR",
        prices_include_tax=False,
        lines=lines,
        all_assets=True,
        asset_ids=(),
        notify_email=True,
        notify_webhook=True,
        remind=True,
        due_after_days=due_after_days,
        ends_after=None,
        ends_on=None,
    )
