"""Refunds: two at once for more than is left, a claim and a cancellation at once, an approval and a change at once."""

from __future__ import annotations

from typing import Any

import pytest

from invoicing import lifecycle
from invoicing.models import Invoice
from merchants import assets
from merchants.models import Event, Role, User
from payments import claims, recorded, refunds, shares
from payments.models import Refund, RefundShare
from payments.refunds import Terms, asking, door
from payments.shares import CannotRefund
from tests.factories import NOW, add_member, make_draft, make_merchant, publish
from tests.payments.money import USDT
from tests.payments.refunding import payers_address
from tests.races.harness import TWIN_RUNS, Meeting, failures, patched, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

_counter = iter(range(10_000))


def unlocked_invoice(pk: int) -> Invoice:
    return Invoice.objects.get(pk=pk)


def unlocked(refund: Refund) -> tuple[Invoice, Refund]:
    return Invoice.objects.get(pk=refund.invoice_id), Refund.objects.get(pk=refund.pk)


def unconditional(refund: Refund, _old: Any, columns: dict[str, Any]) -> int:
    return Refund.objects.filter(pk=refund.pk).update(**columns)


def paid() -> tuple[Invoice, User, User]:
    """An invoice of 100.00 EUR, paid in cash, its owner and a manager."""
    merchant = make_merchant(slug=f"giver-{next(_counter)}")
    invoice = publish(make_draft(merchant, lines=[("Work", "1", "100.00")]), now=NOW)
    recorded.record(invoice, way="cash", amount_minor=10_000, paid_at=NOW, note="", form_key="till", by=None, now=NOW)
    owner = merchant.memberships.get(role=Role.OWNER).user
    return Invoice.objects.get(pk=invoice.pk), owner, add_member(merchant, Role.MANAGER)


def terms(invoice: Invoice, minor: int) -> Terms:
    keys = frozenset(source.key for source in shares.sources(invoice))
    return Terms(Refund.Basis.OTHER, assets.asset(USDT), keys, other_minor=minor)


def ask(invoice: Invoice, by: User, minor: int, form_key: str) -> Refund:
    return refunds.request(invoice, terms(invoice, minor), form_key=form_key, by=by, now=NOW)


def kinds(invoice: Invoice) -> list[str]:
    found = Event.objects.filter(subject_kind="invoice", subject_id=invoice.pk, kind__startswith="refund.")
    return list(found.order_by("id").values_list("kind", flat=True))


# --- two for more than what is left ---------------------------------------------------------------------------------
def two_for_more_than_is_left() -> None:
    invoice, owner, _second = paid()
    meeting = Meeting(2)
    with patched((asking, "_columns", meeting.before(asking._columns))):
        results = race(lambda: ask(invoice, owner, 6_000, "one"), lambda: ask(invoice, owner, 6_000, "two"))
    assert sorted(type(result).__name__ for result in results) == ["CannotRefund", "Refund"]
    assert any(isinstance(result, CannotRefund) and "more than is left" in str(result) for result in results)
    invoice.refresh_from_db()
    assert (invoice.returning_minor, invoice.left_minor, invoice.shortfall_minor) == (6_000, 4_000, 0)
    assert list(RefundShare.objects.filter(refund__invoice=invoice).values_list("minor", flat=True)) == [6_000]
    assert kinds(invoice) == ["refund.requested"]


def test_two_refunds_at_once_for_more_than_is_left_are_one() -> None:
    two_for_more_than_is_left()


def test_without_the_lock_more_goes_back_than_came() -> None:
    with patched((lifecycle, "locked", unlocked_invoice)):
        assert failures(two_for_more_than_is_left) == TWIN_RUNS


def one_form_pressed_twice() -> None:
    invoice, owner, _second = paid()
    meeting = Meeting(2)
    with patched((asking, "_columns", meeting.before(asking._columns))):
        first, second = race(*[lambda: ask(invoice, owner, 4_000, "one form")] * 2)
    assert isinstance(first, Refund) and first == second
    assert (Refund.objects.filter(invoice=invoice).count(), kinds(invoice)) == (1, ["refund.requested"])


def test_one_form_pressed_twice_at_once_is_one_refund() -> None:
    one_form_pressed_twice()


def test_without_the_lock_the_constraint_still_makes_it_one() -> None:
    with patched((lifecycle, "locked", unlocked_invoice)):
        one_form_pressed_twice()


