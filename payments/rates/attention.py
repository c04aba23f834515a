"""What needs a hand about prices: added to the overview's list when the app starts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from invoicing.attention import MOST, Matter
from invoicing.models import Invoice, Status
from merchants import assets, moments
from merchants.assets import Asset
from merchants.models import Merchant
from payments.models import Price
from payments.rates import reading


def unquotable(merchant: Merchant, now: datetime) -> Iterable[Matter]:
    """Accepted assets without a price, in the currencies that a live merchant writes invoices in: a row for each reason."""
    accepted = [] if merchant.is_test else assets.accepted_by(merchant)
    if not accepted:
        return
    rows = [row for currency in _currencies(merchant) for row in _missing(merchant, accepted, currency, now)]
    for symbols, currency, reason in rows[:MOST]:
        yield Matter(
            "circle-alert",
            "red",
            _("%(symbols)s cannot be quoted in %(currency)s now") % {"symbols": ", ".join(symbols), "currency": currency},
            _("%(reason)s Payers are told so, and can choose another token.") % {"reason": reason},
            reverse("invoices", args=[merchant.slug]) + "?show=open",
            _("See the open invoices"),
        )


def _currencies(merchant: Merchant) -> list[str]:
    owed = Invoice.objects.filter(merchant=merchant, status=Status.OPEN).values_list("currency", flat=True).distinct()
    return sorted({merchant.currency, *owed})


def _missing(merchant: Merchant, accepted: list[Asset], currency: str, now: datetime) -> list[tuple[list[str], str, str]]:
    """Symbols, the currency, and why."""
    prices = reading.all_for_merchant(merchant, accepted, currency, now=now)
    without = [asset for asset in accepted if prices[asset.id] is None]
    names = {asset: asset.peg if merchant.stable_at_par and asset.peg else asset.price for asset in without}
    kept = {row.name: row for row in Price.objects.filter(name__in=set(names.values()), currency=currency)} if without else {}
    symbols: dict[str, dict[str, None]] = defaultdict(dict)
    for asset, name in names.items():
        symbols[_why(kept.get(name), merchant)][asset.symbol] = None
    return [(list(found), currency, reason) for reason, found in symbols.items()]


def _why(row: Price | None, merchant: Merchant) -> str:
    if row is None:
        return _("No source has given a price yet.")
    return row.refused or _("The last price is from %(moment)s.") % {"moment": moments.short(row.at, merchant.time_zone)}
