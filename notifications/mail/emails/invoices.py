"""Mails about an invoice, to its payer and to the merchant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import translation
from django.utils.translation import get_language_bidi
from django.utils.translation import gettext as _

from invoicing import reminders
from invoicing.models import Invoice, LineItem, Status
from invoicing.money import digits, format_minor, grouped, parse_scaled
from invoicing.snapshot import Document, document
from invoicing.totals import QUANTITY_SCALE
from merchants import languages, moments
from merchants.listing import any_of
from merchants.models import Event
from notifications import audience
from notifications.mail import wordings
from notifications.mail.emails import samples
from notifications.mail.emails.arrivals import arrival
from notifications.mail.emails.letter import Letter, Letterhead, Matter, compose, link, one_line
from notifications.mail.wordings import TESTED, Words
from notifications.models import Delivery
from notifications.plans import TEMPLATES
from notifications.transports import Withheld
from payments.models import RecordedPayment, Transfer
from payments.slips import asset_of

State = Delivery.State
LINES_SHOWN = 12
DESCRIPTION_SHOWN = 600  # characters


@dataclass(frozen=True)
class InvoiceMatter(Matter):
    invoice: Invoice
    document: Document
    words: Words  # the merchant's own, where it has any


def about(delivery: Delivery, now: datetime) -> InvoiceMatter:
    if delivery.origin.kind == TESTED:
        return _sample(delivery, now)
    invoice = Invoice.objects.select_related("merchant").filter(pk=delivery.invoice_id or 0).first()
    if invoice is None:
        raise Withheld(_("Its invoice was deleted before this could be sent."))
    audience.must_be_wanted(delivery, invoice)
    language = invoice.language if TEMPLATES[delivery.template] == "payer" else languages.of_members()
    words = wordings.of(invoice.merchant_id, template=delivery.template, language=language)
    return _matter(delivery, invoice, now, language, words)


def _sample(delivery: Delivery, now: datetime) -> InvoiceMatter:
    """What a member tries words out on: no invoice of anybody's, and the words as they were typed."""
    told = delivery.origin.facts
    shown = samples.invoice(delivery.merchant, template=told["template"], language=told["language"], now=now)
    return _matter(delivery, shown, now, told["language"], Words(told["subject"], told["message"]))


def _matter(delivery: Delivery, invoice: Invoice, now: datetime, language: str, words: Words) -> InvoiceMatter:
    found = document(invoice)
    return InvoiceMatter(delivery, Letterhead.of_document(found), now, language, invoice, found, words)


def context(matter: InvoiceMatter) -> dict[str, Any]:
    return _everywhere(matter) | KINDS[matter.delivery.template](matter)


def preview(shown: Invoice, *, now: datetime) -> Letter:
    """The mail in which `shown` will go to its payer: a copy told to be issued, see `invoicing.previewing`. Nothing is asked
    that decides only as a mail leaves."""
    words = wordings.of(shown.merchant_id, template="issued", language=shown.language)
    with translation.override(shown.language):
        matter = _matter(Delivery(template="issued", recipient=shown.payer_email), shown, now, shown.language, words)
        return compose(matter, _everywhere(matter) | _bill(matter))


def _everywhere(matter: InvoiceMatter) -> dict[str, Any]:
    """What every mail about an invoice says of it."""
    invoice = matter.invoice
    return _own_words(matter) | {
        "invoice": invoice,
        "document": matter.document,
        "due": matter.moment(invoice.due_at),
        "pay_url": link("checkout", invoice.public_id),
        "page_url": link("public_invoice", invoice.public_id),
        "receipt_url": link("public_receipt", invoice.public_id),
        "desk_url": link("invoice", invoice.merchant.slug, invoice.pk),
    }


def _own_words(matter: InvoiceMatter) -> dict[str, str]:
    """The merchant's subject and opening, filled; empty where the usual ones stand."""
    if matter.words == Words():
        return {"own_subject": "", "opening": ""}
    invoice = matter.invoice
    about = {"part_received": invoice.credited_minor, "receipt": invoice.credited_minor, "cancelled": invoice.total_minor}
    minor = about.get(matter.delivery.template, invoice.due_minor)
    values = {
        "payer": matter.document.recipient.name,
        "number": invoice.number,
        "title": invoice.title,
        "amount": f"{format_minor(minor, invoice.currency, matter.language)} {invoice.currency}",
        "due": matter.moment(invoice.due_at),
        "business": matter.document.sender.name,
    }
    own = {"own_subject": wordings.filled(matter.words.subject, values)}
    if get_language_bidi():  # figures stay in their order among words that run from right to left; a header has no marks for it
        values |= {name: f"\u2066{values[name]}\u2069" for name in ("number", "amount")}
    return own | {"opening": wordings.filled(matter.words.message, values)}


