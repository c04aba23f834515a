"""One payment on the chain, and two refunds that want it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from django.db import connection

from payments import refunds
from payments.models import Refund
from payments.refunds import Seen
from tests.factories import make_merchant
from tests.payments.refunding import RefundStory
from tests.races.harness import TWIN_RUNS, Meeting, failures, patched, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

_counter = iter(range(10_000))


def two_stories(*, of_one: bool = True) -> list[tuple[RefundStory, Refund]]:
    """Two approved refunds of as much to one address, of two invoices of one merchant, or each of its own: no lock is theirs
    together."""
    first = make_merchant(slug=f"payee-{next(_counter)}")
    told = [RefundStory(merchant) for merchant in (first, first if of_one else make_merchant(slug=f"payee-{next(_counter)}"))]
    pairs = [(story, story.approved()) for story in told]
    assert len({(refund.address, refund.asset_id, refund.amount_units) for _story, refund in pairs}) == 1
    return pairs


@contextlib.contextmanager
def ended(pairs: list[tuple[RefundStory, Refund]]) -> Iterator[None]:
    """Afterwards nobody looks for these any more: the next run begins its own."""
    try:
        yield
    finally:
        Refund.objects.filter(pk__in=[refund.pk for _story, refund in pairs]).update(status="failed", place=None)


def outcome(pairs: list[tuple[RefundStory, Refund]]) -> list[tuple[str, bool, str]]:
    """Of each its state, whether it has the payment, and its trouble."""
    rows = Refund.objects.filter(pk__in=[refund.pk for _story, refund in pairs])
    return sorted((row.status, row.place is not None, row.trouble) for row in rows)


def both_see(pairs: list[tuple[RefundStory, Refund]], txid: str) -> None:
    seen = Seen(txid, 0)
    meeting = Meeting(2)
    calls = [lambda one=refund, told=story: refunds.found(Refund.objects.get(pk=one.pk), seen, now=told.now) for story, refund in pairs]
    with patched((Seen, "columns", meeting.before(Seen.columns))):  # when each knows what it is to write
        found = race(*calls)
    assert all(isinstance(one, Refund) for one in found), found


def members_name_one_transaction() -> None:
    pairs = two_stories()
    txid = pairs[0][0].send(pairs[0][1])
    for story, refund in pairs:
        refunds.sent(refund, txid=txid, way=Refund.Way.PASTED, by=story.owner, now=story.now)
    with ended(pairs):
        both_see(pairs, txid)
        assert outcome(pairs) == [("sent", False, "This transaction pays another refund."), ("sent", True, "")]


def nobody_has_named_it() -> None:
    pairs = two_stories()
    with ended(pairs):
        both_see(pairs, pairs[0][0].send(pairs[0][1]))
        assert outcome(pairs) == [("approved", False, ""), ("sent", True, "")]
        kinds = [kind for story, _refund in pairs for kind in story.kinds()]
        assert kinds.count("refund.sent") == 1


@contextlib.contextmanager
def unconstrained() -> Iterator[None]:
    (constraint,) = [found for found in Refund._meta.constraints if found.name == "refund_paid_once"]
    with connection.schema_editor() as editor:
        editor.remove_constraint(Refund, constraint)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            editor.add_constraint(Refund, constraint)


def test_a_transaction_that_was_named_for_two_refunds_pays_one() -> None:
    members_name_one_transaction()


def test_without_the_constraint_it_pays_both() -> None:
    with unconstrained():
        assert failures(members_name_one_transaction) == TWIN_RUNS


def test_a_payment_that_two_refunds_are_looking_for_is_taken_by_one_and_the_other_waits_on() -> None:
    nobody_has_named_it()


def test_without_the_constraint_both_take_it() -> None:
    with unconstrained():
        assert failures(nobody_has_named_it) == TWIN_RUNS


def test_two_merchants_that_name_one_transaction_at_once_take_nothing_from_each_other() -> None:
    pairs = two_stories(of_one=False)
    txid = pairs[0][0].send(pairs[0][1])
    for story, refund in pairs:
        refunds.sent(refund, txid=txid, way=Refund.Way.PASTED, by=story.owner, now=story.now)
    with ended(pairs):
        both_see(pairs, txid)
        assert outcome(pairs) == [("sent", True, ""), ("sent", True, "")]
