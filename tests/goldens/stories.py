"""Every mail in every language its readers get, as files that a person can open: `python -m tests.goldens` writes them anew.

A story per kind, told with fixed names, at fixed times. `tests/notifications/test_goldens.py` compares what they say today with
the files beside it, and writes them when it is started from here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.db import transaction

from invoicing import facts, lifecycle, schedules
from invoicing.models import Invoice
from merchants import team
from merchants.accounts import AccountAdapter
from merchants.events import record
from merchants.models import Merchant, Role, User
from notifications import fanout, outbox
from notifications.mail import emails, lost
from notifications.models import Channel, Delivery, Endpoint
from notifications.plans import TO_PAYERS
from notifications.transports import Outcome
from payments import claims, quotes, refunds
from payments.models import Transfer
from tests.factories import NOW, make_draft, make_merchant, make_schedule, make_user, publish, start
from tests.payments.refunding import RefundStory, payers_address

FOLDER = Path(__file__).parents[1] / "notifications" / "goldens"
WRITE = "WRITE_GOLDENS"  # in the environment, where __main__ starts the tests
LANGUAGES = ("en", "de", "zh-hans", "ar")
LINES = [("Logo and wordmark", "1", "1800.00", "23"), ("Colour and type system", "1", "1125.00", "23"), ("Stationery", "6", "92.50", "23")]
USDT = "sandbox:harbour/token:usdt"
FIRST = datetime(2026, 11, 30, 9, tzinfo=UTC)
TXID = "0f9a".ljust(60, "0") + "1b2c"
# What opens a page is made with random parts, and rows are numbered by what the database has seen before.
TOKENS = re.compile(r"(/(?:r/confirm|r|invitation|unsubscribe)/)(?!confirm/)[^/\s\"<]+")
REFERENCES = re.compile(r"\bF-[0-9A-Z]{6}\b")
NUMBERS = re.compile(r"(/m/harbour-pine/[a-z/]+?/)\d+")


class World:
    """Harbour & Pine and its payers, at NOW."""

    def __init__(self) -> None:
        self.owner: User = make_user()
        look = {"brand_color": "#0B5563", "address": "Rua do Cais 14\n1200-109 Lisboa", "footer": "NIPC 509 442 013"}
        self.merchant: Merchant = make_merchant(self.owner, notices_off=[], **look)
        self.now = NOW

    def invoice(self, **fields: object) -> Invoice:
        words = {"public_id": "7Qm2xVb9tKc4", "description": "Agreed on 3 November."}
        return publish(make_draft(self.merchant, LINES, now=NOW, **{**words, **fields}), now=NOW)

    def happen(self, invoice: Invoice, kind: str, **more: object) -> None:
        invoice.refresh_from_db()
        with transaction.atomic():
            record(kind, merchant=self.merchant, subject=invoice, now=self.now, facts={"invoice": facts.of_invoice(invoice), **more})

    def mail(self, kind: str) -> Delivery:
        """The newest one of that kind."""
        while fanout.run(self.now).events:
            pass
        return Delivery.objects.filter(channel=Channel.EMAIL, template=kind).latest("id")

    def take(self, invoice: Invoice, credit_minor: int, *, units: int, over: bool = False) -> Transfer:
        """Money arrives on `invoice`, final, and is accounted."""
        columns = {"network": "sandbox:harbour", "txid": TXID, "place": 0, "asset_id": USDT, "amount_units": units}
        made = Transfer.objects.create(
            **columns, invoice=invoice, status="final", first_seen_at=NOW, confirmations_needed=3, credit_minor=credit_minor, credited_at=NOW
        )
        with transaction.atomic():
            held = lifecycle.locked(invoice.pk)
            is_under = credit_minor < held.total_minor
            money = lifecycle.Money(credit_minor, 0, is_underpaid=is_under, is_overpaid=over, is_paid_late=False)
            lifecycle.account(held, money, now=NOW)
        return made


SEEN = {"network": "sandbox:harbour", "network_name": "Sandbox", "asset": USDT, "symbol": "USDT", "txid": TXID, "place": 0}
ARRIVED = SEEN | {"amount": "1629.00", "credit": "1500.00", "late": False, "held": False}


# --- to payers --------------------------------------------------------------------------------------------------
def issued(world: World) -> Delivery:
    world.invoice()
    return world.mail("issued")


def reminded(days: int) -> Callable[[World], Delivery]:
    def told(world: World) -> Delivery:
        invoice = world.invoice()
        assert invoice.due_at is not None
        world.now = invoice.due_at.replace(hour=9) + timedelta(days=days)
        world.happen(invoice, "invoice.reminded", reminder={"days": days, "by_hand": False})
        return world.mail("reminder")

    return told


def part_received(world: World) -> Delivery:
    invoice = world.invoice()
    world.take(invoice, 150_000, units=1_629_000_000)
    world.happen(invoice, "payment.part_received")
    return world.mail("part_received")


def receipt(world: World) -> Delivery:
    world.take(world.invoice(), 428_040, units=4_648_510_000)
    return world.mail("receipt")


def cancelled(world: World) -> Delivery:
    lifecycle.void(world.invoice(), by=world.owner, reason="Wrong address.", now=NOW)
    return world.mail("cancelled")


def links(world: World) -> Delivery:
    world.invoice()
    world.invoice(public_id="9kLm3nPq5rSt", title="Signage", due_at=NOW + timedelta(days=30))
    lost.ask("ana@duarte.example", now=NOW)
    return world.mail("links")


def refund_wanted(world: World) -> Delivery:
    story = world_refund(world)
    story.ask(reason="Two hours were not needed.", deduction_e4=25_000)
    return _of(story, world, "refund_wanted")


def refund_confirm(world: World) -> Delivery:
    story = world_refund(world)
    address = payers_address()
    claims.offer(story.ask(), address=address, last=address[-4:], now=story.now)
    return _of(story, world, "refund_confirm")


def refund_told(world: World) -> Delivery:
    story = world_refund(world)
    refund = story.approved(reason="Two hours were not needed.")
    refunds.found(refund, refunds.Seen(TXID, 0, 90, "90", story.now, 9), now=story.now)
    return _of(story, world, "refund_told")


# --- to the business --------------------------------------------------------------------------------------------
def paid(world: World) -> Delivery:
    world.take(world.invoice(), 428_040, units=4_648_510_000)
    return world.mail("paid")


def seen(world: World) -> Delivery:
    world.happen(world.invoice(), "payment.detected", transfer=ARRIVED)
    return world.mail("seen")


def part_paid(world: World) -> Delivery:
    invoice = world.invoice()
    world.take(invoice, 150_000, units=1_629_000_000)
    world.happen(invoice, "payment.part_received")
    return world.mail("part_paid")


def overpaid(world: World) -> Delivery:
    invoice = world.invoice()
    world.take(invoice, 430_040, units=4_670_230_000, over=True)
    world.happen(invoice, "payment.overpaid")
    return world.mail("overpaid")


def late(world: World) -> Delivery:
    world.happen(world.invoice(), "payment.late", transfer=ARRIVED | {"late": True, "held": True, "credit": None})
    return world.mail("late")


def reopened(world: World) -> Delivery:
    world.happen(world.invoice(), "invoice.reopened")
    return world.mail("reopened")


def missed(world: World) -> Delivery:
    draft = world.invoice(issue_at=NOW + timedelta(days=1))
    lifecycle.issue_due(draft.pk, now=NOW + timedelta(days=15))
    return world.mail("missed")


def unassigned(world: World) -> Delivery:
    invoice = world.invoice()
    quote = quotes.ask(invoice, USDT, now=NOW)
    place = quote.receive_address
    columns = {"network": "sandbox:harbour", "txid": TXID, "place": 0, "receive_address": place, "confirmations_needed": 3}
    arrived = Transfer.objects.create(**columns, asset_id=USDT, amount_units=quote.amount_units, first_seen_at=NOW)
    with transaction.atomic():
        told = ARRIVED | {"id": arrived.pk, "amount": "4648.51"}
        record("payment.unassigned", merchant=world.merchant, subject=arrived, now=NOW, facts={"transfer": told})
    return world.mail("unassigned")


def schedule_missed(world: World) -> Delivery:
    schedules.occur(start(make_schedule(world.merchant)).pk, now=datetime(2027, 2, 10, 9, tzinfo=UTC))
    return world.mail("schedule_missed")


def schedule_held(world: World) -> Delivery:
    schedule = start(make_schedule(world.merchant))
    Merchant.objects.update(accepted_assets=[])
    schedules.occur(schedule.pk, now=FIRST)
    return world.mail("schedule_held")


def schedule_ended(world: World) -> Delivery:
    schedule = start(make_schedule(world.merchant, title="Studio retainer"))
    schedules.occur(schedule.pk, now=FIRST)
    schedules.stop(schedule, by=world.owner, now=FIRST)
    return world.mail("schedule_ended")


def refund_news(world: World) -> Delivery:
    story = world_refund(world)
    story.claim(story.ask(reason="Two hours were not needed."))
    return _of(story, world, "refund_news")


def undelivered(world: World) -> Delivery:
    world.invoice()
    fanout.run(NOW)
    (mail,) = outbox.claim(Channel.EMAIL, now=NOW, limit=1)
    outbox.finish(mail, lease=mail.lease, outcome=Outcome(False, permanent=True, code="550", answer="5.1.1 No such user here"), now=NOW)
    return world.mail("undelivered")


def endpoint_off(world: World) -> Delivery:
    hooks = {"url": "https://hooks.harbourpine.example/quittance", "description": "Bookkeeping", "secret": "whsec_"}
    endpoint = Endpoint.objects.create(merchant=world.merchant, is_enabled=False, failing_since=NOW - timedelta(days=5), **hooks)
    told = {"url": endpoint.url, "business": "Harbour & Pine", "who": "", "owners": [world.owner.email], "reason": "500 Internal Server Error"}
    with transaction.atomic():
        record("endpoint.disabled", merchant=world.merchant, subject=endpoint, now=NOW, facts=told)
    return world.mail("endpoint_off")


def invitation(world: World) -> Delivery:
    team.invite(world.merchant, email="rui@harbourpine.example", role=Role.MANAGER, by=world.owner, now=NOW)
    return world.mail("invitation")


def owners_told(world: World) -> Delivery:
    told = {"wallet": "Studio", "shows": "0x52ab…7C9d", "networks": "Ethereum, Polygon", "who": "Inês Matos", "business": "Harbour & Pine"}
    with transaction.atomic():
        record(
            "wallet.connected",
            merchant=world.merchant,
            subject=world.merchant,
            now=NOW,
            by=world.owner,
            facts=told | {"owners": [world.owner.email]},
        )
    return world.mail("owners_told")


# --- what they share --------------------------------------------------------------------------------------------
def world_refund(world: World) -> RefundStory:
    return RefundStory(world.merchant, public_id="7Qm2xVb9tKc4")


def _of(story: RefundStory, world: World, kind: str) -> Delivery:
    world.now = story.now
    return world.mail(kind)


# file → its story. The file is named by the kind; where one kind has several tones, by both.
STORIES: dict[str, Callable[[World], Delivery]] = {
    "issued": issued,
    "reminder-before": reminded(-3),
    "reminder-on": reminded(0),
    "reminder-after": reminded(7),
    "part_received": part_received,
    "receipt": receipt,
    "cancelled": cancelled,
    "links": links,
    "refund_wanted": refund_wanted,
    "refund_confirm": refund_confirm,
    "refund_told": refund_told,
    "paid": paid,
    "seen": seen,
    "part_paid": part_paid,
    "overpaid": overpaid,
    "late": late,
    "reopened": reopened,
    "missed": missed,
    "unassigned": unassigned,
    "schedule_missed": schedule_missed,
    "schedule_held": schedule_held,
    "schedule_ended": schedule_ended,
    "refund_news": refund_news,
    "undelivered": undelivered,
    "endpoint_off": endpoint_off,
    "invitation": invitation,
    "owners_told": owners_told,
}


# Mails about somebody's own account: allauth's names for them.
ACCOUNT = {
    "email_confirmation_signup": "account/email/email_confirmation_signup",
    "account_already_exists": "account/email/account_already_exists",
    "password_reset_key": "account/email/password_reset_key",
    "unknown_account": "account/email/unknown_account",
    "password_changed": "account/email/password_changed",
    "password_reset": "account/email/password_reset",
    "password_set": "account/email/password_set",
    "email_changed": "account/email/email_changed",
    "email_confirm": "account/email/email_confirm",
    "email_deleted": "account/email/email_deleted",
    "totp_activated": "mfa/email/totp_activated",
    "totp_deactivated": "mfa/email/totp_deactivated",
    "recovery_codes_generated": "mfa/email/recovery_codes_generated",
    "webauthn_added": "mfa/email/webauthn_added",
    "webauthn_removed": "mfa/email/webauthn_removed",
}
FACTS = {
    "email": "ines@harbourpine.example",
    "activate_url": "http://testserver/accounts/confirm-email/MQ:1vKq2a:token/",
    "password_reset_url": "http://testserver/accounts/password/reset/key/1-token/",
    "from_email": "ines@harbourpine.example",
    "to_email": "studio@harbourpine.example",
    "deleted_email": "old@harbourpine.example",
    "ip": "203.0.113.7",
    "timestamp": NOW,
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
}


def of_account(name: str) -> dict[str, str]:
    """The files of a mail about an account."""
    mail = AccountAdapter().render_mail(ACCOUNT[name], "ines@harbourpine.example", FACTS)
    ((html, _kind),) = mail.alternatives
    return files(f"account/{name}", subject=str(mail.subject), text=str(mail.body), html=str(html))


def told(name: str) -> dict[str, str]:
    """The files of a story, two for each language: their names under FOLDER, and what stands in them. A business reads English."""
    world = World()
    mail = STORIES[name](world)
    made: dict[str, str] = {}
    for language in LANGUAGES if mail.template in TO_PAYERS else LANGUAGES[:1]:
        Merchant.objects.update(language=language)
        Invoice.objects.update(language=language)
        letter = emails.write(mail, now=world.now)
        made |= files(f"{language}/{name}", subject=letter.subject, text=letter.text, html=letter.html)
    return made


def files(name: str, *, subject: str, text: str, html: str) -> dict[str, str]:
    return {f"{name}.txt": _steady(f"{subject}\n\n{text}"), f"{name}.html": _steady(html).rstrip() + "\n"}


def _steady(text: str) -> str:
    """The same whenever it is written: without what is random, or counted by the database."""
    return NUMBERS.sub(r"\g<1>1", REFERENCES.sub("F-2K7WQ9", TOKENS.sub(r"\g<1>token", text)))
