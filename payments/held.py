"""Money that came and counts for nothing yet: a member decides what it counts for, once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing import lifecycle, search
from invoicing.money import MAX_MINOR, digits
from merchants.models import User
from payments import credit, rates, settlement
from payments.models import Transfer


class CannotDecide(Exception):
    """This transfer is not held any more, or has no such value; the text says which."""


@dataclass(frozen=True)
class Choice:
    """A value the transfer can be given: `minor` in the invoice's currency, from `rate`."""

    key: str
    label: str
    minor: int
    rate: rates.Rate


def choices(transfer: Transfer, *, now: datetime) -> list[Choice]:
    """The locked rate of the quote it answers, and the rate of now, as far as there are such."""
    if transfer.invoice is None:
        return []
    asset, currency = transfer.asset, transfer.invoice.currency
    found = []
    quote = transfer.quote
    if quote is not None:
        locked = rates.Rate(Decimal(quote.rate), currency, quote.rate_source, quote.rate_at)
        minor = quote.fiat_minor if transfer.amount_units == quote.amount_units else transfer.amount_units * quote.fiat_minor // quote.amount_units
        found.append(Choice("locked", _("at the rate it was quoted"), minor, locked))
    try:
        current = rates.current(asset, currency, now=now)
    except rates.NoRate:
        pass
    else:
        minor = credit.at_rate(transfer.amount_units, current.value, decimals=asset.decimals, digits=digits(currency))
        found.append(Choice("today", _("at today’s rate"), minor, current))
    return [choice for choice in found if choice.minor <= MAX_MINOR]


def decide(transfer: Transfer, key: str, *, by: User, now: datetime) -> Transfer:
    """Give a held transfer its credit, for good. CannotDecide when somebody already did, or there is no such choice."""
    with transaction.atomic():
        invoice = lifecycle.locked(transfer.invoice_id or 0)  # money without an invoice has no choices, and ends at the next line
        choice = next((choice for choice in choices(transfer, now=now) if choice.key == key), None)
        if choice is None:
            raise CannotDecide(_("There is no such rate now. Choose again."))
        columns = {
            "credit_minor": choice.minor,
            "credit_rate": format(choice.rate.value, "f"),
            "credit_source": choice.rate.source,
            "credit_rate_at": choice.rate.at,
            "credit_reason": f"decided_{key}",
            "credited_at": now,
            "is_held": False,
        }
        if not Transfer.objects.filter(pk=transfer.pk, is_held=True, credit_minor=None).update(**columns):
            raise CannotDecide(_("Somebody has already decided on this payment."))
        transfer.refresh_from_db()
        search.note_amount(invoice, choice.minor)
        settlement.tell("payment.decided", invoice, now=now, transfer=transfer, by=by)
        settlement.settle(invoice, now=now)
        return transfer
