"""What happened to an invoice, as sentences. Pure: events and their deliveries in, entries out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import refund_sentences, reminder_words, schedule_sentences
from invoicing.money import NotAnAmount, digits, format_minor, parse_scaled
from merchants import moments
from merchants.models import Event

Facts = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    icon: str
    tone: str  # cyan, green, red, amber, accent or grey
    text: str
    at: datetime


MAILS: dict[str, str | Promise] = {
    "issued": _l("Invoice issued"),
    "reminder": _l("Reminder"),
    "part_received": _l("Part received"),
    "overpaid": _l("Paid too much"),
    "receipt": _l("Receipt"),
    "paid": _l("Invoice paid"),
    "seen": _l("Payment seen"),
    "part_paid": _l("A part was paid"),
    "links": _l("Lost links"),
    "undelivered": _l("Message not delivered"),
    "endpoint_off": _l("Webhooks switched off"),
    "cancelled": _l("Invoice cancelled"),
    "late": _l("Late payment"),
    "unassigned": _l("Payment without an invoice"),
    "reopened": _l("Payment taken back"),
    "missed": _l("Invoice missed"),
    "refund_wanted": _l("Refund, an address is wanted"),
    "refund_confirm": _l("Refund, an address to confirm"),
    "refund_told": _l("Refund, how it stands"),
    "refund_news": _l("News of a refund"),
    "schedule_missed": _l("Recurring invoice missed"),
    "schedule_held": _l("Recurring invoice held"),
    "schedule_ended": _l("Schedule ended"),
    "invitation": _l("Invitation"),
    "owners_told": _l("Notice to the owners"),
}


def readable(kind: str) -> str:
    """'invoice.written_off' → 'Invoice written off': for what has no words of its own yet."""
    return kind.replace(".", " ").replace("_", " ").strip().capitalize()


def mail_name(template: str) -> str:
    return str(MAILS.get(template, readable(template)))


def _money(facts: Facts, text: Any) -> str:
    """A decimal string of an event, in its invoice's currency: '1,500.00 EUR'."""
    currency = facts.get("invoice", {}).get("currency") or ""
    try:
        return f"{format_minor(parse_scaled(str(text), digits(currency)), currency)} {currency}"
    except NotAnAmount:
        return f"{text} {currency}".strip()


def _payer(facts: Facts) -> str:
    return facts.get("invoice", {}).get("payer", {}).get("name") or _("The payer")


def _who(event: Event) -> str:
    return event.actor_name or _("The system")


def _when(facts: Facts, zone: str) -> str:
    text = facts.get("invoice", {}).get("issue_at")
    return moments.short(datetime.fromisoformat(text), zone) if text else "–"


def _arrived(facts: Facts) -> dict[str, str]:
    transfer = facts.get("transfer", {})
    units = f"{transfer.get('amount', '')} {transfer.get('symbol', '')}".strip()
    credit = transfer.get("credit")
    return {
        "money": _money(facts, credit) if credit else units,
        "network": transfer.get("network_name") or transfer.get("network") or _("an unknown network"),
    }


