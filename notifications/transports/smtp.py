"""SMTP to a merchant's own server: only to public addresses, by a name that is resolved once and checked."""

from __future__ import annotations

import contextlib
import smtplib
import socket
from typing import Any

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend
from django.utils.translation import gettext as _

from notifications.transports.guard import AddressRefused, resolve
from notifications.transports.hands import watched

CONNECT = 5.0  # seconds to be connected


class Unusable(OSError):
    """This mail server cannot be used as it is set up; the text says why to people."""


class _GuardedSMTP(smtplib.SMTP):
    """Connects to the address that was checked, and to no other. TLS still verifies the name."""

    loopback_ok = False
    only_loopback = False

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        try:
            found = resolve(host, port, loopback_ok=self.loopback_ok, only_loopback=self.only_loopback)
        except AddressRefused as error:
            raise Unusable(_("%(host)s is inside a private network. Mail goes through servers at public addresses.") % {"host": host}) from error
        except socket.gaierror as error:
            raise Unusable(_("The name %(host)s is not known to the domain name system.") % {"host": host}) from error
        plug = _connected(found)
        plug.settimeout(timeout)
        return plug


class _GuardedSMTPS(smtplib.SMTP_SSL, _GuardedSMTP):
    """The same with TLS from the start."""


def _connected(found: list[tuple[Any, ...]]) -> socket.socket:
    last: OSError | None = None
    for family, kind, protocol, _name, address in found[:2]:
        plug = socket.socket(family, kind, protocol)
        try:
            plug.settimeout(CONNECT)
            watched(plug)
            plug.connect(address)
        except OSError as error:
            plug.close()
            last = error
            continue
        return plug
    raise last or OSError("The name resolves to nothing.")


class GuardedBackend(EmailBackend):
    """Django's SMTP backend over guarded connections. `only_loopback`: without TLS it speaks to this machine alone."""

    def __init__(self, *, loopback_ok: bool, only_loopback: bool, **options: Any) -> None:
        super().__init__(timeout=settings.EMAIL_TIMEOUT, **options)
        self.bounds = {"loopback_ok": loopback_ok, "only_loopback": only_loopback}

    @property
    def connection_class(self) -> Any:
        return type("Guarded", (_GuardedSMTPS if self.use_ssl else _GuardedSMTP,), self.bounds)


class UnusableBackend(BaseEmailBackend):
    """Stands where no connection can be made: opening it says why."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason

    def open(self) -> bool:
        raise Unusable(self.reason)

    def send_messages(self, email_messages: Any) -> int:
        raise Unusable(self.reason)


def hang_up(backend: BaseEmailBackend) -> None:
    """Close it, whatever the server says to that. What was opened half-way too, which Django keeps until the next time."""
    half = getattr(backend, "_partial_connection", None)
    if half is not None:
        half.close()
    with contextlib.suppress(OSError, smtplib.SMTPException):
        backend.close()
