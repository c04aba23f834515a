"""Two businesses side by side, each with a row in every table: what one of them must never see of the other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from invoicing import lifecycle
from invoicing.models import Attachment, Invoice, Rendering
from merchants import secrets
from merchants.models import Event, Logo, Merchant, User
from notifications.models import Delivery, Endpoint
from payments import quotes
from payments.models import Transfer
from tests.factories import PASSWORD, add_member, make_draft, make_merchant, make_user, publish

USDT = "sandbox:harbour/token:usdt"
FORM_KEY = "k" * 43
# What stands in Secret Orchard and may be read by nobody else.
LEAKS = ("Secret Orchard", "orchard@secret.example", "Vera Quitéria", "Cider press, final rate", "felled.txt", "hooks.orchard.example")


@dataclass
class Business:
    merchant: Merchant
    draft: Invoice
    scheduled: Invoice
    open: Invoice
    paid: Invoice
    file: Attachment  # of the open invoice
    pending: Attachment  # of a form being written
    endpoint: Endpoint
    webhook: Delivery
    held: Transfer

    @property
    def slug(self) -> str:
        return self.merchant.slug


def attach(merchant: Merchant, invoice: Invoice | None, name: str) -> Attachment:
    text = b"The oaks were felled in March."
    return Attachment.objects.create(
        merchant=merchant,
        invoice=invoice,
        form_key="" if invoice else FORM_KEY,
        name=name,
        size=len(text),
        content_type="text/plain",
        sha256=hashlib.sha256(text).hexdigest(),
        file=ContentFile(text, name),
        created_at=timezone.now(),
    )


def printed(invoice: Invoice, kind: str) -> None:
    pdf = b"%PDF-1.7 " + invoice.title.encode()
    row = {"file": ContentFile(pdf, "x.pdf"), "sha256": hashlib.sha256(pdf).hexdigest(), "made_at": timezone.now()}
    Rendering.objects.update_or_create(invoice=invoice, kind=kind, defaults=row)


def business(owner: User, *, slug: str, name: str, email: str, payer: str, title: str, file: str, hooks: str) -> Business:
    merchant = make_merchant(owner, slug=slug, name=name, email=email, logo=Logo.keep(b"\x89PNG of " + name.encode()))
    now = timezone.now()
    words = {"payer_name": payer, "title": title, "due_at": now + timedelta(days=14)}
    opened, paid = publish(make_draft(merchant, **words), now=now), publish(make_draft(merchant, **words), now=now)
    with transaction.atomic():
        lifecycle.account(lifecycle.locked(paid.pk), lifecycle.Money(paid.total_minor, 0, False, False, False), now=now)
    for invoice in (opened, paid):
        printed(invoice, "invoice")
    printed(paid, "receipt")
    quotes.ask(opened, USDT, now=now)
    endpoint = Endpoint.objects.create(merchant=merchant, url=hooks, secret=secrets.encrypt("whsec_" + slug))
    event = Event.objects.filter(merchant=merchant, kind="invoice.issued").first()
    webhook = Delivery.objects.create(
        merchant=merchant,
        event=event,
        channel="webhook",
        template="invoice.issued",
        recipient=f"endpoint:{endpoint.pk}",
        endpoint=endpoint,
        invoice=opened,
        message_id=f"msg_{slug}",
        webhook_id=f"msg_{slug}",
        payload=f'{{"title": "{title}"}}',
        status="failed",
        next_at=now,
        created_at=now,
    )
    return Business(
        merchant=merchant,
        draft=make_draft(merchant, **words),
        open=opened,
        paid=paid,
        endpoint=endpoint,
        webhook=webhook,
        scheduled=publish(make_draft(merchant, **words, issue_at=now + timedelta(days=2)), now=now),
        file=attach(merchant, opened, file),
        pending=attach(merchant, None, file),
        held=held(opened, f"tx-{slug}"),
    )


def held(invoice: Invoice, txid: str) -> Transfer:
    """Money that came too late and waits for a decision."""
    return Transfer.objects.create(
        network="sandbox:harbour",
        txid=txid,
        place=0,
        invoice=invoice,
        receive_address=invoice.addresses.get(),
        quote=invoice.quotes.get(),
        asset_id=USDT,
        amount_units=5_000_000,
        first_seen_at=timezone.now(),
        confirmations_needed=3,
        is_late=True,
        is_held=True,
    )


@dataclass
class World:
    ours: Business
    theirs: Business
    people: dict[str, User | None]

    def browser(self, who: str, *, fresh: bool = False, **options: Any) -> Client:
        """A browser in which `who` has signed in; `fresh`: and has just given the password again."""
        client = Client(**options)
        user = self.people[who]
        if user is not None:
            client.force_login(user)
            if fresh:
                client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
        return client


def side_by_side() -> World:
    """Harbour & Pine with a member of each role, and Secret Orchard beside it."""
    us, them = make_user(password=PASSWORD), make_user("orchard@secret.example", name="Vera Quitéria", password=PASSWORD)
    ours = business(
        us,
        slug="harbour-pine",
        name="Harbour & Pine",
        email="studio@harbourpine.example",
        payer="Ana Duarte",
        title="Brand identity, phase 2",
        file="brief.txt",
        hooks="https://hooks.harbourpine.example/",
    )
    theirs = business(
        them,
        slug="secret-orchard",
        name="Secret Orchard",
        email="orchard@secret.example",
        payer="Vera Quitéria",
        title="Cider press, final rate",
        file="felled.txt",
        hooks="https://hooks.orchard.example/",
    )
    people: dict[str, User | None] = {"stranger": None, "neighbour": them, "owner": us}
    people |= {role: add_member(ours.merchant, role) for role in ("viewer", "manager")}
    return World(ours, theirs, people)
