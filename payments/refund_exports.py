"""Refunds as CSV: one row each, the newest first, of exactly those that the list shows. Figures are the stored ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import exports
from invoicing.money import digits, plain
from invoicing.snapshot import document
from merchants import assets
from merchants.models import Merchant, User
from payments.models import Refund
from payments.refund_filters import RefundFilter
from payments.shares import AS_CREDITED
from payments.slips import asset_of

BESIDE = ("invoice", "credit_note", "created_by", "approved_by")


def refunds_csv(asked: RefundFilter, merchant: Merchant, *, now: datetime) -> StreamingHttpResponse:
    """The file for the list's filter: one query, however long it is."""
    return exports.stream(exports.file_name("refunds", merchant, now), header(), rows(asked.apply(merchant), zone=merchant.time_zone))


def header() -> list[str]:
    return [
        *(_("Asked"), _("Refund"), _("State"), _("Invoice"), _("Title"), _("Payer"), _("Basis"), _("Deduction in %"), _("Amount"), _("Currency")),
        *(_("Asset"), _("Network"), _("Asset ID"), _("Asset amount"), _("Rate"), _("Rate source"), _("Rate time"), _("Address")),
        *(_("Address given by"), _("Address fixed"), _("Asked by"), _("Approved by"), _("Approved"), _("Sent"), _("Transaction"), _("Block time")),
        *(_("Refunded"), _("Fee"), _("Fee token"), _("Credit note"), _("Reason"), _("Private note"), _("Ended"), _("Why it ended")),
    ]


def rows(found: QuerySet[Refund], *, zone: str) -> Iterator[list[str]]:
    """The cells of each. Times are of `zone`, with their offset."""
    for refund in found.select_related(*BESIDE).iterator(exports.CHUNK):
        yield _row(refund, zone)


def _row(refund: Refund, zone: str) -> list[str]:
    invoice, asset = refund.invoice, asset_of(document(refund.invoice), refund.asset_id)
    given_by = (_("a member") if refund.by_member else _("the payer")) if refund.address else ""
    return [
        *(exports.moment(refund.created_at, zone), refund.reference, str(Refund.State(refund.status).label)),
        *(exports.guarded(invoice.number), exports.guarded(invoice.title), exports.guarded(invoice.payer_name)),
        *(str(Refund.Basis(refund.basis).label), plain(refund.deduction_e4, 4) if refund.deduction_e4 else ""),
        *(plain(refund.amount_minor, digits(invoice.currency)), invoice.currency),
        *(asset["symbol"], asset["network"], refund.asset_id),
        plain(refund.amount_units, asset["decimals"]) if refund.amount_units is not None else "",
        *(refund.rate, source_words(refund), exports.moment(refund.rate_at, zone)),
        *(refund.address, given_by, exports.moment(refund.claimed_at, zone)),
        *(_name(refund.created_by), _name(refund.approved_by), exports.moment(refund.approved_at, zone)),
        *(exports.moment(refund.sent_at, zone), refund.txid, exports.moment(refund.block_at, zone), exports.moment(refund.confirmed_at, zone)),
        *fee(refund),
        *(note_number(refund), exports.guarded(refund.reason), exports.guarded(refund.note)),
        *(exports.moment(refund.ended_at, zone), exports.guarded(refund.ended_why)),
    ]


def _name(user: User | None) -> str:
    return exports.guarded(user.display_name) if user else ""


RATES = {AS_CREDITED: _l("as it was credited")}


def source_words(refund: Refund) -> str:
    """Whose rate it is; of what goes back as it came, that the payment's own rate was taken."""
    return str(RATES.get(refund.rate_source, refund.rate_source))


def fee(refund: Refund) -> tuple[str, str]:
    """What the network took, and in which token; empty where that is not known."""
    coin = native(refund.network)
    return (plain(refund.fee_units, coin.decimals), coin.symbol) if refund.fee_units is not None and coin else ("", "")


def native(network: str) -> assets.Asset | None:
    """The coin that `network` takes its fees in; None where the catalogue has none."""
    return next((asset for asset in assets.catalogue().assets.values() if asset.network.id == network and asset.is_native), None)


def note_number(refund: Refund) -> str:
    """The credit note that holds for it."""
    return refund.credit_note.number if refund.credit_note and refund.credit_note.withdrawn_at is None else ""
