"""The four sources on answers of the shape that they give, and on those that nobody should believe."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from payments.rates import coinbase, coingecko, ecb, figures, kraken
from payments.rates.base import Quoted, SourceFailed, Wanted
from payments.rates.web import Web
from tests.factories import NOW
from tests.payments.rates.markets import Markets, Says, ticker

# What is no price, as JSON: each stands where a price is expected.
HOSTILE = {
    "an exponent": '"1e5"',
    "a number with an exponent": "1e5",
    "a number with a negative exponent": "1.5E-7",
    "NaN as a word": "NaN",
    "NaN as text": '"NaN"',
    "infinity": "Infinity",
    "minus infinity": "-Infinity",
    "a huge exponent": "1e999999999",
    "zero": "0",
    "zero with places": '"0.00000000"',
    "negative": '"-3000.10"',
    "a negative number": "-3000.10",
    "signed": '"+3000"',
    "empty": '""',
    "a space": '" 3000 "',
    "a line break": '"3000\\n"',
    "grouped": '"3,000.00"',
    "a decimal comma": '"3000,00"',
    "an underscore": '"3_000"',
    "half a number": '"3000."',
    "a number without its whole part": '".5"',
    "hexadecimal": '"0xbb8"',
    "Arabic digits": '"٣٠٠٠"',
    "true": "true",
    "null": "null",
    "a list": "[3000]",
    "an object": '{"amount":"3000"}',
    "too large": '"1000000000001"',
    "a million digits": '"' + "9" * 1_000_000 + '"',
    "five thousand digits": "9" * 5_000,
    "too small": '"0.0000000000001"',
    "a word": '"free"',
}
NOT_AN_ANSWER = {
    "HTML": b"<!doctype html><title>Attention Required!</title>",
    "nothing": b"",
    "a list": b"[]",
    "text": b'"3000"',
    "null": b"null",
    "cut off": b'{"error":[],"result":{"XXBTZUSD":{"a":["1',
    "other bytes": b"\xff\xfe\x00\xd8",
    "nested too deep": b'{"a":' + b"[" * 200_000,
    "two answers": b"{}{}",
}


@pytest.mark.parametrize("written", HOSTILE.values(), ids=HOSTILE)
def test_what_is_not_plainly_a_price_is_none(written: str) -> None:
    assert figures.price(figures.load(f'{{"it":{written}}}'.encode(), "Anyone")["it"]) is None


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"96512.10000"', "96512.10000"),
        ("96512.1", "96512.1"),
        ("3000", "3000"),
        ('"0.000000000001"', "0.000000000001"),
        ('"1000000000000"', "1000000000000"),
        ("0.1234567890123456789", "0.123456789012345679"),  # 18 digits are kept
        ("0.30000000000000004", "0.30000000000000004"),  # what a float would not tell from 0.3 is not one in between
        ("100000000000.0000000004", "100000000000.000000"),
    ],
)
def test_a_price_is_exactly_what_is_written_up_to_eighteen_digits(written: str, value: str) -> None:
    found = figures.price(figures.load(f'{{"it":{written}}}'.encode(), "Anyone")["it"])
    assert found is not None
    assert format(found, "f") == value


@pytest.mark.parametrize("body", NOT_AN_ANSWER.values(), ids=NOT_AN_ANSWER)
def test_an_answer_that_is_no_object_is_refused_in_words(body: bytes) -> None:
    with pytest.raises(SourceFailed, match=r"^Kraken answered with something that is not its format\.$"):
        kraken.parse(body, [("BTC", "USD")])
    with pytest.raises(SourceFailed, match=r"^Coinbase answered with"):
        coinbase.parse(body)
    with pytest.raises(SourceFailed, match=r"^CoinGecko answered with"):
        coingecko.parse(body)
    with pytest.raises(SourceFailed, match=r"^ECB answered with"):
        ecb.parse(body)


# --- Kraken -----------------------------------------------------------------------------------------------------
BTC_USD, ETH_EUR = ("BTC", "USD"), ("ETH", "EUR")


def krakens(**result: object) -> bytes:
    return json.dumps({"error": [], "result": result}).encode()


def test_kraken_answers_under_other_names_than_it_was_asked() -> None:
    asked = [BTC_USD, ("BTC", "CHF"), ETH_EUR, ("LTC", "USD"), ("USDT", "USD"), ("USDC", "EUR"), ("DOGE", "USD"), ("EUR", "USD"), ("USD", "JPY")]
    body = krakens(
        XXBTZUSD=ticker("96512.10000"),
        XBTCHF=ticker("84900.1"),
        XETHZEUR=ticker("2890.05"),
        XLTCZUSD=ticker("88.40"),
        USDTZUSD=ticker("1.00021"),
        USDCEUR=ticker("0.9312"),
        XDGUSD=ticker("0.39410"),
        ZEURZUSD=ticker("1.0735"),
        ZUSDZJPY=ticker("154.20"),
        XXRPZUSD=ticker("1.1"),  # nobody asked
    )
    assert kraken.parse(body, asked) == {
        ("BTC", "USD"): Decimal("96512.10000"),
        ("BTC", "CHF"): Decimal("84900.1"),
        ("ETH", "EUR"): Decimal("2890.05"),
        ("LTC", "USD"): Decimal("88.40"),
        ("USDT", "USD"): Decimal("1.00021"),
        ("USDC", "EUR"): Decimal("0.9312"),
        ("DOGE", "USD"): Decimal("0.39410"),
        ("EUR", "USD"): Decimal("1.0735"),
        ("USD", "JPY"): Decimal("154.20"),
    }
    assert [kraken.spelling(pair) for pair in asked[:2]] == ["XBTUSD", "XBTCHF"]


@pytest.mark.parametrize("written", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("cell", ["a", "b", "c"])
def test_one_bad_pair_of_kraken_does_not_lose_the_others(cell: str, written: str) -> None:
    good = json.dumps(ticker("96512.1"))
    bad = json.dumps({**ticker("2890.05"), cell: ["PRICE", "1"]}).replace('"PRICE"', written)
    body = f'{{"error":[],"result":{{"XXBTZUSD":{good},"XETHZEUR":{bad}}}}}'.encode()
    assert kraken.parse(body, [BTC_USD, ETH_EUR]) == {BTC_USD: Decimal("96512.1")}


@pytest.mark.parametrize("row", [None, [], "3000", {}, {"c": ["3000"]}, {"a": [], "b": [], "c": []}, {"a": "3000", "b": "3000", "c": "3000"}])
def test_a_pair_of_another_shape_is_no_price(row: object) -> None:
    assert kraken.parse(krakens(XETHZEUR=row, XXBTZUSD=ticker("1000")), [BTC_USD, ETH_EUR]) == {BTC_USD: Decimal(1000)}


@pytest.mark.parametrize(
    ("bid", "last", "ask", "price"),
    [
        ("2999", "3000", "3001", "3000"),
        ("2999", "2500", "3001", "2999"),  # nobody has traded since the book fell or rose
        ("2999", "3500", "3001", "3001"),
        ("2900", "2950", "2988", None),  # a book wider than 3 %
        ("2900", "2950", "2987", "2950"),
        ("3001", "3000", "2999", None),  # crossed
    ],
)
def test_the_last_trade_counts_as_far_as_the_book_bears_it_out(bid: str, last: str, ask: str, price: str | None) -> None:
    found = kraken.parse(krakens(XETHZEUR=ticker(last, bid=bid, ask=ask)), [ETH_EUR])
    assert found == ({ETH_EUR: Decimal(price)} if price else {})


@pytest.mark.parametrize("error", ["EGeneral:Too many requests", "EService:Unavailable", "EGeneral:Internal error"])
def test_an_error_that_comes_with_http_200_is_one(error: str) -> None:
    body = json.dumps({"error": [error], "result": {"XXBTZUSD": ticker("96512.1")}}).encode()
    with pytest.raises(SourceFailed, match=rf"^Kraken refused: {error}\.$"):
        kraken.parse(body, [BTC_USD])


@pytest.mark.parametrize("errors", [["WGeneral:Danger"], [], None, "none"])
def test_a_warning_of_kraken_comes_beside_good_prices(errors: object) -> None:
    body = json.dumps({"error": errors, "result": {"XXBTZUSD": ticker("96512.1")}}).encode()
    assert kraken.parse(body, [BTC_USD]) == {BTC_USD: Decimal("96512.1")}


@pytest.mark.parametrize("body", [b'{"error":[]}', b'{"error":[],"result":[]}', b'{"result":null}', b"{}"])
def test_no_result_is_no_price(body: bytes) -> None:
    assert kraken.parse(body, [BTC_USD]) == {}


# --- Coinbase ---------------------------------------------------------------------------------------------------
def test_coinbase_says_what_one_is_worth_in_everything() -> None:
    body = b'{"data":{"currency":"BTC","rates":{"AED":"354433.1","BTC":"1","EUR":"89890.45","USD":"96505.335"}}}'
    assert coinbase.parse(body) == {
        ("BTC", "AED"): Decimal("354433.1"),
        ("BTC", "BTC"): Decimal(1),
        ("BTC", "EUR"): Decimal("89890.45"),
        ("BTC", "USD"): Decimal("96505.335"),
    }


@pytest.mark.parametrize("written", HOSTILE.values(), ids=HOSTILE)
def test_one_bad_pair_of_coinbase_does_not_lose_the_others(written: str) -> None:
    body = f'{{"data":{{"currency":"BTC","rates":{{"EUR":{written},"USD":"96505.335"}}}}}}'.encode()
    assert coinbase.parse(body) == {("BTC", "USD"): Decimal("96505.335")}


@pytest.mark.parametrize(
    "body",
    [
        b'{"errors":[{"id":"not_found","message":"Not found"}]}',
        b'{"data":null}',
        b'{"data":[]}',
        b'{"data":{"currency":"BTC"}}',
        b'{"data":{"currency":"BTC","rates":["96505.335"]}}',
        b'{"data":{"rates":{"USD":"96505.335"}}}',
        b'{"data":{"currency":["BTC"],"rates":{"USD":"96505.335"}}}',
    ],
)
def test_an_answer_of_coinbase_without_rates_is_no_price(body: bytes) -> None:
    assert coinbase.parse(body) == {}


# --- CoinGecko --------------------------------------------------------------------------------------------------
SINCE = datetime(2026, 11, 17, 9, 58, 30, tzinfo=UTC)
STAMP = int(SINCE.timestamp())


def test_coingecko_writes_numbers_and_how_old_they_are() -> None:
    body = f"""{{"bitcoin":{{"usd":96498,"eur":89887.123456789012,"last_updated_at":{STAMP}}},
                "tether":{{"usd":1.0003,"last_updated_at":{STAMP}}},"dogecoin-killer":{{"usd":1,"last_updated_at":{STAMP}}}}}"""
    prices, since = coingecko.parse(body.encode())
    assert prices == {("BTC", "USD"): Decimal(96498), ("BTC", "EUR"): Decimal("89887.123456789012"), ("USDT", "USD"): Decimal("1.0003")}
    assert since == {"BTC": SINCE, "USDT": SINCE}


@pytest.mark.parametrize("written", HOSTILE.values(), ids=HOSTILE)
def test_one_bad_pair_of_coingecko_does_not_lose_the_others(written: str) -> None:
    body = f'{{"bitcoin":{{"usd":96498,"eur":{written},"last_updated_at":{STAMP}}}}}'.encode()
    assert coingecko.parse(body)[0] == {("BTC", "USD"): Decimal(96498)}


@pytest.mark.parametrize("stamp", ["null", '"yesterday"', "-1", "1.7e9", "1700000000.5", "99999999999999", "NaN", "[]", "true"])
def test_a_coin_that_does_not_say_how_old_it_is_is_left_out(stamp: str) -> None:
    body = f'{{"bitcoin":{{"usd":96498,"last_updated_at":{stamp}}},"ethereum":{{"usd":3000,"last_updated_at":{STAMP}}},"tether":{{"usd":1}}}}'
    assert coingecko.parse(body.encode()) == ({("ETH", "USD"): Decimal(3000)}, {"ETH": SINCE})


@pytest.mark.parametrize("body", [b'{"status":{"error_code":429,"error_message":"Throttled"}}', b'{"bitcoin":[]}', b'{"bitcoin":null}', b"{}"])
def test_an_answer_of_coingecko_without_prices_is_no_price(body: bytes) -> None:
    assert coingecko.parse(body) == ({}, {})


# --- the ECB ----------------------------------------------------------------------------------------------------
ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
<gesmes:subject>Reference rates</gesmes:subject><Cube>{days}</Cube></gesmes:Envelope>"""


