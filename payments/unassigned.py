"""Money that matched no invoice: whose it may be, and the member's word on it. A suggestion credits nothing by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from invoicing import lifecycle, search
from invoicing.models import Invoice, Status
from merchants import assets
from merchants.assets import Asset
from merchants.fields import MAX_UNITS
from merchants.models import Merchant, User
from payments import held, settlement
from payments.models import Hint, Quote, Transfer

ISSUED = (Status.OPEN, Status.PAID, Status.VOID)
QUOTED_BEFORE = timedelta(days=90)  # the payment
MOST_QUOTES = 300
MOST_SUGGESTED = 5
# Of what was asked for: an exchange takes its fee from the amount; somebody rounds up.
LESS_E4, MORE_E4, WHOLE_E4 = 50_000, 10_000, 10**6


class Likeness(IntEnum):
    """Why a payment may be an invoice's, the best reason first."""

    EXACT = 1
    ELSEWHERE = 2
    TOLD = 3
    NEARLY = 4


@dataclass(frozen=True)
class Candidate:
    """An invoice, and how one of its quotes (`asked`, in whole tokens; None where it is only a payer's word) resembles what came."""

    invoice_id: int
    is_open: bool
    asked: Decimal | None
    is_same_asset: bool
    is_told: bool  # a payer of it named this transaction
    at: datetime


@dataclass(frozen=True)
class Suggestion:
    invoice: Invoice
    likeness: Likeness
    asked: Decimal | None
    quote: Quote | None

    @property
    def why(self) -> str:
        said = {
            Likeness.EXACT: _("It was asked for exactly this amount."),
            Likeness.ELSEWHERE: _("It was asked for exactly this amount, on another network."),
            Likeness.TOLD: _("Its payer named this transaction. Anyone can read it on the network: compare the amount."),
            Likeness.NEARLY: _("It was asked for nearly this amount. Exchanges take their fee from what they send."),
        }
        return said[self.likeness]


def likeness(came: Decimal, found: Candidate) -> Likeness | None:
    """Pure. None where nothing speaks for it."""
    if found.asked == came:
        return Likeness.EXACT if found.is_same_asset else Likeness.ELSEWHERE
    if found.is_told:
        return Likeness.TOLD
    if found.asked is None:
        return None
    least, most = found.asked * (WHOLE_E4 - LESS_E4) / WHOLE_E4, found.asked * (WHOLE_E4 + MORE_E4) / WHOLE_E4
    return Likeness.NEARLY if least <= came <= most else None


def ranked(came: Decimal, found: Iterable[Candidate]) -> list[tuple[Likeness, Candidate]]:
    """Pure. The best first, each invoice once: by likeness, then open ones, then by how near the amount is, then the latest."""
    rows = [(like, one) for one in found if (like := likeness(came, one)) is not None]
    rows.sort(key=lambda row: (row[0], not row[1].is_open, abs((row[1].asked or came) - came), -row[1].at.timestamp()))
    best: dict[int, tuple[Likeness, Candidate]] = {}
    for like, one in rows:
        best.setdefault(one.invoice_id, (like, one))
    return list(best.values())


# --- what there is --------------------------------------------------------------------------------------------------------


def of(merchant: Merchant) -> QuerySet[Transfer]:
    """All money of `merchant` without an invoice, handled and dropped too, the latest first."""
    return Transfer.objects.filter(invoice=None, receive_address__wallet__merchant=merchant).select_related("receive_address").order_by("-id")


def waiting(merchant: Merchant) -> QuerySet[Transfer]:
    """What somebody has to look at."""
    return of(merchant).filter(handled_at=None).exclude(status=Transfer.State.DROPPED)


def worth_a_look(merchant: Merchant) -> QuerySet[Transfer]:
    """What somebody is called for: without dust, which anybody can send by the thousand."""
    dust = Q(pk=None)
    for asset in assets.catalogue().assets.values():
        dust |= Q(asset_id=asset.id, amount_units__lt=asset.minimum_units)
    return waiting(merchant).exclude(dust)


def is_dust(transfer: Transfer) -> bool:
    """Less than anybody could be asked for: what spammers send. It is kept, and nobody is called for it."""
    try:
        return transfer.amount_units < transfer.asset.minimum_units
    except assets.UnknownAsset:
        return False


