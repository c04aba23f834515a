"""The fields of a schedule: the rule they make, and every refusal beside its field."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from django.http import QueryDict

from invoicing import planning, schedules
from invoicing.forms import Entry
from invoicing.models import Schedule
from invoicing.recurrence import LAST, Rule, Timing
from merchants.models import Merchant
from tests.factories import NOW, make_draft, make_schedule, start
from tests.invoicing.page import row
from tests.invoicing.page_recurring import recurring


def query(values: dict[str, Any]) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, value in values.items():
        data.setlist(name, value if isinstance(value, list) else [value])
    return data


def entry(merchant: Merchant, *, publishing: bool = False, schedule: Schedule | None = None, now: datetime = NOW, **changes: Any) -> Entry:
    return Entry(merchant, now=now, data=query(recurring(**changes)), publishing=publishing, schedule=schedule)


def refusals(page: Entry) -> dict[str, str]:
    assert page.is_valid() is False
    return {wrong.anchor: wrong.words for wrong in page.wrong()}


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"unit": "days", "every": "10"}, Rule("days", 10)),
        ({"unit": "weeks", "weekdays": ["0", "4"]}, Rule("weeks", weekdays=frozenset({0, 4}))),
        ({"unit": "weeks", "every": "2"}, Rule("weeks", 2)),
        ({"on": "first"}, Rule("months", day=31)),
        ({"on": "first", "first_date": "2027-02-28"}, Rule("months", day=28)),
        ({"on": "day", "day": "15"}, Rule("months", day=15)),
        ({"on": "last"}, Rule("months", day=LAST)),
        ({"on": "nth", "nth": "2", "weekday": "1"}, Rule("months", nth=2, weekday=1)),
        ({"unit": "quarters", "on": "nth", "nth": "-1", "weekday": "4"}, Rule("quarters", nth=LAST, weekday=4)),
        ({"unit": "years", "every": "3", "on": "first"}, Rule("years", 3, day=31)),
    ],
)
def test_the_fields_make_the_rule(merchant: Merchant, fields: dict[str, Any], rule: Rule) -> None:
    page = entry(merchant, publishing=True, **fields)
    assert page.is_valid() is True, page.wrong()
    timing = page.timing()
    assert timing is not None
    assert (timing.rule, timing.at, timing.zone) == (rule, time(9), "Europe/Lisbon")


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({}, (12, None)),
        ({"ends": "date", "ends_on": "2027-12-31"}, (None, date(2027, 12, 31))),
        ({"standing": "on"}, (None, None)),
        ({"standing": "on", "ends": "date", "ends_on": "soon", "ends_after": "x"}, (None, None)),
    ],
)
def test_the_fields_make_the_end(merchant: Merchant, fields: dict[str, Any], end: tuple[int | None, date | None]) -> None:
    page = entry(merchant, publishing=True, **fields)
    assert page.is_valid() is True, page.wrong()
    plan = page.plan()
    assert (plan.ends_after, plan.ends_on, plan.due_after_days) == (*end, 14)
    assert (plan.title, plan.totals().total_minor) == ("Retainer, {month}", 240_000)


WRONG = [
    ({"every": "0"}, "id_every", "Write a whole number from 1 to 365."),
    ({"every": "366"}, "id_every", "Write a whole number from 1 to 365."),
    ({"every": "often"}, "id_every", "Write a whole number from 1 to 365."),
    ({"every": ""}, "id_every", "Write how often, such as 1."),
    ({"unit": ""}, "id_unit", "Choose days, weeks, months, quarters or years."),
    ({"unit": "eons"}, "id_unit", "Choose one from the list."),
    ({"unit": "weeks", "weekdays": ["9"]}, "id_weekdays", "Choose among the days of the week."),
    ({"on": ""}, "id_on", "Choose on which day."),
    ({"on": "day", "day": ""}, "id_day", "Write a day of the month, from 1 to 31."),
    ({"on": "day", "day": "32"}, "id_day", "Write a whole number from 1 to 31."),
    ({"on": "nth", "nth": "5"}, "id_nth", "Choose one from the list."),
    ({"on": "nth", "weekday": ""}, "id_weekday", "Choose a day of the week."),
    ({"first_date": ""}, "id_first_date", "Choose the day of the first invoice."),
    ({"first_date": "31/1/2027"}, "id_first_date", "Write the day like 2026-12-01."),
    ({"first_date": "2077-01-31"}, "id_first_date", "Choose a day before 24 November 2036."),
    ({"first_date": "1999-01-31"}, "id_first_date", "Choose a day after 2000."),
    ({"first_time": "nine"}, "id_first_time", "Write the time like 18:00."),
    ({"due_after_days": ""}, "id_due_after_days", "Write within how many days each is to be paid."),
    ({"due_after_days": "0"}, "id_due_after_days", "Write a whole number from 1 to 365."),
    ({"ends": ""}, "id_ends", "Choose when it ends, or that it is standing."),
    ({"ends_after": ""}, "id_ends_after", "Write after how many invoices it ends, or make it standing."),
    ({"ends_after": "1000"}, "id_ends_after", "Write a whole number from 1 to 999."),
    ({"ends": "date"}, "id_ends_on", "Choose its last day, or make it standing."),
    ({"ends": "date", "ends_on": "2027-01-30"}, "id_ends_on", "This is before the first invoice, 31 January 2027. Choose a later day."),
    ({"ends": "date", "ends_on": "2077-01-30"}, "id_ends_on", "Choose a day before 24 November 2036."),
]


@pytest.mark.parametrize(("fields", "anchor", "words"), WRONG)
def test_what_is_wrong_with_a_field_is_said_beside_it(merchant: Merchant, fields: dict[str, Any], anchor: str, words: str) -> None:
    found = refusals(entry(merchant, **fields))
    # The list at the top leads to the first radio, where there are several.
    assert {name.removesuffix("_0"): said for name, said in found.items()} == {anchor: words}


def test_everything_wrong_is_said_at_once(merchant: Merchant) -> None:
    page = entry(merchant, publishing=True, every="0", on="day", day="", first_time="nine", due_after_days="x", ends_after="", title="")
    assert list(refusals(page)) == ["id_title", "id_every", "id_day", "id_first_time", "id_due_after_days", "id_ends_after"]


def test_what_the_choices_hide_is_not_judged_and_is_still_there(merchant: Merchant) -> None:
    page = entry(merchant, day="99", nth="7", weekday="x", weekdays=["8"], ends_on="soon", issue_date="soon", due_date="never")
    assert page.is_valid() is True, page.wrong()
    assert (page.rule["day"].value(), page.rule["ends_on"].value(), page.once["issue_date"].value()) == ("99", "soon", "soon")


def test_a_one_time_invoice_is_not_judged_by_the_fields_of_a_schedule(merchant: Merchant) -> None:
    page = entry(merchant, kind="one_time", every="x", ends="", due_after_days="")
    assert page.is_valid() is True, page.wrong()
    assert (page.is_recurring, page.rule["every"].value(), page.content().due_at) == (False, "x", datetime(2026, 12, 1, 18, tzinfo=UTC))


@pytest.mark.parametrize("day", ["2026-11-16", "2026-10-31"])
def test_a_first_date_in_the_past_is_refused_only_when_it_is_published(merchant: Merchant, day: str) -> None:
    past = {"first_date": day, "on": "first"}
    assert entry(merchant, **past).is_valid() is True
    assert refusals(entry(merchant, publishing=True, **past)) == {
        "id_first_date": "The date of its first invoice has passed. Choose today or a later day."
    }


def test_earlier_today_is_not_the_past(merchant: Merchant) -> None:
    assert entry(merchant, publishing=True, first_date="2026-11-17", first_time="08:00", on="first").is_valid() is True


def test_a_draft_may_lack_its_timing_but_no_part_of_one(merchant: Merchant) -> None:
    page = entry(merchant, first_date="", on="first")
    assert page.is_valid() is True
    assert page.timing() is None
    assert refusals(entry(merchant, first_date="", on="first", publishing=True)) == {"id_first_date": "Choose the day of the first invoice."}
    assert refusals(entry(merchant, first_date="", unit="weeks")) == {"id_first_date": "Choose the day of the first invoice."}


def test_a_new_page_begins_with_the_next_month_and_the_usual_days(merchant: Merchant) -> None:
    page = Entry(merchant, now=NOW, kind="recurring")
    names = ("every", "unit", "on", "first_date", "first_time", "due_after_days", "standing", "ends", "ends_after")
    assert [page.rule[name].value() for name in names] == [1, "months", "first", "2026-12-01", "09:00", merchant.due_after_days, False, "after", 12]
    dates = page.dates()
    assert dates is not None
    assert (dates.count, dates.rows[0].planned_at) == (12, datetime(2026, 12, 1, 9, tzinfo=UTC))


@pytest.mark.parametrize(
    "rule",
    [
        Rule("days", 10),
        Rule("weeks", 2, frozenset({0, 4})),
        Rule("weeks"),
        Rule("months", day=31),
        Rule("months", day=LAST),
        Rule("quarters", nth=2, weekday=1),
        Rule("years", day=30),
    ],
)
def test_a_saved_schedule_comes_back_as_it_would_be_typed_and_is_not_changed_by_saving_it_again(merchant: Merchant, rule: Rule) -> None:
    running = start(make_schedule(merchant, rule))
    shown = Entry(merchant, now=NOW, schedule=running)
    typed = {name: shown.rule[name].value() for name in shown.rule.fields}
    again = Entry(merchant, now=NOW, schedule=running, data=query({**recurring(), **{k: v for k, v in typed.items() if v not in (None, False)}}))
    assert again.is_valid() is True, again.wrong()
    assert again.timing() == planning.upcoming_timing(running)
    assert shown.is_standing is True


def test_the_next_date_of_a_running_schedule_stays_in_the_zone_it_was_planned_in(merchant: Merchant) -> None:
    running = start(make_schedule(merchant))
    schedules.run_due(now=datetime(2026, 11, 30, 9, tzinfo=UTC))
    running.refresh_from_db()
    merchant.time_zone = "Asia/Tokyo"
    page = Entry(merchant, now=NOW, schedule=running)
    assert (page.rule["first_date"].value(), page.rule["first_time"].value(), page.rule.zone) == ("2026-12-31", "09:00", "Europe/Lisbon")
    assert str(page.rule["first_date"].label) == "Next invoice"


def test_a_running_schedule_may_keep_a_next_date_that_has_passed_and_gets_no_new_one_there(merchant: Merchant) -> None:
    running = start(make_schedule(merchant))
    late = datetime(2026, 12, 2, 10, tzinfo=UTC)
    kept = {"first_date": "2026-11-30", "standing": "on"}
    assert entry(merchant, publishing=True, schedule=running, now=late, **kept).is_valid() is True
    moved = entry(merchant, publishing=True, schedule=running, now=late, **kept, first_time="10:00")
    assert refusals(moved) == {"id_first_date": "Its next date would be in the past. Choose today or a later day."}


def test_a_running_schedule_ends_after_what_was_sent(merchant: Merchant) -> None:
    running = start(make_schedule(merchant))
    schedules.run_due(now=datetime(2026, 11, 30, 9, tzinfo=UTC))
    running.refresh_from_db()
    next_date = {"first_date": "2026-12-31"}
    page = entry(merchant, publishing=True, schedule=running, ends_after="1", **next_date)
    assert refusals(page) == {"id_ends_after": "1 has been sent already. Write a higher number."}
    page = entry(merchant, publishing=True, schedule=running, ends="date", ends_on="2026-12-30", **next_date)
    assert refusals(page) == {"id_ends_on": "This is before the next invoice, 31 December. Choose a later day."}


def test_the_dates_are_shown_as_far_as_they_can_be_read(merchant: Merchant) -> None:
    page = Entry(merchant, now=NOW, data=query(recurring(row(unit_price="oops"), payer_email="x@", due_after_days="?", ends_after="?")), judged=False)
    dates = page.dates()
    assert dates is not None
    assert (len(dates.rows), dates.count, dates.rows[0].title) == (12, None, "Retainer, January")
    assert entry(merchant, every="x").dates() is None
    assert entry(merchant, kind="one_time").dates() is None


def test_a_recurring_copy_begins_with_the_contents_of_the_invoice(merchant: Merchant) -> None:
    page = Entry(merchant, now=NOW, kind="recurring", source=make_draft(merchant, payer_reference="PO 7"))
    assert (page.head["title"].value(), page.head["payer_reference"].value(), page.rows[0]["unit_price"]) == (
        "Brand identity, phase 2",
        "PO 7",
        "1,800.00",
    )
    assert (page.saved, page.is_recurring, page.version) == (None, True, 0)


def test_the_timing_is_whole(merchant: Merchant) -> None:
    page = entry(merchant, publishing=True)
    assert page.is_valid() is True
    assert page.timing() == Timing(Rule("months", day=LAST), date(2027, 1, 31), time(9), "Europe/Lisbon")
