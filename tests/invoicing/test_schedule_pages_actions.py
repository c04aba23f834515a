"""What a member does on a schedule's page, and what is asked before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from invoicing import schedules
from invoicing.models import Invoice, Occurrence, Schedule
from invoicing.recurrence import Rule
from merchants import haste
from merchants.models import Event, Merchant, User
from tests.factories import NOW, make_merchant, make_schedule, start
from tests.invoicing.recurring import DEC, NOV, at, since_may, url, words

KEY = "f" * 43


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User, merchant: Merchant) -> Client:
    at(NOW)
    return client_as(owner)


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that were enqueued: the broker is the edge of the system."""
    tasks: list[str] = []
    monkeypatch.setattr(haste, "wake", lambda task, *_args: tasks.append(task))
    return tasks


def rows(schedule: Schedule) -> list[tuple[int, str]]:
    return list(schedule.occurrences.order_by("k").values_list("k", "state"))


def status(schedule: Schedule) -> str:
    return str(Schedule.objects.get(pk=schedule.pk).status)


def said(answer: Any) -> list[str]:
    """What the next page says happened."""
    return [str(message) for message in answer.context["messages"]]


# --- publish --------------------------------------------------------------------------------------------------------
def test_before_publishing_it_says_when_the_first_goes_out_to_whom_and_until_when(desk: Client, merchant: Merchant) -> None:
    schedule = make_schedule(merchant, ends_after=12)
    text = words(desk.get(url("schedule_publish", merchant, schedule.pk)))
    assert "The first invoice goes to Marlow Yachts Ltd on Mon 30 Nov 2026, 09:00, the others by themselves when their time comes." in text
    assert "To accounts@marlow.example Each invoice 2,400.00 EUR How often every month on the last day at 09:00, Lisbon time" in text
    assert "First Mon 30 Nov 2026, 09:00, due Mon 14 Dec 2026, 09:00 Then Thu 31 Dec 2026, 09:00 Sun 31 Jan 2027, 09:00" in text
    assert "Ends after 12 invoices" in text


def test_published_it_runs_and_a_worker_is_woken(desk: Client, merchant: Merchant, woken: list[str]) -> None:
    schedule = make_schedule(merchant, title="Studio retainer")
    answer = desk.post(url("schedule_publish", merchant, schedule.pk), {"version": schedule.version}, follow=True)
    assert said(answer) == ["Studio retainer is published."]
    assert (status(schedule), woken) == ("active", ["invoicing.tasks.run_schedules"])
    assert said(desk.post(url("schedule_publish", merchant, schedule.pk), {"version": 1}, follow=True)) == ["Studio retainer is already published."]
    assert Event.objects.filter(kind="schedule.published").count() == 1


def test_one_that_begins_today_says_that_its_first_goes_out_at_once(desk: Client, merchant: Merchant) -> None:
    schedule = make_schedule(merchant, Rule("days"), anchor=date(2026, 11, 17))
    text = words(desk.get(url("schedule_publish", merchant, schedule.pk)))
    assert "The first invoice goes to Marlow Yachts Ltd at once" in text
    assert "Publish and send the first" in text


def test_one_that_is_not_whole_says_what_is_missing_and_where_to_mend_it(desk: Client, merchant: Merchant) -> None:
    schedule = make_schedule(merchant, payer_email="")
    page = desk.get(url("schedule_publish", merchant, schedule.pk))
    assert "Not yet: something is missing. Say who pays: a name and an email address." in words(page)
    assert url("schedule_edit", merchant, schedule.pk) in page.content.decode()
    answer = desk.post(url("schedule_publish", merchant, schedule.pk), {"version": schedule.version}, follow=True)
    assert said(answer) == ["Say who pays: a name and an email address."]
    assert status(schedule) == "draft"


def test_one_that_was_changed_meanwhile_is_looked_at_again(desk: Client, merchant: Merchant) -> None:
    schedule = make_schedule(merchant)
    answer = desk.post(url("schedule_publish", merchant, schedule.pk), {"version": schedule.version + 1}, follow=True)
    assert said(answer) == ["This draft was changed while you were looking at it. Look at it again before you publish."]
    assert answer.redirect_chain[-1][0] == url("schedule_publish", merchant, schedule.pk)


# --- pause and resume -----------------------------------------------------------------------------------------------
def test_paused_and_resumed_at_once_when_nothing_was_planned_meanwhile(desk: Client, merchant: Merchant, woken: list[str]) -> None:
    schedule = start(make_schedule(merchant))
    assert said(desk.post(url("schedule_pause", merchant, schedule.pk), follow=True)) == [
        "Paused. Nothing is sent until it is resumed; no date moves."
    ]
    page = desk.get(url("schedule_resume", merchant, schedule.pk))
    assert "Nothing was planned while it was paused. The next invoice goes to Marlow Yachts Ltd on Mon 30 Nov 2026, 09:00." in words(page)
    assert said(desk.post(url("schedule_resume", merchant, schedule.pk), follow=True)) == ["Resumed."]
    assert (status(schedule), woken) == ("active", ["invoicing.tasks.run_schedules"])


