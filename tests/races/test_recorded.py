"""A payment recorded by hand: pressed twice at once, and pressed while somebody voids the invoice."""

from __future__ import annotations

from typing import Any

import pytest

from invoicing import lifecycle
from invoicing.models import Invoice
from merchants.models import Event, Merchant
from payments import recorded
from payments.models import RecordedPayment
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.races.harness import PATIENCE, TWIN_RUNS, Meeting, failures, patched, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

_counter = iter(range(10_000))


def unlocked(pk: int) -> Invoice:
    return Invoice.objects.get(pk=pk)


def unconditional(invoice: Invoice, _old: Any, changes: dict[str, Any]) -> int:
    return Invoice.objects.filter(pk=invoice.pk).update(**changes)


def opened() -> Invoice:
    merchant: Merchant = make_merchant(slug=f"taker-{next(_counter)}")
    return publish(make_draft(merchant, lines=[("Work", "1", "100.00")]), now=NOW)


def record(invoice: Invoice, minor: int) -> RecordedPayment:
    return recorded.record(invoice, way="cash", amount_minor=minor, paid_at=NOW, note="", form_key="one form", by=None, now=NOW)


def kinds(invoice: Invoice) -> list[str]:
    return list(Event.objects.filter(subject_kind="invoice", subject_id=invoice.pk).values_list("kind", flat=True))


def one_form_pressed_twice() -> None:
    invoice = opened()
    meeting = Meeting(2)
    with patched((recorded, "_create", meeting.before(recorded._create))):
        first, second = race(*[lambda: record(invoice, 4_000)] * 2)
    assert isinstance(first, RecordedPayment) and first == second
    assert (Invoice.objects.get(pk=invoice.pk).credited_minor, kinds(invoice).count("payment.recorded")) == (4_000, 1)


def test_one_form_pressed_twice_at_once_is_one_payment() -> None:
    one_form_pressed_twice()


def test_without_the_lock_the_constraint_still_makes_it_one() -> None:
    with patched((lifecycle, "locked", unlocked)):
        one_form_pressed_twice()


def test_without_the_lock_and_the_constraint_it_is_two_payments() -> None:
    create = recorded._create
    keys = iter(range(10_000))

    def unconstrained(invoice: Invoice, _form_key: str, told: dict[str, Any]) -> RecordedPayment:
        return create(invoice, f"another form {next(keys)}", told)

    with patched((lifecycle, "locked", unlocked), (recorded, "_create", unconstrained)):
        assert failures(one_form_pressed_twice) == TWIN_RUNS


def recorded_while_voided() -> None:
    """The payment would pay it: then it cannot be voided. Voided first, it takes no payment."""
    invoice = opened()
    meeting = Meeting(2)
    with patched((recorded, "_create", meeting.before(recorded._create)), (lifecycle, "_swap", meeting.before(lifecycle._swap))):
        results = race(lambda: record(invoice, 10_000), lambda: lifecycle.void(invoice, by=None, reason="Agreed", now=NOW))
    won = [type(result).__name__ for result in results if not isinstance(result, Exception)]
    assert len(won) == 1
    status = {"RecordedPayment": "paid", "Invoice": "void"}[won[0]]
    assert (Invoice.objects.get(pk=invoice.pk).status, RecordedPayment.objects.filter(invoice=invoice).count()) == (status, int(status == "paid"))
    assert all(isinstance(result, recorded.Refused) for result in results if isinstance(result, Exception))


def test_recording_and_voiding_at_once_one_of_them_is_refused() -> None:
    recorded_while_voided()


def test_without_the_lock_and_the_condition_a_void_invoice_is_paid() -> None:
    with patched((lifecycle, "locked", unlocked), (lifecycle, "_swap", unconditional)):
        assert failures(recorded_while_voided, patience=PATIENCE) == TWIN_RUNS


def reversed_twice() -> None:
    invoice = opened()
    payment = record(invoice, 4_000)
    meeting = Meeting(2)
    with patched((recorded, "_take_back", meeting.before(recorded._take_back))):
        results = race(*[lambda: recorded.reverse(payment, by=None, now=NOW)] * 2)
    assert sorted(type(result).__name__ for result in results) == ["Invoice", "Refused"]
    assert (Invoice.objects.get(pk=invoice.pk).credited_minor, kinds(invoice).count("payment.reversed")) == (0, 1)


def test_reversed_twice_at_once_it_is_reversed_once() -> None:
    reversed_twice()


def test_without_the_condition_it_is_reversed_twice() -> None:
    def anyway(payment: RecordedPayment, **columns: Any) -> int:
        return RecordedPayment.objects.filter(pk=payment.pk).update(**columns)

    with patched((recorded, "_take_back", anyway)):
        assert failures(reversed_twice, patience=PATIENCE) == TWIN_RUNS
