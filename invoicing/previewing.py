"""What the payer will get, before it is sent: the very page, mail and PDF, from an invoice that is only told to be issued.

`as_issued` makes the copy that every surface then reads as it reads an issued invoice; it is never saved. Links in a
preview open nothing.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from invoicing import pdf, snapshot
from invoicing.models import Attachment, Invoice, LineItem, Rendering, Status
from merchants.listing import any_of

_SCRIPT = re.compile(r"<script\b[^>]*>.*?</script>\s*", re.IGNORECASE | re.DOTALL)
_LINK = re.compile(r"(<a\b[^>]*?\shref=)(?:\"(?!#)[^\"]*\"|'(?!#)[^']*')", re.IGNORECASE)


def as_issued(invoice: Invoice, *, now: datetime) -> Invoice:
    """A copy of a not yet issued `invoice` as it will be when it is sent (now, or at its issue time), frozen from what is
    true now. Its number is the words that stand where the number will. For reading only."""
    shown = copy.copy(invoice)
    sent = max(invoice.issue_at or now, now)
    for column, value in snapshot.freeze(invoice, now=sent).items():
        setattr(shown, column, value)
    shown.status, shown.issued_at, shown.issue_at = Status.OPEN, sent, sent
    with translation.override(invoice.language):
        shown.number = _("[number]")
    return shown


def holding(invoice: Invoice, *, lines: Iterable[LineItem], attachments: Iterable[Attachment]) -> Invoice:
    """Let an `invoice` that is not saved answer `lines.all()` and `attachments.all()` with these. For reading only."""
    held: Any = invoice
    held.pk = held.pk or 0
    held._prefetched_objects_cache = {"lines": _found(LineItem.objects.none(), lines), "attachments": _found(Attachment.objects.none(), attachments)}
    return invoice


def _found(nothing: QuerySet[Any], rows: Iterable[Any]) -> QuerySet[Any]:
    nothing._result_cache = list(rows)  # type: ignore[attr-defined]
    return nothing


def page(shown: Invoice, *, request: HttpRequest) -> str:
    """The payer's page of what `as_issued` made, in the invoice's language."""
    slug = shown.merchant.slug
    context = {
        "invoice": shown,
        "document": (document := snapshot.document(shown)),
        "lines": shown.lines.all(),
        "attachments": shown.attachments.all(),
        "successor": None,
        "owed_minor": shown.total_minor if shown.total_minor > shown.tolerance_minor else 0,
        "credited_or_pending": 0,
        "tokens": any_of(document.symbols),
        "now": shown.issued_at,
        "is_preview": True,
        "brand_url": reverse("preview_brand", args=[slug]),
        "logo_url": reverse("merchant_logo", args=[slug]) if document.has_logo else "",
        "messages": [],  # those that wait are for the member, not for the payer
    }
    with translation.override(shown.language):
        html = render_to_string("invoicing/public/invoice.html", context, request=request)
    return without_links(_SCRIPT.sub("", html))


def paper(shown: Invoice) -> bytes:
    """The PDF of what `as_issued` made. Takes as long as any: not for inside a transaction."""
    return pdf.render(shown, Rendering.Kind.INVOICE)


def without_links(html: str) -> str:
    """`html` whose links look as they will and lead nowhere but to places on it."""
    return _LINK.sub(r'\1"#"', html)
