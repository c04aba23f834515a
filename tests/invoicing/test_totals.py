"""The calculator against a second one, written from its documented rule with fractions, and against sums done by hand."""

from __future__ import annotations

import random
from collections.abc import Iterable
from fractions import Fraction
from math import floor

import pytest

from invoicing.totals import Line, TaxTotal, line_total, totals

HALF = Fraction(1, 2)


# --- the second calculator --------------------------------------------------------------------------------------
def nearest(value: Fraction) -> int:
    """The nearest whole number, halves up."""
    return floor(value + HALF)


def by_fractions(lines: Iterable[Line], inside: bool) -> tuple[list[tuple[int, int, int]], list[tuple[str, int, int, int]], int, int, int, int]:
    """(lines as gross, discount, amount), (taxes as name, rate, base, tax), discount, net, tax, total."""
    counted, groups = [], {}
    for line in lines:
        gross = nearest(Fraction(line.quantity_e4, 10_000) * line.unit_price_minor)
        off = nearest(Fraction(line.discount_e4, 1_000_000) * gross) if line.discount_e4 else line.discount_minor
        off = gross if off > gross else off
        counted.append((gross, off, gross - off))
        if line.tax_name or line.tax_e4:
            groups.setdefault((line.tax_name, line.tax_e4), []).append(gross - off)
    taxes = []
    for (name, rate), amounts in groups.items():
        share = Fraction(rate, 1_000_000)
        whole = sum(amounts)
        tax = nearest(whole * (share / (1 + share) if inside else share))
        taxes.append((name, rate, whole - tax if inside else whole, tax))
    shown = sum(amount for _gross, _off, amount in counted)
    tax = sum(row[3] for row in taxes)
    total = shown if inside else shown + tax
    return counted, taxes, sum(off for _gross, off, _amount in counted), total - tax, tax, total


RATES = [0, 50_000, 60_000, 99_750, 100_000, 130_000, 190_000, 200_000, 230_000, 270_000, 1, 1_000_000, 123_456]
NAMES = ["", "VAT", "TPS", "TVQ", "GST", "消費税"]
SCALES = {"JPY": 1, "EUR": 100, "KWD": 1000}


