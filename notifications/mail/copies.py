"""Mails as they left, kept for the members who want to see what was sent. What a link of them opens is not kept."""

from __future__ import annotations

import base64
import json
import re
import zlib
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from invoicing import previewing, snapshot
from merchants.models import Logo
from merchants.redaction import redacted
from notifications.mail import emails
from notifications.mail.emails import Letter
from notifications.models import Channel, Delivery, MailCopy
from notifications.transports import Withheld

State = Delivery.State
SECRET = frozenset({"invitation"})  # between Quittance and who gets it: no member reads it
NOT_YET = (State.QUEUED, State.SENDING, State.FAILED)  # such a mail is written when it leaves
SUBJECT = MailCopy._meta.get_field("subject").max_length
_PICTURE = re.compile(r'<img\b[^>]*"cid:logo"[^>]*>')


@dataclass(frozen=True)
class Shown:
    """A mail as a page shows it: no link in it opens anything."""

    subject: str
    text: str
    html: str  # can stand alone in a frame
    sender: str
    reply_to: str
    language: str
    at: datetime | None  # when it left; None: it has not, and this is how it would read now


class Hidden(Exception):
    """There is nothing to show; the text says why."""


def keep(delivery: Delivery, letter: Letter, now: datetime) -> None:
    """Store `letter`, which the mail server has just taken. Twice is once. A mail that no member may read is not stored."""
    if delivery.template in SECRET:
        return
    said = {
        "text": redacted(letter.text),
        "html": redacted(letter.html),
        "sender": letter.sender_name,
        "reply_to": letter.reply_to,
        "language": letter.language,
    }
    packed = zlib.compress(json.dumps(said, ensure_ascii=False).encode())
    copy = MailCopy(delivery=delivery, subject=redacted(letter.subject)[:SUBJECT], contents=packed, at=now)
    MailCopy.objects.bulk_create([copy], update_conflicts=True, unique_fields=["delivery"], update_fields=["subject", "contents", "at"])


def may_be_shown(delivery: Delivery) -> bool:
    return delivery.channel == Channel.EMAIL and delivery.template not in SECRET


def shown(delivery: Delivery, now: datetime) -> Shown:
    """The mail as it left, or as it would leave now while it has not. Hidden, with the reason, when neither can be said."""
    if not may_be_shown(delivery):
        raise Hidden(_("An invitation is for who is invited alone; it is shown to nobody else."))
    if copy := MailCopy.objects.filter(delivery=delivery).first():
        said = json.loads(zlib.decompress(bytes(copy.contents)))
        return Shown(copy.subject, said["text"], _framed(said["html"], delivery), said["sender"], said["reply_to"], said["language"], copy.at)
    if delivery.status not in NOT_YET:
        raise Hidden(_("It was never sent.") if delivery.status == State.CANCELLED else _("No copy of it was kept."))
    try:
        letter = emails.write(delivery, now=now)
    except Withheld as withheld:
        raise Hidden(withheld.reason) from withheld
    html = _framed(redacted(letter.html), delivery)
    return Shown(redacted(letter.subject), redacted(letter.text), html, letter.sender_name, letter.reply_to, letter.language, None)


def _framed(html: str, delivery: Delivery) -> str:
    """`html` with its picture inside it, and links that lead nowhere."""
    logo = _logo(delivery)
    if logo is None:
        return previewing.without_links(_PICTURE.sub("", html))
    return previewing.without_links(html).replace("cid:logo", f"data:image/png;base64,{base64.b64encode(bytes(logo.png)).decode()}")


def _logo(delivery: Delivery) -> Logo | None:
    """The one on the mail: of an issued invoice it is frozen."""
    return snapshot.logo_of(delivery.invoice) if delivery.invoice else delivery.merchant.logo
