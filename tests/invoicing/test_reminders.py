"""When payers are reminded: rules, rows, and the decision at the moment of sending."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction

from invoicing import lifecycle, reminder_rules, reminder_words, reminders, schedules
from invoicing.models import Invoice, Reminder, ReminderRule
from merchants.models import Event, Merchant, User
from tests.factories import NOW, make_draft, make_merchant, make_schedule, publish, start
from tests.invoicing.test_schedules import NOV

pytestmark = pytest.mark.django_db
LISBON = ZoneInfo("Europe/Lisbon")
DUE = datetime(2026, 12, 1, 18, 0, tzinfo=LISBON)  # a Tuesday; NOW is 17 November, 10:00 in Lisbon


def on(day: int, month: int = 12, hour: int = 9, minute: int = 0) -> datetime:
    """That moment on Lisbon's clocks, in 2026."""
    return datetime(2026, month, day, hour, minute, tzinfo=LISBON)


@pytest.fixture
def invoice(merchant: Merchant, owner: User) -> Invoice:
    """Issued on 17 November, due on 1 December at 18:00, reminded of 3 days before, on the day and 7 days after."""
    reminder_rules.change(merchant, days=[-3, 0, 7], by=owner, now=NOW)
    return publish(make_draft(merchant, due_at=DUE))


def rows(invoice: Invoice) -> list[tuple[int, str, str]]:
    return list(Reminder.objects.filter(invoice=invoice).values_list("days", "state", "reason"))


def told(invoice: Invoice) -> list[dict[str, Any]]:
    found = Event.objects.filter(subject_kind="invoice", subject_id=invoice.pk, kind="invoice.reminded").order_by("id")
    return [event.facts["reminder"] for event in found]


def money(invoice: Invoice, *, credited: int = 0, pending: int = 0, now: datetime = NOW) -> None:
    with transaction.atomic():
        lifecycle.account(lifecycle.locked(invoice.pk), lifecycle.Money(credited, pending, bool(credited), False, False), now=now)


# --- planning -----------------------------------------------------------------------------------------------------
def test_issuing_plans_each_rule_at_nine_in_the_merchants_zone(invoice: Invoice) -> None:
    assert list(invoice.reminders.values_list("days", "send_at", "state")) == [
        (-3, on(28, 11), "planned"),
        (0, on(1), "planned"),
        (7, on(8), "planned"),
    ]


def test_nine_stays_nine_when_the_clocks_change(merchant: Merchant, owner: User) -> None:
    reminder_rules.change(merchant, days=[-3, 0], by=owner, now=NOW)
    found = publish(make_draft(merchant, due_at=datetime(2027, 3, 29, 0, 30, tzinfo=LISBON)))  # Lisbon goes forward on 28 March
    sent = [at.astimezone(UTC) for at in found.reminders.values_list("send_at", flat=True)]
    assert sent == [datetime(2027, 3, 26, 9, tzinfo=UTC), datetime(2027, 3, 29, 8, tzinfo=UTC)]


def test_the_due_day_is_that_of_the_zone_in_which_it_is_written(owner: User) -> None:
    """18:00 UTC is 2 December in Kyoto."""
    merchant = make_merchant(owner, slug="kobo", time_zone="Asia/Tokyo")
    reminder_rules.change(merchant, days=[0], by=owner, now=NOW)
    found = publish(make_draft(merchant, due_at=datetime(2026, 12, 1, 18, tzinfo=UTC)))
    assert found.reminders.get().send_at == datetime(2026, 12, 2, 9, tzinfo=ZoneInfo("Asia/Tokyo"))
    merchant.time_zone = "Europe/Lisbon"  # moved since: the document still says Kyoto's time
    merchant.save()
    reminder_rules.change(merchant, days=[0, 1], by=owner, now=NOW)
    assert found.reminders.get(days=1).send_at == datetime(2026, 12, 3, 9, tzinfo=ZoneInfo("Asia/Tokyo"))


def test_what_has_passed_at_issuing_is_not_planned(merchant: Merchant, owner: User) -> None:
    reminder_rules.change(merchant, days=[-14, -13, 0], by=owner, now=NOW)
    found = publish(make_draft(merchant, due_at=DUE))  # at 10:00 on the day of the first rule
    assert list(found.reminders.values_list("days", flat=True)) == [-13, 0]


def test_a_new_business_reminds_nobody(merchant: Merchant) -> None:
    assert publish(make_draft(merchant)).reminders.count() == 0
    assert reminder_rules.of(merchant) == []


def test_an_invoice_that_says_so_is_not_reminded_of(merchant: Merchant, owner: User) -> None:
    reminder_rules.change(merchant, days=[-3], by=owner, now=NOW)
    assert publish(make_draft(merchant, due_at=DUE, remind=False)).reminders.count() == 0


