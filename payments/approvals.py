"""Who may approve a refund: above the merchant's limit a second person, who neither asked for it nor said where it goes."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from invoicing.money import format_minor
from merchants.models import Merchant, User
from payments import rates
from payments.models import Refund


def is_above_limit(merchant: Merchant, minor: int, currency: str, *, now: datetime) -> bool:
    """Whether `minor` of `currency` needs a second person. In another currency than the limit's it is compared in USD; what
    cannot be compared is above."""
    limit = merchant.refund_limit_minor
    if limit is None:
        return False
    if currency == merchant.refund_limit_currency:
        return minor > limit
    amount = rates.in_usd(minor, currency, now=now)
    most = rates.in_usd(limit, merchant.refund_limit_currency, now=now)
    return amount is None or most is None or amount > most


def limit_words(merchant: Merchant) -> str:
    """'500.00 EUR'; empty without a limit."""
    if merchant.refund_limit_minor is None:
        return ""
    return f"{format_minor(merchant.refund_limit_minor, merchant.refund_limit_currency)} {merchant.refund_limit_currency}"


def involved(refund: Refund) -> set[int]:
    """Who decided on its amount or its address, by the user's id."""
    by = [refund.created_by_id, refund.changed_by_id, refund.claimed_by_id if refund.by_member else None]
    return {pk for pk in by if pk is not None}


def objection(refund: Refund, user: User, *, now: datetime) -> str:
    """Why `user`, who may deal with money, may not approve this one, as a sentence; empty when they may."""
    if not is_above_limit(refund.merchant, refund.amount_minor, refund.invoice.currency, now=now) or user.pk not in involved(refund):
        return ""
    names = {"limit": limit_words(refund.merchant)}
    if user.pk in (refund.created_by_id, refund.changed_by_id):
        return _("Above %(limit)s a refund needs a second person, and you asked for this one. Ask a colleague to approve it.") % names
    return _("Above %(limit)s a refund needs a second person, and you entered its address. Ask a colleague to approve it.") % names