# kind → icon, tone, sentence
SENTENCES: dict[str, tuple[str, str, Callable[[Event, str], str]]] = {
    **schedule_sentences.SENTENCES,
    **refund_sentences.SENTENCES,
    "invoice.created": ("pencil-line", "grey", lambda event, _zone: _created(event)),
    "invoice.edited": ("pencil-line", "grey", lambda event, _zone: _("%(who)s changed it") % {"who": _who(event)}),
    "invoice.scheduled": (
        "calendar-clock",
        "grey",
        lambda event, zone: _("%(who)s scheduled it for %(when)s") % {"who": _who(event), "when": _when(event.facts, zone)},
    ),
    "invoice.unscheduled": ("pencil-line", "grey", lambda event, _zone: _("%(who)s took it back to a draft") % {"who": _who(event)}),
    "invoice.issued": ("send", "accent", lambda event, _zone: _issued(event)),
    "invoice.deleted": ("trash-2", "grey", lambda event, _zone: _deleted(event)),
    "invoice.missed": ("calendar-x", "red", lambda event, _zone: _missed(event)),
    "invoice.viewed": ("eye", "grey", lambda event, _zone: _("%(payer)s opened the invoice") % {"payer": _payer(event.facts)}),
    "invoice.paid": ("circle-check", "green", lambda _event, _zone: _("Paid")),
    "invoice.reopened": ("rotate-ccw", "amber", lambda event, _zone: _reopened(event)),
    "invoice.voided": ("ban", "grey", lambda event, _zone: _voided(event)),
    "invoice.replaced": ("corner-down-right", "grey", lambda event, _zone: _("%(replacement)s replaces it") % _told(event, "replacement")),
    "invoice.link_replaced": ("link", "amber", lambda event, _zone: _("%(who)s replaced its link") % {"who": _who(event)}),
    "invoice.archived": ("archive", "grey", lambda event, _zone: _("%(who)s archived it") % {"who": _who(event)}),
    "invoice.unarchived": ("archive-restore", "grey", lambda event, _zone: _back(event)),
    "invoice.removed": ("trash-2", "grey", lambda event, _zone: _("%(who)s removed it from the dashboard") % {"who": _who(event)}),
    "invoice.reminded": ("bell", "accent", lambda event, _zone: _reminded(event)),
    "invoice.reminders_on": ("bell", "grey", lambda event, _zone: _("%(who)s switched its reminders on") % {"who": _who(event)}),
    "invoice.reminders_off": ("bell-off", "grey", lambda event, _zone: _("%(who)s switched its reminders off") % {"who": _who(event)}),
    "invoice.recipients_changed": ("users", "grey", lambda event, _zone: _readdressed(event)),
    "mail_server.saved": ("server", "grey", lambda event, _zone: _("%(who)s set up the mail server %(server)s") % _told(event, "server")),
    "mail_server.on": ("server", "green", lambda event, _zone: _("%(who)s switched the mail server %(server)s on") % _told(event, "server")),
    "mail_server.off": ("server", "grey", lambda event, _zone: _("%(who)s switched the mail server %(server)s off") % _told(event, "server")),
    "mail_server.removed": ("server", "grey", lambda event, _zone: _("%(who)s removed the mail server %(server)s") % _told(event, "server")),
    "mail_server.failing": ("server", "red", lambda event, _zone: _("The mail server %(server)s does not answer") % _told(event, "server")),
    "invoice.mail_held": ("mail-warning", "red", lambda event, _zone: _("%(mail)s was not mailed. %(reason)s") % _delivery(event)),
    "payment.detected": ("loader", "cyan", lambda event, _zone: _("%(money)s seen on %(network)s, confirming") % _arrived(event.facts)),
    "payment.confirmed": ("circle-check", "green", lambda event, _zone: _("%(money)s received on %(network)s") % _arrived(event.facts)),
    "payment.dropped": ("circle-x", "red", lambda event, _zone: _("%(money)s on %(network)s was taken back by its network") % _arrived(event.facts)),
    "payment.late": ("clock-alert", "amber", lambda event, _zone: _late(event)),
    "payment.assigned": ("scale", "green", lambda event, _zone: _assigned(event)),
    "payment.handled": ("check", "grey", lambda event, _zone: _("%(who)s left %(units)s without a value") % _left(event)),
    "payment.decided": ("scale", "green", lambda event, _zone: _decided(event)),
    "payment.recorded": ("pencil", "green", lambda event, _zone: _("%(who)s recorded a payment of %(money)s: %(way)s") % _by_hand(event)),
    "payment.reversed": ("undo-2", "amber", lambda event, _zone: _("%(who)s reversed a recorded payment of %(money)s: %(way)s") % _by_hand(event)),
    "payment.part_received": ("contrast", "amber", lambda _event, _zone: _("Part received")),
    "payment.overpaid": ("circle-plus", "amber", lambda _event, _zone: _("More than the total was received")),
    "payer.created": ("users", "grey", lambda event, _zone: _("%(who)s added %(payer)s to the payers") % _entry(event)),
    "payer.edited": ("users", "grey", lambda event, _zone: _("%(who)s changed what is known of %(payer)s") % _entry(event)),
    "payer.deleted": ("users", "grey", lambda event, _zone: _("%(who)s deleted %(payer)s from the payers") % _entry(event)),
    "delivery.failed": ("mail-warning", "red", lambda event, _zone: _("%(mail)s could not be delivered. %(reason)s") % _delivery(event)),
    "delivery.resent": ("mail", "grey", lambda event, _zone: _("%(who)s sent it again: %(mail)s") % {"who": _who(event), **_delivery(event)}),
    "merchant.changed": ("settings", "grey", lambda event, _zone: _settings(event)),
    "links.asked": ("mail-search", "grey", lambda event, _zone: _("%(asked_by)s asked for lost links") % _told(event, "asked_by")),
    "merchant.numbering": ("hash", "grey", lambda event, _zone: _("%(who)s began a new number series: %(next)s") % _told(event, "next")),
    "merchant.handed_over": ("crown", "grey", lambda event, _zone: _("%(who)s made %(name)s an owner") % _member(event, "to")),
    "member.invited": ("user-plus", "grey", lambda event, _zone: _("%(who)s invited %(email)s") % _told(event, "email")),
    "member.joined": ("user-check", "green", lambda event, _zone: _("%(name)s joined") % _member(event)),
    "member.role_changed": ("user-cog", "grey", lambda event, _zone: _("%(who)s changed the role of %(name)s") % _member(event)),
    "member.removed": ("user-minus", "grey", lambda event, _zone: _("%(who)s took %(name)s out of the team") % _member(event)),
    "member.left": ("user-minus", "grey", lambda event, _zone: _("%(name)s left") % _member(event)),
    "invitation.withdrawn": ("mail-x", "grey", lambda event, _zone: _("%(who)s withdrew the invitation of %(email)s") % _told(event, "email")),
}


