"""Saved items: written once, offered in the lines of invoices in their currency."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from invoicing import items
from invoicing.models import Item
from merchants.models import Merchant, User
from tests.factories import make_draft, make_merchant


def item(merchant: Merchant, description: str, price: int = 180_000, currency: str = "EUR", **fields: object) -> Item:
    return Item.objects.create(merchant=merchant, description=description, unit_price_minor=price, currency=currency, **fields)


@pytest.fixture
def logo(merchant: Merchant) -> Item:
    return item(merchant, "Logo and wordmark", tax_name="VAT", tax_e4=230_000)


@pytest.fixture
def client(owner: User, client_as: Callable[[User], Client]) -> Client:
    return client_as(owner)


def url(name: str, found: Item | Merchant) -> str:
    return reverse(name, args=[found.slug] if isinstance(found, Merchant) else [found.merchant.slug, found.pk])


def test_items_are_offered_in_their_currency_those_that_begin_so_first(logo: Item) -> None:
    merchant = logo.merchant
    item(merchant, "A second logo", 90_000)
    item(merchant, "Logo, in yen", 160_000, "JPY")
    item(make_merchant(slug="other"), "Logo of others")
    assert [found.description for found in items.offers(merchant, "logo", "EUR")] == ["Logo and wordmark", "A second logo"]
    assert [found.description for found in items.offers(merchant, "", "JPY")] == ["Logo, in yen"]


def test_an_offer_fills_the_cells_as_an_author_would_type_them(logo: Item, client: Client) -> None:
    answer = client.get(url("items_suggest", logo.merchant), {"q": "logo", "currency": "EUR"})
    fill = {"description": "Logo and wordmark", "unit_price": "1,800.00", "tax": "VAT 23 %"}
    assert answer.json() == {
        "said": "1 saved item",
        "offers": [{"label": "Logo and wordmark", "note": "1,800.00 EUR · VAT 23 %", "fill": fill}],
    }
    item(logo.merchant, "Box", 618_000, "JPY")
    assert client.get(url("items_suggest", logo.merchant), {"q": "box", "currency": "JPY"}).json()["offers"][0]["fill"] == {
        "description": "Box",
        "unit_price": "618,000",
        "tax": "",
    }


@pytest.mark.parametrize(
    ("typed", "columns"),
    [
        ({"unit_price": "1,250.50", "tax": "VAT 23 %", "currency": "EUR"}, ("EUR", 125_050, "VAT", 230_000)),
        ({"unit_price": "618000", "tax": "", "currency": "JPY"}, ("JPY", 618_000, "", 0)),
        ({"unit_price": "1.5", "tax": "9.975 %", "currency": "USD"}, ("USD", 150, "Tax", 99_750)),
    ],
)
def test_price_and_tax_are_read_as_in_a_line(merchant: Merchant, client: Client, typed: dict[str, str], columns: tuple[object, ...]) -> None:
    assert client.post(url("item_new", merchant), {"description": "Proofs", **typed}).status_code == 302
    assert Item.objects.values_list("currency", "unit_price_minor", "tax_name", "tax_e4").get(merchant=merchant) == columns


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"description": "  "}, "description", "Say what this is for."),
        ({"unit_price": ""}, "unit_price", "Say what one costs."),
        ({"unit_price": "12,50"}, "unit_price", "Write the decimals after a point: 12.50."),
        ({"unit_price": "40.5", "currency": "JPY"}, "unit_price", None),
        ({"unit_price": "-1"}, "unit_price", "A price is zero or more. To take something off, use the discount."),
        ({"tax": "a lot"}, "tax", "Write it like VAT 23 %."),
        ({"currency": "XXX"}, "currency", "Choose a currency from the list."),
        ({"description": "Logo and wordmark"}, "description", "An item of this name in EUR is saved already."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_saved(
    logo: Item, client: Client, typed: dict[str, str], field: str, words: str | None
) -> None:
    answer = client.post(url("item_new", logo.merchant), {"description": "Proofs", "unit_price": "40", "currency": "EUR", "tax": "23 %", **typed})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    if words:
        assert answer.context["form"].errors[field] == [words]
    assert Item.objects.get() == logo


def test_an_item_is_edited_as_it_was_written_and_deleted_after_a_question(logo: Item, client: Client) -> None:
    form = client.get(url("item", logo)).context["form"]
    assert [form[name].value() for name in form.fields] == ["Logo and wordmark", "EUR", "1,800.00", "VAT 23 %"]
    client.post(url("item", logo), {"description": "Logo", "unit_price": "1900", "currency": "EUR", "tax": ""})
    logo.refresh_from_db()
    assert (logo.description, logo.unit_price_minor, logo.tax_name, logo.tax_e4) == ("Logo", 190_000, "", 0)
    assert "Delete this item?" in client.get(url("item_delete", logo)).content.decode()
    assert Item.objects.exists()
    client.post(url("item_delete", logo))
    assert not Item.objects.exists()


def test_a_line_written_from_an_item_keeps_its_own_copy(logo: Item) -> None:
    draft = make_draft(logo.merchant, [("Logo and wordmark", "1", "1800.00")])
    items.save(logo, values={"unit_price_minor": 1})
    assert draft.lines.get().unit_price_minor == 180_000


def test_the_list_has_its_pages_its_search_and_its_empty_state(
    merchant: Merchant, client: Client, django_assert_max_num_queries: Callable[..., object]
) -> None:
    assert "No saved items yet" in client.get(url("items", merchant)).content.decode()
    item(merchant, "Item 00")
    with django_assert_max_num_queries(20) as one:
        client.get(url("items", merchant))
    for number in range(1, 30):
        item(merchant, f"Item {number:02d}")
    with django_assert_max_num_queries(20) as many:
        answer = client.get(url("items", merchant))
    assert len(many) == len(one)  # type: ignore[arg-type]
    assert [found.description for found in answer.context["rows"]][-1] == "Item 24"
    following = client.get(url("items", merchant) + answer.context["on"])
    assert [found.description for found in following.context["rows"]] == [f"Item {number}" for number in range(25, 30)]
    assert [found.description for found in client.get(url("items", merchant), {"q": "17"}).context["rows"]] == ["Item 17"]


def test_without_scripts_the_form_lists_the_items_of_its_currency(logo: Item, client: Client) -> None:
    item(logo.merchant, "Box, in yen", 160_000, "JPY")
    text = client.get(url("invoice_new", logo.merchant)).content.decode()
    assert '<option value="Logo and wordmark"></option>' in text
    assert "Box, in yen" not in text