# --- claimed and cancelled ------------------------------------------------------------------------------------------
def claimed_while_cancelled() -> None:
    """Cancelled in the end, and what was cancelled first takes no address any more."""
    invoice, owner, _second = paid()
    refund = ask(invoice, owner, 4_000, "one")
    address = payers_address()
    given = claims.offer(refund, address=address, last=address[-4:], now=NOW)
    meeting = Meeting(2)
    with patched((door, "_swap", meeting.before(door._swap))):
        claim, cancel = race(lambda: claims.confirm(given, now=NOW), lambda: refunds.cancel(refund, why="Agreed", by=owner, now=NOW))
    refund.refresh_from_db()
    invoice.refresh_from_db()
    won = [result for result in (claim, cancel) if isinstance(result, Refund)]
    assert refund.version == 1 + len(won)
    if isinstance(cancel, Refund):
        assert (refund.status, invoice.returning_minor, invoice.left_minor) == ("cancelled", 0, 10_000)
        assert kinds(invoice)[2:] in (["refund.cancelled"], ["refund.claimed", "refund.cancelled"])
    else:  # the claim was first, and without the lock the cancellation is told that it was
        assert isinstance(cancel, refunds.MovedOn)
        assert (refund.status, refund.address, invoice.returning_minor) == ("claimed", address, 4_000)
    assert isinstance(claim, (Refund, claims.CannotClaim))
    assert bool(refund.address) is isinstance(claim, Refund)


def test_claimed_and_cancelled_at_once_one_comes_after_the_other() -> None:
    claimed_while_cancelled()


def test_without_the_lock_the_condition_still_keeps_them_apart() -> None:
    with patched((door, "locked", unlocked)):
        claimed_while_cancelled()


def test_without_the_lock_and_the_condition_both_write_over_each_other() -> None:
    with patched((door, "locked", unlocked), (door, "_swap", unconditional)):
        assert failures(claimed_while_cancelled) == TWIN_RUNS


# --- approved and changed -------------------------------------------------------------------------------------------
def approved_while_changed() -> None:
    """Nobody approves an amount that they have not seen."""
    invoice, owner, second = paid()
    refund = claims.enter(ask(invoice, owner, 4_000, "one"), address=payers_address(), by=owner, now=NOW)
    version, more = refund.version, terms(invoice, 9_000)
    meeting = Meeting(2)
    with patched((door, "_swap", meeting.before(door._swap))):
        approve, change = race(
            lambda: refunds.approve(refund, by=second, version=version, now=NOW),
            lambda: refunds.change(refund, more, by=owner, version=version, now=NOW),
        )
    refund = Refund.objects.get(pk=refund.pk)
    assert sorted(isinstance(result, refunds.MovedOn) for result in (approve, change)) == [False, True]
    assert refund.version == version + 1
    if isinstance(approve, Refund):
        assert (refund.status, refund.amount_minor, refund.approved_by) == ("approved", 4_000, second)
    else:
        assert isinstance(change, Refund)
        assert (refund.status, refund.amount_minor, refund.approved_by) == ("claimed", 9_000, None)
    assert sum(share.minor for share in RefundShare.objects.filter(refund=refund)) == refund.amount_minor
    assert Invoice.objects.get(pk=invoice.pk).returning_minor == refund.amount_minor


def test_approved_and_changed_at_once_one_of_them_is_told_to_look_again() -> None:
    approved_while_changed()


def test_without_the_lock_the_version_still_keeps_an_approval_from_what_was_not_seen() -> None:
    with patched((door, "locked", unlocked)):
        approved_while_changed()


def test_without_the_lock_and_the_version_an_amount_is_approved_that_nobody_saw() -> None:
    with patched((door, "locked", unlocked), (door, "_swap", unconditional)):
        assert failures(approved_while_changed) == TWIN_RUNS


# --- asked for while the payment behind it is taken back -----------------------------------------------------------------
def asked_for_while_the_payment_is_reversed() -> None:
    """Either nothing is left to refund, or a refund without a payment behind it is flagged."""
    invoice, owner, _second = paid()
    payment = invoice.recorded_payments.get()
    meeting = Meeting(2)
    with patched((lifecycle, "account", meeting.before(lifecycle.account))):  # the sums are read, and not written yet
        asked, _reversed = race(lambda: ask(invoice, owner, 6_000, "one"), lambda: recorded.reverse(payment, by=owner, now=NOW))
    invoice.refresh_from_db()
    held = 6_000 if isinstance(asked, Refund) else 0
    assert isinstance(asked, (Refund, refunds.Refused, CannotRefund))
    assert (invoice.credited_minor, invoice.returning_minor, invoice.shortfall_minor, invoice.left_minor) == (0, held, held, 0)


def test_asked_for_while_its_payment_is_reversed_it_is_refused_or_flagged() -> None:
    asked_for_while_the_payment_is_reversed()


def test_without_the_lock_the_sums_say_that_there_is_something_left() -> None:
    with patched((lifecycle, "locked", unlocked_invoice)):
        assert failures(asked_for_while_the_payment_is_reversed) == TWIN_RUNS
