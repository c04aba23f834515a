"""A rule in words."""

from __future__ import annotations

from datetime import date

import pytest

from invoicing.recurrence import LAST, Rule
from invoicing.rule_words import words

MARCH = date(2027, 3, 9)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Rule("days"), "every day"),
        (Rule("days", 10), "every 10 days"),
        (Rule("weeks"), "every week on Tue"),
        (Rule("weeks", weekdays=frozenset({4, 0})), "every week on Mon and Fri"),
        (Rule("weeks", 2, weekdays=frozenset({0, 2, 4})), "every 2 weeks on Mon, Wed and Fri"),
        (Rule("months", day=15), "every month on day 15"),
        (Rule("months", 2, day=15), "every 2 months on day 15"),
        (Rule("months", day=LAST), "every month on the last day"),
        (Rule("months"), "every month on day 9"),
        (Rule("months", nth=LAST, weekday=4), "every month on the last Friday"),
        (Rule("quarters", day=LAST), "every quarter on the last day"),
        (Rule("quarters", 2, nth=1, weekday=0), "every 2 quarters on the first Monday"),
        (Rule("years", nth=2, weekday=1), "every year on the second Tuesday of March"),
        (Rule("years", day=15), "every year on 15 March"),
        (Rule("years", 3, day=LAST), "every 3 years on the last day of March"),
    ],
)
def test_a_rule_is_said_as_people_say_it(rule: Rule, said: str) -> None:
    assert words(rule, MARCH) == said


def test_a_day_that_its_month_never_has_is_its_last(db: None) -> None:
    assert words(Rule("years", day=31), date(2027, 4, 30)) == "every year on the last day of April"
    assert words(Rule("years", day=29), date(2028, 2, 29)) == "every year on 29 February"


@pytest.mark.parametrize(
    ("rule", "said"), [(Rule("weeks"), "every week"), (Rule("months"), "every month"), (Rule("years", day=LAST), "every year on the last day")]
)
def test_without_its_first_date_nothing_is_made_up(rule: Rule, said: str) -> None:
    assert words(rule) == said