@pytest.mark.parametrize(("remind", "planned"), [(True, [-3, 0]), (False, [])])
def test_a_schedule_hands_its_choice_to_each_invoice(merchant: Merchant, owner: User, remind: bool, planned: list[int]) -> None:
    reminder_rules.change(merchant, days=[-3, 0], by=owner, now=NOW)
    schedule = start(make_schedule(merchant, remind=remind))
    schedules.run_due(now=NOV)
    found = Invoice.objects.get(occurrence__schedule=schedule)
    assert (found.remind, list(found.reminders.values_list("days", flat=True))) == (remind, planned)


# --- the rules ----------------------------------------------------------------------------------------------------
def test_open_invoices_follow_a_change_of_the_rules(invoice: Invoice, merchant: Merchant, owner: User) -> None:
    draft = make_draft(merchant, due_at=DUE)
    paid = publish(make_draft(merchant, due_at=DUE))
    money(paid, credited=paid.total_minor)
    reminders.run_due(now=on(28, 11))
    assert reminder_rules.change(merchant, days=[-5, -1, 7, 30], by=owner, now=on(28, 11, 12))
    assert rows(invoice) == [(-3, "sent", ""), (-1, "planned", ""), (7, "planned", ""), (30, "planned", "")]
    assert draft.reminders.count() == 0
    assert list(paid.reminders.values_list("days", "state")) == [(-3, "dropped"), (0, "planned"), (7, "planned")]
    changed = Event.objects.filter(kind="merchant.changed").last()
    assert changed is not None
    assert (changed.facts, changed.actor) == ({"fields": ["reminders"], "was": [-3, 0, 7], "reminders": [-5, -1, 7, 30]}, owner)


def test_a_rule_taken_out_and_put_back_sends_nothing_twice(invoice: Invoice, merchant: Merchant, owner: User) -> None:
    reminders.run_due(now=on(28, 11))
    for days in ([], [-3, 0, 7]):
        reminder_rules.change(merchant, days=days, by=owner, now=on(28, 11, 10))
    assert rows(invoice) == [(-3, "sent", ""), (0, "planned", ""), (7, "planned", "")]
    assert not reminder_rules.change(merchant, days=[7, 0, -3, 0], by=owner, now=on(28, 11, 11))  # the same


def test_the_rules_of_one_business_are_no_others(invoice: Invoice, owner: User) -> None:
    other = make_merchant(slug="secret-orchard")
    theirs = publish(make_draft(other, due_at=DUE))
    reminder_rules.change(other, days=[0], by=owner, now=NOW)
    reminder_rules.change(other, days=[], by=owner, now=NOW)
    assert theirs.reminders.count() == 0
    assert len(rows(invoice)) == 3


@pytest.mark.parametrize("days", [[1, 2, 3, 4, 5, 6], [-61], [91]])
def test_more_than_five_rules_and_far_away_ones_are_refused(merchant: Merchant, owner: User, days: list[int]) -> None:
    with pytest.raises(ValueError, match="are no rules"):
        reminder_rules.change(merchant, days=days, by=owner, now=NOW)
    with transaction.atomic():
        assert reminder_rules.change(merchant, days=[-60, -1, 0, 1, 90], by=owner, now=NOW)


def test_what_a_dead_process_left_out_is_found_by_the_hour(invoice: Invoice, merchant: Merchant) -> None:
    Reminder.objects.filter(days=0).delete()  # as if the second step of a change had never come
    ReminderRule.objects.filter(days=7).delete()
    for _hour in range(2):
        reminder_rules.catch_up(now=NOW)
        assert rows(invoice) == [(-3, "planned", ""), (0, "planned", "")]


# --- the moment of sending ----------------------------------------------------------------------------------------
def test_nothing_goes_out_a_second_before_its_time_and_once_at_it(invoice: Invoice) -> None:
    assert reminders.run_due(now=on(28, 11) - timedelta(seconds=1)) == 0
    assert [reminders.run_due(now=on(28, 11)) for _beat in range(3)] == [1, 0, 0]
    assert told(invoice) == [{"days": -3, "by_hand": False}]
    assert rows(invoice)[0] == (-3, "sent", "")


def test_the_event_carries_the_invoice_as_it_stands(invoice: Invoice) -> None:
    money(invoice, credited=60_000)
    reminders.run_due(now=on(28, 11))
    event = Event.objects.get(kind="invoice.reminded")
    assert (event.facts["invoice"]["due"], event.facts["invoice"]["number"], event.actor) == ("1200.00", "INV-000001", None)


