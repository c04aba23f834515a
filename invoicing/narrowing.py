"""What every list of a merchant's money can be narrowed to: read from a URL, and written back to one.

Reading never fails: what cannot be used is left out, with a sentence that says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time
from typing import Any, Self
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from invoicing.models import Payer
from merchants import assets
from merchants.models import Merchant

MOST_TYPED = 200  # characters of a search


@dataclass(frozen=True)
class Narrowed:
    """`since` and `until` are days of the merchant's zone, both included."""

    show: str = "all"
    q: str = ""
    since: date | None = None
    until: date | None = None
    payer: Payer | None = None
    asset: str = ""  # CAIP-19
    currency: str = ""

    def values(self) -> dict[str, str]:
        """The parts that narrow or sort, by their names in the URL."""
        written = {
            "show": "" if self.show == "all" else self.show,
            "q": self.q,
            "from": self.since.isoformat() if self.since else "",
            "to": self.until.isoformat() if self.until else "",
            "payer": str(self.payer.pk) if self.payer else "",
            "asset": self.asset,
            "currency": self.currency,
        }
        return {name: value for name, value in written.items() if value}

    def to_query(self, **more: str) -> str:
        """'show=open&q=ana', without a '?'; reading it gives the same back. `more` are further parameters."""
        return urlencode(self.values() | more)

    def but(self, **changes: Any) -> Self:
        return replace(self, **changes)

    @property
    def without(self) -> dict[str, str]:
        """The links that take one part of it off."""
        parts: dict[str, dict[str, Any]] = {"dates": {"since": None, "until": None}, "payer": {"payer": None}}
        parts |= {name: {name: ""} for name in ("asset", "currency", "q")}
        return {name: "?" + self.but(**changes).to_query() for name, changes in parts.items()}

    @property
    def is_narrowed(self) -> bool:
        """Whether it leaves anything out; an order does not."""
        return any(getattr(self, part.name) != part.default for part in fields(self) if part.name != "sort")


class Asked:
    """One query string as it is being read: what of it can be used, and in `notices` what cannot."""

    def __init__(self, data: Mapping[str, str], merchant: Merchant) -> None:
        self._data, self._merchant = data, merchant
        self.notices: list[str] = []

    def given(self, name: str) -> str:
        return (self._data.get(name) or "").replace("\0", "").strip()

    def kept(self, name: str, known: Collection[str], sentence: str) -> str:
        """What is given under `name` if it is one of `known`, else nothing and the notice."""
        value = self.given(name)
        if value and value not in known:
            self.notices.append(sentence)
        return value if value in known else ""

    def parts(self, *, shows: Collection[str], tokens: Collection[str]) -> dict[str, Any]:
        """The fields of `Narrowed`; `shows` and `tokens` are what may be asked for of those."""
        since, until = self._dates()
        return {
            "since": since,
            "until": until,
            "payer": self._payer(),
            "show": self.kept("show", shows, _("The status was left out: there is none of that name.")) or "all",
            "q": self.given("q")[:MOST_TYPED],
            "asset": self.kept("asset", tokens, _("The token was left out: it is none of yours.")),
            "currency": self.kept("currency", assets.catalogue().currencies, _("The currency was left out: it is not used here.")),
        }

    def _dates(self) -> tuple[date | None, date | None]:
        since, until = (day_of(self.given(name)) for name in ("from", "to"))
        if (self.given("from") and since is None) or (self.given("to") and until is None):
            self.notices.append(_("A date was left out: it is not a day of the calendar."))
        if since and until and since > until:
            self.notices.append(_("The dates were left out: the first is after the last."))
            return None, None
        return since, until

    def _payer(self) -> Payer | None:
        text = self.given("payer")
        is_number = text.isascii() and text.isdigit() and len(text) < 19
        found = Payer.objects.filter(merchant=self._merchant, pk=int(text)).first() if is_number else None
        if text and found is None:
            self.notices.append(_("The payer was left out: there is none like it in your directory."))
        return found


def midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))


def day_of(text: str) -> date | None:
    """A day that can be converted to any zone; None for anything else."""
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None
    return day if day and 1900 <= day.year <= 2999 else None
