"""Editing a schedule over HTTP that runs, that somebody else edits too, or that is somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from invoicing import planning, schedules, uploads
from invoicing.models import Invoice, Schedule
from merchants import clock
from merchants.models import Merchant, User
from tests.factories import NOW, make_merchant, make_schedule
from tests.invoicing.files import PDF
from tests.invoicing.page_recurring import HIS, KEY, going, next_of, recurring, url, words_of


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User, merchant: Merchant) -> Client:
    return client_as(owner)


# --- one that runs --------------------------------------------------------------------------------------------------
def test_the_page_of_a_running_schedule_says_what_an_edit_means(desk: Client, merchant: Merchant) -> None:
    running = going(merchant)
    said = words_of(desk.get(url("schedule_edit", merchant, running.pk)).content.decode())
    assert "What has been sent stays as it is. Changes hold from No. 2 on, planned for 31 Dec." in said
    assert "New timing" not in said
    assert "Publish" not in said
    assert "Preview" not in said


def test_new_contents_of_a_running_schedule_make_no_new_timing(desk: Client, merchant: Merchant) -> None:
    running = going(merchant)
    answer = desk.post(url("schedule_edit", merchant, running.pk), next_of(running, title="Studio, {month}", act="save"))
    assert answer["Location"] == url("schedule", merchant, running.pk)
    running.refresh_from_db()
    assert (running.title, running.status, running.next_k) == ("Studio, {month}", "active", 2)
    assert list(running.segments.values_list("first_k", flat=True)) == [1]
    assert list(Invoice.objects.values_list("title", flat=True)) == ["Retainer, November"]


def test_a_new_timing_of_a_running_schedule_is_shown_live_and_begins_a_segment(desk: Client, merchant: Merchant, owner: User) -> None:
    running = going(merchant)
    schedules.skip(running, 3, by=owner, now=NOW)
    running.refresh_from_db()
    weekly = {"unit": "weeks", "weekdays": ["0"], "first_date": "2026-12-07"}
    live = words_of(desk.post(url("invoice_totals", merchant), next_of(running, schedule=str(running.pk), **weekly)).content.decode())
    assert "New timing from No. 2 on" in live
    assert "2 Mon 7 Dec 2026, 09:00" in live
    assert "3 Mon 14 Dec 2026, 09:00" in live  # the day skipped ahead is none of the new ones
    desk.post(url("schedule_edit", merchant, running.pk), next_of(running, **weekly, act="save"))
    running.refresh_from_db()
    assert list(running.segments.values_list("first_k", "unit")) == [(1, "months"), (2, "weeks")]
    assert (running.next_k, running.next_at) == (2, datetime(2026, 12, 7, 9, tzinfo=UTC))
    assert list(running.occurrences.values_list("k", "state")) == [(1, "issued")]


def test_a_running_schedule_is_asked_for_everything_that_publishing_asks_for(desk: Client, merchant: Merchant) -> None:
    running = going(merchant)
    page = desk.post(
        url("schedule_edit", merchant, running.pk), next_of(running, title="", ends_after="1", standing=None, act="save")
    ).content.decode()
    for words in ("Give it a title.", "1 has been sent already. Write a higher number.", "This could not be saved."):
        assert words in page
    running.refresh_from_db()
    assert running.title == "Retainer, {month}"


def test_an_ended_schedule_has_no_form(desk: Client, merchant: Merchant, owner: User) -> None:
    running = going(merchant)
    schedules.stop(running, by=owner, now=NOW)
    answer = desk.get(url("schedule_edit", merchant, running.pk))
    assert answer["Location"] == url("schedule", merchant, running.pk)


# --- two people -----------------------------------------------------------------------------------------------------
def test_two_people_edit_the_same_schedule_and_the_second_loses_nothing(
    desk: Client, merchant: Merchant, manager: User, client_as: Callable[[User], Client]
) -> None:
    draft = make_schedule(merchant)
    edit = url("schedule_edit", merchant, draft.pk)
    desk.post(edit, recurring(version="1", title="Hers", act="save"))
    second = client_as(manager)
    his = recurring(version="1", form_key=HIS, title="His own title", on="day", day="15", files=[SimpleUploadedFile("his.pdf", PDF)], act="save")
    page = second.post(edit, his).content.decode()
    assert "Save mine as a new draft" in page
    assert 'value="His own title"' in page
    assert 'id="id_day" value="15"' in page
    assert Schedule.objects.get().title == "Hers"
    for _twice in range(2):
        second.post(edit, recurring(version="1", form_key=HIS, title="His own title", on="day", day="15", act="copy"))
    assert sorted(Schedule.objects.values_list("title", flat=True)) == ["Hers", "His own title"]
    copy = Schedule.objects.get(title="His own title")
    assert (copy.segments.get().day, list(copy.attachments.values_list("name", flat=True))) == (15, ["his.pdf"])


def test_what_was_typed_into_a_deleted_draft_is_offered_as_a_new_one(desk: Client, merchant: Merchant, owner: User) -> None:
    draft = make_schedule(merchant)
    edit = url("schedule_edit", merchant, draft.pk)
    planning.delete(draft, by=owner, now=NOW)
    page = desk.post(edit, recurring(version="1", title="Still here", act="save")).content.decode()
    assert "This draft was deleted while you were writing." in page
    assert 'value="Still here"' in page
    desk.post(edit, recurring(version="1", title="Still here", act="copy"))
    assert list(Schedule.objects.values_list("title", flat=True)) == ["Still here"]


def test_what_was_typed_into_a_schedule_that_ended_meanwhile_is_offered_as_a_new_draft(desk: Client, merchant: Merchant, owner: User) -> None:
    running = going(merchant)
    schedules.stop(running, by=owner, now=NOW)
    edit = url("schedule_edit", merchant, running.pk)
    page = desk.post(edit, next_of(running, title="Too late", act="save")).content.decode()
    assert "has ended; it can no longer be changed." in page
    desk.post(edit, next_of(running, title="Too late", act="copy"))
    assert list(Schedule.objects.order_by("id").values_list("title", "status")) == [("Retainer, {month}", "stopped"), ("Too late", "draft")]


def test_another_merchants_schedule_is_not_there_to_edit(desk: Client, merchant: Merchant) -> None:
    foreign = make_schedule(make_merchant(slug="other"))
    edit = url("schedule_edit", merchant, foreign.pk)
    assert desk.get(edit).status_code == 404
    for act in ("save", "copy"):
        assert desk.post(edit, recurring(version="1", act=act)).status_code == 404


def test_a_viewer_writes_nothing(merchant: Merchant, viewer: User, client_as: Callable[[User], Client]) -> None:
    draft = make_schedule(merchant)
    looking = client_as(viewer)
    for name, args in (("schedule_new", ()), ("schedule_edit", (draft.pk,))):
        assert looking.post(url(name, merchant, *args), recurring(act="save")).status_code == 403
    assert Schedule.objects.count() == 1


def test_a_schedule_has_room_for_ten_files(desk: Client, merchant: Merchant, owner: User) -> None:
    draft = make_schedule(merchant)
    for number in range(9):
        uploads.accept(SimpleUploadedFile(f"{number}.pdf", PDF), merchant=merchant, form_key=KEY, by=owner, now=NOW - timedelta(hours=1))
    uploads.attach(draft, form_key=KEY, removed=())
    posts = [
        desk.post(url("upload_add", merchant), {"form_key": HIS, "schedule": draft.pk, "file": SimpleUploadedFile("more.pdf", PDF)}).status_code
        for _twice in range(2)
    ]
    assert posts == [201, 422]
