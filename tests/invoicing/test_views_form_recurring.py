"""Writing a schedule over HTTP: the same page as an invoice, and nothing lost on it either."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from invoicing import uploads
from invoicing.models import Attachment, Invoice, Schedule, ScheduleStatus
from merchants import clock
from merchants.models import Merchant, User
from tests.factories import NOW, make_draft, make_merchant, make_schedule
from tests.invoicing.files import PDF
from tests.invoicing.page import row
from tests.invoicing.page_recurring import HIS, KEY, going, recurring, url, words_of


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User, merchant: Merchant) -> Client:
    return client_as(owner)


# --- new ----------------------------------------------------------------------------------------------------------
def test_one_page_writes_both_kinds(desk: Client, merchant: Merchant) -> None:
    once, often = (desk.get(url(name, merchant)).content.decode() for name in ("invoice_new", "schedule_new"))
    assert 'name="kind" value="one_time" checked' in once
    assert 'name="kind" value="recurring" checked' in often
    for page in (once, often):
        assert 'name="issue_date"' in page
        assert 'name="first_date"' in page
    assert "{month}</code> is filled in from the planned date of each invoice." in often


@pytest.mark.parametrize("page", ["invoice_new", "schedule_new"])
def test_what_is_chosen_is_what_is_saved(desk: Client, merchant: Merchant, page: str) -> None:
    answer = desk.post(url(page, merchant), recurring(act="save"))
    schedule = Schedule.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, url("schedule_edit", merchant, schedule.pk))
    assert (schedule.status, schedule.title, schedule.total_minor, schedule.ends_after) == ("draft", "Retainer, {month}", 240_000, 12)
    assert Invoice.objects.count() == 0
    desk.post(url(page, merchant), recurring(kind="one_time", act="save"))
    assert (Invoice.objects.count(), Schedule.objects.count()) == (1, 1)


def test_save_clicked_twice_makes_one_schedule(desk: Client, merchant: Merchant) -> None:
    answers = [desk.post(url("schedule_new", merchant), recurring(act="save")) for _twice in range(2)]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert (Schedule.objects.count(), Schedule.objects.get().segments.count()) == (1, 1)


def test_the_saved_draft_says_when_it_was_saved(desk: Client, merchant: Merchant) -> None:
    page = desk.post(url("schedule_new", merchant), recurring(act="save"), follow=True).content.decode()
    assert "Draft saved 10:00" in words_of(page)


def test_a_refusal_is_beside_its_field_and_everything_typed_and_chosen_is_still_there(desk: Client, merchant: Merchant) -> None:
    data = recurring(
        row(description="Hull survey", unit_price="12x"),
        every="0",
        unit="quarters",
        on="nth",
        nth="3",
        weekday="2",
        weekdays=["1", "3"],
        first_date="2027-02-30",
        first_time="07:15",
        due_after_days="soon",
        ends="date",
        ends_on="2027-13-01",
        issue_date="2026-12-24",
        act="publish",
    )
    data["files"] = [SimpleUploadedFile("work.pdf", PDF)]
    page = desk.post(url("invoice_new", merchant), data).content.decode()
    assert Schedule.objects.count() == 0
    for beside in ("id_every_error", "id_first_date_error", "id_due_after_days_error", "id_ends_on_error", "id_lines-0-unit_price_error"):
        assert f'id="{beside}"' in page, beside
    for kept in (
        'name="kind" value="recurring" checked',
        'id="id_every" value="0"',
        '<option value="quarters" data-one="quarter" data-many="quarters" selected>',
        '<option value="nth" selected>',
        '<option value="3" selected>',
        '<option value="2" selected>',
        'name="weekdays" value="1" checked',
        'name="weekdays" value="3" checked',
        'value="2027-02-30"',
        'value="07:15"',
        'id="id_due_after_days" value="soon"',
        'name="ends" value="date" id="id_ends_1" checked',
        'value="2027-13-01"',
        'value="2026-12-24"',
        'value="12x"',
        "work.pdf",
    ):
        assert kept in page, kept


def test_a_file_sent_with_errors_is_taken_over_by_the_next_save(desk: Client, merchant: Merchant) -> None:
    desk.post(url("schedule_new", merchant), recurring(every="", files=[SimpleUploadedFile("work.pdf", PDF)], act="save"))
    desk.post(url("schedule_new", merchant), recurring(act="save"))
    assert list(Schedule.objects.get().attachments.values_list("name", flat=True)) == ["work.pdf"]


def test_without_a_script_the_dates_are_asked_for_and_nothing_is_judged(desk: Client, merchant: Merchant) -> None:
    page = desk.post(url("invoice_new", merchant), recurring(payer_email="x@", act="count")).content.decode()
    said = words_of(page)
    assert "Sun 31 Jan 2027, 09:00" in said
    assert "12 invoices, 28,800.00 EUR in all" in said
    assert "field-error" not in re.sub(r"<template.*?</template>", "", page, flags=re.S)
    assert Schedule.objects.count() == 0


# --- live ---------------------------------------------------------------------------------------------------------
def test_the_dates_follow_typing(desk: Client, merchant: Merchant) -> None:
    page = desk.post(url("invoice_totals", merchant), recurring(on="day", day="31", currency="USD")).content.decode()
    parts = dict(re.findall(r'data-part="([\w-]+)">(.*?)(?=<\w+ data-part|\Z)', page, re.S))
    dates = words_of(parts["dates"])
    assert "The dates this makes 12 invoices, 28,800.00 USD in all" in dates
    assert "1 Sun 31 Jan 2027, 09:00 Due 14 Feb Retainer, January 2,400.00 USD" in dates
    assert "2 Sun 28 Feb 2027, 09:00 last day of the month Due 14 Mar Retainer, February" in dates
    assert "3 Wed 31 Mar 2027, 09:00 clocks change on 28 Mar Due 14 Apr Retainer, March" in dates
    assert "Show all 12 · the last goes out on Fri 31 Dec 2027" in dates
    assert "12 Fri 31 Dec 2027, 09:00 Due 14 Jan 2028" in dates
    assert words_of(parts["dates-said"]) == "12 invoices, from Sun 31 Jan 2027, 09:00 to Fri 31 Dec 2027."
    assert words_of(parts["total-label"]) == "Each invoice"
    assert words_of(parts["zone"]) == "Europe/Lisbon. It stays 09:00 when the clocks change."
    summary = words_of(parts["summary"])
    assert "First 31 Jan 2027, 09:00 Then every month on day 31 Ends after 12, 31 Dec 2027 In all 28,800.00 USD" in summary
    assert Schedule.objects.count() == 0


def test_a_standing_one_has_no_end_and_a_single_one_no_plural(desk: Client, merchant: Merchant) -> None:
    standing = words_of(desk.post(url("invoice_totals", merchant), recurring(standing="on")).content.decode())
    assert "The dates this makes Standing No." in standing
    assert "Ends when you stop it" in standing
    assert "Show the first 12" in standing
    single = words_of(desk.post(url("invoice_totals", merchant), recurring(ends_after="1")).content.decode())
    assert "The dates this makes 1 invoice, 2,400.00 EUR No." in single
    assert "Show" not in single


def test_what_cannot_be_read_is_no_error_while_one_types(desk: Client, merchant: Merchant) -> None:
    said = words_of(desk.post(url("invoice_totals", merchant), recurring(first_date="2027-0")).content.decode())
    assert "They appear here once it says how often, and when the first invoice goes out." in said


def test_one_time_shows_no_dates(desk: Client, merchant: Merchant) -> None:
    page = desk.post(url("invoice_totals", merchant), recurring(kind="one_time")).content.decode()
    assert 'data-part="dates"' not in page
    assert words_of(re.findall(r'data-part="total-label">(.*?)</span>', page, re.S)[0]) == "Total"


def test_the_dates_of_another_merchants_schedule_are_not_counted_on(desk: Client, merchant: Merchant) -> None:
    foreign = going(make_merchant(slug="other"))
    assert desk.post(url("invoice_totals", merchant), recurring(schedule=str(foreign.pk))).status_code == 404


# --- publish and preview --------------------------------------------------------------------------------------------
def test_publish_saves_and_asks_first(desk: Client, merchant: Merchant) -> None:
    answer = desk.post(url("schedule_new", merchant), recurring(act="publish"))
    draft = Schedule.objects.get()
    assert (draft.status, answer["Location"]) == (ScheduleStatus.DRAFT, url("schedule_publish", merchant, draft.pk))


def test_a_first_date_in_the_past_is_refused_beside_its_field_and_may_be_saved(desk: Client, merchant: Merchant) -> None:
    past = {"first_date": "2026-11-16", "on": "first"}
    page = desk.post(url("schedule_new", merchant), recurring(**past, act="publish")).content.decode()
    assert re.search(r'id="id_first_date_error">.*?The date of its first invoice has passed\. Choose today or a later day\.', page, re.S)
    desk.post(url("schedule_new", merchant), recurring(**past, act="save"))
    assert Schedule.objects.get().segments.get().anchor == date(2026, 11, 16)


def test_what_only_publishing_asks_for_is_shown_in_the_form_and_the_draft_is_saved(
    desk: Client, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from invoicing import payability

    monkeypatch.setattr(payability, "checks", [lambda _invoice, _now: "No rate for EUR just now. Try again in a minute."])
    page = desk.post(url("schedule_new", merchant), recurring(act="publish"), follow=True).content.decode()
    assert Schedule.objects.get().status == ScheduleStatus.DRAFT
    assert "This could not be published. It is saved as a draft. No rate for EUR just now. Try again in a minute." in words_of(page)


@pytest.mark.parametrize("kind", ["one_time", "recurring"])
def test_preview_saves_the_draft_first(desk: Client, merchant: Merchant, kind: str) -> None:
    answer = desk.post(url("invoice_new", merchant), recurring(kind=kind, act="preview"))
    saved = Schedule.objects.get() if kind == "recurring" else Invoice.objects.get()
    name = "schedule_preview" if kind == "recurring" else "invoice_preview"
    assert answer["Location"] == url(name, merchant, saved.pk)
    wrong = desk.post(url("invoice_new", merchant), recurring(kind=kind, payer_email="x@", form_key=HIS, act="preview"))
    assert "This is not an email address." in wrong.content.decode()
    assert Schedule.objects.count() + Invoice.objects.count() == 1


# --- a saved one ----------------------------------------------------------------------------------------------------
def test_what_was_saved_is_of_its_kind(desk: Client, merchant: Merchant) -> None:
    draft, schedule = make_draft(merchant), make_schedule(merchant)
    invoices = desk.get(url("invoice_edit", merchant, draft.pk)).content.decode()
    assert f'href="{url("schedule_new", merchant)}?from={draft.pk}"' in invoices
    assert 'name="first_date"' not in invoices
    often = desk.get(url("schedule_edit", merchant, schedule.pk)).content.decode()
    assert "For a single invoice, write a new one." in often
    assert 'name="issue_date"' not in often
    desk.post(url("schedule_edit", merchant, schedule.pk), recurring(kind="one_time", version="1", title="Still recurring", act="save"))
    assert list(Schedule.objects.values_list("title", flat=True)) == ["Still recurring"]


def test_a_recurring_copy_takes_the_files_along_once(desk: Client, merchant: Merchant, owner: User) -> None:
    original = make_draft(merchant)
    for name in ("work.pdf", "terms.pdf"):
        uploads.accept(SimpleUploadedFile(name, PDF), merchant=merchant, form_key=HIS, by=owner, now=NOW)
    uploads.attach(original, form_key=HIS, removed=())
    page = desk.get(url("schedule_new", merchant), {"from": original.pk}).content.decode()
    assert f'name="source" value="{original.pk}"' in page
    assert "work.pdf" in page
    assert 'value="Brand identity, phase 2"' in page
    unwanted = original.attachments.get(name="terms.pdf").public_id
    refused = desk.post(url("schedule_new", merchant), recurring(source=str(original.pk), removed=[unwanted], every="0", act="save")).content.decode()
    assert 'name="source"' not in refused
    assert ("work.pdf" in refused, "terms.pdf" in refused) == (True, False)
    for _back_and_twice in range(2):
        desk.post(url("schedule_new", merchant), recurring(source=str(original.pk), removed=[unwanted], act="save"))
    assert list(Schedule.objects.get().attachments.values_list("name", flat=True)) == ["work.pdf"]
    assert sorted(original.attachments.values_list("name", flat=True)) == ["terms.pdf", "work.pdf"]


def test_another_merchants_invoice_is_no_source(desk: Client, merchant: Merchant) -> None:
    foreign = make_draft(make_merchant(slug="other"))
    assert desk.get(url("schedule_new", merchant), {"from": foreign.pk}).status_code == 404
    desk.post(url("schedule_new", merchant), recurring(source=str(foreign.pk), act="save"))
    assert Schedule.objects.get().attachments.count() == 0


def test_a_schedules_file_goes_only_when_the_form_is_saved(desk: Client, merchant: Merchant, owner: User) -> None:
    draft = make_schedule(merchant)
    stored = uploads.accept(SimpleUploadedFile("work.pdf", PDF), merchant=merchant, form_key=KEY, by=owner, now=NOW)
    uploads.attach(draft, form_key=KEY, removed=())
    assert desk.post(url("upload_remove", merchant, stored.public_id)).status_code == 404
    edit = url("schedule_edit", merchant, draft.pk)
    page = desk.post(edit, recurring(version="1", drop_file=stored.public_id)).content.decode()
    assert f'name="removed" value="{stored.public_id}"' in page
    assert Attachment.objects.count() == 1
    desk.post(edit, recurring(version="1", removed=stored.public_id, act="save"))
    assert Attachment.objects.count() == 0
