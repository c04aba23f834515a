"""The books of one invoice on paper: a second calculator, in exact fractions, written from the rules and not from the code.

It is told what happens (a payment comes, a block is taken back, a refund is asked for) and says what the sums must be. Money is
in minor units; nothing here asks the database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from typing import Any

DEEP = 3  # blocks that make money final on the sandbox
HOLDS = ("requested", "claimed", "approved", "sent", "confirmed")
ON_THE_WAY = ("requested", "claimed", "approved", "sent")


@dataclass
class Token:
    """Of one asset: its decimals, to how many it is sent, the least that is sent, and what one whole is worth in the invoice's
    currency."""

    decimals: int
    payable: int
    least: Fraction
    price: Fraction

    def units(self, minor: int) -> int:
        """What a market rate makes of so many cents, down to what wallets can send."""
        return self.down(Fraction(minor, 100) / self.price * 10**self.decimals)

    def down(self, units: Fraction | int) -> int:
        step = 10 ** (self.decimals - self.payable)
        return floor(Fraction(units) / step) * step

    def is_sent(self, units: int) -> bool:
        return units >= self.least * 10**self.decimals

    @property
    def step_minor(self) -> int:
        return ceil(self.price / 10**self.payable * 100)


@dataclass
class Chain:
    """Blocks as a list of what is in them, each another one than all before; what waits comes into the next."""

    blocks: list[set[str]] = field(default_factory=lambda: [set()])
    names: list[int] = field(default_factory=lambda: [0])
    waiting: set[str] = field(default_factory=set)
    made: int = 0

    def _name(self) -> int:
        self.made += 1
        return self.made

    def mine(self) -> None:
        self.blocks.append(self.waiting)
        self.names.append(self._name())
        self.waiting = set()

    def reorg(self, depth: int, gone: str | None) -> None:
        loose = set().union(*self.blocks[-depth:]) | self.waiting
        self.blocks[-depth:] = [set() for _block in range(depth)]
        self.names[-depth:] = [self._name() for _block in range(depth)]
        self.waiting = loose - {gone}

    def block(self, txid: str) -> int | None:
        """The name of the block that it is in."""
        return next((name for name, block in zip(self.names, self.blocks, strict=True) if txid in block), None)

    def depth(self, txid: str) -> int | None:
        """0 while it waits; None when it is nowhere."""
        if txid in self.waiting:
            return 0
        return next((len(self.blocks) - at for at, block in enumerate(self.blocks) if txid in block), None)


@dataclass
class Paid:
    """A payment: seen on the chain (`txid`) for a quote, or written down by hand."""

    order: int
    value: int  # what it counts for once it is there for good
    token: str = ""
    units: int = 0
    txid: str = ""
    is_reversed: bool = False


@dataclass(eq=False)
class Back:
    """A refund, and what it takes from which payment."""

    status: str
    token: str
    amount: int
    units: int | None
    takes: dict[int, int]  # by the payment's order
    txid: str = ""
    approved: int = 0  # which approval it was, of all
    block: int | None = None  # that it was confirmed in
    confirmed: Any = None
    note: int = 0  # what its credit note takes back


class Refusal(Exception):
    """By the rules this cannot be done."""


class Paper:
    def __init__(self, total: int, tokens: dict[str, Token]) -> None:
        self.total, self.tokens = total, tokens
        self.chain = Chain()
        self.paid: list[Paid] = []
        self.back: list[Back] = []
        self.is_void = False

    # --- sums -----------------------------------------------------------------------------------------------------
    def counts(self, one: Paid) -> int:
        """What it is worth now: money on the chain counts once it is deep enough."""
        if not one.txid:
            return 0 if one.is_reversed else one.value
        return one.value if (self.chain.depth(one.txid) or 0) >= DEEP else 0

    @property
    def credited(self) -> int:
        return sum(self.counts(one) for one in self.paid)

    @property
    def pending(self) -> int:
        depths = [(one, self.chain.depth(one.txid)) for one in self.paid if one.txid]
        return sum(one.value for one, depth in depths if depth is not None and depth < DEEP)

    def taken(self, one: Paid, but: Back | None = None) -> int:
        return sum(back.takes.get(one.order, 0) for back in self.back if back.status in HOLDS and back is not but)

    def left_of(self, one: Paid, but: Back | None = None) -> int:
        return max(self.counts(one) - self.taken(one, but), 0)

    @property
    def left(self) -> int:
        return sum(self.left_of(one) for one in self.paid)

    @property
    def short(self) -> int:
        return sum(max(self.taken(one) - self.counts(one), 0) for one in self.paid)

    @property
    def refunded(self) -> int:
        return sum(back.amount for back in self.back if back.status == "confirmed")

    @property
    def returning(self) -> int:
        return sum(back.amount for back in self.back if back.status in ON_THE_WAY)

    @property
    def status(self) -> str:
        if self.is_void:
            return "void"
        return "paid" if self.credited >= self.total else "open"

    @property
    def due(self) -> int:
        """What was credited stays credited: a refund asks nobody to pay again."""
        return max(self.total - self.credited - self.pending, 0) if self.status == "open" else 0

    @property
    def is_overpaid(self) -> bool:
        there = [self.tokens[one.token] for one in self.paid if one.txid and self.chain.depth(one.txid) is not None]
        slack = max([floor(Fraction(self.total) * Fraction(5, 1000)), *(token.step_minor for token in there)])
        return self.credited - self.refunded - self.total > slack

    @property
    def notes(self) -> int:
        return sum(back.note for back in self.back)

    def billed(self, more: int = 0) -> int:
        """What of all that is refunded, and of so much more, was billed: a surplus goes back first, and a void invoice bills nothing."""
        surplus = max(self.credited - self.total, 0)
        return 0 if self.is_void else min(max(self.refunded + more - surplus, 0), self.total)

    # --- refunds --------------------------------------------------------------------------------------------------
    def too_much(self, chosen: list[Paid], but: Back | None) -> int:
        gone = sum(back.amount for back in self.back if back.status in HOLDS and back is not but)
        return sum(self.left_of(one, but) for one in chosen) if self.is_void else max(self.credited - self.total - gone, 0)

    def terms(self, basis: str, token: str, chosen: list[Paid], *, other: int, cut: int, but: Back | None = None) -> Back:
        """What a refund of these terms is; `cut` is what is kept, in 0.0001 %."""
        there = [one for one in chosen if self.left_of(one, but) > 0]
        left = sum(self.left_of(one, but) for one in there)
        whole = {"other": other, "surplus": min(self.too_much(chosen, but), left)}.get(basis, left)
        amount = floor(Fraction(whole) * (1 - Fraction(cut, 10**6)))
        if not 0 < amount <= left:
            raise Refusal
        takes: dict[int, int] = {}
        rest = amount
        for one in sorted(there, key=lambda one: -one.order):
            piece = min(rest, self.left_of(one, but))
            rest -= piece
            if piece:
                takes[one.order] = piece
        came = [one for one in there if one.order in takes]
        units: int | None
        if basis in ("paid", "surplus") and all(one.token == token for one in came):
            units = sum(floor(Fraction(one.units) * takes[one.order] / self.counts(one)) for one in came)
            if any(takes[one.order] != self.counts(one) for one in came):  # only what goes back whole is as odd as it came
                units = self.tokens[token].down(units)
        elif basis == "paid":
            raise Refusal
        else:
            units = self.tokens[token].units(amount)
        if not self.tokens[token].is_sent(units):
            raise Refusal
        return Back("requested", token, amount, None if basis == "fiat" else units, takes)

    def is_short(self, back: Back) -> bool:
        return any(one.order in back.takes and self.taken(one) > self.counts(one) for one in self.paid)

    def look(self, now: Any) -> None:
        """The chain has moved: what was sent and is deep enough is refunded, what is not any more is sent. Those that it shows come
        before those that it shows no more, and each kind in the order of their approvals."""
        out = sorted((back for back in self.back if back.status in ("sent", "confirmed")), key=lambda back: back.approved)
        for back in sorted(out, key=lambda back: self.chain.depth(back.txid) is None):
            block, is_deep = self.chain.block(back.txid), (self.chain.depth(back.txid) or 0) >= DEEP
            if back.status == "confirmed" and block != back.block:
                self._reopen(back)
            if back.status == "sent" and is_deep:
                self._confirm(back, block, now)

    def _confirm(self, back: Back, block: int | None, now: Any) -> None:
        """All notes together take back what is refunded and was billed, as far as this refund goes."""
        back.note = min(max(self.billed(back.amount) - self.notes, 0), back.amount)
        back.status, back.block, back.confirmed = "confirmed", block, now

    def _reopen(self, back: Back) -> None:
        """Its note does not hold. The surplus covers more of the others now, of the latest first."""
        back.status, back.note = "sent", 0
        over = self.notes - self.billed()
        others = [one for one in self.back if one.status == "confirmed"]
        for one in sorted(others, key=lambda one: (one.confirmed, self.back.index(one)), reverse=True):
            less = min(max(over, 0), one.note)
            one.note, over = one.note - less, over - less
