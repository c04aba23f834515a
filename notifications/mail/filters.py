"""What the list of mails is narrowed to: read from a URL, and written back to one. What cannot be used is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _l

from invoicing.timeline import mail_name
from merchants.models import Merchant
from notifications import queries
from notifications.delivery_lists import Chip, Show, chips
from notifications.models import Channel, Delivery
from notifications.plans import TEMPLATES

State = Delivery.State
MOST = 100  # characters of a search


SHOWS: dict[str, Show] = {
    "": Show(_l("All"), tuple(State)),
    "waiting": Show(_l("Waiting"), (State.QUEUED, State.SENDING), is_counted=True),
    "delivered": Show(_l("Delivered"), (State.SENT,)),
    "failed": Show(_l("Given up"), (State.FAILED,), is_counted=True),
    "withheld": Show(_l("Not sent"), (State.CANCELLED,), is_counted=True),
}


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
        every = self._every_state(Delivery.objects.filter(merchant=merchant))
        return chips(every, SHOWS, chosen=self.show, query_of=lambda show: self.but(show=show).to_query())

    @property
    def kinds(self) -> list[tuple[str, str]]:
        """What may be chosen, by name."""
        return sorted(((template, mail_name(template)) for template in TEMPLATES), key=lambda choice: choice[1].lower())
