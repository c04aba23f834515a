"""A schedule over time: what is issued, missed, skipped and held, and what members do to it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from invoicing import lifecycle, occurrences, payability, schedules
from invoicing.models import Invoice, Occurrence, Schedule, ScheduleStatus, Segment
from invoicing.recurrence import LAST, Rule
from merchants.models import Event, Merchant, User
from tests.factories import NOW, make_schedule, start

NOV, DEC, JAN, FEB, MAR = (
    datetime(y, m, d, 9, tzinfo=UTC) for y, m, d in ((2026, 11, 30), (2026, 12, 31), (2027, 1, 31), (2027, 2, 28), (2027, 3, 31))
)


def rows(schedule: Schedule) -> list[tuple[int, str]]:
    return list(schedule.occurrences.order_by("k").values_list("k", "state"))


def told(schedule: Schedule) -> list[str]:
    return list(Event.objects.filter(subject_kind="schedule", subject_id=schedule.pk).order_by("id").values_list("kind", flat=True))


def run(*, now: datetime) -> None:
    """What beat does, as often as it takes."""
    while schedules.run_due(now=now):
        pass


def fresh(schedule: Schedule) -> Schedule:
    return Schedule.objects.get(pk=schedule.pk)


def test_each_month_makes_one_invoice_whose_texts_dates_and_money_are_its_own(merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant, lines=[("Retainer for {period}", "1", "2400.00", "23")], description="{n} of many, {client}"))
    for now in (NOV, DEC, DEC + timedelta(seconds=30)):
        run(now=now)
    first, second = Invoice.objects.order_by("number")
    assert (first.number, first.title, first.issue_at, first.due_at) == ("INV-000001", "Retainer, November", NOV, NOV + timedelta(days=14))
    assert (second.number, second.title, second.issue_at, second.due_at) == ("INV-000002", "Retainer, December", DEC, DEC + timedelta(days=14))
    assert (second.description, second.total_minor, second.status) == ("2 of many, {client}", 295200, "open")
    assert [line.description for line in second.lines.all()] == ["Retainer for December 2026"]
    assert rows(schedule) == [(1, "issued"), (2, "issued")]
    assert (fresh(schedule).next_k, fresh(schedule).next_at) == (3, JAN)


def test_a_late_run_moves_no_date(merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant))
    run(now=NOV + timedelta(days=3))
    invoice = Invoice.objects.get()
    assert (invoice.issue_at, invoice.due_at, invoice.issued_at) == (NOV, NOV + timedelta(days=14), NOV + timedelta(days=3))
    assert fresh(schedule).next_at == DEC


def test_after_downtime_what_is_still_before_its_due_is_issued_once_and_the_rest_is_missed_in_one_event(merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant, Rule("days", 5), anchor=date(2026, 11, 20), due_after_days=14))
    run(now=datetime(2026, 12, 16, 10, tzinfo=UTC))
    assert rows(schedule) == [(1, "missed"), (2, "missed"), (3, "missed"), (4, "issued"), (5, "issued"), (6, "issued")]
    assert [str(day.date()) for day in Invoice.objects.order_by("number").values_list("issue_at", flat=True)] == [
        "2026-12-05",
        "2026-12-10",
        "2026-12-15",
    ]
    assert told(schedule) == ["schedule.published", "schedule.missed"]
    missed = Event.objects.get(kind="schedule.missed").facts["occurrences"]
    assert [(one["n"], one["planned_at"]) for one in missed] == [
        (1, "2026-11-20T09:00:00Z"),
        (2, "2026-11-25T09:00:00Z"),
        (3, "2026-11-30T09:00:00Z"),
    ]
    assert fresh(schedule).next_at == datetime(2026, 12, 20, 9, tzinfo=UTC)


def test_nine_stays_nine_when_the_clocks_change(merchant: Merchant) -> None:
    start(make_schedule(merchant))
    for now in (NOV, DEC, JAN, FEB, MAR):
        run(now=now)
    last = Invoice.objects.order_by("id").last()
    assert last is not None and last.issue_at == datetime(2027, 3, 31, 8, tzinfo=UTC)  # summer time in Lisbon


def test_it_ends_after_so_many_issued_and_skipped_or_missed_ones_do_not_count(merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant, ends_after=2))
    schedules.skip(schedule, 1, by=owner, now=NOW)
    run(now=JAN + timedelta(days=2))  # December's was due on 14 January
    run(now=FEB)
    assert rows(schedule) == [(1, "skipped"), (2, "missed"), (3, "issued"), (4, "issued")]
    assert (fresh(schedule).status, fresh(schedule).next_at) == (ScheduleStatus.COMPLETED, None)
    assert Event.objects.get(kind="schedule.completed").facts["issued"] == 2


def test_it_ends_on_a_date(merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant, ends_on=date(2026, 12, 31)))
    for now in (NOV, DEC, JAN):
        run(now=now)
    assert rows(schedule) == [(1, "issued"), (2, "issued")]
    assert fresh(schedule).status == ScheduleStatus.COMPLETED


def test_a_standing_one_goes_on(merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant))
    assert schedule.is_standing
    assert len(occurrences.coming(schedule, most=500)) == 500


def test_one_that_cannot_be_published_is_held_told_once_and_issued_when_it_can_be(merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant))
    accepted, merchant.accepted_assets = merchant.accepted_assets, []
    merchant.save()
    run(now=NOV)
    held = schedule.occurrences.get()
    assert (held.state, held.reason) == ("held", "Choose at least one token it can be paid with.")
    run(now=NOV + timedelta(minutes=11))
    assert told(schedule) == ["schedule.published", "schedule.held"]
    merchant.accepted_assets = accepted
    merchant.save()
    run(now=NOV + timedelta(minutes=15))
    assert rows(schedule) == [(1, "held")]  # not before ten minutes after the last try
    run(now=NOV + timedelta(minutes=22))
    assert rows(schedule) == [(1, "issued")]
    assert Invoice.objects.get().issue_at == NOV


def test_a_held_one_past_its_due_is_missed(merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant))
    Merchant.objects.update(accepted_assets=[])
    run(now=NOV)
    run(now=NOV + timedelta(days=14))
    assert rows(schedule) == [(1, "missed")]
    assert told(schedule) == ["schedule.published", "schedule.held", "schedule.missed"]


def test_paused_it_sends_nothing_and_resumed_it_issues_what_is_still_before_its_due(merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant))
    schedules.pause(schedule, by=owner, now=NOW)
    run(now=JAN)
    assert rows(schedule) == []
    schedules.resume(schedule, skip_past=False, by=owner, now=DEC + timedelta(days=1))
    run(now=DEC + timedelta(days=1))
    assert rows(schedule) == [(1, "missed"), (2, "issued")]


def test_resumed_it_can_skip_what_came_while_it_was_paused(merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant))
    schedules.pause(schedule, by=owner, now=NOW)
    schedules.resume(schedule, skip_past=True, by=owner, now=DEC + timedelta(days=1))
    run(now=DEC + timedelta(days=1))
    assert rows(schedule) == [(1, "skipped"), (2, "skipped")]
    assert fresh(schedule).next_at == JAN


def test_one_is_skipped_ahead_and_put_back(merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant))
    schedules.skip(schedule, 2, by=owner, now=NOW)
    assert [date.k for date in occurrences.coming(schedule, most=3)] == [1, 3, 4]
    schedules.skip(schedule, 1, by=owner, now=NOW)
    assert fresh(schedule).next_k == 3
    schedules.put_back(schedule, 2, by=owner, now=NOW)
    assert (fresh(schedule).next_k, fresh(schedule).next_at) == (2, DEC)
    run(now=DEC)
    assert rows(schedule) == [(1, "skipped"), (2, "issued")]
    assert told(schedule) == ["schedule.published", "schedule.skipped", "schedule.skipped", "schedule.put_back"]


@pytest.mark.parametrize("k", [0, 9999])
def test_only_a_coming_date_can_be_skipped(merchant: Merchant, owner: User, k: int) -> None:
    schedule = start(make_schedule(merchant))
    with pytest.raises(lifecycle.Refused, match=f"There is no No. {k} among the coming dates"):
        schedules.skip(schedule, k, by=owner, now=NOW)


def test_what_has_gone_out_cannot_be_skipped(merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant))
    run(now=NOV)
    with pytest.raises(lifecycle.Refused, match=r"^No\. 1 is already decided; it cannot be skipped.$"):
        schedules.skip(schedule, 1, by=owner, now=NOV)


def test_the_next_is_sent_now_with_the_words_of_its_date_and_due_from_today(merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant))
    invoice = schedules.send_now(schedule, 1, by=owner, now=NOW)
    assert (invoice.title, invoice.status, invoice.issue_at) == ("Retainer, November", "open", NOW)
    assert invoice.due_at == datetime(2026, 12, 1, 9, tzinfo=UTC)
    run(now=NOV)
    assert rows(schedule) == [(1, "issued")]
    assert fresh(schedule).next_at == DEC


def test_only_the_next_is_sent_early(merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant))
    with pytest.raises(lifecycle.Refused, match=r"^No\. 2 cannot be sent now"):
        schedules.send_now(schedule, 2, by=owner, now=NOW)


@pytest.mark.parametrize("state", ["missed", "skipped", "held"])
def test_what_was_not_sent_is_sent_after_all_once(merchant: Merchant, owner: User, state: str) -> None:
    schedule = start(make_schedule(merchant))
    Occurrence.objects.create(schedule=schedule, k=1, planned_at=NOV, state=state, at=NOV)
    Schedule.objects.filter(pk=schedule.pk).update(next_k=2, next_at=DEC)
    late = NOV + timedelta(days=20)
    invoice = schedules.send_now(schedule, 1, by=owner, now=late)
    assert (invoice.title, invoice.due_at) == ("Retainer, November", late + timedelta(days=14))
    with pytest.raises(lifecycle.Refused, match=r"^No\. 1 has gone out already"):
        schedules.send_now(schedule, 1, by=owner, now=late)
    assert schedule.occurrences.get(k=1).planned_at == NOV
    assert fresh(schedule).next_at == DEC


def test_stopped_is_final(merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant))
    run(now=NOV)
    schedules.stop(schedule, by=owner, now=NOV)
    run(now=MAR)
    assert rows(schedule) == [(1, "issued")]
    assert Event.objects.get(kind="schedule.stopped").facts["issued"] == 1
    attempts: list[Any] = [
        lambda: schedules.resume(schedule, skip_past=True, by=owner, now=MAR),
        lambda: schedules.pause(schedule, by=owner, now=MAR),
        lambda: schedules.stop(schedule, by=owner, now=MAR),
        lambda: schedules.skip(schedule, 2, by=owner, now=MAR),
        lambda: schedules.send_now(schedule, 2, by=owner, now=MAR),
        lambda: schedules.publish(schedule, by=owner, version=fresh(schedule).version, now=MAR),
    ]
    for attempt in attempts:
        with pytest.raises(lifecycle.Refused):
            attempt()
    assert Invoice.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"payer_name": ""}, "Say who pays: a name and an email address."),
        ({"title": ""}, "Give it a title."),
        ({"total_minor": 0}, "The total is zero. Add an item with a price."),
        ({"ends_on": date(2026, 11, 29)}, "It would end before its first invoice. Choose a later end."),
    ],
)
def test_it_starts_only_whole(merchant: Merchant, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(lifecycle.Refused) as refusal:
        start(make_schedule(merchant, **fields))
    assert str(refusal.value) == words


def test_it_does_not_start_in_the_past_but_may_start_earlier_today(merchant: Merchant) -> None:
    with pytest.raises(lifecycle.Refused, match="The date of its first invoice has passed"):
        start(make_schedule(merchant, Rule("days"), anchor=date(2026, 11, 16)))
    today = start(make_schedule(merchant, Rule("days", 30), anchor=date(2026, 11, 17), at=time(8)))
    run(now=NOW)
    assert rows(today) == [(1, "issued")]


def test_a_draft_that_changed_meanwhile_is_not_started(merchant: Merchant, owner: User) -> None:
    schedule = make_schedule(merchant)
    Schedule.objects.update(version=2)
    with pytest.raises(lifecycle.MovedOn):
        schedules.publish(schedule, by=owner, version=1, now=NOW)


def test_one_that_fails_holds_up_nobody(merchant: Merchant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    broken, sound = start(make_schedule(merchant, title="Broken")), start(make_schedule(merchant))

    def objection(invoice: Invoice, now: datetime) -> str | None:
        if invoice.title == "Broken":
            raise RuntimeError("a price source that throws")
        return None

    monkeypatch.setattr(payability, "checks", [objection])
    assert schedules.run_due(now=NOV) == 1
    assert (rows(broken), rows(sound)) == ([], [(1, "issued")])
    assert fresh(broken).next_at == NOV
    assert "occur of" in caplog.text


def test_the_last_day_is_the_last_day_of_each_month(merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant, Rule("months", day=LAST), anchor=date(2027, 1, 31)), now=NOW)
    assert [date.day.isoformat() for date in occurrences.coming(schedule, most=3)] == ["2027-01-31", "2027-02-28", "2027-03-31"]


def test_the_last_date_held_is_tried_again_and_ends_the_schedule_only_then(merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant, ends_after=1))
    accepted, merchant.accepted_assets = merchant.accepted_assets, []
    merchant.save()
    run(now=NOV)
    assert (rows(schedule), fresh(schedule).status) == ([(1, "held")], ScheduleStatus.ACTIVE)
    merchant.accepted_assets = accepted
    merchant.save()
    run(now=NOV + timedelta(minutes=11))
    assert (rows(schedule), fresh(schedule).status) == ([(1, "issued")], ScheduleStatus.COMPLETED)


def test_the_last_date_held_until_it_is_past_its_due_is_missed_and_ends_the_schedule(merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant, ends_on=date(2026, 11, 30)))
    Merchant.objects.update(accepted_assets=[])
    run(now=NOV)
    run(now=NOV + timedelta(days=15))
    assert (rows(schedule), fresh(schedule).status) == ([(1, "missed")], ScheduleStatus.COMPLETED)


def test_a_held_one_is_spoken_for_where_invoices_are_counted(merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant, ends_after=2))
    accepted, merchant.accepted_assets = merchant.accepted_assets, []
    merchant.save()
    run(now=NOV)
    assert [date.k for date in occurrences.coming(fresh(schedule), most=5)] == [2]
    merchant.accepted_assets = accepted
    merchant.save()
    run(now=NOV + timedelta(minutes=11))
    run(now=DEC)
    assert (rows(schedule), fresh(schedule).status) == ([(1, "issued"), (2, "issued")], ScheduleStatus.COMPLETED)


def test_all_that_is_missed_is_told_at_once_also_where_invoices_are_counted(merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant, Rule("days"), anchor=date(2026, 11, 20), due_after_days=1, ends_after=2))
    run(now=datetime(2026, 12, 1, 10, tzinfo=UTC))
    assert [kind for kind in told(schedule) if kind == "schedule.missed"] == ["schedule.missed"]
    assert rows(schedule) == [*((k, "missed") for k in range(1, 12)), (12, "issued")]


def test_the_last_date_is_not_skipped_but_the_schedule_stopped(merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant, ends_on=date(2026, 12, 31)))
    schedules.skip(schedule, 1, by=owner, now=NOW)
    with pytest.raises(lifecycle.Refused) as refusal:
        schedules.skip(schedule, 2, by=owner, now=NOW)
    assert str(refusal.value) == "No. 2 is the last date. To send no more, stop the schedule."
    assert fresh(schedule).status == ScheduleStatus.ACTIVE


def test_a_date_of_an_earlier_timing_is_sent_now_and_not_put_back(merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant))
    schedules.skip(schedule, 1, by=owner, now=NOW)
    schedules.send_now(schedule, 2, by=owner, now=NOW)
    Segment.objects.create(schedule=schedule, first_k=3, anchor=date(2027, 2, 1), at=time(9), zone="Europe/Lisbon", unit="weeks")
    with pytest.raises(lifecycle.Refused, match="was planned before the dates were changed"):
        schedules.put_back(schedule, 1, by=owner, now=NOW)
    assert fresh(schedule).status == ScheduleStatus.ACTIVE
    assert schedules.send_now(schedule, 1, by=owner, now=NOW).title == "Retainer, November"