def ecbs(days: str) -> bytes:
    return ENVELOPE.format(days=days).encode()


def test_the_ecb_says_what_one_euro_is_and_of_which_day() -> None:
    found = ecb.parse(ecbs("<Cube time='2026-11-16'><Cube currency='USD' rate='1.0587'/><Cube currency='TRY' rate='36.6128'/></Cube>"))
    assert found == ({"USD": Decimal("1.0587"), "TRY": Decimal("36.6128")}, date(2026, 11, 16))


def test_of_several_days_the_latest_counts_wherever_it_stands() -> None:
    old, new = "<Cube time='2026-11-13'><Cube currency='USD' rate='1.1'/></Cube>", "<Cube time='2026-11-16'><Cube currency='USD' rate='1.2'/></Cube>"
    assert ecb.parse(ecbs(old + new)) == ecb.parse(ecbs(new + old)) == ({"USD": Decimal("1.2")}, date(2026, 11, 16))


@pytest.mark.parametrize("rate", ["", "0", "-1.05", "NaN", "INF", "1e5", "1,05", " 1.05", "٣"])
def test_one_bad_rate_of_the_ecb_does_not_lose_the_others(rate: str) -> None:
    days = f"<Cube time='2026-11-16'><Cube currency='USD' rate='{rate}'/><Cube currency='CHF' rate='0.9412'/><Cube currency='X'/><Cube/></Cube>"
    assert ecb.parse(ecbs(days))[0] == {"CHF": Decimal("0.9412")}


