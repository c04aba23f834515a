"""What happened to a schedule, as sentences for the timeline. Events hold what is said; nothing is read here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from merchants import moments
from merchants.models import Event


def _who(event: Event) -> str:
    return event.actor_name or _("The system")


def _one(found: dict[str, Any], zone: str) -> dict[str, str]:
    """'No. 4, planned 31 Aug 2026, 09:00' in its parts."""
    text = found.get("planned_at")
    return {"n": str(found.get("n", "–")), "when": moments.short(datetime.fromisoformat(text), zone) if text else "–"}


def _created(event: Event, _zone: str) -> str:
    if "copied_from" in event.facts:
        original = event.facts["copied_from"] or _("an untitled schedule")
        return _("%(who)s created the draft as a copy of %(original)s") % {"who": _who(event), "original": original}
    return _("%(who)s created the draft") % {"who": _who(event)}


def _edited(event: Event, _zone: str) -> str:
    words = _("%(who)s changed it, with new dates from then on") if event.facts.get("retimed") else _("%(who)s changed what is not yet sent")
    return words % {"who": _who(event)}


def _published(event: Event, zone: str) -> str:
    first = event.facts.get("schedule", {}).get("next_at")
    if not first:
        return _("%(who)s published it") % {"who": _who(event)}
    return _("%(who)s published it, to be sent first on %(when)s") % {"who": _who(event), "when": _one({"planned_at": first}, zone)["when"]}


def _resumed(event: Event, _zone: str) -> str:
    if event.facts.get("skipped"):
        return _("%(who)s resumed it, without what was planned meanwhile") % {"who": _who(event)}
    return _("%(who)s resumed it") % {"who": _who(event)}


def _after(event: Event) -> str:
    count = int(event.facts.get("issued") or 0)
    return ngettext("after %(count)d invoice", "after %(count)d invoices", count) % {"count": count}


def _about(words: str, event: Event, zone: str) -> str:
    return words % {"who": _who(event), **_one(event.facts.get("occurrence", {}), zone)}


def _missed(event: Event, zone: str) -> str:
    rows = [_one(found, zone) for found in event.facts.get("occurrences", [])]
    if len(rows) > 1:
        told = {"count": len(rows), "first": rows[0]["n"], "last": rows[-1]["n"]}
        return _("%(count)d were missed, No. %(first)s to No. %(last)s: their due times had passed") % told
    return _("No. %(n)s, planned %(when)s, was missed: its due time had passed") % (rows[0] if rows else _one({}, zone))


def _held(event: Event, zone: str) -> str:
    rows = event.facts.get("occurrences") or [{}]
    said = _("No. %(n)s, planned %(when)s, could not be sent and is held.") % _one(rows[0], zone)
    return f"{said} {event.facts.get('reason', '')}".strip()


# kind → icon, tone, sentence
SENTENCES: dict[str, tuple[str, str, Callable[[Event, str], str]]] = {
    "schedule.created": ("pencil-line", "grey", _created),
    "schedule.edited": ("pencil-line", "grey", _edited),
    "schedule.published": ("repeat", "green", _published),
    "schedule.paused": ("pause", "amber", lambda event, _zone: _("%(who)s paused it") % {"who": _who(event)}),
    "schedule.resumed": ("play", "green", _resumed),
    "schedule.stopped": (
        "square",
        "grey",
        lambda event, _zone: _("%(who)s stopped it, %(after)s") % {"who": _who(event), "after": _after(event)},
    ),
    "schedule.completed": ("check-check", "grey", lambda event, _zone: _("Completed, %(after)s") % {"after": _after(event)}),
    "schedule.skipped": ("skip-forward", "grey", lambda event, zone: _about(_("%(who)s skipped No. %(n)s, planned %(when)s"), event, zone)),
    "schedule.put_back": ("undo-2", "grey", lambda event, zone: _about(_("%(who)s put No. %(n)s back, for %(when)s"), event, zone)),
    "schedule.sent": ("send", "accent", lambda event, zone: _about(_("%(who)s sent No. %(n)s by hand, planned %(when)s"), event, zone)),
    "schedule.missed": ("calendar-x", "red", _missed),
    "schedule.held": ("triangle-alert", "amber", _held),
    "schedule.deleted": ("trash-2", "grey", lambda event, _zone: _("%(who)s deleted the draft") % {"who": _who(event)}),
}
