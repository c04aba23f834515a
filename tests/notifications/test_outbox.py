from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from invoicing.models import Invoice
from merchants.models import Event, Merchant, User
from notifications import fanout, limits, outbox
from notifications.models import Attempt, Delivery
from notifications.transports import Outcome
from tests.factories import NOW, make_draft, make_merchant, publish

pytestmark = pytest.mark.django_db
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
GOOD = Outcome(True, code="250", answer="OK")
LATER = Outcome(False, code="451", answer="Greylisted")
NEVER = Outcome(False, permanent=True, code="550", answer="No such person")


def fresh(delivery: Delivery) -> Delivery:
    return Delivery.objects.get(pk=delivery.pk)


def tries(delivery: Delivery) -> list[tuple[int, bool | None, str]]:
    return list(Attempt.objects.filter(delivery=delivery).values_list("number", "succeeded", "code"))


def test_a_claim_counts_the_try_before_the_work_and_is_a_lease_with_a_number(issued_mail: Delivery) -> None:
    [claimed] = outbox.claim("email", now=NOW, limit=10)
    row = fresh(issued_mail)

    assert (row.status, row.lease, row.leased_until, row.attempts_made) == ("sending", 1, NOW + 120 * SECOND, 1)
    assert (claimed.lease, tries(row)) == (1, [(1, None, "")])


def test_what_is_claimed_is_claimed_by_nobody_else(issued_mail: Delivery) -> None:
    outbox.claim("email", now=NOW, limit=10)

    assert outbox.claim("email", now=NOW, limit=10) == []


def test_two_that_read_the_same_row_claim_it_once(issued_mail: Delivery) -> None:
    one, other = fresh(issued_mail), fresh(issued_mail)

    assert (outbox._claim(one, NOW), outbox._claim(other, NOW)) == (True, False)
    assert tries(issued_mail) == [(1, None, "")]


def test_nothing_is_claimed_before_its_time_or_for_another_channel(issued_mail: Delivery) -> None:
    Delivery.objects.filter(pk=issued_mail.pk).update(next_at=NOW + SECOND)

    assert outbox.claim("email", now=NOW, limit=10) == []
    assert outbox.claim("webhook", now=NOW + MINUTE, limit=10) == []


def test_a_try_that_worked_closes_it(issued_mail: Delivery) -> None:
    [claimed] = outbox.claim("email", now=NOW, limit=1)

    assert outbox.finish(claimed, lease=1, outcome=GOOD, duration_ms=40, now=NOW + SECOND)
    row = fresh(issued_mail)
    assert (row.status, row.sent_at, row.leased_until) == ("sent", NOW + SECOND, None)
    assert Attempt.objects.values_list("succeeded", "code", "answer", "duration_ms").get() == (True, "250", "OK", 40)


def test_a_failure_for_now_waits_as_the_schedule_says(issued_mail: Delivery) -> None:
    waits = []
    now = NOW
    for _number in range(6):
        [claimed] = outbox.claim("email", now=now, limit=1)
        outbox.finish(claimed, lease=claimed.lease, outcome=LATER, now=now)
        row = fresh(issued_mail)
        waits.append(row.next_at - now)
        now = row.next_at

    assert waits == [30 * SECOND, 2 * MINUTE, 10 * MINUTE, 60 * MINUTE, 240 * MINUTE, 720 * MINUTE]
    [claimed] = outbox.claim("email", now=now, limit=1)
    outbox.finish(claimed, lease=claimed.lease, outcome=LATER, now=now)
    row = fresh(issued_mail)
    assert (row.status, row.attempts_made, row.reason) == ("failed", 7, "Given up after 7 tries. 451 Greylisted")