def _settings(event: Event) -> str:
    if "notices_off" in event.facts and not event.actor_name:
        return _("The link in a notice switched that notice off")
    return _("%(who)s changed the settings") % {"who": _who(event)}


def _readdressed(event: Event) -> str:
    was, main = (str(event.facts.get(name, "")) for name in ("was", "main"))
    if was.lower() != main.lower():
        return _("%(who)s changed where its mails go: to %(main)s") % _told(event, "main")
    return _("%(who)s changed who gets its mails") % {"who": _who(event)}


def _told(event: Event, name: str) -> dict[str, str]:
    return {"who": _who(event), name: str(event.facts.get(name) or "–")}


def _member(event: Event, key: str = "member") -> dict[str, str]:
    return {"who": _who(event), "name": str(event.facts.get(key, {}).get("name", ""))}


def _created(event: Event) -> str:
    if original := event.facts.get("copied_from"):
        return _("%(who)s created the draft as a copy of %(original)s") % {"who": _who(event), "original": original}
    return _("%(who)s created the draft") % {"who": _who(event)}


def _back(event: Event) -> str:
    if not event.actor_name:
        return _("Back on the dashboard: money came for it")
    return _("%(who)s put it back on the dashboard") % {"who": event.actor_name}


def _issued(event: Event) -> str:
    if origin := event.facts.get("origin"):
        return _("Issued as No. %(k)s of its schedule") % {"k": origin.get("k", "")}
    return _("Issued by %(who)s") % {"who": event.actor_name} if event.actor_name else _("Issued")


def _deleted(event: Event) -> str:
    title = event.facts.get("invoice", {}).get("title")
    if not title:
        return _("%(who)s deleted a draft") % {"who": _who(event)}
    return _("%(who)s deleted the draft “%(title)s”") % {"who": _who(event), "title": title}


def _missed(event: Event) -> str:
    detail = event.facts.get("detail") or _("Its due time had passed.")
    return _("It could not be sent. %(detail)s") % {"detail": detail}


def _reminded(event: Event) -> str:
    told = event.facts.get("reminder", {})
    if told.get("by_hand"):
        return _("%(who)s sent a reminder") % {"who": _who(event)}
    return _("Reminder, %(when)s") % {"when": reminder_words.when(int(told.get("days") or 0))}


def _voided(event: Event) -> str:
    reason = event.facts.get("invoice", {}).get("void_reason")
    said = _("%(who)s voided it") % {"who": _who(event)}
    return f"{said}: {reason}" if reason else said


def _reopened(event: Event) -> str:
    if event.facts.get("reason") == "reversed":
        return _("Open again: a payment recorded by hand was reversed")
    return _("Open again: a payment was taken back by its network")


WAYS: dict[str, str | Promise] = {
    "bank": _l("bank transfer"),
    "cash": _l("cash"),
    "card": _l("card"),
    "chain": _l("another chain"),
    "other": _l("another way"),
}


