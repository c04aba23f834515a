"""What each email says: one small function per kind, from a delivery to the context of its three templates.

A mail is written as it leaves: its links are made then and stored nowhere, and each kind looks again whether it still
holds. What no longer does is `Withheld`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import css_inline
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template import Context, loader
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from invoicing.models import Invoice, LineItem, Status
from invoicing.money import format_minor, grouped
from invoicing.snapshot import Document, document, logo_of
from invoicing.totals import QUANTITY_SCALE
from merchants import assets, branding, moments
from notifications.models import Delivery
from notifications.plans import TEMPLATES
from notifications.transports import Withheld
from payments.models import Transfer

LINES_SHOWN = 12
DESCRIPTION_SHOWN = 600  # characters


@dataclass(frozen=True)
class Letter:
    """A written mail. Subject and sender's name are single lines without control characters."""

    subject: str
    text: str
    html: str
    sender_name: str
    reply_to: str
    language: str
    logo: bytes | None  # a PNG; the HTML shows it as cid:logo


@dataclass(frozen=True)
class Matter:
    """What a mail is about, as it stands at `now`."""

    delivery: Delivery
    invoice: Invoice
    document: Document
    now: datetime
    language: str

    def moment(self, value: datetime | None) -> str:
        return moments.long(value, self.document.time_zone, self.language) if value else ""


def write(delivery: Delivery, *, now: datetime) -> Letter:
    """The mail of `delivery` at `now`; Withheld when it must not leave any more."""
    invoice = Invoice.objects.select_related("merchant").filter(pk=delivery.invoice_id or 0).first()
    if invoice is None:
        raise Withheld(_("Its invoice was deleted before this could be sent."))
    to_payer = TEMPLATES[delivery.template] == "payer"
    language = invoice.language if to_payer else invoice.merchant.language
    with translation.override(language):
        matter = Matter(delivery, invoice, document(invoice), now, language)
        context = _common(matter, to_payer) | KINDS[delivery.template](matter)
        context["subject"] = one_line(_text(delivery.template, "subject.txt", context))
        return Letter(
            subject=context["subject"],
            text=tidy(_text(delivery.template, "body.txt", context)),
            html=_html(delivery.template, context),
            sender_name=one_line(matter.document.sender.name),
            reply_to=matter.document.sender.email,
            language=language,
            logo=_logo(invoice),
        )


def _common(matter: Matter, to_payer: bool) -> dict[str, Any]:
    invoice, found = matter.invoice, matter.document
    return {
        "invoice": invoice,
        "document": found,
        "language": matter.language,
        "to_payer": to_payer,
        "light": branding.light(found.brand_color),
        "dark": branding.dark(found.brand_color),
        "has_logo": bool(_logo(invoice)),
        "address": ", ".join(line.strip() for line in found.sender.address.splitlines() if line.strip()),
        "due": matter.moment(invoice.due_at),
        "pay_url": _link("checkout", invoice.public_id),
        "page_url": _link("public_invoice", invoice.public_id),
        "receipt_url": _link("public_receipt", invoice.public_id),
        "desk_url": _link("invoice", invoice.merchant.slug, invoice.pk),
    }


def _link(name: str, *args: Any) -> str:
    return settings.SITE_URL + reverse(name, args=args)


def _logo(invoice: Invoice) -> bytes | None:
    logo = logo_of(invoice)
    return bytes(logo.png) if logo else None


# --- one function per kind --------------------------------------------------------------------------------------
def issued(matter: Matter) -> dict[str, Any]:
    """To the payer: here is your invoice. The due time is also the latest time of sending."""
    invoice = matter.invoice
    _must_be(invoice, Status.OPEN)
    if invoice.due_minor == 0:
        raise Withheld(_("A payment of the whole amount is confirming; nobody is asked for it again."))
    if invoice.due_at and invoice.due_at <= matter.now and not matter.delivery.is_forced:
        raise Withheld(_("The due time passed before this could be sent."), is_held=True)
    return _contents(matter) | {"attachments": _attachments(invoice), "tokens": one_of(matter.document.symbols)}


def part_received(matter: Matter) -> dict[str, Any]:
    """To the payer: what came, what is still due, and the same link for the rest."""
    _must_be(matter.invoice, Status.OPEN)
    if matter.invoice.due_minor == 0:
        raise Withheld(_("A payment of the rest is confirming; nobody is asked for it again."))
    return {"transfers": _transfers(matter)}


def receipt(matter: Matter) -> dict[str, Any]:
    """To the payer: paid, thank you."""
    _must_be(matter.invoice, Status.PAID)
    return {"paid_at": matter.moment(matter.invoice.paid_at), "transfers": _transfers(matter)}


def cancelled(matter: Matter) -> dict[str, Any]:
    """To the payer: nothing is to be paid any more."""
    _must_be(matter.invoice, Status.VOID)
    return {}


