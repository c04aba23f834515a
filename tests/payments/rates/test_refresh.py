"""From the sources to the stored prices, against a loopback façade of the four."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from merchants import assets
from merchants.models import Merchant
from payments import rates, tasks
from payments.models import PastPrices, Price, Wallet
from payments.rates import gathering
from payments.rates.base import Wanted
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.payments.prices import set_price
from tests.payments.rates.markets import Markets, Says

MINUTE = timedelta(minutes=1)
CATALOGUE = """
currencies = ["EUR", "USD", "TRY"]

[[network]]
id = "eip155:31337"
key = "anvil"
name = "Anvil"
rail = "evm"
family = "evm"
confirmations = 3
reorg_depth = 20
grace_minutes = 5
takes = "Seconds"
explorer_tx = ""

[[network.asset]]
id = "eip155:31337/slip44:60"
symbol = "ETH"
name = "Ether"
decimals = 18
payable_decimals = 8
minimum = "0.00001"
glyph = "E"
colour = "eth"
price = "ETH"

[[network.asset]]
id = "eip155:31337/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7"
symbol = "USDT"
name = "Tether USD"
decimals = 6
payable_decimals = 2
minimum = "0.01"
glyph = "T"
colour = "usdt"
price = "USDT"
peg = "USD"
"""


@pytest.fixture
def markets(settings, tmp_path):
    path = tmp_path / "networks.toml"
    path.write_text(CATALOGUE)
    settings.NETWORKS_FILE = str(path)
    with Markets() as found:
        found.at = NOW
        settings.RATE_SOURCES = found.sources()
        for currency, value in {"USD": "3000", "EUR": "2800"}.items():
            found.set("ETH", currency, value)
            found.set("USDT", currency, {"USD": "1.0002", "EUR": "0.9336"}[currency])
        found.set("USD", "EUR", "0.9333", only="coinbase")
        found.set("EUR", "USD", "1.0715")
        found.set("EUR", "TRY", "40", only="ecb")
        yield found


@pytest.fixture
def live(db: None, markets: Markets) -> Merchant:
    return make_merchant(is_test=False)


def price(name: str, currency: str) -> tuple[str, str, str] | None:
    row = Price.objects.filter(name=name, currency=currency).first()
    return (row.value, row.source, row.refused) if row else None


ALL = "Kraken, Coinbase, CoinGecko"


def test_what_the_sources_agree_on_is_stored_with_their_names_and_time(live: Merchant, markets: Markets) -> None:
    markets.set("ETH", "USD", "3010", only="kraken")
    markets.at = NOW - MINUTE
    rates.refresh(now=NOW)
    assert price("ETH", "USD") == ("3000", ALL, "")
    assert price("USDT", "EUR") == ("0.9336", ALL, "")
    assert price("USD", "EUR") == ("0.933285557629491367", "Kraken, Coinbase", "")  # Kraken: 1/1.0715
    assert price("USD", "TRY") == ("37.3308446103593094", "ECB", "")
    assert Price.objects.get(name="ETH", currency="USD").at == NOW - MINUTE  # as old as CoinGecko's
    assert Price.objects.get(name="USD", currency="TRY").at == NOW


def test_a_currency_that_no_exchange_quotes_is_crossed_and_says_so(live: Merchant, markets: Markets) -> None:
    rates.refresh(now=NOW)
    assert price("ETH", "TRY") == ("111992.533831077928", f"{ALL} × ECB", "")
    markets.set("ETH", "TRY", "120000", only="coinbase")
    rates.refresh(now=NOW + MINUTE)
    assert price("ETH", "TRY") == ("120000", "Coinbase", "")  # its own quote comes first


def test_without_a_bridge_in_dollars_the_one_in_euros_serves(live: Merchant, markets: Markets) -> None:
    for source in ("kraken", "coinbase", "coingecko"):
        del markets.prices[source]["ETH", "USD"]
    rates.refresh(now=NOW)
    assert price("ETH", "USD") == ("3000.2000", "Coinbase, CoinGecko × Kraken, Coinbase", "")  # 2800 × 1.0715; Kraken lost its ETH
    assert price("ETH", "TRY") == ("112000", "Coinbase, CoinGecko × ECB", "")


def test_each_source_is_asked_once_a_refresh_and_coinbase_once_a_base(live: Merchant, markets: Markets) -> None:
    rates.refresh(now=NOW)
    assert {name: len(markets.asked_of(name)) for name in ("kraken", "coinbase", "coingecko", "ecb")} == {
        "kraken": 1,
        "coinbase": 4,
        "coingecko": 1,
        "ecb": 1,
    }


HTML = Says(body=b"<!doctype html><title>Just a moment...</title>")


@pytest.mark.parametrize(
    "says",
    [HTML, Says(503), Says(302, headers=(("Location", "/"),)), Says(body=b""), Says(body=b'{"error":["EService:Unavailable"]}')],
    ids=["HTML", "503", "a redirect", "nothing", "an error with 200"],
)
@pytest.mark.parametrize("failing", ["kraken", "coinbase", "coingecko"])
def test_one_source_that_fails_stops_no_other(live: Merchant, markets: Markets, failing: str, says: Says) -> None:
    markets.says[failing] = says
    rates.refresh(now=NOW)
    label = {"kraken": "Kraken", "coinbase": "Coinbase", "coingecko": "CoinGecko"}[failing]
    assert price("ETH", "USD") == ("3000", ", ".join(name for name in ALL.split(", ") if name != label), "")


def test_a_source_whose_parser_breaks_stops_no_other(
    live: Merchant, markets: Markets, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_arguments: object, **_named: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("payments.rates.kraken.parse", broken)
    rates.refresh(now=NOW)
    assert price("ETH", "USD") == ("3000", "Coinbase, CoinGecko", "")
    assert "the answer of Kraken could not be read" in caplog.text


def test_a_slow_source_holds_nobody_up(live: Merchant, markets: Markets, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("payments.rates.web.TIMEOUT", (0.2, 0.2))
    markets.says["kraken"] = Says(body=b"{}", after_seconds=1)
    rates.refresh(now=NOW)
    assert price("ETH", "USD") == ("3000", "Coinbase, CoinGecko", "")
    assert "Prices: Kraken cannot be reached: it took too long." in caplog.text


def test_the_sources_are_asked_outside_any_transaction(
    live: Merchant, markets: Markets, monkeypatch: pytest.MonkeyPatch, django_db_blocker: object
) -> None:
    depth = len(connection.savepoint_ids)
    seen = []
    real = gathering.ask_all

    def watched(*arguments: object, **named: object) -> object:
        seen.append(len(connection.savepoint_ids))
        return real(*arguments, **named)

    monkeypatch.setattr(gathering, "ask_all", watched)
    rates.refresh(now=NOW)
    assert seen == [depth]


def test_sources_that_do_not_agree_keep_the_last_good_price_and_say_why(live: Merchant, markets: Markets) -> None:
    rates.refresh(now=NOW)
    markets.set("ETH", "USD", "3000", only="kraken")
    markets.set("ETH", "USD", "2500", only="coinbase")
    markets.set("ETH", "USD", "3500", only="coingecko")
    rates.refresh(now=NOW + MINUTE)
    assert price("ETH", "USD") == ("3000", ALL, "The sources do not agree: Kraken 3000, Coinbase 2500, CoinGecko 3500.")
    assert Price.objects.get(name="ETH", currency="USD").at == NOW
    with pytest.raises(rates.NoRate):
        rates.current(eth(), "USD", now=NOW + MINUTE)
    markets.set("ETH", "USD", "2990", only="coinbase")
    rates.refresh(now=NOW + 2 * MINUTE)
    assert price("ETH", "USD") == ("2995", "Kraken, Coinbase", "")


def test_a_first_disagreement_is_kept_without_a_price(live: Merchant, markets: Markets) -> None:
    markets.says["coingecko"] = HTML
    markets.set("ETH", "USD", "2500", only="coinbase")
    rates.refresh(now=NOW)
    assert price("ETH", "USD") == ("", "", "The sources do not agree: Kraken 3000, Coinbase 2500.")
    with pytest.raises(rates.NoRate):
        rates.current(eth(), "USD", now=NOW)
    with pytest.raises(rates.NoRate):
        rates.current(eth(), "USD", now=NOW - MINUTE)


def only(markets: Markets, name: str) -> None:
    for other in ("kraken", "coinbase", "coingecko", "ecb"):
        if other != name:
            markets.says[other] = HTML


def test_a_jump_of_one_source_alone_waits_for_a_second(live: Merchant, markets: Markets) -> None:
    rates.refresh(now=NOW)
    only(markets, "kraken")
    markets.set("ETH", "USD", "1500", only="kraken")
    markets.set("ETH", "EUR", "1400", only="kraken")
    rates.refresh(now=NOW + MINUTE)
    assert price("ETH", "USD") == ("3000", ALL, "Kraken alone says 1500, after 3000. A second source has to agree.")
    del markets.says["coinbase"]
    markets.set("ETH", "USD", "1510", only="coinbase")
    rates.refresh(now=NOW + 2 * MINUTE)
    assert price("ETH", "USD") == ("1505", "Kraken, Coinbase", "")  # the crash was real


def test_a_real_crash_also_reaches_the_currencies_that_one_source_alone_quotes(live: Merchant, markets: Markets) -> None:
    markets.set("ETH", "TRY", "112000", only="coinbase")
    rates.refresh(now=NOW)
    for currency, value in {"USD": "1500", "EUR": "1400"}.items():
        markets.set("ETH", currency, value)
    markets.set("ETH", "TRY", "56000", only="coinbase")
    rates.refresh(now=NOW + MINUTE)
    assert price("ETH", "TRY") == ("55996.2669155389641", f"{ALL} × ECB", "")


def test_after_the_last_good_price_is_forgotten_one_source_is_believed(live: Merchant, markets: Markets) -> None:
    rates.refresh(now=NOW)
    only(markets, "kraken")
    for currency, value in {"USD": "1500", "EUR": "1400"}.items():
        markets.set("ETH", currency, value, only="kraken")
    rates.refresh(now=NOW + MINUTE)
    rates.forget(Price.objects.get(name="ETH", currency="USD"))
    rates.refresh(now=NOW + 2 * MINUTE)
    assert price("ETH", "USD") == ("1500", "Kraken", "")


def test_silence_leaves_the_last_price_to_age_and_then_refuses_it(live: Merchant, markets: Markets) -> None:
    rates.refresh(now=NOW)
    only(markets, "nobody")
    rates.refresh(now=NOW + 10 * MINUTE)
    assert price("ETH", "USD") == ("3000", ALL, "")
    assert rates.current(eth(), "USD", now=NOW + 10 * MINUTE).value == 3000
    rates.refresh(now=NOW + 11 * MINUTE)
    assert price("ETH", "USD") == ("3000", ALL, "No source has a price.")


def test_a_price_that_the_source_itself_calls_old_is_refused(live: Merchant, markets: Markets) -> None:
    only(markets, "coingecko")
    rates.refresh(now=NOW)
    assert price("ETH", "USD") == ("3000", "CoinGecko", "")
    rates.refresh(now=NOW + 11 * MINUTE)
    assert price("ETH", "USD") == ("3000", "CoinGecko", "The newest price, of CoinGecko, is too old.")


@pytest.mark.parametrize("written", ["0", "-3000", "1e3", '"NaN"', "NaN", "null", "9" * 40, '""'])
def test_no_hostile_price_of_one_source_is_stored(live: Merchant, markets: Markets, written: str) -> None:
    only(markets, "coingecko")
    markets.set("ETH", "USD", written, only="coingecko")
    del markets.prices["coingecko"]["ETH", "EUR"]
    rates.refresh(now=NOW)
    assert price("ETH", "USD") is None
    assert price("USDT", "USD") == ("1.0002", "CoinGecko", "")
    assert {row.value for row in Price.objects.filter(name="USDT")} == {"1.0002", "0.9336"}


def test_refreshing_twice_at_once_does_no_harm(live: Merchant, markets: Markets) -> None:
    rates.refresh(now=NOW)
    before = list(Price.objects.order_by("id").values_list())
    rates.refresh(now=NOW)
    assert list(Price.objects.order_by("id").values_list()) == before
    assert PastPrices.objects.count() == PastPrices.objects.values("name").distinct().count() == 4


# --- who is asked, and for what ---------------------------------------------------------------------------------
def eth() -> assets.Asset:
    return assets.asset("eip155:31337/slip44:60")


def issued(merchant: Merchant, *, currency: str) -> None:
    """An open invoice of a merchant that switched everything off afterwards."""
    Merchant.objects.filter(pk=merchant.pk).update(accepted_assets=[eth().id])
    Wallet.objects.create(merchant=merchant, family="evm", name="Till", way="fixed", fixed_address="0x52908400098527886E0F7030069857D2E4169EE7")
    if not Price.objects.filter(name="ETH", currency=currency).exists():
        set_price("ETH", currency, "2800", at=NOW)
    publish(make_draft(Merchant.objects.get(pk=merchant.pk), currency=currency))
    Merchant.objects.filter(pk=merchant.pk).update(accepted_assets=[])


def test_nobody_is_asked_while_no_live_merchant_accepts_an_asset(db: None, markets: Markets) -> None:
    make_merchant(slug="tests-only")  # accepts what the sandbox has
    make_merchant(slug="no-wallet", is_test=False, accepted_assets=[])
    assert rates.refresh(now=NOW) is None
    assert markets.asked == []
    assert not Price.objects.exists()


def test_an_open_invoice_of_a_live_merchant_still_needs_its_price(live: Merchant, markets: Markets) -> None:
    Merchant.objects.update(accepted_assets=[])
    assert rates.refresh(now=NOW) is None
    issued(live, currency="EUR")
    assert rates.refresh(now=NOW) is not None


def test_what_is_asked_for_comes_from_the_catalogue(markets: Markets) -> None:
    assert gathering.what_is_wanted() == Wanted(names=("ETH", "USDT"), fiats=("USD", "EUR"), currencies=("EUR", "USD", "TRY"))


def test_the_catalogue_that_ships_asks_for_every_asset_that_is_switched_on() -> None:
    wanted = gathering.what_is_wanted()
    assert set(wanted.names) == {"ETH", "USDT", "USDC", "POL", "BNB", "BTC", "LTC"}
    assert wanted.fiats == ("USD", "EUR")
    assert {"EUR", "USD", "KWD", "TRY"} <= set(wanted.currencies)


@pytest.mark.parametrize(
    ("listed", "text"),
    [
        (["kraken", "krakn"], "RATE_SOURCES names 'krakn'. There are kraken, coinbase, coingecko, ecb."),
        (["kraken", "kraken=http://127.0.0.1:1"], "RATE_SOURCES names kraken twice; a source cannot agree with itself."),
        (["kraken=ftp://127.0.0.1"], "RATE_SOURCES: the address of kraken is not http:// or https://."),
        (["kraken=127.0.0.1:80"], "RATE_SOURCES: the address of kraken is not http:// or https://."),
        ([""], "RATE_SOURCES names ''. There are kraken, coinbase, coingecko, ecb."),
    ],
)
def test_a_source_that_is_misspelt_is_refused_loudly(listed: list[str], text: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        gathering.configured(listed)
    assert str(refused.value) == text


def test_a_source_is_asked_where_the_operator_says() -> None:
    found = gathering.configured(["ecb", " kraken = http://127.0.0.1:9/k "])
    assert [(feed.label, url) for feed, url in found] == [("ECB", "https://www.ecb.europa.eu"), ("Kraken", "http://127.0.0.1:9/k")]
    assert gathering.ask_all([], Wanted((), (), ()), now=NOW) == []


def test_the_task_refreshes(live: Merchant, markets: Markets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("merchants.clock.now", lambda: NOW)
    tasks.refresh_rates()
    assert price("ETH", "USD") == ("3000", ALL, "")


def test_what_a_source_says_is_not_logged_and_a_failure_is(live: Merchant, markets: Markets, caplog: pytest.LogCaptureFixture) -> None:
    markets.says["coinbase"] = Says(429, json.dumps({"secret": "hunter2"}).encode())
    with caplog.at_level(logging.INFO, logger="payments"):
        rates.refresh(now=NOW)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("payments")] == ["Prices: Coinbase answered 429."]


# --- the past ---------------------------------------------------------------------------------------------------
def test_every_five_minutes_the_prices_of_that_time_are_kept(live: Merchant, markets: Markets) -> None:
    for minute in range(12):
        markets.at = NOW + minute * MINUTE
        markets.set("ETH", "USD", str(3000 + minute))
        rates.refresh(now=NOW + minute * MINUTE)
    kept = {row.at: row.values["USD"] for row in PastPrices.objects.filter(name="ETH")}
    assert kept == {NOW + minute * MINUTE: [str(3000 + minute), ALL] for minute in (0, 5, 10)}


def test_only_the_currencies_that_live_merchants_use_are_kept(live: Merchant, markets: Markets) -> None:
    make_merchant(slug="tests-only", currency="TRY")
    rates.refresh(now=NOW)
    assert set(PastPrices.objects.get(name="ETH").values) == {"EUR", "USD"}
    issued(live, currency="TRY")
    rates.refresh(now=NOW + 5 * MINUTE)
    assert set(PastPrices.objects.get(name="ETH", at=NOW + 5 * MINUTE).values) == {"EUR", "USD", "TRY"}


def test_a_refused_price_is_not_kept_as_one_of_its_time(live: Merchant, markets: Markets) -> None:
    markets.set("ETH", "USD", "2000", only="kraken")
    markets.says["coingecko"] = HTML
    rates.refresh(now=NOW)
    assert set(PastPrices.objects.get(name="ETH").values) == {"EUR"}


def test_what_is_older_than_forty_days_goes(live: Merchant, markets: Markets) -> None:
    for days in (39, 41):
        PastPrices.objects.create(name="ETH", at=NOW - timedelta(days=days), values={"USD": ["1", "Kraken"]})
    rates.refresh(now=NOW)
    assert sorted((NOW - row.at).days for row in PastPrices.objects.filter(name="ETH")) == [0, 39]


def test_a_value_that_a_test_writes_is_read_as_a_refresh_would_leave_it(live: Merchant, markets: Markets) -> None:
    set_price("ETH", "USD", "1234.5", at=NOW)
    assert rates.current(eth(), "USD", now=NOW).value == Decimal("1234.5")
