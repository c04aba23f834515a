"""What the list of mails is narrowed to: read from a URL, and written back to one. What cannot be used is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _l

from invoicing.timeline import mail_name
from merchants.models import Merchant
from notifications import queries
from notifications.models import Channel, Delivery
from notifications.plans import TEMPLATES

State = Delivery.State
PAGE = 50
COUNTED = 99  # no page counts a whole table
MOST = 100  # characters of a search


@dataclass(frozen=True)
class Show:
    """A choice of `?show=`: its word, and the states it takes in."""

    word: str | Promise
    states: tuple[State, ...]
    is_counted: bool = False  # what wants a look


SHOWS: dict[str, Show] = {
    "": Show(_l("All"), tuple(State)),
    "waiting": Show(_l("Waiting"), (State.QUEUED, State.SENDING), is_counted=True),
    "delivered": Show(_l("Delivered"), (State.SENT,)),
    "failed": Show(_l("Given up"), (State.FAILED,), is_counted=True),
    "withheld": Show(_l("Not sent"), (State.CANCELLED,), is_counted=True),
}


@dataclass(frozen=True)
class Chip:
    word: str
    url: str
    is_on: bool
    count: str  # '' where nobody counts


@dataclass(frozen=True)
class MailFilter:
    """Which mails of a merchant: in which state, of which kind, to whom."""

    show: str = ""
    kind: str = ""
    q: str = ""  # a part of the address

    @classmethod
    def read(cls, data: Mapping[str, str]) -> MailFilter:
        show, kind, q = (" ".join((data.get(name) or "").replace("\0", "").split()) for name in ("show", "kind", "q"))
        return cls(show if show in SHOWS else "", kind if kind in TEMPLATES else "", q[:MOST])

    @property
    def values(self) -> dict[str, str]:
        written = {"show": self.show, "kind": self.kind, "q": self.q}
        return {name: value for name, value in written.items() if value}

    def to_query(self, **more: str) -> str:
        """'show=failed&kind=issued', without a '?'; reading it gives the same back."""
        return urlencode(self.values | more)

    def but(self, **changes: Any) -> MailFilter:
        return replace(self, **changes)

    @property
    def without_kind(self) -> str:
        return "?" + self.but(kind="").to_query()

    @property
    def is_narrowed(self) -> bool:
        return self != MailFilter()

    def apply(self, merchant: Merchant) -> QuerySet[Delivery]:
        """The merchant's mails that this asks for, with all that a row shows, unordered."""
        return self._every_state(queries.deliveries_of(merchant)).filter(status__in=SHOWS[self.show].states)

    def _every_state(self, found: QuerySet[Delivery]) -> QuerySet[Delivery]:
        found = found.filter(channel=Channel.EMAIL)
        if self.kind:
            found = found.filter(template=self.kind)
        return found.filter(recipient__icontains=self.q) if self.q else found

    def chips(self, merchant: Merchant) -> list[Chip]:
        """One for each state, as links; those that want a look with how many there are, '99+' at most."""
        every = self._every_state(Delivery.objects.filter(merchant=merchant))
        return [Chip(str(one.word), "?" + self.but(show=show).to_query(), show == self.show, _tally(every, one)) for show, one in SHOWS.items()]

    @property
    def kinds(self) -> list[tuple[str, str]]:
        """What may be chosen, by name."""
        return sorted(((template, mail_name(template)) for template in TEMPLATES), key=lambda choice: choice[1].lower())


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
