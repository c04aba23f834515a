"""Payments as CSV: one row per transfer, per payment recorded by hand and per refund that was sent, newest first, of the invoices
that a filter shows. What went back is negative, so that a column's sum is what stayed.

Archived invoices are among them, unless the filter asks for nothing else: a month's file must be whole, and archiving only
tidies a list. (Removed ones have no money.) Every other part of the filter holds as it does in the list.

Figures are the stored ones: all digits of the asset's own decimals, the rate as it was locked, the value that was credited.
What was dropped or reversed is listed, and has no value; neither has what is held for a decision, nor a refund before it is
confirmed.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import exports
from invoicing.filters import Filter
from invoicing.models import Invoice
from invoicing.money import digits, plain
from invoicing.snapshot import document
from merchants.models import Merchant
from payments.models import RecordedPayment, Refund, Transfer
from payments.refund_exports import fee, note_number, source_words
from payments.slips import asset_of

REASONS = {  # of a transfer's credit, as `credit` and `held` write them
    "exact": _l("as quoted"),
    "pro_rata": _l("in proportion to the quote"),
    "late_locked": _l("late at the locked rate"),
    "late_rate": _l("late at the rate of that time"),
    "no_quote": _l("without a quote at the rate of that time"),
    "held": _l("held for a decision"),
    "before": _l("there before the invoice was"),
    "dust": _l("too little to count"),
    "other_asset": _l("in a token the invoice does not take"),
    "decided_locked": _l("decided at the quoted rate"),
    "decided_today": _l("decided at the rate of that day"),
}


BACK = (Refund.State.SENT, Refund.State.CONFIRMED)
NO_REFUND = ("", "", "", "")


def payments_csv(merchant: Merchant, asked: Mapping[str, str], *, now: datetime) -> StreamingHttpResponse:
    """The file for the list's filter in `asked` (a query string): three queries, however long it is."""
    found, _notices = Filter.read(asked, merchant=merchant)
    name = exports.file_name("payments", merchant, now)
    return exports.stream(name, header(), rows(_invoices(found, merchant, now), zone=merchant.time_zone))


def _invoices(found: Filter, merchant: Merchant, now: datetime) -> QuerySet[Any]:
    """The ids of the invoices that `found` shows, on the desk and archived, or archived alone when it asks for those."""
    archived = found.but(archived=True).apply(merchant, now).order_by().values("pk")
    return archived if found.archived else found.apply(merchant, now).order_by().values("pk").union(archived, all=True)


def header() -> list[str]:
    return [
        *(_("When"), _("Kind"), _("State"), _("Asset"), _("Network"), _("Asset ID"), _("Amount"), _("Rate"), _("Rate source"), _("Rate time")),
        *(_("Value"), _("Currency"), _("Credit reason"), _("Late"), _("Transaction"), _("Block time"), _("Final"), _("Way")),
        *(_("Invoice"), _("Title"), _("Payer"), _("Refund"), _("Fee"), _("Fee token"), _("Credit note")),
    ]


def rows(ids: QuerySet[Any], *, zone: str) -> Iterator[list[str]]:
    """The cells of every payment of the invoices of `ids`, by when it was first seen, came, or was sent back. Times are of `zone`,
    with their offset."""
    transfers = Transfer.objects.filter(invoice__in=ids).select_related("invoice").order_by("-first_seen_at", "-id")
    recorded = RecordedPayment.objects.filter(invoice__in=ids).select_related("invoice").order_by("-paid_at", "-id")
    sent = Refund.objects.filter(invoice__in=ids, status__in=BACK).select_related("invoice", "credit_note").order_by("-sent_at", "-id")
    streams = (
        ((row.first_seen_at, _of_transfer(row, row.invoice, zone)) for row in transfers.iterator(exports.CHUNK) if row.invoice),
        ((row.paid_at, _of_recorded(row, row.invoice, zone)) for row in recorded.iterator(exports.CHUNK)),
        ((row.sent_at or row.created_at, _of_refund(row, row.invoice, zone)) for row in sent.iterator(exports.CHUNK)),
    )
    for _at, cells in heapq.merge(*streams, key=lambda row: row[0], reverse=True):
        yield cells


def _of_transfer(transfer: Transfer, invoice: Invoice, zone: str) -> list[str]:
    asset = asset_of(document(invoice), transfer.asset_id)
    is_counted = transfer.status != Transfer.State.DROPPED and transfer.credit_minor is not None
    return [
        exports.moment(transfer.first_seen_at, zone),
        _("transfer"),
        str(Transfer.State(transfer.status).label),
        *(asset["symbol"], asset["network"], transfer.asset_id, plain(transfer.amount_units, asset["decimals"])),
        *(transfer.credit_rate, transfer.credit_source, exports.moment(transfer.credit_rate_at, zone)),
        plain(transfer.credit_minor or 0, digits(invoice.currency)) if is_counted else "",
        *(invoice.currency, str(REASONS.get(transfer.credit_reason, transfer.credit_reason)), _("yes") if transfer.is_late else ""),
        *(transfer.txid, exports.moment(transfer.block_at, zone), exports.moment(transfer.final_at, zone), ""),
        *_of_invoice(invoice),
        *NO_REFUND,
    ]


def _of_recorded(payment: RecordedPayment, invoice: Invoice, zone: str) -> list[str]:
    is_counted = payment.reversed_at is None
    return [
        exports.moment(payment.paid_at, zone),
        _("recorded by hand"),
        _("final") if is_counted else _("reversed"),
        *("", "", "", "", "", "", ""),
        plain(payment.amount_minor, digits(invoice.currency)) if is_counted else "",
        *(invoice.currency, "", "", "", "", ""),
        str(RecordedPayment.Way(payment.way).label),
        *_of_invoice(invoice),
        *NO_REFUND,
    ]


def _of_refund(refund: Refund, invoice: Invoice, zone: str) -> list[str]:
    asset = asset_of(document(invoice), refund.asset_id)
    is_counted = refund.status == Refund.State.CONFIRMED
    return [
        exports.moment(refund.sent_at, zone),
        _("refund"),
        _("final") if is_counted else str(Refund.State(refund.status).label).lower(),
        *(asset["symbol"], asset["network"], refund.asset_id, plain(-(refund.amount_units or 0), asset["decimals"])),
        *(refund.rate, source_words(refund), exports.moment(refund.rate_at, zone)),
        plain(-refund.amount_minor, digits(invoice.currency)) if is_counted else "",
        *(invoice.currency, str(Refund.Basis(refund.basis).label), ""),
        *(refund.txid, exports.moment(refund.block_at, zone), exports.moment(refund.confirmed_at, zone), ""),
        *_of_invoice(invoice),
        *(refund.reference, *fee(refund), note_number(refund)),
    ]


def _of_invoice(invoice: Invoice) -> list[str]:
    return [exports.guarded(invoice.number), exports.guarded(invoice.title), exports.guarded(invoice.payer_name)]
