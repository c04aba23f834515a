"""What a transfer counts for: literal cases of payments.credit.decide, and a property over random ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.credit import Credit, Offer, at_offer, at_rate, decide, moved_little
from payments.rates import Rate

T0 = datetime(2026, 11, 17, 10, 0, tzinfo=UTC)
MIN = timedelta(minutes=1)
RATE = Rate(Decimal("0.92"), "EUR", "Kraken", T0)


def offer(units: int = 108_700_000, fiat: int = 10_000, *, id: int = 1, minute: int = 0, rate: Rate = RATE) -> Offer:
    return Offer(id, units, fiat, rate, T0 + minute * MIN, T0 + (minute + 15) * MIN)


def credit(units: int, *, minute: float, offers: list[Offer], policy: str = "rate", current: Rate | None = RATE) -> Credit:
    return decide(units, arrived_at=T0 + minute * MIN, offers=offers, grace=5 * MIN, policy=policy, current=current, decimals=6, digits=2)


def test_paying_exactly_the_quote_credits_exactly_its_fiat_amount() -> None:
    found = credit(108_700_000, minute=3, offers=[offer()])
    assert (found.minor, found.reason, found.is_late) == (10_000, "exact", False)


@pytest.mark.parametrize(
    ("units", "minor"),
    [
        (54_350_000, 5_000),  # half
        (108_699_999, 9_999),  # one unit short is floored, not forgiven
        (108_700_001, 10_000),  # one unit more is not a cent more
        (217_400_000, 20_000),
        (1, 0),
    ],
)
def test_more_or_less_counts_pro_rata_and_floored(units: int, minor: int) -> None:
    found = credit(units, minute=3, offers=[offer()])
    assert (found.minor, found.reason) == (minor, "pro_rata")


@pytest.mark.parametrize(("minute", "late"), [(15, False), (20, False), (20.01, True)])
def test_in_time_is_within_the_lock_and_the_networks_grace(minute: float, late: bool) -> None:
    assert credit(108_700_000, minute=minute, offers=[offer()]).is_late is late


def test_among_quotes_in_time_the_one_asked_for_exactly_this_amount_wins() -> None:
    older, newer = offer(108_700_000, 10_000, id=1), offer(110_000_000, 10_000, id=2, minute=2)
    assert credit(108_700_000, minute=4, offers=[older, newer]).offer == older
    assert credit(100_000_000, minute=4, offers=[older, newer]).offer == newer


def test_a_quote_made_after_the_money_arrived_is_not_what_was_paid() -> None:
    there, after = offer(108_700_000, 10_000, id=1), offer(54_350_000, 10_000, id=2, minute=12)
    assert (credit(100_000_000, minute=5, offers=[there, after]).minor, credit(100_000_000, minute=12, offers=[there, after]).minor) == (
        9_199,
        18_399,
    )
    assert credit(54_350_000, minute=5, offers=[there, after]).offer == after  # to the unit: its block's time was early
    assert credit(100_000_000, minute=5, offers=[after]).offer == after


def test_late_within_two_percent_keeps_the_locked_rate() -> None:
    found = credit(108_700_000, minute=60, offers=[offer()], current=Rate(Decimal("0.9383"), "EUR", "Kraken", T0))
    assert (found.minor, found.reason, found.is_late) == (10_000, "late_locked", True)


def test_late_after_the_price_moved_two_percent_takes_the_rate_of_that_time() -> None:
    found = credit(108_700_000, minute=60, offers=[offer()], current=Rate(Decimal("0.9384"), "EUR", "Kraken", T0))
    assert (found.minor, found.reason, found.is_late) == (10_200, "late_rate", True)  # 108.7 × 0.9384 = 102.00408


def test_late_under_the_hold_policy_waits_for_the_merchant() -> None:
    found = credit(108_700_000, minute=60, offers=[offer()], policy="hold")
    assert (found.minor, found.is_held, found.is_late) == (None, True, True)


def test_late_without_a_price_is_held_and_never_zero() -> None:
    found = credit(108_700_000, minute=60, offers=[offer()], current=None)
    assert (found.minor, found.reason, found.is_held) == (None, "held", True)


def test_a_token_nobody_asked_a_quote_for_counts_at_the_rate_of_its_time() -> None:
    found = credit(50_000_000, minute=3, offers=[])
    assert (found.minor, found.reason, found.is_late) == (4_600, "no_quote", False)


def test_a_move_of_exactly_two_percent_is_not_little() -> None:
    assert moved_little(Decimal("100"), Decimal("101.9999"))
    assert not moved_little(Decimal("100"), Decimal("102"))
    assert not moved_little(Decimal("100"), Decimal("98"))
    assert moved_little(Decimal("100"), Decimal("98.0001"))


@given(st.integers(1, 2**256 - 1), st.integers(1, 2**256 - 1), st.integers(1, 10**15))
def test_pro_rata_agrees_with_exact_fractions(units: int, asked: int, fiat: int) -> None:
    exact = Fraction(units) * fiat / asked
    assert at_offer(units, offer(asked, fiat)) == exact.numerator // exact.denominator


@given(st.integers(1, 2**256 - 1), st.decimals("0.00000001", "1000000", places=8), st.integers(0, 18), st.integers(0, 3))
def test_value_at_a_rate_agrees_with_exact_fractions(units: int, rate: Decimal, decimals: int, digits: int) -> None:
    exact = Fraction(units, 10**decimals) * Fraction(rate) * 10**digits
    assert at_rate(units, rate, decimals=decimals, digits=digits) == exact.numerator // exact.denominator
