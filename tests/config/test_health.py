from datetime import UTC, datetime, timedelta

import pytest
from celery.signals import before_task_publish
from django.core.cache import cache
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from redis.exceptions import ConnectionError as BrokerAway

from config import health
from merchants import assets, events, heartbeats
from merchants.tasks import heartbeat
from notifications import fanout
from notifications.models import Attempt, Channel, Delivery
from payments import addresses, watcher
from payments.models import Cursor
from payments.rails import sandbox
from tests.factories import NOW, make_draft, make_user, publish
from tests.payments.money import USDT

pytestmark = pytest.mark.django_db


def beat_sends_a_heartbeat():
    before_task_publish.send(sender=heartbeats.TASK, body=((), {}, {}), exchange="", routing_key="issue")


def an_attempt(merchant, *, at=NOW, succeeded=True, permanent=False, answer="250 Ok"):
    from django.db import transaction

    with transaction.atomic():
        event = events.record("invoice.issued", merchant=merchant, subject=merchant, now=at)
    delivery = Delivery.objects.create(
        merchant=merchant,
        event=event,
        channel=Channel.EMAIL,
        template="invoice_issued",
        recipient="ana@duarte.example",
        message_id=f"<{event.pk}@quittance.example>",
        next_at=at,
        created_at=at,
    )
    return Attempt.objects.create(delivery=delivery, number=1, started_at=at, succeeded=succeeded, is_permanent=permanent, answer=answer)


class TestTheProcess:
    def test_it_says_that_it_is_up_without_asking_the_database(self, client, django_assert_num_queries):
        with django_assert_num_queries(0):
            answer = client.get("/healthz")
        assert (answer.status_code, answer.content, answer["Cache-Control"]) == (
            200,
            b"ok\n",
            "max-age=0, no-cache, no-store, must-revalidate, private",
        )

    def test_it_is_ready_when_every_migration_is_applied(self, client):
        answer = client.get("/readyz")
        assert (answer.status_code, answer.content) == (200, b"ready\n")

    def test_it_is_not_ready_while_a_migration_waits(self, client):
        MigrationRecorder(connection).migration_qs.filter(app="notifications").delete()
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.content.endswith(b"migrations are not applied. Run: python manage.py migrate\n")

    def test_where_the_database_is_is_told_to_operators_only(self, client, monkeypatch):
        def away(_connection):
            raise OperationalError('connection to server at "10.0.0.5" failed: no such user "quittance"')

        monkeypatch.setattr(health, "MigrationExecutor", away)
        answer = client.get("/readyz")
        assert (answer.status_code, answer.content) == (503, b"The database cannot be reached.\n")
        assert health.database().shown()["error"] == 'connection to server at "10.0.0.5" failed: no such user "quittance"'

    def test_nothing_is_changed_by_asking(self, client):
        assert [client.post(path).status_code for path in ("/healthz", "/readyz", "/status")] == [405, 405, 405]


class TestWhoMaySeeTheStatus:
    def test_a_stranger_may_not(self, client):
        answer = client.get("/status")
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
        assert answer.json() == {"detail": "Sign in as an operator, or send STATUS_TOKEN as a bearer token."}

    def test_a_member_may_not(self, client_as, owner):
        assert client_as(owner).get("/status").status_code == 401

    def test_an_operator_may(self, client_as):
        assert client_as(make_user(is_staff=True)).get("/status").json()["database"]["ok"] is True

    def test_the_token_opens_it(self, settings, client):
        settings.STATUS_TOKEN = "quay-side"
        assert client.get("/status", headers={"Authorization": "Bearer quay-side"}).json()["database"]["ok"] is True
        assert client.get("/status", headers={"Authorization": "Bearer quay-sidx"}).status_code == 401
        assert client.get("/status", headers={"Authorization": "Basic quay-side"}).status_code == 401

    def test_an_empty_token_opens_nothing(self, settings, client):
        settings.STATUS_TOKEN = ""
        assert client.get("/status", headers={"Authorization": "Bearer "}).status_code == 401

    def test_the_demo_leaves_it_open(self, settings, client):
        settings.STATUS_OPEN = True
        assert client.get("/status").json()["database"]["ok"] is True


@pytest.fixture
def status(settings):
    settings.STATUS_OPEN = True
    return lambda: Client().get("/status")