# --- one function per kind --------------------------------------------------------------------------------------
def issued(matter: InvoiceMatter) -> dict[str, Any]:
    """To the payer: here is your invoice. The due time is also the latest time of sending."""
    invoice = matter.invoice
    _must_be(invoice, Status.OPEN)
    if invoice.due_minor == 0:
        raise Withheld(_("A payment of the whole amount is confirming; nobody is asked for it again."))
    if invoice.due_at and invoice.due_at <= matter.now and not matter.delivery.is_forced:
        raise Withheld(_("The due time passed before this could be sent."), is_held=True)
    return _bill(matter)


def reminder(matter: InvoiceMatter) -> dict[str, Any]:
    """To the payer: what is due, and when; in the tone of the moment at which it leaves, whenever that was planned."""
    invoice, told = matter.invoice, matter.delivery.origin.facts["reminder"]
    _must_be(invoice, Status.OPEN)
    if invoice.pending_minor or invoice.due_minor == 0:
        raise Withheld(_("A payment is confirming; nobody is asked again meanwhile."))
    if not invoice.remind and not told["by_hand"]:
        raise Withheld(_("Reminders were switched off for this invoice before this could be sent."))
    _must_be_the_only_one(matter)
    days = reminders.days_past(invoice, matter.now)
    is_past = invoice.due_at is not None and invoice.due_at <= matter.now
    return _bill(matter) | {"days": abs(days), "tone": "after" if is_past else "on" if days == 0 else "before"}


def part_received(matter: InvoiceMatter) -> dict[str, Any]:
    """To the payer: what came, what is still due, and the same link for the rest."""
    _must_be(matter.invoice, Status.OPEN)
    if matter.invoice.due_minor == 0:
        raise Withheld(_("A payment of the rest is confirming; nobody is asked for it again."))
    return {"transfers": _transfers(matter)}


def receipt(matter: InvoiceMatter) -> dict[str, Any]:
    """To the payer: paid, thank you."""
    _must_be(matter.invoice, Status.PAID)
    return {"paid_at": matter.moment(matter.invoice.paid_at), "transfers": _transfers(matter)}


def cancelled(matter: InvoiceMatter) -> dict[str, Any]:
    """To the payer: nothing is to be paid any more."""
    _must_be(matter.invoice, Status.VOID)
    return {}


def paid(matter: InvoiceMatter) -> dict[str, Any]:
    """To the merchant: the money is final."""
    _must_be(matter.invoice, Status.PAID)
    return {"paid_at": matter.moment(matter.invoice.paid_at), "transfers": _transfers(matter)}


def seen(matter: InvoiceMatter) -> dict[str, Any]:
    """To the merchant: a payment is on its way. Nothing is asked of anybody, and it counts for nothing yet."""
    told = matter.delivery.origin.facts["transfer"]
    found = Transfer.objects.filter(invoice=matter.invoice, network=told["network"], txid=told["txid"], place=told["place"]).first()
    if found and found.status == Transfer.State.DROPPED:
        raise Withheld(_("Its network had taken the payment back before this could be sent."))
    if found and found.status == Transfer.State.FINAL:
        raise Withheld(_("The payment was final before this could be sent; what it did is told by another mail."))
    credit = told.get("credit")
    places = digits(matter.invoice.currency)
    worth = format_minor(parse_scaled(credit, places), matter.invoice.currency, matter.language) if credit else ""
    return {**arrival(told, matter.language), "worth": worth}


def part_paid(matter: InvoiceMatter) -> dict[str, Any]:
    """To the merchant: a part came, and nothing more is on its way."""
    _must_be(matter.invoice, Status.OPEN)
    if matter.invoice.due_minor == 0:
        raise Withheld(_("A payment of the rest is confirming."))
    event = matter.delivery.origin
    if Event.objects.filter(subject_kind="invoice", subject_id=matter.invoice.pk, kind="invoice.reopened", at=event.at).exists():
        raise Withheld(_("The mail that it is open again says so already."))
    return {"transfers": _transfers(matter)}


def overpaid(matter: InvoiceMatter) -> dict[str, Any]:
    """To the merchant: more came than was asked for."""
    if not matter.invoice.is_overpaid:
        raise Withheld(_("It was no longer overpaid when this could be sent."))
    if not matter.invoice.over_minor:
        raise Withheld(_("What was paid too much was on its way back when this could be sent."))
    refund = link("refund_create", matter.invoice.merchant.slug, matter.invoice.pk) + "?basis=surplus"
    return {"transfers": _transfers(matter), "refund_url": refund}


def late(matter: InvoiceMatter) -> dict[str, Any]:
    """To the merchant: a payment came too late, or waits for a decision. As the facts were when it came."""
    return arrival(matter.delivery.origin.facts["transfer"], matter.language)


def reopened(matter: InvoiceMatter) -> dict[str, Any]:
    """To the merchant: what was paid is open again, and why."""
    _must_be(matter.invoice, Status.OPEN)
    return {"is_reversed": matter.delivery.origin.facts.get("reason") == "reversed", "transfers": _transfers(matter)}


