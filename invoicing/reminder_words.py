"""When a reminder is sent, in words for people who read the dashboard. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from babel.lists import format_list
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from invoicing.money import locale_of


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
    return str(format_list([when(days) for days in rules], locale=locale_of(get_language() or "en")))