class TestTheParts:
    def test_each_part_says_whether_it_is_well_and_when_it_was_seen(self, status):
        said = status().json()
        assert list(said) == ["ok", "database", "broker", "worker", "beat", "mail", "messages", "networks"]
        assert {frozenset(part) for name, part in said.items() if name not in ("ok", "mail", "networks")} == {
            frozenset({"ok", "last_seen", "detail"})
        }

    def test_one_part_that_is_not_well_is_a_503(self, status):
        answer = status()
        assert (answer.status_code, answer.json()["ok"]) == (503, False)
        assert answer.json()["broker"] == {"ok": False, "last_seen": None, "detail": "REDIS_URL is not set for this process."}

    def test_a_broker_that_is_away_is_named(self, settings, status):
        settings.REDIS_URL = "unix:///nowhere/socket"
        assert status().json()["broker"]["detail"].startswith("The broker does not answer: ")


class TestTheHeartbeat:
    def test_a_worker_that_never_came_is_not_well(self, status):
        assert status().json()["worker"] == {"ok": False, "last_seen": None, "detail": "The worker has not been seen yet."}

    def test_the_task_is_the_worker_s_sign_of_life_and_not_beat_s(self, status):
        heartbeat()
        said = status().json()
        assert (said["worker"]["ok"], said["beat"]["ok"]) == (True, False)

    def test_sending_the_task_is_beat_s_sign_of_life_and_not_the_worker_s(self, status):
        beat_sends_a_heartbeat()
        said = status().json()
        assert (said["worker"]["ok"], said["beat"]["ok"]) == (False, True)

    def test_45_seconds_of_silence_are_too_many(self, status, time_machine):
        start = datetime(2026, 11, 17, 10, 0, tzinfo=UTC)
        time_machine.move_to(start, tick=False)
        heartbeat()
        time_machine.move_to(start + timedelta(seconds=45), tick=False)
        assert status().json()["worker"] == {"ok": True, "last_seen": "2026-11-17T10:00:00Z", "detail": ""}
        time_machine.move_to(start + timedelta(seconds=46), tick=False)
        assert status().json()["worker"] == {"ok": False, "last_seen": "2026-11-17T10:00:00Z", "detail": "The worker has been silent for 46 seconds."}

    def test_a_cache_that_is_away_does_not_fail_the_task_and_reads_as_never_seen(self, monkeypatch, caplog):
        def away(*_args, **_kwargs):
            raise BrokerAway("gone")

        monkeypatch.setattr(cache, "set", away, raising=False)
        monkeypatch.setattr(cache, "get", away, raising=False)
        heartbeat()
        assert caplog.messages == ["The heartbeat of worker could not be kept: gone"]
        assert heartbeats.last_seen("worker") is None


class TestMessages:
    def test_what_has_been_due_for_five_minutes_and_was_not_sent_is_told(self, merchant, time_machine):
        publish(make_draft(merchant), now=NOW)
        fanout.run(NOW)
        time_machine.move_to(NOW + timedelta(minutes=5) - timedelta(seconds=1), tick=False)
        assert health.messages() == health.Part(True, None, "")
        time_machine.move_to(NOW + timedelta(minutes=5), tick=False)
        assert health.messages() == health.Part(False, None, "Messages have been due for more than 5 minutes. Does the sender run?")


class TestMail:
    def test_without_any_it_is_well(self):
        assert health.mail() == health.Part(True, None, "No mail has been sent yet.", {"last_attempt": None, "failures_in_24_hours": 0})

    def test_it_tells_when_the_last_one_left(self, merchant):
        an_attempt(merchant)
        assert health.mail() == health.Part(True, NOW, "", {"last_attempt": "2026-11-17T10:00:00Z", "failures_in_24_hours": 0})

    def test_a_server_that_let_us_down_the_last_time_is_not_well(self, merchant, time_machine):
        time_machine.move_to(NOW + timedelta(hours=2), tick=False)
        an_attempt(merchant)
        an_attempt(merchant, at=NOW + timedelta(hours=1), succeeded=False, answer="Connection refused\nby mail.example")
        assert health.mail() == health.Part(
            False, NOW, "The last mail could not be sent: Connection refused", {"last_attempt": "2026-11-17T11:00:00Z", "failures_in_24_hours": 1}
        )

    def test_an_address_that_the_server_refuses_is_no_fault_of_the_server(self, merchant, time_machine):
        time_machine.move_to(NOW + timedelta(hours=2), tick=False)
        an_attempt(merchant)
        an_attempt(merchant, at=NOW + timedelta(hours=1), succeeded=False, permanent=True, answer="550 No such user")
        assert health.mail() == health.Part(True, NOW, "", {"last_attempt": "2026-11-17T10:00:00Z", "failures_in_24_hours": 1})


