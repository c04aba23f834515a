"""One invoice: how it stands, what it says, the money and the messages, and all that happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from invoicing import ledger, lifecycle, timeline
from invoicing.models import Invoice, Status
from invoicing.snapshot import Document, document
from invoicing.views.scope import own
from merchants import clock
from merchants.access import MerchantRequest, may, needs
from merchants.models import Event

BAR = 1000  # the width of the progress bar in its own units


@dataclass(frozen=True)
class Bar:
    """The progress bar: received, then confirming, in parts of BAR."""

    received: int
    confirming: int
    confirming_from: int


def _bar(invoice: Invoice) -> Bar:
    total = max(invoice.total_minor, 1)
    received = min(invoice.credited_minor * BAR // total, BAR)
    confirming = min(invoice.pending_minor * BAR // total, BAR - received)
    return Bar(received, confirming, received)


@needs("see")
@require_safe
def invoice(request: MerchantRequest, pk: int) -> HttpResponse:
    found = own(request, pk)
    shown = document(found)
    may_write = may(request.membership, "write")
    deliveries = list(found.deliveries.select_related("endpoint"))  # type: ignore[attr-defined]
    transfers = ledger.transfers(found, shown)
    zone = shown.time_zone  # an issued invoice keeps its own
    now = clock.now()
    context: dict[str, Any] = {
        "nav": "invoices",
        "now": now,
        "invoice": found,
        "document": shown,
        "zone": zone,
        "lines": list(found.lines.all()),
        "attachments": list(found.attachments.all()),
        "transfers": transfers,
        "rates": ledger.rates(transfers),
        "messages_sent": ledger.messages(deliveries, zone=zone),
        "timeline": _timeline(found, deliveries, zone),
        "bar": _bar(found),
        "tokens": _tokens(shown),
        "may_write": may_write,
        # The link opens the payer's pages: members who may not write do not get it.
        "pay_link": _pay_link(found) if may_write and found.status in (Status.OPEN, Status.PAID) else "",
        "blockers": lifecycle.blockers(found, now) if found.status in (Status.DRAFT, Status.MISSED) and may_write else [],
    }
    return render(request, "invoicing/detail.html", context)


def _timeline(invoice: Invoice, deliveries: list[Any], zone: str) -> list[timeline.Entry]:
    events = Event.objects.filter(merchant_id=invoice.merchant_id, subject_kind="invoice", subject_id=invoice.pk).order_by("-id")
    return timeline.entries(events, deliveries, payer=invoice.payer_name, payer_email=invoice.payer_email, zone=zone)


def _pay_link(invoice: Invoice) -> str:
    return settings.SITE_URL + reverse("public_invoice", args=[invoice.public_id])


def _tokens(shown: Document) -> list[str]:
    """One line a token with its networks: 'USDC on Base, Ethereum'."""
    networks: dict[str, list[str]] = {}
    for asset in shown.assets:
        networks.setdefault(asset["symbol"], []).append(asset["network"])
    return [f"{symbol} on {', '.join(names)}" for symbol, names in networks.items()]