@pytest.mark.parametrize(
    "body",
    [
        ecbs(""),
        ecbs("<Cube time='yesterday'><Cube currency='USD' rate='1.05'/></Cube>"),
        ecbs("<Cube time='2026-11-16'><Cube currency='USD' rate='1.05'></Cube>"),
        b'<!DOCTYPE a [<!ENTITY b "1.05">]><Cube><Cube time="2026-11-16"><Cube currency="USD" rate="&b;"/></Cube></Cube>',
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><Cube time="2026-11-16">&b;</Cube>',
    ],
)
def test_what_is_no_rate_table_is_refused(body: bytes) -> None:
    with pytest.raises(SourceFailed, match="ECB answered with"):
        ecb.parse(body)


# --- asked over HTTP --------------------------------------------------------------------------------------------
WANTED = Wanted(names=("BTC", "ETH", "BNB"), fiats=("USD", "EUR"), currencies=("EUR", "USD", "CHF", "JPY"))


@pytest.fixture
def markets():
    with Markets() as found:
        found.at = NOW
        yield found


def asked(markets: Markets, name: str, feed: object, *, deadline: float = 20) -> list[Quoted]:
    with Web(feed.label, markets.url(name), deadline=deadline) as web:
        return feed.ask(web, WANTED, now=NOW)


