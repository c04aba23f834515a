"""Copies, replacements and removals, many at once. Each race has a twin without its guard, which must fail every time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from invoicing import duplicating, lifecycle, numbering, shelves
from invoicing.models import Invoice
from merchants.models import Event, Merchant
from payments import settlement
from payments.models import Transfer
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.races.harness import PATIENCE, TWIN_RUNS, Meeting, failures, patched, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

LATER = NOW + timedelta(days=1)
KEY = "k" * 43
_counter = iter(range(10_000))


def unlocked(pk: int) -> Invoice:
    return Invoice.objects.get(pk=pk)


def fresh_merchant() -> Merchant:
    return make_merchant(slug=f"desk-racer-{next(_counter)}")


# --- the same button twice ------------------------------------------------------------------------------------------
def double_clicked_duplicate() -> None:
    merchant = fresh_merchant()
    original, by = publish(make_draft(merchant)), merchant.memberships.get().user
    meeting = Meeting(2)
    with patched((duplicating, "_columns", meeting.before(duplicating._columns))):
        results = race(*[lambda: duplicating.duplicate(original, by=by, form_key=KEY, now=LATER)] * 2)
    copies = set(Invoice.objects.filter(merchant=merchant, status="draft").values_list("pk", flat=True))
    assert {getattr(result, "pk", result) for result in results} == copies
    assert len(copies) == 1
    assert Event.objects.filter(merchant=merchant, kind="invoice.created").count() == 1


def test_duplicate_pressed_twice_from_one_form_makes_one_copy() -> None:
    double_clicked_duplicate()


def test_without_the_forms_key_two_presses_make_two_copies() -> None:
    columns = duplicating._columns

    def keyless(*args: Any, **kwargs: Any) -> dict[str, Any]:
        return columns(*args, **kwargs) | {"form_key": ""}

    with patched((duplicating, "_columns", keyless)):
        assert failures(double_clicked_duplicate, patience=PATIENCE) == TWIN_RUNS


# --- two replacements of one invoice --------------------------------------------------------------------------------
def unconditional(replaced: Invoice, successor: Invoice) -> int:
    return Invoice.objects.filter(pk=replaced.pk).update(replaced_by=successor)


def two_replacements_are_issued() -> None:
    merchant = fresh_merchant()
    by = merchant.memberships.get().user
    old = lifecycle.void(publish(make_draft(merchant)), by=by, reason="Wrong address", now=NOW)
    drafts = [duplicating.duplicate(old, by=by, form_key=letter * 43, now=LATER) for letter in "ab"]
    meeting = Meeting(2)
    with patched((lifecycle, "_succeed", meeting.before(lifecycle._succeed))):
        results = race(*[lambda draft=draft: lifecycle.publish(draft, by=by, version=1, now=LATER) for draft in drafts])
    assert [type(result).__name__ for result in results] == ["Invoice", "Invoice"]
    old.refresh_from_db()
    told = Event.objects.filter(subject_id=old.pk, kind="invoice.replaced").values_list("facts__replacement", flat=True)
    assert old.replaced_by is not None
    assert list(told) == [old.replaced_by.number]


def test_two_replacements_issued_at_once_leave_one_successor() -> None:
    two_replacements_are_issued()


def test_without_the_condition_the_second_takes_the_firsts_place() -> None:
    with patched((lifecycle, "_lead_on", unconditional)):
        assert failures(two_replacements_are_issued) == TWIN_RUNS


def test_issuing_a_replacement_and_telling_of_the_void_do_not_wait_for_each_other() -> None:
    """The old invoice is locked before the merchant's row, as the fan-out locks them."""
    from notifications import fanout

    merchant = fresh_merchant()
    by = merchant.memberships.get().user
    old = lifecycle.void(publish(make_draft(merchant)), by=by, reason="Wrong address", now=NOW)
    draft = duplicating.duplicate(old, by=by, form_key=KEY, now=LATER)
    voided = Event.objects.get(subject_id=old.pk, kind="invoice.voided")
    meeting = Meeting(2)
    with patched(
        (fanout, "_next_sequence", meeting.before(fanout._next_sequence)),
        (numbering, "take", meeting.before(numbering.take)),
    ):
        results = race(lambda: fanout.fan_out(voided.pk, now=LATER), lambda: lifecycle.publish(draft, by=by, version=1, now=LATER))
    assert [result for result in results if isinstance(result, Exception)] == []
    old.refresh_from_db()
    assert old.replaced_by_id == draft.pk


# --- removed while money arrives ------------------------------------------------------------------------------------
def arrive(invoice: Invoice) -> None:
    """A transfer is written and settled, as the watcher does it: under the invoice's lock."""
    with transaction.atomic():
        held = lifecycle.locked(invoice.pk)
        Transfer.objects.create(
            network="sandbox:harbour",
            txid=f"{invoice.pk:064x}",
            place=0,
            invoice=held,
            asset_id="sandbox:harbour/token:usdt",
            amount_units=54_300_000,
            first_seen_at=LATER,
            confirmations_needed=3,
            credit_minor=5_000,
            credit_rate="0.9208",
        )
        settlement.settle(held, now=LATER)


def removed_while_money_arrives() -> None:
    merchant = fresh_merchant()
    invoice, by = publish(make_draft(merchant)), merchant.memberships.get().user
    meeting = Meeting(2)
    with patched((shelves, "has_money", meeting.after(shelves.has_money)), (settlement, "add_up", meeting.before(settlement.add_up))):
        results = race(lambda: shelves.remove(invoice, by=by, reason="x", now=LATER), lambda: arrive(invoice))
    invoice.refresh_from_db()
    assert not isinstance(results[1], Exception)
    assert invoice.pending_minor == 5_000
    # Whoever came first: what has money on it is on the desk. Refused, or removed and back again.
    assert invoice.shelf == "desk"
    refused = isinstance(results[0], lifecycle.Refused)
    assert (refused, invoice.status) in ((True, "open"), (False, "void"))


def test_what_has_money_on_it_is_never_left_removed() -> None:
    removed_while_money_arrives()


def test_without_the_lock_money_lies_on_what_was_removed() -> None:
    with patched((lifecycle, "locked", unlocked)):
        assert failures(removed_while_money_arrives) == TWIN_RUNS


# --- two people replace the link ------------------------------------------------------------------------------------
def two_replace_the_link() -> None:
    merchant = fresh_merchant()
    invoice, by = publish(make_draft(merchant)), merchant.memberships.get().user
    seen = [Invoice.objects.get(pk=invoice.pk) for _tab in range(2)]
    results = race(*[lambda one=one: lifecycle.replace_link(one, by=by, now=LATER) for one in seen])
    assert sorted(type(result).__name__ for result in results) == ["Invoice", "MovedOn"]
    assert Event.objects.filter(merchant=merchant, kind="invoice.link_replaced").count() == 1


def test_two_who_saw_the_same_link_replace_it_once() -> None:
    two_replace_the_link()


def test_the_key_of_a_form_is_a_constraint_not_a_habit() -> None:
    merchant = fresh_merchant()
    make_draft(merchant, form_key=KEY)
    with pytest.raises(IntegrityError):
        make_draft(merchant, form_key=KEY)
