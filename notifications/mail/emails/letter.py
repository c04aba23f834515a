"""From what a mail says to the mail: letterhead, three templates, styles inlined in the merchant's colour."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.template import Context, loader
from django.urls import reverse

from invoicing import snapshot
from merchants import branding, moments, profile, stationery
from merchants.models import Logo, Merchant
from notifications.mail import unsubscribing
from notifications.models import Delivery
from notifications.plans import TEMPLATES


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
    unsubscribe_url: str = ""  # of a notice that the business may switch off


@dataclass(frozen=True)
class Letterhead:
    """Whose mail it is, and in which look."""

    name: str
    email: str
    address: str  # in one line
    initials: str
    brand_color: str
    footer: str
    is_test: bool
    time_zone: str
    logo: bytes | None

    @classmethod
    def of_document(cls, found: snapshot.Document) -> Letterhead:
        """Of an issued invoice as it was then: a mail about it changes as little as its page does."""
        sender, logo = found.sender, snapshot.logo_of(found.invoice)
        look = (found.initials, found.brand_color, found.footer, found.is_test, found.time_zone)
        return cls(sender.name, sender.email, _in_one_line(sender.address), *look, _png(logo))

    @classmethod
    def of_merchant(cls, merchant: Merchant) -> Letterhead:
        look = (merchant.initials, merchant.brand_color, merchant.footer, merchant.is_test, merchant.time_zone)
        return cls(merchant.name, merchant.email, _in_one_line(merchant.address), *look, _png(merchant.logo))


def _in_one_line(address: str) -> str:
    return ", ".join(line.strip() for line in address.splitlines() if line.strip())


def _png(logo: Logo | None) -> bytes | None:
    return bytes(logo.png) if logo else None


@dataclass(frozen=True)
class Matter:
    """What a mail is about, as it stands at `now`."""

    delivery: Delivery
    head: Letterhead
    now: datetime
    language: str

    def moment(self, value: datetime | None) -> str:
        """'Tuesday 1 December 2026, 18:00, Lisbon time'."""
        return moments.long(value, self.head.time_zone, self.language) if value else ""


def compose(matter: Matter, context: dict[str, Any]) -> Letter:
    """The mail whose templates are filled from `context`; in the active language."""
    head, template = matter.head, matter.delivery.template
    stop = unsubscribing.link(matter.delivery.merchant_id, template) if template in profile.NOTICES else ""
    context = {
        "head": head,
        "to": TEMPLATES[template],
        "lost_url": link("lost"),
        "unsubscribe_url": stop,
        "language": matter.language,
        "light": branding.light(head.brand_color),
        "dark": branding.dark(head.brand_color),
    } | context
    subject = one_line(str(context.get("own_subject") or _text(template, "subject.txt", context)))
    context["subject"] = subject
    return Letter(
        subject=subject,
        text=tidy(_text(template, "body.txt", context)),
        html=_html(template, context),
        sender_name=one_line(head.name),
        reply_to=head.email,
        language=matter.language,
        logo=head.logo,
        unsubscribe_url=stop,
    )


def link(name: str, *args: Any) -> str:
    return settings.SITE_URL + reverse(name, args=args)


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
    return stationery.inlined(html, light=context["light"], dark=context["dark"])
