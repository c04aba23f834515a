"""What the list of webhooks is narrowed to: read from a URL, and written back to one.

Reading never fails: what cannot be used is left out, with a sentence that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from merchants.models import Merchant
from notifications import queries
from notifications.delivery_lists import Chip, Show, chips
from notifications.models import Channel, Delivery, Endpoint
from notifications.webhooks import event_types

State = Delivery.State

SHOWS: dict[str, Show] = {
    "": Show(_l("All"), tuple(State)),
    "waiting": Show(_l("Waiting"), (State.QUEUED, State.SENDING), is_counted=True),
    "delivered": Show(_l("Delivered"), (State.SENT,)),
    "failed": Show(_l("Given up"), (State.FAILED, State.CANCELLED), is_counted=True),
}


@dataclass(frozen=True)
class DeliveryFilter:
    """Which webhooks of a merchant: of which endpoint, in which state, of which type."""

    state: str = ""
    endpoint: Endpoint | None = None
    kind: str = ""

    @classmethod
    def read(cls, data: Mapping[str, str], *, endpoints: list[Endpoint]) -> tuple[DeliveryFilter, list[str]]:
        """The filter that a query string asks for, and a sentence for each part of it that means nothing here."""
        notices = []
        state, kind, of = ((data.get(name) or "").strip() for name in ("state", "kind", "endpoint"))
        found = next((endpoint for endpoint in endpoints if str(endpoint.pk) == of), None)
        if state not in SHOWS:
            notices.append(_("The state was left out: there is none of that name."))
        if kind and kind not in event_types.WORDS:
            notices.append(_("The type was left out: there is none of that name."))
        if of and found is None:
            notices.append(_("The endpoint was left out: you have none like it."))
        return cls(state if state in SHOWS else "", found, kind if kind in event_types.WORDS else ""), notices

    def to_query(self, **more: str) -> str:
        """'state=failed&kind=invoice.paid', without a '?'; reading it gives the same back."""
        written = {"state": self.state, "endpoint": str(self.endpoint.pk) if self.endpoint else "", "kind": self.kind, **more}
        return urlencode({name: value for name, value in written.items() if value})

    def but(self, **changes: Any) -> DeliveryFilter:
        return replace(self, **changes)

    @property
    def is_narrowed(self) -> bool:
        return self != DeliveryFilter()

    def apply(self, merchant: Merchant) -> QuerySet[Delivery]:
        """The merchant's webhooks that this asks for, with all that a row shows, unordered."""
        return self._every_state(queries.deliveries_of(merchant)).filter(status__in=SHOWS[self.state].states)

    def _every_state(self, found: QuerySet[Delivery]) -> QuerySet[Delivery]:
        found = found.filter(channel=Channel.WEBHOOK)
        if self.endpoint:
            found = found.filter(endpoint=self.endpoint)
        return found.filter(template=self.kind) if self.kind else found

    def chips(self, merchant: Merchant) -> list[Chip]:
        every = self._every_state(Delivery.objects.filter(merchant=merchant))
        return chips(every, SHOWS, chosen=self.state, query_of=lambda state: self.but(state=state).to_query())
