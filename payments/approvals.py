"""Who may approve a refund: above the merchant's limit a second person, who decided neither on its amount nor on its address.

The limit is compared with everything that goes back on the invoice together, so that nobody passes it in parts; and with what the
tokens are worth today, where that is more than what they counted for.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from invoicing.money import digits, format_minor
from merchants import assets
from merchants.models import Merchant, User
from payments import credit, rates
from payments.models import LIVE, Refund


class Limit:
    """A merchant's limit at one moment. Prices are read once for each token and currency, however many refunds are asked about."""

    def __init__(self, merchant: Merchant, *, now: datetime) -> None:
        self.merchant, self.now = merchant, now
        self._usd: dict[str, Decimal | None] = {}
        self._prices: dict[tuple[str, str], Decimal | None] = {}

    def is_above(self, refund: Refund) -> bool:
        """Whether `refund`, with all that goes back on its invoice, needs a second person. What cannot be compared is above."""
        if self.merchant.refund_limit_minor is None:
            return False
        invoice = refund.invoice
        minor = invoice.refunded_minor + invoice.returning_minor + (0 if refund.status in LIVE else refund.amount_minor)
        more = self._more_today(refund)
        return more is None or self.is_passed_by(minor + more, invoice.currency)

    def is_passed_by(self, minor: int, currency: str) -> bool:
        """Whether `minor` of `currency` is more. In another currency than the limit's it is compared in USD."""
        limit, of = self.merchant.refund_limit_minor, self.merchant.refund_limit_currency
        if limit is None:
            return False
        if currency == of:
            return minor > limit
        one, other = self._in_usd(currency), self._in_usd(of)
        return one is None or other is None or minor * one > limit * other

    def objection(self, refund: Refund, user: User) -> str:
        """Why `user`, who may deal with money, may not approve this one, as a sentence; empty when they may."""
        if user.pk not in involved(refund) or not self.is_above(refund):
            return ""
        names = {"limit": limit_words(self.merchant)}
        if user.pk in _authors(refund):
            return _("Above %(limit)s a refund needs a second person, and you asked for this one. Ask a colleague to approve it.") % names
        return _("Above %(limit)s a refund needs a second person, and you entered its address. Ask a colleague to approve it.") % names

    def _more_today(self, refund: Refund) -> int | None:
        """By how much its tokens are worth more today than they count for, in the invoice's minor unit; None without a price."""
        currency, asset = refund.invoice.currency, assets.catalogue().assets.get(refund.asset_id)
        if refund.amount_units is None or asset is None:
            return 0
        price = self._price(asset, currency)
        if price is None:
            return None
        today = credit.at_rate(refund.amount_units, price, decimals=asset.decimals, digits=digits(currency))
        return max(today - refund.amount_minor, 0)

    def _price(self, asset: assets.Asset, currency: str) -> Decimal | None:
        key = (asset.id, currency)
        if key not in self._prices:
            try:
                self._prices[key] = rates.for_refund(self.merchant, asset, currency, now=self.now).value
            except rates.NoRate:
                self._prices[key] = None
        return self._prices[key]

    def _in_usd(self, currency: str) -> Decimal | None:
        """What one minor unit is worth."""
        if currency not in self._usd:
            self._usd[currency] = rates.in_usd(1, currency, now=self.now)
        return self._usd[currency]


def is_above_limit(merchant: Merchant, minor: int, currency: str, *, now: datetime) -> bool:
    """Whether `minor` of `currency`, all that goes back on one invoice, needs a second person."""
    return Limit(merchant, now=now).is_passed_by(minor, currency)


def objection(refund: Refund, user: User, *, now: datetime) -> str:
    """As `Limit.objection`, for one refund."""
    return Limit(refund.merchant, now=now).objection(refund, user)


def limit_words(merchant: Merchant) -> str:
    """'500.00 EUR'; empty without a limit."""
    if merchant.refund_limit_minor is None:
        return ""
    return f"{format_minor(merchant.refund_limit_minor, merchant.refund_limit_currency)} {merchant.refund_limit_currency}"


def _authors(refund: Refund) -> set[int]:
    return {*refund.authors, *(pk for pk in (refund.created_by_id, refund.changed_by_id) if pk is not None)}


def involved(refund: Refund) -> set[int]:
    """Who decided on its amount or its address, by the user's id."""
    return _authors(refund) | ({refund.claimed_by_id} if refund.by_member and refund.claimed_by_id is not None else set())
