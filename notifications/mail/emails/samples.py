"""An invoice that does not exist: for a merchant who wants to read its words before a payer does."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import translation
from django.utils.translation import gettext as _

from invoicing import previewing
from invoicing.models import Invoice, LineItem, Status
from invoicing.money import parse_minor
from merchants.models import Merchant

DAYS = 14  # until it is due
SHORTLY = 3  # the same, for a reminder


def invoice(merchant: Merchant, *, template: str, language: str, now: datetime) -> Invoice:
    """A sample as it stands when the `template` mail goes out about it; never saved, and its links open nothing."""
    total = parse_minor("420", merchant.currency)
    with translation.override(language):
        title = _("Brand identity")
    written = Invoice(
        merchant=merchant,
        public_id="sample-invoice",
        language=language,
        payer_name="Ana Duarte",
        payer_email="ana@example.com",
        title=title,
        currency=merchant.currency,
        net_minor=total,
        total_minor=total,
        due_at=now + timedelta(days=SHORTLY if template == "reminder" else DAYS),
    )
    line = LineItem(invoice=written, position=1, description=title, unit_price_minor=total, amount_minor=total)
    shown = previewing.as_issued(previewing.holding(written, lines=[line], attachments=[]), now=now)
    shown.number = "INV-000042"
    match template:
        case "part_received":
            shown.credited_minor, shown.is_underpaid = total // 4, True
        case "receipt":
            shown.status, shown.credited_minor, shown.paid_at = Status.PAID, total, now
        case "cancelled":
            shown.status, shown.voided_at = Status.VOID, now
    return shown
