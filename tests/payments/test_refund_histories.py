"""Random histories of one invoice: payments in parts, late and too much, blocks taken back, payments written down and reversed,
refunds through all their states. After each step the sums are those of a second calculator, on paper."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.db import transaction

from invoicing import lifecycle
from invoicing.models import CreditNote, Status
from merchants import assets
from merchants.models import Merchant
from payments import claims, recorded, refunds
from payments.models import Quote, RecordedPayment, Refund, RefundShare, SandboxTransaction, Transfer
from payments.rails import sandbox
from payments.refunds import Refused, Terms
from payments.shares import CannotRefund
from tests.payments.money import BTC, ETH, USDT
from tests.payments.paper import Back, Paid, Paper, Refusal, Token
from tests.payments.refunding import RefundStory, payers_address

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]  # the rules are the same on both databases, and it is the longest test there is

HISTORIES, SHORTEST, LONGEST = 80, 4, 13
MOVING = ("requested", "claimed", "approved", "sent", "expired")
TOKENS = {
    USDT: Token(6, 2, Fraction("0.01"), Fraction("0.920810313076")),
    ETH: Token(18, 8, Fraction("0.00001"), Fraction("3208.10313076")),
    BTC: Token(8, 8, Fraction("0.00000546"), Fraction("94861.878453")),
}


class History:
    """One invoice in the product and on paper, and the dice."""

    def __init__(self, merchant: Merchant, seed: int) -> None:
        self.dice = random.Random(seed)
        self.story = RefundStory.__new__(RefundStory)
        price = self.dice.choice(["100.00", "33.33", "1250.00"])
        super(RefundStory, self.story).__init__(merchant, price=price)
        self.story.merchant, self.story.number = merchant, 0
        self.story.owner, self.story.second = [row.user for row in merchant.memberships.order_by("id")[:2]]
        self.paper = Paper(self.story.invoice.total_minor, TOKENS)
        self.rows: dict[int, Any] = {}  # a payment's key in the product, by its order on paper
        self.refunds: list[Refund] = []
        self.asked: list[Terms] = []  # of each
        self.refused: list[str] = []  # transactions that a member has said to be no refund
        self.approvals = 0
        self.happened: Counter[str] = Counter()

    def begin(self) -> None:
        """Most invoices are paid, or a part of it is, before anything goes back."""
        if self.dice.random() < 0.8:
            self.pay()
            self.mine(3)
            self.look()
            self.compare("the beginning")
        if self.dice.random() < 0.3 and self.paper.paid:
            self.go_back_in_pieces()

    def go_back_in_pieces(self) -> None:
        """More comes after a piece of it has gone back, so that less of that was billed; then the last piece is taken back."""
        for _piece in range(2):
            asked = len(self.refunds)
            self.ask_for(Terms("other", assets.asset(USDT), frozenset(self.rows.values()), other_minor=self.paper.left // 2))
            for step in (self._claim, self._approve, self._send) if len(self.refunds) > asked else ():
                step(Refund.objects.get(pk=self.refunds[-1].pk), self.paper.back[-1])
            self.mine(3)
            self.look()
            self.by_hand()
            self.compare("a piece")
        if self.refunds:
            self._lose(self.refunds[-1], self.paper.back[-1])
            self.compare("a piece lost")

    def step(self) -> None:
        states = [back.status for back in self.paper.back]
        is_out = any(state in ("sent", "confirmed") for state in states)
        is_moving = any(state in MOVING for state in states)
        acts = [self.pay] * (2 if self.paper.due else 1) + [self.by_hand, self.blocks, self.blocks, self.reverse, self.void, self.come_back]
        acts += [self.reorg] * (3 if is_out else 1) + [self.ask] * (3 if is_moving or not self.paper.left else 12)
        act = self.dice.choice(acts + [self.move] * (22 if is_moving else 0))
        self.story.now += timedelta(seconds=1)
        act()
        self.happened[act.__name__] += 1
        self.compare(act.__name__)

    # --- money that comes -----------------------------------------------------------------------------------------
    def pay(self) -> None:
        """Exactly, in part, too much; also late, and on an invoice that asks for nothing any more."""
        token = self.dice.choice([USDT, USDT, ETH])
        if self.story.fresh().due_minor:
            quote = self.story.quote(token)
            assert quote.fiat_minor == self.paper.due
        else:
            found = Quote.objects.filter(invoice=self.story.invoice).order_by("-created_at", "-id").first()
            if found is None:
                return
            quote = found
        if self.dice.random() < 0.15:
            self.story.now += timedelta(hours=2)
        units = quote.amount_units if self.dice.random() < 0.4 else int(quote.amount_units * self.dice.uniform(0.2, 1.6))
        txid = self.story.pay(units=units, quote=quote)
        value = quote.fiat_minor if units == quote.amount_units else int(Fraction(units * quote.fiat_minor, quote.amount_units))
        self.paper.chain.waiting.add(txid)
        order = len(self.paper.paid)
        self.paper.paid.append(Paid(order, value, quote.asset_id, units, txid))
        self.look()
        self.rows[order] = ("transfer", Transfer.objects.get(txid=txid).pk)

    def by_hand(self) -> None:
        if self.story.fresh().status == Status.VOID:
            return
        minor, order = self.dice.randint(1, self.paper.total), len(self.paper.paid)
        values = {"way": "cash", "paid_at": self.story.now, "note": "", "by": None, "now": self.story.now}
        payment = recorded.record(self.story.invoice, amount_minor=minor, form_key=f"{order:043d}", **values)
        self.paper.paid.append(Paid(order, minor))
        self.rows[order] = ("payment", payment.pk)

    def reverse(self) -> None:
        standing = [one for one in self.paper.paid if not one.txid and not one.is_reversed]
        if standing:
            one = self.dice.choice(standing)
            one.is_reversed = True
            recorded.reverse(RecordedPayment.objects.get(pk=self.rows[one.order][1]), by=None, now=self.story.now)

    def void(self) -> None:
        if self.story.fresh().status == Status.OPEN and self.dice.random() < 0.2:
            lifecycle.void(self.story.invoice, by=None, reason="Agreed", now=self.story.now)
            self.paper.is_void = True

    # --- the chain ------------------------------------------------------------------------------------------------
    def look(self) -> None:
        self.paper.look(self.story.now)
        self.story.look()

    def blocks(self) -> None:
        self.mine(self.dice.randint(1, 4))
        self.look()

    def mine(self, count: int) -> None:
        for _block in range(count):
            self.paper.chain.mine()
            self.story.now += timedelta(seconds=5)
            sandbox.mine(now=self.story.now)

    def reorg(self) -> None:
        depth = min(self.dice.randint(1, 5), len(self.paper.chain.blocks) - 1)
        known = [one.txid for one in self.paper.paid if one.txid] + [back.txid for back in self.paper.back if back.txid]
        inside = [txid for txid in known if 0 < (self.paper.chain.depth(txid) or 0) <= depth]
        if not depth:
            return
        sent = [txid for txid in inside if any(txid == back.txid for back in self.paper.back)]
        gone = self.dice.choice(sent or inside) if inside and self.dice.random() < 0.6 else None
        self.replace(depth, gone)

    def replace(self, depth: int, gone: str | None) -> None:
        """Other blocks instead of the top ones: without `gone`."""
        self.paper.chain.reorg(depth, gone)
        sandbox.reorg(depth, now=self.story.now, drop=[gone] if gone else [])
        self.look()

    def come_back(self) -> None:
        """What a reorg dropped is broadcast again."""
        known = [one.txid for one in self.paper.paid if one.txid] + [back.txid for back in self.paper.back if back.txid] + self.refused
        lost = [txid for txid in known if self.paper.chain.depth(txid) is None]
        if lost:
            txid = self.dice.choice(lost)
            self.paper.chain.waiting.add(txid)
            SandboxTransaction.objects.filter(txid=txid).update(dropped=False, block_height=None)
            self.look()

    # --- refunds --------------------------------------------------------------------------------------------------
    def terms(self, but: Back | None) -> tuple[Terms, Back | None]:
        basis = self.dice.choice(["paid", "today", "fiat", "surplus", "surplus", "other", "other"])
        token = self.dice.choice([USDT, USDT, ETH, BTC])
        cut = self.dice.choice([0, 0, 25_000, 333_333, 500_000])
        chosen = self.paper.paid if self.dice.random() < 0.6 else self.dice.sample(self.paper.paid, self.dice.randint(1, len(self.paper.paid)))
        other = self.dice.randint(1, max(self.paper.left * 5 // 4, 2))
        keys = frozenset(self.rows[one.order] for one in chosen)
        terms = Terms(basis, assets.asset(token), keys, other_minor=other, deduction_e4=cut)
        return terms, self.worked(terms, but)

    def worked(self, terms: Terms, but: Back | None) -> Back | None:
        """What they come to on paper; None for nothing."""
        chosen = [one for one in self.paper.paid if self.rows[one.order] in terms.keys]
        try:
            return self.paper.terms(terms.basis, terms.asset.id, chosen, other=terms.other_minor, cut=terms.deduction_e4, but=but)
        except Refusal:
            return None

    def ask(self) -> None:
        if not self.paper.paid:
            return
        self.ask_for(self.terms(None)[0])

    def ask_for(self, terms: Terms) -> None:
        expected = self.worked(terms, None) if self.paper.left else None
        form_key = f"{len(self.refunds)}-{self.story.now.isoformat()}"
        try:
            found = refunds.request(self.story.fresh(), terms, form_key=form_key, by=self.story.owner, now=self.story.now)
        except (Refused, CannotRefund):
            assert expected is None, f"refused {terms} that the paper allows"
            self.happened["refused to ask"] += 1
            return
        assert expected is not None, f"allowed {terms} that the paper refuses"
        self.refunds.append(found)
        self.asked.append(terms)
        self.paper.back.append(expected)

    def move(self) -> None:
        moving = [at for at, back in enumerate(self.paper.back) if back.status in MOVING]
        at = self.dice.choice(moving)
        refund, back = Refund.objects.get(pk=self.refunds[at].pk), self.paper.back[at]
        ways = {
            "requested": [self._claim] * 6 + [self._change, self._reword, self._cancel, self._expire],
            "claimed": [self._approve] * 6 + [self._restart, self._change, self._reword, self._cancel, self._reject],
            "approved": [self._send] * 12 + [self._restart, self._change, self._reword, self._cancel],
            "sent": [self._deepen] * 4 + [self._lose] * 2 + [self._unsend, self._fail],
            "expired": [self._renew],
        }.get(back.status)
        if ways:
            way = self.dice.choice(ways)
            self.happened[way.__name__] += 1
            way(refund, back)

    def _claim(self, refund: Refund, back: Back) -> None:
        address = payers_address(refund.pk)
        if self.dice.random() < 0.3:
            claims.enter(refund, address=address, by=self.story.owner, now=self.story.now)
        else:
            self.story.claim(refund, address=address)
        back.status = "claimed"

    def _approve(self, refund: Refund, back: Back) -> None:
        if self.paper.is_short(back):
            with pytest.raises(Refused, match="does not count any more"):
                self.story.approve(refund)
            return
        self.story.approve(refund)
        self.approvals += 1
        back.status, back.approved = "approved", self.approvals
        if back.units is None:
            back.units = self.paper.tokens[back.token].units(back.amount)

    def _send(self, refund: Refund, back: Back) -> None:
        back.txid = self.story.send(refund)
        self.paper.chain.waiting.add(back.txid)
        back.status = "sent"
        self.look()

    def _deepen(self, _refund: Refund, _back: Back) -> None:
        self.mine(3)
        self.look()

    def _lose(self, _refund: Refund, back: Back) -> None:
        """Its block is replaced by one without it."""
        if self.paper.chain.depth(back.txid) is not None:
            self.mine(1)
            self.look()
            self.replace(self.paper.chain.depth(back.txid) or 1, back.txid)

    def _unsend(self, refund: Refund, back: Back) -> None:
        if self.paper.chain.depth(back.txid) is not None:
            with pytest.raises(Refused, match="The network shows exactly this payment"):
                refunds.unsent(refund, by=self.story.owner, now=self.story.now)
            return
        refunds.unsent(refund, by=self.story.owner, now=self.story.now)
        self.refused.append(back.txid)
        back.status, back.txid = "approved", ""

    def _fail(self, refund: Refund, back: Back) -> None:
        if self.paper.chain.depth(back.txid) is not None:
            with pytest.raises(Refused, match="The network shows this payment"):
                refunds.fail(refund, why="Lost", by=self.story.owner, now=self.story.now)
            return
        refunds.fail(refund, why="Lost", by=self.story.owner, now=self.story.now)
        back.status = "failed"

    def _restart(self, refund: Refund, back: Back) -> None:
        by = self.dice.choice([None, self.story.owner])
        if by is None and back.status == "approved":
            with pytest.raises(Refused, match="may be on its way"):
                refunds.restart(refund, by=by, now=self.story.now)
            return
        refunds.restart(refund, by=by, now=self.story.now)
        back.status = "requested"
        if refund.basis == "fiat":
            back.units = None

    def _change(self, refund: Refund, back: Back) -> None:
        self._changed(refund, back, *self.terms(back))

    def _reword(self, refund: Refund, back: Back) -> None:
        """As it was asked for, for another reason. What that comes to may have become something else since."""
        terms = replace(self.asked[self.paper.back.index(back)], reason=f"Reason {refund.version}")
        self._changed(refund, back, terms, self.worked(terms, back))

    def _changed(self, refund: Refund, back: Back, terms: Terms, expected: Back | None) -> None:
        at = self.paper.back.index(back)
        was, self.asked[at] = self.asked[at], terms
        try:
            refunds.change(refund, terms, by=self.story.owner, version=refund.version, now=self.story.now)
        except (Refused, CannotRefund):
            assert expected is None
            self.asked[at] = was
            return
        assert expected is not None
        asked = (was.basis, was.asset, was.deduction_e4, back.amount, back.takes)
        if asked == (terms.basis, terms.asset, terms.deduction_e4, expected.amount, expected.takes) and terms.reason != was.reason:
            self.happened["only words"] += 1
            return
        back.token, back.amount, back.units, back.takes = expected.token, expected.amount, expected.units, expected.takes
        back.status = "claimed" if back.status == "approved" else back.status

    def _cancel(self, refund: Refund, back: Back) -> None:
        refunds.cancel(refund, why="", by=self.story.owner, now=self.story.now)
        back.status = "cancelled"

    def _reject(self, refund: Refund, back: Back) -> None:
        refunds.reject(refund, why="No", by=self.story.second, now=self.story.now)
        back.status = "rejected"

    def _expire(self, refund: Refund, back: Back) -> None:
        Refund.objects.filter(pk=refund.pk).update(claim_until=self.story.now)
        assert refunds.expire_due(now=self.story.now) == 1
        back.status = "expired"

    def _renew(self, refund: Refund, back: Back) -> None:
        fits = all(self.paper.left_of(one) >= back.takes[one.order] for one in self.paper.paid if one.order in back.takes)
        if not fits:
            with pytest.raises(Refused, match="has gone back otherwise since"):
                refunds.renew(refund, by=self.story.owner, now=self.story.now)
            return
        refunds.renew(refund, by=self.story.owner, now=self.story.now)
        back.status = "requested"

    # --- both say the same ----------------------------------------------------------------------------------------
    def compare(self, act: str) -> None:
        invoice, paper = self.story.fresh(), self.paper
        there = (invoice.status, invoice.credited_minor, invoice.pending_minor, invoice.due_minor, invoice.is_overpaid)
        assert there == (paper.status, paper.credited, paper.pending, paper.due, paper.is_overpaid), act
        back = (invoice.refunded_minor, invoice.returning_minor, invoice.shortfall_minor, invoice.left_minor)
        assert back == (paper.refunded, paper.returning, paper.short, paper.left), act
        assert invoice.left_minor == invoice.credited_minor - invoice.refunded_minor - invoice.returning_minor + invoice.shortfall_minor
        rows = {row.pk: row for row in Refund.objects.filter(invoice=invoice).select_related("credit_note")}
        takes: dict[int, dict[Any, int]] = {pk: {} for pk in rows}
        for share in RefundShare.objects.filter(refund__in=rows):
            key = ("transfer", share.transfer_id) if share.transfer_id else ("payment", share.payment_id)
            takes[share.refund_id][key] = share.minor
        for refund, expected in zip(self.refunds, paper.back, strict=True):
            row = rows[refund.pk]
            assert (row.status, row.amount_minor, row.asset_id, row.amount_units) == (
                expected.status,
                expected.amount,
                expected.token,
                expected.units,
            ), act
            held = row.credit_note if row.credit_note and row.credit_note.withdrawn_at is None else None
            assert (held.amount_minor if held else 0) == expected.note, act
            assert held is None or held.paid_back["txid"] == expected.txid, act
            assert takes[row.pk] == {self.rows[order]: minor for order, minor in expected.takes.items()}, act
        holding = CreditNote.objects.filter(invoice=invoice, withdrawn_at=None)
        assert sum(note.amount_minor for note in holding) == paper.notes, act


def test_random_histories_keep_the_books_of_the_second_calculator(merchant: Merchant, manager: Any) -> None:
    happened: Counter[str] = Counter()
    reached: Counter[str] = Counter()
    for seed in range(HISTORIES):
        with transaction.atomic():
            history = History(merchant, seed)
            try:
                history.begin()
                for _step in range(history.dice.randint(SHORTEST, LONGEST)):
                    history.step()
            except AssertionError as error:
                raise AssertionError(f"history {seed}, {sum(history.happened.values())} steps in: {error}") from error
            happened += history.happened
            reached += Counter(Refund.objects.filter(invoice=history.story.invoice).values_list("status", flat=True))
            reached["short"] += bool(history.paper.short)
            reached["note"] += bool(history.paper.notes)
            reached["only words"] += history.happened["only words"]
            transaction.set_rollback(True)
    missing = {*Refund.State.values, "short", "note", "only words"} - set(+reached)
    assert not missing, f"no history came to {missing}: {reached}, {happened}"
