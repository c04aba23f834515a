"""What a refund takes from which payment, and what that is in the asset it goes out in: literal cases, and a property over
random ones against the rule in fractions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merchants import assets
from payments import shares
from payments.rates import Rate
from payments.shares import CannotRefund, Part, Reckoned, Source, after_deduction, at_rate, pro_rata, reckon, spread
from tests.payments.money import BTC, ETH, USDT

T0 = datetime(2026, 11, 17, 10, 0, tzinfo=UTC)
RATE = Rate(Decimal("0.92"), "EUR", "Kraken", T0 + timedelta(days=3))
NOT_SO_MUCH = "That is more than is left of these payments. Refund less, or choose more of them."
NOTHING = "Nothing would go back. Choose another amount, or a smaller deduction."


def source(number: int, credit: int, *, taken: int = 0, units: int = 0, asset: str = USDT, day: int = 0) -> Source:
    """Payment `number`, of `day`; without `units` as many smallest units as ten thousand times its credit."""
    return Source(("transfer", number), T0 + timedelta(days=day), credit, taken, asset, units or credit * 10_000)


def by_hand(number: int, credit: int, *, taken: int = 0) -> Source:
    return Source(("payment", number), T0, credit, taken)


def reckoned(
    basis: str,
    *sources: Source,
    asset: str = USDT,
    rate: Rate | None = RATE,
    over: int = 0,
    other: int = 0,
    deduction: int = 0,
    currency: str = "EUR",
) -> Reckoned:
    return reckon(
        basis,
        sources,
        asset=assets.asset(asset),
        currency=currency,
        rate=rate,
        over_minor=over,
        other_minor=other,
        deduction_e4=deduction,
    )


def taken(parts: tuple[Part, ...]) -> list[tuple[int, int]]:
    return [(part.source.key[1], part.minor) for part in parts]


# --- which payment ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("credit", "gone", "left", "short"),
    [(100, 0, 100, 0), (100, 40, 60, 0), (100, 100, 0, 0), (60, 100, 0, 40), (0, 100, 0, 100), (0, 0, 0, 0)],
)
def test_what_is_left_of_a_payment_and_what_is_short(credit: int, gone: int, left: int, short: int) -> None:
    found = source(1, credit, taken=gone)
    assert (found.left_minor, found.short_minor) == (left, short)


@pytest.mark.parametrize(
    ("minor", "expected"),
    [
        (1, [(3, 1)]),
        (3_000, [(3, 3_000)]),  # the latest alone
        (3_001, [(3, 3_000), (2, 1)]),
        (4_000, [(3, 3_000), (2, 1_000)]),  # of the one in between 4,000 have gone back already
        (11_000, [(3, 3_000), (2, 1_000), (1, 7_000)]),
    ],
)
def test_the_latest_payment_goes_back_first(minor: int, expected: list[tuple[int, int]]) -> None:
    paid = [source(1, 7_000, day=0), source(3, 3_000, day=2), source(2, 5_000, taken=4_000, day=1)]
    assert taken(spread(minor, paid)) == expected


def test_of_payments_of_the_same_moment_the_later_written_one_goes_first() -> None:
    assert taken(spread(50, [source(1, 100), source(2, 100)])) == [(2, 50)]


@pytest.mark.parametrize("paid", [[], [source(1, 100)], [source(1, 100, taken=60), source(2, 60)], [source(1, 0, taken=500), source(2, 100)]])
def test_never_more_than_is_left(paid: list[Source]) -> None:
    with pytest.raises(CannotRefund) as refused:
        spread(101, paid)
    assert str(refused.value) == NOT_SO_MUCH


def test_a_payment_that_is_short_lends_nothing_and_takes_nothing_from_the_others() -> None:
    paid = [source(1, 100), source(2, 0, taken=300, day=1)]
    assert taken(spread(100, paid)) == [(1, 100)]


# --- what that is in the asset ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("basis", "more", "amount", "units"),
    [
        ("paid", {}, 10_000, 108_700_000),  # exactly what came
        ("paid", {"deduction": 100_000}, 9_000, 97_830_000),  # less 10 %
        ("paid", {"deduction": 333_333}, 6_666, 72_450_000),  # 66.6667 % of 100.00, floored to the cent; 72.459…, down to a payable cent
        ("paid", {"deduction": 999_999}, 0, None),
        ("surplus", {"over": 150}, 150, 1_630_000),  # 1.6305
        ("surplus", {"over": 20_000}, 10_000, 108_700_000),  # no more than the payments chosen
        ("surplus", {"over": 0}, 0, None),
        ("today", {}, 10_000, 108_690_000),  # 100 / 0.92 = 108.695652…, down to a payable cent
        ("today", {"deduction": 500_000}, 5_000, 54_340_000),
        ("other", {"other": 4_000}, 4_000, 43_470_000),
        ("other", {"other": 4_000, "deduction": 250_000}, 3_000, 32_600_000),
        ("other", {"other": 0}, 0, None),
        ("other", {"other": -5}, 0, None),
    ],
)
def test_what_each_basis_sends_back_of_a_payment_of_one_hundred_euros(basis: str, more: dict[str, int], amount: int, units: int | None) -> None:
    paid = source(1, 10_000, units=108_700_000)
    if units is None:
        with pytest.raises(CannotRefund) as refused:
            reckoned(basis, paid, **more)  # type: ignore[arg-type]
        assert str(refused.value) == NOTHING
        return
    found = reckoned(basis, paid, **more)  # type: ignore[arg-type]
    assert (found.amount_minor, found.units, found.about_units) == (amount, units, units)


def test_the_basis_before_the_deduction_is_told() -> None:
    assert reckoned("paid", source(1, 10_000), deduction=100_000).basis_minor == 10_000
    assert reckoned("surplus", source(1, 10_000), over=700, deduction=100_000).basis_minor == 700


def test_what_was_paid_goes_back_at_the_rate_it_was_credited_at() -> None:
    found = reckoned("paid", source(1, 10_000, units=108_600_000), rate=None)
    assert found.rate == Rate(Decimal("0.920810313075506446"), "EUR", "credited", T0)


def test_the_rate_of_what_was_paid_names_the_time_of_the_latest_payment() -> None:
    found = reckoned("paid", source(1, 4_000, day=1), source(2, 6_000, day=4))
    assert found.rate is not None and found.rate.at == T0 + timedelta(days=4)


def test_the_market_rate_stands_with_what_it_decided() -> None:
    assert reckoned("today", source(1, 10_000)).rate == RATE
    assert reckoned("surplus", source(1, 10_000, asset=ETH), over=500).rate == RATE  # in another token than it came in


def test_an_amount_in_the_invoices_currency_is_fixed_later_and_says_about_what_it_is() -> None:
    found = reckoned("fiat", source(1, 10_000))
    assert (found.amount_minor, found.units, found.about_units, found.rate) == (10_000, None, 108_690_000, RATE)


def test_an_amount_in_the_invoices_currency_can_be_asked_for_without_a_rate() -> None:
    found = reckoned("fiat", source(1, 10_000), rate=None)
    assert (found.amount_minor, found.units, found.about_units, found.rate) == (10_000, None, None, None)


@pytest.mark.parametrize("basis", ["today", "other"])
def test_without_a_rate_there_is_no_amount(basis: str) -> None:
    with pytest.raises(CannotRefund, match="There is no price for USDT on Sandbox now"):
        reckoned(basis, source(1, 10_000), rate=None, other=4_000)


def test_a_surplus_in_another_token_than_it_came_in_needs_a_rate_and_in_the_same_none() -> None:
    with pytest.raises(CannotRefund, match="There is no price for BTC on Sandbox now"):
        reckoned("surplus", source(1, 10_000), asset=BTC, rate=None, over=500)
    assert reckoned("surplus", source(1, 10_000, units=100_000_000), rate=None, over=500).units == 5_000_000


@pytest.mark.parametrize(
    "paid", [[source(1, 5_000), source(2, 5_000, asset=ETH, day=1)], [source(1, 5_000), by_hand(1, 5_000)], [by_hand(1, 10_000)]]
)
def test_only_what_came_in_the_token_goes_back_as_it_was_paid(paid: list[Source]) -> None:
    with pytest.raises(CannotRefund, match="Not all of this was paid in USDT on Sandbox"):
        reckoned("paid", *paid)


def test_a_payment_recorded_by_hand_goes_back_at_todays_rate() -> None:
    found = reckoned("today", by_hand(1, 9_200))
    assert (found.units, taken(found.parts)) == (100_000_000, [(1, 9_200)])


def test_what_is_too_little_to_send_is_refused() -> None:
    dear = Rate(Decimal("1000000"), "EUR", "Kraken", T0)
    with pytest.raises(CannotRefund, match="That is less than can be sent in USDT on Sandbox"):
        reckoned("today", source(1, 10), rate=dear)
    with pytest.raises(CannotRefund, match="That is less than can be sent in USDT on Sandbox"):
        reckoned("fiat", source(1, 10), rate=dear)
    with pytest.raises(CannotRefund, match="That is less than can be sent in USDT on Sandbox"):
        reckoned("paid", source(1, 10_000, units=1), deduction=1)


@pytest.mark.parametrize(
    ("asset", "units", "expected"),
    [
        (BTC, 100, 33 + 66),  # wallets can pay its last digit
        (USDT, 100_000, 90_000),  # 33_333 and 66_666, down to a payable cent; a third and two thirds of it would be ten of them
    ],
)
def test_each_payment_is_floored_for_itself_and_all_together_to_what_wallets_can_pay(asset: str, units: int, expected: int) -> None:
    parts = (Part(source(1, 3, units=units, asset=asset), 1), Part(source(2, 3, units=units, asset=asset), 2))
    assert pro_rata(parts, assets.asset(asset)) == expected


def test_payments_that_go_back_whole_go_back_to_the_last_unit() -> None:
    first, second = source(1, 3, units=1_000_003), source(2, 5, units=2_000_004)
    assert pro_rata((Part(first, 3), Part(second, 5)), assets.asset(USDT)) == 3_000_007
    assert pro_rata((Part(first, 3), Part(second, 4)), assets.asset(USDT)) == 2_600_000  # 1_000_003 and 1_600_003


@pytest.mark.parametrize("basis", ["today", "fiat", "other"])
def test_nothing_goes_out_that_is_less_than_its_network_sends(basis: str) -> None:
    """546 satoshi: at 100,000 EUR for a bitcoin 54.6 cents."""
    price = Rate(Decimal("100000"), "EUR", "Kraken", T0)
    assert reckoned(basis, by_hand(1, 55), asset=BTC, rate=price, other=55).about_units == 550
    with pytest.raises(CannotRefund, match="That is less than can be sent in BTC on Sandbox"):
        reckoned(basis, by_hand(1, 54), asset=BTC, rate=price, other=54)


def test_not_even_a_whole_payment_goes_back_in_less_than_its_network_sends() -> None:
    assert reckoned("paid", source(1, 1, units=10_000)).units == 10_000
    with pytest.raises(CannotRefund, match="That is less than can be sent in USDT on Sandbox"):
        reckoned("paid", source(1, 1, units=9_999))


def test_a_payment_that_goes_back_in_pieces_never_sends_more_than_came() -> None:
    first = reckoned("other", source(1, 10_000, units=108_600_001), other=3_333)
    assert first.amount_minor == 3_333
    pieces = [reckoned("paid", source(1, 10_000, units=108_600_001, taken=gone), deduction=cut) for gone, cut in ((0, 666_700), (3_333, 0))]
    assert [(piece.amount_minor, piece.units) for piece in pieces] == [(3_333, 36_190_000), (6_667, 72_400_000)]  # 36.19638 and 72.40362
    assert sum(piece.units or 0 for piece in pieces) == 108_590_000  # of 108_600_001


@pytest.mark.parametrize(
    ("minor", "rate", "asset", "currency", "units"),
    [
        (10_000, "0.92", USDT, "EUR", 108_690_000),
        (10_000, "3208.1031307551", ETH, "EUR", 31_171_060_000_000_000),  # to eight of its eighteen decimals
        (10_000, "94861.878453038", BTC, "EUR", 105_416),
        (500, "148.25", USDT, "JPY", 3_370_000),  # yen have no cents: 3.3726…
        (10_000, "0.307", USDT, "KWD", 32_570_000),  # dinars have three: 10.000 is 32.573…
        (1, "0.92", USDT, "EUR", 10_000),
        (1, "1.01", USDT, "EUR", 0),
    ],
)
def test_at_a_rate_it_is_floored_to_what_wallets_can_pay(minor: int, rate: str, asset: str, currency: str, units: int) -> None:
    assert at_rate(minor, Decimal(rate), assets.asset(asset), currency=currency) == units


@pytest.mark.parametrize(
    ("minor", "deduction", "rest"), [(10_000, 0, 10_000), (10_000, 25_000, 9_750), (999, 1, 998), (1, 500_000, 0), (3, 333_333, 2)]
)
def test_a_deduction_is_rounded_in_the_merchants_favour(minor: int, deduction: int, rest: int) -> None:
    assert after_deduction(minor, deduction) == rest


# --- the rule in fractions ----------------------------------------------------------------------------------------
class Worked:
    """The rule on paper: a purse per payment, emptied from the newest down, in exact fractions."""

    def __init__(self, sources: list[Source]) -> None:
        self.purses = [[source, Fraction(max(source.credit_minor - source.taken_minor, 0))] for source in sources]
        self.purses.sort(key=lambda purse: (-(purse[0].at - T0).total_seconds(), -purse[0].key[1]))  # type: ignore[union-attr]

    def take(self, amount: int) -> dict[int, int] | None:
        """What comes out of which; None when there is not so much."""
        out: dict[int, int] = {}
        for _cent in range(amount):
            purse = next((purse for purse in self.purses if purse[1] > 0), None)
            if purse is None:
                return None
            purse[1] -= 1  # type: ignore[operator]
            out[purse[0].key[1]] = out.get(purse[0].key[1], 0) + 1  # type: ignore[union-attr]
        return out


@st.composite
def payments(draw: st.DrawFn) -> list[Source]:
    count = draw(st.integers(1, 4))
    amounts = st.integers(1, 300)
    return [
        source(number, draw(amounts), taken=draw(st.integers(0, 300)), units=draw(st.integers(1, 10**9)), day=draw(st.integers(0, 2)))
        for number in range(1, count + 1)
    ]


@given(payments(), st.integers(0, 999_999))
def test_what_was_paid_goes_back_by_the_rule_on_paper(paid: list[Source], deduction: int) -> None:
    left = sum(max(one.credit_minor - one.taken_minor, 0) for one in paid)
    amount = int(Fraction(left) * (1 - Fraction(deduction, 10**6)))
    expected = Worked(paid).take(amount) or {}
    units = sum(int(Fraction(one.units) * expected.get(one.key[1], 0) / one.credit_minor) for one in paid)
    if any(minor < paid[number - 1].credit_minor for number, minor in expected.items()):  # not every payment goes back whole
        units = units // 10_000 * 10_000
    try:
        found = reckoned("paid", *paid, deduction=deduction)
    except CannotRefund:
        assert amount == 0 or units < 10_000
        return
    assert units >= 10_000
    assert (found.amount_minor, dict(taken(found.parts)), found.units) == (amount, expected, units)


@given(payments(), st.integers(1, 1_500))
def test_another_amount_comes_from_the_newest_or_is_refused(paid: list[Source], wanted: int) -> None:
    expected = Worked(paid).take(wanted)
    try:
        found = reckoned("other", *paid, other=wanted, rate=Rate(Decimal("0.0001"), "EUR", "Kraken", T0))
    except CannotRefund:
        assert expected is None
        return
    assert dict(taken(found.parts)) == expected
    assert all(part.minor <= part.source.left_minor for part in found.parts)


@given(st.integers(1, 10**12), st.decimals("0.0001", "200000", places=6), st.sampled_from([USDT, ETH, BTC]), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_what_goes_out_is_never_worth_more_than_the_amount(minor: int, rate: Decimal, asset_id: str, currency: str) -> None:
    asset = assets.asset(asset_id)
    places = {"EUR": 2, "JPY": 0, "KWD": 3}[currency]
    units = shares.at_rate(minor, rate, asset, currency=currency)
    exact = Fraction(minor, 10**places) / Fraction(rate) * 10**asset.decimals
    assert units % asset.payable_unit == 0
    assert units <= exact < units + asset.payable_unit
