"""CSV files of what a list shows: RFC 4180, UTF-8, streamed row by row.

The file begins with a byte order mark: without one, Excel reads 'Café' as 'CafÃ©'; other programs skip it ('utf-8-sig').
Text that a spreadsheet would run as a formula is disarmed (`guarded`); figures are plain decimals with a point and stay
numbers. Everything is a stored column of the invoice itself: no live payer, merchant or asset is read for an issued one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _

from invoicing.models import Invoice, Shelf
from invoicing.money import digits, plain
from invoicing.snapshot import assets_for
from invoicing.standing import standing
from merchants import moments
from merchants.models import Merchant

CHUNK = 1000
MARK = "\ufeff"
# https://owasp.org/www-community/attacks/CSV_Injection, with the full-width forms that spreadsheets read as the same.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def guarded(text: str) -> str:
    """`text` as a cell that no spreadsheet takes for a formula: an apostrophe goes before what could begin one.

    For words that people wrote, never for figures: -5.00 is a number.
    """
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


class _Line:
    """What csv.writer writes to: each row comes back as text."""

    def write(self, text: str) -> str:
        return text


def stream(name: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> StreamingHttpResponse:
    """A download `name` ('invoices-2026-11-17.csv'). The rows are made as they are sent; their text is already `guarded`."""

    def lines() -> Iterator[str]:
        writer = csv.writer(_Line())
        yield MARK + writer.writerow([str(title) for title in header])
        for row in rows:
            yield writer.writerow(row)

    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
    return StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8", headers=headers)


def file_name(what: str, merchant: Merchant, now: datetime, ending: str = "csv") -> str:
    """'invoices-2026-11-17.csv': the day is the merchant's."""
    return f"{what}-{moments.local(now, merchant.time_zone):%Y-%m-%d}.{ending}"


def moment(value: datetime | None, zone: str) -> str:
    """ISO 8601 to the second, with the offset that `zone` had then: '2026-12-01T18:00:00+00:00'; empty for none."""
    return moments.local(value, zone).isoformat(timespec="seconds") if value else ""


def invoice_header() -> list[str]:
    return [
        *(_("Number"), _("Status"), _("Title"), _("Payer"), _("Email"), _("Tax number"), _("Reference"), _("Currency")),
        *(_("Net"), _("Discount"), _("Tax"), _("Total"), _("Credited"), _("Confirming"), _("Refunded"), _("Written off"), _("Still due")),
        *(_("Issued"), _("Due"), _("Paid"), _("Voided"), _("Accepted tokens"), _("Schedule"), _("Occurrence"), _("Remark"), _("Archived")),
        *(_("On its way back"), _("Left to refund")),
    ]


_COLUMNS = (
    *("number", "status", "title", "payer_name", "payer_email", "payer_tax_id", "payer_reference", "currency", "remark", "shelf"),
    *("net_minor", "discount_minor", "tax_minor", "total_minor", "credited_minor", "pending_minor", "refunded_minor", "written_off_minor"),
    *("returning_minor", "shortfall_minor"),
    *("issued_at", "issue_at", "due_at", "paid_at", "voided_at", "is_overpaid", "all_assets", "asset_ids", "terms", "merchant"),
    *("occurrence__k", "occurrence__schedule__title"),
)


def invoice_rows(found: QuerySet[Invoice], *, merchant: Merchant, now: datetime) -> Iterator[list[str]]:
    """One row an invoice, in the order of `found`: one query, and no more than CHUNK rows in memory."""
    reading = found.select_related("occurrence__schedule").only(*_COLUMNS)
    for invoice in reading.iterator(chunk_size=CHUNK):
        invoice.merchant = merchant
        yield _row(invoice, merchant.time_zone, now)


def _row(invoice: Invoice, zone: str, now: datetime) -> list[str]:
    places = digits(invoice.currency)
    words = (invoice.title, invoice.payer_name, invoice.payer_email, invoice.payer_tax_id, invoice.payer_reference)
    sums = (
        *(invoice.net_minor, invoice.discount_minor, invoice.tax_minor, invoice.total_minor, invoice.credited_minor),
        *(invoice.pending_minor, invoice.refunded_minor, invoice.written_off_minor, invoice.due_minor),
    )
    times = (invoice.issued_at, invoice.due_at, invoice.paid_at, invoice.voided_at)
    occurrence: Any = getattr(invoice, "occurrence", None)
    return [
        guarded(invoice.number),
        str(standing(invoice, now).word),
        *map(guarded, words),
        invoice.currency,
        *(plain(minor, places) for minor in sums),
        *(moment(value, zone) for value in times),
        guarded(_tokens(invoice)),
        guarded(occurrence.schedule.title) if occurrence else "",
        str(occurrence.k) if occurrence else "",
        guarded(invoice.remark),
        _("yes") if invoice.shelf == Shelf.ARCHIVED else "",
        *(plain(minor, places) for minor in (invoice.returning_minor, invoice.left_minor)),
    ]


def _tokens(invoice: Invoice) -> str:
    """'USDT on Tron, USDC on Base': as they were frozen at issue; before that, those it would be issued with."""
    if invoice.is_issued:
        return ", ".join(f"{asset['symbol']} on {asset['network']}" for asset in invoice.terms.get("assets", []))
    return ", ".join(asset.label for asset in assets_for(invoice))
