"""The few lines of style that differ from one document to the next: paper, colour, running texts, column widths."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

from invoicing import money
from invoicing.models import LineItem
from invoicing.snapshot import Document, Party
from merchants import branding

DEFAULT_BRAND = "#1F4FD1"
BODY_WIDTH = {"A4": 481.9, "Letter": 498.6}  # pt, between side margins of 20 mm
PER_CHARACTER, PADDING = 5.7, 11.0  # pt: a tabular digit of Inter at 9.5 pt, and the gap before a column
SHARES = {"quantity": 0.12, "price": 0.15, "discount": 0.12, "tax": 0.10, "amount": 0.15}
DESCRIPTION_AT_LEAST = 0.24
SENDER_AT_MOST = 110  # characters, so that the footer stays one line


def sheet_of(document: Document, number: str, title: str, lines: list[LineItem]) -> str:
    """The document's own style sheet, laid over print.css."""
    return "\n".join(
        (
            *frame(document.sender, f"{title} {number}", number, paper=document.paper, brand_color=document.brand_color, is_test=document.is_test),
            *columns(document, lines),
            f".totals {{ width: {totals_width(document):.1f}pt; }}",
        )
    )


def frame(sender: Party, head: str, foot: str, *, paper: str, brand_color: str, is_test: bool) -> tuple[str, ...]:
    """The rules of everything that the house prints: size, running texts (`head` from the second page on), the merchant's colour."""
    brand = brand_color if re.fullmatch(r"#[0-9A-Fa-f]{6}", brand_color) else DEFAULT_BRAND
    before, between, after = _("page %(page)s of %(pages)s").replace("%(pages)s", "%(page)s").split("%(page)s")
    test = _("Test: sandbox tokens only, no real money") if is_test else ""
    return (
        f"@page {{ size: {'Letter' if paper == 'Letter' else 'A4'};",
        f"  @top-left {{ content: {quoted(' · '.join(filter(None, (sender.name, test))))}; }}",
        f"  @top-right {{ content: {quoted(head)}; }}",
        f"  @bottom-left {{ content: {quoted(sender_line(sender))}; }}",
        f"  @bottom-right {{ content: {quoted(f'{foot}, {before}')} counter(page) {quoted(between)} counter(pages) {quoted(after)}; }} }}",
        f"@page :first {{ @top-left {{ content: {quoted(test)}; }} @top-right {{ content: none; }} }}",
        f".tile {{ background: {brand}; color: {branding.text_on(brand)}; }}",
        f".link {{ color: {branding.light(brand).link}; }}",
    )


def quoted(text: str) -> str:
    """`text` as a CSS string; everything but letters, digits and spaces is escaped, so that nothing ends the string."""
    return '"' + re.sub(r"[^\w ]", lambda found: f"\\{ord(found[0]):x} ", text) + '"'


def sender_line(sender: Party) -> str:
    """'Harbour & Pine, Lda, Rua do Cais 14, 1200-109 Lisboa, VAT PT 514 882 091', on one line."""
    address = [part.strip() for part in sender.address.splitlines() if part.strip()]
    line = ", ".join(part for part in (sender.name, *address, sender.tax_id) if part)
    return line if len(line) <= SENDER_AT_MOST else f"{line[: SENDER_AT_MOST - 1].rstrip(' ,')}…"


def columns(document: Document, lines: list[LineItem]) -> list[str]:
    """Widths for the item table such that no amount wraps or touches its neighbour; smaller type when they leave no room."""
    width = BODY_WIDTH["Letter" if document.paper == "Letter" else "A4"]
    needs = {name: max(width * SHARES[name], length * PER_CHARACTER + PADDING) for name, length in lengths(document, lines).items()}
    wanted = sum(needs.values()) / (1 - DESCRIPTION_AT_LEAST)
    scale = min(1.0, width / wanted)
    rules = [f".column-{name} {{ width: {need * scale:.1f}pt; }}" for name, need in needs.items()]
    if scale < 1:
        rules.append(f".lines td.num {{ font-size: {9.5 * scale:.2f}pt; }}")
    return rules


def totals_width(document: Document) -> float:
    """45 % of the page, or what the total needs on its line in 13 pt; in pt."""
    invoice = document.invoice
    total = money.format_minor(invoice.total_minor, invoice.currency, invoice.language)
    return max(0.45 * BODY_WIDTH["Letter" if document.paper == "Letter" else "A4"], len(total) * 8.2 + 75)


def lengths(document: Document, lines: list[LineItem]) -> dict[str, int]:
    """The longest text of each column of figures that the table has, in characters."""
    invoice = document.invoice

    def longest(minors: list[int]) -> int:
        return len(money.format_minor(max(minors, default=0), invoice.currency, invoice.language))

    def rate(rates: list[int]) -> int:
        return max(len(money.grouped(value, 4, trim=True)) for value in rates) + 2

    found = {
        "quantity": max((len(money.grouped(line.quantity_e4, 4, trim=True)) for line in lines), default=1),
        "price": longest([line.unit_price_minor for line in lines]),
        "amount": longest([line.amount_minor for line in lines]),
    }
    if any(line.taken_off_minor for line in lines):
        found["discount"] = max(rate([line.discount_e4 for line in lines]), longest([line.taken_off_minor for line in lines if not line.discount_e4]))
    if any(line.tax_e4 or line.tax_name for line in lines):
        found["tax"] = rate([line.tax_e4 for line in lines])
    return found