def suggestions(transfer: Transfer, merchant: Merchant) -> list[Suggestion]:
    """Up to five invoices of `merchant` that this may pay, the best first; in three queries."""
    try:
        asset = transfer.asset
    except assets.UnknownAsset:
        return []
    came = _whole(transfer.amount_units, asset)
    quotes = _quotes(transfer, asset, merchant)
    told = set(Hint.objects.filter(txid=transfer.txid, network=transfer.network, invoice__merchant=merchant).values_list("invoice", flat=True))
    found = [_candidate(quote, asset, told) for quote in quotes]
    invoices = {quote.invoice_id: quote.invoice for quote in quotes}
    if missing := told - invoices.keys():
        invoices |= Invoice.objects.filter(merchant=merchant, status__in=ISSUED).in_bulk(missing)
        found += [Candidate(pk, invoices[pk].status == Status.OPEN, None, False, True, transfer.first_seen_at) for pk in missing if pk in invoices]
    by_asked = {(quote.invoice_id, _whole(quote.amount_units, quote.asset)): quote for quote in reversed(quotes)}
    return [
        Suggestion(invoices[one.invoice_id], like, one.asked, by_asked.get((one.invoice_id, one.asked)) if one.asked is not None else None)
        for like, one in ranked(came, found)[:MOST_SUGGESTED]
    ]


def _quotes(transfer: Transfer, asset: Asset, merchant: Merchant) -> list[Quote]:
    """The merchant's quotes of this token, on any network, for about this amount, and those of invoices whose payer named it;
    the latest first."""
    near = Q(pk=None)
    for one in assets.catalogue().assets.values():
        if one.price == asset.price:
            units = transfer.amount_units * 10**one.decimals // 10**asset.decimals
            wanted = (units * WHOLE_E4 // (WHOLE_E4 + MORE_E4), units * WHOLE_E4 // (WHOLE_E4 - LESS_E4) + 1)
            near |= Q(asset_id=one.id, amount_units__range=[min(bound, MAX_UNITS) for bound in wanted])
    recent = Q(created_at__gt=transfer.first_seen_at - QUOTED_BEFORE, invoice__merchant=merchant, invoice__status__in=ISSUED)
    return list(Quote.objects.filter(near, recent).select_related("invoice").order_by("-created_at", "-id")[:MOST_QUOTES])


def _candidate(quote: Quote, asset: Asset, told: set[int]) -> Candidate:
    invoice = quote.invoice
    asked = _whole(quote.amount_units, quote.asset)
    return Candidate(invoice.pk, invoice.status == Status.OPEN, asked, quote.asset_id == asset.id, invoice.pk in told, quote.created_at)


def _whole(units: int, asset: Asset) -> Decimal:
    return Decimal(units).scaleb(-asset.decimals, assets.WIDE)


# --- deciding -------------------------------------------------------------------------------------------------------------


def invoice_numbered(merchant: Merchant, number: str) -> Invoice | None:
    """The merchant's issued invoice of that number, however it is capitalised."""
    return Invoice.objects.filter(merchant=merchant, number__iexact=number.strip(), status__in=ISSUED).first() if number.strip() else None


def quote_for(transfer: Transfer, invoice: Invoice) -> Quote | None:
    """The quote of `invoice` that this payment answers best: of this asset, else of the token on another network; the latest."""
    try:
        asset = transfer.asset
    except assets.UnknownAsset:
        return None
    same = [one.id for one in assets.catalogue().assets.values() if one.price == asset.price]
    found = list(Quote.objects.filter(invoice=invoice, asset_id__in=same).order_by("-created_at", "-id")[:50])
    came = _whole(transfer.amount_units, asset)
    found.sort(key=lambda quote: (_whole(quote.amount_units, quote.asset) != came, quote.asset_id != asset.id))
    return found[0] if found else None


def choices(transfer: Transfer, invoice: Invoice, *, now: datetime) -> list[held.Choice]:
    """What it can count for on `invoice`."""
    return held.values(transfer, invoice, quote_for(transfer, invoice), now=now)


def assign(transfer: Transfer, invoice: Invoice, key: str, *, by: User, now: datetime) -> Transfer:
    """This money is `invoice`'s, and counts for the choice `key`. held.CannotDecide when it is somebody's already, was taken
    back by its network, or there is no such choice."""
    with transaction.atomic():
        invoice = lifecycle.locked(invoice.pk)
        address = transfer.receive_address
        if address is None or invoice.merchant_id != address.wallet.merchant_id or invoice.status not in ISSUED:
            raise held.CannotDecide(_("This payment cannot be assigned to that invoice."))
        choice = next((choice for choice in choices(transfer, invoice, now=now) if choice.key == key), None)
        if choice is None:
            raise held.CannotDecide(_("There is no such rate now. Choose again."))
        columns = choice.columns(now=now) | {"handled_at": None, "handled_by": None, "handled_note": ""}
        columns |= {"invoice": invoice, "quote": quote_for(transfer, invoice), "assigned_at": now, "assigned_by": by}
        loose = Transfer.objects.filter(pk=transfer.pk, invoice=None).exclude(status=Transfer.State.DROPPED)
        if not loose.update(**columns):
            raise held.CannotDecide(_("Somebody has assigned this payment already, or its network took it back."))
        transfer.refresh_from_db()
        search.note(invoice, transfer.txid)
        search.note_amount(invoice, choice.minor)
        settlement.tell("payment.assigned", invoice, now=now, transfer=transfer, by=by)
        settlement.settle(invoice, now=now)
        return transfer
