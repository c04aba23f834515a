"""When payers are reminded, in words."""

from __future__ import annotations

from django import template

from invoicing import reminder_rules, reminder_words
from merchants.models import Merchant

register = template.Library()


@register.filter
def reminder_when(days: int) -> str:
    """'3 days before due'."""
    return reminder_words.when(days)


@register.simple_tag
def reminder_rules_of(merchant: Merchant) -> str:
    """'3 days before due, on the due day and 7 days after due'; empty where the merchant has no rules."""
    return reminder_words.all_of(reminder_rules.of(merchant))
