"""What happened to a refund, as sentences for the timeline. Events hold what is said; nothing is read here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from invoicing.money import NotAnAmount, digits, format_minor, parse_scaled
from merchants.models import Event


def _names(event: Event) -> dict[str, str]:
    told: dict[str, Any] = event.facts.get("refund", {})
    return {
        "who": event.actor_name or _("The system"),
        "payer": event.facts.get("invoice", {}).get("payer", {}).get("name") or _("The payer"),
        "reference": str(told.get("reference", "–")),
        "money": _money(told),
        "network": str(told.get("network_name") or told.get("network") or _("an unknown network")),
        "why": str(told.get("why") or ""),
        "note": str(told.get("credit_note") or ""),
    }


def _money(told: dict[str, Any]) -> str:
    """'52.50 EUR'."""
    currency, text = str(told.get("currency") or ""), str(told.get("amount", ""))
    try:
        return f"{format_minor(parse_scaled(text, digits(currency)), currency)} {currency}"
    except NotAnAmount:
        return f"{text} {currency}".strip()


def _by(event: Event, member: str, alone: str) -> str:
    """`member` where somebody of the business did it, `alone` where the payer did, or the network showed it."""
    return (member if event.actor_name else alone) % _names(event)


def _ended(event: Event, words: str) -> str:
    names = _names(event)
    said = words % names
    return f"{said}: {names['why']}" if names["why"] else said


def _changed(event: Event, _zone: str) -> str:
    if event.facts.get("only_words"):
        return _("%(who)s changed the words of refund %(reference)s") % _names(event)
    return _("%(who)s changed refund %(reference)s to %(money)s") % _names(event)


def _claimed(event: Event, _zone: str) -> str:
    if event.facts.get("refund", {}).get("address_by") == "member":
        return _("%(who)s entered the address of refund %(reference)s") % _names(event)
    return _("%(payer)s confirmed the address of refund %(reference)s") % _names(event)


def _confirmed(event: Event, _zone: str) -> str:
    names = _names(event)
    said = _("%(money)s refunded on %(network)s") % names
    return f"{said}, {_('credit note %(note)s') % names}" if names["note"] else said


# kind → icon, tone, sentence
SENTENCES: dict[str, tuple[str, str, Callable[[Event, str], str]]] = {
    "refund.requested": ("undo-2", "grey", lambda event, _zone: _("%(who)s asked for refund %(reference)s of %(money)s") % _names(event)),
    "refund.changed": ("pencil-line", "grey", _changed),
    "refund.renewed": (
        "link",
        "grey",
        lambda event, _zone: _by(
            event, _("%(who)s sent a new link for refund %(reference)s"), _("%(payer)s got a new link for refund %(reference)s")
        ),
    ),
    "refund.expired": ("clock-alert", "amber", lambda event, _zone: _("Refund %(reference)s expired: no address was given in time") % _names(event)),
    "refund.address_given": (
        "pencil",
        "grey",
        lambda event, _zone: _("%(payer)s gave an address for refund %(reference)s, to be confirmed by mail") % _names(event),
    ),
    "refund.claimed": ("user-check", "accent", _claimed),
    "refund.restarted": (
        "rotate-ccw",
        "amber",
        lambda event, _zone: _by(
            event,
            _("%(who)s asked for another address for refund %(reference)s"),
            _("%(payer)s wants to give another address for refund %(reference)s"),
        ),
    ),
    "refund.approved": ("check", "green", lambda event, _zone: _("%(who)s approved refund %(reference)s of %(money)s") % _names(event)),
    "refund.rejected": ("ban", "grey", lambda event, _zone: _ended(event, _("%(who)s rejected refund %(reference)s"))),
    "refund.cancelled": ("ban", "grey", lambda event, _zone: _ended(event, _("%(who)s called off refund %(reference)s"))),
    "refund.sent": (
        "send",
        "cyan",
        lambda event, _zone: _by(
            event, _("%(who)s sent refund %(reference)s of %(money)s"), _("Refund %(reference)s of %(money)s found on %(network)s, confirming")
        ),
    ),
    "refund.unsent": (
        "rotate-ccw",
        "amber",
        lambda event, _zone: _("%(who)s said that the transaction named is not refund %(reference)s: it is to be paid still") % _names(event),
    ),
    "refund.confirmed": ("circle-check", "green", _confirmed),
    "refund.reopened": ("circle-x", "red", lambda event, _zone: _("Refund %(reference)s was taken back by its network") % _names(event)),
    "refund.failed": ("circle-x", "red", lambda event, _zone: _ended(event, _("%(who)s gave up refund %(reference)s: it never arrived"))),
}
