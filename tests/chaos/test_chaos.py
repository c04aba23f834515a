"""Two thousand invoices are issued while workers are killed and the broker is emptied: every message arrives, and none arrives
once more than it must."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import Count

from merchants import clock
from merchants.models import Event, Merchant
from notifications.models import Attempt, Delivery, Endpoint
from notifications.webhooks import endpoints
from tests.chaos.sinks import Arrival, Mails, Webhooks
from tests.chaos.storm import Crew, Kill, Storm
from tests.factories import make_draft, make_merchant, make_user, publish

pytestmark = [pytest.mark.postgres, pytest.mark.chaos, pytest.mark.django_db(transaction=True)]
State = Delivery.State
MERCHANTS = 4
PATIENCE = 900  # seconds, for a machine that has other things to do; alone it takes some three minutes in all

# Who claimed each try: written by the database itself, so that it is there however the process ended.
MARKS = """
CREATE TABLE chaos_claim (delivery_id bigint, number int, who text, at double precision);
CREATE FUNCTION chaos_mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO chaos_claim VALUES (NEW.delivery_id, NEW.number, current_setting('application_name'), extract(epoch FROM clock_timestamp()));
    RETURN NEW;
END $$;
CREATE TRIGGER chaos_mark AFTER INSERT ON notifications_attempt FOR EACH ROW EXECUTE FUNCTION chaos_mark();
"""
NO_MARKS = "DROP TRIGGER chaos_mark ON notifications_attempt; DROP FUNCTION chaos_mark(); DROP TABLE chaos_claim;"


@pytest.fixture
def marks() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(MARKS)
    yield
    with connection.cursor() as cursor:
        cursor.execute(NO_MARKS)


def businesses(url: str) -> list[Merchant]:
    made = []
    for number in range(MERCHANTS):
        owner = make_user(f"owner{number}@example.com")
        merchant = make_merchant(owner, slug=f"chaos-{number}", daily_mail_limit=100_000)
        endpoints.add(merchant, url=url, kinds=["invoice.issued"], by=owner, now=clock.now())
        made.append(merchant)
    return made


def issue(merchants: list[Merchant], count: int, storm: Storm) -> None:
    for number in range(count):
        storm.issued = number
        now = clock.now()
        publish(make_draft(merchants[number % MERCHANTS], now=now, issue_at=None, due_at=now + timedelta(days=400)), now=now)


def wait_for(what: Callable[[], bool], seconds: float, crew: Crew) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, f"Waited {seconds:.0f} seconds. The processes said:\n{crew.said()[-4000:]}"
        time.sleep(0.3)


def is_quiet(crew: Crew) -> bool:
    """Nothing is due, and whoever held what is still being sent is dead."""
    if Event.objects.filter(fanned_out_at=None).exists():
        return False
    now = clock.now()
    blocked = Endpoint.objects.filter(blocked_until__gt=now)
    if Delivery.objects.filter(status=State.QUEUED, next_at__lte=now).exclude(endpoint__in=blocked).exists():
        return False
    held = claims()
    return not any(held[pair][0] in crew.alive for pair in Delivery.objects.filter(status=State.SENDING).values_list("pk", "attempts_made"))


def claims() -> dict[tuple[int, int], tuple[int, float]]:
    """(delivery, number of the try) → who claimed it, and when."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT delivery_id, number, who, at FROM chaos_claim ORDER BY at")
        return {(delivery, number): (int(who.removeprefix("pid-")), at) for delivery, number, who, at in cursor.fetchall()}


def let_time_pass(crew: Crew, *, seconds: float) -> None:
    """Until everything has been sent: each time nothing is left to do, everybody's clock moves on to the next try."""
    until = time.monotonic() + seconds
    while (left := Delivery.objects.filter(status__in=[State.QUEUED, State.SENDING])).exists():
        wait_for(lambda: is_quiet(crew), until - time.monotonic(), crew)
        moments = [moment for pair in left.values_list("next_at", "leased_until", "endpoint__blocked_until") for moment in pair if moment]
        ahead = max(moments, default=clock.now()) - clock.now()
        if ahead > timedelta():
            clock.move(ahead + timedelta(seconds=1))
        time.sleep(0.5)


