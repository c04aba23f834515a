"""A written mail as the message that goes over the wire: headers, parts, recipients."""

from __future__ import annotations

import re
from datetime import datetime
from email.headerregistry import Address
from email.mime.image import MIMEImage
from email.utils import format_datetime

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from notifications.mail import attached, emails, mailservers, recipients, unsubscribing
from notifications.models import Delivery

CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # a header breaks at more of them than at line breaks


def build(delivery: Delivery, letter: emails.Letter, *, now: datetime, lane: int | None = None) -> EmailMultiAlternatives:
    """The message of `delivery`, from the sender of `lane`. Its Message-ID is the delivery's: a retry is the same message.

    It goes to the delivery's recipient alone; To and Cc show everybody who gets one openly.
    """
    message = EmailMultiAlternatives(
        subject=letter.subject,
        body=letter.text,
        from_email=sender(letter.sender_name, mailservers.sender_of(lane)),
        to=[delivery.recipient],
        reply_to=[_written(letter.reply_to)] if letter.reply_to else None,
        headers={
            "Message-ID": delivery.message_id,
            "Date": format_datetime(now),
            "Auto-Submitted": "auto-generated",
            "Content-Language": letter.language,
            **_shown(delivery),
            **(unsubscribing.headers(letter.unsubscribe_url) if letter.unsubscribe_url else {}),
        },
    )
    message.attach_alternative(letter.html, "text/html")
    if printed := attached.file_of(delivery):
        message.attach(*printed, "application/pdf")
    if letter.logo:
        picture = MIMEImage(letter.logo, "png")
        picture.add_header("Content-ID", "<logo>")
        picture.add_header("Content-Disposition", "inline", filename="logo.png")
        message.mixed_subtype = "related"  # type: ignore[attr-defined]
        message.attach(picture)
    return message


def sender(name: str, address: str) -> str:
    """An address under the merchant's name: '"Harbour & Pine" <quittance@example.com>'."""
    return str(Address(display_name=emails.one_line(name), addr_spec=_written(address)))


def _written(address: str) -> str:
    """As a header shows it, whatever is stored."""
    return CONTROL.sub("?", address)


def _shown(delivery: Delivery) -> dict[str, str]:
    """The To and Cc that are seen. A mail provider's API knows no such difference: there each sees its own address."""
    if settings.EMAIL_BACKEND.startswith("anymail."):
        return {}
    to, cc = (map(_written, part) for part in recipients.visible(delivery))
    copies = ", ".join(cc)
    return {"To": ", ".join(to)} | ({"Cc": copies} if copies else {})
