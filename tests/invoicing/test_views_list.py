"""The list's page: totals after the rows, orders, notices, and what it asks of the database."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from invoicing.filters import SHOWS
from invoicing.models import Invoice, Payer, Shelf
from merchants.models import Merchant, User
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.invoicing.test_views_pages import queries, url, words


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User, merchant: Merchant) -> Client:
    return client_as(owner)


def some(merchant: Merchant, count: int) -> None:
    for number in range(count):
        payer = Payer.objects.create(merchant=merchant, name=f"Payer {number}", email=f"p{merchant.invoices.count()}@p.example")
        publish(make_draft(merchant, title=f"Work {number}", payer=payer, payer_name=payer.name), now=NOW)


QUERIES = ("", "?q=work&show=open&sort=-amount&from=2026-11-01", "?totals=1", "?asset=sandbox:harbour/token:usdt&currency=EUR&archived=1")


def test_it_asks_the_database_as_often_for_one_row_for_three_and_for_many(desk: Client, merchant: Merchant) -> None:
    pages = [url("invoices", merchant) + query for query in QUERIES] + [url("invoices_totals", merchant), url("invoices_csv", merchant)]
    asked = []
    for more in (1, 2, 37):
        some(merchant, more)
        asked.append([streamed(desk, path) for path in pages])
    assert asked[0] == asked[1] == asked[2]


def streamed(desk: Client, path: str) -> int:
    """How many queries, with the body read to its end."""
    desk.get(path)
    with CaptureQueriesContext(connection) as seen:
        answer = desk.get(path)
        b"".join(answer.streaming_content) if answer.streaming else None
    return len(seen)


def test_the_fragment_has_the_totals_and_a_count_for_every_status(desk: Client, merchant: Merchant) -> None:
    some(merchant, 2)
    make_draft(merchant)
    some(make_merchant(slug="other"), 1)
    page = desk.get(url("invoices_totals", merchant) + "?show=open").content.decode()
    filled = dict(re.findall(r'<p data-fill="([\w-]+)">\s*(.*?)\s*</p>', page))
    assert filled == {
        "count": "2 invoices",
        "matching": "2",
        **{f"count-{show}": "0" for show in SHOWS},
        "count-all": "3",
        "count-draft": "1",
        "count-open": "2",
    }
    assert "Invoiced 3,600.00 EUR Still due 3,600.00 EUR" in words(desk.get(url("invoices_totals", merchant)))


def test_without_javascript_a_link_shows_the_totals_in_the_page(desk: Client, merchant: Merchant) -> None:
    some(merchant, 2)
    plain = desk.get(url("invoices", merchant) + "?show=open").content.decode()
    assert 'href="?show=open&amp;totals=1"' in plain
    assert "2 invoices" not in words(desk.get(url("invoices", merchant)))
    page = words(desk.get(url("invoices", merchant) + "?show=open&totals=1"))
    assert "Invoiced 3,600.00 EUR Still due 3,600.00 EUR" in page
    assert "2 invoices" in page


def test_a_head_sorts_turns_round_and_lets_go(desk: Client, merchant: Merchant) -> None:
    some(merchant, 2)

    def head(query: str) -> tuple[str, str]:
        page = desk.get(url("invoices", merchant) + query).content.decode()
        found = re.search(r'<th scope="col" class="num"([^>]*)><a class="sort" href="([^"]*)"', page)
        return found[1].strip(), found[2].replace("&amp;", "&")

    assert head("?q=work") == ("", "?q=work&sort=-amount")
    assert head("?q=work&sort=-amount") == ('aria-sort="descending"', "?q=work&sort=amount")
    assert head("?q=work&sort=amount") == ('aria-sort="ascending"', "?q=work")


def test_what_the_url_asks_for_and_cannot_have_is_said(desk: Client, merchant: Merchant) -> None:
    some(merchant, 1)
    theirs = Payer.objects.create(merchant=make_merchant(slug="other"), name="Vera", email="vera@secret.example")
    page = words(desk.get(url("invoices", merchant) + f"?payer={theirs.pk}"))
    assert "The payer was left out: there is none like it in your directory." in page
    assert "Vera" not in page
    assert "Payer 0" in page


def test_each_filter_stands_there_with_a_way_out_of_it(desk: Client, merchant: Merchant) -> None:
    some(merchant, 1)
    payer = Payer.objects.get()
    page = desk.get(
        url("invoices", merchant) + f"?from=2026-10-01&to=2026-11-17&payer={payer.pk}&currency=EUR&asset=sandbox:harbour/token:usdt&archived=1"
    )
    said = words(page)
    assert [word for word in ("Issued 1 Oct – 17 Nov 2026", "Payer 0", "Paid in USDT", "EUR", "Archived", "Clear") if word not in said] == []
    shown = page.content.decode()
    kept = f"payer={payer.pk}&amp;asset=sandbox%3Aharbour%2Ftoken%3Ausdt&amp;currency=EUR&amp;archived=1"
    assert f'href="?{kept}" aria-label="Any date"' in shown


def test_a_picker_keeps_the_other_filters(desk: Client, merchant: Merchant) -> None:
    some(merchant, 1)
    page = desk.get(url("invoices", merchant) + "?show=open&q=work").content.decode()
    form = page.partition('id="list-from"')[0].rpartition("<form")[2]
    assert re.findall(r'name="(\w+)" value="(\w+)"', form) == [("show", "open"), ("q", "work")]


def test_a_list_whose_rows_are_all_archived_says_where_they_are(desk: Client, merchant: Merchant) -> None:
    some(merchant, 1)
    Invoice.objects.update(shelf=Shelf.ARCHIVED)
    assert "Every invoice is archived." in words(desk.get(url("invoices", merchant)))
    assert "INV-000001" in words(desk.get(url("invoices", merchant) + "?archived=1"))


def test_a_viewer_can_choose_nothing_and_export_everything(client_as: Callable[[User], Client], viewer: User, merchant: Merchant) -> None:
    some(merchant, 1)
    seen = client_as(viewer)
    page = seen.get(url("invoices", merchant)).content.decode()
    assert [name for name in ("data-bulk", 'name="pk"', "Void…", "Archive…", "/edit/", "invoice.pdf") if name in page] == []
    assert seen.get(reverse("invoices_csv", args=[merchant.slug])).status_code == 200
    assert seen.post(url("invoices_bulk", merchant), {"act": "void"}).status_code == 403


def test_rows_of_a_page_can_be_opened_with_the_keyboard_alone(desk: Client, merchant: Merchant) -> None:
    some(merchant, 1)
    page: Any = desk.get(url("invoices", merchant)).content.decode()
    assert "Choose INV-000001, Payer 0" in page
    assert 'aria-label="Actions for INV-000001"' in page
    assert queries(desk, url("invoices", merchant)) < 14
