"""What is wrong with the way mails leave: the connection to the mail server, and what the domain name system says of the sender.

Each finding is a sentence with what to do. Nothing here touches the database.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend
from django.utils.translation import gettext as _

from notifications.transports import readable
from notifications.transports.smtp import Unusable, UnusableBackend, hang_up


@dataclass(frozen=True)
class Finding:
    """`level`: 'good', 'note' (worth knowing) or 'bad' (mails do not leave, or do not arrive)."""

    level: str
    text: str


def good(text: str) -> Finding:
    return Finding("good", text)


def note(text: str) -> Finding:
    return Finding("note", text)


def bad(text: str) -> Finding:
    return Finding("bad", text)


# --- the mail server ----------------------------------------------------------------------------------------------
def connection(backend: BaseEmailBackend, *, sender: str) -> Iterator[Finding]:
    """Whether the mail server answers, protects what is said, lets us in, and lets `sender` send. Sends nothing."""
    if not isinstance(backend, EmailBackend):
        yield _no_smtp(backend)
        return
    where = {"host": backend.host, "port": backend.port}
    try:
        backend.open()
    except (OSError, smtplib.SMTPException) as error:
        hang_up(backend)
        yield bad(_refusal(error, backend))
        return
    try:
        yield good(_("%(host)s answers on port %(port)s.") % where)
        yield _protection(backend)
        yield _login(backend)
        yield _sender(backend.connection, sender)
    finally:
        hang_up(backend)


def _no_smtp(backend: BaseEmailBackend) -> Finding:
    module = type(backend).__module__
    if isinstance(backend, UnusableBackend):
        return bad(backend.reason)
    if module.startswith("anymail."):
        return note(_("Mails leave through the API of %(name)s. Send one with --to to try it.") % {"name": module.rpartition(".")[2]})
    return bad(_("Mails do not leave: they are kept on this machine. Set EMAIL_URL to a mail server."))


def _protection(backend: EmailBackend) -> Finding:
    plug = getattr(backend.connection, "sock", None)
    if isinstance(plug, ssl.SSLSocket):
        return good(_("The connection is protected by %(version)s, and the certificate is right.") % {"version": plug.version()})
    if str(plug.getpeername()[0]) in ("127.0.0.1", "::1") if isinstance(plug, socket.socket) else False:
        return note(_("The connection is not protected. On this machine that does no harm."))
    return bad(_("The connection is not protected: everybody on the way can read mails and the password. Write smtp+tls:// for it."))


def _login(backend: EmailBackend) -> Finding:
    if backend.username and backend.password:
        return good(_("The server let us in as %(name)s.") % {"name": backend.username})
    return note(_("There is no user name and password. Few servers take mails for others without."))


def _sender(server: Any, sender: str) -> Finding:
    try:
        server.ehlo_or_helo_if_needed()
        code, said = server.mail(sender)
        server.rset()
    except (OSError, smtplib.SMTPException):
        return bad(_("The server hung up when it was told the sender %(sender)s.") % {"sender": sender})
    if code == 250:
        return good(_("The server takes mails from %(sender)s.") % {"sender": sender})
    words = _("The server takes no mails from %(sender)s: %(code)s %(said)s. Use an address that belongs to its user.")
    return bad(words % {"sender": sender, "code": code, "said": readable(said).strip().rstrip(".")})


def _refusal(error: Exception, backend: EmailBackend) -> str:
    """Why no connection came about, and what to do."""
    where = {"host": backend.host, "port": backend.port}
    match error:
        case Unusable():
            return str(error)
        case socket.gaierror():
            return _("The name %(host)s is not known to the domain name system. Look at its spelling.") % where
        case ssl.SSLCertVerificationError():
            reason = {**where, "reason": error.verify_message or error.reason}
            return _("The certificate of %(host)s cannot be trusted: %(reason)s. Use the name that stands in it, or have it renewed.") % reason
        case ssl.SSLError():
            return (
                _("%(host)s does not speak TLS on port %(port)s. STARTTLS (smtp+tls) is usually on 587, TLS from the start (smtp+ssl) on 465.")
                % where
            )
        case smtplib.SMTPAuthenticationError():
            return _("The server refused user name and password: %(code)s %(said)s") % {"code": error.smtp_code, "said": readable(error.smtp_error)}
        case smtplib.SMTPNotSupportedError() if backend.use_tls:
            return _("%(host)s offers no STARTTLS on port %(port)s. Try smtp+ssl:// with port 465, or ask its operator.") % where
        case smtplib.SMTPNotSupportedError():
            return _("%(host)s offers no sign-in on port %(port)s. Usually it does after STARTTLS: write smtp+tls:// and port 587.") % where
        case ConnectionRefusedError():
            return _("Nothing listens on port %(port)s of %(host)s. Usual are 587 and 465.") % where
        case TimeoutError():
            return _("%(host)s does not answer on port %(port)s. A firewall may hold it up; many hosts block port 25.") % where
        case smtplib.SMTPServerDisconnected():
            return _("%(host)s hung up at once. Port %(port)s may expect TLS from the start: write smtp+ssl:// for it.") % where
        case smtplib.SMTPResponseException():
            return _("%(host)s turned us away: %(code)s %(said)s") % {**where, "code": error.smtp_code, "said": readable(error.smtp_error)}
    return _("%(host)s could not be reached on port %(port)s.") % where
