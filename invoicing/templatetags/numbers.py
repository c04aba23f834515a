"""What a page that is not about numbers says of them."""

from __future__ import annotations

from django import template

from invoicing import numbering
from merchants.models import Merchant

register = template.Library()


@register.simple_tag
def next_number(merchant: Merchant) -> str:
    """The number that the next invoice gets: 'INV-000150'."""
    return numbering.coming(merchant)
