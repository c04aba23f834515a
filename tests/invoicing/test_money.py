"""Money at the edges: what may be typed, and how it is written."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.money import (
    NotAnAmount,
    ceil_ratio,
    currency_name,
    digits,
    format_minor,
    grouped,
    half_up,
    parse_minor,
    parse_scaled,
    plain,
    to_decimal,
)

NBSP, NNBSP, MINUS = "\u00a0", "\u202f", "\u2212"
ETHER_MAX = 2**256 - 1


# --- read -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "places", "expected"),
    [
        ("1,250.50", 2, 125050),
        ("1250.5", 2, 125050),
        ("1 250.50", 2, 125050),
        (f"1{NBSP}250.50", 2, 125050),
        (f"12{NNBSP}345{NNBSP}678.90", 2, 1234567890),
        ("  7  ", 2, 700),
        ("7.", 2, 700),
        (".5", 2, 50),
        ("0", 2, 0),
        ("-0", 2, 0),
        ("007", 0, 7),
        ("+7", 0, 7),
        ("-7.25", 2, -725),
        (f"{MINUS}7.25", 2, -725),
        ("0.000000000000000001", 18, 1),
        ("1,234,567", 0, 1234567),
        ("12345678901234567890123456789012.34", 2, 1234567890123456789012345678901234),
    ],
)
def test_amounts_as_people_write_them(text: str, places: int, expected: int):
    assert parse_scaled(text, places) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ".", "-", "+", "-.", "--1", "+-1", "1-", "1.2.3", "1..2", "abc", "1a", "€ 5", "5 EUR", "5 %", "1/2", "0x10", "1_000",
        "NaN", "nan", "-NaN", "sNaN", "Infinity", "-Infinity", "inf", "1e400", "1E5", "1e-2", "1e999999999",
        "１２", "١٢", "१२", "²", "½", "\u200f12", "12\u200e", "\u202e21", "\u200b1", "1\x002", "1\n2", "1'250.00",
        "12,50", "1,2345.00", "1,250,50", ",5", "5,", "1,,000", "1250,000.5", "1,250 500", "1 2", "1  250", "1.250,50",
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused_and_not_guessed(text: str):
    with pytest.raises(NotAnAmount, match=r"This is not a number\. Write it like 1250\.50\."):
        parse_scaled(text, 2)


@pytest.mark.parametrize(
    ("text", "places", "sentence"),
    [
        ("1.005", 2, "This has too many digits after the point; 2 at most."),
        ("1.250", 2, "This has too many digits after the point; 2 at most."),  # 1250 to many people: not 1.25
        ("0.00001", 4, "This has too many digits after the point; 4 at most."),
        ("1.5", 0, "This takes whole numbers only."),
        ("9" * 41, 2, "This number is too large."),
        ("0." + "1" * 41, 2, "This number is too large."),
    ],
)
def test_more_than_the_unit_holds_is_refused_and_never_rounded(text: str, places: int, sentence: str):
    with pytest.raises(NotAnAmount) as refusal:
        parse_scaled(text, places)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("text", ["9" * 100_000, "1" + ",000" * 25_000, " " * 100_000 + "x", "1" * 50_000 + "." + "1" * 50_000, "1 " * 50_000])
def test_a_hundred_thousand_characters_are_refused_at_once(text: str):
    began = time.perf_counter()
    with pytest.raises(NotAnAmount):
        parse_scaled(text, 2)
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize(
    ("text", "currency", "expected"), [("1,250.00", "EUR", 125000), ("1250", "JPY", 1250), ("1.250", "KWD", 1250), ("0.001", "KWD", 1)]
)
def test_an_amount_is_read_in_the_digits_of_its_currency(text: str, currency: str, expected: int):
    assert parse_minor(text, currency) == expected


@pytest.mark.parametrize(
    ("text", "currency", "sentence"),
    [
        ("1.5", "JPY", "JPY has no digits after the point. Write a whole number."),
        ("1.0001", "KWD", "This has too many digits after the point; 3 at most."),
        ("x", "JPY", "This is not a number. Write it like 1250.50."),
    ],
)
def test_a_refusal_names_the_digits_of_the_currency(text: str, currency: str, sentence: str):
    with pytest.raises(NotAnAmount) as refusal:
        parse_minor(text, currency)
    assert str(refusal.value) == sentence


# --- written ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("units", "places", "expected"),
    [
        (428040, 2, "4280.40"),
        (0, 2, "0.00"),
        (5, 2, "0.05"),
        (-5, 2, "-0.05"),
        (-428040, 2, "-4280.40"),
        (999, 0, "999"),
        (1, 18, "0.000000000000000001"),
        (10**30, 0, "1000000000000000000000000000000"),
        (ETHER_MAX, 18, "115792089237316195423570985008687907853269984665640564039457.584007913129639935"),
    ],
)
def test_for_machines_it_is_plain(units: int, places: int, expected: str):
    assert plain(units, places) == expected


@pytest.mark.parametrize(
    ("units", "places", "language", "expected"),
    [
        (428040, 2, "en", "4,280.40"),
        (428040, 2, "de", "4.280,40"),
        (42804000, 2, "fr", f"428{NNBSP}040,00"),
        (428040, 0, "en", "428,040"),
        (-428040, 2, "en", f"{MINUS}4,280.40"),
        (-5, 2, "en", f"{MINUS}0.05"),
        (0, 3, "en", "0.000"),
        (999_999_999_999_999, 2, "en", "9,999,999,999,999.99"),
        (ETHER_MAX, 18, "en", "115,792,089,237,316,195,423,570,985,008,687,907,853,269,984,665,640,564,039,457.584007913129639935"),
    ],
)
def test_for_people_it_is_grouped_their_way(units: int, places: int, language: str, expected: str):
    assert grouped(units, places, language) == expected


@pytest.mark.parametrize(
    ("units", "places", "minimum", "expected"),
    [
        (4512000, 8, 0, "0.04512"),
        (4512000, 8, 2, "0.04512"),
        (464851 * 10**4, 6, 2, "4,648.51"),
        (4648 * 10**6, 6, 2, "4,648.00"),
        (4648 * 10**6, 6, 0, "4,648"),
        (10000, 4, 0, "1"),
        (15000, 4, 0, "1.5"),
        (0, 8, 0, "0"),
        (0, 8, 2, "0.00"),
        (-1500, 3, 0, f"{MINUS}1.5"),
        (1, 18, 2, "0.000000000000000001"),
    ],
)
def test_trailing_zeros_go_down_to_the_minimum(units: int, places: int, minimum: int, expected: str):
    assert grouped(units, places, trim=True, minimum=minimum) == expected


@pytest.mark.parametrize(("currency", "expected"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("BHD", 3), ("CLP", 0), ("USD", 2), ("HUF", 2)])
def test_the_digits_of_a_minor_unit(currency: str, expected: int):
    assert digits(currency) == expected


@pytest.mark.parametrize(("minor", "currency", "expected"), [(428040, "EUR", "4,280.40"), (4280, "JPY", "4,280"), (4280400, "KWD", "4,280.400")])
def test_an_amount_is_written_in_the_digits_of_its_currency(minor: int, currency: str, expected: str):
    assert format_minor(minor, currency) == expected


def test_a_currency_has_a_name():
    assert currency_name("EUR") == "Euro"


# --- rounding ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"), [(0, 3, 0), (1, 3, 0), (1, 2, 1), (2, 3, 1), (3, 2, 2), (5, 2, 3), (10**40 + 5, 10, 10**39 + 1)]
)
def test_halves_go_up(numerator: int, denominator: int, expected: int):
    assert half_up(numerator, denominator) == expected


@pytest.mark.parametrize(("numerator", "denominator", "expected"), [(0, 3, 0), (1, 3, 1), (3, 3, 1), (4, 3, 2), (10**40 + 1, 10, 10**39 + 1)])
def test_a_quote_is_rounded_up(numerator: int, denominator: int, expected: int):
    assert ceil_ratio(numerator, denominator) == expected


# --- there and back ---------------------------------------------------------------------------------------------
whole = st.integers(min_value=-(10**20), max_value=10**20)
places = st.integers(min_value=0, max_value=18)


@given(whole, places)
def test_what_is_written_plainly_is_read_as_the_same(units: int, places: int):
    assert parse_scaled(plain(units, places), places) == units


@given(whole, places, st.booleans())
def test_what_is_written_for_people_is_read_as_the_same(units: int, places: int, trim: bool):
    assert parse_scaled(grouped(units, places, "en", trim=trim), places) == units


@given(st.integers(min_value=0, max_value=ETHER_MAX), places)
def test_a_decimal_is_exact_however_long(units: int, places: int):
    assert to_decimal(units, places).as_tuple() == Decimal(f"{units}E-{places}").as_tuple()


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_a_refusal(text: str):
    try:
        assert isinstance(parse_scaled(text, 2), int)
    except NotAnAmount as refusal:
        assert str(refusal)