def test_a_permanent_failure_is_not_tried_again_and_is_told(issued_mail: Delivery) -> None:
    [claimed] = outbox.claim("email", now=NOW, limit=1)
    outbox.finish(claimed, lease=1, outcome=NEVER, now=NOW)
    row = fresh(issued_mail)

    assert (row.status, row.reason, tries(row)) == ("failed", "550 No such person", [(1, False, "550")])
    told = Event.objects.get(kind="delivery.failed")
    assert (told.subject_kind, told.subject_id) == ("invoice", row.invoice_id)
    assert (told.facts["delivery"], told.facts["reason"]) == (row.pk, "550 No such person")


def test_a_receiver_may_ask_for_a_longer_wait(issued_mail: Delivery) -> None:
    [claimed] = outbox.claim("email", now=NOW, limit=1)
    outbox.finish(claimed, lease=1, outcome=Outcome(False, code="503", retry_after=timedelta(hours=3)), now=NOW)

    assert fresh(issued_mail).next_at == NOW + timedelta(hours=3)


def test_whoever_lost_the_lease_closes_nothing(issued_mail: Delivery) -> None:
    [slow] = outbox.claim("email", now=NOW, limit=1)
    later = NOW + 3 * MINUTE
    assert outbox.release_abandoned(later) == 1
    [_quick] = outbox.claim("email", now=later, limit=1)

    assert outbox.finish(slow, lease=1, outcome=NEVER, now=later + SECOND) is False
    assert (fresh(issued_mail).status, fresh(issued_mail).lease) == ("sending", 2)
    assert tries(issued_mail) == [(1, False, "550"), (2, None, "")]


def test_what_a_dead_worker_held_waits_again_once_its_lease_is_over(issued_mail: Delivery) -> None:
    outbox.claim("email", now=NOW, limit=1)

    assert outbox.release_abandoned(NOW + 119 * SECOND) == 0
    assert outbox.release_abandoned(NOW + 120 * SECOND) == 1
    assert (fresh(issued_mail).status, fresh(issued_mail).next_at) == ("queued", NOW + 120 * SECOND)
    assert tries(issued_mail) == [(1, None, "")]


def test_what_kills_three_workers_stops_and_is_shown(issued_mail: Delivery) -> None:
    now = NOW
    for _worker in range(3):
        assert len(outbox.claim("email", now=now, limit=1)) == 1
        now += 3 * MINUTE
        outbox.release_abandoned(now)

    row = fresh(issued_mail)
    assert (row.status, row.reason) == ("failed", "Its worker stopped three times while it was being sent. Look into the log, then send it again.")
    assert outbox.claim("email", now=now, limit=1) == []
    assert Event.objects.filter(kind="delivery.failed").count() == 1


def test_a_cancelled_delivery_stays_unsent_with_its_reason(issued_mail: Delivery) -> None:
    assert outbox.cancel(issued_mail, reason="Not wanted.", now=NOW)
    assert (fresh(issued_mail).status, fresh(issued_mail).reason) == ("cancelled", "Not wanted.")
    assert outbox.claim("email", now=NOW + MINUTE, limit=1) == []
    assert outbox.cancel(fresh(issued_mail), reason="Twice.", now=NOW) is False


def test_a_resend_is_a_new_event_and_a_new_message(issued_mail: Delivery, owner: User) -> None:
    [claimed] = outbox.claim("email", now=NOW, limit=1)
    outbox.finish(claimed, lease=1, outcome=GOOD, now=NOW)
    again = outbox.send_again(fresh(issued_mail), by=owner, now=NOW + MINUTE)

    assert (again.template, again.recipient, again.status, again.next_at) == ("issued", "ana@duarte.example", "queued", NOW + MINUTE)
    assert again.message_id != issued_mail.message_id
    assert (again.event.kind, again.event.actor, again.event.facts["delivery"]) == ("delivery.resent", owner, issued_mail.pk)
    assert fresh(issued_mail).status == "sent"
    fanout.run(NOW + MINUTE)
    assert Delivery.objects.count() == 2


