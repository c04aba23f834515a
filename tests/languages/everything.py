"""All that a payer can be shown or sent, made once each in one language: pages at every stage, the papers, the mails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import translation

from invoicing import lifecycle, reminders
from invoicing.models import Invoice, Status
from invoicing.pdf import NotMade, credit, paper
from merchants.models import Merchant, User
from notifications import fanout
from notifications.mail import emails, lost
from notifications.models import Delivery
from notifications.plans import TO_PAYERS
from notifications.transports import Withheld
from payments import claims, rates, recorded, refunds
from payments.models import Claim, Quote, Refund
from payments.rails import sandbox
from payments.rates.sandbox import FixedRates
from tests.factories import make_draft, make_merchant
from tests.payments.live import BTC, HASH, USDT, LiveStory
from tests.payments.live import ETH as COIN
from tests.payments.live import seller as live_seller
from tests.payments.money import ETH, Story
from tests.payments.refunding import RefundStory, payers_address

WORDS = {
    "payer_name": "Άννα Δούκα",
    "title": "Ταυτότητα, φάση 2",
    "description": "Δεύτερη από τρεις φάσεις.",
    "payer_address": "Οδός 5\nΑθήνα",
    "payer_reference": "ΠΑΡ-7",
}
BUSINESS = {"name": "Λιμάνι & Πεύκο", "address": "Προβλήτα 14\nΠειραιάς", "footer": "Ευχαριστούμε πολύ."}


@dataclass(frozen=True)
class Shown:
    name: str
    text: str
    is_page: bool = True


class Teller:
    """Tells its stories in `language`; `set_clock` makes the web process read a story's clock."""

    def __init__(self, language: str, set_clock: Callable[[Any], None], monkeypatch: Any, asked: set[str] | None = None) -> None:
        self.asked = set() if asked is None else asked
        self.language, self.set_clock, self.monkeypatch, self.count = language, set_clock, monkeypatch, 0
        self.written = 0  # the delivery that was written last
        self.told: set[str] = set()  # the kinds of mail
        self.browser = Client(headers={"accept-language": language})

    # --- who and what -------------------------------------------------------------------------------------------
    def business(self, **fields: Any) -> Merchant:
        self.count += 1
        return make_merchant(slug=f"limani-{self.count}", **BUSINESS, language=self.language, **fields)

    def story(self, kind: type[Any] = Story, **fields: Any) -> Any:
        merchant = fields.pop("merchant", None) or self.business(**fields.pop("business", {}))
        made = kind(merchant, language=self.language, **WORDS, **fields)
        self.set_clock(made)
        self.now = lambda: made.now
        return made

    def live(self, **options: Any) -> LiveStory:
        self.count += 1
        return self.story(LiveStory, merchant=live_seller(f"limani-{self.count}", **BUSINESS, language=self.language, **options))

    def page(self, name: str, url: str, data: dict[str, str] | None = None, *, follow: bool = True) -> Shown:
        response: Any = self.browser.get(url, follow=follow) if data is None else self.browser.post(url, data, follow=follow)
        return Shown(f"{name}: {response.status_code}", response.content.decode())

    def both(self, name: str, story: Any, query: str = "") -> Iterator[Shown]:
        for view in ("public_invoice", "checkout"):
            yield self.page(f"{name}, {view}", reverse(view, args=[story.invoice.public_id]) + query)
        yield from self.mails()

    # --- pages --------------------------------------------------------------------------------------------------
    def pages(self) -> Iterator[Shown]:
        for told in (self.paying, self.parts, self.ends, self.held, self.live_checkout, self.returning, self.without_an_invoice, self.reminded):
            yield from told()

    def paying(self) -> Iterator[Shown]:
        story = self.story()
        yield from self.both("open", story)
        act = [story.invoice.public_id]
        yield self.page("a token that is not offered", reverse("checkout_quote", args=act), {"asset": "nothing"})
        story.quote()
        yield from self.both("quoted", story)
        yield self.page("choosing again", reverse("checkout", args=act) + "?choose")
        yield self.page("no transaction id", reverse("checkout_sent", args=act), {"txid": "what is this"})
        yield self.page("said to be paid", reverse("checkout_sent", args=act), {"txid": ""})
        story.now += timedelta(hours=1)
        yield from self.both("expired", story)
        for scenario in sandbox.SCENARIOS:
            story.quote()
            yield self.page(f"sandbox: {scenario}", reverse("checkout_sandbox", args=act), {"act": scenario})
        story = self.story()
        story.pay()
        story.look()
        yield from self.both("seen", story)
        story.blocks(1)
        yield from self.both("confirming", story)
        story.blocks(4)
        yield from self.both("paid", story)
        yield self.page("paid already", reverse("checkout_quote", args=[story.invoice.public_id]), {"asset": ETH})
        story.now += timedelta(days=30)
        late = self.story()
        late.now += timedelta(days=30)
        yield from self.both("overdue", late)

    def parts(self) -> Iterator[Shown]:
        story = self.story()
        quote = story.quote()
        story.pay(units=quote.amount_units // 2, quote=quote)
        story.look()
        yield from self.both("a part is seen", story)
        story.blocks(4)
        yield from self.both("a part", story)
        recorded.record(
            story.fresh(), way="bank", amount_minor=1_000, paid_at=story.now, note="", form_key="k" * 43, by=self.owner(story), now=story.now
        )
        yield from self.both("a part by hand", story)
        lifecycle.void(story.fresh(), by=None, reason="Λάθος ποσό", now=story.now)
        yield from self.both("void with money", story)
        story = self.story()
        story.pay(units=162_900_000)
        story.blocks(4)
        yield from self.both("too much", story)

    def ends(self) -> Iterator[Shown]:
        story = self.story()
        lifecycle.void(story.fresh(), by=None, reason="Λάθος ποσό", now=story.now)
        yield from self.both("void", story)
        yield self.page("nothing to pay", reverse("checkout_quote", args=[story.invoice.public_id]), {"asset": ETH})
        story.invoice = make_draft(story.invoice.merchant, status=Status.MISSED, language=self.language, **WORDS)
        yield from self.both("missed", story)
        story = self.story()

        def not_made(*_args: Any, **_options: Any) -> Any:
            raise NotMade(translation.gettext("It was begun, and not finished."))

        with self.monkeypatch.context() as patch:
            patch.setattr("invoicing.pdf.ensure", not_made)
            yield self.page("no PDF yet", reverse("public_pdf", args=[story.invoice.public_id]))

    def held(self) -> Iterator[Shown]:
        story = self.story(business={"late_policy": "hold"})
        sandbox.provoke(story.quote(), "late", now=story.now)
        story.blocks(3)
        yield from self.both("held, late", story)
        story = self.story(business={"late_policy": "hold"})
        sandbox.pay(story.quote().receive_address.address, ETH, 10**16, now=story.now)
        Quote.objects.filter(invoice=story.invoice).update(locked_until=story.now)
        story.blocks(3)
        yield from self.both("held, unasked", story)
        story = self.story()
        quote = story.quote()
        with self.monkeypatch.context() as patch:
            patch.setitem(rates.sources, "sandbox", [FixedRates({"USDT": Decimal("0.5")})])
            story.now += timedelta(hours=3)
            story.pay(quote=quote)
            story.blocks(3)
        yield from self.both("a late part", story)

    def live_checkout(self) -> Iterator[Shown]:
        story = self.live()
        yield from self.both("live", story)
        for asset in (USDT, COIN, BTC):
            story.quote(asset)
            yield self.page(f"quoted in {asset}", reverse("checkout", args=[story.invoice.public_id]))
        story.quote(USDT)
        yield self.page("a transaction is named", reverse("checkout_sent", args=[story.invoice.public_id]), {"txid": HASH})
        fixed = self.live(fixed=True)
        fixed.quote(USDT)
        yield from self.both("at a fixed address", fixed)
        yield self.page("said at a fixed address", reverse("checkout_sent", args=[fixed.invoice.public_id]), {"txid": ""})

    def returning(self) -> Iterator[Shown]:
        story = self.story(RefundStory)
        refund = story.ask(reason="Δεν χρειάστηκε.")
        yield from self.refund_page("address wanted", refund)
        wrong = {
            "nothing": ("", ""),
            "a key": ("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318", ""),
            "no address": ("0x12", "0x12"),
            "another ending": (payers_address(), "zzzz"),
        }
        for name, (address, last) in wrong.items():
            yield self.page(f"refund, {name}", self.link(refund), {"address": address, "last": last})
        address = payers_address()
        yield self.page("address given", self.link(refund), {"address": address, "last": address[-4:], "is_mine": "1"})
        claim = Claim.objects.get(refund=refund)
        second = reverse("refund_confirm", args=[claims.confirm_token(claim)])
        yield from self.mails()
        yield self.page("is it yours", second)
        yield self.page("it is", second, {})
        yield self.page("start again", reverse("refund_claim_again", args=[claims.link_token(Refund.objects.get(pk=refund.pk))]), {})
        yield self.page("a replaced confirmation", second)
        refund.refresh_from_db()
        story.claim(refund)
        refund = story.approve(refund)
        yield from self.refund_page("approved", refund)
        yield self.page("too late to change", reverse("refund_claim_again", args=[claims.link_token(refund)]), {})
        story.send(refund)
        story.blocks(1)
        yield from self.refund_page("sent", refund)
        story.blocks(9)
        yield from self.refund_page("arrived", refund)
        yield from self.both("refunded", story)
        yield from self.other_refunds()

    def other_refunds(self) -> Iterator[Shown]:
        story = self.story(RefundStory)
        old = story.ask("fiat")
        yield from self.refund_page("fixed later", old)
        token = claims.link_token(old)
        refunds.cancel(old, why="", by=story.owner, now=story.now)
        yield from self.refund_page("called off", old)
        rejected = story.claim(story.ask())
        refunds.reject(rejected, why="", by=story.owner, now=story.now)
        yield from self.refund_page("rejected", rejected)
        lapsed = story.ask()
        story.now = lapsed.claim_until + timedelta(days=1)
        yield from self.refund_page("lapsed", lapsed)
        yield self.page("a new link", reverse("refund_claim_again", args=[claims.link_token(lapsed)]), {})
        yield self.page("a replaced link", reverse("refund_claim", args=[token]))

    def without_an_invoice(self) -> Iterator[Shown]:
        yield self.page("no such refund", reverse("refund_claim", args=["nonsense"]))
        yield self.page("no such invoice", reverse("checkout", args=["nonsense"]))
        yield self.page("lost my link", reverse("lost"))
        yield self.page("lost, no address", reverse("lost"), {"email": "?"})
        yield self.page("lost, asked", reverse("lost"), {"email": "anna@example.com"})

    def reminded(self) -> Iterator[Shown]:
        """Before it is due, on the day and after; then the links are lost."""
        story, owner = self.story(), self.owner
        yield from self.mails()
        for days in (11, 3, 1, 1):
            story.now += timedelta(days=days)
            reminders.remind(story.fresh(), by=owner(story), now=story.now)
            yield from self.mails()
        lost.ask(story.invoice.payer_email, now=story.now)
        yield from self.mails()

    @staticmethod
    def owner(story: Any) -> User:
        return story.invoice.merchant.memberships.get(role="owner").user

    def link(self, refund: Refund) -> str:
        return reverse("refund_claim", args=[claims.link_token(Refund.objects.get(pk=refund.pk))])

    def refund_page(self, name: str, refund: Refund) -> Iterator[Shown]:
        yield self.page(f"refund, {name}", self.link(refund))
        yield from self.mails()

    # --- papers and mails ---------------------------------------------------------------------------------------
    def papers(self) -> Iterator[Shown]:
        with translation.override(self.language):
            for invoice in Invoice.objects.exclude(number=""):
                yield Shown(f"PDF of {invoice.number}", paper.html(invoice, "invoice"))
                if invoice.status == Status.PAID:
                    yield Shown(f"receipt of {invoice.number}", paper.html(invoice, "receipt"))
            for refund in Refund.objects.exclude(credit_note=None):
                yield Shown("credit note", credit.html(refund.credit_note))

    def mails(self) -> Iterator[Shown]:
        """What has come to wait for payers since it was asked last."""
        now = self.now()
        while fanout.run(now).events:
            pass
        for delivery in Delivery.objects.filter(template__in=TO_PAYERS, pk__gt=self.written).order_by("id"):
            self.written, before = delivery.pk, set(self.asked)
            try:
                letter = emails.write(delivery, now=now)
            except Withheld:
                self.asked.intersection_update(before)  # why is said to members, in the language of their pages
                continue
            self.told.add(delivery.template)
            name = f"mail {delivery.template} {delivery.pk}"
            yield from (Shown(f"{name}, subject", letter.subject, is_page=False), Shown(f"{name}, text", letter.text, is_page=False))
            yield Shown(f"{name}, HTML", letter.html)