def an_invoice(dice: random.Random) -> list[Line]:
    """1 to 3 lines as people write them in JPY, EUR or KWD: small and huge, with and without discount and tax."""
    scale = SCALES[dice.choice(("JPY", "EUR", "KWD"))]
    lines = []
    for _place in range(dice.randint(1, 3)):
        quantity = dice.choice((10_000, dice.randint(1, 99) * 10_000, dice.randint(1, 100_000), dice.randint(1, 10**9)))
        price = dice.choice((dice.randint(0, 9), dice.randint(0, 100 * scale), dice.randint(0, 10_000 * scale), dice.randint(0, 10**10)))
        percent = amount = 0
        match dice.randint(0, 3):
            case 1:
                percent = dice.choice((50_000, 100_000, 125_000, 333_333, 500_000, 1_000_000, dice.randint(1, 1_000_000)))
            case 2:
                amount = dice.randint(0, quantity * price // 5_000 + 2)  # as often above the line as below it
        name, rate = ("", 0) if dice.random() < 0.2 else (dice.choice(NAMES), dice.choice(RATES))
        lines.append(Line(quantity, price, percent, amount, name, rate))
    return lines


def test_it_agrees_with_a_calculator_of_fractions_on_100_000_invoices():
    dice = random.Random(20261117)
    for _invoice in range(100_000):
        lines = an_invoice(dice)
        inside = dice.random() < 0.4
        got = totals(lines, prices_include_tax=inside)
        counted = [(row.gross_minor, row.discount_minor, row.amount_minor) for row in got.lines]
        taxes = [(row.name, row.rate_e4, row.base_minor, row.tax_minor) for row in got.taxes]
        assert (counted, taxes, got.discount_minor, got.net_minor, got.tax_minor, got.total_minor) == by_fractions(lines, inside), (lines, inside)


def test_the_random_invoices_reach_the_corners():
    """A generator that never drew a discount above its line, or a half, would prove little."""
    dice = random.Random(20261117)
    seen = set()
    for _invoice in range(5_000):
        for line in an_invoice(dice):
            gross = Fraction(line.quantity_e4 * line.unit_price_minor, 10_000)
            seen |= {
                "half" if gross % 1 == HALF else "",
                "above" if line.discount_minor > nearest(gross) else "",
                "percent" if line.discount_e4 else "",
                "9.975" if line.tax_e4 == 99_750 else "",
                "named zero" if line.tax_name and not line.tax_e4 else "",
                "untaxed" if not line.tax_name and not line.tax_e4 else "",
                "over 10^12" if gross > 10**12 else "",
            }
    assert seen == {"", "half", "above", "percent", "9.975", "named zero", "untaxed", "over 10^12"}


# --- by hand ----------------------------------------------------------------------------------------------------
def line(quantity: str, price: int, *, percent: str = "0", off: int = 0, tax: str = "0", name: str = "") -> Line:
    """Quantity and percentages as people write them, money in minor units."""
    return Line(int(Fraction(quantity) * 10_000), price, int(Fraction(percent) * 10_000), off, name, int(Fraction(tax) * 10_000))


# what it shows: (lines, prices include tax, discount, net, tax, total, [each tax])
BY_HAND = {
    "EUR, the example of the docstring: 3480.00 + 800.40": (
        [line("1", 180000, tax="23"), line("1", 125000, percent="10", tax="23"), line("6", 9250, tax="23")],
        False, 12500, 348000, 80040, 428040, [80040],
    ),
    "JPY, tax inside: 999 × 10 / 110 = 90.8": ([line("3", 333, tax="10")], True, 0, 908, 91, 999, [91]),
    "JPY, tax on top: 99.9": ([line("3", 333, tax="10")], False, 0, 999, 100, 1099, [100]),
    "JPY, half a yen rounds up": ([line("0.5", 1)], False, 0, 1, 0, 1, []),
    "KWD, three digits: 2.5 × 1.250 = 3.125, 5 % of it 0.15625": ([line("2.5", 1250, tax="5")], False, 0, 3125, 156, 3281, [156]),
    "KWD, an amount off: 1.005 − 0.005": ([line("3", 335, off=5, tax="5")], False, 5, 1000, 50, 1050, [50]),
    "CAD, 9.975 % of 100.00 is 9.975, the half cent goes up": ([line("1", 10000, tax="9.975", name="TVQ")], False, 0, 10000, 998, 10998, [998]),
    "CAD, 9.975 % of 19.99 = 1.9940025": ([line("1", 1999, tax="9.975")], False, 0, 1999, 199, 2198, [199]),
    "CAD, 9.975 % inside 109.98 = 9.9754…": ([line("1", 10998, tax="9.975")], True, 0, 10000, 998, 10998, [998]),
    "CAD, 5 % and 9.975 % on lines of their own: 5.00 + 19.95": (
        [line("1", 10000, tax="5", name="TPS"), line("2", 10000, tax="9.975", name="TVQ")], False, 0, 30000, 2495, 32495, [500, 1995],
    ),
    "a discount above its line takes the line, not more": ([line("1", 1000, off=1500, tax="23")], False, 1000, 0, 0, 0, [0]),
    "a discount above its line takes nothing from the next": ([line("1", 1000, off=1500), line("1", 700)], False, 1000, 700, 0, 700, []),
    "a discount of the whole line": ([line("1", 1000, off=1000)], False, 1000, 0, 0, 0, []),
    "100 % off": ([line("1", 9999, percent="100", tax="23")], False, 9999, 0, 0, 0, [0]),
    "33.3333 % of 100.00 = 33.3333": ([line("1", 10000, percent="33.3333")], False, 3333, 6667, 0, 6667, []),
    "half of one cent off is one cent off": ([line("1", 1, percent="50")], False, 1, 0, 0, 0, []),
    "12.5 % of 5.97 = 0.74625; 20 % of 5.22 = 1.044": ([line("3", 199, percent="12.5", tax="20")], False, 75, 522, 104, 626, [104]),
    "half a cent rounds up": ([line("0.5", 1)], False, 0, 1, 0, 1, []),
    "just under half a cent is nothing": ([line("0.4999", 1)], False, 0, 0, 0, 0, []),
    "1.5 × 0.33 = 0.495": ([line("1.5", 33)], False, 0, 50, 0, 50, []),
    "0.3333 × 99.99 = 33.326667": ([line("0.3333", 9999)], False, 0, 3333, 0, 3333, []),
    "12.3456 × 7.89 = 97.406784": ([line("12.3456", 789)], False, 0, 9741, 0, 9741, []),
    "each line is rounded by itself: three times 0.005": ([line("0.5", 1)] * 3, False, 0, 3, 0, 3, []),
    "a named tax of 0 % is a tax line of 0": ([line("1", 50000, name="Reverse charge")], False, 0, 50000, 0, 50000, [0]),
    "no tax is no tax line": ([line("1", 50000)], False, 0, 50000, 0, 50000, []),
    "two rates: 23.00 + 3.00": ([line("1", 10000, tax="23"), line("1", 5000, tax="6")], False, 0, 15000, 2600, 17600, [2300, 300]),
    "one tax is rounded once on its sum: 10 % of 0.10": ([line("1", 5, tax="10", name="A")] * 2, False, 0, 10, 1, 11, [1]),
    "two taxes of one rate are two groups: 0.005 each": (
        [line("1", 5, tax="10", name="A"), line("1", 5, tax="10", name="B")], False, 0, 10, 2, 12, [1, 1],
    ),
    "two groups inside: 123.00 holds 23.00, 106.00 holds 6.00": (
        [line("1", 12300, tax="23"), line("1", 10600, tax="6")], True, 0, 20000, 2900, 22900, [2300, 600],
    ),
    "tax inside what the discount leaves: 110.70 holds 20.70": ([line("1", 12300, percent="10", tax="23")], True, 1230, 9000, 2070, 11070, [2070]),
    "tax inside one line, none in the other": ([line("1", 10000), line("1", 12300, tax="23")], True, 0, 20000, 2300, 22300, [2300]),
    "0.03 with 23 % inside: 0.0056": ([line("1", 3, tax="23")], True, 0, 2, 1, 3, [1]),
    "a named 0 % inside": ([line("1", 777, name="Exempt")], True, 0, 777, 0, 777, [0]),
    "a tax of 100 %": ([line("1", 100, tax="100")], False, 0, 100, 100, 200, [100]),
    "0.0001 % of 5,000.00 is half a cent": ([line("1", 500000, tax="0.0001")], False, 0, 500000, 1, 500001, [1]),
    "as much as an invoice can hold: 23 % of 9,999,999,999,999.99": (
        [line("1", 999_999_999_999_999, tax="23")], False, 0, 999_999_999_999_999, 230_000_000_000_000, 1_229_999_999_999_999, [230_000_000_000_000],
    ),
    "a thousand million cents": ([line("1000000000", 1)], False, 0, 1_000_000_000, 0, 1_000_000_000, []),
    "nothing written": ([], False, 0, 0, 0, 0, []),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "inside", "discount", "net", "tax", "total", "taxes"), BY_HAND.values(), ids=BY_HAND.keys())
