"""What people type into an invoice's cells."""

from datetime import UTC, date, datetime, time

import pytest

from invoicing import entry
from invoicing.money import NotAnAmount


@pytest.mark.parametrize(
    ("text", "value"), [("1", 10_000), ("1.5", 15_000), ("0.0001", 1), ("1,000", 10_000_000), (" 6 ", 60_000), ("1 000.25", 10_002_500)]
)
def test_a_quantity_is_read_to_four_decimals(text: str, value: int) -> None:
    assert entry.quantity(text) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0", "Write a quantity above zero."),
        ("-1", "Write a quantity above zero."),
        ("1.00001", "Write at most 4 digits after the point."),
        ("1000000001", "Write a quantity of at most 1,000,000,000."),
        ("two", "This is not a number. Write it like 1250.50."),
        ("1e3", "This is not a number. Write it like 1250.50."),
        ("NaN", "This is not a number. Write it like 1250.50."),
        ("1,5", "Write the decimals after a point: 1.5."),
        ("9" * 60, "This number is too large."),
    ],
)
def test_a_quantity_that_cannot_be_is_refused_with_the_way_to_mend_it(text: str, words: str) -> None:
    with pytest.raises(NotAnAmount) as refusal:
        entry.quantity(text)
    assert str(refusal.value) == words


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("1250", "EUR", 125_000),
        ("1,250.50", "EUR", 125_050),
        ("0", "EUR", 0),
        ("618,000", "JPY", 618_000),
        ("1.234", "KWD", 1_234),
        ("1 250.50", "EUR", 125_050),
    ],
)
def test_a_price_is_read_in_the_minor_unit_of_its_currency(text: str, currency: str, minor: int) -> None:
    assert entry.price(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency", "words"),
    [
        ("10.50", "JPY", "JPY has no digits after the point. Write a whole number."),
        ("10.505", "EUR", "EUR has 2 digits after the point. Write at most that many."),
        ("1.2345", "KWD", "KWD has 3 digits after the point. Write at most that many."),
        ("10,50", "EUR", "Write the decimals after a point: 10.50."),
        ("-5", "EUR", "A price is zero or more. To take something off, use the discount."),
        ("10000000000000.00", "EUR", "This is more than an invoice can hold, 9,999,999,999,999.99 EUR."),
        ("ten", "EUR", "This is not a number. Write it like 1250.50."),
        ("Infinity", "EUR", "This is not a number. Write it like 1250.50."),
    ],
)
def test_a_price_that_cannot_be_is_refused_with_the_way_to_mend_it(text: str, currency: str, words: str) -> None:
    with pytest.raises(NotAnAmount) as refusal:
        entry.price(text, currency)
    assert str(refusal.value) == words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10 %", (100_000, 0)),
        ("10%", (100_000, 0)),
        ("9.975 %", (99_750, 0)),
        ("50", (0, 5_000)),
        ("50.00", (0, 5_000)),
        ("", (0, 0)),
        ("–", (0, 0)),
        ("100%", (1_000_000, 0)),
    ],
)
def test_a_discount_is_a_percentage_or_an_amount(text: str, expected: tuple[int, int]) -> None:
    assert entry.discount(text, "EUR") == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a bit", "Write 10 % or an amount."),
        ("a bit %", "Write 10 % or an amount."),
        ("101 %", "Write a discount from 0 % to 100 %."),
        ("-5 %", "Write a discount from 0 % to 100 %."),
        ("-5", "Write the discount without a minus."),
        ("5.555", "EUR has 2 digits after the point. Write at most that many."),
    ],
)
def test_a_discount_that_cannot_be_is_refused_with_the_way_to_mend_it(text: str, words: str) -> None:
    with pytest.raises(NotAnAmount) as refusal:
        entry.discount(text, "EUR")
    assert str(refusal.value) == words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("23 %", ("Tax", 230_000)),
        ("23", ("Tax", 230_000)),
        ("VAT 23 %", ("VAT", 230_000)),
        ("IVA 23%", ("IVA", 230_000)),
        ("VAT23%", ("VAT", 230_000)),
        ("Sales tax NY 8.875 %", ("Sales tax NY", 88_750)),
        ("Tax2 5 %", ("Tax2", 50_000)),
        ("Reverse charge 0 %", ("Reverse charge", 0)),
        ("", ("", 0)),
        ("-", ("", 0)),
    ],
)
def test_a_tax_is_a_name_and_a_rate(text: str, expected: tuple[str, int]) -> None:
    assert entry.tax(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("VAT", "Write it like VAT 23 %."),
        ("-5 %", "Write it like VAT 23 %."),
        ("101 %", "Write a tax of at most 100 %."),
        ("x" * 41 + " 5 %", "Name this tax in at most 40 letters."),
        ("5.55555 %", "Write it like VAT 23 %."),
    ],
)
def test_a_tax_that_cannot_be_is_refused_with_the_way_to_mend_it(text: str, words: str) -> None:
    with pytest.raises(NotAnAmount) as refusal:
        entry.tax(text)
    assert str(refusal.value) == words


def test_what_was_read_is_written_back_as_it_was_typed() -> None:
    assert entry.quantity_text(15_000) == "1.5"
    assert entry.quantity_text(10_000) == "1"
    assert entry.quantity_text(1_000_000) == "100"
    assert entry.price_text(125_050, "EUR") == "1,250.50"
    assert entry.price_text(618_000, "JPY") == "618,000"
    assert entry.discount_text(100_000, 0, "EUR") == "10 %"
    assert entry.discount_text(0, 5_000, "EUR") == "50.00"
    assert entry.discount_text(0, 0, "EUR") == ""
    assert entry.tax_text("Tax", 230_000) == "23 %"
    assert entry.tax_text("VAT", 99_750) == "VAT 9.975 %"
    assert entry.tax_text("Exempt", 0) == "Exempt 0 %"
    assert entry.tax_text("", 0) == ""


@pytest.mark.parametrize(
    ("day", "at", "zone", "utc"),
    [
        (date(2026, 12, 1), time(18), "Europe/Lisbon", datetime(2026, 12, 1, 18, tzinfo=UTC)),
        (date(2026, 7, 1), time(9), "Europe/Lisbon", datetime(2026, 7, 1, 8, tzinfo=UTC)),
        # 02:30 does not exist on 29 March 2026 in Berlin: it moves forward by the hour that is skipped, to 03:30.
        (date(2026, 3, 29), time(2, 30), "Europe/Berlin", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        # 02:30 happens twice on 25 October 2026 in Berlin: the first is summer time.
        (date(2026, 10, 25), time(2, 30), "Europe/Berlin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (date(2026, 10, 25), time(2, 30, fold=1), "Europe/Berlin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (date(2026, 1, 1), time(0), "Pacific/Auckland", datetime(2025, 12, 31, 11, tzinfo=UTC)),
    ],
)
def test_a_wall_clock_becomes_a_moment(day: date, at: time, zone: str, utc: datetime) -> None:
    assert entry.moment(day, at, zone) == utc
