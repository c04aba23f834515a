"""Two workers that refresh the prices at once."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest

from payments.models import PastPrices, Price
from payments.rates import gathering
from payments.rates.base import Pair, Quoted, Wanted
from tests.factories import NOW
from tests.payments.prices import forget_prices, set_price
from tests.races.harness import TWIN_RUNS, Meeting, failures, patched, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

WANTED = Wanted(names=("ETH",), fiats=("USD", "EUR"), currencies=("EUR", "USD"))
ALONE = [Quoted("Kraken", "ETH", "USD", Decimal(1500), NOW)]
TOGETHER = [*ALONE, Quoted("Coinbase", "ETH", "USD", Decimal(1510), NOW)]


def unlocked(wanted: Wanted) -> dict[Pair, Price]:
    return {(row.name, row.currency): row for row in Price.objects.filter(name__in=wanted.names)}


def one_hears_of_a_crash_from_one_source_and_the_other_from_two() -> None:
    """Whoever is first: once two sources have agreed, nobody refuses it for the price before."""
    forget_prices()
    set_price("ETH", "USD", "3000", at=NOW)
    meeting, decide_all, agreed = Meeting(2), gathering.decide_all, threading.Event()

    def slowly(wanted: Wanted, quotes: list[Quoted], last: Any, **named: Any) -> Any:
        meeting.wait()
        if len(quotes) == 1:
            agreed.wait(timeout=0.5)
        return decide_all(wanted, quotes, last, **named)

    def together() -> None:
        gathering._store(WANTED, TOGETHER, NOW)
        agreed.set()

    with patched((gathering, "decide_all", slowly)):
        results = race(lambda: gathering._store(WANTED, ALONE, NOW), together)
    assert not [found for found in results if isinstance(found, Exception)]
    row = Price.objects.get(name="ETH", currency="USD")
    assert (row.value, row.refused) in (("1505", ""), ("1500", ""))


def test_a_crash_that_two_sources_agree_on_is_not_refused_by_a_worker_that_heard_of_it_from_one() -> None:
    one_hears_of_a_crash_from_one_source_and_the_other_from_two()


def test_without_the_lock_it_is() -> None:
    with patched((gathering, "_locked", unlocked)):
        assert failures(one_hears_of_a_crash_from_one_source_and_the_other_from_two) == TWIN_RUNS


def test_two_first_refreshes_at_once_store_each_price_once() -> None:
    meeting = Meeting(2)
    with patched((gathering, "decide_all", meeting.before(gathering.decide_all))):
        results = race(*[lambda: gathering._store(WANTED, TOGETHER, NOW)] * 2)
    assert not [found for found in results if isinstance(found, Exception)]
    assert list(Price.objects.values_list("name", "currency", "value")) == [("ETH", "USD", "1505")]
    assert PastPrices.objects.count() == 1
