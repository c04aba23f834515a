"""Rows in the order of a text column, a page at a time, by key and not by offset; and the search in such rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.db.models.functions import Lower

PAGE = 25
MOST_WORDS = 8


@dataclass(frozen=True)
class Page:
    """Some rows in order, and the ids to ask for the pages beside it (None where there is none)."""

    rows: list[Any]
    back: int | None  # ?before=
    on: int | None  # ?after=


def page(found: QuerySet[Any], column: str, *, before: int | None = None, after: int | None = None, size: int = PAGE) -> Page:
    """The first rows of `found` by `column`, case aside; or those that follow the row `after`, or come before `before`.

    A key that is not (any more) among `found` starts from the first.
    """
    rows = found.annotate(sorted_by=Lower(column))
    if before is not None and (place := _place(rows, before)) is not None:
        taken = list(rows.filter(Q(sorted_by__lt=place) | Q(sorted_by=place, pk__lt=before)).order_by("-sorted_by", "-pk")[: size + 1])
        more, taken = len(taken) > size, taken[:size][::-1]
        return Page(taken, _key(taken, 0) if more else None, _key(taken, -1))
    place = _place(rows, after) if after is not None else None
    rest = rows if place is None else rows.filter(Q(sorted_by__gt=place) | Q(sorted_by=place, pk__gt=after))
    taken = list(rest.order_by("sorted_by", "pk")[: size + 1])
    more, taken = len(taken) > size, taken[:size]
    return Page(taken, _key(taken, 0) if place is not None else None, _key(taken, -1) if more else None)


def _place(rows: QuerySet[Any], pk: int) -> str | None:
    """Where the row `pk` stands, in the database's own words: it knows what it sorts by."""
    found: str | None = rows.filter(pk=pk).values_list("sorted_by", flat=True).first()
    return found


def _key(rows: list[Model], index: int) -> int | None:
    return int(rows[index].pk) if rows else None


def holding(search: str, *columns: str) -> Q:
    """The condition that every word of `search` stands in one of `columns`, case aside."""
    condition = Q()
    for word in search.split()[:MOST_WORDS]:
        either = Q()
        # SQLite knows upper and lower case of A to Z only: 'élodie' is also looked for as 'Élodie'.
        for spelling in dict.fromkeys((word, word.lower(), word.capitalize(), word.upper())):
            for column in columns:
                either |= Q(**{f"{column}__icontains": spelling})
        condition &= either
    return condition
