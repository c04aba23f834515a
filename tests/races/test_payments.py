"""Two payers at once, and the same transfer seen by several."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from invoicing import lifecycle, search
from invoicing.models import Invoice
from merchants.models import Event
from payments import addresses, credit, quotes, settlement, transfers, watcher
from payments.confirmations import Tip
from payments.models import Cursor, Quote, ReceiveAddress, Transfer
from payments.rails import Sighting, rail_for, sandbox
from tests.factories import make_merchant
from tests.payments.money import ETH, NETWORK, USDT, Story
from tests.races.harness import PATIENCE, TWIN_RUNS, Meeting, failures, patched, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

_counter = iter(range(10_000))


def story() -> Story:
    return Story(make_merchant(slug=f"payee-{next(_counter)}"))


def unlocked(pk: int) -> Invoice:
    return Invoice.objects.get(pk=pk)


def mined(told: Story, *paid: Quote) -> list[Sighting]:
    """The payments of `paid` as the chain shows them, final; not yet read by the watcher."""
    for quote in paid:
        told.pay(quote=quote)
    for _block in range(4):
        sandbox.mine(now=told.now)
    head = rail_for(NETWORK).head()
    assert head
    return rail_for(NETWORK).scan({quote.receive_address.address for quote in paid}, first=0, last=head.height)


def apply(told: Story, sighting: Sighting) -> None:
    head = rail_for(NETWORK).head()
    address = ReceiveAddress.objects.get(invoice=told.invoice)
    assert head
    with transaction.atomic():
        invoice = lifecycle.locked(told.invoice.pk)
        transfers.apply(invoice, sighting, address=address, network=NETWORK, tip=Tip(head.height), now=told.now)
        settlement.settle(invoice, now=told.now)


def two_payers_pay_halves() -> None:
    told = story()
    half = told.quote(USDT)
    told.pay(units=half.amount_units // 2, quote=half)
    told.pay(units=half.amount_units // 2, quote=half)
    for _block in range(4):
        sandbox.mine(now=told.now)
    head = rail_for(NETWORK).head()
    assert head
    first, second = rail_for(NETWORK).scan({half.receive_address.address}, first=0, last=head.height)
    meeting = Meeting(2)
    with patched((settlement, "add_up", meeting.before(settlement.add_up))):
        assert race(lambda: apply(told, first), lambda: apply(told, second)) == [None, None]
    invoice = told.fresh()
    assert (invoice.status, invoice.credited_minor) == ("paid", 10_000)
    assert Event.objects.filter(subject_id=invoice.pk, kind="invoice.paid").count() == 1


def test_two_payers_paying_at_once_both_count_and_it_is_paid_once() -> None:
    two_payers_pay_halves()


def test_without_the_invoices_lock_one_payer_overlooks_the_other() -> None:
    unnoted = (search, "note", lambda *_noted: None)  # it touches the invoice's row, and so would make them wait too
    with patched((lifecycle, "locked", unlocked), unnoted):
        assert failures(two_payers_pay_halves) == TWIN_RUNS


def the_same_transfer_seen_three_times() -> None:
    told = story()
    (sighting,) = mined(told, told.quote())
    meeting = Meeting(3)
    with patched((credit, "decide", meeting.before(credit.decide))):
        assert race(*[lambda: apply(told, sighting)] * 3) == [None, None, None]
    assert Transfer.objects.filter(invoice=told.invoice).count() == 1
    kinds = told.kinds()
    assert (kinds.count("payment.detected"), kinds.count("payment.confirmed"), kinds.count("invoice.paid")) == (1, 1, 1)
    assert told.fresh().credited_minor == 10_000


def test_the_same_transfer_seen_three_times_counts_once() -> None:
    the_same_transfer_seen_three_times()


def test_without_the_invoices_lock_two_of_the_three_are_turned_away_by_the_constraint() -> None:
    with patched((lifecycle, "locked", unlocked)):
        assert failures(the_same_transfer_seen_three_times) == TWIN_RUNS
    assert all(row.transfers.count() == 1 for row in Invoice.objects.all())


def two_payers_ask_at_once() -> None:
    told = story()
    meeting = Meeting(2)
    with patched((addresses, "receive_address", meeting.before(addresses.receive_address))):
        first, second = race(*[lambda: quotes.ask(told.invoice, ETH, now=told.now)] * 2)
    assert isinstance(first, Quote) and first == second
    assert (Quote.objects.filter(invoice=told.invoice).count(), ReceiveAddress.objects.filter(invoice=told.invoice).count()) == (1, 1)


def test_two_payers_asking_at_once_get_the_same_quote_and_address() -> None:
    two_payers_ask_at_once()


def test_without_the_invoices_lock_two_payers_collide() -> None:
    with patched((lifecycle, "locked", unlocked)):
        assert failures(two_payers_ask_at_once, patience=PATIENCE) == TWIN_RUNS


def two_watchers_on_one_network(claim: Any = None) -> None:
    told = story()
    told.look()
    told.pay()
    passes: list[int] = []
    meeting = Meeting(2)
    through = watcher._pass

    def counted(*args: Any) -> int:
        passes.append(1)
        meeting.wait()
        return through(*args)

    with patched((watcher, "_pass", counted), *([(watcher, "_claim", claim)] if claim else [])):
        race(*[lambda: watcher.read(NETWORK, now=told.now)] * 2)
    assert len(passes) == 1


def test_two_workers_never_read_the_same_blocks() -> None:
    two_watchers_on_one_network()


def test_without_the_cursors_lease_both_read() -> None:
    def unclaimed(network_id: str, _now: Any) -> Cursor:
        return Cursor.objects.get(network=network_id)

    assert failures(lambda: two_watchers_on_one_network(unclaimed)) == TWIN_RUNS
