"""What stands on the paper: an issued invoice, or the receipt of a paid one, read from its frozen columns alone.

Of a draft it is the preview of what would be frozen now.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import segno
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from invoicing import money, snapshot
from invoicing.models import Invoice, Rendering
from invoicing.pdf import press
from invoicing.pdf.sheet import sheet_of
from invoicing.snapshot import Document
from merchants import assets, moments
from merchants.listing import any_of

Kind = Rendering.Kind
INK = "#131A2C"
CHECK = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 48 48'%3E%3Ccircle cx='24' cy='24' r='24' fill='%230A6B44'/%3E"
    "%3Cpath d='M13.5 24.5l7 7 14-14.5' fill='none' stroke='%23fff' stroke-width='4.2' stroke-linecap='round' stroke-linejoin='round'/%3E%3C/svg%3E"
)


@dataclass(frozen=True)
class Counted:
    """Money that counted, in words: '4,648.51 USDC on Base', its rate '1 EUR = 1.0860 USDC' and transaction id.

    Recorded by hand: 'Bank transfer, 1,500.00 EUR', and the day it came.
    """

    what: str
    rate: str = ""
    txid: str = ""
    came_on: str = ""


def render(invoice: Invoice, kind: str) -> bytes:
    """The PDF of `invoice`: `kind` is 'invoice' or 'receipt'. The same row gives the same bytes.

    Reads the invoice's own columns, its lines and (receipt) the payments that counted; nothing else, and nothing from
    outside. Takes 0.1 to 0.3 s, 300 lines 1.5 s: not for inside a transaction.
    """
    with translation.override(invoice.language):
        page = html(invoice, kind)
        sheet = sheet_of(snapshot.document(invoice), number_of(invoice, kind), title_of(kind), list(invoice.lines.all()))
    identifier = hashlib.sha256(f"{invoice.public_id}/{kind}".encode()).hexdigest()[:32].encode()
    return press.printed(page, sheet=sheet, identifier=identifier)


def html(invoice: Invoice, kind: str) -> str:
    """The page before it is printed, in the language that is active."""
    document = snapshot.document(invoice)
    lines = list(invoice.lines.all())
    language = invoice.language
    context: dict[str, Any] = {
        "document": document,
        "invoice": invoice,
        "language": language,
        "direction": "rtl" if translation.get_language_bidi() else "ltr",
        "lines": lines,
        "has_discount": any(line.taken_off_minor for line in lines),
        "has_tax": any(line.tax_e4 or line.tax_name for line in lines),
        "title": title_of(kind),
        "number": number_of(invoice, kind),
        "logo": logo_of(invoice),
        "issued_on": _day(invoice.issued_at or invoice.issue_at, document, language),
        "due": _until(invoice.due_at, document, language),
        "paid": _until(invoice.paid_at, document, language),
        "zone": moments.zone_words(document.time_zone),
        "written_at": (invoice.paid_at if kind == Kind.RECEIPT else None) or invoice.issued_at or invoice.created_at,
    }
    if kind == Kind.RECEIPT:
        over = max(invoice.credited_minor - invoice.total_minor, 0)  # as it was paid, whatever went back since
        context |= {"payments": list(counted(invoice, document)), "check": CHECK, "over_minor": over}
    else:
        link = f"{settings.SITE_URL}{reverse('public_invoice', args=[invoice.public_id])}"
        context |= {"link": link, "qr": segno.make(link, error="m").svg_data_uri(dark=INK, border=0), "tokens": any_of(document.symbols)}
    return render_to_string(f"invoicing/print/{kind}.html", context)


def title_of(kind: str) -> str:
    return _("Receipt") if kind == Kind.RECEIPT else _("Invoice")


def number_of(invoice: Invoice, kind: str) -> str:
    """'INV-000148', its receipt 'INV-000148-R1', a draft 'Draft'."""
    number = invoice.number or _("Draft")
    return f"{number}-R1" if kind == Kind.RECEIPT else number


def logo_of(invoice: Invoice) -> str:
    """The merchant's logo as it was at issue, as a data: URL; empty without one."""
    logo = snapshot.logo_of(invoice)
    return f"data:image/png;base64,{base64.b64encode(bytes(logo.png)).decode()}" if logo else ""


def counted(invoice: Invoice, document: Document) -> Iterable[Counted]:
    """The money that pays this invoice: its transfers, oldest first, then what was recorded by hand."""
    for transfer in invoice.transfers.filter(status="final", credit_minor__gt=0).order_by("first_seen_at", "id"):
        frozen = document.asset(transfer.asset_id) or _from_catalogue(transfer.asset_id)
        amount = money.grouped(transfer.amount_units, frozen["decimals"], invoice.language, trim=True, minimum=min(2, frozen["decimals"]))
        asset = _("%(symbol)s on %(network)s") % {"symbol": frozen["symbol"], "network": frozen["network"]}
        rate = rate_words(transfer.credit_rate, frozen["symbol"], invoice.currency, invoice.language)
        yield Counted(f"{amount} {asset}", rate=rate, txid="" if transfer.is_by_balance else transfer.txid)
    for payment in invoice.recorded_payments.filter(reversed_at=None).order_by("paid_at", "id"):
        figure = f"{money.format_minor(payment.amount_minor, invoice.currency, invoice.language)} {invoice.currency}"
        yield Counted(f"{payment.get_way_display()}, {figure}", came_on=_day(payment.paid_at, document, invoice.language))


def _from_catalogue(asset_id: str) -> dict[str, Any]:
    """Of an asset that the invoice did not offer, but that was sent and credited."""
    try:
        return assets.asset(asset_id).frozen()
    except assets.UnknownAsset:
        return {"symbol": asset_id.rpartition("/")[2], "network": asset_id.partition("/")[0], "decimals": 0}


def rate_words(rate: str, symbol: str, currency: str, language: str) -> str:
    """'1 EUR = 1.0860 USDC' for what costs about as much as the currency's unit, '1 BTC = 58,214.20 EUR' for what costs more.

    `rate` is the stored one: exact decimal text, currency per whole asset. The reciprocal is rounded to 4 digits.
    """
    if not rate:
        return ""
    exact = Decimal(rate)
    if exact <= 0:
        return ""
    if exact >= 10:
        places = max(-int(exact.as_tuple().exponent), 0)
        return f"1 {symbol} = {money.grouped(int(exact.scaleb(places)), places, language, trim=True, minimum=min(2, places))} {currency}"
    return f"1 {currency} = {money.grouped(round(10**4 / exact), 4, language)} {symbol}"


def _day(moment: datetime | None, document: Document, language: str) -> str:
    return moments.day(moment, document.time_zone, language) if moment else ""


def _until(moment: datetime | None, document: Document, language: str) -> str:
    """'1 December 2026, 18:00'; the zone stands under it."""
    if moment is None:
        return ""
    day, hour = _day(moment, document, language), moments.hour(moment, document.time_zone, language)
    return _("%(day)s, %(time)s") % {"day": day, "time": hour}
