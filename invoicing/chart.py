"""A bar chart as geometry: columns of money in, rectangles, lines and words out. Pure; it knows no template and no database.

Every coordinate is a whole number of the drawing's own units, so that no language writes it with a comma.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from invoicing.money import ceil_ratio, digits, format_minor, grouped

LINES = 4  # the scale has about as many above zero
TOP, BOTTOM, END = 26, 28, 8  # margins
PER_LETTER = 7  # of a figure at 12 px
TICK_AIR = 58  # between two words under the bars
LAST_AIR = 10  # before the last one, which is always there


@dataclass(frozen=True)
class Column:
    """A span of time: its full name, the short one under its bar, and its money by series, in minor units."""

    name: str
    tick: str
    values: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.values.values())


@dataclass(frozen=True)
class Rect:
    x: int
    y: int
    width: int
    height: int
    series: str


@dataclass(frozen=True)
class Line:
    y: int
    label: str


@dataclass(frozen=True)
class Tick:
    x: int
    text: str
    anchor: str  # start, middle or end
    is_last: bool


@dataclass(frozen=True)
class Figure:
    """The total of the last column, above its bar."""

    x: int
    y: int
    text: str


@dataclass(frozen=True)
class Drawing:
    width: int
    height: int
    start: int  # where lines and bars begin
    end: int
    base: int  # the y of zero
    lines: list[Line]
    bars: list[Rect]
    ticks: list[Tick]
    last: Figure | None


def draw(columns: Sequence[Column], order: Sequence[str], *, currency: str, language: str, width: int, height: int) -> Drawing:
    """The chart of `columns` in a space of `width` × `height`; `order` are the series, from the bottom of each bar up."""
    step = step_for(max((column.total for column in columns), default=0), currency)
    count = max(ceil_ratio(max((column.total for column in columns), default=0), step), 1)
    labels = [label(step * place, step, currency, language) for place in range(count + 1)]
    start, end, base = max(map(len, labels)) * PER_LETTER + 10, width - END, height - BOTTOM
    room = base - TOP
    lines = [Line(base - room * place // count, text) for place, text in enumerate(labels)]
    slots = [start + (end - start) * place // max(len(columns), 1) for place in range(len(columns) + 1)]
    bars = [
        bar
        for column, (left, right) in zip(columns, pairwise(slots), strict=False)
        for bar in _bar(column, order, left=left, right=right, base=base, room=room, top_minor=step * count)
    ]
    last = _last(columns, bars, end=sum(_inner(slots[-2], slots[-1])) if columns else end, currency=currency, language=language)
    return Drawing(width, height, start, end, base, lines, bars, _ticks(columns, slots), last)


def step_for(most: int, currency: str) -> int:
    """The distance of two lines, in minor units: 1, 2, 2.5 or 5 times a power of ten, so that LINES of them hold `most`."""
    least = max(ceil_ratio(most, LINES), 10 ** digits(currency))
    power = 1
    while True:
        for quarters in (4, 8, 10, 20):
            step = quarters * power // 4
            if step >= least and quarters * power % 4 == 0:
                return step
        power *= 10


def label(minor: int, step: int, currency: str, language: str) -> str:
    """'3,000'; with the currency's digits only where the steps have some."""
    unit = 10 ** digits(currency)
    return grouped(minor // unit, 0, language) if step % unit == 0 else format_minor(minor, currency, language)


def _inner(left: int, right: int) -> tuple[int, int]:
    """A bar's left edge and width in its slot: a third of it is air."""
    air = max((right - left) // 6, 1)
    return left + air, max(right - left - 2 * air, 1)


def _bar(column: Column, order: Sequence[str], *, left: int, right: int, base: int, room: int, top_minor: int) -> list[Rect]:
    """One rectangle a series, stacked without gaps; what is there is at least one unit high."""
    x, width = _inner(left, right)
    found, below, edge = [], 0, base
    for series in order:
        minor = column.values.get(series, 0)
        if minor <= 0:
            continue
        below += minor
        y = min(base - room * below // top_minor, edge - 1)
        found.append(Rect(x, y, width, edge - y, series))
        edge = y
    return found


def _ticks(columns: Sequence[Column], slots: Sequence[int]) -> list[Tick]:
    """A word under every nth bar from the first on, and one under the last, which ends where its bar ends."""
    if not columns:
        return []
    last_x = sum(_inner(slots[-2], slots[-1]))
    longest = max(len(column.tick) for column in columns[:-1]) if len(columns) > 1 else 0
    every = max(ceil_ratio(longest * PER_LETTER + TICK_AIR, max(slots[1] - slots[0], 1)), 1)
    found = []
    for place in range(0, len(columns) - 1, every):
        middle = (slots[place] + slots[place + 1]) // 2
        if middle + len(columns[place].tick) * PER_LETTER // 2 + LAST_AIR < last_x - len(columns[-1].tick) * PER_LETTER:
            found.append(Tick(middle, columns[place].tick, "middle", is_last=False))
    return [*found, Tick(last_x, columns[-1].tick, "end", is_last=True)]


def _last(columns: Sequence[Column], bars: Sequence[Rect], *, end: int, currency: str, language: str) -> Figure | None:
    """The figure above the last bar, unless it would run into a higher one beside it."""
    if not columns or not columns[-1].total:
        return None
    text, y = format_minor(columns[-1].total, currency, language), bars[-1].y - 6
    start = end - len(text) * PER_LETTER
    if any(bar.y < y and start < bar.x + bar.width and bar.x < bars[-1].x for bar in bars):
        return None
    return Figure(end, y, text)