def way_words(way: str) -> str:
    """How a payment recorded by hand came, inside a sentence."""
    return str(WAYS.get(way, way))


def _by_hand(event: Event) -> dict[str, str]:
    payment = event.facts.get("payment", {})
    money, way = _money(event.facts, payment.get("amount", "")), way_words(str(payment.get("way", "")))
    return {"who": _who(event), "money": money, "way": way}


def _decided(event: Event) -> str:
    return _("%(who)s decided on a held payment: it counts as %(money)s") % {"who": _who(event), "money": _arrived(event.facts)["money"]}


def _assigned(event: Event) -> str:
    arrived = _arrived(event.facts)
    return _("%(who)s assigned a payment on %(network)s to it: %(money)s") % {"who": _who(event), **arrived}


def _left(event: Event) -> dict[str, str]:
    transfer = event.facts.get("transfer", {})
    return {"who": _who(event), "units": f"{transfer.get('amount', '')} {transfer.get('symbol', '')}".strip()}


def _entry(event: Event) -> dict[str, str]:
    """Of the directory: who changed it, and whose entry it was."""
    return {"who": _who(event), "payer": str(event.facts.get("payer", {}).get("name", "–"))}


def _late(event: Event) -> str:
    if event.facts.get("transfer", {}).get("held"):
        return _("%(money)s on %(network)s came late and is held") % _arrived(event.facts)
    return _("%(money)s on %(network)s came after its rate lock") % _arrived(event.facts)


def _delivery(event: Event) -> dict[str, str]:
    template = str(event.facts.get("template", ""))
    mail = _("Webhook %(kind)s") % {"kind": template} if event.facts.get("channel") == "webhook" else mail_name(template)
    return {"mail": mail, "reason": str(event.facts.get("reason", ""))}


def entry(event: Event, *, zone: str, mailed_to: str = "") -> Entry:
    """One event as a sentence; `mailed_to` is the payer whom its mail has reached. Unknown kinds are made readable."""
    icon, tone, sentence = SENTENCES.get(event.kind, ("circle", "grey", lambda told, _zone: readable(told.kind)))
    text = sentence(event, zone)
    if mailed_to:
        text = _("%(text)s and mailed to %(payer)s") if event.kind == "invoice.issued" else _("%(text)s, mailed to %(payer)s")
        text %= {"text": sentence(event, zone), "payer": mailed_to}
    return Entry(icon, tone, text, event.at)


def entries(events: Iterable[Event], deliveries: Iterable[Any], *, payer: str, payer_email: str, zone: str) -> list[Entry]:
    """The whole timeline, newest first. A mail that reached the payer is told with its event, every other message on
    its own; one that failed is told by its own event."""
    told = list(events)
    reached, others = {}, []
    for delivery in deliveries:
        to_payer = delivery.channel == "email" and delivery.status == "sent" and delivery.recipient == payer_email
        if to_payer and any(event.pk == delivery.event_id and event.kind != "delivery.resent" for event in told):
            reached[delivery.event_id] = payer
        elif delivery.status != "failed":
            others.append(_message(delivery))
    lines = [(event.at, event.pk, entry(event, zone=zone, mailed_to=reached.get(event.pk, ""))) for event in told]
    lines += [(message.at, 0, message) for message in others]
    return [line for _at, _pk, line in sorted(lines, key=lambda row: (row[0], row[1]), reverse=True)]


def _message(delivery: Any) -> Entry:
    """A message that is no part of its event's sentence: to the merchant, to a webhook, or still on its way."""
    if delivery.channel == "webhook":
        words = {"sent": _("Webhook %(mail)s delivered"), "cancelled": _("Webhook %(mail)s was not sent")}
        names = {"mail": delivery.template}
        return Entry(
            "webhook", "grey", words.get(delivery.status, _("Webhook %(mail)s is on its way")) % names, delivery.sent_at or delivery.created_at
        )
    words = {"sent": _("%(mail)s, mailed to %(to)s"), "cancelled": _("%(mail)s, not mailed to %(to)s")}
    names = {"mail": mail_name(delivery.template), "to": delivery.recipient}
    return Entry("mail", "grey", words.get(delivery.status, _("%(mail)s, on its way to %(to)s")) % names, delivery.sent_at or delivery.created_at)
