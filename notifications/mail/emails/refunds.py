"""Mails about a refund: to its payer, who is asked for an address and told how it stands, and to the merchant.

The links to the payer's pages are made here, as a mail leaves, and stand in no other: what a member reads leads to the desk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from invoicing.models import Invoice
from invoicing.money import format_minor, grouped
from invoicing.snapshot import Document, document
from merchants import assets, languages
from merchants.models import Event
from notifications import audience
from notifications.mail.emails.letter import Letterhead, Matter, link
from notifications.mail.emails.refund_words import NEWS, TOLD, Words
from notifications.models import Delivery
from notifications.plans import TEMPLATES
from notifications.transports import Withheld
from payments import approvals, claims
from payments.models import Claim, Refund

State = Refund.State
MOVED_ON = "refund.address_given"  # the one event of a refund that does not change how it stands


@dataclass(frozen=True)
class RefundMatter(Matter):
    invoice: Invoice
    document: Document
    refund: Refund
    event: Event


def about(delivery: Delivery, now: datetime) -> RefundMatter:
    event = delivery.origin
    rows = Refund.objects.select_related("invoice__merchant", "merchant", "credit_note").filter(merchant=delivery.merchant_id)
    refund = rows.filter(pk=event.facts["refund"]["id"]).first()
    if refund is None:
        raise Withheld(_("Its refund was deleted before this could be sent."))
    invoice = refund.invoice
    audience.must_be_wanted(delivery, invoice)
    language = invoice.language if TEMPLATES[delivery.template] == "payer" else languages.of_members()
    found = document(invoice)
    return RefundMatter(delivery, Letterhead.of_document(found), now, language, invoice, found, refund, event)


def context(matter: RefundMatter) -> dict[str, Any]:
    refund = matter.refund
    return {
        "invoice": matter.invoice,
        "document": matter.document,
        "refund": refund,
        "paid_as": paid_as(refund, matter.language),
        "label": _label(refund),
    } | KINDS[matter.delivery.template](matter)


# --- one function per kind --------------------------------------------------------------------------------------
def refund_wanted(matter: RefundMatter) -> dict[str, Any]:
    """To the payer: money comes back to you, say where. The link is made here and kept nowhere."""
    refund = matter.refund
    if refund.status != State.REQUESTED:
        raise Withheld(_("It was no longer waiting for an address when this could be sent."))
    if not claims.is_open(refund, matter.now):
        raise Withheld(_("Its link had expired before this could be sent."))
    if _is_overtaken(matter, *ASKS):
        raise Withheld(_("A newer link has taken its place."))
    return {
        "claim_url": _claim_url(matter),
        "until": matter.moment(refund.claim_until),
        "is_again": matter.event.kind == "refund.restarted",
        "is_fixed_later": refund.amount_units is None,
        "deduction": _deduction(matter),
    }


ASKS = ("refund.requested", "refund.renewed", "refund.restarted", "refund.changed")  # each with a link of its own


def refund_confirm(matter: RefundMatter) -> dict[str, Any]:
    """To the payer: is this your address? Nothing is fixed before that. The link is made here and kept nowhere."""
    claim = Claim.objects.select_related("refund").filter(pk=matter.event.facts["claim"], refund=matter.refund).first()
    if claim is None or not claims.stands(claim, matter.now):
        raise Withheld(_("This address was confirmed, or another one was given, before this could be sent."))
    return {
        "address": claim.address,
        "until": matter.moment(claim.until),
        "confirm_url": link("refund_confirm", claims.confirm_token(claim)),
    }


def refund_told(matter: RefundMatter) -> dict[str, Any]:
    """To the payer: how the refund stands now, and what there is to do, if anything."""
    _must_be_the_latest(matter)
    if matter.event.kind == "refund.sent" and matter.refund.trouble:
        raise Withheld(_("By the time this could be sent, the network had shown that this transaction does not pay it."))
    words = TOLD[_which(matter)]
    note_url = ""
    if matter.refund.status == State.CONFIRMED and matter.refund.credit_note:
        note_url = link("refund_claim_note", claims.link_token(matter.refund))
    return _said(words, matter) | {"claim_url": _claim_url(matter), "note_url": note_url, "rows": _rows(matter)}


def refund_news(matter: RefundMatter) -> dict[str, Any]:
    """To the merchant: the same, with a way to its page on the desk."""
    _must_be_the_latest(matter)
    refund = matter.refund
    words = NEWS[_which(matter)]
    return _said(words, matter) | {"desk_url": link("refund", matter.invoice.merchant.slug, refund.pk), "rows": _rows(matter)}


KINDS: dict[str, Callable[[RefundMatter], dict[str, Any]]] = {
    "refund_wanted": refund_wanted,
    "refund_confirm": refund_confirm,
    "refund_told": refund_told,
    "refund_news": refund_news,
}


# --- whether it still holds -------------------------------------------------------------------------------------
def _must_be_the_latest(matter: RefundMatter) -> None:
    if _is_of_words(matter.event):
        raise Withheld(_("Only its words were changed; they stand on its page."))
    if _is_overtaken(matter):
        raise Withheld(_("The refund had moved on before this could be sent; a newer message says how it stands."))


def _is_overtaken(matter: RefundMatter, *kinds: str) -> bool:
    """Whether something newer than its event has happened to this refund: one of `kinds`, or without any, whatever changes how
    it stands."""
    later = Event.objects.filter(merchant=matter.event.merchant_id, subject_kind="invoice", subject_id=matter.invoice.pk, pk__gt=matter.event.pk)
    later = later.filter(kind__in=kinds) if kinds else later.filter(kind__startswith="refund.").exclude(kind=MOVED_ON)
    return any(event.facts["refund"]["id"] == matter.refund.pk and not _is_of_words(event) for event in later)


def _is_of_words(event: Event) -> bool:
    """Whether it changed what is said of the refund, and nothing of how that stands: its link and its approval hold."""
    return bool(event.facts.get("only_words"))


# --- their parts ------------------------------------------------------------------------------------------------
def _which(matter: RefundMatter) -> str:
    """The key of TOLD and NEWS: the kind of event, and where one kind has several sentences, which of them."""
    kind, refund = matter.event.kind, matter.refund
    if kind == "refund.changed" and refund.status == State.REQUESTED:
        return f"{kind} waiting"
    if kind == "refund.claimed" and refund.by_member:
        return f"{kind} member"
    if kind in ("refund.sent", "refund.restarted") and not matter.event.actor_name:
        return f"{kind} alone"
    return kind


def _said(words: Words, matter: RefundMatter) -> dict[str, Any]:
    """`words` about this refund: the subject, one sentence, what follows, and the word on the button."""
    names = _names(matter)
    return {
        "title": str(words.subject) % names,
        "sentence": str(words.sentence) % names,
        "then": " ".join(part for part in (str(words.then) % names, _beside(matter)) if part),
        "why": matter.refund.ended_why,
        "button": str(words.button),
    }


def _names(matter: RefundMatter) -> dict[str, str]:
    refund, invoice = matter.refund, matter.invoice
    return {
        "who": matter.event.actor_name or _("The system"),
        "business": matter.head.name,
        "payer": matter.document.recipient.name,
        "number": invoice.number,
        "reference": refund.reference,
        "money": f"{format_minor(refund.amount_minor, invoice.currency, matter.language)} {invoice.currency}",
        "paid_as": paid_as(refund, matter.language) or _("%(asset)s, at the rate of its approval") % {"asset": _label(refund)},
        "network": _network(refund),
    }


def _beside(matter: RefundMatter) -> str:
    """What more there is to say of the state it is in: the second person, the credit note."""
    refund = matter.refund
    to_payer = TEMPLATES[matter.delivery.template] == "payer"
    if refund.status == State.CLAIMED and not to_payer and _needs_two(matter):
        words = _(
            "Above %(limit)s, all refunds of one invoice together, that takes a second person, who neither asked for it nor entered its address."
        )
        return words % {"limit": approvals.limit_words(refund.merchant)}
    if refund.credit_note is None:
        return ""
    note = {"note": refund.credit_note.number}
    if refund.status == State.CONFIRMED:
        return _("Credit note %(note)s belongs to it.") % note
    if refund.status == State.SENT:
        return _("Until it is confirmed again, credit note %(note)s does not hold.") % note
    return _("Credit note %(note)s does not hold.") % note


def _needs_two(matter: RefundMatter) -> bool:
    return approvals.Limit(matter.refund.merchant, now=matter.now).is_above(matter.refund)


def _rows(matter: RefundMatter) -> list[dict[str, str]]:
    """What is known of it, a line each. Of what ended only what it was."""
    refund = matter.refund
    rows = [
        {"name": _("Invoice"), "text": matter.invoice.number},
        {"name": _("Refund"), "text": refund.reference},
        {"name": _("What for"), "long": refund.reason},
        {"name": _("Deduction"), "text": _deduction(matter)},
        {"name": _("Paid as"), "text": _names(matter)["paid_as"]},
        {"name": _("To"), "code": refund.address},
        {"name": _("Transaction"), "code": refund.txid},
    ]
    return [row for row in rows if any(row.get(part) for part in ("text", "long", "code"))]


def _deduction(matter: RefundMatter) -> str:
    """'2.5 %'; empty where nothing is kept."""
    if not matter.refund.deduction_e4:
        return ""
    return f"{grouped(matter.refund.deduction_e4, 4, matter.language, trim=True)}\N{NO-BREAK SPACE}%"


def _claim_url(matter: RefundMatter) -> str:
    return link("refund_claim", claims.link_token(matter.refund))


def paid_as(refund: Refund, language: str) -> str:
    """'54.29 USDT on Tron'; empty while it has no amount in the token, or the token has left the catalogue."""
    asset = assets.catalogue().assets.get(refund.asset_id)
    if asset is None or refund.amount_units is None:
        return ""
    return f"{grouped(refund.amount_units, asset.decimals, language, trim=True, minimum=min(2, asset.decimals))} {asset.label}"


def _label(refund: Refund) -> str:
    asset = assets.catalogue().assets.get(refund.asset_id)
    return asset.label if asset else refund.asset_id


def _network(refund: Refund) -> str:
    asset = assets.catalogue().assets.get(refund.asset_id)
    return asset.network.name if asset else refund.network
