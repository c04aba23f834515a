"""A merchant's endpoints: what owners change about them, and what one that was off catches up with."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from invoicing import lifecycle
from invoicing.facts import of_invoice
from invoicing.models import Invoice
from merchants import secrets
from merchants.events import record
from merchants.models import Event, Merchant, User
from notifications import breaker, fanout, outbox
from notifications.mail import emails
from notifications.models import Attempt, Delivery, Endpoint
from notifications.plans import PLANS
from notifications.transports import Outcome
from notifications.webhooks import endpoints, replays
from tests.factories import NOW, make_draft, make_merchant, publish

pytestmark = pytest.mark.django_db

URL = "https://hooks.harbourpine.example/quittance"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DOWN = Outcome(False, code="500", answer="Internal Server Error", is_down=True)


@pytest.fixture
def endpoint(merchant: Merchant, owner: User) -> Endpoint:
    found, _secret = endpoints.add(merchant, url=URL, by=owner, now=NOW)
    fan_out()
    return found


def fan_out(now: Any = NOW) -> None:
    while fanout.run(now).events:
        pass


def issue(merchant: Merchant, count: int = 1, **fields: Any) -> list[Invoice]:
    made = [publish(make_draft(merchant, **fields)) for _each in range(count)]
    fan_out()
    return made


def to(endpoint: Endpoint, *status: str) -> list[tuple[str, str]]:
    found = Delivery.objects.filter(endpoint=endpoint).order_by("id")
    return list((found.filter(status__in=status) if status else found).values_list("template", "status"))


def end(delivery: Delivery, status: str, *, at: Any = NOW) -> None:
    """As if it had been tried once at that time."""
    Delivery.objects.filter(pk=delivery.pk).update(status=status, attempts_made=1)
    Attempt.objects.create(delivery=delivery, number=1, started_at=at, succeeded=status == "sent")


def fresh_delivery(delivery: Delivery) -> Delivery:
    return Delivery.objects.get(pk=delivery.pk)


def last_event(kind: str) -> dict[str, Any]:
    return Event.objects.filter(kind=kind).latest("id").facts


def fresh(endpoint: Endpoint) -> Endpoint:
    return Endpoint.objects.get(pk=endpoint.pk)


class TestSettingUp:
    def test_its_secret_is_told_once_and_stored_encrypted(self, merchant: Merchant, owner: User) -> None:
        endpoint, plain = endpoints.add(merchant, url=URL, description="Bookkeeping", by=owner, now=NOW)

        assert plain.startswith("whsec_")
        assert plain not in endpoint.secret
        assert secrets.decrypt(fresh(endpoint).secret) == plain
        assert (endpoint.description, endpoint.format, endpoint.kinds, endpoint.is_enabled) == ("Bookkeeping", "standard", [], True)
        assert plain not in str(last_event("endpoint.added"))

    def test_a_merchant_has_several_the_oldest_first_and_nobody_elses(self, merchant: Merchant, owner: User) -> None:
        made = [endpoints.add(merchant, url=f"{URL}/{n}", by=owner, now=NOW)[0] for n in range(3)]
        theirs = endpoints.add(make_merchant(slug="elsewhere"), url=URL, by=owner, now=NOW)[0]

        assert list(endpoints.listed(merchant)) == made
        assert endpoints.get(merchant, made[1].pk) == made[1]
        with pytest.raises(Endpoint.DoesNotExist):
            endpoints.get(merchant, theirs.pk)

    def test_ten_are_enough_and_a_removed_one_makes_room(self, merchant: Merchant, owner: User) -> None:
        made = [endpoints.add(merchant, url=f"{URL}/{n}", by=owner, now=NOW)[0] for n in range(10)]
        with pytest.raises(endpoints.Refused, match=r"More than 10 endpoints cannot be added\."):
            endpoints.add(merchant, url=URL, by=owner, now=NOW)
        endpoints.remove(made[0], by=owner, now=NOW)
        endpoints.add(merchant, url=URL, by=owner, now=NOW)

    def test_only_types_that_its_format_knows_are_kept_and_all_of_them_are_none(self, merchant: Merchant, owner: User) -> None:
        chosen = endpoints.add(merchant, url=URL, kinds=["invoice.paid", "member.joined", "invoice.issued"], by=owner, now=NOW)[0]
        every = endpoints.add(merchant, url=URL, kinds=[kind for kind, plan in PLANS.items() if plan.webhook], by=owner, now=NOW)[0]
        old = endpoints.add(merchant, url=URL, kinds=["invoice.paid", "refund.failed"], format="ccpayment", by=owner, now=NOW)[0]

        assert (chosen.kinds, every.kinds, old.kinds) == (["invoice.issued", "invoice.paid"], [], ["refund.failed"])

    @pytest.mark.parametrize(
        "url", ["http://hooks.example/", "https://10.0.0.1/", "https://[::ffff:10.0.0.1]/", "https://u:p@hooks.example/", "ftp://x"]
    )
    def test_an_address_that_will_not_do_is_refused_with_a_sentence(self, merchant: Merchant, url: str) -> None:
        assert (endpoints.why_not(merchant, url) or "").endswith(".")
        assert endpoints.why_not(merchant, URL) is None

    def test_a_change_keeps_format_and_secret_and_says_what_changed(self, merchant: Merchant, owner: User, endpoint: Endpoint) -> None:
        Endpoint.objects.update(failures=7, failing_since=NOW, blocked_until=NOW)
        before = fresh(endpoint)
        changed = endpoints.change(endpoint, url="https://moved.example/", description="Moved", kinds=["invoice.paid"], by=owner, now=NOW)
        after = fresh(endpoint)

        assert changed
        assert (after.url, after.description, after.kinds) == ("https://moved.example/", "Moved", ["invoice.paid"])
        assert (after.secret, after.format) == (before.secret, "standard")
        assert (after.failures, after.failing_since, after.blocked_until) == (0, None, None)
        assert last_event("endpoint.changed")["fields"] == ["url", "description", "kinds"]
        assert endpoints.change(endpoint, url="https://moved.example/", description="Moved", kinds=["invoice.paid"], by=owner, now=NOW) is False

    def test_another_description_says_nothing_of_how_it_answers(self, owner: User, endpoint: Endpoint) -> None:
        Endpoint.objects.update(failures=7, failing_since=NOW)
        endpoints.change(endpoint, url=URL, description="Bookkeeping", kinds=[], by=owner, now=NOW)
        assert (fresh(endpoint).failures, fresh(endpoint).failing_since) == (7, NOW)

    def test_the_old_secret_signs_beside_the_new_one_for_a_day(self, owner: User, endpoint: Endpoint) -> None:
        old = secrets.decrypt(endpoint.secret)
        new = endpoints.rotate_secret(endpoint, by=owner, now=NOW)

        assert endpoints.keys_of(fresh(endpoint), now=NOW + 23 * HOUR) == [new, old]
        assert endpoints.keys_of(fresh(endpoint), now=NOW + 24 * HOUR) == [new]

    def test_a_second_new_secret_on_the_same_day_leaves_the_one_that_receivers_use_its_day(self, owner: User, endpoint: Endpoint) -> None:
        first = secrets.decrypt(endpoint.secret)
        second = endpoints.rotate_secret(endpoint, by=owner, now=NOW)
        third = endpoints.rotate_secret(endpoint, by=owner, now=NOW + HOUR)

        assert endpoints.keys_of(fresh(endpoint), now=NOW + 23 * HOUR) == [third, second, first]
        assert endpoints.keys_of(fresh(endpoint), now=NOW + 24 * HOUR) == [third, second]
        fourth = endpoints.rotate_secret(endpoint, by=owner, now=NOW + 25 * HOUR)
        assert endpoints.keys_of(fresh(endpoint), now=NOW + 25 * HOUR) == [fourth, third]
        assert len(fresh(endpoint).old_secrets) == 1  # what is over is not kept

    def test_every_change_is_told_to_every_owner(self, merchant: Merchant, owner: User, endpoint: Endpoint) -> None:
        endpoints.change(endpoint, url="https://moved.example/", description="", kinds=[], by=owner, now=NOW)
        endpoints.rotate_secret(endpoint, by=owner, now=NOW)
        endpoints.pause(endpoint, by=owner, now=NOW)
        endpoints.resume(endpoint, by=owner, now=NOW)
        endpoints.disable(endpoint, reason="", by=owner, now=NOW)
        endpoints.enable(endpoint, by=owner, now=NOW)
        endpoints.remove(endpoint, by=owner, now=NOW)
        endpoints.new_api_secret(merchant, by=owner, now=NOW)
        fan_out()
        letters = [emails.write(mail, now=NOW) for mail in Delivery.objects.filter(template="owners_told").order_by("id")]

        said = [next(line for line in letter.text.splitlines() if line.startswith(("Inês", "The webhooks"))) for letter in letters]
        app_id = endpoints.application(merchant).app_id
        assert said == [
            "Inês Matos added a webhook endpoint at hooks.harbourpine.example.",
            "Inês Matos changed where webhooks go: to moved.example.",
            "Inês Matos made a new secret for the webhooks to moved.example.",
            "Inês Matos paused the webhooks to moved.example.",
            "Inês Matos let the webhooks to moved.example go on.",
            "Inês Matos switched the webhooks to moved.example off.",
            "Inês Matos switched the webhooks to moved.example on again.",
            "Inês Matos removed the webhook endpoint at moved.example.",
            f"Inês Matos made a new API secret for {app_id}. The one before it opens nothing any more.",
        ]
        assert {mail.recipient for mail in Delivery.objects.filter(template="owners_told")} == {owner.email}
        pages = [f"/m/{merchant.slug}/developers/"] * 8 + [f"/m/{merchant.slug}/developers/keys/"]
        assert [page for page, letter in zip(pages, letters, strict=True) if f"{page}\n" not in letter.text] == []


class TestPausing:
    def test_what_is_made_for_a_paused_one_waits_and_then_goes(self, merchant: Merchant, owner: User, endpoint: Endpoint) -> None:
        assert endpoints.pause(endpoint, by=owner, now=NOW)
        assert endpoints.pause(endpoint, by=owner, now=NOW) is False
        issue(merchant)
        assert to(endpoint) == [("invoice.issued", "queued")]
        assert outbox.claim("webhook", now=NOW + HOUR, limit=5) == []

        assert endpoints.resume(endpoint, by=owner, now=NOW + HOUR)
        assert endpoints.resume(endpoint, by=owner, now=NOW + HOUR) is False
        assert len(outbox.claim("webhook", now=NOW + HOUR, limit=5)) == 1


class TestCatchingUp:
    def test_one_that_was_off_gets_what_it_missed_in_order_and_nothing_twice(self, merchant: Merchant, owner: User, endpoint: Endpoint) -> None:
        issue(merchant)
        endpoints.disable(endpoint, reason="", by=owner, now=NOW)
        missed = issue(merchant, 3)
        assert len(to(endpoint)) == 1
        assert endpoints.missed(fresh(endpoint)) == 3

        assert endpoints.enable(endpoint, by=owner, now=NOW + DAY) == 3
        bodies = [json.loads(body) for body in Delivery.objects.filter(endpoint=endpoint).order_by("id").values_list("payload", flat=True)[1:]]
        assert [body["data"]["invoice"]["number"] for body in bodies] == [invoice.number for invoice in missed]
        assert [body["sequence"] for body in bodies] == sorted(body["sequence"] for body in bodies)
        assert {body["timestamp"] for body in bodies} == {"2026-11-17T10:00:00Z"}  # when it happened, not when it was told
        assert fresh(endpoint).off_at_sequence is None

        assert endpoints.enable(endpoint, by=owner, now=NOW + DAY) == 0
        issue(merchant)
        assert len(to(endpoint)) == 5

    def test_what_it_did_not_choose_and_what_its_invoices_do_not_want_is_not_caught_up_with(self, merchant: Merchant, owner: User) -> None:
        chosen = endpoints.add(merchant, url=URL, kinds=["invoice.paid", "invoice.voided"], by=owner, now=NOW)[0]
        endpoints.disable(chosen, reason="", by=owner, now=NOW)
        quiet, loud = issue(merchant, notify_webhook=False)[0], issue(merchant)[0]
        for invoice in (quiet, loud):
            with transaction.atomic():
                lifecycle.account(lifecycle.locked(invoice.pk), lifecycle.Money(invoice.total_minor, 0, False, False, False), now=NOW)
        fan_out()

        assert endpoints.enable(chosen, by=owner, now=NOW) == 1
        assert list(Delivery.objects.filter(endpoint=chosen).values_list("invoice", flat=True)) == [loud.pk]

    def test_what_was_given_up_while_it_failed_is_sent_again_under_its_old_name(self, merchant: Merchant, owner: User, endpoint: Endpoint) -> None:
        during = issue(merchant, 3)[1]
        arrived, lost, held = Delivery.objects.filter(channel="webhook").order_by("id")
        end(arrived, "sent", at=NOW)
        end(lost, "failed", at=NOW + HOUR)
        Endpoint.objects.update(failing_since=NOW + HOUR)
        endpoints.disable(endpoint, reason="Nothing has succeeded for 5 days.", now=NOW + 5 * DAY)

        assert endpoints.missed(fresh(endpoint)) == 1
        assert endpoints.enable(endpoint, by=owner, now=NOW + 6 * DAY) == 1
        again = Delivery.objects.filter(endpoint=endpoint).latest("id")
        assert (again.webhook_id, again.payload, again.status, again.invoice) == (lost.webhook_id, lost.payload, "queued", during)
        assert again.message_id != lost.message_id
        assert again.origin == lost.event
        assert (again.event.kind, again.event.actor) == ("delivery.resent", owner)
        assert Delivery.objects.get(pk=held.pk).status == "queued"  # it has waited, and goes now
        assert (fresh(endpoint).failures, fresh(endpoint).failing_since) == (0, None)

    def test_a_process_that_dies_after_switching_on_is_made_good_and_nothing_comes_twice(
        self, merchant: Merchant, owner: User, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        endpoints.disable(endpoint, reason="", by=owner, now=NOW)
        issue(merchant, 2)
        with monkeypatch.context() as patch:
            patch.setattr(replays, "catch_up", lambda *_args, **_more: 0)
            endpoints.enable(endpoint, by=owner, now=NOW)
        issue(merchant)
        assert len(to(endpoint)) == 1

        assert replays.go_on(NOW) == 1
        assert len(to(endpoint)) == 3
        assert (replays.go_on(NOW), len(to(endpoint))) == (0, 3)

    def test_one_that_is_switched_off_before_it_has_caught_up_forgets_nothing(
        self, merchant: Merchant, owner: User, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        endpoints.disable(endpoint, reason="", by=owner, now=NOW)
        issue(merchant)
        with monkeypatch.context() as patch:
            patch.setattr(replays, "catch_up", lambda *_args, **_more: 0)
            endpoints.enable(endpoint, by=owner, now=NOW)
        endpoints.disable(endpoint, reason="", by=owner, now=NOW)
        issue(merchant)

        assert endpoints.enable(endpoint, by=owner, now=NOW) == 2

    def test_one_that_is_switched_off_while_it_catches_up_forgets_nothing(
        self, merchant: Merchant, owner: User, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        endpoints.disable(endpoint, reason="", by=owner, now=NOW)
        issue(merchant)
        catch_up = replays.catch_up

        def beaten(found: Endpoint, **more: Any) -> int:
            endpoints.disable(fresh(found), reason="It answered 410 Gone.", now=NOW)
            return catch_up(found, **more)

        with monkeypatch.context() as patch:
            patch.setattr(replays, "catch_up", beaten)
            assert endpoints.enable(endpoint, by=owner, now=NOW) == 0
        issue(merchant)

        assert endpoints.enable(endpoint, by=owner, now=NOW) == 2

    def test_the_first_failure_after_it_was_switched_on_does_not_switch_it_off(
        self, merchant: Merchant, owner: User, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A message that waited is tried before the catching up has ended."""
        breaker.heard(endpoint, DOWN, now=NOW)
        assert breaker.give_up_on(endpoint, DOWN, now=NOW + 5 * DAY)
        catch_up = replays.catch_up

        def beaten(found: Endpoint, **more: Any) -> int:
            breaker.heard(found, DOWN, now=NOW + 6 * DAY)
            assert breaker.give_up_on(found, DOWN, now=NOW + 6 * DAY) is False
            return catch_up(found, **more)

        monkeypatch.setattr(replays, "catch_up", beaten)
        endpoints.enable(endpoint, by=owner, now=NOW + 6 * DAY)
        assert (fresh(endpoint).is_enabled, fresh(endpoint).failures, fresh(endpoint).failing_since) == (True, 1, NOW + 6 * DAY)

    def test_what_was_given_up_is_caught_up_with_where_the_address_was_mended_first(
        self, merchant: Merchant, owner: User, endpoint: Endpoint
    ) -> None:
        issue(merchant)
        end(Delivery.objects.get(endpoint=endpoint), "failed", at=NOW + 3 * DAY)
        Endpoint.objects.update(failures=12, failing_since=NOW)
        assert breaker.give_up_on(fresh(endpoint), DOWN, now=NOW + 5 * DAY)
        endpoints.change(endpoint, url="https://moved.example/", description="", kinds=[], by=owner, now=NOW + 6 * DAY)

        assert endpoints.missed(fresh(endpoint)) == 1
        assert endpoints.enable(endpoint, by=owner, now=NOW + 6 * DAY) == 1

    def test_what_was_given_up_before_it_was_switched_off_a_second_time_is_caught_up_with(
        self, merchant: Merchant, owner: User, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        issue(merchant)
        end(Delivery.objects.get(endpoint=endpoint), "failed", at=NOW + HOUR)
        Endpoint.objects.update(failing_since=NOW + HOUR)
        endpoints.disable(endpoint, reason="Nothing has succeeded for 5 days.", now=NOW + 5 * DAY)
        with monkeypatch.context() as patch:
            patch.setattr(replays, "catch_up", lambda *_args, **_more: 0)
            endpoints.enable(endpoint, by=owner, now=NOW + 6 * DAY)
        endpoints.disable(endpoint, reason="", by=owner, now=NOW + 6 * DAY)

        assert endpoints.enable(endpoint, by=owner, now=NOW + 7 * DAY) == 1

    def test_how_many_it_missed_is_how_many_are_sent(self, merchant: Merchant, owner: User, endpoint: Endpoint) -> None:
        endpoints.disable(endpoint, reason="", by=owner, now=NOW)
        [quiet] = issue(merchant, notify_webhook=False)
        with transaction.atomic():
            record("payment.overpaid", merchant=merchant, subject=quiet, now=NOW, facts={"invoice": of_invoice(quiet)})
        fan_out()

        assert endpoints.missed(fresh(endpoint)) == 1  # its issuing; of its payments it wants no notice
        assert endpoints.enable(endpoint, by=owner, now=NOW) == 1
        assert endpoints.missed(fresh(endpoint)) == 0

    def test_what_it_missed_comes_before_what_was_given_up_where_both_are_more_than_it_may_be(
        self, merchant: Merchant, owner: User, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(replays, "MOST_CAUGHT_UP", 3)
        lost = issue(merchant, 2)
        for delivery in Delivery.objects.filter(endpoint=endpoint):
            end(delivery, "failed", at=NOW)
        endpoints.disable(endpoint, reason="", by=owner, now=NOW)
        missed = issue(merchant, 2)

        assert endpoints.missed(fresh(endpoint)) == 3
        assert endpoints.enable(endpoint, by=owner, now=NOW) == 3
        made = Delivery.objects.filter(endpoint=endpoint, status="queued").values_list("invoice", flat=True)
        assert sorted(made) == [lost[1].pk, missed[0].pk, missed[1].pk]

    def test_one_that_cannot_catch_up_holds_up_no_other(
        self, merchant: Merchant, owner: User, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        other = endpoints.add(merchant, url=f"{URL}/other", by=owner, now=NOW)[0]
        Endpoint.objects.update(off_at_sequence=0)  # both switched on by a process that died
        deliveries = replays._deliveries

        def fails_for_one(found: Endpoint, *args: Any) -> Any:
            if found == endpoint:
                raise ArithmeticError
            return deliveries(found, *args)

        monkeypatch.setattr(replays, "_deliveries", fails_for_one)
        assert replays.go_on(NOW) == 2
        assert (fresh(endpoint).off_at_sequence, fresh(other).off_at_sequence) == (0, None)
        assert f"Endpoint {endpoint.pk} could not catch up." in caplog.text

    def test_more_than_it_may_be_are_the_latest(self, merchant: Merchant, owner: User, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(replays, "MOST_CAUGHT_UP", 2)
        endpoints.disable(endpoint, reason="", by=owner, now=NOW)
        made = issue(merchant, 4)
        assert endpoints.enable(endpoint, by=owner, now=NOW) == 2
        assert list(Delivery.objects.filter(endpoint=endpoint).order_by("id").values_list("invoice", flat=True)) == [made[2].pk, made[3].pk]

    def test_it_asks_as_often_for_twenty_events_as_for_two(self, merchant: Merchant, owner: User, endpoint: Endpoint) -> None:
        counts = []
        for count in (2, 20):
            endpoints.disable(endpoint, reason="", by=owner, now=NOW)
            issue(merchant, count)
            with CaptureQueriesContext(connection) as asked:
                assert endpoints.enable(endpoint, by=owner, now=NOW) == count
            counts.append(len(asked))
        assert counts[0] == counts[1]


class TestSwitchingOff:
    def test_it_says_why_once_and_from_which_event_on(self, merchant: Merchant, owner: User, endpoint: Endpoint) -> None:
        issue(merchant)
        assert endpoints.disable(endpoint, reason="It answered 410 Gone.", now=NOW)
        assert endpoints.disable(endpoint, reason="It answered 410 Gone.", now=NOW) is False

        assert fresh(endpoint).off_at_sequence == Event.objects.get(kind="invoice.issued").sequence
        assert last_event("endpoint.disabled")["reason"] == "It answered 410 Gone."
        assert Event.objects.filter(kind="endpoint.disabled").count() == 1

    def test_the_answer_of_an_old_address_leaves_the_new_one_on(self, owner: User, endpoint: Endpoint) -> None:
        tried = fresh(endpoint)
        endpoints.change(endpoint, url="https://moved.example/", description="", kinds=[], by=owner, now=NOW)
        assert endpoints.disable(tried, reason="It answered 410 Gone.", now=NOW) is False
        assert fresh(endpoint).is_enabled


class TestRemoving:
    def test_what_waits_is_not_sent_and_what_was_sent_stays_to_be_read(self, merchant: Merchant, owner: User, endpoint: Endpoint) -> None:
        other = endpoints.add(merchant, url=f"{URL}/other", by=owner, now=NOW)[0]
        issue(merchant, 2)
        first = Delivery.objects.filter(endpoint=endpoint).earliest("id")
        end(first, "sent")

        assert endpoints.remove(endpoint, by=owner, now=NOW)
        assert endpoints.remove(endpoint, by=owner, now=NOW) is False
        assert to(endpoint) == [("invoice.issued", "sent"), ("invoice.issued", "cancelled")]
        assert to(other) == [("invoice.issued", "queued")] * 2
        assert Delivery.objects.filter(endpoint=endpoint).latest("id").reason == "The endpoint was removed before this could be sent."
        issue(merchant)
        assert len(to(endpoint)) == 2
        assert list(endpoints.listed(merchant)) == [other]

    def test_a_removed_one_is_neither_changed_nor_switched_on(self, merchant: Merchant, owner: User, endpoint: Endpoint) -> None:
        endpoints.remove(endpoint, by=owner, now=NOW)
        assert endpoints.enable(endpoint, by=owner, now=NOW) == 0
        assert endpoints.pause(endpoint, by=owner, now=NOW) is False
        with pytest.raises(Endpoint.DoesNotExist):
            endpoints.rotate_secret(endpoint, by=owner, now=NOW)
        assert fresh(endpoint).is_enabled is False


class TestSendingAgain:
    @pytest.fixture
    def four(self, merchant: Merchant, endpoint: Endpoint) -> list[Delivery]:
        """Delivered, given up, cancelled and waiting: made an hour apart."""
        issue(merchant, 4)
        found = list(Delivery.objects.filter(endpoint=endpoint).order_by("id"))
        for hours, (delivery, status) in enumerate(zip(found, ("sent", "failed", "cancelled", "queued"), strict=True)):
            Delivery.objects.filter(pk=delivery.pk).update(status=status, created_at=NOW + hours * HOUR)
        return found

    @pytest.mark.parametrize(
        ("since", "until", "only_failed", "wanted"),
        [(0, 9, True, [1, 2]), (0, 9, False, [0, 1, 2]), (1, 2, True, [1]), (2, 9, False, [2]), (3, 9, False, [])],
    )
    def test_a_range_is_what_was_made_in_it_and_is_not_on_its_way(
        self, endpoint: Endpoint, owner: User, four: list[Delivery], since: int, until: int, only_failed: bool, wanted: list[int]
    ) -> None:
        span: dict[str, Any] = {"since": NOW + since * HOUR, "until": NOW + until * HOUR, "only_failed": only_failed}

        assert endpoints.count_range(endpoint, **span) == len(wanted)
        assert endpoints.resend_range(endpoint, **span, by=owner, now=NOW + DAY) == len(wanted)
        again = list(Delivery.objects.filter(endpoint=endpoint, event__kind="delivery.resent").order_by("id"))
        assert [(one.webhook_id, one.payload, one.status) for one in again] == [(four[n].webhook_id, four[n].payload, "queued") for n in wanted]
        assert endpoints.resend_range(endpoint, **span, by=owner, now=NOW + DAY) == 0  # they are on their way

    def test_what_has_arrived_at_the_second_sending_has_not_failed(self, endpoint: Endpoint, owner: User, four: list[Delivery]) -> None:
        span: dict[str, Any] = {"since": NOW, "until": NOW + 9 * HOUR, "only_failed": True}
        endpoints.resend_range(endpoint, **span, by=owner, now=NOW + DAY)
        Delivery.objects.filter(event__kind="delivery.resent", webhook_id=four[1].webhook_id).update(status="sent")
        Delivery.objects.filter(event__kind="delivery.resent", webhook_id=four[2].webhook_id).update(status="failed")

        found = Delivery.objects.filter(pk__in=endpoints.to_resend(endpoint, **span))
        assert [(delivery.webhook_id, delivery.event.kind) for delivery in found] == [(four[2].webhook_id, "delivery.resent")]

    def test_a_test_is_not_in_a_range_nor_is_one_that_was_sent_again(self, endpoint: Endpoint, owner: User, four: list[Delivery]) -> None:
        tested = endpoints.test(endpoint, kind="invoice.paid", by=owner, now=NOW)
        Delivery.objects.filter(pk=tested.pk).update(status="sent")
        again = outbox.send_again(fresh_delivery(tested), by=owner, now=NOW)
        Delivery.objects.filter(pk=again.pk).update(status="failed")

        assert endpoints.to_resend(endpoint, since=NOW, until=NOW + 9 * HOUR, only_failed=False) == [one.pk for one in four[:3]]

    def test_counting_a_range_reads_no_bodies_and_asks_as_often_for_many(self, merchant: Merchant, owner: User, endpoint: Endpoint) -> None:
        span: dict[str, Any] = {"since": NOW, "until": NOW + DAY, "only_failed": True}

        def asked(invoices: int) -> tuple[int, int]:
            issue(merchant, invoices)
            Delivery.objects.filter(endpoint=endpoint).update(status="failed")
            with CaptureQueriesContext(connection) as seen, pytest.MonkeyPatch.context() as patch:
                patch.setattr(replays, "MOST_CAUGHT_UP", 4)
                found = endpoints.count_range(endpoint, **span)
            assert [query["sql"] for query in seen if '"payload"' in query["sql"].partition("FROM")[0]] == []
            return len(seen), found

        assert asked(1) == (2, 1)
        assert asked(6) == (2, 4)  # cut

    def test_the_event_of_each_is_on_its_invoice_and_takes_no_number(self, merchant: Merchant, endpoint: Endpoint, owner: User, four: Any) -> None:
        number = Merchant.objects.get(pk=merchant.pk).event_sequence
        endpoints.resend_range(endpoint, since=NOW, until=NOW + 9 * HOUR, only_failed=True, by=owner, now=NOW + DAY)
        fan_out()
        told = Event.objects.filter(kind="delivery.resent").order_by("id")

        assert [(event.subject_kind, event.subject_id, event.facts["resends"]) for event in told] == [
            ("invoice", four[n].invoice_id, four[n].event_id) for n in (1, 2)
        ]
        assert Merchant.objects.get(pk=merchant.pk).event_sequence == number

    def test_one_that_is_off_is_sent_nothing(self, endpoint: Endpoint, owner: User, four: list[Delivery]) -> None:
        endpoints.disable(endpoint, reason="", by=owner, now=NOW)
        with pytest.raises(endpoints.Refused, match=r"This endpoint is switched off\. Switch it on first\."):
            endpoints.resend_range(endpoint, since=NOW, until=NOW + DAY, only_failed=False, by=owner, now=NOW)
        with pytest.raises(endpoints.Refused):
            endpoints.test(endpoint, kind="invoice.paid", by=owner, now=NOW)

    def test_nothing_of_another_endpoint_is_sent_again(self, merchant: Merchant, endpoint: Endpoint, owner: User, four: list[Delivery]) -> None:
        other = endpoints.add(merchant, url=f"{URL}/other", by=owner, now=NOW)[0]
        assert endpoints.resend_range(other, since=NOW, until=NOW + DAY, only_failed=False, by=owner, now=NOW) == 0


class TestTests:
    def test_a_test_is_marked_and_goes_to_this_endpoint_alone(self, merchant: Merchant, owner: User, endpoint: Endpoint) -> None:
        other = endpoints.add(merchant, url=f"{URL}/other", by=owner, now=NOW)[0]
        sent = endpoints.test(endpoint, kind="refund.confirmed", by=owner, now=NOW)
        fan_out()
        body = json.loads(sent.payload)

        assert (sent.template, sent.status, sent.endpoint, sent.event.kind) == ("refund.confirmed", "queued", endpoint, "endpoint.tested")
        assert (body["type"], body["test"], body["sequence"], body["data"]["refund"]["status"]) == ("refund.confirmed", True, 0, "confirmed")
        assert to(other) == []
        assert Delivery.objects.filter(channel="email", event=sent.event).count() == 0

    def test_a_type_that_the_format_does_not_know_cannot_be_tested(self, merchant: Merchant, owner: User) -> None:
        old = endpoints.add(merchant, url=URL, format="ccpayment", by=owner, now=NOW)[0]
        for endpoint, kind in ((old, "invoice.viewed"), (old, "member.joined")):
            with pytest.raises(KeyError):
                endpoints.test(endpoint, kind=kind, by=owner, now=NOW)
        assert Event.objects.filter(kind="endpoint.tested").count() == 0

    def test_a_type_that_it_did_not_choose_can_be_tested_all_the_same(self, merchant: Merchant, owner: User) -> None:
        chosen = endpoints.add(merchant, url=URL, kinds=["invoice.paid"], by=owner, now=NOW)[0]
        assert endpoints.test(chosen, kind="invoice.viewed", by=owner, now=NOW).template == "invoice.viewed"


def test_the_invoice_form_says_where_its_webhooks_go(merchant: Merchant, owner: User, client_as: Callable[[User], Client]) -> None:
    browser, page = client_as(owner), reverse("invoice_new", args=[merchant.slug])
    assert "once an endpoint is set under Developers" in browser.get(page).content.decode()
    first = endpoints.add(merchant, url=URL, by=owner, now=NOW)[0]
    assert f"to {URL}" in browser.get(page).content.decode()
    endpoints.add(merchant, url=f"{URL}/other", by=owner, now=NOW)
    assert "to 2 endpoints" in browser.get(page).content.decode()
    endpoints.remove(first, by=owner, now=NOW)
    assert f"to {URL}/other" in browser.get(page).content.decode()
