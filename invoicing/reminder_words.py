"""When a reminder is sent, in words for people who read the dashboard. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from merchants import listing


def when(days: int) -> str:
    """'3 days before due', 'on the due day', '7 days after due'."""
    if days == 0:
        return _("on the due day")
    words = (
        ngettext("%(n)d day before due", "%(n)d days before due", -days)
        if days < 0
        else ngettext("%(n)d day after due", "%(n)d days after due", days)
    )
    return words % {"n": abs(days)}


def all_of(rules: Iterable[int]) -> str:
    """'3 days before due, on the due day and 7 days after due'."""
    return listing.all_of(when(days) for days in rules)
