"""The demo that `make run` fills: every state, made through the doors."""

from collections import Counter

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client

from invoicing.attention import matters
from invoicing.models import Invoice, Schedule
from invoicing.standing import standing
from merchants import clock
from merchants.models import Event, Merchant, User
from notifications.models import Delivery
from payments.models import Refund, Transfer

# The demo is the one of `make run`, which brings SQLite.
pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_an_installation_for_real_money_refuses_it(settings):
    settings.SANDBOX_OPEN = False
    with pytest.raises(CommandError, match="Demo data belongs to the demo"):
        call_command("demo")
    assert not Merchant.objects.exists()


@pytest.fixture(scope="module")
def filled(django_db_setup, django_db_blocker):
    """The demo, filled once; each test begins from it again, in a savepoint of its own."""
    with django_db_blocker.unblock(), transaction.atomic():
        call_command("demo", verbosity=0)
        yield
        transaction.set_rollback(True)


@pytest.fixture
def demo(filled, db):
    return Merchant.objects.get(slug="harbour-pine")


def test_there_is_an_invoice_in_every_state(demo):
    now = clock.now()
    assert Counter(standing(invoice, now).key for invoice in Invoice.objects.all()) == {
        "paid": 12,
        "draft": 1,
        "scheduled": 1,
        "open": 1,
        "overdue": 1,
        "partial": 1,
        "confirming": 1,
        "overpaid": 2,
        "void": 1,
        "missed": 1,
    }


def test_the_money_on_them_is_on_the_chain(demo):
    by_title = {invoice.title: invoice for invoice in Invoice.objects.all()}
    assert (by_title["Brand identity, phase 2"].total_minor, by_title["Shopfront and signage"].credited_minor) == (428040, 232500)
    assert Counter(Transfer.objects.values_list("status", flat=True)) == {"final": 15, "seen": 1}


def test_the_schedules_have_a_past(demo):
    found = {schedule.title: schedule for schedule in Schedule.objects.all()}
    states = {title: list(schedule.occurrences.order_by("k").values_list("state", flat=True)) for title, schedule in found.items()}
    assert states == {
        "Studio retainer, {month}": ["issued", "issued", "skipped", "missed", "issued"],
        "Workshop hours": ["issued", "issued"],
    }
    assert {title: schedule.status for title, schedule in found.items()} == {"Studio retainer, {month}": "active", "Workshop hours": "paused"}


def test_money_goes_back_in_every_step_of_the_way(demo):
    refunds = {refund.invoice.title: refund for refund in Refund.objects.select_related("invoice", "credit_note")}
    assert {title: (refund.status, refund.amount_minor) for title, refund in refunds.items()} == {
        "Poster series": ("requested", 15_498),
        "Competition boards": ("claimed", 38_130),
        "Stationery": ("approved", 18_500),
        "Menu and window lettering": ("confirmed", 49_200),
    }
    assert refunds["Menu and window lettering"].credit_note.number == "CN-000001"
    assert [matter.title for matter in matters(demo, clock.now()) if "refund" in matter.title] == [
        "A refund to Lindqvist Arkitekter AB is to be approved",
        "A refund to Okonkwo & Sons is to be paid",
    ]


def test_every_mail_of_the_past_has_been_sent_and_none_waits(demo):
    assert set(Delivery.objects.values_list("status", flat=True)) == {"sent"}
    assert not Event.objects.filter(fanned_out_at=None).exists()
    assert Delivery.objects.filter(sent_at__gt=clock.now()).count() == 0


def test_it_happens_once(demo):
    before = (Invoice.objects.count(), User.objects.count(), Event.objects.count(), Delivery.objects.count())
    call_command("demo", verbosity=0)
    assert (Invoice.objects.count(), User.objects.count(), Event.objects.count(), Delivery.objects.count()) == before


@pytest.mark.parametrize(("email", "is_staff"), [("demo@quittance.example", False), ("operator@quittance.example", True)])
def test_its_people_can_sign_in(demo, email, is_staff):
    assert Client().login(email=email, password="demo-quittance")
    assert User.objects.get(email=email).is_staff is is_staff
