"""Money that came and counts for nothing yet: a member decides what it counts for, once; or that nothing is left to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing import lifecycle, search
from invoicing.models import Invoice
from invoicing.money import MAX_MINOR, digits
from merchants import assets
from merchants.models import User
from payments import credit, rates, settlement
from payments.models import Quote, Transfer

LONGEST_NOTE = 300


class CannotDecide(Exception):
    """This transfer is not held any more, or has no such value; the text says which."""


@dataclass(frozen=True)
class Choice:
    """A value the transfer can be given: `minor` in the invoice's currency, from `rate`."""

    key: str
    label: str
    minor: int
    rate: rates.Rate

    def columns(self, *, now: datetime) -> dict[str, Any]:
        """What keeps the decision on the transfer."""
        return {
            "credit_minor": self.minor,
            "credit_rate": format(self.rate.value, "f"),
            "credit_source": self.rate.source,
            "credit_rate_at": self.rate.at,
            "credit_reason": f"decided_{self.key}",
            "credited_at": now,
            "is_held": False,
        }


def choices(transfer: Transfer, *, now: datetime) -> list[Choice]:
    """The locked rate of the quote it answers, and the rate of now, as far as there are such."""
    return values(transfer, transfer.invoice, transfer.quote, now=now) if transfer.invoice else []


def values(transfer: Transfer, invoice: Invoice, quote: Quote | None, *, now: datetime) -> list[Choice]:
    """What `transfer` can count for on `invoice`, as an answer to `quote` (of the same token) or to none."""
    currency, found = invoice.currency, []
    try:
        asset = transfer.asset
    except assets.UnknownAsset:
        return []
    asked = assets.catalogue().assets.get(quote.asset_id) if quote else None
    if quote is not None and asked is not None and asked.price == asset.price:
        locked = rates.Rate(Decimal(quote.rate), currency, quote.rate_source, quote.rate_at)
        found.append(Choice("locked", _("at the rate it was quoted"), _at_quote(transfer.amount_units, asset, quote), locked))
    try:
        current = rates.for_merchant(invoice.merchant, asset, currency, now=now)
    except rates.NoRate:
        pass
    else:
        minor = credit.at_rate(transfer.amount_units, current.value, decimals=asset.decimals, digits=digits(currency))
        found.append(Choice("today", _("at today’s rate"), minor, current))
    return [choice for choice in found if choice.minor <= MAX_MINOR]


def _at_quote(units: int, asset: assets.Asset, quote: Quote) -> int:
    """Exactly the quote for exactly its amount, else pro rata, floored; a token has other decimals on another network."""
    came, asked = units * 10**quote.asset.decimals, quote.amount_units * 10**asset.decimals
    return quote.fiat_minor if came == asked else came * quote.fiat_minor // asked


def decide(transfer: Transfer, key: str, *, by: User, now: datetime) -> Transfer:
    """Give a held transfer its credit, for good. CannotDecide when somebody already did, or there is no such choice."""
    with transaction.atomic():
        invoice = lifecycle.locked(transfer.invoice_id or 0)  # money without an invoice has no choices, and ends at the next line
        choice = next((choice for choice in choices(transfer, now=now) if choice.key == key), None)
        if choice is None:
            raise CannotDecide(_("There is no such rate now. Choose again."))
        columns = choice.columns(now=now) | {"handled_at": None, "handled_by": None, "handled_note": ""}
        still = Transfer.objects.filter(pk=transfer.pk, invoice=invoice, is_held=True, credit_minor=None).exclude(status=Transfer.State.DROPPED)
        if not still.update(**columns):
            raise CannotDecide(_("Somebody has already decided on this payment."))
        transfer.refresh_from_db()
        search.note_amount(invoice, choice.minor)
        settlement.tell("payment.decided", invoice, now=now, transfer=transfer, by=by)
        settlement.settle(invoice, now=now)
        return transfer


def handle(transfer: Transfer, note: str, *, by: User, now: datetime) -> Transfer:
    """Nothing is left to do about this money, as `note` says: sent back, or agreed to be kept. It counts for nothing, and can
    still be decided on or assigned. For what is held on an invoice, and for what belongs to none."""
    note = " ".join(note.split())
    if not note:
        raise CannotDecide(_("Write what became of it: sent back, or agreed with the payer."))
    if len(note) > LONGEST_NOTE:
        raise CannotDecide(_("Shorten the note to %(most)d characters.") % {"most": LONGEST_NOTE})
    with transaction.atomic():
        invoice = lifecycle.locked(transfer.invoice_id) if transfer.invoice_id else None
        waiting = Transfer.objects.filter(pk=transfer.pk, invoice=transfer.invoice_id, handled_at=None, credit_minor=None)
        if invoice is not None:
            waiting = waiting.filter(is_held=True)
        if not waiting.update(handled_at=now, handled_by=by, handled_note=note):
            raise CannotDecide(_("Somebody has already decided on this payment."))
        transfer.refresh_from_db()
        if invoice is not None:
            settlement.tell("payment.handled", invoice, now=now, transfer=transfer, by=by)
        else:
            settlement.tell_of_unassigned("payment.handled", transfer, now=now, by=by)
        return transfer
