"""Every type of event as it really happens, for tests of what is posted of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from django.db import transaction

from invoicing import lifecycle, reminders, schedules
from invoicing.models import Schedule
from invoicing.recurrence import Rule
from merchants.models import Merchant, User
from notifications import fanout
from payments import claims, held, recorded, refunds, settlement, unassigned
from payments.models import Transfer
from payments.rails import sandbox
from payments.refunds import Seen
from tests import businesses
from tests.factories import NOW, make_draft, make_schedule, publish, start
from tests.payments.money import Story
from tests.payments.refunding import RefundStory, payers_address

TXID = "a" * 64
FIRST = datetime(2026, 11, 30, 9, tzinfo=UTC)  # of a schedule, see make_schedule


def fan_out(now: datetime = NOW) -> None:
    while fanout.run(now).events:
        pass


# --- invoices ---------------------------------------------------------------------------------------------------
def sent_opened_reminded_and_cancelled(merchant: Merchant, owner: User) -> None:
    invoice = publish(make_draft(merchant))
    lifecycle.viewed(invoice, now=NOW)
    reminders.remind(invoice, by=owner, now=NOW + timedelta(days=2))
    lifecycle.void(invoice, by=owner, reason="Agreed by telephone", now=NOW + timedelta(days=3))


def missed(merchant: Merchant, _owner: User) -> None:
    scheduled = publish(make_draft(merchant, issue_at=NOW + timedelta(days=1)))
    lifecycle.issue_due(scheduled.pk, now=NOW + timedelta(days=15))


# --- payments ---------------------------------------------------------------------------------------------------
def paid_in_two_parts_and_taken_back(merchant: Merchant, _owner: User) -> None:
    story = Story(merchant)
    story.pay(units=43_440_000)
    story.blocks(5)
    txid = story.pay()
    story.blocks(5)
    sandbox.reorg(5, now=story.now, drop=[txid])
    story.blocks(8)


def paid_too_much(merchant: Merchant, _owner: User) -> None:
    story = Story(merchant)
    story.pay(units=150_000_000)
    story.blocks(5)


def paid_too_late(merchant: Merchant, owner: User, *, decided: str = "today") -> Story:
    merchant.late_policy = "hold"
    merchant.save()
    story = Story(merchant)
    quote = story.quote()
    story.now += timedelta(hours=3)
    sandbox.mine(now=story.now)
    story.pay(quote=quote)
    story.blocks(5)
    if decided == "handle":
        held.handle(story.transfers()[0], "Sent back", by=owner, now=story.now)
    elif decided:
        held.decide(story.transfers()[0], decided, by=owner, now=story.now)
    return story


def dealt_with_elsewhere(merchant: Merchant, owner: User) -> None:
    paid_too_late(merchant, owner, decided="handle")


def recorded_and_reversed(merchant: Merchant, owner: User) -> None:
    invoice = publish(make_draft(merchant))
    told = {"way": "bank", "amount_minor": 1_000, "paid_at": NOW, "note": "By post", "form_key": "k" * 43}
    recorded.reverse(recorded.record(invoice, **told, by=owner, now=NOW), by=owner, now=NOW)


def of_no_invoice(merchant: Merchant, owner: User) -> None:
    story = Story(merchant)
    story.quote()
    for number, ended in enumerate(("assigned", "handled", "dropped")):
        loose = businesses.unassigned(story.invoice, f"loose-{number}")
        Transfer.objects.filter(pk=loose.pk).update(status="final")
        loose.refresh_from_db()
        settlement_tells("payment.unassigned", loose)
        match ended:
            case "assigned":
                unassigned.assign(loose, story.fresh(), "today", by=owner, now=story.now)
            case "handled":
                held.handle(loose, "Sent back", by=owner, now=story.now)
            case "dropped":
                settlement_tells("payment.dropped", loose)


def settlement_tells(kind: str, loose: Transfer) -> None:
    with transaction.atomic():
        settlement.tell_of_unassigned(kind, loose, now=NOW)


# --- refunds ----------------------------------------------------------------------------------------------------
def refunded_and_taken_back(merchant: Merchant, _owner: User) -> None:
    story = RefundStory(merchant)
    refund = refunds.found(story.approved(reason="Not needed"), Seen(TXID, 0, 90, "90", story.now, 9), now=story.now)
    refunds.missing(refund, why="", now=story.now)


def refunds_that_end_otherwise(merchant: Merchant, owner: User) -> None:
    story = RefundStory(merchant)
    first = story.ask("other", other_minor=100)
    refunds.renew(first, by=owner, now=story.now)
    first.refresh_from_db()
    refunds.change(first, story.terms("other", other_minor=200), by=owner, version=first.version, now=story.now)
    claimed = story.claim(first)
    refunds.restart(claimed, by=owner, now=story.now)
    refunds.reject(story.claim(first), why="It was used", by=story.second, now=story.now)
    refunds.cancel(story.ask("other", other_minor=100), why="Agreed by telephone", by=owner, now=story.now)
    approved = story.approved("other", other_minor=100)
    sent = refunds.sent(approved, txid="b" * 64, way="pasted", by=owner, now=story.now)
    refunds.unsent(sent, by=owner, now=story.now)
    sent.refresh_from_db()
    refunds.fail(refunds.sent(sent, txid="c" * 64, way="pasted", by=owner, now=story.now), why="Never arrived", by=owner, now=story.now)
    asked = story.ask("other", other_minor=100)
    claims.offer(asked, address=payers_address(), last=payers_address()[-4:], now=story.now)
    refunds.expire_due(now=story.now + timedelta(days=40))


# --- schedules --------------------------------------------------------------------------------------------------
def a_schedule_that_is_paused_and_stopped(merchant: Merchant, owner: User) -> None:
    schedule = start(make_schedule(merchant))
    schedules.pause(schedule, by=owner, now=NOW)
    schedules.resume(Schedule.objects.get(pk=schedule.pk), skip_past=False, by=owner, now=NOW)
    schedules.occur(schedule.pk, now=FIRST)
    schedules.stop(Schedule.objects.get(pk=schedule.pk), by=owner, now=FIRST)


def a_schedule_that_misses_holds_and_completes(merchant: Merchant, _owner: User) -> None:
    missing = start(make_schedule(merchant, Rule("days", 5), anchor=date(2026, 11, 20), due_after_days=14))
    while schedules.occur(missing.pk, now=datetime(2026, 12, 16, 10, tzinfo=UTC)):
        pass
    ending = start(make_schedule(merchant, ends_after=1))
    schedules.occur(ending.pk, now=FIRST)
    stuck = start(make_schedule(merchant))
    accepted, merchant.accepted_assets = merchant.accepted_assets, []
    merchant.save()
    schedules.occur(stuck.pk, now=FIRST)
    merchant.accepted_assets = accepted
    merchant.save()


STORIES: tuple[Callable[[Merchant, User], object], ...] = (
    sent_opened_reminded_and_cancelled,
    missed,
    paid_in_two_parts_and_taken_back,
    paid_too_much,
    paid_too_late,
    dealt_with_elsewhere,
    recorded_and_reversed,
    of_no_invoice,
    refunded_and_taken_back,
    refunds_that_end_otherwise,
    a_schedule_that_is_paused_and_stopped,
    a_schedule_that_misses_holds_and_completes,
)


def live(merchant: Merchant, owner: User) -> None:
    """All of them, one after the other, and fanned out."""
    for story in STORIES:
        merchant.refresh_from_db()
        story(merchant, owner)
    fan_out()
