"""Lines + discounts + taxes → totals. Pure, in integers of the minor unit; the one calculator for invoices.

Rounding, half up, at exactly three places:
1. quantity × unit price of a line, to the minor unit;
2. a percentage discount of that, to the minor unit (a discount never makes a line negative);
3. the tax of each (name, rate) group, once, on the sum of its lines' amounts.

With prices that include tax, the tax inside a group is sum × rate / (100 % + rate), and the net is the rest.

    EUR, tax on top              quantity  price    discount  tax     amount
    Logo and wordmark            1         1800.00  –         23 %    1800.00
    Colour and type system       1         1250.00  10 %      23 %    1125.00   (1250.00 − 125.00)
    Stationery, per piece        6         92.50    –         23 %     555.00
    net 3480.00 · tax 23 % of 3480.00 = 800.40 · total 4280.40 · discount in all 125.00

    JPY, tax inside              3         333      –         10 %    999
    tax 999 × 10 / 110 = 90.8… → 91 · net 908 · total 999
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from invoicing.money import half_up

QUANTITY_SCALE = 10**4  # quantities have up to 4 decimals
PERCENT_SCALE = 10**6  # a rate is an int of 0.0001 %: 9.975 % is 99750, 100 % is 10^6


@dataclass(frozen=True)
class Line:
    """One line as written. Either `discount_e4` (0.0001 %) or `discount_minor` is set, or neither."""

    quantity_e4: int
    unit_price_minor: int
    discount_e4: int = 0
    discount_minor: int = 0
    tax_name: str = ""
    tax_e4: int = 0


@dataclass(frozen=True)
class LineTotal:
    gross_minor: int  # quantity × price
    discount_minor: int
    amount_minor: int  # what the line counts for: gross − discount; holds the tax when prices include it


@dataclass(frozen=True)
class TaxTotal:
    name: str
    rate_e4: int
    base_minor: int  # without the tax itself
    tax_minor: int


@dataclass(frozen=True)
class Totals:
    lines: tuple[LineTotal, ...]
    taxes: tuple[TaxTotal, ...]  # in the order their groups first appear; lines without tax make none
    discount_minor: int
    net_minor: int
    tax_minor: int
    total_minor: int


def line_total(line: Line) -> LineTotal:
    gross = half_up(line.quantity_e4 * line.unit_price_minor, QUANTITY_SCALE)
    wanted = half_up(gross * line.discount_e4, PERCENT_SCALE) if line.discount_e4 else line.discount_minor
    discount = min(wanted, gross)
    return LineTotal(gross, discount, gross - discount)


def totals(lines: Iterable[Line], *, prices_include_tax: bool) -> Totals:
    """The totals of an invoice. All values are non-negative ints of the minor unit."""
    written = list(lines)
    counted = [line_total(line) for line in written]
    groups: dict[tuple[str, int], int] = {}
    for line, result in zip(written, counted, strict=True):
        if line.tax_e4 or line.tax_name:
            key = (line.tax_name, line.tax_e4)
            groups[key] = groups.get(key, 0) + result.amount_minor
    taxes = tuple(_tax(name, rate, amount, prices_include_tax) for (name, rate), amount in groups.items())
    amounts = sum(result.amount_minor for result in counted)
    tax = sum(group.tax_minor for group in taxes)
    net = amounts - tax if prices_include_tax else amounts
    return Totals(tuple(counted), taxes, sum(result.discount_minor for result in counted), net, tax, net + tax)


def _tax(name: str, rate_e4: int, amount_minor: int, inside: bool) -> TaxTotal:
    if inside:
        tax = half_up(amount_minor * rate_e4, PERCENT_SCALE + rate_e4)
        return TaxTotal(name, rate_e4, amount_minor - tax, tax)
    return TaxTotal(name, rate_e4, amount_minor, half_up(amount_minor * rate_e4, PERCENT_SCALE))
