"""Saved items: lines that a merchant writes often. What is written from one is a copy, so changing one changes no invoice."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from invoicing import alphabet, entry
from invoicing.models import Item
from merchants.models import Merchant

OFFERED = 8
LISTED = 100  # in the form, for browsers without JavaScript


class AlreadyThere(Exception):
    """An item of this description and currency is saved already; the text says so."""


def find(merchant: Merchant, search: str = "") -> QuerySet[Item]:
    """The merchant's items whose description holds every word of `search`."""
    return Item.objects.filter(alphabet.holding(search, "description"), merchant=merchant)


def offers(merchant: Merchant, typed: str, currency: str) -> list[Item]:
    """The few items in `currency` whose description holds what was typed, those that begin with it first."""
    found = find(merchant, typed).filter(currency=currency).order_by("description", "id")[: 5 * OFFERED]
    start = typed.strip().casefold()
    return sorted(found, key=lambda item: not item.description.casefold().startswith(start))[:OFFERED]


def listed(merchant: Merchant, currency: str) -> QuerySet[Item]:
    return Item.objects.filter(merchant=merchant, currency=currency).order_by("-id")[:LISTED]


def cells_of(item: Item) -> dict[str, str]:
    """What this item puts into the cells of a line, as an author would type it."""
    return {
        "description": item.description,
        "unit_price": entry.price_text(item.unit_price_minor, item.currency),
        "tax": entry.tax_text(item.tax_name, item.tax_e4),
    }


def save(item: Item, *, values: dict[str, Any]) -> Item:
    """Store `values` in a new or known item. AlreadyThere when another of its merchant says the same in the same currency."""
    for name, value in values.items():
        setattr(item, name, value)
    try:
        with transaction.atomic():
            item.save()
    except IntegrityError:
        raise AlreadyThere(_("An item of this name in %(currency)s is saved already.") % {"currency": item.currency}) from None
    return item
