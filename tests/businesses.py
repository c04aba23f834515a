"""Two businesses side by side, each with a row in every table: what one of them must never see of the other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from invoicing import lifecycle, reminder_rules, schedules
from invoicing.models import Attachment, Bundle, Invoice, Item, Payer, Rendering, Schedule
from invoicing.recurrence import Rule
from merchants import assets, moments, secrets, team
from merchants.models import Event, Invitation, Logo, Membership, Merchant, NumberSegment, User
from notifications.mail import copies, emails, wordings
from notifications.mail.wordings import Words
from notifications.models import Delivery, Endpoint, MailServer
from payments import quotes, recorded, refunds
from payments.models import Claim, ReceiveAddress, RecordedPayment, Refund, Transfer
from tests.factories import PASSWORD, add_member, make_draft, make_merchant, make_schedule, make_user, publish, start
from tests.payments.refunding import payers_address

USDT = "sandbox:harbour/token:usdt"
FORM_KEY = "k" * 43
# What stands in Secret Orchard and may be read by nobody else.
LEAKS = (
    "Secret Orchard",
    "orchard@secret.example",
    "Vera Quitéria",
    "Cider press, final rate",
    "felled.txt",
    "hooks.orchard.example",
    "picker@secret.example",
    "ORCHARD-",
)


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
    mail: Delivery  # of the open invoice to its payer: it came back, and was kept as it left
    held: Transfer
    unassigned: Transfer  # at an address of no invoice
    recorded: RecordedPayment  # a part of the open invoice
    payer: Payer  # of every invoice
    item: Item
    bundle: Bundle  # ready, of the open invoice
    member: Membership  # a manager
    invitation: Invitation
    schedule: Schedule  # active: one is issued, one is skipped ahead
    schedule_draft: Schedule
    schedule_file: Attachment
    wanted: Refund  # of the open invoice, as the next three: its address is asked for, and was given once
    claimed: Refund
    owed: Refund  # approved
    returned: Refund  # confirmed, with its credit note

    @property
    def slug(self) -> str:
        return self.merchant.slug


def attach(merchant: Merchant, invoice: Invoice | None, name: str, *, schedule: Schedule | None = None) -> Attachment:
    text = b"The oaks were felled in March."
    return Attachment.objects.create(
        merchant=merchant,
        invoice=invoice,
        schedule=schedule,
        form_key="" if invoice or schedule else FORM_KEY,
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
    reminder_rules.change(merchant, days=[3], by=owner, now=now)
    known = Payer.objects.create(merchant=merchant, name=payer, email=email if slug == "secret-orchard" else "ana@duarte.example")
    words = {"payer": known, "payer_name": payer, "title": title, "due_at": now + timedelta(days=14)}
    opened, paid = publish(make_draft(merchant, **words), now=now), publish(make_draft(merchant, **words), now=now)
    with transaction.atomic():
        lifecycle.account(lifecycle.locked(paid.pk), lifecycle.Money(paid.total_minor, 0, False, False, False), now=now)
    for invoice in (opened, paid):
        printed(invoice, "invoice")
    printed(paid, "receipt")
    quotes.ask(opened, USDT, now=now)
    MailServer.objects.create(merchant=merchant, host="127.0.0.1", port=9, sender=email, tested_at=now)
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
    monthly = make_schedule(merchant, anchor=now.date() + timedelta(days=3), payer=known, payer_name=payer, title=title)
    schedule = running(merchant, by=owner, now=now, payer=known, payer_name=payer, title=title, lines=[(title, "1", "2400.00")])
    by_hand = recorded.record(
        opened, way="cash", amount_minor=1_000, paid_at=now, note=f"In an envelope, from {payer}", form_key=slug, by=owner, now=now
    )
    returned, owed, claimed, wanted = (returning(opened, by_hand, n, payer=payer, by=owner, now=now) for n in range(4))
    return Business(
        merchant=merchant,
        draft=make_draft(merchant, **words),
        open=opened,
        paid=paid,
        endpoint=endpoint,
        webhook=webhook,
        mail=mailed(opened, by=owner, now=now),
        scheduled=publish(make_draft(merchant, **words, issue_at=now + timedelta(days=2)), now=now),
        file=attach(merchant, opened, file),
        pending=attach(merchant, None, file),
        held=held(opened, f"tx-{slug}"),
        unassigned=unassigned(opened, f"loose-{slug}"),
        recorded=by_hand,
        wanted=wanted,
        claimed=claimed,
        owed=owed,
        returned=returned,
        payer=known,
        bundle=bundled(opened, owner, now),
        item=Item.objects.create(merchant=merchant, description=title, currency="EUR", unit_price_minor=180_000),
        member=seated(merchant, payer, now),
        invitation=team.invite(merchant, email=f"picker@{email.partition('@')[2]}", role="viewer", by=owner, now=now),
        schedule=schedule,
        schedule_draft=monthly,
        schedule_file=attach(merchant, None, file, schedule=schedule),
    )


def mailed(invoice: Invoice, *, by: User, now: datetime) -> Delivery:
    """Its mail to the payer, in the merchant's own words, which came back."""
    merchant = invoice.merchant
    words = Words(f"From {merchant.name}", "Dear {payer}, for {title}")
    wordings.save(merchant, words, template="issued", language="en", by=by, now=now)
    mail = Delivery.objects.create(
        merchant=merchant,
        event=Event.objects.filter(merchant=merchant, kind="invoice.issued").first(),
        channel="email",
        template="issued",
        recipient=invoice.payer_email,
        invoice=invoice,
        message_id=f"<{merchant.slug}@test>",
        status="failed",
        reason=f"550 {invoice.payer_name} is unknown here",
        next_at=now,
        created_at=now,
    )
    copies.keep(mail, emails.write(mail, now=now), now)
    return mail


