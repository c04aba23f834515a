"""Many quotes, one price: worked by hand, and against a second calculator in fractions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.rates import agree, figures
from payments.rates.agree import Agreed, Refused
from payments.rates.base import Quoted
from tests.factories import NOW

LABELS = ("Kraken", "Coinbase", "CoinGecko")
MINUTE = timedelta(minutes=1)


def quotes(*values: str | None, at: datetime = NOW) -> list[Quoted]:
    """Of Kraken, Coinbase and CoinGecko, in this order; None where one says nothing."""
    return [Quoted(label, "BTC", "USD", Decimal(value), at) for label, value in zip(LABELS, values, strict=False) if value]


def reference(value: str, at: datetime) -> Quoted:
    return Quoted("ECB", "USD", "TRY", Decimal(value), at, is_reference=True)


def decided(*values: str | None, last: str | None = None) -> tuple[str, str] | str:
    """The price and its sources, or the reason why none."""
    found = agree.decide(quotes(*values), last=Decimal(last) if last else None, now=NOW)
    return (str(found.value), found.source) if isinstance(found, Agreed) else found.reason


@pytest.mark.parametrize(
    ("values", "price"),
    [
        # one alone
        (("100",), ("100", "Kraken")),
        ((None, "100"), ("100", "Coinbase")),
        # two: the middle, or none
        (("100", "102"), ("101", "Kraken, Coinbase")),
        (("102", "100"), ("101", "Kraken, Coinbase")),
        (("100", "103"), ("101.5", "Kraken, Coinbase")),
        (("103", "100"), ("101.5", "Kraken, Coinbase")),
        (("100", "103.000000001"), "The sources do not agree: Kraken 100, Coinbase 103."),
        (("100", "200"), "The sources do not agree: Kraken 100, Coinbase 200."),
        # three: the one in the middle
        (("100", "102", "101"), ("101", "Kraken, Coinbase, CoinGecko")),
        (("102.9", "100", "100"), ("100", "Kraken, Coinbase, CoinGecko")),
        # one of three stands apart
        (("100", "101", "200"), ("100.5", "Kraken, Coinbase")),
        (("100", "50", "101"), ("100.5", "Kraken, CoinGecko")),
        (("1", "100", "101"), ("100.5", "Coinbase, CoinGecko")),
        (("0.000001", "100", "100"), ("100", "Coinbase, CoinGecko")),
        # each agrees with the one in the middle: that is the one that stands
        (("100", "102.5", "105"), ("102.5", "Kraken, Coinbase, CoinGecko")),
        # none agrees with another
        (("100", "104", "109"), "The sources do not agree: Kraken 100, Coinbase 104, CoinGecko 109."),
        (("100", "200", "300"), "The sources do not agree: Kraken 100, Coinbase 200, CoinGecko 300."),
        ((), "No source has a price."),
    ],
)
def test_the_price_that_sources_agree_on(values: tuple[str, ...], price: tuple[str, str] | str) -> None:
    assert decided(*values) == price


@pytest.mark.parametrize(
    ("values", "last", "price"),
    [
        (("115",), "100", ("115", "Kraken")),
        (("85",), "100", ("85", "Kraken")),
        (("115.01",), "100", "Kraken alone says 115.01, after 100. A second source has to agree."),
        (("84.99",), "100", "Kraken alone says 84.99, after 100. A second source has to agree."),
        (("0.01",), "100", "Kraken alone says 0.01, after 100. A second source has to agree."),
        (("40", "41"), "100", ("40.5", "Kraken, Coinbase")),  # a real crash
        (("40", "100", "41"), "100", ("40.5", "Kraken, CoinGecko")),  # of which one has not heard
        (("1000", "100", "101"), "100", ("100.5", "Coinbase, CoinGecko")),
        (("40", "100"), "100", "The sources do not agree: Kraken 40, Coinbase 100."),
        (("1000000",), None, ("1000000", "Kraken")),  # the first one there is
    ],
)
def test_a_jump_needs_a_second_source(values: tuple[str, ...], last: str | None, price: tuple[str, str] | str) -> None:
    assert decided(*values, last=last) == price


def test_only_a_lone_jump_may_be_answered_by_a_cross_and_only_silence_keeps_the_last_price() -> None:
    def flags(*values: str) -> tuple[bool, bool]:
        found = agree.decide(quotes(*values), last=Decimal(100), now=NOW)
        assert isinstance(found, Refused)
        return found.is_silence, found.is_jump

    assert (flags(), flags("200"), flags("100", "200")) == ((True, False), (False, True), (False, False))


@pytest.mark.parametrize(
    ("age", "found"),
    [
        (timedelta(), "100"),
        (10 * MINUTE, "100"),
        (10 * MINUTE + timedelta(seconds=1), "The newest price, of Kraken, is too old."),
        (-2 * MINUTE, "100"),
        (-3 * MINUTE, "Kraken gives a time that is still to come."),
    ],
)
def test_a_price_counts_for_ten_minutes(age: timedelta, found: str) -> None:
    answer = agree.decide(quotes("100", at=NOW - age), last=None, now=NOW)
    assert (str(answer.value) if isinstance(answer, Agreed) else answer.reason) == found


def test_a_price_is_as_old_as_the_oldest_that_was_used_and_never_from_the_future() -> None:
    old, new = quotes("100", at=NOW - 4 * MINUTE), [Quoted("Coinbase", "BTC", "USD", Decimal(101), NOW)]
    apart = [Quoted("CoinGecko", "BTC", "USD", Decimal(500), NOW - 9 * MINUTE)]
    assert agree.decide(old + new + apart, last=None, now=NOW) == Agreed(Decimal("100.5"), "Kraken, Coinbase", NOW - 4 * MINUTE, 2)
    ahead = agree.decide(quotes("100", at=NOW + MINUTE), last=None, now=NOW)
    assert isinstance(ahead, Agreed)
    assert ahead.at == NOW


def test_an_old_quote_neither_confirms_nor_contradicts() -> None:
    stale = quotes("100", at=NOW - 11 * MINUTE)
    fresh = [Quoted("Coinbase", "BTC", "USD", Decimal(200), NOW)]
    assert agree.decide(stale + fresh, last=None, now=NOW) == Agreed(Decimal(200), "Coinbase", NOW, 1)


FRIDAY = datetime(2026, 11, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "counts"),
    [
        (datetime(2026, 11, 16, 9, tzinfo=UTC), True),
        (datetime(2026, 11, 18, 23, tzinfo=UTC), True),
        (datetime(2026, 11, 19, tzinfo=UTC), False),
    ],
)
def test_a_reference_rate_holds_over_a_weekend_and_no_longer_than_five_days(day: datetime, counts: bool) -> None:
    found = agree.decide([reference("36.5", FRIDAY)], last=None, now=day)
    assert found == (Agreed(Decimal("36.5"), "ECB", day, 1) if counts else Refused("The newest price, of ECB, is too old.", is_silence=True))


def test_a_reference_rate_is_used_only_where_no_exchange_quotes() -> None:
    exchange = Quoted("Coinbase", "USD", "TRY", Decimal("40.1"), NOW)
    assert agree.decide([reference("36.5", NOW), exchange], last=None, now=NOW) == Agreed(Decimal("40.1"), "Coinbase", NOW, 1)


def test_a_cross_names_both_parts_and_is_as_old_as_the_older() -> None:
    price, cross = Agreed(Decimal("96000.5"), "Kraken, Coinbase", NOW, 2), Agreed(Decimal("36.5"), "ECB", NOW - MINUTE, 1)
    assert agree.crossed(price, cross) == Agreed(Decimal("3504018.25"), "Kraken, Coinbase × ECB", NOW - MINUTE, 1)


def test_a_cross_beyond_the_size_of_a_price_is_none() -> None:
    huge = Agreed(Decimal("900000000000"), "Kraken", NOW, 1)
    assert agree.crossed(huge, huge) == Refused("900000000000 × 900000000000 is no price.")


# --- the rules, written another way -----------------------------------------------------------------------------
PRICES = st.one_of(
    st.decimals("0.0001", "1000000", places=4),
    st.integers(9_500, 10_800).map(lambda cents: Decimal(cents) / 100),  # close to each other, and to the limits
)


def as_documented(values: list[Fraction], last: Fraction | None) -> Fraction | None:
    """Two or more: the median of those that agree within 3 %, without one that stands apart. One: unless it jumps 15 %."""
    if len(values) == 1:
        return values[0] if last is None or Fraction(85, 100) * last <= values[0] <= Fraction(115, 100) * last else None
    low, high = min(values), max(values)
    if len(values) == 2:
        return (low + high) / 2 if high / low <= Fraction(103, 100) else None
    middle = sorted(values)[1]
    below, above = middle / low <= Fraction(103, 100), high / middle <= Fraction(103, 100)
    if below and above:
        return middle
    return (low + middle) / 2 if below else (middle + high) / 2 if above else None


@settings(max_examples=400, deadline=None)
@given(st.lists(PRICES, min_size=1, max_size=3), st.none() | PRICES)
def test_decisions_are_those_of_the_rules_in_fractions(values: list[Decimal], last: Decimal | None) -> None:
    found = agree.decide(quotes(*(format(value, "f") for value in values)), last=last, now=NOW)
    expected = as_documented([Fraction(value) for value in values], None if last is None else Fraction(last))
    assert (Fraction(found.value) if isinstance(found, Agreed) else None) == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(PRICES, min_size=1, max_size=3), st.randoms())
def test_the_order_of_the_sources_decides_nothing(values: list[Decimal], random) -> None:
    given_ones = quotes(*(format(value, "f") for value in values))
    turned = given_ones[:]
    random.shuffle(turned)
    one, other = (agree.decide(found, last=None, now=NOW) for found in (given_ones, turned))
    assert isinstance(one, Agreed) == isinstance(other, Agreed)
    if isinstance(one, Agreed) and isinstance(other, Agreed):
        assert (one.value, one.count) == (other.value, other.count)


@settings(max_examples=200, deadline=None)
@given(st.decimals("0.000000000001", "999999999999", allow_nan=False), st.decimals("0.000000000001", "999999999999", allow_nan=False))
def test_every_price_and_every_product_is_one_that_fits_its_column(one: Decimal, other: Decimal) -> None:
    for value in (figures.within(one), figures.product(one, other), figures.inverse(one)):
        if value is not None:
            assert value > 0
            assert len(format(value, "f")) <= 40
            assert figures.price(format(value, "f")) == value
