"""The chart's geometry: scale, bars, words. Pure."""

from __future__ import annotations

from itertools import pairwise

import pytest

from invoicing.chart import Column, Drawing, Rect, Tick, draw, label, step_for


def weeks(*totals: int, series: str = "bar") -> list[Column]:
    return [
        Column(f"Week {place}", "This week" if place == len(totals) > 1 else f"{place} Augu", {series: minor} if minor else {})
        for place, minor in enumerate(totals, start=1)
    ]


def drawn(columns: list[Column], order: tuple[str, ...] = ("bar",), *, currency: str = "EUR", width: int = 560) -> Drawing:
    return draw(columns, order, currency=currency, language="en", width=width, height=236)


@pytest.mark.parametrize(
    ("most", "currency", "step"),
    [
        (0, "EUR", 100),
        (1, "EUR", 100),
        (400, "EUR", 100),
        (401, "EUR", 200),
        (800, "EUR", 200),
        (801, "EUR", 250),
        (1001, "EUR", 500),
        (315_000, "EUR", 100_000),
        (400_001, "EUR", 200_000),
        (618_000, "JPY", 200_000),
        (3, "JPY", 1),
        (5, "JPY", 2),
        (10**15 - 1, "EUR", 250_000_000_000_000),
    ],
)
def test_the_lines_stand_at_round_figures_and_four_of_them_hold_the_most(most: int, currency: str, step: int) -> None:
    assert step_for(most, currency) == step


def test_the_scale_is_written_without_digits_that_say_nothing() -> None:
    assert [line.label for line in drawn(weeks(315_000)).lines] == ["0", "1,000", "2,000", "3,000", "4,000"]
    assert [line.label for line in drawn(weeks(1_000)).lines] == ["0.00", "2.50", "5.00", "7.50", "10.00"]
    assert [line.label for line in drawn(weeks(618_000), currency="JPY").lines] == ["0", "200,000", "400,000", "600,000", "800,000"]
    assert label(100_000, 100_000, "EUR", "de") == "1.000"


def test_a_bar_is_as_high_as_its_share_of_the_scale() -> None:
    chart = drawn(weeks(400_000, 200_000, 0, 100_000))
    assert (chart.base, chart.start, chart.end) == (208, 45, 552)
    assert [(bar.y, bar.height) for bar in chart.bars] == [(26, 182), (117, 91), (163, 45)]
    assert [line.y for line in chart.lines] == [208, 163, 117, 72, 26]


def test_series_stand_on_each_other_in_their_order_and_meet() -> None:
    chart = drawn([Column("Week 1", "W1", {"b": 100_000, "a": 300_000})], ("a", "b"))
    assert [(bar.series, bar.y, bar.height) for bar in chart.bars] == [("a", 72, 136), ("b", 26, 46)]


def test_what_is_there_is_seen_however_small() -> None:
    chart = drawn([Column("Week 1", "W1", {"a": 1, "b": 400_000, "c": 1})], ("a", "b", "c"))
    assert [bar.height for bar in chart.bars if bar.series in "ac"] == [1, 1]


def test_bars_stay_between_the_margins_and_do_not_touch() -> None:
    for count in (12, 30):
        bars = drawn(weeks(*[1000] * count), width=330).bars
        edges = [(bar.x, bar.x + bar.width) for bar in bars]
        assert len(bars) == count
        assert all(right < left for (_left, right), (left, _right) in pairwise(edges))
        assert edges[-1][1] <= 322


@pytest.mark.parametrize(("count", "width", "shown"), [(12, 560, [1, 4, 7, 10]), (12, 330, [1, 6]), (30, 560, [1, 8, 15, 22]), (30, 330, [1, 13])])
def test_words_under_the_bars_keep_their_distance_and_the_last_is_always_there(count: int, width: int, shown: list[int]) -> None:
    ticks = drawn(weeks(*[100_000] * count), width=width).ticks
    assert [tick.text for tick in ticks] == [*(f"{place} Augu" for place in shown), "This week"]
    assert [tick.is_last for tick in ticks] == [False] * (len(ticks) - 1) + [True]
    assert isinstance(ticks[-1], Tick) and ticks[-1].anchor == "end"


def test_the_last_total_stands_above_its_bar() -> None:
    chart = drawn(weeks(100_000, 310_000))
    assert chart.last and chart.last.text == "3,100.00"
    assert chart.last.y == chart.bars[-1].y - 6
    assert drawn(weeks(100_000, 0)).last is None


def test_the_last_total_is_left_out_where_it_would_run_into_a_higher_bar() -> None:
    assert drawn(weeks(*[0] * 10, 310_000, 100_000)).last is None
    lower = drawn(weeks(*[0] * 10, 100_000, 310_000)).last
    assert lower and lower.text == "3,100.00"


def test_without_money_there_is_a_scale_and_no_bar() -> None:
    chart = drawn(weeks(0, 0))
    assert (chart.bars, [line.label for line in chart.lines]) == ([], ["0", "1"])
    assert drawn([]).ticks == []


def test_every_coordinate_is_a_whole_number() -> None:
    chart = drawn(weeks(1, 333, 99_999))
    numbers = [value for bar in chart.bars for value in (bar.x, bar.y, bar.width, bar.height)] + [line.y for line in chart.lines]
    assert {type(number) for number in numbers} == {int}
    assert isinstance(chart.bars[0], Rect)
