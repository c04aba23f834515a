"""Fixed addresses, unassigned money and balances, when two come at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from invoicing import lifecycle, search
from invoicing.models import Invoice
from merchants.models import Event, User
from payments import balances, held, quotes, settlement, transfers, unassigned, unexplained, watcher
from payments.confirmations import Tip
from payments.models import BalanceLook, Quote, Transfer
from tests.factories import NOW, make_user
from tests.payments.pretend import ETH, HOME, USDC, LiveStory, Node, PretendRail, fixed_wallet, living, network, own_wallet, pretending
from tests.races.harness import TWIN_RUNS, Meeting, failures, patched, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

_counter = iter(range(10_000))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    yield pretending(tmp_path, monkeypatch)


def node() -> Node:
    return PretendRail.nodes[HOME]


def stories(count: int) -> list[LiveStory]:
    """Invoices of one merchant with a fixed address."""
    merchant = living(f"payee-{next(_counter)}")
    fixed_wallet(merchant)
    return [LiveStory(merchant, node()) for _invoice in range(count)]


def unlocked(pk: int) -> Invoice:
    return Invoice.objects.get(pk=pk)


# --- two quotes of one amount at one fixed address ----------------------------------------------------------------------


def two_payers_ask_for_one_amount() -> None:
    first, second = stories(2)
    meeting = Meeting(2)
    with patched((quotes, "dict", meeting.after(dict))):  # once each knows which amounts are taken
        found = race(*[lambda story=story: quotes.ask(story.invoice, USDC, now=NOW) for story in (first, second)])
    assert all(isinstance(quote, Quote) for quote in found), found
    assert sorted(quote.amount_units for quote in found) == [108_700_000, 108_700_100]


def test_two_payers_of_one_amount_at_one_address_get_two_amounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotes, "dict", dict, raising=False)
    two_payers_ask_for_one_amount()


def test_without_the_constraint_they_get_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotes, "dict", dict, raising=False)
    (constraint,) = [found for found in Quote._meta.constraints if found.name == "quote_amount_once"]
    with unconstrained(constraint):
        assert failures(two_payers_ask_for_one_amount) == TWIN_RUNS


@contextlib.contextmanager
def unconstrained(constraint: Any) -> Iterator[None]:
    with connection.schema_editor() as editor:
        editor.remove_constraint(Quote, constraint)
    try:
        yield
    finally:
        Quote.objects.update(holds_amount=False)
        with connection.schema_editor() as editor:
            editor.add_constraint(Quote, constraint)


# --- unassigned money ---------------------------------------------------------------------------------------------------


def loose_money(story: LiveStory) -> Transfer:
    story.quote()
    node().pay(story.invoice.quotes.get().receive_address.address, USDC, 108_000_000)
    story.blocks(2)
    return Transfer.objects.filter(invoice=None).latest("id")


def assigned(transfer: Transfer, story: LiveStory, by: User) -> Transfer:
    return unassigned.assign(Transfer.objects.get(pk=transfer.pk), story.invoice, "locked", by=by, now=NOW)


def two_members_assign() -> None:
    first, second = stories(2)
    second.quote()
    transfer = loose_money(first)
    by = make_user(f"by{next(_counter)}@pine.example")
    meeting = Meeting(2)
    with patched((unassigned, "choices", meeting.before(unassigned.choices))):
        found = race(lambda: assigned(transfer, first, by), lambda: assigned(transfer, second, by))
    assert sorted(type(one).__name__ for one in found) == ["CannotDecide", "Transfer"], found
    assert sum(story.fresh().pending_minor for story in (first, second)) == 9_935


def test_two_members_assign_one_payment_to_two_invoices_and_one_is_told_no() -> None:
    two_members_assign()


def test_without_the_condition_it_counts_twice() -> None:
    through = Transfer.objects.filter

    def unconditional(*args: Any, **wanted: Any) -> Any:
        if set(wanted) == {"pk", "invoice"}:
            wanted.pop("invoice")
        return through(*args, **wanted)

    with patched((Transfer.objects, "filter", unconditional)):
        assert failures(two_members_assign) == TWIN_RUNS


def a_member_assigns_while_the_watcher_counts_up() -> None:
    (story,) = stories(1)
    transfer = loose_money(story)
    by = make_user(f"by{next(_counter)}@pine.example")
    node().mine(10, now=NOW)
    meeting = Meeting(2)
    placed = transfers._place

    def met(row: Transfer, *args: Any) -> bool:
        meeting.wait()  # the watcher has read that it is nobody's
        meeting.wait()  # and it is somebody's now
        return placed(row, *args)

    def assign() -> Transfer:
        meeting.wait()
        done = assigned(transfer, story, by)
        meeting.wait()
        return done

    with patched((transfers, "_place", met)):
        race(assign, lambda: watcher.read(HOME, now=NOW))
    row = Transfer.objects.get(pk=transfer.pk)
    # The watcher left it alone: final without the invoice hearing of it would be money that never counts.
    assert (row.invoice, row.status, story.fresh().credited_minor, story.invoice.pending_minor) == (story.invoice, "seen", 0, 9_935)
    watcher.read(HOME, now=NOW)
    assert (story.fresh().credited_minor, Event.objects.filter(kind="payment.confirmed", subject_id=story.invoice.pk).count()) == (9_935, 1)


def test_a_member_assigns_while_the_watcher_counts_up_and_nothing_is_lost() -> None:
    a_member_assigns_while_the_watcher_counts_up()


def test_without_the_watchers_condition_the_invoice_never_hears_that_it_is_final() -> None:
    through = Transfer.objects.filter

    def unconditional(*args: Any, **wanted: Any) -> Any:
        if "pk" in wanted and wanted.get("invoice", 0) is None and (set(wanted) & {"status__in"} or set(wanted) == {"pk", "invoice"}):
            wanted.pop("invoice")
        return through(*args, **wanted)

    with patched((Transfer.objects, "filter", unconditional)):
        assert failures(a_member_assigns_while_the_watcher_counts_up) == TWIN_RUNS


def one_handles_and_one_assigns() -> None:
    (story,) = stories(1)
    transfer = loose_money(story)
    by = make_user(f"by{next(_counter)}@pine.example")
    meeting = Meeting(2)

    def handle() -> Transfer:
        meeting.wait()
        return held.handle(Transfer.objects.get(pk=transfer.pk), "Sent back", by=by, now=NOW)

    with patched((unassigned, "choices", meeting.before(unassigned.choices))):
        race(lambda: assigned(transfer, story, by), handle)
    row = Transfer.objects.get(pk=transfer.pk)
    assert row.invoice == story.invoice
    assert row.handled_at is None


def test_what_is_assigned_is_not_handled_beside_it() -> None:
    for _run in range(5):
        one_handles_and_one_assigns()


# --- balances -----------------------------------------------------------------------------------------------------------


def looked_at_beside_its_transaction() -> None:
    """One pass writes the transaction that a balance showed; another, whose lease had passed on, looks at the balance."""
    merchant = living(f"payee-{next(_counter)}")
    own_wallet(merchant)
    story = LiveStory(merchant, node())
    quote = story.quote(ETH)
    address = quote.receive_address
    node().pay_inside(address.address, ETH, quote.amount_units)
    BalanceLook.objects.update(due_at=NOW)
    story.blocks()
    assert story.transfer().is_by_balance
    sighting = next(one for one in node().inner if one.address == address.address)
    look = BalanceLook.objects.get(address=address)
    balance = node().balance(address.address)
    tip = Tip(node().head.height)
    meeting = Meeting(2)

    def writes() -> None:
        meeting.wait()  # the look has read that only the balance shows it
        write()
        meeting.wait()

    def write() -> None:
        with transaction.atomic():
            invoice = lifecycle.locked(story.invoice.pk)
            unexplained.resolve(invoice, sighting, address=address, network=HOME, now=NOW)
            transfers.apply(invoice, sighting, address=address, network=HOME, tip=tip, now=NOW)
            settlement.settle(invoice, now=NOW)

    def looks() -> None:
        with transaction.atomic():
            invoice = lifecycle.locked(story.invoice.pk)
            unexplained.look(invoice, look.pk, balance, network=network(), tip=tip, stands=lambda _row: True, now=NOW)
            settlement.settle(invoice, now=NOW)

    recompute = unexplained._recompute

    def met(*args: Any, **named: Any) -> bool:
        meeting.wait()
        meeting.wait()  # and it is a transaction now
        return recompute(*args, **named)

    with patched((unexplained, "_recompute", met)):
        assert race(writes, looks) == [None, None]
    counted = Transfer.objects.filter(invoice=story.invoice).exclude(status="dropped")
    assert [(row.txid, row.amount_units) for row in counted] == [(sighting.txid, quote.amount_units)]
    assert story.fresh().pending_minor == 10_000


def test_a_transaction_and_a_look_at_its_balance_are_one_payment() -> None:
    looked_at_beside_its_transaction()


def test_without_the_invoices_lock_it_is_written_twice() -> None:
    with patched((lifecycle, "locked", unlocked), (search, "note", lambda *_noted: None)):
        assert failures(looked_at_beside_its_transaction) == TWIN_RUNS


def two_watchers_with_balances(claim: Any = None) -> None:
    merchant = living(f"payee-{next(_counter)}")
    own_wallet(merchant)
    story = LiveStory(merchant, node())
    quote = story.quote(ETH)
    node().pay_inside(quote.receive_address.address, ETH, quote.amount_units)
    node().mine(now=NOW)
    BalanceLook.objects.update(due_at=NOW)
    asked: list[int] = []
    meeting = Meeting(2)
    through = balances.ask

    def counted(*args: Any) -> Any:
        asked.append(1)
        meeting.wait()
        return through(*args)

    with patched((balances, "ask", counted), *([(watcher, "_claim", claim)] if claim else [])):
        race(*[lambda: watcher.read(HOME, now=NOW)] * 2)
    assert len(asked) == 1
    assert [row.is_by_balance for row in story.transfers()] == [True]


def test_two_watchers_look_once() -> None:
    two_watchers_with_balances()


def test_without_the_lease_both_look() -> None:
    def unclaimed(network_id: str, _now: Any) -> Any:
        return watcher.Cursor.objects.get_or_create(network=network_id)[0]

    assert failures(lambda: two_watchers_with_balances(unclaimed)) == TWIN_RUNS
