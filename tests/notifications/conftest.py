"""An issued invoice, its deliveries, and receivers on this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.db import transaction
from pytest_httpserver import HTTPServer

from invoicing import lifecycle
from invoicing.models import Invoice
from merchants.models import Merchant, User
from notifications import fanout
from notifications.models import Delivery, Endpoint
from notifications.webhooks import endpoints
from payments.models import Transfer
from tests.factories import NOW, make_draft, publish

LINES = [
    ("Logo and wordmark", "1", "1800.00", "23"),
    ("Colour and type system", "1", "1125.00", "23"),
    ("Stationery", "6", "92.50", "23"),
]


@pytest.fixture
def invoice(merchant: Merchant) -> Invoice:
    """INV-000001 to Ana Duarte over 4,280.40 EUR, issued at NOW and due 14 days later."""
    merchant.brand_color, merchant.address = "#0B5563", "Rua do Cais 14\n1200-109 Lisboa"
    merchant.save()
    return publish(make_draft(merchant, LINES, now=NOW, public_id="7Qm2xVb9tKc4"), now=NOW)


@pytest.fixture
def issued_mail(invoice: Invoice) -> Delivery:
    """The mail to the payer that issuing gave rise to, waiting since NOW."""
    fanout.run(NOW)
    return Delivery.objects.get(template="issued")


def take(invoice: Invoice, credit_minor: int, *, over: bool = False, units: int = 4_648_510_000) -> None:
    """Money of the sandbox network arrives on `invoice`, final, and is accounted."""
    asset = next(asset for asset in invoice.terms["assets"] if asset["symbol"] == "USDT")
    txid = f"{Transfer.objects.count()}f9a".ljust(60, "0") + "1b2c"
    Transfer.objects.create(
        network=asset["id"].partition("/")[0],
        txid=txid,
        place=0,
        invoice=invoice,
        asset_id=asset["id"],
        amount_units=units,
        status="final",
        first_seen_at=NOW,
        confirmations_needed=3,
        credit_minor=credit_minor,
        credited_at=NOW,
    )
    with transaction.atomic():
        held = lifecycle.locked(invoice.pk)
        total = held.credited_minor + credit_minor
        money = lifecycle.Money(total, 0, is_underpaid=total < held.total_minor, is_overpaid=over, is_paid_late=False)
        lifecycle.account(held, money, now=NOW)


@pytest.fixture
def receiver(httpserver: HTTPServer) -> HTTPServer:
    """A webhook receiver on this machine; answers 500 to what a test did not announce."""
    return httpserver


@pytest.fixture
def endpoint_and_secret(merchant: Merchant, owner: User, receiver: HTTPServer) -> tuple[Endpoint, str]:
    return endpoints.add(merchant, url=receiver.url_for("/hooks"), by=owner, now=NOW)


@pytest.fixture
def endpoint(endpoint_and_secret: tuple[Endpoint, str]) -> Endpoint:
    return endpoint_and_secret[0]


class Mailserver:
    """A real SMTP server on this machine that keeps what it takes and refuses what a test tells it to."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.sessions: set[int] = set()
        self.answers: list[str] = []  # to the next RCPT commands, before all else is taken

    async def handle_RCPT(self, _server: Any, session: Any, envelope: Any, address: str, _options: list[str]) -> str:
        if self.answers:
            return self.answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:
        self.sessions.add(id(session))
        self.taken.append(envelope.content)
        return "250 taken"


@pytest.fixture
def mailserver(settings: Any) -> Iterator[Mailserver]:
    handler = Mailserver()
    with socket.socket() as free:  # aiosmtpd cannot be asked which port it was given
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = port
    yield handler
    controller.stop()
