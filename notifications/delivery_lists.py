"""What the lists of mails and of webhooks share: a chip for each state, and pages by key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.functional import Promise

from notifications.models import Delivery

PAGE = 50
COUNTED = 99  # no page counts a whole table


@dataclass(frozen=True)
class Show:
    """A choice of state: its word, and the states it takes in."""

    word: str | Promise
    states: tuple[Delivery.State, ...]
    is_counted: bool = False  # what wants a look


@dataclass(frozen=True)
class Chip:
    word: str
    url: str
    is_on: bool
    count: str  # '' where nobody counts


def chips(every: QuerySet[Delivery], shows: Mapping[str, Show], *, chosen: str, query_of: Callable[[str], str]) -> list[Chip]:
    """One for each of `shows`, as links; those that want a look with how many of `every` there are, '99+' at most."""
    return [Chip(str(show.word), "?" + query_of(key), key == chosen, _tally(every, show)) for key, show in shows.items()]


def _tally(every: QuerySet[Delivery], show: Show) -> str:
    if not show.is_counted:
        return ""
    found = every.filter(status__in=show.states)[: COUNTED + 1].count()
    return f"{COUNTED}+" if found > COUNTED else str(found or "")


@dataclass(frozen=True)
class Page:
    rows: list[Delivery]
    newer: str  # the values of ?after= and ?before= of the pages beside it; empty where there is none
    older: str


def page(found: QuerySet[Delivery], *, before: str = "", after: str = "") -> Page:
    """A page by key, not by offset, the newest first. A place that means nothing is the first page."""
    if _is_id(after):
        rows = list(found.filter(pk__gt=int(after)).order_by("id")[: PAGE + 1])
        has_newer, rows = len(rows) > PAGE, rows[:PAGE][::-1]
        return Page(rows, str(rows[0].pk) if has_newer else "", str(rows[-1].pk) if rows else "")
    is_first = not _is_id(before)
    rows = list((found if is_first else found.filter(pk__lt=int(before))).order_by("-id")[: PAGE + 1])
    has_older, rows = len(rows) > PAGE, rows[:PAGE]
    return Page(rows, "" if is_first or not rows else str(rows[0].pk), str(rows[-1].pk) if has_older else "")


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
