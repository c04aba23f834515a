"""One invoice: how it stands, what it says, the money and the messages, and all that happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from invoicing import duplicating, ledger, lifecycle, shelves, timeline
from invoicing.models import Invoice, Occurrence, Reminder, Status
from invoicing.snapshot import Document, document
from invoicing.views.scope import key_of, own
from merchants import clock
from merchants.access import MerchantRequest, may, needs
from merchants.models import Event

SHELVED = ("invoice.archived", "invoice.removed")
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
    return page(request, found, remark=found.remark)


def page(request: MerchantRequest, found: Invoice, *, remark: str, status: int = 200) -> HttpResponse:
    """The page of `found`, with `remark` in its field."""
    shown = document(found)
    may_write = may(request.membership, "write")
    deliveries = list(found.deliveries.select_related("endpoint"))  # type: ignore[attr-defined]
    payments = ledger.payments(found, shown)
    zone = shown.time_zone  # an issued invoice keeps its own
    now = clock.now()
    events = _events(found)
    blockers = lifecycle.blockers(found, now) if found.status in (Status.DRAFT, Status.MISSED) and may_write else []
    context: dict[str, Any] = {
        "nav": "invoices",
        "now": now,
        "invoice": found,
        "document": shown,
        "zone": zone,
        "lines": list(found.lines.all()),
        "attachments": list(found.attachments.all()),
        "payments": payments,
        "has_transfers": any(not row.is_recorded for row in payments),
        "rates": ledger.rates(payments),
        "told": ledger.told(found, payments),
        "refunds": ledger.refunds(found, shown) if found.is_issued else [],
        "messages_sent": ledger.messages(deliveries, zone=zone),
        "timeline": timeline.entries(events, deliveries, payer=found.payer_name, payer_email=found.payer_email, zone=zone),
        "shelved_at": next((event.at for event in events if event.kind in SHELVED), None),
        "stale_link_at": _stale_link_at(found, events, deliveries),
        **_reminders(found),
        "occurrence": Occurrence.objects.filter(invoice=found).select_related("schedule").first(),
        "bar": _bar(found),
        "tokens": _tokens(shown),
        "may_write": may_write,
        "may_money": may(request.membership, "money"),
        # The link opens the payer's pages: members who may not write do not get it.
        "pay_link": _pay_link(found) if may_write and found.status in (Status.OPEN, Status.PAID) else "",
        "blockers": blockers,
        "can_publish": may_write and found.status in (Status.DRAFT, Status.MISSED) and not blockers,
        "replacement": duplicating.waiting(found) if may_write else None,
        "has_money": found.is_issued and shelves.has_money(found),
        "form_key": key_of(request),
        "remark": remark,
    }
    return render(request, "invoicing/detail.html", context, status=status)


def _reminders(invoice: Invoice) -> dict[str, Any]:
    """Those of an issued invoice, and whether one is to come. Of a settled one only what was decided while it was open."""
    rows: list[Reminder] = list(invoice.reminders.all()) if invoice.is_issued else []
    settled = invoice.paid_at or invoice.voided_at
    if settled is not None:
        rows = [row for row in rows if row.decided_at and row.decided_at < settled]
    return {"reminders": rows, "are_reminders_planned": any(row.state == Reminder.State.PLANNED for row in rows)}


def _events(invoice: Invoice) -> list[Event]:
    """What happened to it, the latest first."""
    return list(Event.objects.filter(merchant_id=invoice.merchant_id, subject_kind="invoice", subject_id=invoice.pk).order_by("-id"))


def _stale_link_at(invoice: Invoice, events: list[Event], deliveries: list[Any]) -> datetime | None:
    """When its link was replaced, if no mail has taken the new one to the payer since; a mail gets its links as it leaves."""
    replaced = next((event.at for event in events if event.kind == "invoice.link_replaced"), None)
    if replaced is None or invoice.status not in (Status.OPEN, Status.PAID):
        return None
    mails = [mail for mail in deliveries if mail.channel == "email" and mail.recipient == invoice.mail_address]
    if any(mail.status in ("queued", "sending") or (mail.sent_at and mail.sent_at > replaced) for mail in mails):
        return None
    return replaced


def _pay_link(invoice: Invoice) -> str:
    return settings.SITE_URL + reverse("public_invoice", args=[invoice.public_id])


def _tokens(shown: Document) -> list[str]:
    """One line a token with its networks: 'USDC on Base, Ethereum'."""
    networks: dict[str, list[str]] = {}
    for asset in shown.assets:
        networks.setdefault(asset["symbol"], []).append(asset["network"])
    return [f"{symbol} on {', '.join(names)}" for symbol, names in networks.items()]