def values(quotes: list[Quoted]) -> dict[tuple[str, str], str]:
    assert len({(quote.name, quote.currency) for quote in quotes}) == len(quotes)
    return {(quote.name, quote.currency): str(quote.value) for quote in quotes}


def test_kraken_is_asked_once_for_everything(markets: Markets) -> None:
    for name in ("BTC", "ETH"):
        for currency in ("USD", "EUR", "CHF", "JPY"):
            markets.set(name, currency, "3000")
    for pair, value in {("EUR", "USD"): "1.25", ("USD", "CHF"): "0.9", ("USD", "JPY"): "150", ("EUR", "CHF"): "1.1", ("EUR", "JPY"): "187"}.items():
        markets.set(*pair, value)
    markets.set("BNB", "USD", "600")
    markets.set("BNB", "EUR", "500")
    found = asked(markets, "kraken", kraken.Kraken())
    assert len(markets.asked) == 1
    assert values(found) == {
        **{(name, currency): "3000" for name in ("BTC", "ETH") for currency in ("USD", "EUR", "CHF", "JPY")},
        ("BNB", "USD"): "600",
        ("BNB", "EUR"): "500",
        ("EUR", "USD"): "1.25",
        ("USD", "EUR"): "0.8",  # the other way round
        ("USD", "CHF"): "0.9",
        ("USD", "JPY"): "150",
        ("EUR", "CHF"): "1.1",
        ("EUR", "JPY"): "187",
    }
    assert {(quote.source, quote.at) for quote in found} == {("Kraken", NOW)}


def test_a_pair_that_kraken_does_not_trade_loses_its_own_name_and_no_other(markets: Markets) -> None:
    for currency in ("USD", "EUR", "CHF", "JPY"):
        markets.set("BTC", currency, "96000")
    markets.set("ETH", "USD", "3000")
    assert values(asked(markets, "kraken", kraken.Kraken())) == {("BTC", currency): "96000" for currency in ("USD", "EUR", "CHF", "JPY")}


