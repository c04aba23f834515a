"""What only printed pages need."""

from __future__ import annotations

import unicodedata

from django import template

register = template.Library()


@register.filter
def direction(text: str) -> str:
    """'rtl' when the first strong character of `text` is, else 'ltr': what dir="auto" means, which WeasyPrint does not know."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("R", "AL"):
            return "rtl"
        if kind == "L":
            return "ltr"
    return "ltr"
