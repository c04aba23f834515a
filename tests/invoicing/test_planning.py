"""Writing a schedule, and changing one that runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from invoicing import lifecycle, occurrences, planning, schedules, uploads
from invoicing.authoring import WrittenLine
from invoicing.models import Attachment, Invoice, Schedule, ScheduleStatus
from invoicing.planning import Plan
from invoicing.recurrence import LAST, Rule, Timing
from invoicing.totals import Line
from merchants.models import Event, Merchant, User
from tests.factories import NOW, make_schedule, start
from tests.invoicing.files import PDF

KEY, OTHER = "k" * 43, "o" * 43
NOV, DEC = datetime(2026, 11, 30, 9, tzinfo=UTC), datetime(2026, 12, 31, 9, tzinfo=UTC)
MONTHLY = Timing(Rule("months", day=LAST), date(2026, 11, 30), time(9), "Europe/Lisbon")
WEEKLY = Timing(Rule("weeks", weekdays=frozenset({0})), date(2026, 12, 7), time(8), "Europe/Lisbon")
PLAN = Plan(
    payer_name="Marlow Yachts Ltd",
    payer_email="accounts@marlow.example",
    payer_address="",
    payer_tax_id="",
    payer_reference="",
    merchant_name="Harbour & Pine",
    merchant_email="studio@harbourpine.example",
    title="Retainer, {month}",
    description="",
    currency="EUR",
    prices_include_tax=False,
    lines=(WrittenLine("Studio retainer", Line(10_000, 240_000, 0, 0, "", 0)),),
    all_assets=True,
    asset_ids=(),
    notify_email=True,
    notify_webhook=True,
    remind=True,
    due_after_days=14,
    ends_after=None,
    ends_on=None,
)


def save(schedule: Schedule | None, merchant: Merchant, by: User, plan: Plan = PLAN, *, timing: Timing | None = MONTHLY, **more: Any) -> Schedule:
    values = {"version": schedule.version if schedule else 0, "form_key": KEY, "shown_next": schedule and schedule.next_at, "now": NOW, **more}
    return planning.save(schedule, merchant=merchant, by=by, cleaned=plan, timing=timing, **values)


def going(merchant: Merchant, by: User, *, now: datetime = NOW) -> Schedule:
    draft = save(None, merchant, by)
    return schedules.publish(draft, by=by, version=draft.version, now=now)


def segments(schedule: Schedule) -> list[tuple[int, str, date]]:
    return list(schedule.segments.values_list("first_k", "unit", "anchor"))


def dates(schedule: Schedule, most: int = 3) -> list[tuple[int, str]]:
    return [(coming.k, coming.day.isoformat()) for coming in occurrences.coming(Schedule.objects.get(pk=schedule.pk), most=most)]


def kinds(schedule: Schedule) -> list[str]:
    return list(Event.objects.filter(subject_kind="schedule", subject_id=schedule.pk).order_by("id").values_list("kind", flat=True))


def test_what_was_written_is_kept_with_its_totals_payer_and_timing(merchant: Merchant, owner: User) -> None:
    draft = save(None, merchant, owner)
    assert (draft.status, draft.total_minor, draft.payer and draft.payer.email) == (ScheduleStatus.DRAFT, 240000, "accounts@marlow.example")
    assert [line.amount_minor for line in draft.lines.all()] == [240000]
    assert planning.upcoming_timing(draft) == MONTHLY
    assert dates(draft) == [(1, "2026-11-30"), (2, "2026-12-31"), (3, "2027-01-31")]
    assert kinds(draft) == ["schedule.created"]


def test_saved_twice_from_one_form_it_is_one_schedule(merchant: Merchant, owner: User) -> None:
    first = save(None, merchant, owner)
    again = save(None, merchant, owner, replace(PLAN, title="Better"))
    assert (again.pk, again.title, Schedule.objects.count()) == (first.pk, "Better", 1)


def test_the_second_of_two_editors_is_told_and_overwrites_nothing(merchant: Merchant, owner: User) -> None:
    draft = save(None, merchant, owner)
    save(draft, merchant, owner, replace(PLAN, title="Hers"), form_key=OTHER)
    with pytest.raises(lifecycle.MovedOn) as told:
        save(draft, merchant, owner, replace(PLAN, title="His"), form_key="x" * 43)
    assert str(told.value) == "You saved it in another tab at 10:00."
    assert Schedule.objects.get().title == "Hers"


def test_a_draft_may_lack_its_timing_and_cannot_start_without(merchant: Merchant, owner: User) -> None:
    draft = save(None, merchant, owner, timing=None)
    assert dates(draft) == []
    with pytest.raises(lifecycle.Refused, match="Say how often, and when the first invoice is to go out"):
        schedules.publish(draft, by=owner, version=draft.version, now=NOW)


def test_new_contents_hold_for_what_is_not_yet_issued(merchant: Merchant, owner: User) -> None:
    schedule = going(merchant, owner)
    schedules.run_due(now=NOV)
    schedule.refresh_from_db()
    dearer = replace(PLAN, title="Studio, {month}", lines=(WrittenLine("Studio", Line(10_000, 300_000, 0, 0, "", 0)),))
    save(schedule, merchant, owner, dearer, timing=planning.upcoming_timing(schedule), now=NOV, form_key=OTHER)
    schedules.run_due(now=DEC)
    assert list(Invoice.objects.order_by("id").values_list("title", "total_minor")) == [("Retainer, November", 240000), ("Studio, December", 300000)]
    assert segments(schedule) == [(1, "months", date(2026, 11, 30))]
    assert Event.objects.get(kind="schedule.edited").facts["retimed"] is False


def test_a_new_timing_is_a_new_segment_from_now_on_and_the_numbers_go_on(merchant: Merchant, owner: User) -> None:
    schedule = going(merchant, owner)
    schedules.run_due(now=NOV)
    schedule.refresh_from_db()
    save(schedule, merchant, owner, timing=WEEKLY, now=NOV, form_key=OTHER)
    assert segments(schedule) == [(1, "months", date(2026, 11, 30)), (2, "weeks", date(2026, 12, 7))]
    assert dates(schedule) == [(2, "2026-12-07"), (3, "2026-12-14"), (4, "2026-12-21")]
    assert schedule.occurrences.get(k=1).planned_at == NOV
    assert Event.objects.get(kind="schedule.edited").facts["retimed"] is True
    schedules.run_due(now=datetime(2026, 12, 7, 8, tzinfo=UTC))
    assert list(schedule.occurrences.order_by("k").values_list("k", "state")) == [(1, "issued"), (2, "issued")]


def test_timing_edited_twice_before_anything_is_sent_leaves_one_segment_for_it(merchant: Merchant, owner: User) -> None:
    schedule = going(merchant, owner)
    schedules.run_due(now=NOV)
    for timing in (WEEKLY, replace(MONTHLY, anchor=date(2026, 12, 31), at=time(10))):
        schedule.refresh_from_db()
        save(schedule, merchant, owner, timing=timing, now=NOV)
    assert segments(schedule) == [(1, "months", date(2026, 11, 30)), (2, "months", date(2026, 12, 31))]


def test_a_day_skipped_ahead_stays_skipped_where_the_new_timing_has_it_too(merchant: Merchant, owner: User) -> None:
    schedule = going(merchant, owner)
    for k in (1, 4, 6):  # 30 November, 28 February, 30 April
        schedules.skip(schedule, k, by=owner, now=NOW)
    schedule.refresh_from_db()
    thirtieths = Timing(Rule("months", day=30), date(2026, 12, 31), time(11), "Europe/Lisbon")
    assert planning.retiming(schedule, thirtieths, NOW) == planning.Retiming(2, frozenset({3, 5}), ())
    save(schedule, merchant, owner, timing=thirtieths)
    assert dates(schedule, 4) == [(2, "2027-01-30"), (4, "2027-03-30"), (6, "2027-05-30"), (7, "2027-06-30")]
    assert list(schedule.occurrences.order_by("k").values_list("k", "state")) == [(1, "skipped"), (3, "skipped"), (5, "skipped")]
    assert schedule.occurrences.get(k=3).planned_at == datetime(2027, 2, 28, 11, tzinfo=UTC)


def test_a_day_skipped_ahead_that_the_new_timing_lacks_is_forgotten_and_one_that_was_next_stays(merchant: Merchant, owner: User) -> None:
    schedule = going(merchant, owner)
    for k in (1, 3):
        schedules.skip(schedule, k, by=owner, now=NOW)
    schedule.refresh_from_db()
    assert planning.retiming(schedule, WEEKLY, NOW).forgotten == (date(2027, 1, 31),)
    save(schedule, merchant, owner, timing=WEEKLY)
    assert list(schedule.occurrences.values_list("k", "state")) == [(1, "skipped")]
    assert dates(schedule, 2) == [(2, "2026-12-07"), (3, "2026-12-14")]


def test_the_merchants_new_zone_moves_no_running_schedule(merchant: Merchant, owner: User) -> None:
    schedule = going(merchant, owner)
    Merchant.objects.update(time_zone="Asia/Tokyo")
    merchant.refresh_from_db()
    save(schedule, merchant, owner, replace(PLAN, title="Other"), timing=planning.upcoming_timing(schedule))
    assert Schedule.objects.get().next_at == NOV


@pytest.mark.parametrize(
    ("plan", "timing", "words"),
    [
        (PLAN, replace(WEEKLY, anchor=date(2026, 11, 16)), "Its next date would be in the past. Choose today or a later day."),
        (replace(PLAN, ends_on=date(2026, 11, 29)), MONTHLY, "Nothing would be sent any more. Choose a later end, or stop it."),
        (replace(PLAN, title=""), MONTHLY, "Give it a title."),
    ],
)
def test_a_running_one_is_not_changed_into_one_that_could_not_go_on(merchant: Merchant, owner: User, plan: Plan, timing: Timing, words: str) -> None:
    schedule = going(merchant, owner)
    with pytest.raises(lifecycle.Refused) as refusal:
        save(schedule, merchant, owner, plan, timing=timing)
    assert str(refusal.value) == words
    assert (Schedule.objects.get().title, dates(schedule, 1)) == ("Retainer, {month}", [(1, "2026-11-30")])


def test_an_end_by_count_that_is_already_reached_is_refused(merchant: Merchant, owner: User) -> None:
    schedule = going(merchant, owner)
    schedules.run_due(now=NOV)
    schedule.refresh_from_db()
    with pytest.raises(lifecycle.Refused, match="Nothing would be sent any more"):
        save(schedule, merchant, owner, replace(PLAN, ends_after=1), timing=planning.upcoming_timing(schedule), now=NOV)


def test_an_ended_one_takes_no_edit(merchant: Merchant, owner: User) -> None:
    schedule = going(merchant, owner)
    schedules.stop(schedule, by=owner, now=NOW)
    with pytest.raises(lifecycle.Refused, match="has ended; it can no longer be changed"):
        save(Schedule.objects.get(), merchant, owner)


def test_every_invoice_has_its_own_rows_for_the_files_and_the_bytes_stay_while_one_is_left(
    merchant: Merchant, owner: User, django_capture_on_commit_callbacks: Any
) -> None:
    uploads.accept(SimpleUploadedFile("terms.pdf", PDF), merchant=merchant, form_key=KEY, by=owner, now=NOW)
    schedule = going(merchant, owner)
    schedules.run_due(now=NOV)
    invoice = Invoice.objects.get()
    theirs = invoice.attachments.get()
    original = schedule.attachments.get()
    assert (theirs.name, theirs.file.name) == ("terms.pdf", original.file.name)
    with django_capture_on_commit_callbacks(execute=True):
        uploads.drop(Attachment.objects.filter(pk=original.pk))
    with theirs.file.open("rb") as file:
        assert file.read() == PDF
    with django_capture_on_commit_callbacks(execute=True):
        uploads.drop(Attachment.objects.filter(pk=theirs.pk))
    assert not theirs.file.storage.exists(theirs.file.name)


def test_a_duplicate_is_one_new_draft_from_its_next_date_on(merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant, Rule("weeks", weekdays=frozenset({0, 3})), anchor=date(2026, 11, 19), ends_after=10))
    copies = [planning.duplicate(schedule, by=owner, form_key=OTHER, now=datetime(2026, 11, 23, 9, tzinfo=UTC)) for _twice in range(2)]
    assert copies[0].pk == copies[1].pk != schedule.pk
    copy = copies[0]
    assert (copy.status, copy.title, copy.ends_after, copy.total_minor) == (ScheduleStatus.DRAFT, "Retainer, {month}", 10, 240000)
    assert [line.description for line in copy.lines.all()] == ["Studio retainer"]
    assert dates(copy) == [(1, "2026-11-26"), (2, "2026-11-30"), (3, "2026-12-03")]


def test_only_a_draft_is_deleted(merchant: Merchant, owner: User) -> None:
    draft = save(None, merchant, owner)
    planning.delete(draft, by=owner, now=NOW)
    assert Schedule.objects.count() == 0
    running = start(make_schedule(merchant))
    with pytest.raises(lifecycle.Refused, match="was published; it can be stopped, not deleted"):
        planning.delete(running, by=owner, now=NOW)


def test_a_paused_one_keeps_its_dates_when_its_words_are_edited(merchant: Merchant, owner: User) -> None:
    schedule = going(merchant, owner)
    schedules.pause(schedule, by=owner, now=NOW)
    late = NOV + timedelta(days=2)
    schedule.refresh_from_db()
    save(schedule, merchant, owner, replace(PLAN, title="Other"), timing=planning.upcoming_timing(schedule), now=late)
    assert Schedule.objects.get().next_at == NOV


def test_the_words_of_a_paused_one_can_be_edited_when_its_next_date_is_long_past(merchant: Merchant, owner: User) -> None:
    schedule = going(merchant, owner)
    schedules.pause(schedule, by=owner, now=NOW)
    schedule.refresh_from_db()
    save(schedule, merchant, owner, replace(PLAN, title="Other"), timing=planning.upcoming_timing(schedule), now=DEC)
    assert Schedule.objects.get().title == "Other"


def test_a_save_that_changes_nothing_puts_nobody_out_of_date(merchant: Merchant, owner: User) -> None:
    draft = save(None, merchant, owner)
    save(draft, merchant, owner, form_key=OTHER)
    assert save(draft, merchant, owner, replace(PLAN, title="His"), form_key="x" * 43).title == "His"
    assert kinds(draft) == ["schedule.created", "schedule.edited"]


# --- a page that was opened before something was decided ----------------------------------------------------------
def shown(schedule: Schedule) -> dict[str, Any]:
    """What the edit page of `schedule` sends along, as it is now."""
    schedule.refresh_from_db()
    return {"version": schedule.version, "shown_next": schedule.next_at, "timing": planning.upcoming_timing(schedule)}


@pytest.mark.parametrize("key", [OTHER, KEY])
def test_words_edited_on_a_page_opened_before_a_sending_move_no_date_and_send_nothing_twice(merchant: Merchant, owner: User, key: str) -> None:
    schedule = going(merchant, owner)
    page = shown(schedule)
    schedules.run_due(now=NOV)
    save(Schedule.objects.get(), merchant, owner, replace(PLAN, title="Other"), form_key=key, now=NOV + timedelta(minutes=5), **page)
    schedules.run_due(now=NOV + timedelta(minutes=6))
    assert Invoice.objects.count() == 1
    assert segments(schedule) == [(1, "months", date(2026, 11, 30))]
    assert dates(schedule, 1) == [(2, "2026-12-31")]


def test_words_edited_on_a_page_opened_before_a_colleagues_skip_leave_it_skipped(merchant: Merchant, owner: User) -> None:
    schedule = going(merchant, owner)
    page = shown(schedule)
    schedules.skip(schedule, 1, by=owner, now=NOW)
    save(Schedule.objects.get(), merchant, owner, replace(PLAN, title="Other"), form_key=OTHER, **page)
    assert schedule.occurrences.get(k=1).state == "skipped"
    assert dates(schedule, 1) == [(2, "2026-12-31")]


@pytest.mark.parametrize("key", [OTHER, KEY])
def test_timing_edited_against_dates_that_were_decided_meanwhile_is_refused(merchant: Merchant, owner: User, key: str) -> None:
    schedule = going(merchant, owner)
    page = shown(schedule) | {"timing": WEEKLY}
    schedules.run_due(now=NOV)
    with pytest.raises(lifecycle.MovedOn, match="What comes next has changed while you were writing"):
        save(Schedule.objects.get(), merchant, owner, form_key=key, now=NOV, **page)
    assert segments(schedule) == [(1, "months", date(2026, 11, 30))]


def test_no_new_timing_plans_a_moment_that_was_decided(merchant: Merchant, owner: User) -> None:
    schedule = going(merchant, owner)
    schedules.send_now(schedule, 1, by=owner, now=NOW)
    schedule.refresh_from_db()
    with pytest.raises(lifecycle.Refused, match="An invoice for this very date has been decided on"):
        save(schedule, merchant, owner, timing=replace(MONTHLY, rule=Rule("days", 7)))


def test_what_was_planned_while_it_was_paused_is_shown_as_skipped_when_the_dates_are_changed(merchant: Merchant, owner: User) -> None:
    schedule = going(merchant, owner)
    schedules.pause(schedule, by=owner, now=NOW)
    schedule.refresh_from_db()
    later = replace(WEEKLY, anchor=date(2027, 1, 4))
    save(schedule, merchant, owner, timing=later, now=DEC + timedelta(days=1))
    assert list(schedule.occurrences.order_by("k").values_list("k", "state")) == [(1, "skipped"), (2, "skipped")]
    assert segments(schedule)[-1] == (3, "weeks", date(2027, 1, 4))


@pytest.mark.parametrize(
    ("rule", "anchor", "expected"),
    [
        (Rule("years", day=15), "2026-03-15", "2027-03-15"),
        (Rule("quarters", day=1), "2026-01-01", "2027-01-01"),
        (Rule("months", 2, day=31), "2026-01-31", "2026-11-30"),
        (Rule("days", 10), "2026-11-01", "2026-12-01"),
        (Rule("weeks", 2), "2026-11-03", "2026-12-01"),
        (Rule("months"), "2026-10-31", "2026-11-30"),
    ],
)
def test_a_duplicate_keeps_the_rhythm_of_its_original(merchant: Merchant, owner: User, rule: Rule, anchor: str, expected: str) -> None:
    schedule = make_schedule(merchant, rule, anchor=date.fromisoformat(anchor))
    copy = planning.duplicate(schedule, by=owner, form_key=OTHER, now=datetime(2026, 11, 22, 9, tzinfo=UTC))
    first, second = occurrences.coming(copy, most=2)
    assert first.day.isoformat() == expected
    originals = [schedule.segments.get().planned(k) for k in range(1, 60)]
    assert [first.planned_at, second.planned_at] == [at for at in originals if at > datetime(2026, 11, 22, 9, tzinfo=UTC)][:2]


def test_one_whose_last_date_is_held_can_be_mended_so_that_it_goes_out(merchant: Merchant, owner: User) -> None:
    draft = save(None, merchant, owner, replace(PLAN, ends_after=1, all_assets=False, asset_ids=(merchant.accepted_assets[0],)))
    schedule = schedules.publish(draft, by=owner, version=draft.version, now=NOW)
    Schedule.objects.update(asset_ids=[])
    schedules.run_due(now=NOV)
    schedule.refresh_from_db()
    assert (schedule.occurrences.get().state, schedule.next_at) == ("held", None)
    timing = planning.upcoming_timing(schedule)
    save(schedule, merchant, owner, replace(PLAN, ends_after=1), timing=timing, form_key=OTHER, now=NOV + timedelta(minutes=1))
    schedules.run_due(now=NOV + timedelta(minutes=11))
    assert schedule.occurrences.get().state == "issued"
    assert Schedule.objects.get().status == ScheduleStatus.COMPLETED