def test_coinbase_is_asked_for_each_base_and_may_not_know_one(markets: Markets) -> None:
    markets.set("BTC", "USD", "96000")
    markets.set("BTC", "GBP", "70000")  # not wanted
    markets.set("USD", "EUR", "0.93")
    found = asked(markets, "coinbase", coinbase.Coinbase())
    assert values(found) == {("BTC", "USD"): "96000", ("USD", "EUR"): "0.93"}
    assert len(markets.asked) == 5


def test_an_answer_of_coinbase_for_another_base_is_not_believed(markets: Markets) -> None:
    markets.says["coinbase"] = Says(body=b'{"data":{"currency":"BTC","rates":{"USD":"96000"}}}')
    assert values(asked(markets, "coinbase", coinbase.Coinbase())) == {("BTC", "USD"): "96000"}


def test_coingecko_keeps_its_own_time(markets: Markets) -> None:
    markets.at = SINCE
    markets.set("BTC", "USD", "96000")
    markets.set("ETH", "CHF", "2700.55")
    found = asked(markets, "coingecko", coingecko.CoinGecko())
    assert (values(found), {quote.at for quote in found}) == ({("BTC", "USD"): "96000", ("ETH", "CHF"): "2700.55"}, {SINCE})


def test_the_ecb_crosses_currencies_and_knows_nothing_of_coins(markets: Markets) -> None:
    for currency, rate in {"USD": "1.25", "CHF": "0.95"}.items():
        markets.set("EUR", currency, rate)
    found = asked(markets, "ecb", ecb.Ecb())
    assert values(found) == {("USD", "EUR"): "0.8", ("USD", "CHF"): "0.76", ("EUR", "USD"): "1.25", ("EUR", "CHF"): "0.95"}
    assert {(quote.at, quote.is_reference) for quote in found} == {(datetime(2026, 11, 17, tzinfo=UTC), True)}


FEEDS = {"kraken": kraken.Kraken(), "coinbase": coinbase.Coinbase(), "coingecko": coingecko.CoinGecko(), "ecb": ecb.Ecb()}


@pytest.mark.parametrize("name", FEEDS)
@pytest.mark.parametrize("status", [301, 302, 403, 429, 500, 503])
def test_any_answer_but_200_is_a_failure_and_no_redirect_is_followed(markets: Markets, name: str, status: int) -> None:
    markets.says[name] = Says(status, b"{}", headers=(("Location", markets.url("ecb") + "/elsewhere"),))
    with pytest.raises(SourceFailed, match=rf"^{FEEDS[name].label} answered {status}\.$"):
        asked(markets, name, FEEDS[name])
    assert not [path for path in markets.asked if "elsewhere" in path]


@pytest.mark.parametrize("name", FEEDS)
def test_an_answer_without_end_is_not_read_to_it(markets: Markets, name: str) -> None:
    markets.says[name] = Says(body=b" " * (1024 * 1024 + 1))
    with pytest.raises(SourceFailed, match="answered with too much"):
        asked(markets, name, FEEDS[name])


@pytest.mark.parametrize("name", FEEDS)
def test_a_source_that_takes_too_long_is_left(markets: Markets, name: str) -> None:
    markets.says[name] = Says(body=b"{}", after_seconds=0.3)
    with pytest.raises(SourceFailed, match="was too slow"):
        asked(markets, name, FEEDS[name], deadline=0.2)
    assert len(markets.asked) == 1


def test_nobody_there_is_said_without_the_address_that_was_asked() -> None:
    with Web("Kraken", "http://user:secret@127.0.0.1:9") as web, pytest.raises(SourceFailed) as failed:
        web.get("/0/public/Ticker")
    assert (str(failed.value), failed.value.is_away) == ("Kraken cannot be reached: the connection failed.", True)


def test_we_say_who_we_are_and_carry_no_cookies_or_proxies(markets: Markets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Web("Kraken", markets.url("kraken")) as web:
        assert web.get("/0/public/Ticker", pair="XBTUSD") == b'{"error": ["EQuery:Unknown asset pair"]}'
        assert (web.session.headers["user-agent"], web.session.trust_env) == ("Quittance/1", False)
