"""The team and the number series, changed by two at once. Each race has a twin without its guard, which must fail every time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from invoicing import lifecycle, numbering
from invoicing.models import Invoice
from merchants import team
from merchants.models import Membership, Merchant, NumberSegment
from tests.factories import NOW, add_member, make_draft, make_merchant, make_user
from tests.races.harness import TWIN_RUNS, Meeting, failures, patched, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

LATER = NOW + timedelta(days=1)
_counter = iter(range(10_000))


def fresh_merchant() -> Merchant:
    return make_merchant(slug=f"owned-{next(_counter)}")


def unlocked(merchant: Merchant | int) -> Merchant:
    return Merchant.objects.get(pk=getattr(merchant, "pk", merchant))


def two_owners_leave() -> None:
    merchant = fresh_merchant()
    add_member(merchant, "owner", email=f"second@{merchant.slug}.example")
    owners = list(Membership.objects.filter(merchant=merchant))
    meeting = Meeting(2)
    with patched((team, "_take_out", meeting.before(team._take_out))):
        results = race(*[lambda owner=owner: team.leave(owner, now=NOW) for owner in owners])
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "Refused"]
    assert Membership.objects.filter(merchant=merchant, role="owner").count() == 1


def test_of_two_owners_who_leave_at_once_one_stays() -> None:
    two_owners_leave()


def test_without_the_lock_a_business_is_left_without_an_owner() -> None:
    with patched((team, "_locked", unlocked)):
        assert failures(two_owners_leave) == TWIN_RUNS


def two_owners_remove_each_other() -> None:
    merchant = fresh_merchant()
    add_member(merchant, "owner", email=f"second@{merchant.slug}.example")
    one, other = Membership.objects.filter(merchant=merchant).select_related("user")
    meeting = Meeting(2)
    with patched((team, "_take_out", meeting.before(team._take_out))):
        results = race(lambda: team.remove(one, by=other.user, now=NOW), lambda: team.remove(other, by=one.user, now=NOW))
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "Refused"]
    assert Membership.objects.filter(merchant=merchant, role="owner").count() == 1


def test_two_owners_do_not_remove_each_other() -> None:
    two_owners_remove_each_other()


def test_without_the_lock_they_do() -> None:
    with patched((team, "_locked", unlocked)):
        assert failures(two_owners_remove_each_other) == TWIN_RUNS


def test_a_double_clicked_accept_gives_one_seat() -> None:
    merchant = fresh_merchant()
    owner = merchant.members.get()
    rui = make_user(f"rui@{merchant.slug}.example")
    invitation = team.invite(merchant, email=rui.email, role="viewer", by=owner, now=NOW)
    results = race(*[lambda: team.accept(invitation, user=rui, now=NOW)] * 2)
    assert sorted(type(result).__name__ for result in results) == ["Membership", "Refused"]
    assert Membership.objects.filter(merchant=merchant, user=rui).count() == 1


def begin_against_publish() -> None:
    """Whoever is first: the segment knows the last number before it, and the series goes on from where it says."""
    merchant = fresh_merchant()
    draft, owner = make_draft(merchant), merchant.members.get()
    meeting = Meeting(2)
    with patched((numbering, "_swap", meeting.before(numbering._swap))):
        results = race(
            lambda: lifecycle.publish(draft, by=None, version=1, now=NOW),
            lambda: numbering.begin(merchant, prefix="HP-", first=500, by=owner, now=LATER),
        )
    assert [result for result in results if isinstance(result, Exception)] == []
    merchant.refresh_from_db()
    number = Invoice.objects.get(merchant=merchant).number
    before = NumberSegment.objects.filter(merchant=merchant).last().before
    assert (number, before, numbering.coming(merchant)) in [("INV-000001", "INV-000001", "HP-000500"), ("HP-000500", "", "HP-000501")]


def test_a_segment_begun_while_an_invoice_is_issued_loses_no_number() -> None:
    begin_against_publish()


def test_without_the_lock_and_the_condition_the_series_forgets_one() -> None:
    def unconditional(held: Merchant, *, prefix: str, next_number: int) -> Any:
        Merchant.objects.filter(pk=held.pk).update(number_prefix=prefix, next_number=next_number)

    with patched((numbering, "_locked", unlocked), (numbering, "_swap", unconditional)):
        assert failures(begin_against_publish) == TWIN_RUNS


def test_without_the_lock_alone_the_condition_still_keeps_the_series_whole() -> None:
    """The second of the two is refused: that is what holds on SQLite."""
    merchant = fresh_merchant()
    draft, owner = make_draft(merchant), merchant.members.get()
    meeting = Meeting(2)
    with patched((numbering, "_locked", unlocked), (numbering, "_swap", meeting.before(numbering._swap))):
        results = race(
            lambda: lifecycle.publish(draft, by=None, version=1, now=NOW),
            lambda: numbering.begin(merchant, prefix="HP-", first=500, by=owner, now=LATER),
        )
    assert [type(result).__name__ for result in results if isinstance(result, Exception)] == ["NumberTaken"]