def test_an_outage_collapses_to_the_latest_one(invoice: Invoice) -> None:
    reminders.run_due(now=on(9))
    assert rows(invoice) == [
        (-3, "dropped", "It could not be sent in time; the next one took its place."),
        (0, "dropped", "It could not be sent in time; the next one took its place."),
        (7, "sent", ""),
    ]
    assert told(invoice) == [{"days": 7, "by_hand": False}]


@pytest.mark.parametrize(("late", "state"), [(timedelta(days=3) - timedelta(seconds=1), "sent"), (timedelta(days=3), "dropped")])
def test_after_three_days_it_is_too_late_for_the_latest_one_too(invoice: Invoice, late: timedelta, state: str) -> None:
    reminders.run_due(now=on(8) + late)
    assert rows(invoice)[-1] == (7, state, "" if state == "sent" else "It could not be sent for more than 3 days.")


@pytest.mark.parametrize("case", ["paid", "void", "confirming", "off", "no rule"])
def test_it_is_asked_again_whether_anything_is_due(invoice: Invoice, merchant: Merchant, owner: User, case: str) -> None:
    match case:
        case "paid":
            money(invoice, credited=invoice.total_minor)
        case "void":
            lifecycle.void(invoice, by=owner, reason="Agreed", now=NOW)
        case "confirming":
            money(invoice, pending=5_000)
        case "off":
            Invoice.objects.update(remind=False)
        case "no rule":
            ReminderRule.objects.filter(days=-3).delete()
    reminders.run_due(now=on(28, 11))
    assert rows(invoice)[0] == (-3, "dropped", str(reminders.DROPPED[case]))
    assert told(invoice) == []


def test_a_part_paid_is_reminded_of_the_rest(invoice: Invoice) -> None:
    money(invoice, credited=60_000)
    assert reminders.run_due(now=on(28, 11)) == 1
    assert len(told(invoice)) == 1


def test_none_goes_out_on_the_day_of_issuing(merchant: Merchant, owner: User) -> None:
    reminder_rules.change(merchant, days=[-3, -2], by=owner, now=NOW)
    found = publish(make_draft(merchant, due_at=DUE), now=on(28, 11, 8))
    reminders.run_due(now=on(28, 11))
    reminders.run_due(now=on(29, 11))
    assert rows(found) == [(-3, "dropped", "It was issued on that day."), (-2, "sent", "")]


def test_the_day_of_issuing_is_one_of_the_zone(owner: User) -> None:
    """Issued at 23:30 UTC on the 17th, which is the 18th in Tokyo; a day later is the 19th there."""
    merchant = make_merchant(owner, slug="kobo", time_zone="Asia/Tokyo")
    reminder_rules.change(merchant, days=[-1, 0], by=owner, now=NOW)
    found = publish(make_draft(merchant, due_at=datetime(2026, 11, 19, 9, tzinfo=UTC)), now=datetime(2026, 11, 17, 23, 30, tzinfo=UTC))
    for day in (18, 19):
        reminders.run_due(now=datetime(2026, 11, day, 0, 0, tzinfo=UTC))
    assert rows(found) == [(-1, "dropped", "It was issued on that day."), (0, "sent", "")]


def test_one_sent_late_takes_the_place_of_that_days_own(invoice: Invoice, merchant: Merchant, owner: User) -> None:
    """Due on 1 December; the reminder of 30 November goes out at last on 1 December at 08:00, so 09:00 brings none."""
    reminder_rules.change(merchant, days=[-1, 0], by=owner, now=NOW)
    reminders.run_due(now=on(1, hour=8))
    reminders.run_due(now=on(1, hour=9))
    assert rows(invoice) == [(-1, "sent", ""), (0, "dropped", "Another one had gone out on that day.")]


