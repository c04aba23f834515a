"""Money, statuses and file sizes, as people read them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from invoicing import money as money_text
from invoicing.models import Invoice
from invoicing.standing import Badge, standing
from merchants import languages

register = template.Library()


@register.simple_tag
def amount(minor: int, currency: str, language: str = "") -> str:
    """'4,280.40', the number alone. As the rest here, without `language` in the one that is spoken now."""
    return money_text.format_minor(minor, currency, language or languages.active())


@register.simple_tag
def money(minor: int, currency: str, language: str = "") -> SafeString:
    """A money cell: the number, then the code, kept together and left to right."""
    return format_html(
        '<bdi dir="ltr" class="money"><span class="money-number">{}</span> <span class="money-code">{}</span></bdi>',
        money_text.format_minor(minor, currency, language or languages.active()),
        currency,
    )


@register.simple_tag
def units(value: int, asset: Any, language: str = "", minimum: int = 2) -> str:
    """An asset amount without its symbol: '4,648.51', '0.04512'. `asset` is an Asset or its frozen dict."""
    decimals = asset["decimals"] if isinstance(asset, dict) else asset.decimals
    return money_text.grouped(value, decimals, language or languages.active(), trim=True, minimum=min(minimum, decimals))


@register.filter
def quantity(value_e4: int) -> str:
    """10000 → '1', 15000 → '1.5'."""
    return money_text.grouped(value_e4, 4, languages.active(), trim=True)


@register.filter
def percent(value_e4: int) -> str:
    """230000 → '23 %', 99750 → '9.975 %'."""
    return f"{money_text.grouped(value_e4, 4, languages.active(), trim=True)}\N{NO-BREAK SPACE}%"


@register.simple_tag
def badge_of(invoice: Invoice, now: datetime) -> Badge:
    """`{% badge_of invoice now as badge %}{% include "partials/badge.html" %}`"""
    return standing(invoice, now)


@register.filter
def filesize(size: int) -> str:
    """'184 kB', '2.1 MB' (10^3 and 10^6 bytes)."""
    if size < 1_000_000:
        return f"{max(round(size / 1000), 1)} kB"
    return f"{money_text.grouped(round(size / 100_000), 1, languages.active())} MB"
