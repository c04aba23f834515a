"""A credit note on paper: what it takes back of which invoice, split over that invoice's taxes, and how the money went back.

Parties, language, colours and paper are those that its invoice froze; the rest stands on the note's own row. Whether it still
holds is not printed: the same note gives the same bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from invoicing import money, snapshot
from invoicing.models import CreditNote
from invoicing.pdf import press, sheet
from invoicing.pdf.paper import CHECK, logo_of, rate_words
from invoicing.snapshot import Document
from merchants import moments


@dataclass(frozen=True)
class Share:
    """What of the note falls on one tax rate of the invoice, or on what bears none (an empty name and a rate of 0)."""

    name: str
    rate_e4: int
    net_minor: int
    tax_minor: int

    @property
    def gross_minor(self) -> int:
        return self.net_minor + self.tax_minor

    @property
    def is_taxed(self) -> bool:
        return bool(self.name or self.rate_e4)


def render(note: CreditNote) -> bytes:
    """The PDF of `note`. Takes 0.1 to 0.3 s: not for inside a transaction."""
    with translation.override(note.invoice.language):
        page = html(note)
        rules = _sheet(note, snapshot.document(note.invoice))
    identifier = hashlib.sha256(f"credit-note/{note.merchant_id}/{note.number}".encode()).hexdigest()[:32].encode()
    return press.printed(page, sheet=rules, identifier=identifier)


def html(note: CreditNote) -> str:
    """The page before it is printed, in the language that is active."""
    invoice = note.invoice
    document = snapshot.document(invoice)
    shares = [Share(**tax) for tax in note.taxes]
    context: dict[str, Any] = {
        "document": document,
        "invoice": invoice,
        "note": note,
        "language": invoice.language,
        "direction": "rtl" if translation.get_language_bidi() else "ltr",
        "title": _("Credit note"),
        "number": note.number,
        "logo": logo_of(invoice),
        "issued_on": _day(note.issued_at, document),
        "invoice_day": _day(invoice.issued_at, document),
        "shares": shares,
        "has_tax": any(share.is_taxed for share in shares),
        "net_minor": sum(share.net_minor for share in shares),
        "written_at": note.issued_at,
        "check": CHECK,
        "paid": _paid(note),
    }
    return render_to_string("invoicing/print/credit.html", context)


def _day(moment: Any, document: Document) -> str:
    return moments.day(moment, document.time_zone, document.invoice.language) if moment else ""


def _paid(note: CreditNote) -> dict[str, str]:
    """How the money went back, in words; a rate only where the refund stored one."""
    kept, language = note.paid_back, note.invoice.language
    exact = Decimal(kept["amount"])
    places = max(-int(exact.as_tuple().exponent), 0)
    amount = money.grouped(int(exact.scaleb(places)), places, language, trim=True, minimum=min(2, places))
    asset = _("%(symbol)s on %(network)s") % kept
    return {
        "what": f"{amount} {asset}",
        "rate": rate_words(kept["rate"], kept["symbol"], note.invoice.currency, language),
        "address": kept["address"],
        "txid": kept["txid"],
        "reference": kept["reference"],
    }


def _sheet(note: CreditNote, document: Document) -> str:
    """The note's own style sheet, laid over print.css: no amount wraps or touches its neighbour."""
    invoice = note.invoice
    longest = len(money.format_minor(note.amount_minor, invoice.currency, invoice.language))
    width = sheet.BODY_WIDTH["Letter" if document.paper == "Letter" else "A4"]
    column = max(width * 0.16, longest * sheet.PER_CHARACTER + sheet.PADDING)
    title = _("Credit note")
    frame = sheet.frame(
        *(document.sender, f"{title} {note.number}", note.number),
        paper=document.paper,
        brand_color=document.brand_color,
        is_test=document.is_test,
    )
    return "\n".join(
        (
            *frame,
            f".column-net, .column-tax, .column-amount {{ width: {column:.1f}pt; }}",
            f".totals {{ width: {max(0.45 * width, longest * 8.2 + 110):.1f}pt; }}",
        )
    )
