"""Tags about wallets: addresses as people compare them, and where a merchant can receive."""

from __future__ import annotations

from django import template
from django.template.context import RequestContext
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from merchants.assets import Asset
from payments import addresses

register = template.Library()


@register.simple_tag
def address(value: str) -> SafeString:
    """A whole address in fours, the ends stressed: set apart by margin, and copied without gaps."""
    end = max(len(value) - 4 - len(value) % 4, 4) if len(value) % 4 else len(value)  # what is over joins the last four
    groups = [value[at : at + 4] for at in range(0, end, 4)] + ([value[end:]] if end < len(value) else [])
    last = len(groups) - 1
    spans = ((" address-group--end" if place in (0, last) else "", group) for place, group in enumerate(groups))
    return format_html('<bdi class="address" dir="ltr">{}</bdi>', format_html_join("", '<span class="address-group{}">{}</span>', spans))


@register.filter
def short_address(value: str) -> str:
    """'0x4f2B…d3e8'."""
    return value if len(value) < 16 else f"{value[:6]}…{value[-4:]}"


@register.simple_tag(takes_context=True)
def receiving(context: RequestContext) -> dict[str, str]:
    """The families of networks on which this merchant can receive now, each with the way its wallet is connected."""
    return addresses.receiving(context["request"].merchant)


@register.filter
def needs_key(asset: Asset, ways: dict[str, str]) -> bool:
    """Whether a wallet is connected that would receive this asset, were it not by one fixed address."""
    return asset.network.family in ways and not addresses.is_received(asset, ways)
