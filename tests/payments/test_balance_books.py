"""The books of an address whose payments no block lists: a pure calculation, held to a second one."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.balances import Book
from payments.rails import Balance, Block
from tests.factories import NOW
from tests.payments.pretend import home

__all__ = ["home"]


@dataclass
class Truth:
    """A second model, which knows everything: each payment with whether a block lists it."""

    height: int = 0
    balance: int = 0
    sent: int = 0
    direct: list[tuple[int, int]] = field(default_factory=list)  # height, units
    inner: list[tuple[int, int]] = field(default_factory=list)
    hidden: int = 0  # of what came inside, swept before anybody looked
    unseen: int = 0
    was_swept: bool = False  # since the last look, without a transaction of its own

    @property
    def came(self) -> int:
        return sum(units for _height, units in [*self.direct, *self.inner])

    def listed(self, height: int | None) -> int:
        return 0 if height is None else sum(units for at, units in self.direct if at <= height)


STEP = st.one_of(
    st.tuples(st.just("direct"), st.integers(1, 100)),
    st.tuples(st.just("inner"), st.integers(1, 100)),
    st.tuples(st.just("sweep"), st.integers(0, 100)),  # what is left behind, at most
    st.tuples(st.just("swept for it"), st.integers(0, 100)),  # the same without a transaction of its own
    st.tuples(st.just("look"), st.just(0)),
    st.tuples(st.just("old look"), st.just(0)),
)


@given(st.integers(0, 50), st.lists(STEP, max_size=30))
def test_the_books_are_never_above_the_truth_and_are_the_truth_when_no_sweep_hides_something(start: int, steps: list[tuple[str, int]]) -> None:
    truth, book = Truth(balance=start), Book(start, 0, 0, 0, 0)
    said = Balance(start, 0, Block(0, "", NOW))
    for act, units in steps:
        before = book
        truth.height += 1
        if act == "direct":
            truth.direct.append((truth.height, units))
            truth.balance += units
        elif act == "inner":
            truth.inner.append((truth.height, units))
            truth.balance += units
            truth.unseen += units
        elif act == "sweep":
            truth.balance, truth.sent = min(truth.balance, units), truth.sent + 1
            truth.hidden, truth.unseen = truth.hidden + truth.unseen, 0
        elif act == "swept for it":
            truth.was_swept |= truth.balance > units
            truth.balance = min(truth.balance, units)
        elif act == "look":
            said = Balance(truth.balance, truth.sent, Block(truth.height, "", NOW))
            moved = said.sent_count != book.sent or truth.was_swept
            listed = truth.listed(book.height)
            book = book.looked(said, then=listed, now=truth.listed(truth.height), kept=book.received - listed)
            truth.hidden, truth.unseen = truth.hidden + (truth.unseen if moved else 0), 0
            truth.was_swept = False
        else:
            old = Balance(said.units, said.sent_count, Block(said.block.height - 1, "", NOW))
            assert book.looked(old, then=0, now=0, kept=0) == book
        assert book.received <= truth.came
        assert act == "look" or book == before
        assert book.received >= before.received
        if act == "look" and not truth.hidden:
            assert book.received == truth.came


@pytest.mark.parametrize(
    ("looks", "received"),
    [
        ([(7, 0, 1)], 7),  # inside
        ([(7, 0, 1), (7, 0, 2), (12, 0, 3)], 12),
        ([(7, 0, 1), (0, 1, 2)], 7),  # swept
        ([(7, 0, 1), (0, 1, 2), (5, 1, 3)], 12),
        ([(7, 0, 1), (3, 1, 2), (3, 1, 3)], 7),  # a part was left
        ([(7, 0, 2), (0, 0, 1)], 7),  # an older block
        ([(7, 0, 1), (0, 0, 2)], 7),  # swept for it
        ([(7, 0, 1), (2, 0, 2), (5, 0, 3)], 10),
    ],
)
def test_worked_examples(looks: list[tuple[int, int, int]], received: int) -> None:
    book = Book(0, 0, 0, 0, 0)
    for units, sent, height in looks:
        book = book.looked(Balance(units, sent, Block(height, "", NOW)), then=0, now=0, kept=book.received)
    assert book.received == received


@pytest.mark.parametrize(
    ("book", "units", "sent", "kept", "received"),
    [
        (Book(0, 0, 0, 7, 1), 0, 0, 0, 0),  # the network has none of it any more
        (Book(0, 0, 0, 7, 1), 7, 0, 0, 7),  # it has it in another block
        (Book(0, 0, 0, 7, 1), 4, 0, 0, 4),
        (Book(0, 0, 5, 7, 1), 0, 0, 5, 5),  # what came before a sweep stands
        (Book(0, 1, 7, 7, 1), 0, 0, 0, 0),  # a sweep that was taken back together with what it took
        (Book(0, 0, 7, 7, 1), 0, 0, 0, 0),
    ],
)
def test_what_the_network_takes_back_is_computed_anew(book: Book, units: int, sent: int, kept: int, received: int) -> None:
    assert book.looked(Balance(units, sent, Block(1, "", NOW)), then=0, now=0, kept=kept).received == received


def test_a_baseline_taken_late_counts_what_was_listed_before_it() -> None:
    book = Book().looked(Balance(9, 0, Block(5, "", NOW)), then=0, now=4, kept=0)
    assert (book.baseline, book.received) == (9, 4)
    assert book.looked(Balance(12, 0, Block(6, "", NOW)), then=4, now=4, kept=0).received == 7
