"""Mail: many messages over one SMTP connection, and what the mail server's refusals mean."""

from __future__ import annotations

import smtplib
from datetime import datetime
from email.headerregistry import Address
from email.mime.image import MIMEImage
from email.utils import format_datetime, parseaddr
from types import TracebackType
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.utils.translation import gettext as _

from notifications import emails
from notifications.models import Delivery
from notifications.transports import Outcome, readable


class EmailTransport:
    """Sends mails over one connection, opened with the first and kept for the batch."""

    def __enter__(self) -> EmailTransport:
        self.connection = get_connection()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._hang_up()

    def _hang_up(self) -> None:
        try:
            self.connection.close()
        except (OSError, smtplib.SMTPException):
            self.connection = get_connection()

    def send(self, delivery: Delivery, *, now: datetime) -> Outcome:
        """One try: write the mail, hand it over. Withheld when it no longer holds."""
        message = build(delivery, emails.write(delivery, now=now), now=now)
        try:
            self.connection.open()
        except (OSError, smtplib.SMTPException) as error:
            # About the server or our sign-in at it, not about this mail: every such refusal may pass.
            self._hang_up()
            return Outcome(False, code=_code(error), answer=_answer(error))
        try:
            self.connection.send_messages([message])
        except (OSError, smtplib.SMTPException) as error:
            if not isinstance(error, smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused) or _code(error) == "421":
                self._hang_up()  # the next one gets a connection of its own
            return Outcome(False, permanent=is_permanent(error), code=_code(error), answer=_answer(error))
        return Outcome(True, answer=_("Accepted by the mail server."))


def build(delivery: Delivery, letter: emails.Letter, *, now: datetime) -> EmailMultiAlternatives:
    """The message as it goes over the wire. Its Message-ID is the delivery's: a retry is the same message."""
    message = EmailMultiAlternatives(
        subject=letter.subject,
        body=letter.text,
        from_email=sender(letter.sender_name),
        to=[delivery.recipient],
        reply_to=[letter.reply_to] if letter.reply_to else None,
        headers={
            "Message-ID": delivery.message_id,
            "Date": format_datetime(now),
            "Auto-Submitted": "auto-generated",
            "Content-Language": letter.language,
        },
    )
    message.attach_alternative(letter.html, "text/html")
    if letter.logo:
        picture = MIMEImage(letter.logo, "png")
        picture.add_header("Content-ID", "<logo>")
        picture.add_header("Content-Disposition", "inline", filename="logo.png")
        message.mixed_subtype = "related"  # type: ignore[attr-defined]
        message.attach(picture)
    return message


def sender(name: str) -> str:
    """The installation's address under the merchant's name: '"Harbour & Pine" <quittance@example.com>'."""
    _own, address = parseaddr(settings.MAIL_FROM)
    return str(Address(display_name=emails.one_line(name), addr_spec=address))


def is_permanent(error: Exception) -> bool:
    """5xx about this mail is final; 4xx, a lost connection, and anything about our own sign-in may pass."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            return all(500 <= code < 600 for code, _text in error.recipients.values())
        case smtplib.SMTPAuthenticationError() | smtplib.SMTPConnectError() | smtplib.SMTPHeloError():
            return False
        case smtplib.SMTPResponseException():
            return 500 <= int(error.smtp_code) < 600
        case smtplib.SMTPNotSupportedError():
            return True  # an address the mail server cannot take, such as one beyond ASCII
    return False


def _refusal(error: Exception) -> tuple[Any, Any] | None:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return next(iter(error.recipients.values()), None)
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code, error.smtp_error
    return None


def _code(error: Exception) -> str:
    found = _refusal(error)
    return str(found[0]) if found else ""


def _answer(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return _("The mail server refused our sign-in.")
    if found := _refusal(error):
        return readable(found[1])
    if isinstance(error, TimeoutError):
        return _("The mail server did not answer in %(count)d s.") % {"count": settings.EMAIL_TIMEOUT or 0}
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return readable(str(error))
    return _("The mail server could not be reached, or hung up.")
