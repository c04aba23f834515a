"""Reminders on pages: the settings, the invoice's page, the question before one is sent, the forms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from invoicing import lifecycle, reminder_rules, reminders
from invoicing.models import Invoice, Reminder, Schedule
from merchants import clock
from merchants.models import Event, Merchant, User
from tests.factories import make_draft, publish
from tests.invoicing.page import sent
from tests.invoicing.page_recurring import recurring
from tests.invoicing.test_views_pages import queries, url, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User, merchant: Merchant) -> Client:
    return client_as(owner)


@pytest.fixture
def invoice(merchant: Merchant, owner: User) -> Invoice:
    """Issued two days ago, due in ten, reminded of 3 days before, on the day and 7 days after."""
    now = clock.now()
    reminder_rules.change(merchant, days=[-3, 0, 7], by=owner, now=now)
    return publish(make_draft(merchant, due_at=now + timedelta(days=10)), now=now - timedelta(days=2))


def rows(**written: tuple[str, str]) -> dict[str, str]:
    """The form of the settings: `r1=("3", "before")`."""
    data = {f"{name}_{row}": value for row in range(1, 6) for name, value in (("days", ""), ("side", "before"))}
    return data | {f"{name}_{row[1:]}": value for row, pair in written.items() for name, value in zip(("days", "side"), pair, strict=True)}


# --- settings -----------------------------------------------------------------------------------------------------
def test_a_new_business_is_offered_three_reminders_with_one_press(desk: Client, merchant: Merchant) -> None:
    page = words(desk.get(url("settings_reminders", merchant)))
    assert "No reminders are sent. Many businesses begin with 3 days before due, on the due day and 7 days after due. Use these" in page
    answer = desk.post(url("settings_reminders", merchant), {"act": "suggested"}, follow=True)
    assert reminder_rules.of(merchant) == [-3, 0, 7]
    assert "Saved. It holds for the invoices that are open now, and for new ones." in words(answer)
    assert "No reminders are sent" not in words(answer)


def test_the_rows_are_saved_in_any_order_and_shown_by_day(desk: Client, merchant: Merchant) -> None:
    desk.post(url("settings_reminders", merchant), rows(r1=("14", "after"), r3=("", "on"), r5=("5", "before")))
    assert reminder_rules.of(merchant) == [-5, 0, 14]
    page = desk.get(url("settings_reminders", merchant)).content.decode()
    shown = {row: days for row in range(1, 6) for days in ("5", "14", "") if f'id="id_days_{row}" value="{days}"' in page}
    assert shown == {1: "5", 2: "", 3: "14", 4: "", 5: ""}
    assert page.count('<option value="on" selected>') == 1
    desk.post(url("settings_reminders", merchant), rows())
    assert reminder_rules.of(merchant) == []


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ({"r1": ("61", "before")}, "Write at most 60."),
        ({"r1": ("91", "after")}, "Write at most 90."),
        ({"r1": ("-3", "before")}, "Write a whole number of days, or nothing."),
        ({"r1": ("soon", "before")}, "Write a whole number of days, or nothing."),
        ({"r1": ("3", "before"), "r2": ("3", "before")}, "This day is there already."),
        ({"r1": ("0", "before"), "r2": ("", "on")}, "This day is there already."),
        ({"r1": ("3", "during")}, "Choose one from the list."),
    ],
)
def test_what_is_wrong_is_said_beside_its_row_and_nothing_is_saved(
    desk: Client, merchant: Merchant, written: dict[str, tuple[str, str]], complaint: str
) -> None:
    answer = desk.post(url("settings_reminders", merchant), rows(**written))
    assert (answer.status_code, reminder_rules.of(merchant)) == (422, [])
    assert complaint in words(answer)
    assert f'value="{written["r1"][0]}"' in answer.content.decode()


def test_the_settings_say_what_comes_next(desk: Client, merchant: Merchant, invoice: Invoice) -> None:
    page = words(desk.get(url("settings_reminders", merchant)))
    assert "3 reminders are planned." in page
    assert "The next: INV-000001 to Ana Duarte, " in page


# --- the invoice's page -------------------------------------------------------------------------------------------
def test_the_invoice_shows_what_comes_and_what_was_not_sent_and_why(desk: Client, merchant: Merchant, invoice: Invoice) -> None:
    Reminder.objects.filter(days=-3).update(state="dropped", reason="A payment was confirming.", decided_at=clock.now())
    page = words(desk.get(url("invoice", merchant, invoice.pk)))
    assert "3 days before due Not sent A payment was confirming. On the due day" in page
    assert "7 days after due" in page
    assert "Send no more" in page


def test_a_draft_shows_what_the_rules_would_do(desk: Client, merchant: Merchant, owner: User) -> None:
    draft = make_draft(merchant)
    assert "Reminders None are set up yet." in words(desk.get(url("invoice", merchant, draft.pk)))
    reminder_rules.change(merchant, days=[-3], by=owner, now=clock.now())
    assert "Reminders 3 days before due." in words(desk.get(url("invoice", merchant, draft.pk)))
    Invoice.objects.update(remind=False)
    assert "Reminders None are sent for this invoice." in words(desk.get(url("invoice", merchant, draft.pk)))


def test_its_page_asks_no_more_for_five_reminders_than_for_one(desk: Client, merchant: Merchant, owner: User, invoice: Invoice) -> None:
    page = url("invoice", merchant, invoice.pk)
    reminder_rules.change(merchant, days=[7], by=owner, now=clock.now())
    with_one = queries(desk, page)
    reminder_rules.change(merchant, days=[1, 2, 3, 4, 5], by=owner, now=clock.now())
    assert queries(desk, page) == with_one


def test_reminding_by_hand_asks_first_and_goes_once_a_day(desk: Client, merchant: Merchant, owner: User, invoice: Invoice) -> None:
    page = url("invoice_remind", merchant, invoice.pk)
    question = words(desk.get(page))
    assert "Remind Ana Duarte? ana@duarte.example will be mailed at once" in question
    assert Event.objects.filter(kind="invoice.reminded").count() == 0
    answer = words(desk.post(page, follow=True))
    assert "A reminder goes to Ana Duarte at once." in answer
    assert f"{owner.display_name} sent a reminder" in answer
    assert "Ana Duarte has been reminded of INV-000001 today. The next one can go out tomorrow." in words(desk.post(page, follow=True))
    assert "Nothing to send now" in words(desk.get(page))
    assert Event.objects.filter(kind="invoice.reminded").count() == 1


def test_a_viewer_sees_reminders_and_no_button(client_as: Callable[[User], Client], merchant: Merchant, invoice: Invoice, viewer: User) -> None:
    page = words(client_as(viewer).get(url("invoice", merchant, invoice.pk)))
    assert "3 days before due" in page
    assert "Remind…" not in page
    assert "Send no more" not in page


def test_one_invoices_reminders_are_switched_off_and_on(desk: Client, merchant: Merchant, owner: User, invoice: Invoice) -> None:
    button = url("invoice_reminders", merchant, invoice.pk)
    page = words(desk.post(button, follow=True))
    assert "Switched off for this invoice. Switch them on" in page
    assert f"{owner.display_name} switched its reminders off" in page
    assert invoice.reminders.count() == 0
    desk.post(button, {"remind": "on"})
    assert invoice.reminders.count() == 3


def test_a_reminder_by_rule_is_told_on_the_timeline(desk: Client, merchant: Merchant, invoice: Invoice) -> None:
    assert invoice.due_at is not None
    reminders.run_due(now=invoice.due_at - timedelta(days=2))
    page = words(desk.get(url("invoice", merchant, invoice.pk)))
    assert "Reminder, 3 days before due" in page


def test_a_paid_invoice_shows_what_went_out_and_not_what_was_spared(desk: Client, merchant: Merchant, invoice: Invoice) -> None:
    assert invoice.due_at is not None
    reminders.run_due(now=invoice.due_at - timedelta(days=2))
    with transaction.atomic():
        paid = lifecycle.Money(invoice.total_minor, 0, False, False, False)
        lifecycle.account(lifecycle.locked(invoice.pk), paid, now=invoice.due_at - timedelta(days=1))
    reminders.run_due(now=invoice.due_at)
    page = words(desk.get(url("invoice", merchant, invoice.pk)))
    assert "Reminders 3 days before due Sent, " in page
    assert "It was paid by then." not in page
    assert "On the due day" not in page


def test_a_void_invoice_shows_nothing_that_is_still_to_come(desk: Client, merchant: Merchant, owner: User, invoice: Invoice) -> None:
    lifecycle.void(invoice, by=owner, reason="Agreed", now=clock.now())
    page = words(desk.get(url("invoice", merchant, invoice.pk)))
    assert "On the due day" not in page
    assert "Remind…" not in page


# --- the forms ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("ticked", "remind"), [("on", True), (None, False)])
def test_the_choice_is_kept_with_the_draft(desk: Client, merchant: Merchant, ticked: Any, remind: bool) -> None:
    desk.post(url("invoice_new", merchant), sent(remind=ticked))
    draft = Invoice.objects.get()
    assert draft.remind is remind
    page = desk.get(url("invoice_edit", merchant, draft.pk)).content.decode()
    assert ('name="remind" value="on" checked' in page) is remind


def test_a_new_page_is_ticked_and_names_the_rules(desk: Client, merchant: Merchant, owner: User) -> None:
    page = desk.get(url("invoice_new", merchant))
    assert 'name="remind" value="on" checked' in page.content.decode()
    assert "Remind the payer once reminders are set up in the settings" in words(page)
    reminder_rules.change(merchant, days=[0], by=owner, now=clock.now())
    assert "Remind the payer on the due day" in words(desk.get(url("invoice_new", merchant)))


def test_a_schedule_keeps_the_choice_too(desk: Client, merchant: Merchant) -> None:
    desk.post(url("schedule_new", merchant), recurring(remind=None))
    schedule = Schedule.objects.get()
    assert schedule.remind is False
    assert "Reminders none" in words(desk.get(url("schedule", merchant, schedule.pk)))
