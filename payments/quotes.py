"""Quotes: an exact amount of one asset, at a rate locked for a while. A quote expires; an invoice does not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing import lifecycle, snapshot
from invoicing.models import Invoice, Status
from invoicing.money import ceil_ratio, digits
from merchants import assets
from merchants.assets import Asset
from payments import addresses, rates
from payments.models import Quote

LOCK = timedelta(minutes=15)


class CannotQuote(Exception):
    """This asset cannot be paid with now; the text says why, for the payer."""


@dataclass(frozen=True)
class Option:
    """An asset the payer may choose, with about how much it would be; or why it cannot be chosen now."""

    asset: Asset
    estimate_units: int | None
    unavailable: str = ""


def amount_for(fiat_minor: int, *, rate: Decimal, currency: str, asset: Asset) -> int:
    """How many smallest units of `asset` pay `fiat_minor` at `rate` (currency per whole asset).

    Rounded *up* to the asset's payable unit, so that paying the quote always covers the amount.
    """
    top, bottom = rate.as_integer_ratio()
    units = ceil_ratio(fiat_minor * 10**asset.decimals * bottom, 10 ** digits(currency) * top)
    return ceil_ratio(units, asset.payable_unit) * asset.payable_unit


def _price(asset: Asset, fiat_minor: int, currency: str, now: datetime) -> tuple[rates.Rate, int]:
    try:
        rate = rates.current(asset, currency, now=now)
    except rates.NoRate as error:
        raise CannotQuote(str(error)) from error
    units = amount_for(fiat_minor, rate=rate.value, currency=currency, asset=asset)
    if units < asset.minimum_units:
        raise CannotQuote(_("This amount is too small to be paid in %(symbol)s.") % {"symbol": asset.symbol})
    return rate, units


def offered(invoice: Invoice) -> list[Asset]:
    """The assets an issued invoice is payable with: frozen on it, and still served by this installation."""
    return assets.among(assets.catalogue().assets.values(), invoice.asset_ids)


def options(invoice: Invoice, *, now: datetime) -> list[Option]:
    """What the payer can choose from, with estimates for what is still due."""
    found = []
    for asset in offered(invoice):
        try:
            found.append(Option(asset, _price(asset, invoice.due_minor, invoice.currency, now)[1]))
        except CannotQuote as error:
            found.append(Option(asset, None, str(error)))
    return found


def objection(invoice: Invoice, now: datetime) -> str | None:
    """Why `invoice` must not be published: none of its assets could be quoted for its total."""
    reasons = []
    for asset in snapshot.assets_for(invoice):
        try:
            _price(asset, invoice.total_minor, invoice.currency, now)
        except CannotQuote as error:
            reasons.append(str(error))
        else:
            return None
    return reasons[0] if reasons else None


def ask(invoice: Invoice, asset_id: str, *, now: datetime) -> Quote:
    """A quote of `asset_id` for what is due now. Asking again returns the live one, as long as it asks for the same.

    CannotQuote when the invoice takes no payment now, does not accept the asset, or no price is to be had.
    """
    asset = next((asset for asset in offered(invoice) if asset.id == asset_id), None)
    if asset is None:
        raise CannotQuote(_("This invoice cannot be paid with that token. Choose one of those shown."))
    with transaction.atomic():
        held = lifecycle.locked(invoice.pk)
        if held.status != Status.OPEN or held.due_minor <= 0:
            raise CannotQuote(_("Nothing is due on this invoice now."))
        live = Quote.objects.filter(invoice=held, asset_id=asset.id, status=Quote.State.LIVE).first()
        if live and live.locked_until > now and live.fiat_minor == held.due_minor:
            Quote.objects.filter(pk=live.pk).update(chosen_at=now)
            return live
        if live:
            _close(live)
        return _make(held, asset, now)


def _make(invoice: Invoice, asset: Asset, now: datetime) -> Quote:
    wallet = addresses.wallet_for(invoice.merchant, asset)
    if wallet is None:
        raise CannotQuote(_("%(name)s cannot receive %(asset)s now. Choose another.") % {"name": invoice.merchant_name, "asset": asset.label})
    rate, units = _price(asset, invoice.due_minor, invoice.currency, now)
    return Quote.objects.create(
        invoice=invoice,
        receive_address=addresses.receive_address(invoice, wallet, asset, now=now),
        asset_id=asset.id,
        amount_units=units,
        fiat_minor=invoice.due_minor,
        rate=format(rate.value, "f"),
        rate_source=rate.source,
        rate_at=rate.at,
        created_at=now,
        chosen_at=now,
        locked_until=now + LOCK,
    )


def _close(quote: Quote) -> None:
    """The one door out of 'live': used when money came for it, else expired."""
    status = Quote.State.USED if quote.transfers.exists() else Quote.State.EXPIRED
    Quote.objects.filter(pk=quote.pk, status=Quote.State.LIVE).update(status=status)


def close_stale(invoice: Invoice) -> None:
    """End the live quotes of `invoice` (under its lock) that ask for something else than what is due now."""
    for quote in Quote.objects.filter(invoice=invoice, status=Quote.State.LIVE).exclude(fiat_minor=invoice.due_minor):
        _close(quote)


def expire(*, now: datetime, limit: int = 500) -> int:
    """End the quotes whose lock is over. How many."""
    over = list(Quote.objects.filter(status=Quote.State.LIVE, locked_until__lte=now).order_by("locked_until")[:limit])
    for quote in over:
        _close(quote)
    return len(over)


def live(invoice: Invoice, *, now: datetime) -> Quote | None:
    """The live quote the payer last asked for."""
    current = Quote.objects.filter(invoice=invoice, status=Quote.State.LIVE, locked_until__gt=now)
    return current.select_related("receive_address").order_by("-chosen_at", "-id").first()


def latest(invoice: Invoice) -> Quote | None:
    """The quote the payer last asked for, live or not."""
    return Quote.objects.filter(invoice=invoice).select_related("receive_address").order_by("-chosen_at", "-id").first()
