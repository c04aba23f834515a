"""Tags of the design system: icons, and times in a named zone."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

import lucide
from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from merchants import moments

register = template.Library()


@lru_cache(maxsize=512)
def _svg(name: str, size: int) -> str:
    stroke = 2 if size <= 14 else 1.75
    kind = "icon icon--way" if name.endswith(("-left", "-right")) else "icon"  # it turns round where people read from the right
    return lucide._render_icon(name, size, stroke_width=stroke, aria_hidden="true", focusable="false", **{"class": kind})


@register.simple_tag
def icon(name: str, size: int = 16) -> SafeString:
    """A lucide icon as inline SVG, hidden from screen readers: `{% icon "send" 16 %}`."""
    return mark_safe(_svg(name, size))


@register.filter
def moment(value: datetime | None, zone: str) -> str:
    """'1 Dec 2026, 18:00'."""
    return moments.short(value, zone) if value else ""


@register.filter
def moment_words(value: datetime | None, zone: str) -> str:
    """'1 Dec 2026, 18:00, Lisbon time'."""
    return moments.in_words(value, zone) if value else ""


@register.filter
def moment_long(value: datetime | None, zone: str) -> str:
    """'Tuesday 1 December 2026, 18:00, Lisbon time'."""
    return moments.long(value, zone) if value else ""


@register.filter
def day(value: datetime | None, zone: str) -> str:
    """'1 December 2026'."""
    return moments.day(value, zone) if value else ""


@register.filter
def clock_time(value: datetime | None, zone: str) -> str:
    """'18:00:08'."""
    return moments.clock_time(value, zone) if value else ""


@register.filter
def zone_words(zone: str) -> str:
    """'Lisbon time'."""
    return moments.zone_words(zone)


@register.simple_tag
def time_tag(value: datetime | None, zone: str) -> SafeString:
    """The short form in a <time> element that machines read too."""
    if value is None:
        return SafeString("")
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), moments.short(value, zone))