def missed(matter: InvoiceMatter) -> dict[str, Any]:
    """To the merchant: a scheduled invoice was not sent, and why."""
    _must_be(matter.invoice, Status.MISSED)
    facts = matter.delivery.origin.facts
    return {"why": facts.get("reason", ""), "detail": facts.get("detail", ""), "planned": matter.moment(matter.invoice.issue_at)}


KINDS: dict[str, Callable[[InvoiceMatter], dict[str, Any]]] = {
    "issued": issued,
    "reminder": reminder,
    "part_received": part_received,
    "receipt": receipt,
    "cancelled": cancelled,
    "paid": paid,
    "seen": seen,
    "part_paid": part_paid,
    "overpaid": overpaid,
    "late": late,
    "reopened": reopened,
    "missed": missed,
}


def _must_be(invoice: Invoice, status: Status) -> None:
    if invoice.status != status:
        raise Withheld(_("The invoice was %(status)s by the time this could be sent.") % {"status": str(Status(invoice.status).label).lower()})


def _must_be_the_only_one(matter: InvoiceMatter) -> None:
    """Of the reminders that have waited for one address only the latest leaves, and none on a day on which another has gone there,
    or is on its way by a member's hand. What a member sends again leaves whatever went before."""
    delivery, invoice = matter.delivery, matter.invoice
    if delivery.is_again or delivery.pk is None:  # a preview goes nowhere
        return
    others = Delivery.objects.filter(invoice=invoice, channel=delivery.channel, template=delivery.template, recipient__iexact=delivery.recipient)
    others = others.exclude(pk=delivery.pk)
    going = others.filter(status__in=[State.QUEUED, State.SENDING])
    gone = others.filter(status=State.SENT)
    began = reminders.day_began(invoice, matter.now)
    if gone.filter(sent_at__gte=began).exists() or going.filter(event__kind="delivery.resent").exists():
        raise Withheld(str(reminders.DROPPED["today"]))
    if (going | gone).filter(event__gt=delivery.event_id).exists():
        raise Withheld(str(reminders.DROPPED["collapsed"]))


# --- their parts ------------------------------------------------------------------------------------------------
def _bill(matter: InvoiceMatter) -> dict[str, Any]:
    """What the mail with an invoice says of it."""
    return _contents(matter) | {"attachments": _attachments(matter.invoice), "tokens": any_of(matter.document.symbols)}


def _contents(matter: InvoiceMatter) -> dict[str, Any]:
    lines = list(matter.invoice.lines.all()[: LINES_SHOWN + 1])
    if len(lines) > LINES_SHOWN:
        hidden = matter.invoice.lines.count() - LINES_SHOWN
        lines = lines[:LINES_SHOWN]
    else:
        hidden = 0
    text = matter.invoice.description.strip()
    if len(text) > DESCRIPTION_SHOWN:
        text = text[: DESCRIPTION_SHOWN - 1].rsplit(maxsplit=1)[0] + "…"
    shown = [{"name": _line_name(line, matter), "amount_minor": line.amount_minor} for line in lines]
    return {"lines": shown, "hidden_lines": hidden, "description": text}


def _line_name(line: LineItem, matter: InvoiceMatter) -> str:
    """'6 × Stationery, 10 % off'."""
    name = line.description
    if line.quantity_e4 != QUANTITY_SCALE:
        name = f"{grouped(line.quantity_e4, 4, matter.language, trim=True)} × {name}"
    if not line.taken_off_minor:
        return name
    if line.discount_e4:
        off = f"{grouped(line.discount_e4, 4, matter.language, trim=True)}\N{NO-BREAK SPACE}%"
    else:
        off = format_minor(line.taken_off_minor, matter.invoice.currency, matter.language)
    return _("%(name)s, %(discount)s off") % {"name": name, "discount": off}


def _attachments(invoice: Invoice) -> list[dict[str, str]]:
    return [{"name": one_line(file.name), "url": link("public_file", invoice.public_id, file.public_id)} for file in invoice.attachments.all()]


def _transfers(matter: InvoiceMatter) -> list[dict[str, Any]]:
    """What counted: the money on the chain beside what it was credited for, then what was recorded by hand."""
    rows: list[dict[str, Any]] = []
    for transfer in Transfer.objects.filter(invoice=matter.invoice, credit_minor__gt=0).exclude(status=Transfer.State.DROPPED).order_by("id"):
        asset = asset_of(matter.document, transfer.asset_id)
        name = _("%(symbol)s on %(network)s") % asset
        txid = "" if transfer.is_by_balance else transfer.short_txid
        rows.append({"units": transfer.amount_units, "asset": asset, "name": name, "txid": txid, "credit_minor": transfer.credit_minor})
    for payment in RecordedPayment.objects.filter(invoice=matter.invoice, reversed_at=None).order_by("id"):
        came_on = moments.day(payment.paid_at, matter.document.time_zone, matter.language)
        rows.append({"way": payment.get_way_display(), "came_on": came_on, "credit_minor": payment.amount_minor})
    return rows