def running(merchant: Merchant, *, by: User, now: datetime, **fields: Any) -> Schedule:
    """A weekly schedule since this morning: its first is issued, its third is skipped ahead."""
    today = moments.local(now, merchant.time_zone).date()
    schedule = start(make_schedule(merchant, Rule("weeks"), anchor=today, at=time(0), **fields), now=now)
    schedules.occur(schedule.pk, now=now)
    schedules.skip(schedule, 3, by=by, now=now)
    return Schedule.objects.get(pk=schedule.pk)


def returning(invoice: Invoice, payment: RecordedPayment, n: int, *, payer: str, by: User, now: datetime) -> Refund:
    """A refund of 1.00 of what was recorded: the first is confirmed, the second approved, the third claimed, the others asked for."""
    words = {"reason": f"Not needed, {payer}", "note": f"{payer} rang"}
    terms = refunds.Terms(Refund.Basis.OTHER, assets.asset(USDT), frozenset({("payment", payment.pk)}), other_minor=100, **words)
    refund = refunds.request(invoice, terms, form_key=f"{n}" * 43, by=by, now=now)
    if n > 2:
        Claim.objects.create(refund=refund, address=payers_address(n), for_nonce=refund.nonce, given_at=now, until=now + timedelta(days=2))
        return refund
    refund = refunds.claimed(refund, address=payers_address(n), by=None, nonce=refund.nonce, now=now)
    if n > 1:
        return refund
    refund = refunds.approve(refund, by=by, version=refund.version, now=now)
    if n > 0:
        return refund
    txid = hashlib.sha256(f"refund of {invoice.pk}".encode()).hexdigest()
    refund = refunds.found(refund, refunds.Seen(txid, 0, 7, "b" * 64, now, confirmations=99), now=now)
    made = Rendering.objects.get(note=refund.credit_note)
    paper = b"%PDF-1.7 credit for " + payer.encode()
    made.file, made.sha256, made.made_at = ContentFile(paper, "x.pdf"), hashlib.sha256(paper).hexdigest(), now  # type: ignore[assignment]
    made.save()
    return refund


def seated(merchant: Merchant, name: str, now: datetime) -> Membership:
    """A second member, and a number series begun by them."""
    user = make_user(f"second@{merchant.slug}.example", name=name)
    member = Membership.objects.create(user=user, merchant=merchant, role="manager")
    prefix = merchant.slug.rpartition("-")[2].upper() + "-"
    NumberSegment.objects.create(merchant=merchant, prefix=prefix, first=1, started_at=now, started_by=user)
    return member


def bundled(invoice: Invoice, by: User, now: datetime) -> Bundle:
    """A zip of PDFs that is ready to be fetched."""
    zipped = ContentFile(b"PK " + invoice.title.encode(), "x.zip")
    made = {"invoice_ids": [invoice.pk], "total": 1, "done": 1, "file": zipped, "created_at": now, "ready_at": now}
    return Bundle.objects.create(merchant=invoice.merchant, asked_by=by, **made)


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


def unassigned(like: Invoice, txid: str) -> Transfer:
    """Money at a fixed address, for the amount that a quote of `like` asked for."""
    now = timezone.now()
    wallet, quote = like.addresses.get().wallet, like.quotes.get()
    place = ReceiveAddress.objects.create(wallet=wallet, family=wallet.family, address=f"fixed-{txid}", created_at=now)
    columns = {"network": "sandbox:harbour", "txid": txid, "place": 0, "receive_address": place, "confirmations_needed": 3}
    return Transfer.objects.create(**columns, asset_id=USDT, amount_units=quote.amount_units, first_seen_at=now)


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
