"""Endpoints that are switched on, added and sent to again while others are at work, and their twins."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from merchants.models import Event, Merchant, User
from notifications import fanout
from notifications.models import Delivery, Endpoint
from notifications.webhooks import endpoints, replays
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.races.harness import TWIN_RUNS, Meeting, failures, patched, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

URL = "https://hooks.harbourpine.example/"
_counter = iter(range(10_000))


def fan_out() -> None:
    while fanout.run(NOW).events:
        pass


def someone() -> tuple[Merchant, User]:
    merchant = make_merchant(slug=f"hooked-{next(_counter)}")
    return merchant, merchant.members.get()


def not_held(*_args: Any) -> None:
    """In place of a lock."""


def switched_on_beside_a_fan_out() -> None:
    """The fan-out has seen the endpoint off and has not ended yet when it is switched on."""
    merchant, owner = someone()
    endpoint = endpoints.add(merchant, url=URL, by=owner, now=NOW)[0]
    endpoints.disable(endpoint, reason="", by=owner, now=NOW)
    fan_out()
    publish(make_draft(merchant))
    event = Event.objects.get(merchant=merchant, kind="invoice.issued")
    meeting, has_seen = Meeting(2), threading.Event()
    make, catch_up = fanout._deliveries, replays.catch_up

    def seen(*args: Any) -> Any:
        made = make(*args)
        has_seen.set()
        meeting.wait()
        return made

    def caught_up(*args: Any, **kwargs: Any) -> int:
        count = catch_up(*args, **kwargs)
        meeting.wait()
        return count

    def switch_on() -> int:
        has_seen.wait(timeout=10)
        return endpoints.enable(endpoint, by=owner, now=NOW)

    with patched((fanout, "_deliveries", seen), (replays, "catch_up", caught_up)):
        results = race(lambda: fanout.fan_out(event.pk, now=NOW), switch_on)
    assert [result for result in results if isinstance(result, Exception)] == []
    assert Delivery.objects.filter(endpoint=endpoint, event=event).count() == 1


def test_what_happens_while_it_is_switched_on_is_not_missed() -> None:
    switched_on_beside_a_fan_out()


def test_without_the_merchants_lock_it_is_missed() -> None:
    with patched((endpoints, "_hold", not_held)):
        assert failures(switched_on_beside_a_fan_out) == TWIN_RUNS


def test_pausing_beside_switching_on_is_no_deadlock() -> None:
    """Each has what the other one wants next: the merchant, and the endpoint."""
    merchant, owner = someone()
    endpoint = endpoints.add(merchant, url=URL, by=owner, now=NOW)[0]
    endpoints.disable(endpoint, reason="", by=owner, now=NOW)
    meeting, hold, tell = Meeting(2), endpoints._hold, endpoints._tell

    def held(pk: int) -> None:
        hold(pk)
        meeting.wait()

    def told(kind: str, *args: Any, **kwargs: Any) -> None:
        if kind == "endpoint.paused":
            meeting.wait()
        tell(kind, *args, **kwargs)

    with patched((endpoints, "_hold", held), (endpoints, "_tell", told)):
        results = race(
            *[lambda change=change: change(Endpoint.objects.get(pk=endpoint.pk), by=owner, now=NOW) for change in (endpoints.enable, endpoints.pause)]
        )
    assert results == [0, True]


def off_again_while_it_catches_up() -> None:
    """It has looked at what it missed, and is switched off and on before it is done; meanwhile something happens."""
    merchant, owner = someone()
    endpoint = endpoints.add(merchant, url=URL, by=owner, now=NOW)[0]
    endpoints.disable(endpoint, reason="", by=owner, now=NOW)
    with patched((replays, "catch_up", not_caught_up)):
        endpoints.enable(endpoint, by=owner, now=NOW)
    fan_out()
    meeting, has_looked = Meeting(2), threading.Event()
    given_up, catch_up = replays._given_up, replays.catch_up

    def looked(*args: Any) -> Any:
        has_looked.set()
        meeting.wait()
        return given_up(*args)

    def off_and_on() -> None:
        has_looked.wait(timeout=10)
        endpoints.disable(Endpoint.objects.get(pk=endpoint.pk), reason="", by=owner, now=NOW)
        publish(make_draft(merchant))
        fan_out()
        with patched((replays, "catch_up", not_caught_up)):
            endpoints.enable(Endpoint.objects.get(pk=endpoint.pk), by=owner, now=NOW)
        meeting.wait()

    with patched((replays, "_given_up", looked)):
        race(lambda: catch_up(endpoint, by=owner, now=NOW), off_and_on)
    replays.go_on(NOW)
    assert Delivery.objects.filter(endpoint=endpoint, template="invoice.issued").count() == 1


def not_caught_up(*_args: Any, **_more: Any) -> int:
    """In place of a process that lives."""
    return 0


def test_what_happens_while_it_is_off_again_is_not_forgotten() -> None:
    off_again_while_it_catches_up()


def test_without_the_endpoints_lock_it_is_forgotten() -> None:
    with patched((replays, "_held", lambda endpoint: Endpoint.objects.select_related("merchant").get(pk=endpoint.pk))):
        assert failures(off_again_while_it_catches_up) == TWIN_RUNS


def two_add_the_tenth() -> None:
    merchant, owner = someone()
    Endpoint.objects.bulk_create(Endpoint(merchant=merchant, url=URL, secret="x") for _each in range(9))
    meeting = Meeting(2)
    with patched((endpoints, "_chosen", meeting.before(endpoints._chosen))):
        results = race(*[lambda: endpoints.add(merchant, url=URL, by=owner, now=NOW)] * 2)
    assert sorted(isinstance(result, endpoints.Refused) for result in results) == [False, True]
    assert Endpoint.objects.filter(merchant=merchant).count() == 10


def test_two_that_add_the_tenth_do_not_make_eleven() -> None:
    two_add_the_tenth()


def test_without_the_merchants_lock_there_are_eleven() -> None:
    with patched((endpoints, "_hold", not_held)):
        assert failures(two_add_the_tenth) == TWIN_RUNS


def two_send_a_range_again() -> None:
    merchant, owner = someone()
    endpoint = endpoints.add(merchant, url=URL, by=owner, now=NOW)[0]
    publish(make_draft(merchant))
    fan_out()
    Delivery.objects.filter(endpoint=endpoint).update(status="failed")
    meeting = Meeting(2)
    span: dict[str, Any] = {"since": NOW, "until": NOW + timedelta(days=1), "only_failed": True}
    with patched((replays, "_send_again", meeting.before(replays._send_again))):
        results = race(*[lambda: endpoints.resend_range(endpoint, **span, by=owner, now=NOW)] * 2)
    assert sorted(results) == [0, 1]
    assert Delivery.objects.filter(endpoint=endpoint).count() == 2


def test_two_clicks_send_a_range_again_once() -> None:
    two_send_a_range_again()


def test_without_the_endpoints_lock_it_is_sent_twice() -> None:
    with patched((replays, "_held", not_held)):
        assert failures(two_send_a_range_again) == TWIN_RUNS
