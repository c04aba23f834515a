"""Recurring: the list, and a schedule's page with every occurrence."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from invoicing import schedules, uploads
from invoicing.models import Invoice, Occurrence, Schedule
from invoicing.recurrence import Rule
from invoicing.schedule_queries import Table
from merchants.models import Merchant, User
from tests.factories import NOW, make_schedule, start
from tests.invoicing.files import PDF
from tests.invoicing.recurring import DEC, NOV, at, settle, since_may, url, words


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User, merchant: Merchant) -> Client:
    return client_as(owner)


@pytest.fixture
def watcher(client_as: Callable[[User], Client], viewer: User) -> Client:
    return client_as(viewer)


def told(answer: Any) -> str:
    """The words of the table of occurrences."""
    found = re.search(r"<table class=\"table occurrences\">.*?</table>", answer.content.decode(), flags=re.S)
    answer.content = re.sub(r"<span class=\"only-phone\">.*?</span>", "", found[0]).encode() if found else b""
    return words(answer)


# --- the list -------------------------------------------------------------------------------------------------------
def test_a_schedule_stands_in_the_list_with_how_often_it_goes_out_and_when_next(desk: Client, merchant: Merchant) -> None:
    at(NOW)
    start(make_schedule(merchant, title="Studio retainer", ends_after=12))
    text = words(desk.get(url("schedules", merchant)))
    assert "Marlow Yachts Ltd Studio retainer Every month on the last day Next 30 Nov 30 Nov 0 of 12 2,400.00 EUR Active" in text


def test_chips_narrow_the_list_and_words_find_in_it(desk: Client, merchant: Merchant, owner: User) -> None:
    make_schedule(merchant, title="A draft")
    start(make_schedule(merchant, title="A running one"))
    schedules.pause(start(make_schedule(merchant, title="A paused one")), by=owner, now=NOW)
    schedules.stop(start(make_schedule(merchant, title="An ended one", payer_name="Café Mistral")), by=owner, now=NOW)

    def found(**query: str) -> list[str]:
        return [row.schedule.title for row in desk.get(url("schedules", merchant), query).context["rows"]]

    assert found() == ["An ended one", "A paused one", "A running one", "A draft"]
    assert found(show="draft") == ["A draft"]
    assert found(show="active") == ["A running one"]
    assert found(show="paused") == ["A paused one"]
    assert found(show="ended") == ["An ended one"]
    assert found(q="café") == ["An ended one"]
    assert found(q="RUNNING marlow") == ["A running one"]
    assert found(show="draft", q="ended") == []
    assert found(show="nonsense") == found()


def test_the_list_goes_by_key(desk: Client, merchant: Merchant) -> None:
    for number in range(26):
        make_schedule(merchant, title=f"No. {number}")
    first = desk.get(url("schedules", merchant), {"q": "No."})
    assert len(first.context["rows"]) == 25
    second = desk.get(url("schedules", merchant) + first.context["older"])
    assert [row.schedule.title for row in second.context["rows"]] == ["No. 0"]
    assert [row.schedule.title for row in desk.get(url("schedules", merchant) + second.context["newer"]).context["rows"]][-1] == "No. 1"


def test_an_empty_list_says_what_it_is_for_and_offers_one_thing(desk: Client, watcher: Client, merchant: Merchant) -> None:
    page = desk.get(url("schedules", merchant))
    assert "No schedules yet Write an invoice once, say how often, and each one goes out by itself on its day." in words(page)
    assert page.content.decode().count(url("schedule_new", merchant)) == 1
    assert url("schedule_new", merchant) not in watcher.get(url("schedules", merchant)).content.decode()


def test_the_list_takes_as_many_queries_for_three_as_for_one(desk: Client, merchant: Merchant) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            desk.get(url("schedules", merchant))
        return len(seen)

    since_may(merchant)
    queries()
    one = queries()
    for _more in range(2):
        since_may(merchant)
    assert queries() == one


# --- the page -------------------------------------------------------------------------------------------------------
def test_every_occurrence_is_on_the_page_with_what_became_of_it(desk: Client, merchant: Merchant) -> None:
    schedule = since_may(merchant)
    settle(Invoice.objects.get(number="INV-000001"))
    at(NOW)
    rows = told(desk.get(url("schedule", merchant, schedule.pk)))
    assert rows.startswith(
        "No. Planned Title Invoice Status Amount Actions"
        " 1 Sun 31 May 2026, 09:00 Retainer, May INV-000001 Paid 2,400.00 EUR"
        " 2 Tue 30 Jun 2026, 09:00 Retainer, June INV-000002 Overdue 2,400.00 EUR"
        " 3 Fri 31 Jul 2026, 09:00 Retainer, July INV-000003 Overdue 2,400.00 EUR"
        " 4 Mon 31 Aug 2026, 09:00 Retainer, August – Skipped 2,400.00 EUR Send it after all… No. 4"
        " 5 Wed 30 Sep 2026, 09:00 Retainer, September INV-000004 Overdue 2,400.00 EUR"
        " 6 Sat 31 Oct 2026, 09:00 Retainer, October – Missed 2,400.00 EUR Send now… No. 6 Skip No. 6"
        " Today, Tuesday 17 November"
        " 7 Mon 30 Nov 2026, 09:00 Retainer, November – Coming 2,400.00 EUR Send now… No. 7 Skip No. 7"
        " 8 Thu 31 Dec 2026, 09:00 Retainer, December – Coming 2,400.00 EUR Skip No. 8"
    )


def test_the_head_says_for_whom_how_often_and_how_the_money_stands(desk: Client, merchant: Merchant) -> None:
    schedule = since_may(merchant, title="Studio retainer")
    settle(Invoice.objects.get(number="INV-000001"))
    at(NOW)
    text = words(desk.get(url("schedule", merchant, schedule.pk)))
    assert "Studio retainer Active" in text
    assert "For Marlow Yachts Ltd, every month on the last day at 09:00, Lisbon time" in text
    assert (
        "Each invoice 2,400.00 EUR due 14 days after it goes out"
        " Next goes out Mon 30 Nov 09:00, Lisbon time"
        " Received so far 2,400.00 EUR Sent 4 3 are open standing: until you stop it"
    ) in text
    assert (
        "No. 6, planned Sat 31 Oct 2026, 09:00, was missed. It could not be sent before its due time, and none is ever sent after it."
        " Send it now with a new due date, or skip it."
    ) in text


def test_the_figures_say_when_all_are_paid(desk: Client, merchant: Merchant) -> None:
    schedule = since_may(merchant, ends_after=12)
    for invoice in Invoice.objects.all():
        settle(invoice)
    at(NOW)
    assert "Received so far 9,600.00 EUR Sent 4 of 12 all paid" in words(desk.get(url("schedule", merchant, schedule.pk)))


def test_the_table_narrows_to_what_was_sent_and_to_what_is_coming(desk: Client, merchant: Merchant) -> None:
    schedule = since_may(merchant)
    at(NOW)

    def numbers(**query: str) -> tuple[list[int], list[int]]:
        rows = desk.get(url("schedule", merchant, schedule.pk), query).context["rows"]
        return [row.k for row in rows.past], [row.k for row in rows.ahead]

    assert numbers() == ([1, 2, 3, 4, 5, 6], list(range(7, 19)))
    assert numbers(show="sent") == ([1, 2, 3, 5], [])
    assert numbers(show="coming") == ([], list(range(7, 19)))
    assert numbers(coming="24") == ([1, 2, 3, 4, 5, 6], list(range(7, 31)))
    assert len(numbers(coming="99999")[1]) == 120
    assert numbers(before="4") == ([1, 2, 3], [])
    assert numbers(show="sent", before="4") == ([1, 2, 3], [])
    assert numbers(before="x", coming="-3", show="none") == numbers()


def test_more_is_asked_for_in_both_directions(desk: Client, merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant, Rule("days"), anchor=date(2026, 10, 1)), now=datetime(2026, 10, 1, 8, tzinfo=UTC))
    for day in range(60):
        schedules.run_due(now=datetime(2026, 10, 1, 9, tzinfo=UTC) + timedelta(days=day))
    at(datetime(2026, 11, 29, 12, tzinfo=UTC))
    page = desk.get(url("schedule", merchant, schedule.pk))
    rows = page.context["rows"]
    assert ([row.k for row in rows.past], rows.earlier, rows.more) == (list(range(37, 61)), 37, 24)
    assert 'href="?before=37#occurrences"' in page.content.decode()
    earlier = desk.get(url("schedule", merchant, schedule.pk), {"before": "37"}).context["rows"]
    assert ([row.k for row in earlier.past], earlier.earlier) == (list(range(13, 37)), 13)
    first = desk.get(url("schedule", merchant, schedule.pk), {"before": "13"}).context["rows"]
    assert ([row.k for row in first.past], first.earlier) == (list(range(1, 13)), None)


def test_one_skipped_ahead_stands_among_the_coming_and_can_be_put_back(desk: Client, merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant))
    schedules.skip(schedule, 2, by=owner, now=NOW)
    at(NOW)
    rows = desk.get(url("schedule", merchant, schedule.pk)).context["rows"]
    assert [(row.k, row.badge.key, row.acts) for row in rows.ahead[:3]] == [
        (1, "coming", ("send", "skip")),
        (2, "skipped", ("put_back",)),
        (3, "coming", ("skip",)),
    ]


def test_what_was_planned_while_it_is_paused_waits_above_today(desk: Client, merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant))
    schedules.pause(schedule, by=owner, now=NOW)
    at(DEC + timedelta(days=1))
    page = desk.get(url("schedule", merchant, schedule.pk))
    rows = page.context["rows"]
    assert [(row.k, row.badge.key) for row in rows.past] == [(1, "waiting"), (2, "waiting")]
    assert [row.k for row in rows.ahead][:2] == [3, 4]
    text = words(page)
    assert (
        "Paused by Inês Matos on Tue 17 Nov 2026, 10:00. Nothing is sent until it is resumed; no date moves."
        " 2 were planned meanwhile; resuming asks what becomes of them."
    ) in text
    assert "Next goes out – once it is resumed" in text


def test_a_stopped_one_says_who_stopped_it_and_offers_only_a_copy(desk: Client, merchant: Merchant, owner: User) -> None:
    schedule = since_may(merchant)
    schedules.stop(schedule, by=owner, now=NOW)
    at(NOW)
    page = desk.get(url("schedule", merchant, schedule.pk))
    text, html = words(page), page.content.decode()
    assert "Stopped by Inês Matos on Tue 17 Nov 2026, 10:00, after 4 invoices. Nothing more is sent. What was sent stays as it is." in text
    assert "was missed. It could not" not in text
    assert [row.acts for row in page.context["rows"].past] == [()] * 6
    assert page.context["rows"].ahead == []
    offered = [name for name in ACTIONS if url(name, merchant, schedule.pk) in html]
    assert offered == ["schedule_duplicate"]


def test_a_completed_one_says_after_how_many(desk: Client, merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant, ends_after=1))
    schedules.run_due(now=NOV)
    at(NOV)
    text = words(desk.get(url("schedule", merchant, schedule.pk)))
    assert "Completed on Mon 30 Nov 2026, 09:00, after 1 invoice. Its end is reached. Duplicate it to go on." in text


def test_a_held_one_says_why_and_what_to_do(desk: Client, merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant))
    Merchant.objects.update(accepted_assets=[])
    schedules.run_due(now=NOV)
    at(NOV)
    text = words(desk.get(url("schedule", merchant, schedule.pk)))
    assert (
        "No. 1, planned Mon 30 Nov 2026, 09:00, could not be sent and is held. Choose at least one token it can be paid with."
        " Once that is mended it goes out by itself, as long as it is not past its due time."
    ) in text


def test_a_draft_shows_its_dates_before_it_is_published_and_what_is_missing(desk: Client, merchant: Merchant) -> None:
    at(NOW)
    whole, bare = make_schedule(merchant), make_schedule(merchant, payer_name="")
    bare.segments.all().delete()
    page = desk.get(url("schedule", merchant, whole.pk))
    assert [(row.k, row.acts) for row in page.context["rows"].ahead] == [(k, ()) for k in range(1, 13)]
    assert "First goes out Mon 30 Nov 09:00, Lisbon time" in words(page)
    text = words(desk.get(url("schedule", merchant, bare.pk)))
    assert "Not ready to be published. Say how often, and when the first invoice is to go out." in text
    assert "Nobody is to pay it yet, without dates yet" in text


def test_the_contents_stand_below_with_the_files_of_each_invoice(desk: Client, merchant: Merchant, owner: User) -> None:
    schedule = make_schedule(merchant, lines=[("Retainer for {period}", "1", "2400.00", "23")], payer_reference="PO 9")
    uploads.accept(SimpleUploadedFile("terms.pdf", PDF), merchant=merchant, form_key="k" * 43, by=owner, now=NOW)
    uploads.attach(schedule, form_key="k" * 43, removed=())
    page = desk.get(url("schedule", merchant, schedule.pk))
    text = words(page)
    assert "Retainer for {period} 1 2,400.00 23 % 2,400.00" in text.replace("\xa0", " ")
    assert "Reference PO 9" in text
    link = url("schedule_file", merchant, schedule.pk, schedule.attachments.get().public_id)
    assert link in page.content.decode()
    assert b"".join(desk.get(link)) == PDF


def test_the_timeline_says_who_did_what(desk: Client, merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant))
    schedules.skip(schedule, 2, by=owner, now=NOW)
    schedules.put_back(schedule, 2, by=owner, now=NOW)
    schedules.send_now(schedule, 1, by=owner, now=NOW)
    schedules.pause(schedule, by=owner, now=NOW)
    schedules.resume(schedule, skip_past=False, by=owner, now=NOW)
    schedules.stop(schedule, by=owner, now=NOW)
    at(NOW)
    said = [entry.text for entry in desk.get(url("schedule", merchant, schedule.pk)).context["timeline"]]
    assert said == [
        "Inês Matos stopped it, after 1 invoice",
        "Inês Matos resumed it",
        "Inês Matos paused it",
        "Inês Matos sent No. 1 by hand, planned 30 Nov 2026, 09:00",
        "Inês Matos put No. 2 back, for 31 Dec 2026, 09:00",
        "Inês Matos skipped No. 2, planned 31 Dec 2026, 09:00",
        "The system published it, to be sent first on 30 Nov 2026, 09:00",
    ]


def test_the_timeline_shows_thirty_and_the_older_ones_by_key(desk: Client, merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant))
    for _turn in range(16):
        schedules.pause(schedule, by=owner, now=NOW)
        schedules.resume(schedule, skip_past=False, by=owner, now=NOW)
    page = desk.get(url("schedule", merchant, schedule.pk))
    assert len(page.context["timeline"]) == 30
    older = desk.get(url("schedule", merchant, schedule.pk), {"events": page.context["older_events"]})
    assert [entry.text for entry in older.context["timeline"]][-1].startswith("The system published it")
    assert (len(older.context["timeline"]), older.context["older_events"]) == (3, None)


def test_the_page_takes_as_many_queries_for_forty_occurrences_as_for_one(desk: Client, merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant, Rule("days"), anchor=date(2026, 10, 1)), now=datetime(2026, 10, 1, 8, tzinfo=UTC))

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            desk.get(url("schedule", merchant, schedule.pk))
        return len(seen)

    began = datetime(2026, 10, 1, 9, tzinfo=UTC)
    schedules.run_due(now=began)
    at(began)
    queries()
    one = queries()
    for days in (3, 40):
        for day in range(days):
            schedules.run_due(now=began + timedelta(days=day))
        at(began + timedelta(days=days))
        assert queries() == one
    assert Occurrence.objects.count() == 40


# --- a viewer -------------------------------------------------------------------------------------------------------
ACTIONS = (
    "schedule_publish",
    "schedule_pause",
    "schedule_resume",
    "schedule_stop",
    "schedule_skip",
    "schedule_put_back",
    "schedule_send",
    "schedule_duplicate",
    "schedule_delete",
    "schedule_preview",
    "schedule_edit",
)


def test_a_viewer_sees_everything_and_can_do_nothing(watcher: Client, merchant: Merchant) -> None:
    schedule = since_may(merchant)
    at(NOW)
    page = watcher.get(url("schedule", merchant, schedule.pk))
    html = page.content.decode()
    assert [name for name in ACTIONS if url(name, merchant, schedule.pk) in html] == []
    assert "6 Sat 31 Oct 2026, 09:00 Retainer, October – Missed 2,400.00 EUR Today" in told(page)
    for name in ACTIONS:
        assert watcher.get(url(name, merchant, schedule.pk)).status_code == 403
        assert watcher.post(url(name, merchant, schedule.pk)).status_code == 403


def test_after_new_dates_each_row_keeps_the_time_and_the_words_of_its_own(merchant: Merchant) -> None:
    schedule = since_may(merchant)
    schedule.segments.create(first_k=7, anchor=date(2026, 11, 20), at=NOW.time(), zone="UTC", unit="weeks", every=1)
    Schedule.objects.filter(pk=schedule.pk).update(next_k=7)
    schedule.refresh_from_db()
    rows = Table(schedule, list(schedule.segments.all()), NOW).read(shown=1)
    assert [(row.k, row.zone, row.planned_at.isoformat()) for row in (rows.past[-1], rows.ahead[0])] == [
        (6, "Europe/Lisbon", "2026-10-31T09:00:00+00:00"),
        (7, "UTC", "2026-11-20T10:00:00+00:00"),
    ]
