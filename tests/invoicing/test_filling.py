"""What the words in braces become."""

from __future__ import annotations

from datetime import date

import pytest

from invoicing.filling import Filling, fill
from invoicing.recurrence import Rule

DAY = date(2027, 1, 31)
MONTHLY = Filling(4, DAY, date(2027, 2, 27), Rule("months", day=31), "en")


def test_each_word_is_filled_from_the_planned_date() -> None:
    assert fill("No. {n}: retainer, {month} {year} ({period})", MONTHLY) == "No. 4: retainer, January 2027 (January 2027)"


@pytest.mark.parametrize("text", ["{months}", "{ month }", "{MONTH}", "{{year", "{}", "{n!r}", "{0}", "{month.__class__}", "no braces"])
def test_anything_else_in_braces_is_left_alone(text: str) -> None:
    assert fill(text, MONTHLY) == text


@pytest.mark.parametrize(
    ("rule", "last", "words"),
    [
        (Rule("months"), date(2027, 2, 27), "January 2027"),
        (Rule("months", 2), date(2027, 3, 30), "January – February 2027"),
        (Rule("months", 13), date(2028, 2, 28), "January 2027 – January 2028"),
        (Rule("quarters"), date(2027, 4, 29), "Q1 2027"),
        (Rule("quarters", 2), date(2027, 7, 30), "January – June 2027"),
        (Rule("years"), date(2028, 1, 30), "2027"),
        (Rule("years", 2), date(2029, 1, 30), "2027–2028"),
        (Rule("weeks"), date(2027, 2, 6), "31 Jan – 6 Feb 2027"),
        (Rule("days"), DAY, "31 Jan 2027"),
        (Rule("days", 10), date(2027, 2, 9), "31 Jan – 9 Feb 2027"),
    ],
)
def test_the_period_is_what_one_invoice_is_for(rule: Rule, last: date, words: str) -> None:
    assert fill("{period}", Filling(4, DAY, last, rule, "en")).replace("\u2009", " ") == words


@pytest.mark.parametrize(
    ("language", "words"),
    [("de", "Januar 2027, Januar 2027"), ("zh-hans", "一月 2027, 2027年1月"), ("ar", "يناير 2027, يناير 2027"), ("en", "January 2027, January 2027")],
)
def test_it_is_said_in_the_language_of_the_invoice(language: str, words: str) -> None:
    """One after the other in one process: Babel's stand-alone names of one locale come out of another."""
    assert fill("{month} {year}, {period}", Filling(4, DAY, DAY, Rule("months"), language)) == words


def test_what_grows_too_long_is_cut() -> None:
    assert fill("{month}" * 40, MONTHLY, most=160) == ("January" * 40)[:160]