def paid(matter: Matter) -> dict[str, Any]:
    """To the merchant: the money is final."""
    _must_be(matter.invoice, Status.PAID)
    return {"paid_at": matter.moment(matter.invoice.paid_at), "transfers": _transfers(matter)}


def overpaid(matter: Matter) -> dict[str, Any]:
    """To the merchant: more came than was asked for."""
    if not matter.invoice.is_overpaid:
        raise Withheld(_("It was no longer overpaid when this could be sent."))
    return {"transfers": _transfers(matter)}


def late(matter: Matter) -> dict[str, Any]:
    """To the merchant: a payment came too late, or waits for a decision. As the facts were when it came."""
    return {"transfer": matter.delivery.event.facts["transfer"]}


def reopened(matter: Matter) -> dict[str, Any]:
    """To the merchant: what was paid is open again."""
    _must_be(matter.invoice, Status.OPEN)
    return {}


def missed(matter: Matter) -> dict[str, Any]:
    """To the merchant: a scheduled invoice was not sent, and why."""
    _must_be(matter.invoice, Status.MISSED)
    facts = matter.delivery.event.facts
    return {"why": facts.get("reason", ""), "detail": facts.get("detail", ""), "planned": matter.moment(matter.invoice.issue_at)}


KINDS: dict[str, Callable[[Matter], dict[str, Any]]] = {
    "issued": issued,
    "part_received": part_received,
    "receipt": receipt,
    "cancelled": cancelled,
    "paid": paid,
    "overpaid": overpaid,
    "late": late,
    "reopened": reopened,
    "missed": missed,
}


def _must_be(invoice: Invoice, status: Status) -> None:
    if invoice.status != status:
        raise Withheld(_("The invoice was %(status)s by the time this could be sent.") % {"status": str(Status(invoice.status).label).lower()})


# --- their parts ------------------------------------------------------------------------------------------------
def _contents(matter: Matter) -> dict[str, Any]:
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


def _line_name(line: LineItem, matter: Matter) -> str:
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
    return [{"name": one_line(file.name), "url": _link("public_file", invoice.public_id, file.public_id)} for file in invoice.attachments.all()]


def _transfers(matter: Matter) -> list[dict[str, Any]]:
    """What counted: the money on the chain beside what it was credited for."""
    rows = []
    for transfer in Transfer.objects.filter(invoice=matter.invoice, credit_minor__gt=0).exclude(status=Transfer.State.DROPPED).order_by("id"):
        asset = matter.document.asset(transfer.asset_id) or assets.asset(transfer.asset_id).frozen()
        name = _("%(symbol)s on %(network)s") % asset
        rows.append(
            {"units": transfer.amount_units, "asset": asset, "name": name, "txid": transfer.short_txid, "credit_minor": transfer.credit_minor}
        )
    return rows


def one_of(names: list[str]) -> str:
    """'USDT, USDC or ETH'."""
    if len(names) < 2:
        return "".join(names)
    return _("%(others)s or %(last)s") % {"others": ", ".join(names[:-1]), "last": names[-1]}


# --- rendering --------------------------------------------------------------------------------------------------
def one_line(text: str) -> str:
    """Fit for a header: no line breaks, no control characters, single spaces."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", " ", text).split())


def tidy(text: str) -> str:
    """The text part as a person would have typed it: no trailing spaces, never two empty lines together."""
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines) + "\n"


def _text(kind: str, name: str, context: dict[str, Any]) -> str:
    template: Any = loader.get_template(f"emails/{kind}/{name}")
    rendered: str = template.template.render(Context(dict(context), autoescape=False))  # plain text: '&' stays '&'
    return rendered


def _html(kind: str, context: dict[str, Any]) -> str:
    html = loader.get_template(f"emails/{kind}/body.html").render(context)
    inliner = css_inline.CSSInliner(
        extra_css=_stylesheet() + brand_css(context["light"], context["dark"]), keep_at_rules=True, load_remote_stylesheets=False
    )
    return str(inliner.inline(html))


@cache
def _stylesheet() -> str:
    path = finders.find("css/email.css")
    if not path:
        raise FileNotFoundError("static/css/email.css is missing; mails cannot be written without it.")
    return Path(str(path)).read_text()


def brand_css(light: branding.Shades, dark: branding.Shades) -> str:
    """The rules that depend on the merchant's colour. Only !important reaches past inlined styles."""
    return f"""
.fill {{ background-color: {light.accent}; color: {light.on_accent}; }}
.button-link {{ color: {light.on_accent}; }}
.link {{ color: {light.link}; }}
@media (prefers-color-scheme: dark) {{
  .fill {{ background-color: {dark.accent} !important; color: {dark.on_accent} !important; }}
  .button-link {{ color: {dark.on_accent} !important; }}
  .link {{ color: {dark.link} !important; }}
}}
"""
