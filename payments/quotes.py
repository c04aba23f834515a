"""Quotes: an exact amount of one asset, at a rate locked for a while. A quote expires; an invoice does not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from invoicing import lifecycle, snapshot
from invoicing.models import Invoice, Status
from invoicing.money import ceil_ratio, digits
from merchants import assets
from merchants.assets import Asset
from payments import addresses, balances, cursors, rates
from payments.models import Cursor, Quote

LOCK = timedelta(minutes=15)
MOST_STEPS = 2000  # amounts tried for one quote at a fixed address
STEPS_ABOVE = 20  # so much dearer may the amount be that an invoice holds already
READ_LATELY = timedelta(minutes=10)


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


def _price(invoice: Invoice, asset: Asset, fiat_minor: int, now: datetime) -> tuple[rates.Rate, int]:
    try:
        rate = rates.for_merchant(invoice.merchant, asset, invoice.currency, now=now)
    except rates.NoRate as error:
        raise CannotQuote(str(error)) from error
    return rate, _units(asset, fiat_minor, rate)


def _units(asset: Asset, fiat_minor: int, rate: rates.Rate) -> int:
    units = amount_for(fiat_minor, rate=rate.value, currency=rate.currency, asset=asset)
    if units < asset.minimum_units:
        raise CannotQuote(_("This amount is too small to be paid in %(symbol)s.") % {"symbol": asset.symbol})
    return units


def offered(invoice: Invoice) -> list[Asset]:
    """The assets an issued invoice is payable with: frozen on it, and still served by this installation."""
    return [asset for asset in assets.among(assets.catalogue().assets.values(), invoice.asset_ids) if asset.network.enabled]


def options(invoice: Invoice, *, now: datetime) -> list[Option]:
    """What the payer can choose from, with estimates for what is still due."""
    chosen = offered(invoice)
    prices = rates.all_for_merchant(invoice.merchant, chosen, invoice.currency, now=now)
    receiving = addresses.receiving(invoice.merchant)
    found = []
    for asset in chosen:
        rate = prices[asset.id]
        try:
            if not addresses.is_received(asset, receiving):
                raise CannotQuote(_no_wallet(invoice, asset))
            if rate is None:
                raise CannotQuote(rates.no_rate(asset, invoice.currency))
            found.append(Option(asset, _units(asset, invoice.due_minor, rate)))
        except CannotQuote as error:
            found.append(Option(asset, None, str(error)))
    return found


def _no_wallet(invoice: Invoice, asset: Asset) -> str:
    return _("%(name)s cannot receive %(asset)s now. Choose another.") % {"name": invoice.merchant_name, "asset": asset.label}


def objection(invoice: Invoice, now: datetime) -> str | None:
    """Why `invoice` must not be published: none of its assets could be quoted for its total."""
    reasons = []
    receiving = addresses.receiving(invoice.merchant)
    for asset in snapshot.assets_for(invoice):
        if asset.network.family not in receiving:
            reasons.append(_("No wallet of yours receives %(asset)s. Connect one first, under Wallets.") % {"asset": asset.label})
            continue
        if not addresses.is_received(asset, receiving):
            reasons.append(_("%(asset)s needs an extended public key.") % {"asset": asset.label})
            continue
        try:
            _price(invoice, asset, invoice.total_minor, now)
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
        quote = _make(held, asset, now)
        balances.begin(quote, now=now)
    balances.take_baseline(quote)
    return quote


def _make(invoice: Invoice, asset: Asset, now: datetime) -> Quote:
    wallet = addresses.wallet_for(invoice.merchant, asset)
    if wallet is None:
        raise CannotQuote(_no_wallet(invoice, asset))
    rate, units = _price(invoice, asset, invoice.due_minor, now)
    quote = Quote(
        invoice=invoice,
        receive_address=addresses.receive_address(invoice, wallet, asset, now=now),
        asset_id=asset.id,
        amount_units=units,
        fiat_minor=invoice.due_minor,
        rate=format(rate.value, "f"),
        rate_source=rate.source,
        rate_at=rate.at,
        created_at=now,
        from_height=Cursor.objects.filter(network=asset.network.id).values_list("head_height", flat=True).first(),
        chosen_at=now,
        locked_until=now + LOCK,
    )
    if quote.receive_address.invoice_id is None:
        return _hold_amount(quote, asset)
    quote.save()
    return quote


def _hold_amount(quote: Quote, asset: Asset) -> Quote:
    """Save `quote` with an amount that no other invoice's quote holds at its fixed address: its own, or the first free step
    upward. CannotQuote when none of MOST_STEPS is free.

    What an earlier quote of the same invoice holds is taken over when it is at most STEPS_ABOVE steps dearer, so that a payer
    who asks again and again uses nothing up. Its other amounts stay held: somebody may still send one.
    """
    base, step = quote.amount_units, asset.exact_unit
    there = Quote.objects.filter(holds_amount=True, receive_address=quote.receive_address, asset_id=asset.id)
    near = there.filter(amount_units__range=(base, base + (MOST_STEPS - 1) * step))
    taken = dict(near.values_list("amount_units", "invoice_id"))
    own = [units for units in range(base, base + (STEPS_ABOVE + 1) * step, step) if taken.get(units) == quote.invoice_id]
    free = (units for units in range(base, base + MOST_STEPS * step, step) if taken.get(units, quote.invoice_id) == quote.invoice_id)
    quote.holds_amount = True
    for quote.amount_units in [*own[:1], *free]:
        try:
            with transaction.atomic():
                there.filter(invoice=quote.invoice, amount_units=quote.amount_units).update(holds_amount=False)
                quote.save()
                return quote
        except IntegrityError:  # somebody else's, since a moment ago
            continue
    raise CannotQuote(_("Too many payments of this amount are awaited in %(asset)s. Choose another token.") % {"asset": asset.label})


def _close(quote: Quote) -> None:
    """The one door out of 'live': used when money came for it, else expired."""
    status = Quote.State.USED if quote.transfers.exists() else Quote.State.EXPIRED
    Quote.objects.filter(pk=quote.pk, status=Quote.State.LIVE).update(status=status)


def close_stale(invoice: Invoice) -> None:
    """End the live quotes of `invoice` (under its lock) that ask for something else than what is due now."""
    for quote in Quote.objects.filter(invoice=invoice, status=Quote.State.LIVE).exclude(fiat_minor=invoice.due_minor):
        _close(quote)


def expire(*, now: datetime, limit: int = 500) -> int:
    """End the quotes whose lock is over, on networks that have been read since. How many."""
    over = Quote.objects.filter(status=Quote.State.LIVE, locked_until__lte=now)
    for network, until in cursors.read_until().items():
        mine = Q(asset_id__startswith=f"{network}/")
        over = over.exclude(mine if until is None else mine & Q(locked_until__gt=until))
    found = list(over.order_by("locked_until")[:limit])
    for quote in found:
        _close(quote)
    return len(found)


def free_amounts(*, now: datetime, limit: int = 500) -> int:
    """Let go of the exact amounts of invoices that are watched no more, on networks that are read up to now. How many."""
    held = Quote.objects.filter(holds_amount=True).exclude(addresses.is_watched(now))
    for network, until in cursors.read_until().items():
        if until is None or until < now - READ_LATELY:
            held = held.exclude(asset_id__startswith=f"{network}/")
    over = list(held.order_by("id").values_list("pk", flat=True)[:limit])
    return Quote.objects.filter(pk__in=over, holds_amount=True).update(holds_amount=False)


def live(invoice: Invoice, *, now: datetime) -> Quote | None:
    """The live quote the payer last asked for."""
    current = Quote.objects.filter(invoice=invoice, status=Quote.State.LIVE, locked_until__gt=now)
    return current.select_related("receive_address").order_by("-chosen_at", "-id").first()


def latest(invoice: Invoice) -> Quote | None:
    """The quote the payer last asked for, live or not."""
    return Quote.objects.filter(invoice=invoice).select_related("receive_address").order_by("-chosen_at", "-id").first()