def test_a_second_click_while_one_is_on_its_way_is_refused(issued_mail: Delivery, owner: User) -> None:
    [claimed] = outbox.claim("email", now=NOW, limit=1)
    outbox.finish(claimed, lease=1, outcome=NEVER, now=NOW)
    outbox.send_again(fresh(issued_mail), by=owner, now=NOW)

    with pytest.raises(outbox.Refused, match=r"One is already on its way\."):
        outbox.send_again(fresh(issued_mail), by=owner, now=NOW)
    assert Delivery.objects.count() == 2


def test_what_still_waits_goes_at_once_as_the_same_message(issued_mail: Delivery, owner: User) -> None:
    [claimed] = outbox.claim("email", now=NOW, limit=1)
    outbox.finish(claimed, lease=1, outcome=LATER, now=NOW)
    sent = outbox.again(fresh(issued_mail), by=owner, now=NOW + SECOND)

    assert (sent.pk, fresh(issued_mail).next_at, Delivery.objects.count()) == (issued_mail.pk, NOW + SECOND, 1)


def many(merchant: Merchant, count: int) -> list[Invoice]:
    return [publish(make_draft(merchant, title=f"Invoice {number}")) for number in range(count)]


def test_merchants_take_turns(merchant: Merchant) -> None:
    many(merchant, 4)
    quiet = make_merchant(slug="quiet", name="Quiet")
    many(quiet, 1)
    fanout.run(NOW)

    assert sorted(delivery.merchant.slug for delivery in outbox.claim("email", now=NOW, limit=2)) == ["harbour-pine", "quiet"]


def test_mails_over_the_daily_limit_go_out_the_next_day_and_say_why(merchant: Merchant) -> None:
    Merchant.objects.filter(pk=merchant.pk).update(daily_mail_limit=2)
    many(merchant, 3)
    fanout.run(NOW)
    claimed = outbox.claim("email", now=NOW, limit=10)
    for delivery in claimed:
        outbox.finish(delivery, lease=1, outcome=GOOD, now=NOW)

    assert len(claimed) == 2
    held = Delivery.objects.get(status="queued")
    midnight = NOW.replace(hour=0) + timedelta(days=1)  # in Lisbon, which is at UTC in November
    assert (held.next_at, held.reason) == (midnight, "The limit of 2 mails a day is reached; this one goes out tomorrow.")
    assert outbox.claim("email", now=NOW + timedelta(hours=5), limit=10) == []
    assert [delivery.pk for delivery in outbox.claim("email", now=midnight, limit=10)] == [held.pk]
    assert Delivery.objects.get(pk=held.pk).reason == ""


def test_a_mail_that_came_back_has_been_sent_all_the_same(issued_mail: Delivery, merchant: Merchant) -> None:
    [claimed] = outbox.claim("email", now=NOW, limit=1)
    outbox.finish(claimed, lease=1, outcome=GOOD, now=NOW)
    assert outbox.bounced(fresh(issued_mail), reason="It came back.", now=NOW)

    assert limits.left_today(merchant, now=NOW) == 199
    assert limits.left_today(merchant, now=NOW + timedelta(days=1)) == 200


def test_the_day_of_the_limit_is_the_merchants_own() -> None:
    from notifications.limits import day_of

    began, ends = day_of(Merchant(time_zone="Asia/Tokyo"), NOW.replace(hour=16))

    assert (began.isoformat(), ends.isoformat()) == ("2026-11-18T00:00:00+09:00", "2026-11-19T00:00:00+09:00")


def test_a_claim_takes_the_same_few_queries_for_each_message(merchant: Merchant) -> None:
    def queries(messages: int) -> int:
        many(merchant, messages)
        fanout.run(NOW)
        with CaptureQueriesContext(connection) as seen:
            outbox.claim("email", now=NOW, limit=10)
        return len(seen)

    one, three = queries(1), queries(3)

    assert (one, three) == (11, 15)