def held_to_their_kills(arrivals: list[Arrival], kills: list[Kill]) -> dict[str, int]:
    """Message → how many of its arrivals are those of a try whose sender was killed before it could write down how it went."""
    died, held = {kill.pid: kill.at for kill in kills}, claims()
    names = dict(Delivery.objects.values_list("pk", "message_id"))
    silent = list(Attempt.objects.filter(succeeded=None).order_by("started_at").values_list("delivery", "number"))
    when: dict[str, list[float]] = {}
    for arrival in arrivals:
        when.setdefault(arrival.name, []).append(arrival.at)
    found: dict[str, int] = {}
    for delivery, number in silent:
        who, at = held[delivery, number]
        if who in died and any(at - 0.05 <= moment <= died[who] + 0.5 for moment in when.get(names[delivery], [])):
            found[names[delivery]] = found.get(names[delivery], 0) + 1
    return found


def run(tmp_path: Path, *, invoices: int, kills: int) -> tuple[int, int]:
    """The story. Returns how many arrivals were one too many, and how many of those no kill explains. Prints its figures."""
    began = time.monotonic()
    with Mails() as mails, Webhooks() as hooks, Crew(tmp_path, mail_port=mails.port) as crew:
        merchants = businesses(hooks.url)
        storm = Storm(crew, at_least=kills, apart=invoices // max(kills + 5, 1))
        if kills:
            storm.start()
        issue(merchants, invoices, storm)
        issued = time.monotonic() - began
        storm.may_end.set()
        if kills:
            storm.join(timeout=PATIENCE)
            crew.empty_the_broker()
        stormed = time.monotonic() - began
        let_time_pass(crew, seconds=PATIENCE)
        arrivals = [*mails.arrivals(), *hooks.arrivals()]
        explained = held_to_their_kills([arrival for arrival in arrivals if arrival.was_taken], crew.kills)
    taken = mails.taken() + hooks.taken()
    wanted = set(Delivery.objects.filter(event__kind="invoice.issued").values_list("message_id", flat=True))
    extra = {name: count - 1 for name, count in taken.items() if count > 1}
    unexplained = {name: count for name, count in extra.items() if count > explained.get(name, 0)}
    states = dict(Delivery.objects.values_list("status").annotate(count=Count("pk")))
    print(
        f"\n{invoices} invoices issued in {issued:.0f} s, {len(crew.kills)} kills in {stormed:.0f} s, the broker emptied {crew.emptied} times; "
        f"all told in {time.monotonic() - began:.0f} s\n"
        f"messages: {len(wanted)}; arrivals: {len(mails.arrivals())} mails, {len(hooks.arrivals())} requests ({dict(hooks.moods)})\n"
        f"arrived and taken: {len(wanted & set(taken))}; taken more than once: {sum(extra.values())}; "
        f"tries cut off by a kill after they had arrived: {sum(explained.values())}; not explained by a kill: {sum(unexplained.values())}\n"
        f"tries: {Attempt.objects.count()}, of which nobody said how they went: {Attempt.objects.filter(succeeded=None).count()}; {states}"
    )
    assert wanted - set(taken) == set()
    assert len(wanted) == 2 * invoices
    assert set(Delivery.objects.filter(message_id__in=wanted).values_list("status", flat=True)) == {State.SENT}
    return sum(extra.values()), sum(unexplained.values())


def test_two_thousand_invoices_while_workers_are_killed(marks: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        _extra, unexplained = run(tmp_path, invoices=2000, kills=50)
    assert unexplained == 0


def test_in_a_calm_nothing_arrives_twice(marks: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        assert run(tmp_path, invoices=200, kills=0) == (0, 0)
