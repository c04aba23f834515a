"""A merchant's own mail server: set up, tested, switched on and off. Every change is an event that owners are mailed of."""

from __future__ import annotations

import ipaddress
import re
import smtplib
from dataclasses import dataclass
from datetime import datetime

from django.core.mail import EmailMessage
from django.db import transaction
from django.utils.translation import gettext as _

from merchants import secrets
from merchants.events import record
from merchants.models import Merchant, User
from notifications.audience import owners
from notifications.mail import mailservers
from notifications.models import MailServer, Security
from notifications.transports.email import in_words
from notifications.transports.guard import allowed
from notifications.transports.hands import within
from notifications.transports.message import sender
from notifications.transports.smtp import hang_up

PORTS = (25, 465, 587, 2525)  # where mail servers listen; nothing else is knocked at
NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\Z", re.IGNORECASE)
TEST_TIMEOUT = 10  # seconds for each answer of a server that is tried out; it has twice as long in all


class Refused(Exception):
    """This cannot be done to the server as it is; the text says why."""


@dataclass(frozen=True)
class Wanted:
    """A server as its owner wrote it. An empty `password` is the one that is kept."""

    host: str
    port: int
    security: str
    username: str
    password: str
    sender: str


def why_not(merchant: Merchant, host: str, port: int, security: str) -> tuple[str, str] | None:
    """Which of the three cannot be, and why, as a sentence; None when all can. Asks no name server."""
    address = _as_address(host)
    if address is None and not NAME.match(host):
        return "host", _("This is not the name of a server. Write it like mail.example.com.")
    here = host.lower() == "localhost" or (address is not None and address.is_loopback)
    if here and mailservers.loopback_ok(merchant):
        return None
    if here or (address is not None and not allowed(host, loopback_ok=False)):
        return "host", _("%(host)s is inside a private network. Mail goes through servers at public addresses.") % {"host": host}
    if port not in PORTS:
        return "port", _("Mail servers listen on port 587, 465, 2525 or 25. Choose one of them.")
    if security == Security.NONE:
        return "security", _("Without TLS everybody on the way could read your mails and your password. Choose STARTTLS or TLS.")
    return None


def _as_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def save(merchant: Merchant, *, wanted: Wanted, by: User, now: datetime) -> bool:
    """Set the server up, or change it; whether that is a change. A changed one is off until it is tested and switched on again.
    Refused when a kept password would go to another place than the one it was typed for."""
    with transaction.atomic():
        server = MailServer.objects.select_for_update().filter(merchant=merchant).first() or MailServer(merchant=merchant)
        columns = {"host": wanted.host, "port": wanted.port, "security": wanted.security, "username": wanted.username, "sender": wanted.sender}
        changed = server.pk is None or bool(wanted.password) or any(getattr(server, name) != value for name, value in columns.items())
        if not changed:
            return False
        elsewhere = any(getattr(server, name) != columns[name] for name in ("host", "port", "security", "username"))
        if server.password and not wanted.password and wanted.username and elsewhere:
            raise Refused(_("Type the password again: it was kept for another server or name."))
        for name, value in columns.items():
            setattr(server, name, value)
        if wanted.password or not wanted.username:
            server.password = secrets.encrypt(wanted.password) if wanted.password and wanted.username else ""
        server.is_enabled, server.tested_at, server.failures = False, None, 0
        server.blocked_until = server.failing_since = None
        server.save()
        _tell("mail_server.saved", server, by=by, now=now)
        return True


def test(server: MailServer, *, by: User, now: datetime) -> str:
    """Send a mail through it to `by`, at once; empty when the server took it, else why not, as a sentence. It talks to the
    network: not for inside a transaction."""
    backend = mailservers.backend_of(server)
    if hasattr(backend, "timeout"):
        backend.timeout = TEST_TIMEOUT
    mail = EmailMessage(
        subject=_("Your mail server works"),
        body=_("This mail came through %(server)s, from %(sender)s. Once it has reached you, the server can be switched on under Settings, Mail.")
        % {"server": server, "sender": server.sender},
        from_email=sender(server.merchant.name, server.sender),
        to=[by.email],
        headers={"Auto-Submitted": "auto-generated"},
    )
    with within(2 * TEST_TIMEOUT) as exchange:
        try:
            backend.open()
            backend.send_messages([mail])
        except (OSError, smtplib.SMTPException) as error:
            if exchange.is_over:
                return _("The mail server did not answer in %(count)d s.") % {"count": 2 * TEST_TIMEOUT}
            return in_words(error)
        finally:
            hang_up(backend)
    unchanged = {name: getattr(server, name) for name in ("host", "port", "security", "username", "password", "sender")}
    MailServer.objects.filter(pk=server.pk, **unchanged).update(tested_at=now, failures=0, blocked_until=None, failing_since=None)
    return ""


def switch_on(server: MailServer, *, by: User, now: datetime) -> bool:
    """Mails to payers leave through it from now on. False when they did; Refused while it is not tested."""
    with transaction.atomic():
        if not MailServer.objects.filter(pk=server.pk, is_enabled=False, tested_at__isnull=False).update(is_enabled=True):
            if MailServer.objects.filter(pk=server.pk, is_enabled=True).exists():
                return False
            raise Refused(_("Send yourself a test mail first."))
        _tell("mail_server.on", server, by=by, now=now)
        return True


def switch_off(server: MailServer, *, by: User, now: datetime) -> bool:
    """Mails to payers leave through the installation from now on, also those that wait. False when they did."""
    with transaction.atomic():
        if not MailServer.objects.filter(pk=server.pk, is_enabled=True).update(is_enabled=False):
            return False
        _tell("mail_server.off", server, by=by, now=now)
        return True


def remove(server: MailServer, *, by: User, now: datetime) -> None:
    """Forget it with its password."""
    with transaction.atomic():
        _tell("mail_server.removed", server, by=by, now=now)
        server.delete()


def _tell(kind: str, server: MailServer, *, by: User, now: datetime) -> None:
    merchant = server.merchant
    facts = {"server": str(server), "sender": server.sender, "business": merchant.name, "who": by.display_name, "owners": owners(merchant)}
    record(kind, merchant=merchant, subject=server, now=now, by=by, facts=facts)
