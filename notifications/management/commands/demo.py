"""`manage.py demo`: a studio with a past, so that every page has something to show.

Everything goes through the doors that people use (drafts are written, published, quoted, paid on the sandbox network,
read by the watcher, told by mail), only with moments of the past as `now`. It happens once: a second run finds it there.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from invoicing import authoring, lifecycle, money, reminder_rules, reminders, totals
from invoicing.models import Invoice, Reminder
from merchants import clock, onboarding, profile
from merchants.models import Merchant, User
from notifications import courier, fanout
from notifications.management.demo_recurring import Tale, plan_of
from notifications.management.demo_refunds import Back
from notifications.models import Channel
from payments import quotes, recorded, watcher
from payments.rails import sandbox

SLUG, ZONE = "harbour-pine", "Europe/Lisbon"
DEMO, OPERATOR, PASSWORD = "demo@quittance.example", "operator@quittance.example", "demo-quittance"
USDT, ETH, BTC = "sandbox:harbour/token:usdt", "sandbox:harbour/slip44:60", "sandbox:harbour/slip44:0"
BLOCK = timedelta(seconds=5)
STAYS_CONFIRMING = 720  # blocks: an hour of a running demo, until that payment is mined as well

ANA = ("Ana Duarte", "ana@duarte.example", "Rua do Alecrim 41\n1200-014 Lisboa\nPortugal", "PT 231 885 902")
KOBAYASHI = ("Kobayashi 株式会社", "keiri@kobayashi.example", "〒604-8166\n京都市中京区三条通烏丸西入御倉町 85", "T6130001034121")
NORDLICHT = ("Nordlicht Film GmbH", "rechnung@nordlicht.example", "Schanzenstraße 22\n20357 Hamburg\nDeutschland", "DE 287 440 193")
MISTRAL = ("Café Mistral", "bonjour@cafemistral.example", "12 Cours Julien\n13006 Marseille\nFrance", "FR 64 512 998 301")
MARLOW = ("Marlow Yachts Ltd", "accounts@marlowyachts.example", "The Boathouse, Station Road\nMarlow SL7 1NN\nUnited Kingdom", "GB 341 2207 18")
OKONKWO = ("Okonkwo & Sons", "office@okonkwo.example", "14 Broad Street\nLagos Island\nLagos, Nigeria", "")
VELAZQUEZ = ("Studio Velázquez", "hola@studiovelazquez.example", "Calle de las Huertas 9\n28012 Madrid\nEspaña", "ES B84 120 559")
LINDQVIST = ("Lindqvist Arkitekter AB", "faktura@lindqvist.example", "Hornsgatan 63\n118 49 Stockholm\nSverige", "SE 556 771 203 401")

Line = tuple[str, str, str, str]  # what, quantity, price of one, tax in percent
Act = tuple[float, str, str]  # days after it was written, what happens, with which asset or words


@dataclass(frozen=True)
class Bill:
    payer: tuple[str, str, str, str]
    title: str
    lines: tuple[Line, ...]
    days_ago: float  # when it was written; whole days before today at `hour`, Lisbon time
    acts: tuple[Act, ...] = ((0, "publish", ""),)
    hour: str = "10:12"
    due_days: float | None = 14
    issue_days: float | None = None  # None: as soon as it is published
    currency: str = "EUR"


def paid(asset: str, after: float, act: str = "exact") -> tuple[Act, ...]:
    return ((0, "publish", ""), (0.1, "view", ""), (after, act, asset))


BILLS = (
    Bill(NORDLICHT, "Title sequence, pilot", (("Title design", "1", "3400.00", "23"),), 158, paid(USDT, 3)),
    Bill(MISTRAL, "Logo and awning", (("Logo and wordmark", "1", "1200.00", "23"), ("Awning artwork", "2", "180.00", "23")), 131, paid(BTC, 9)),
    Bill(OKONKWO, "Stationery", (("Stationery, per piece", "12", "92.50", "0"),), 104, paid(USDT, 6)),
    Bill(LINDQVIST, "Competition boards", (("Boards, A1", "6", "310.00", "23"),), 82, paid(ETH, 11)),
    Bill(ANA, "Brand identity, phase 1", (("Research and naming", "1", "2600.00", "23"),), 61, paid(USDT, 5)),
    Bill(
        NORDLICHT,
        "Title sequence and poster",
        (("Title design", "1", "4200.00", "23"), ("Poster, two formats", "2", "640.00", "23")),
        33,
        ((0, "publish", ""), (0.1, "view", ""), (1, "record", "2000.00"), (2, "exact", USDT)),
    ),
    Bill(MARLOW, "Sail number typeface", (("Typeface, one weight", "1", "2150.00", "0"),), 23),
    Bill(
        MISTRAL, "Menu and window lettering", (("Menu, four pages", "1", "780.00", "23"), ("Window lettering", "1", "400.00", "23")), 20, paid(BTC, 4)
    ),
    Bill(
        VELAZQUEZ,
        "Exhibition catalogue",
        (("Catalogue, 96 pages", "1", "3900.00", "23"),),
        17,
        ((0, "publish", ""), (2, "void", "The print run changed; a new invoice follows.")),
    ),
    Bill(VELAZQUEZ, "Poster series", (("Posters, three motifs", "3", "420.00", "23"),), 14, paid(USDT, 4, "over"), hour="16:20"),
    Bill(KOBAYASHI, "パッケージ・シリーズ", (("パッケージデザイン", "3", "160000", "10"),), 12, paid(ETH, 3, "over"), hour="02:05", currency="JPY"),
    Bill(
        OKONKWO,
        "Shopfront and signage",
        (("Shopfront drawing", "1", "1850.00", "0"), ("Signs, enamel", "4", "700.00", "0")),
        8,
        paid(USDT, 5, "part"),
        due_days=21,
    ),
    Bill(
        MARLOW,
        "Brochure reprint",
        (("Brochure, 500 copies", "500", "2.40", "0"),),
        6,
        ((0, "publish", ""), (4, "sweep", "")),
        issue_days=2,
        due_days=3,
    ),
    Bill(
        LINDQVIST,
        "Wayfinding, ground floor",
        (("Sign family", "1", "2480.00", "23"), ("Site visit, per day", "2", "560.00", "23")),
        3,
        paid(USDT, 99, "slow"),
    ),
    Bill(
        ANA,
        "Brand identity, phase 2",
        (
            ("Logo and wordmark", "1", "1800.00", "23"),
            ("Colour and type system", "1", "1125.00", "23"),
            ("Stationery, per piece", "6", "92.50", "23"),
        ),
        1,
        ((0, "publish", ""), (0.2, "view", "")),
    ),
    Bill(NORDLICHT, "Festival trailer, end card", (("End card", "1", "950.00", "23"),), 0.02, issue_days=9, due_days=23),
    Bill(MISTRAL, "Winter menu", (("Menu, two pages", "1", "420.00", "23"),), 0.01, (), due_days=None),
)


class Story:
    def __init__(self, merchant: Merchant, user: User, *, now: datetime) -> None:
        self.merchant, self.user, self.now = merchant, user, now
        self.written: dict[str, int] = {}

    def tell(self) -> None:
        """Everything in the order in which it happened; mail goes out as it went out then."""
        for at, act in sorted(self._agenda(), key=lambda step: step[0]):
            self._remind(at)
            act(at)
            self._send(at)
        self._remind(self.now)

    def _remind(self, until: datetime) -> None:
        """What beat would have sent by then, each at its own time."""
        while due := Reminder.objects.filter(state=Reminder.State.PLANNED, send_at__lte=until).order_by("send_at").first():
            reminders.run_due(now=due.send_at)
            self._send(due.send_at)

    def _send(self, at: datetime) -> None:
        while fanout.run(at).events:
            pass
        while courier.round_of(Channel.EMAIL, now=at):
            pass

    def _agenda(self) -> Iterator[tuple[datetime, Callable[[datetime], None]]]:
        for bill in BILLS:
            began = self._moment(bill)
            yield began, partial(self._write, bill)
            for number, (days, act, with_what) in enumerate(bill.acts, start=1):
                at = min(began + timedelta(days=days, seconds=number), self.now - timedelta(minutes=4))
                yield max(at, began), partial(self._act, bill, act, with_what)
        yield from self._recurring()
        yield from Back(self.user, self.now, self._invoice).steps()

    def _recurring(self) -> Iterator[tuple[datetime, Callable[[datetime], None]]]:
        merchant, pay = self.merchant, lambda invoice, at: self._pay(invoice, USDT, at, act="exact")
        retainer, hours = ("Studio retainer, {period}", "1", "2400.00", "0"), ("Bench time, {period}", "8", "65.00", "0")
        yield from Tale(merchant, self.user, self.now, ZONE, pay).steps(
            plan_of(merchant, MARLOW, "Studio retainer, {month}", (_line(retainer, "EUR"),), due_after_days=14),
            plan_of(merchant, OKONKWO, "Workshop hours", (_line(hours, "EUR"),), due_after_days=7),
        )

    def _act(self, bill: Bill, act: str, with_what: str, at: datetime) -> None:
        getattr(self, f"_{act}")(self._invoice(bill.title), with_what, at)

    def _invoice(self, title: str) -> Invoice:
        return Invoice.objects.select_related("merchant").get(pk=self.written[title])

    def _moment(self, bill: Bill) -> datetime:
        if bill.days_ago < 1:
            return (self.now - timedelta(days=bill.days_ago)).replace(second=0, microsecond=0)
        zone = ZoneInfo(ZONE)
        day = self.now.astimezone(zone).date() - timedelta(days=int(bill.days_ago))
        return datetime.combine(day, time.fromisoformat(bill.hour), tzinfo=zone).astimezone(self.now.tzinfo)

    # --- what people do --------------------------------------------------------------------------------------
    def _write(self, bill: Bill, at: datetime) -> None:
        name, email, address, tax_id = bill.payer
        content = authoring.Content(
            payer_name=name,
            payer_email=email,
            payer_address=address,
            payer_tax_id=tax_id,
            payer_reference="",
            merchant_name=self.merchant.name,
            merchant_email=self.merchant.email,
            title=bill.title,
            description="",
            currency=bill.currency,
            prices_include_tax=False,
            lines=tuple(_line(line, bill.currency) for line in bill.lines),
            all_assets=True,
            asset_ids=(),
            issue_at=None if bill.issue_days is None else at + timedelta(days=bill.issue_days),
            due_at=None if bill.due_days is None else at + timedelta(days=bill.due_days),
            notify_email=True,
            notify_webhook=True,
            remind=True,
        )
        draft = authoring.save_draft(
            None, merchant=self.merchant, by=self.user, version=0, cleaned=content, form_key=secrets.token_urlsafe(16), now=at
        )
        self.written[bill.title] = draft.pk

    def _publish(self, invoice: Invoice, _what: str, at: datetime) -> None:
        lifecycle.publish(invoice, by=self.user, version=invoice.version, now=at)

    def _view(self, invoice: Invoice, _what: str, at: datetime) -> None:
        lifecycle.viewed(invoice, now=at)

    def _void(self, invoice: Invoice, reason: str, at: datetime) -> None:
        lifecycle.void(invoice, by=self.user, reason=reason, now=at)

    def _record(self, invoice: Invoice, amount: str, at: datetime) -> None:
        """A part came by bank, and is written down."""
        told = {"way": "bank", "note": "Deposit, as agreed by telephone", "form_key": secrets.token_urlsafe(16)}
        recorded.record(invoice, amount_minor=money.parse_minor(amount, invoice.currency), paid_at=at, by=self.user, now=at, **told)

    def _sweep(self, invoice: Invoice, _what: str, at: datetime) -> None:
        """The worker looks for what is due: this one too late, as after an outage of days."""
        lifecycle.issue_due(invoice.pk, now=at)

    def _exact(self, invoice: Invoice, asset: str, at: datetime) -> None:
        self._pay(invoice, asset, at, act="exact")

    def _over(self, invoice: Invoice, asset: str, at: datetime) -> None:
        self._pay(invoice, asset, at, act="over")

    def _part(self, invoice: Invoice, asset: str, at: datetime) -> None:
        self._pay(invoice, asset, at, act="part")

    def _pay(self, invoice: Invoice, asset: str, at: datetime, *, act: str) -> None:
        """Quote, pay, and as many blocks as it takes to be final."""
        quote = quotes.ask(invoice, asset, now=at)
        sandbox.provoke(quote, act, now=at + BLOCK)
        watcher.read(sandbox.NETWORK, now=at + BLOCK)
        for block in range(2, 2 + quote.asset.network.confirmations):
            sandbox.mine(now=at + BLOCK * block)
            watcher.read(sandbox.NETWORK, now=at + BLOCK * block)

    def _slow(self, invoice: Invoice, asset: str, at: datetime) -> None:
        """Quote and pay, into the pool of a slow network: seen, and confirming for a while."""
        quote = quotes.ask(invoice, asset, now=at)
        sandbox.pay(quote.receive_address.address, asset, quote.amount_units, now=at, after_blocks=STAYS_CONFIRMING)
        watcher.read(sandbox.NETWORK, now=at + BLOCK)


def _line(line: Line, currency: str) -> authoring.WrittenLine:
    what, quantity, price, tax = line
    rate = money.parse_scaled(tax, 4)
    counted = totals.Line(money.parse_scaled(quantity, 4), money.parse_minor(price, currency), tax_name="VAT" if rate else "", tax_e4=rate)
    return authoring.WrittenLine(what, counted)


class Command(BaseCommand):
    help = "Fill a demo with a studio, its payers, and invoices in every state. Once; refused outside the demo."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.SANDBOX_OPEN:
            raise CommandError("Demo data belongs to the demo. This installation is for real money (SANDBOX_OPEN is off).")
        if Merchant.objects.filter(slug=SLUG).exists():
            return
        now = clock.now()
        with transaction.atomic():
            user = _person(DEMO, "Inês Matos")
            _person(OPERATOR, "Operator", is_staff=True, is_superuser=True)
            merchant = found_studio(user, now=now - timedelta(days=180))
            Story(merchant, user, now=now).tell()
        self.stdout.write(f"The demo is filled: {merchant.name}, {merchant.invoices.count()} invoices.")


def _person(email: str, name: str, **rights: bool) -> User:
    user = User.objects.filter(email=email).first() or User.objects.create_user(email, PASSWORD, name=name, **rights)
    EmailAddress.objects.get_or_create(user=user, email=email, defaults={"verified": True, "primary": True})
    return user


def found_studio(user: User, *, now: datetime) -> Merchant:
    merchant = onboarding.found(name="Harbour & Pine", email="studio@harbourpine.example", user=user, now=now, time_zone=ZONE)
    looks = {
        "address": "Rua da Boavista 84\n1200-068 Lisboa\nPortugal",
        "tax_id": "PT 514 207 883",
        "brand_color": "#0B5563",
        "footer": "Harbour & Pine, Lda. · Thank you for working with us.",
    }
    profile.change(merchant, values=looks, by=user, now=now)
    reminder_rules.change(merchant, days=reminder_rules.SUGGESTED, by=user, now=now)
    return merchant