def test_a_second_press_is_refused_in_words(desk: Client, merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant, title="Studio retainer"))
    desk.post(url("schedule_pause", merchant, schedule.pk), follow=True)
    assert said(desk.post(url("schedule_pause", merchant, schedule.pk), follow=True)) == ["Studio retainer is paused; this does not go with it."]
    desk.post(url("schedule_resume", merchant, schedule.pk), follow=True)
    assert said(desk.post(url("schedule_resume", merchant, schedule.pk), follow=True)) == ["Studio retainer is not paused."]


def paused_until_january(merchant: Merchant, owner: User, **fields: Any) -> Schedule:
    """Paused in November; it is 1 January now: November's is past its due time, December's is not."""
    schedule = start(make_schedule(merchant, **fields))
    schedules.pause(schedule, by=owner, now=NOW)
    at(DEC + timedelta(days=1))
    return schedule


def test_resuming_asks_what_becomes_of_what_was_planned_meanwhile(desk: Client, merchant: Merchant, owner: User) -> None:
    schedule = paused_until_january(merchant, owner)
    text = words(desk.get(url("schedule_resume", merchant, schedule.pk)))
    assert "Still before their due time No. 2, Thu 31 Dec 2026, 09:00 due Thu 14 Jan 2027, 09:00" in text
    assert "Past their due time: these are never sent late No. 1, Mon 30 Nov 2026, 09:00 was due Mon 14 Dec 2026, 09:00" in text
    assert "Issue what is still before its due time 1 invoice goes to accounts@marlow.example at once. The rest is marked as missed." in text


def test_without_an_answer_it_stays_paused(desk: Client, merchant: Merchant, owner: User) -> None:
    schedule = paused_until_january(merchant, owner)
    assert "Choose one of the two." in words(desk.post(url("schedule_resume", merchant, schedule.pk)))
    assert status(schedule) == "paused"


@pytest.mark.parametrize(("past", "became"), [("skip", [(1, "skipped"), (2, "skipped")]), ("issue", [(1, "missed"), (2, "issued")])])
def test_the_answer_decides(desk: Client, merchant: Merchant, owner: User, woken: list[str], past: str, became: list[tuple[int, str]]) -> None:
    schedule = paused_until_january(merchant, owner)
    desk.post(url("schedule_resume", merchant, schedule.pk), {"past": past})
    while schedules.run_due(now=DEC + timedelta(days=1)):
        pass
    assert rows(schedule) == became


def test_what_it_says_will_be_issued_is_issued_with_an_end_after_so_many_too(desk: Client, merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant, Rule("days", 5), anchor=date(2026, 11, 20), ends_after=2))
    schedules.pause(schedule, by=owner, now=NOW)
    later = datetime(2026, 12, 16, 10, tzinfo=UTC)
    at(later)
    waiting = desk.get(url("schedule_resume", merchant, schedule.pk)).context["waiting"]
    assert ([date.k for date in waiting.missed], [date.k for date in waiting.issued]) == ([1, 2, 3], [4, 5])
    desk.post(url("schedule_resume", merchant, schedule.pk), {"past": "issue"})
    while schedules.run_due(now=later):
        pass
    assert rows(schedule) == [(1, "missed"), (2, "missed"), (3, "missed"), (4, "issued"), (5, "issued")]


def test_skipping_what_was_planned_meanwhile_skips_all_of_it_with_an_end_after_so_many_too(desk: Client, merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant, Rule("days", 5), anchor=date(2026, 11, 20), ends_after=2))
    schedules.pause(schedule, by=owner, now=NOW)
    later = datetime(2026, 12, 16, 10, tzinfo=UTC)
    at(later)
    desk.post(url("schedule_resume", merchant, schedule.pk), {"past": "skip"})
    while schedules.run_due(now=later):
        pass
    assert rows(schedule) == [(k, "skipped") for k in range(1, 7)]
    assert Invoice.objects.count() == 0


