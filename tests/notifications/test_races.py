"""Two workers at the same moment, on PostgreSQL, stopped at a barrier between check and write."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from invoicing.models import Invoice
from merchants.models import Event
from notifications import fanout, outbox
from notifications.models import Attempt, Delivery
from tests.factories import NOW, make_draft, make_merchant, publish

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def both(act: Callable[[], Any]) -> list[Any]:
    """What two threads get that do `act` at once."""
    results: list[Any] = []
    start = threading.Barrier(2)

    def run() -> None:
        try:
            start.wait(timeout=10)
            results.append(act())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _side in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results


@pytest.fixture
def issued() -> Invoice:
    return publish(make_draft(make_merchant()))


def test_two_workers_fan_an_event_out_once(issued: Invoice) -> None:
    event = Event.objects.get(kind="invoice.issued")
    results = both(lambda: fanout.fan_out(event.pk, now=NOW))

    assert sorted(result is None for result in results) == [False, True]
    assert Delivery.objects.count() == 1


def test_the_condition_alone_makes_it_once_without_the_lock(issued: Invoice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have read the event as waiting before either claims it."""
    event = Event.objects.get(kind="invoice.issued")
    have_read = threading.Barrier(2)
    queryset = type(Event.objects.all())
    monkeypatch.setattr(queryset, "select_for_update", lambda self, **_options: self)
    real = queryset.first

    def first(self: Any) -> Any:
        found = real(self)
        if self.model is Event:
            have_read.wait(timeout=10)
        return found

    monkeypatch.setattr(queryset, "first", first)
    results = both(lambda: fanout.fan_out(event.pk, now=NOW))

    assert sorted(result is None for result in results) == [False, True]
    assert Delivery.objects.count() == 1


def test_two_workers_claim_a_delivery_once(issued: Invoice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have read it as waiting before either claims it."""
    fanout.run(NOW)
    have_read = threading.Barrier(2)
    real = outbox._take

    def take(pks: list[int], now: Any) -> list[Delivery]:
        have_read.wait(timeout=10)
        return real(pks, now)

    monkeypatch.setattr(outbox, "_take", take)
    results = both(lambda: outbox.claim("email", now=NOW, limit=5))

    assert sorted(len(result) for result in results) == [0, 1]
    assert Attempt.objects.count() == 1


def test_two_clicks_at_once_send_one_more_message(issued: Invoice) -> None:
    fanout.run(NOW)
    Delivery.objects.update(status="failed")
    delivery = Delivery.objects.get()
    member = issued.merchant.members.get()

    def click() -> Any:
        try:
            return outbox.send_again(delivery, by=member, now=NOW)
        except outbox.Refused as refusal:
            return str(refusal)

    assert both(click).count("One is already on its way.") == 1
    assert Delivery.objects.count() == 2


def test_sequence_numbers_have_no_gap_and_no_double_under_two_workers(issued: Invoice) -> None:
    for _number in range(9):
        publish(make_draft(issued.merchant))
    both(lambda: fanout.run(NOW))
    fanout.run(NOW)

    assert sorted(Event.objects.values_list("sequence", flat=True)) == list(range(1, 11))