class TestNetworks:
    """What the watcher wrote down; no node is asked. tests/payments/test_inspecting.py has the same on real nodes."""

    NOW_TOLD = "2026-11-17T10:00:00Z"

    @pytest.fixture(autouse=True)
    def at_ten(self, time_machine):
        time_machine.move_to(NOW, tick=False)

    def a_wallet(self, merchant):
        """The sandbox's, which is read from now on."""
        return addresses.wallet_for(merchant, assets.asset(USDT))

    def told(self, **columns):
        (found,) = health.networks().more["each"]
        return {name: found[name] for name in columns}

    def test_those_that_no_wallet_receives_on_are_left_out(self):
        Cursor.objects.create(network="sandbox:harbour", error="It does not matter.")
        assert health.networks() == health.Part(True, None, "", {"each": []})

    def test_one_that_was_never_read_is_not_well(self, merchant):
        self.a_wallet(merchant)
        never = {"network": "sandbox:harbour", "name": "Sandbox", "ok": False, "chain": "", "source": "", "error": ""}
        never |= {"behind": 0, "failures": 0, "remarks": [], "height": None, "head": None, "read_at": None}
        assert health.networks() == health.Part(False, None, "Not read to the head: Sandbox.", {"each": [never]})

    def test_one_that_is_read_to_its_head_is_well(self, merchant):
        self.a_wallet(merchant)
        sandbox.mine(now=NOW)
        watcher.read("sandbox:harbour", now=NOW)
        found = health.networks()
        assert (found.ok, found.last_seen, found.detail) == (True, NOW, "")
        well = {"ok": True, "height": 0, "head": 0, "behind": 0, "read_at": self.NOW_TOLD, "error": ""}
        assert self.told(**well) == well

    def test_one_that_is_behind_is_not_well_and_says_by_how_much(self, merchant):
        self.a_wallet(merchant)
        behind = {"height": 4_000, "head_height": 4_321, "read_at": NOW, "behind_since": NOW - timedelta(minutes=3)}
        Cursor.objects.create(network="sandbox:harbour", **behind)
        wanted = {"ok": False, "height": 4_000, "head": 4_321, "behind": 321}
        assert (health.networks().ok, self.told(**wanted)) == (False, wanted)

    def test_one_that_has_failed_says_how_often_and_why(self, merchant):
        self.a_wallet(merchant)
        failed = {"failures": 7, "error": "node.example did not answer in time.", "source": "node.example", "remarks": ["node.example is away."]}
        Cursor.objects.create(network="sandbox:harbour", read_at=NOW - timedelta(minutes=9), **failed)
        wanted = {"ok": False, "read_at": "2026-11-17T09:51:00Z", **failed}
        assert (health.networks().detail, self.told(**wanted)) == ("Not read to the head: Sandbox.", wanted)

    def test_a_minute_and_its_own_interval_of_silence_are_too_many(self, merchant):
        self.a_wallet(merchant)
        Cursor.objects.create(network="sandbox:harbour", read_at=NOW - timedelta(seconds=61))
        assert health.networks().ok is True
        Cursor.objects.update(read_at=NOW - timedelta(seconds=62))
        assert health.networks().ok is False

    def test_remarks_alone_make_nothing_unwell(self, merchant):
        """The money is read all the same; `manage.py networks` is where they end with 1."""
        self.a_wallet(merchant)
        Cursor.objects.create(network="sandbox:harbour", read_at=NOW, remarks=["A second node is away."])
        assert (health.networks().ok, self.told(remarks=())) == (True, {"remarks": ["A second node is away."]})

    def test_a_database_that_is_away_is_told_in_one_line(self, monkeypatch):
        def away(_now):
            raise OperationalError("connection refused\nIs the server running?")

        monkeypatch.setattr(health.cursors, "states", away)
        assert health.networks() == health.Part(False, None, "The database cannot be reached: connection refused")