# --- stop, duplicate, delete ----------------------------------------------------------------------------------------
def test_stopping_says_how_many_were_sent_that_it_is_final_and_what_will_not_come(desk: Client, merchant: Merchant) -> None:
    schedule = since_may(merchant, title="Studio retainer")
    text = words(desk.get(url("schedule_stop", merchant, schedule.pk)))
    assert "4 invoices were sent to Marlow Yachts Ltd; they stay as they are, and can still be paid. Nothing more is sent, and this is final" in text
    assert "Will not come Mon 30 Nov 2026, 09:00 Thu 31 Dec 2026, 09:00 Sun 31 Jan 2027, 09:00 and every one after" in text
    answer = desk.post(url("schedule_stop", merchant, schedule.pk), follow=True)
    assert said(answer) == ["Studio retainer is stopped. Nothing more is sent."]
    assert status(schedule) == "stopped"
    assert said(desk.post(url("schedule_stop", merchant, schedule.pk), follow=True)) == ["Studio retainer has ended already."]


def test_a_draft_is_not_stopped_but_deleted(desk: Client, merchant: Merchant) -> None:
    schedule = make_schedule(merchant, title="Studio retainer")
    answer = desk.get(url("schedule_stop", merchant, schedule.pk), follow=True)
    assert said(answer) == ["Studio retainer was not published; delete it instead."]
    assert "It was never published; nothing was sent to anybody." in words(desk.get(url("schedule_delete", merchant, schedule.pk)))
    assert said(desk.post(url("schedule_delete", merchant, schedule.pk), follow=True)) == ["Deleted: Studio retainer."]
    assert Schedule.objects.count() == 0


def test_what_was_published_is_not_deleted(desk: Client, merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant, title="Studio retainer"))
    for ask in (desk.get, desk.post):
        answer = ask(url("schedule_delete", merchant, schedule.pk), follow=True)
        assert said(answer) == ["Studio retainer was published; it can be stopped, not deleted."]
    assert Schedule.objects.count() == 1


def test_a_copy_is_made_once_and_opened_to_be_changed(desk: Client, merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant))
    pressed = [desk.post(url("schedule_duplicate", merchant, schedule.pk), {"form_key": KEY}) for _press in range(2)]
    copy = Schedule.objects.exclude(pk=schedule.pk).get()
    assert [answer.url for answer in pressed] == [url("schedule_edit", merchant, copy.pk)] * 2  # type: ignore[attr-defined]
    assert copy.status == "draft"


# --- one occurrence -------------------------------------------------------------------------------------------------
def test_one_skipped_can_be_taken_back_from_the_word_that_says_so(desk: Client, merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant))
    page = desk.post(url("schedule_skip", merchant, schedule.pk), {"k": "2"}, follow=True)
    assert "No. 2 is skipped. Undo" in words(page)
    assert rows(schedule) == [(2, "skipped")]
    answer = desk.post(url("schedule_put_back", merchant, schedule.pk), {"k": "2"}, follow=True)
    assert said(answer) == ["No. 2 is back among the coming ones."]
    assert rows(schedule) == []
    assert "Undo" not in words(desk.get(url("schedule", merchant, schedule.pk), {"skipped": "2"}))


def test_one_that_was_missed_can_be_let_go(desk: Client, merchant: Merchant) -> None:
    schedule = since_may(merchant)
    page = desk.post(url("schedule_skip", merchant, schedule.pk), {"k": "6"}, follow=True)
    assert said(page) == ["No. 6 is skipped."]
    assert rows(schedule)[-1] == (6, "skipped")
    assert "was missed. It could not" not in words(page)


