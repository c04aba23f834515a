"""One mail each: fan-out and claims by several workers at once, and their twins."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import QuerySet

from invoicing import issuing, lifecycle, numbering
from invoicing.models import Invoice
from merchants.events import record
from merchants.models import Event, Merchant
from notifications import fanout, outbox, turns
from notifications.models import Attempt, Delivery, Endpoint
from tests.factories import NOW, add_member, make_draft, make_merchant, publish
from tests.races.harness import PATIENCE, TWIN_RUNS, Meeting, failures, patched, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

_counter = iter(range(10_000))


def issued() -> Merchant:
    merchant = make_merchant(slug=f"sender-{next(_counter)}")
    publish(make_draft(merchant), now=NOW)
    return merchant


def four_workers_fan_out() -> None:
    merchant = issued()
    event = Event.objects.get(merchant=merchant)
    meeting = Meeting(4)
    with patched((fanout, "_next_sequence", meeting.before(fanout._next_sequence))):
        results = race(*[lambda: fanout.fan_out(event.pk, now=NOW)] * 4)
    assert [result for result in results if isinstance(result, Exception)] == []
    assert sum(result is not None for result in results) == 1
    merchant.refresh_from_db()
    assert (merchant.event_sequence, Delivery.objects.filter(merchant=merchant, template="issued").count()) == (1, 1)


def test_four_workers_make_one_mail_of_one_event() -> None:
    four_workers_fan_out()


def test_without_the_lock_and_the_condition_an_event_is_fanned_out_again() -> None:
    def plain(self: Any, *_args: Any, **_kwargs: Any) -> Any:
        return self.all()

    through = QuerySet.filter

    def forgetful(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.model is Event:
            kwargs.pop("fanned_out_at", None)
        return through(self, *args, **kwargs)

    with patched((QuerySet, "select_for_update", plain), (QuerySet, "filter", forgetful)):
        assert failures(four_workers_fan_out, patience=PATIENCE) == TWIN_RUNS


@pytest.mark.parametrize(
    ("kind", "template", "recipients"),
    [("schedule.missed", "schedule_missed", 1), ("member.left", "owners_told", 2), ("member.invited", "invitation", 1)],
)
def test_eight_workers_make_the_mails_of_an_event_without_an_invoice_once(kind: str, template: str, recipients: int) -> None:
    merchant = make_merchant(slug=f"sender-{next(_counter)}")
    add_member(merchant, "owner", email=f"second@{merchant.slug}.example")
    with transaction.atomic():
        facts = {"owners": [], "email": "rui@lopes.example", "occurrences": []}
        event = record(kind, merchant=merchant, subject=merchant, now=NOW, facts=facts)
    meeting = Meeting(8)
    with patched((fanout, "_next_sequence", meeting.before(fanout._next_sequence))):
        results = race(*[lambda: fanout.fan_out(event.pk, now=NOW)] * 8)
    assert [result for result in results if isinstance(result, Exception)] == []
    assert sum(result is not None for result in results) == 1
    assert Delivery.objects.filter(merchant=merchant, template=template).count() == recipients


def four_workers_claim(move: Any = None) -> None:
    merchant = issued()
    event = Event.objects.get(merchant=merchant)
    fanout.fan_out(event.pk, now=NOW)
    meeting = Meeting(4)
    claim = outbox._claim

    def met(delivery: Delivery, now: Any) -> bool:
        if delivery.merchant_id == merchant.pk:
            meeting.wait()
        return claim(delivery, now)

    with patched((outbox, "_claim", met), *([(outbox, "_move", move)] if move else [])):
        results = race(*[lambda: outbox.claim("email", now=NOW + timedelta(seconds=1), limit=500)] * 4)
    assert [result for result in results if isinstance(result, Exception)] == []
    claimed = [delivery for result in results for delivery in result if delivery.merchant_id == merchant.pk]
    assert len(claimed) == 1
    assert Attempt.objects.filter(delivery__merchant=merchant).count() == 1


def test_four_workers_claim_a_message_once() -> None:
    four_workers_claim()


def test_without_the_lock_and_the_condition_a_message_is_claimed_by_all() -> None:
    def careless(delivery: Delivery, to: str, *, under: int, **changes: Any) -> bool:
        Delivery.objects.filter(pk=delivery.pk).update(status=to, **changes)
        return True

    with patched((QuerySet, "select_for_update", lambda self, **_options: self.all())):
        assert failures(lambda: four_workers_claim(careless)) == TWIN_RUNS


def eight_senders_to_one_endpoint() -> None:
    """Each of them sees that nothing is on its way there, before any has claimed."""
    merchant = issued()
    endpoint = Endpoint.objects.create(merchant=merchant, url="https://example.com/hooks", secret="x")
    Delivery.objects.filter(merchant=merchant).delete()
    for _number in range(8):
        publish(make_draft(merchant), now=NOW)
    while fanout.run(NOW).events:
        pass
    meeting = Meeting(8)
    with patched((turns, "choose", meeting.before(turns.choose)), (outbox, "_take", meeting.before(outbox._take))):
        results = race(*[lambda: outbox.claim("webhook", now=NOW, limit=500)] * 8)
    assert [result for result in results if isinstance(result, Exception)] == []
    assert Delivery.objects.filter(endpoint=endpoint, status="sending").count() <= 2


def test_no_more_than_two_are_on_their_way_to_an_endpoint_however_many_send() -> None:
    eight_senders_to_one_endpoint()


def test_without_the_lock_on_the_endpoint_there_are_more() -> None:
    real = turns.webhooks

    def unlocked(chosen: Any, *, now: Any) -> list[int]:
        with patched((turns, "AT_ONCE", 500)):
            return real({turns.Lane(lane.endpoint, lane.merchant, False): 4 for lane in chosen}, now=now)

    with patched((QuerySet, "select_for_update", lambda self, **_options: self.all()), (turns, "webhooks", unlocked)):
        assert failures(eight_senders_to_one_endpoint) == TWIN_RUNS


def a_missed_invoice_published_while_it_is_told() -> None:
    later = NOW + timedelta(hours=1)
    merchant = make_merchant(slug=f"missed-{next(_counter)}")
    draft = publish(make_draft(merchant, issue_at=later))
    Invoice.objects.filter(pk=draft.pk).update(all_assets=False, asset_ids=[])
    issuing.run_due(now=later)
    Invoice.objects.filter(pk=draft.pk).update(all_assets=True)
    event, missed = Event.objects.get(merchant=merchant, kind="invoice.missed"), Invoice.objects.get(pk=draft.pk)
    meeting = Meeting(2)
    with patched((numbering, "take", meeting.before(numbering.take)), (fanout, "_deliveries", meeting.before(fanout._deliveries))):
        told, published = race(
            lambda: fanout.fan_out(event.pk, now=later), lambda: lifecycle.publish(missed, by=None, version=missed.version, now=later)
        )
    assert ([type(told), type(published)], Delivery.objects.filter(event=event).count()) == ([list, Invoice], 1)


def test_a_missed_invoice_can_be_published_while_it_is_told() -> None:
    a_missed_invoice_published_while_it_is_told()


def test_with_the_merchants_row_locked_before_the_invoice_the_two_lock_each_other_out() -> None:
    def unlocked(event: Event) -> Invoice | None:
        return Invoice.objects.filter(pk=event.subject_id).first()

    with patched((fanout, "_locked_invoice", unlocked)):
        assert failures(a_missed_invoice_published_while_it_is_told) == TWIN_RUNS