def test_one_that_cannot_be_decided_holds_up_nobody(invoice: Invoice, merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    other = publish(make_draft(merchant, due_at=DUE))
    decide = reminders.decide
    monkeypatch.setattr(reminders, "decide", lambda pk, now: decide(pk, now=now) if pk == other.pk else 1 / 0)
    assert reminders.run_due(now=on(28, 11)) == 1
    assert (rows(other)[0][1], rows(invoice)[0][1]) == ("sent", "planned")


def test_merchants_take_turns(invoice: Invoice, merchant: Merchant, owner: User) -> None:
    for _more in range(3):
        publish(make_draft(merchant, due_at=DUE))
    other = make_merchant(slug="secret-orchard")
    reminder_rules.change(other, days=[-3], by=owner, now=NOW)
    theirs = publish(make_draft(other, due_at=DUE))
    assert reminders.run_due(now=on(28, 11), limit=2) == 2
    assert (rows(invoice)[0][1], rows(theirs)[0][1]) == ("sent", "sent")


def test_reopened_after_a_reorg_it_is_reminded_of_again(invoice: Invoice) -> None:
    money(invoice, credited=invoice.total_minor)
    money(invoice, credited=0)
    reminders.run_due(now=on(28, 11))
    assert rows(invoice)[0] == (-3, "sent", "")


# --- by hand ------------------------------------------------------------------------------------------------------
def test_by_hand_it_goes_once_a_day_and_stands_in_for_the_rule(invoice: Invoice, owner: User) -> None:
    event = reminders.remind(invoice, by=owner, now=on(28, 11, 8))
    assert (event.facts["reminder"], event.actor) == ({"days": -3, "by_hand": True}, owner)
    with pytest.raises(reminders.Refused, match=r"^Ana Duarte has been reminded of INV-000001 today. The next one can go out tomorrow.$"):
        reminders.remind(invoice, by=owner, now=on(28, 11, 23, 59))
    reminders.run_due(now=on(28, 11))
    assert rows(invoice)[0] == (-3, "dropped", "Another one had gone out on that day.")
    reminders.remind(invoice, by=owner, now=on(29, 11, 0, 1))
    assert [one["days"] for one in told(invoice)] == [-3, -2]


def test_by_hand_it_goes_whatever_the_rules_say(merchant: Merchant, owner: User) -> None:
    found = publish(make_draft(merchant, due_at=DUE, remind=False))
    reminders.remind(found, by=owner, now=on(5))
    assert told(found) == [{"days": 4, "by_hand": True}]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("draft", "^Brand identity, phase 2 has not been issued; there is nothing to remind of.$"),
        ("paid", "^INV-000001 is paid; there is nothing to remind of.$"),
        ("void", "^INV-000001 is void; there is nothing to remind of.$"),
        ("confirming", "^A payment of INV-000001 is confirming; nobody is asked again meanwhile.$"),
        ("today", "^INV-000001 was issued today. A reminder can go out from tomorrow on.$"),
    ],
)
def test_by_hand_it_is_refused_where_nothing_is_asked_for(invoice: Invoice, merchant: Merchant, owner: User, case: str, words: str) -> None:
    now = NOW if case == "today" else on(20, 11)
    match case:
        case "draft":
            invoice = make_draft(merchant)
        case "paid":
            money(invoice, credited=invoice.total_minor)
        case "void":
            lifecycle.void(invoice, by=owner, reason="Agreed", now=NOW)
        case "confirming":
            money(invoice, pending=invoice.total_minor)
    with pytest.raises(reminders.Refused, match=words):
        reminders.remind(invoice, by=owner, now=now)
    assert told(invoice) == []


# --- one invoice, off and on ----------------------------------------------------------------------------------------
def test_switched_off_nothing_is_planned_and_switched_on_what_is_ahead_is(invoice: Invoice, owner: User) -> None:
    reminders.run_due(now=on(28, 11))
    assert reminders.switch(invoice, on=False, by=owner, now=on(29, 11))
    assert rows(invoice) == [(-3, "sent", "")]
    assert not reminders.switch(invoice, on=False, by=owner, now=on(29, 11))
    assert reminders.switch(invoice, on=True, by=owner, now=on(2))
    assert rows(invoice) == [(-3, "sent", ""), (7, "planned", "")]
    kinds = Event.objects.filter(subject_id=invoice.pk, kind__startswith="invoice.reminders").order_by("id")
    assert list(kinds.values_list("kind", flat=True)) == ["invoice.reminders_off", "invoice.reminders_on"]


def test_those_of_a_paid_invoice_cannot_be_switched(invoice: Invoice, owner: User) -> None:
    money(invoice, credited=invoice.total_minor)
    with pytest.raises(reminders.Refused, match="INV-000001 is paid"):
        reminders.switch(invoice, on=False, by=owner, now=NOW)


# --- words --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("days", "words"),
    [(-60, "60 days before due"), (-1, "1 day before due"), (0, "on the due day"), (1, "1 day after due"), (7, "7 days after due")],
)
def test_when_it_is_sent_in_words(days: int, words: str) -> None:
    assert reminder_words.when(days) == words


def test_all_of_them_in_words() -> None:
    assert reminder_words.all_of([-3, 0, 7]) == "3 days before due, on the due day and 7 days after due"
    assert reminder_words.all_of([]) == ""


def test_days_past_are_those_of_the_calendar(invoice: Invoice) -> None:
    assert date(2026, 12, 1) == DUE.date()
    assert [reminders.days_past(invoice, at) for at in (on(30, 11, 23, 59), on(1, hour=0), on(1, hour=23, minute=59), on(2, hour=0))] == [-1, 0, 0, 1]