@pytest.mark.parametrize(
    ("name", "k", "refusal"),
    [
        ("schedule_skip", "5", "No. 5 is already decided; it cannot be skipped."),
        ("schedule_skip", "9999", "There is no No. 9999 among the coming dates. Look at the schedule again."),
        ("schedule_skip", "x", "There is no No. 0 among the coming dates. Look at the schedule again."),
        ("schedule_put_back", "4", "No. 4 cannot be put back; its time has passed, or it is not skipped."),
        ("schedule_send", "5", "No. 5 has gone out already."),
        ("schedule_send", "8", "No. 8 cannot be sent now. Look at the schedule again."),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(desk: Client, merchant: Merchant, name: str, k: str, refusal: str) -> None:
    schedule = since_may(merchant)
    before = rows(schedule)
    assert said(desk.post(url(name, merchant, schedule.pk), {"k": k}, follow=True)) == [refusal]
    assert rows(schedule) == before


def test_sending_the_next_one_now_says_to_whom_and_until_when(desk: Client, merchant: Merchant) -> None:
    schedule = start(make_schedule(merchant))
    text = words(desk.get(url("schedule_send", merchant, schedule.pk), {"k": "1"}))
    assert "Send No. 1 now? It gets its number and goes to accounts@marlow.example at once, due Tue 1 Dec 2026, 09:00." in text
    assert "It is not sent again on its own day; the others stay as they are." in text
    assert "Title Retainer, November Total 2,400.00 EUR Planned Mon 30 Nov 2026, 09:00" in text
    answer = desk.post(url("schedule_send", merchant, schedule.pk), {"k": "1"}, follow=True)
    assert said(answer) == ["No. 1 goes to accounts@marlow.example at once."]
    assert rows(schedule) == [(1, "issued")]
    assert Invoice.objects.get().number == "INV-000001"


@pytest.mark.parametrize("k", [4, 6])
def test_one_skipped_or_missed_is_sent_after_all(desk: Client, merchant: Merchant, k: int) -> None:
    schedule = since_may(merchant)
    text = words(desk.get(url("schedule_send", merchant, schedule.pk), {"k": str(k)}))
    assert "The coming dates stay as they are." in text
    desk.post(url("schedule_send", merchant, schedule.pk), {"k": str(k)})
    assert rows(schedule)[k - 1] == (k, "issued")


@pytest.mark.parametrize(
    ("k", "refusal"), [("5", "No. 5 has gone out already."), ("9", "No. 9 cannot be sent now."), ("", "No. 0 cannot be sent now.")]
)
def test_nothing_is_asked_about_what_cannot_be_sent(desk: Client, merchant: Merchant, k: str, refusal: str) -> None:
    schedule = since_may(merchant)
    assert said(desk.get(url("schedule_send", merchant, schedule.pk), {"k": k}, follow=True)) == [refusal]


def test_one_that_could_not_be_published_says_why_before_it_is_sent(desk: Client, merchant: Merchant) -> None:
    schedule = since_may(merchant)
    Merchant.objects.update(accepted_assets=[])
    page = desk.get(url("schedule_send", merchant, schedule.pk), {"k": "6"})
    assert "Not yet: something is missing. Choose at least one token it can be paid with." in words(page)
    assert "Send it now" not in words(page)


def test_after_the_stop_nothing_is_sent_by_hand_either(desk: Client, merchant: Merchant, owner: User) -> None:
    schedule = since_may(merchant)
    schedules.stop(schedule, by=owner, now=NOW)
    assert said(desk.get(url("schedule_send", merchant, schedule.pk), {"k": "6"}, follow=True)) == ["No. 6 cannot be sent now."]
    assert said(desk.post(url("schedule_send", merchant, schedule.pk), {"k": "6"}, follow=True)) == [
        "No. 6 cannot be sent now. Look at the schedule again."
    ]


# --- the preview ----------------------------------------------------------------------------------------------------
FRAMES = ("schedule_preview_page", "schedule_preview_mail", "schedule_preview_pdf")


def test_the_next_invoice_is_seen_as_the_payer_will_get_it_and_nothing_is_stored(desk: Client, merchant: Merchant) -> None:
    schedule = make_schedule(merchant, lines=[("Retainer for {period}", "1", "2400.00")])
    for show in ("page", "email", "pdf"):
        shell = desk.get(url("schedule_preview", merchant, schedule.pk), {"show": show})
        assert shell.status_code == 200
    for name in FRAMES[:2]:
        text = words(desk.get(url(name, merchant, schedule.pk)))
        assert "Retainer, November" in text
        assert "2,400.00" in text
    assert "Retainer for November 2026" in words(desk.get(url("schedule_preview_page", merchant, schedule.pk)))
    paper = desk.get(url("schedule_preview_pdf", merchant, schedule.pk))
    assert (paper["Content-Type"], paper.content[:5]) == ("application/pdf", b"%PDF-")
    assert (Invoice.objects.count(), Occurrence.objects.count()) == (0, 0)


def test_with_nothing_coming_there_is_nothing_to_preview(desk: Client, merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant))
    schedules.stop(schedule, by=owner, now=NOW)
    answer = desk.get(url("schedule_preview", merchant, schedule.pk), follow=True)
    assert said(answer) == ["Nothing is coming, so there is nothing to preview."]
    for name in FRAMES:
        assert desk.get(url(name, merchant, schedule.pk)).url == url("schedule", merchant, schedule.pk)  # type: ignore[attr-defined]


# --- walls ----------------------------------------------------------------------------------------------------------
def test_another_merchants_schedule_is_not_found(desk: Client, merchant: Merchant) -> None:
    theirs = start(make_schedule(make_merchant(slug="secret-orchard")))
    for name in ("schedule", "schedule_publish", "schedule_resume", "schedule_stop", "schedule_send", "schedule_delete", *FRAMES):
        assert desk.get(url(name, merchant, theirs.pk)).status_code == 404
    for name in ("schedule_pause", "schedule_skip", "schedule_put_back", "schedule_duplicate", "schedule_stop", "schedule_send"):
        assert desk.post(url(name, merchant, theirs.pk), {"k": "1"}).status_code == 404
    assert Schedule.objects.get(pk=theirs.pk).next_at == NOV