def test_by_hand(lines: list[Line], inside: bool, discount: int, net: int, tax: int, total: int, taxes: list[int]):
    got = totals(lines, prices_include_tax=inside)
    assert (got.discount_minor, got.net_minor, got.tax_minor, got.total_minor, [group.tax_minor for group in got.taxes]) == (
        discount,
        net,
        tax,
        total,
        taxes,
    )


def test_a_line_shows_its_price_before_and_after_the_discount():
    got = line_total(line("1", 125000, percent="10"))
    assert (got.gross_minor, got.discount_minor, got.amount_minor) == (125000, 12500, 112500)


def test_taxes_come_in_the_order_in_which_they_first_appear():
    lines = [line("1", 100, tax="6", name="B"), line("1", 100), line("1", 100, tax="23", name="A"), line("1", 100, tax="6", name="B")]
    assert totals(lines, prices_include_tax=False).taxes == (TaxTotal("B", 60000, 200, 12), TaxTotal("A", 230000, 100, 23))


def test_with_tax_inside_the_base_of_a_tax_is_what_is_left():
    got = totals([line("3", 333, tax="10", name="消費税")], prices_include_tax=True)
    assert (got.taxes, got.lines[0].amount_minor) == ((TaxTotal("消費税", 100000, 908, 91),), 999)


def test_lines_are_read_once_so_that_any_iterable_will_do():
    assert totals(iter([line("1", 100), line("2", 50)]), prices_include_tax=False).total_minor == 200
