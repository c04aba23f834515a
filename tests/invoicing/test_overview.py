"""The overview as a page: what came as a drawing and as a table, what happened last, and how often it asks the database."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from invoicing import lifecycle, payers, schedules
from merchants import clock, team
from merchants.models import Merchant, User
from payments import recorded
from tests.factories import make_draft, make_merchant, publish
from tests.invoicing.test_overview_figures import ETH, by_hand, came, make_schedule


@pytest.fixture
def desk(client_as: Callable[[User], Client], viewer: User) -> Client:
    return client_as(viewer)


def page(desk: Client, merchant: Merchant, query: str = "") -> str:
    answer = desk.get(reverse("overview", args=[merchant.slug]) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def words(html: str) -> str:
    text = re.sub(r"<(script|style|svg|template).*?</\1>|<[^>]+>", " ", html, flags=re.S)
    return " ".join(text.replace("&amp;", "&").replace("&#x27;", "'").split())


def drawing(html: str, name: str = "wide") -> str:
    found = re.search(rf'<svg class="chart chart--{name}".*?</svg>', html, flags=re.S)
    assert found
    return found[0]


@pytest.fixture
def income(merchant: Merchant) -> Merchant:
    """3,100.00 EUR this week in USDT, ETH and by bank, and 618,000 JPY; as much again for somebody else."""
    for owner in (merchant, make_merchant(slug="other", name="Secret Orchard")):
        now = clock.now()
        invoice, yen = publish(make_draft(owner), now=now), publish(make_draft(owner, currency="JPY", lines=[("Design", "1", "618000")]), now=now)
        came(invoice, 200_000, now)
        came(invoice, 50_000, now, asset=ETH)
        by_hand(invoice, 60_000, now)
        came(yen, 618_000, now)
    return merchant


def test_money_received_is_drawn_and_is_a_table_too(desk: Client, income: Merchant) -> None:
    html = page(desk, income)
    svg = drawing(html)
    assert 'role="img"' in svg and "<title" in svg
    assert "3,100.00 in all. Most: Week of" in svg
    assert svg.count("<rect") == 1 and 'class="chart-bar bar-now"' in svg
    assert "Time USDT ETH Recorded by hand Total, EUR Week of" in words(html)
    assert re.search(r"2,000\.00 500\.00 600\.00 3,100\.00", words(html))
    assert html.count('<svg class="chart chart--') == 2


def test_by_token_a_bar_is_stacked_and_named(desk: Client, income: Merchant) -> None:
    html = page(desk, income, "?by=asset")
    assert re.findall(r"chart-bar (series--\w+)", drawing(html)) == ["series--usdt", "series--eth", "series--recorded"]
    assert re.search(r'<ul class="legend".*USDT.*ETH.*Recorded by hand.*</ul>', html, flags=re.S)


def test_one_currency_at_a_time_by_a_link(desk: Client, income: Merchant) -> None:
    assert 'href="?currency=JPY#income"' in page(desk, income)
    html = page(desk, income, "?currency=JPY&range=30d")
    assert "618,000 in all. Most:" in drawing(html)
    assert ('href="?range=30d#income"' in html, 'href="?currency=JPY#income"' in html) == (True, True)


@pytest.mark.parametrize("query", ["?range=forever", "?currency=XXX", "?by=colour", "?range=12w&currency=%00", "?range=12m"])
def test_what_is_asked_for_in_vain_shows_the_usual(desk: Client, income: Merchant, query: str) -> None:
    assert "3,100.00 in all" in drawing(page(desk, income, query))


def test_without_money_it_says_so(desk: Client, merchant: Merchant) -> None:
    publish(make_draft(merchant), now=clock.now())
    assert "No money was received in 12 weeks." in words(page(desk, merchant))


def test_the_latest_events_lead_to_their_invoices(desk: Client, merchant: Merchant, owner: User) -> None:
    now = clock.now()
    invoice = publish(make_draft(merchant, title="Signage"), now=now)
    recorded.record(invoice, way="cash", amount_minor=5_000, paid_at=now, note="", form_key="k", by=owner, now=now)
    publish(make_draft(make_merchant(slug="other"), title="Cider press"), now=now)
    html = page(desk, merchant)
    told = words(html)
    assert "Latest events INV-000001 · Part received" in told
    assert "INV-000001 · Inês Matos recorded a payment of 50.00 EUR: cash" in told
    assert "Cider press" not in told
    assert f'class="event-of" href="/m/harbour-pine/invoices/{invoice.pk}/"' in html


def test_events_of_schedules_and_of_the_team_are_told_too_and_those_of_the_directory_are_not(desk: Client, merchant: Merchant, owner: User) -> None:
    now = clock.now()
    publish(make_draft(merchant), now=now)
    schedule = make_schedule(merchant, title="Studio retainer, {month}", anchor=(now + timedelta(days=3)).date())
    schedules.pause(schedule, by=owner, now=now)
    team.invite(merchant, email="rui@lopes.example", role="viewer", by=owner, now=now)
    payers.add(merchant, values={"name": "Cider press", "email": "hello@ciderpress.example"}, by=owner, now=now)
    html = page(desk, merchant)
    told = words(html)
    assert "Latest events Team · Inês Matos invited rui@lopes.example" in told
    assert "Studio retainer, … · Inês Matos paused it" in told
    assert "Cider press" not in told
    assert f'class="event-of" href="/m/harbour-pine/recurring/{schedule.pk}/"' in html
    assert 'class="event-of" href="/m/harbour-pine/settings/team/"' in html


def test_what_goes_out_next_is_in_the_order_of_its_times(desk: Client, merchant: Merchant) -> None:
    now = clock.now()
    publish(
        make_draft(merchant, title="Once", payer_name="Marlow Yachts", issue_at=now + timedelta(days=9), due_at=now + timedelta(days=20)), now=now
    )
    make_schedule(merchant, anchor=(now + timedelta(days=3)).date(), unit="months")
    told = words(page(desk, merchant))
    assert re.search(r"Going out next .* Ana Duarte Recurring: Retainer 500\.00 EUR .* Marlow Yachts Once 1,800\.00 EUR", told)


def test_it_asks_the_database_as_often_for_many_as_for_one(desk: Client, merchant: Merchant, owner: User) -> None:
    def one_more(number: int) -> None:
        now = clock.now()
        invoice = publish(make_draft(merchant), now=now)
        came(invoice, 1_000, now)
        by_hand(invoice, 1_000, now)
        publish(make_draft(merchant, issue_at=now + timedelta(days=3)), now=now)
        overdue = publish(make_draft(merchant, due_at=now - timedelta(days=1)), now=now - timedelta(days=9))
        lifecycle.void(overdue, by=owner, reason="Agreed", now=now)
        make_schedule(merchant, anchor=(now + timedelta(days=number % 20 + 1)).date())

    def asked() -> int:
        page(desk, merchant)
        with CaptureQueriesContext(connection) as seen:
            page(desk, merchant)
        return len(seen)

    counts = []
    for more in (1, 2, 9):
        for number in range(more):
            one_more(number)
        counts.append(asked())
    assert counts == [counts[0]] * 3


def test_nothing_stands_inline(desk: Client, income: Merchant) -> None:
    assert re.findall(r"\sstyle=|<style|\son\w+=", page(desk, income, "?by=asset")) == []


def test_a_new_business_has_no_chart_yet(desk: Client, merchant: Merchant) -> None:
    html: Any = page(desk, merchant)
    assert "chart--" not in html
