"""Through which server a mail leaves: the installation's, or, to payers, the merchant's own.

A lane is a mail server: the primary key of a `MailServer`, or None for the installation's. Everything here talks to the
database and belongs to the main thread of a sender; what `connection` returns talks to the network alone.
"""

from __future__ import annotations

from email.utils import parseaddr

from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.translation import gettext as _

from merchants import secrets
from merchants.models import Merchant
from notifications.models import Delivery, MailServer, Security
from notifications.plans import TO_PAYERS
from notifications.transports.smtp import GuardedBackend, UnusableBackend


def of(merchant: Merchant) -> MailServer | None:
    """The merchant's own server, on or off."""
    return getattr(merchant, "mail_server", None)  # absent, a reverse relation raises an AttributeError


def lane_of(delivery: Delivery) -> int | None:
    """The lane of a mail. Without a query where `merchant__mail_server` was selected."""
    if delivery.template not in TO_PAYERS:
        return None
    server = of(delivery.merchant)
    return server.pk if server and server.is_enabled else None


def connection(lane: int | None) -> BaseEmailBackend:
    """What sends the mails of `lane`, not yet open. Never raises: where none can be made, opening it raises an OSError
    whose text says why."""
    if lane is None:
        backend: BaseEmailBackend = get_connection()
        return backend
    server = MailServer.objects.select_related("merchant").filter(pk=lane).first()
    if server is None:
        return UnusableBackend(_("This mail server was removed."))
    return backend_of(server)


def backend_of(server: MailServer) -> BaseEmailBackend:
    """The same for a server that may not be stored yet."""
    try:
        password = secrets.decrypt(server.password) if server.password else ""
    except secrets.SecretUnreadable:
        return UnusableBackend(_("The password of this mail server cannot be read any more. Type it again under Settings, Mail."))
    return GuardedBackend(
        host=server.host,
        port=server.port,
        username=server.username,
        password=password,
        use_tls=server.security == Security.STARTTLS,
        use_ssl=server.security == Security.TLS,
        loopback_ok=loopback_ok(server.merchant),
        only_loopback=server.security == Security.NONE,
    )


def sender_of(lane: int | None) -> str:
    """The address that mails of `lane` are from."""
    own = MailServer.objects.filter(pk=lane).values_list("sender", flat=True).first() if lane is not None else None
    return own or parseaddr(settings.MAIL_FROM)[1]


def loopback_ok(merchant: Merchant) -> bool:
    """Whether the merchant's mail server may be on this machine: for trying things out, as webhooks."""
    return bool(settings.WEBHOOK_ALLOW_LOOPBACK and merchant.is_test)
