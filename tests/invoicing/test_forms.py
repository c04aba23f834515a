"""The page on which an invoice is written: every refusal beside its field, and nothing lost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.http import QueryDict

from invoicing.forms import Entry
from merchants.models import Merchant
from tests.factories import NOW, make_draft, make_merchant
from tests.invoicing.page import row, sent


def entry(merchant: Merchant, *rows: dict[str, str], publishing: bool = False, now: datetime = NOW, **changes: Any) -> Entry:
    data = QueryDict(mutable=True)
    for name, value in sent(*rows, **changes).items():
        data.setlist(name, value if isinstance(value, list) else [value])
    return Entry(merchant, now=now, data=data, publishing=publishing)


def refusals(page: Entry) -> dict[str, str]:
    assert page.is_valid() is False
    return {wrong.anchor: wrong.words for wrong in page.wrong()}


def test_a_whole_invoice_is_read_as_it_was_meant(merchant: Merchant) -> None:
    page = entry(
        merchant,
        row(tax="23 %"),
        row(description="Colour and type system", unit_price="1250", discount="10 %", tax="23 %"),
        row(description="Stationery, per piece", quantity="6", unit_price="92.50", tax="23 %"),
        publishing=True,
    )
    assert page.is_valid() is True
    content = page.content()
    assert [line.description for line in content.lines] == ["Logo and wordmark", "Colour and type system", "Stationery, per piece"]
    assert content.totals().total_minor == 428_040
    assert content.due_at == datetime(2026, 12, 1, 18, 0, tzinfo=UTC)
    assert content.issue_at is None
    assert (content.all_assets, content.notify_email, content.notify_webhook) == (True, True, False)


def test_a_draft_may_lack_what_a_published_invoice_may_not(merchant: Merchant) -> None:
    nothing = dict.fromkeys(("payer_name", "payer_email", "merchant_name", "merchant_email", "title", "description", "due_date", "due_time"), "")
    blank = row(description="", unit_price="")
    assert entry(merchant, blank, all_assets=None, **nothing).is_valid() is True
    assert refusals(entry(merchant, blank, publishing=True, all_assets=None, **nothing)) == {
        "id_payer_name": "Say who pays.",
        "id_payer_email": "Say where to mail it.",
        "id_merchant_name": "Say who it is from.",
        "id_merchant_email": "Say where the payer can reach you.",
        "id_title": "Give it a title.",
        "id_due_date": "Say until when it is to be paid.",
        "id_asset_ids": "Choose at least one token it can be paid with.",
        "items": "The total is zero. Add an item with a price.",
    }


def test_a_total_of_zero_is_refused_when_it_is_published(merchant: Merchant) -> None:
    assert refusals(entry(merchant, row(unit_price="0"), publishing=True)) == {"items": "The total is zero. Add an item with a price."}


@pytest.mark.parametrize(
    ("changes", "anchor", "words"),
    [
        ({"payer_email": "ana@"}, "id_payer_email", "This is not an email address. Write it like name@example.com."),
        ({"payer_name": "x" * 121}, "id_payer_name", "Shorten this to 120 characters; it has 121."),
        ({"title": "x" * 161}, "id_title", "Shorten this to 160 characters; it has 161."),
        ({"description": "x" * 4001}, "id_description", "Shorten this to 4000 characters; it has 4001."),
        ({"currency": "XXX"}, "id_currency", "Choose a currency from the list."),
        ({"currency": ""}, "id_currency", "Choose a currency from the list."),
        ({"due_date": "1/12/2026"}, "id_due_date", "Write the day like 2026-12-01."),
        ({"due_time": "six"}, "id_due_time", "Write the time like 18:00."),
        ({"due_date": "9999-12-31"}, "id_due_date", "Choose a day before 24 November 2036."),
        ({"due_date": "0001-01-01"}, "id_due_date", "Choose a day after 2000."),
        ({"issue_date": "2026-12-02"}, "id_due_date", "This is before the sending date, 2 December. Choose a later day."),
        ({"issue_date": "2027-01-02"}, "id_due_date", "This is before the sending date, 2 January 2027. Choose a later day."),
        ({"issue_date": "2026-12-01", "issue_time": "18:00"}, "id_due_time", "This is not after the sending time, 18:00. Choose a later time."),
        (
            {"all_assets": None, "asset_ids": ["eip155:1/slip44:60"]},
            "id_asset_ids",
            "One of these tokens is no longer accepted here. Look at the choice again.",
        ),
    ],
)
def test_what_is_wrong_with_a_field_is_said_beside_it(merchant: Merchant, changes: dict[str, Any], anchor: str, words: str) -> None:
    assert refusals(entry(merchant, **changes)) == {anchor: words}


def test_a_due_time_that_has_passed_is_refused_only_when_it_is_published(merchant: Merchant) -> None:
    past = {"due_date": "2026-11-16"}
    assert entry(merchant, **past).is_valid() is True
    assert refusals(entry(merchant, publishing=True, **past)) == {"id_due_date": "This has passed, and it is sent now. Choose a later day."}


@pytest.mark.parametrize(
    ("cells", "currency", "anchor", "words"),
    [
        ({"unit_price": "10.50"}, "JPY", "id_lines-0-unit_price", "JPY has no digits after the point. Write a whole number."),
        ({"unit_price": "10.5055"}, "KWD", "id_lines-0-unit_price", "KWD has 3 digits after the point. Write at most that many."),
        ({"unit_price": "10,50"}, "EUR", "id_lines-0-unit_price", "Write the decimals after a point: 10.50."),
        ({"unit_price": ""}, "EUR", "id_lines-0-unit_price", "Say what one costs."),
        ({"description": ""}, "EUR", "id_lines-0-description", "Say what this is for, or remove the row."),
        ({"description": "x" * 301}, "EUR", "id_lines-0-description", "Shorten this to 300 characters; it has 301."),
        ({"quantity": "-1"}, "EUR", "id_lines-0-quantity", "Write a quantity above zero."),
        ({"discount": "lots"}, "EUR", "id_lines-0-discount", "Write 10 % or an amount."),
        ({"discount": "1800.01"}, "EUR", "id_lines-0-discount", "This is more than the line, 1,800.00. Write a smaller amount."),
        ({"tax": "VAT"}, "EUR", "id_lines-0-tax", "Write it like VAT 23 %."),
        (
            {"quantity": "1000000", "unit_price": "1000000000"},
            "EUR",
            "id_lines-0-unit_price",
            "This line comes to more than an invoice can hold. Lower the price or the quantity.",
        ),
    ],
)
def test_what_is_wrong_with_a_cell_is_said_beside_it(merchant: Merchant, cells: dict[str, str], currency: str, anchor: str, words: str) -> None:
    assert refusals(entry(merchant, row(**cells), currency=currency)) == {anchor: words}


def test_every_refusal_is_shown_at_once(merchant: Merchant) -> None:
    page = entry(merchant, row(quantity="0", unit_price="x", tax="?"), row(discount="200 %"), payer_email="ana", due_date="soon")
    assert list(refusals(page)) == [
        "id_payer_email",
        "id_lines-0-quantity",
        "id_lines-0-unit_price",
        "id_lines-0-tax",
        "id_lines-1-discount",
        "id_due_date",
    ]


def test_three_digits_of_the_kuwaiti_dinar_are_kept(merchant: Merchant) -> None:
    page = entry(merchant, row(quantity="3", unit_price="1.234"), currency="KWD")
    assert page.is_valid() is True
    assert page.content().totals().total_minor == 3_702


def test_blank_and_removed_rows_are_no_lines(merchant: Merchant) -> None:
    blank = row(description="", unit_price="", tax="23 %")
    page = entry(merchant, row(description="One"), blank, **{"lines-7-description": "Seven", "lines-7-unit_price": "7"})
    assert page.is_valid() is True
    assert [(line.description, line.line.unit_price_minor) for line in page.content().lines] == [("One", 180_000), ("Seven", 700)]


def test_an_invoice_of_three_hundred_lines_adds_up(merchant: Merchant) -> None:
    page = entry(merchant, *[row(description=f"Item {number}", unit_price="0.10", tax="23 %") for number in range(300)], publishing=True)
    assert page.is_valid() is True
    totals = page.content().totals()
    assert (len(totals.lines), totals.net_minor, totals.tax_minor, totals.total_minor) == (300, 3_000, 690, 3_690)


def test_more_lines_than_an_invoice_holds_are_refused_and_kept(merchant: Merchant) -> None:
    page = entry(merchant, *[row(description=f"Item {number}", unit_price="1") for number in range(501)])
    assert refusals(page) == {"items": "An invoice holds 500 items. Put some of them together."}
    assert page.lines.forms[500]["description"].value() == "Item 500"


def test_control_and_direction_characters_do_not_reach_the_document(merchant: Merchant) -> None:
    page = entry(
        merchant,
        row(description="Logo\u202e\nand mark"),
        title="Brand\r\nBcc: all@example.com",
        description="One\r\nTwo\x07\u2066",
        payer_name="Ana\tDuarte",
    )
    assert page.is_valid() is True
    content = page.content()
    assert (content.title, content.description, content.payer_name) == ("Brand Bcc: all@example.com", "One\nTwo", "Ana Duarte")
    assert content.lines[0].description == "Logo and mark"


def test_times_are_read_in_the_merchants_zone() -> None:
    merchant = Merchant(name="M", email="m@m.example", time_zone="America/New_York", currency="USD")
    page = Entry(merchant, now=NOW, data=_query(sent(currency="USD", issue_date="2027-03-14", issue_time="02:30", due_date="2027-04-01")))
    page.once.is_valid()
    # 02:30 does not exist that night in New York: it moves forward to 03:30 summer time.
    assert page.once.cleaned_data["issue_at"] == datetime(2027, 3, 14, 7, 30, tzinfo=UTC)
    assert page.once.cleaned_data["due_at"] == datetime(2027, 4, 1, 22, 0, tzinfo=UTC)


def _query(values: dict[str, str]) -> QueryDict:
    data = QueryDict(mutable=True)
    data.update(values)
    return data


def test_a_new_page_is_filled_from_the_business(merchant: Merchant) -> None:
    page = Entry(merchant, now=NOW)
    shown = {name: page.head[name].value() for name in ("merchant_name", "merchant_email", "currency", "all_assets")}
    shown |= {name: page.once[name].value() for name in ("issue_date", "due_date", "due_time")}
    assert shown == {
        "merchant_name": "Harbour & Pine",
        "merchant_email": "studio@harbourpine.example",
        "currency": "EUR",
        "issue_date": None,
        "due_date": "2026-12-01",
        "due_time": "18:00",
        "all_assets": True,
    }
    assert len(page.lines.forms) == 1


def test_a_saved_invoice_comes_back_as_it_would_be_typed(merchant: Merchant) -> None:
    invoice = make_draft(
        merchant, lines=[("Logo", "1.5", "1800.00", "23")], issue_at=datetime(2026, 11, 20, 9, 30, tzinfo=UTC), prices_include_tax=True
    )
    page = Entry(merchant, now=NOW, invoice=invoice)
    assert page.rows == [{"description": "Logo", "quantity": "1.5", "unit_price": "1,800.00", "discount": "", "tax": page.rows[0]["tax"]}]
    assert page.rows[0]["tax"].endswith("23 %")
    assert (page.once["issue_date"].value(), page.once["issue_time"].value()) == ("2026-11-20", "09:30")
    assert page.tax_inside is True
    assert page.version == 1


def test_the_sums_of_a_page_skip_what_cannot_be_read(merchant: Merchant) -> None:
    page = entry(merchant, row(unit_price="100", tax="23 %"), row(unit_price="oops"), row(unit_price="50", discount="10 %"), due_date="soon")
    sums = page.sums()
    assert sums.amounts == (10_000, None, 4_500)
    assert (sums.gross_minor, sums.totals.discount_minor, sums.totals.tax_minor, sums.totals.total_minor) == (15_000, 500, 2_300, 16_800)
    assert (sums.recipient, sums.sent_at, sums.due_at, sums.tokens, sums.networks) == ("Ana Duarte", None, None, 3, 1)


def test_a_business_without_tokens_is_told_whom_to_ask(db: None) -> None:
    merchant = make_merchant(slug="bare", accepted_assets=[])
    words = "No token is switched on for this business. Ask an owner to connect a wallet."
    assert refusals(entry(merchant, publishing=True)) == {"id_asset_ids": words}


def test_another_key_or_version_than_ours_is_not_taken(merchant: Merchant) -> None:
    page = entry(merchant, form_key="../../etc", version="-1")
    assert len(page.form_key) == 43
    assert page.version == 0
