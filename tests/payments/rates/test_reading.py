"""What stands in the database, read: for now, for a moment in the past, and as a merchant counts."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.models import Invoice
from merchants import assets
from merchants.models import Merchant
from payments import quotes, rates
from payments.models import Price, Quote, Wallet
from payments.rates import reading
from tests.factories import NOW, make_merchant
from tests.payments.prices import forget_prices, set_past_price, set_price, set_prices

MINUTE = timedelta(minutes=1)
ETH = assets.asset("eip155:1/slip44:60")
POL = assets.asset("eip155:137/slip44:966")
USDT = assets.asset("eip155:1/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7")
USDT_POLYGON = assets.asset("eip155:137/erc20:0xc2132D05D31c914a87C6611C10748AEb04B58e8F")
SANDBOX_ETH = assets.asset("sandbox:harbour/slip44:60")

pytestmark = pytest.mark.django_db


@pytest.fixture
def live() -> Merchant:
    return make_merchant(is_test=False, accepted_assets=[ETH.id, USDT.id])


def price(asset: assets.Asset = ETH, currency: str = "EUR", *, at=NOW) -> str | None:
    """The value, or None for NoRate."""
    try:
        return str(rates.current(asset, currency, now=at).value)
    except rates.NoRate:
        return None


# --- now --------------------------------------------------------------------------------------------------------
def test_the_stored_price_is_read_with_its_sources_and_time() -> None:
    set_price("ETH", "EUR", "2790.123456789012345", at=NOW - MINUTE)
    set_price("ETH", "USD", "3000", at=NOW)
    set_price("BTC", "EUR", "90000", at=NOW)
    assert rates.current(ETH, "EUR", now=NOW) == rates.Rate(Decimal("2790.123456789012345"), "EUR", "Kraken, Coinbase", NOW - MINUTE)


def test_one_name_is_priced_once_for_all_its_networks() -> None:
    set_price("USDT", "EUR", "0.9312", at=NOW)
    assert price(USDT) == price(USDT_POLYGON) == "0.9312"


def test_no_rate_is_said_in_words_for_a_payer() -> None:
    set_price("ETH", "USD", "3000", at=NOW)
    with pytest.raises(rates.NoRate, match=r"^There is no price for ETH in EUR now\.$"):
        rates.current(ETH, "EUR", now=NOW)


@pytest.mark.parametrize(("age", "value"), [(0, "2790"), (600, "2790"), (601, None)])
def test_a_stored_price_counts_for_ten_minutes(age: int, value: str | None) -> None:
    set_price("ETH", "EUR", "2790", at=NOW - timedelta(seconds=age))
    assert price() == value


def test_a_refused_price_is_none_however_new_it_is() -> None:
    set_price("ETH", "EUR", "2790", at=NOW, refused="The sources do not agree: Kraken 2790, Coinbase 2000.")
    set_past_price("ETH", "EUR", "2795", at=NOW - MINUTE)
    assert price() is None


@pytest.mark.parametrize("value", ["0", "-1", "NaN", "Infinity"])
def test_a_stored_value_that_is_no_price_is_none(value: str) -> None:
    set_price("ETH", "EUR", value, at=NOW)
    assert price() is None


def test_the_sandbox_has_its_own_prices_and_needs_no_stored_ones() -> None:
    set_price("ETH", "EUR", "1", at=NOW)
    assert rates.current(SANDBOX_ETH, "EUR", now=NOW).source == "Sandbox"


# --- the past ---------------------------------------------------------------------------------------------------
def test_a_moment_in_the_past_has_the_price_of_its_own_time() -> None:
    set_price("ETH", "EUR", "2790", at=NOW)
    for minutes, value in {60: "2600", 65: "2605", 70: "2610"}.items():
        set_past_price("ETH", "EUR", value, at=NOW - minutes * MINUTE)
    set_past_price("ETH", "USD", "1", at=NOW - 63 * MINUTE)  # nearer, and of another currency
    set_past_price("BTC", "EUR", "2", at=NOW - 63 * MINUTE)
    assert [price(at=NOW - minutes * MINUTE) for minutes in (60, 62, 63, 66, 80, 81)] == ["2600", "2600", "2605", "2605", "2610", None]
    assert rates.current(ETH, "EUR", now=NOW - 62 * MINUTE) == rates.Rate(Decimal(2600), "EUR", "Kraken, Coinbase", NOW - 60 * MINUTE)


def test_a_moment_just_before_the_last_refresh_has_the_price_of_that_refresh() -> None:
    set_price("ETH", "EUR", "2790", at=NOW)
    set_past_price("ETH", "EUR", "2700", at=NOW - 4 * MINUTE)
    assert [price(at=NOW - seconds * timedelta(seconds=1)) for seconds in (1, 60, 180)] == ["2790", "2790", "2700"]


def test_a_price_that_is_refused_now_does_not_hide_the_past_and_does_not_stand_in_for_it() -> None:
    set_price("ETH", "EUR", "2790", at=NOW - 3 * MINUTE, refused="The sources do not agree.")
    set_past_price("ETH", "EUR", "2700", at=NOW - 20 * MINUTE)
    assert [price(at=NOW - minutes * MINUTE) for minutes in (0, 4, 20, 31)] == [None, None, "2700", None]


def test_nothing_is_made_up_for_a_time_nobody_was_asked() -> None:
    set_price("ETH", "EUR", "2790", at=NOW)
    assert price(at=NOW - timedelta(hours=3)) is None


# --- as a merchant counts ---------------------------------------------------------------------------------------
def counted(merchant: Merchant, asset: assets.Asset, currency: str) -> tuple[str, str]:
    rate = rates.for_merchant(merchant, asset, currency, now=NOW)
    return str(rate.value), rate.source


def test_a_merchant_without_wishes_counts_as_the_market(live: Merchant) -> None:
    set_prices("USD", {"ETH": "3000", "USDT": "0.9991"}, at=NOW)
    assert (counted(live, ETH, "USD"), counted(live, USDT, "USD")) == (("3000", "Kraken, Coinbase"), ("0.9991", "Kraken, Coinbase"))


def test_at_par_a_stablecoin_is_one_of_its_currency_without_asking_anyone(live: Merchant, django_assert_num_queries) -> None:
    live.stable_at_par = True
    set_price("USDT", "USD", "0.9", at=NOW)
    with django_assert_num_queries(0):
        assert rates.for_merchant(live, USDT, "USD", now=NOW) == rates.Rate(Decimal(1), "USD", "1:1", NOW)


def test_at_par_other_currencies_come_by_the_exchange_rate(live: Merchant) -> None:
    live.stable_at_par = True
    set_price("USDT", "EUR", "0.8", at=NOW)
    set_price("USD", "EUR", "0.9333", at=NOW - MINUTE, source="ECB")
    assert rates.for_merchant(live, USDT, "EUR", now=NOW) == rates.Rate(Decimal("0.9333"), "EUR", "1:1 × ECB", NOW - MINUTE)
    forget_prices()
    set_price("USDT", "EUR", "0.8", at=NOW)
    with pytest.raises(rates.NoRate, match="no price for USDT in EUR"):
        rates.for_merchant(live, USDT, "EUR", now=NOW)


def test_par_changes_nothing_for_what_is_no_stablecoin(live: Merchant) -> None:
    live.stable_at_par = True
    set_prices("EUR", {"ETH": "2790", "USD": "0.93"}, at=NOW)
    assert counted(live, ETH, "EUR") == ("2790", "Kraken, Coinbase")


@pytest.mark.parametrize(
    ("spread_e4", "value", "source"),
    [
        (0, "3000.123456789012345678", "Kraken, Coinbase"),
        (10_000, "2970.12222222112222222122", "Kraken, Coinbase − 1 %"),
        (12_500, "2962.6219135791496913570250", "Kraken, Coinbase − 1.25 %"),
        (50_000, "2850.1172839495617283941", "Kraken, Coinbase − 5 %"),
    ],
)
def test_a_spread_makes_the_payer_pay_more_exactly_and_is_named(live: Merchant, spread_e4: int, value: str, source: str) -> None:
    live.spread_e4 = spread_e4
    set_price("ETH", "EUR", "3000.123456789012345678", at=NOW)
    rate = rates.for_merchant(live, ETH, "EUR", now=NOW)
    assert (rate.value, rate.source, rate.at) == (Decimal(value), source, NOW)
    assert rates.current(ETH, "EUR", now=NOW).value == Decimal("3000.123456789012345678")


def test_a_spread_is_on_top_of_par(live: Merchant) -> None:
    live.stable_at_par, live.spread_e4 = True, 5_000
    assert counted(live, USDT, "USD") == ("0.995000", "1:1 − 0.5 %")
    assert quotes.amount_for(10_000, rate=Decimal("0.995"), currency="USD", asset=USDT) == 100_510_000  # 100.5025…, rounded up


@given(st.decimals("0.000000000001", "999999999999", places=12), st.integers(0, 500).map(lambda hundredths: hundredths * 100))
def test_a_spread_is_exact_and_fits_its_columns(value: Decimal, spread_e4: int) -> None:
    rate = reading.less_spread(rates.Rate(value, "EUR", "Kraken, Coinbase, CoinGecko × Kraken, Coinbase", NOW), spread_e4)
    assert Fraction(rate.value) == Fraction(value) * (10**6 - spread_e4) / 10**6
    assert len(format(rate.value, "f")) <= Quote._meta.get_field("rate").max_length
    assert len(rate.source) <= Quote._meta.get_field("rate_source").max_length == Price._meta.get_field("source").max_length


# --- what it costs ----------------------------------------------------------------------------------------------
def test_a_price_is_one_query_and_a_past_one_two(django_assert_num_queries) -> None:
    set_price("ETH", "EUR", "2790", at=NOW)
    set_past_price("ETH", "EUR", "2700", at=NOW - 60 * MINUTE)
    with django_assert_num_queries(1):
        rates.current(ETH, "EUR", now=NOW)
    with django_assert_num_queries(2):
        rates.current(ETH, "EUR", now=NOW - 60 * MINUTE)


@pytest.mark.parametrize("count", [1, 3, 12])
def test_the_prices_of_many_assets_are_one_query(live: Merchant, django_assert_num_queries, count: int) -> None:
    live.stable_at_par = True
    chosen = assets.usable_by(live)[:count]
    set_prices("EUR", {"ETH": "2790", "USD": "0.93", "BTC": "90000", "POL": "0.4"}, at=NOW)
    with django_assert_num_queries(1):
        found = rates.all_for_merchant(live, chosen, "EUR", now=NOW)
    assert list(found) == [asset.id for asset in chosen]


def test_without_a_price_one_asset_is_not_offered_and_the_others_are(live: Merchant) -> None:
    Wallet.objects.create(merchant=live, family="evm", name="Till", way="fixed", fixed_address="0x52908400098527886E0F7030069857D2E4169EE7")
    invoice = Invoice(merchant=live, status="open", currency="EUR", total_minor=10_000, asset_ids=[ETH.id, USDT.id, POL.id])
    set_prices("EUR", {"ETH": "2500", "USDT": "0.8"}, at=NOW)
    set_price("POL", "EUR", "0.4", at=NOW, refused="The sources do not agree.")
    shown = {option.asset.symbol: (option.estimate_units, option.unavailable) for option in quotes.options(invoice, now=NOW)}
    assert shown == {"ETH": (4 * 10**16, ""), "USDT": (125_000_000, ""), "POL": (None, "There is no price for POL in EUR now.")}


# --- for the confirmations --------------------------------------------------------------------------------------
def test_an_amount_is_worth_so_many_whole_dollars() -> None:
    set_prices("EUR", {"USD": "0.8"}, at=NOW)
    set_prices("JPY", {"USD": "160"}, at=NOW)
    set_prices("KWD", {"USD": "0.32"}, at=NOW)
    assert rates.in_usd(1_000_000, "USD", now=NOW) == Decimal("10000.00")
    assert rates.in_usd(1_000_000, "EUR", now=NOW) == Decimal("12500")
    assert rates.in_usd(1_000_000, "JPY", now=NOW) == Decimal("6250")
    assert rates.in_usd(1_000_000, "KWD", now=NOW) == Decimal("3125")
    assert rates.in_usd(0, "EUR", now=NOW) == 0


def test_without_a_rate_nobody_guesses_what_it_is_in_dollars() -> None:
    assert rates.in_usd(1_000_000, "EUR", now=NOW) is None
    set_price("USD", "EUR", "0.8", at=NOW - 11 * MINUTE)
    assert rates.in_usd(1_000_000, "EUR", now=NOW) is None
    set_price("USD", "EUR", "0.8", at=NOW, refused="The sources do not agree.")
    assert rates.in_usd(1_000_000, "EUR", now=NOW) is None
