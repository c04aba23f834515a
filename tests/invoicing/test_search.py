"""What an invoice is found by, and that it is kept up to date."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection

from invoicing import search
from invoicing.filters import Filter
from invoicing.models import Invoice
from merchants.models import Merchant
from payments import quotes
from payments.rails import sandbox
from tests.factories import NOW, make_draft, make_merchant, publish

USDT = "sandbox:harbour/token:usdt"


def found(merchant: Merchant, typed: str) -> list[str]:
    return sorted(Filter(q=typed).apply(merchant, NOW).values_list("title", flat=True))


@pytest.fixture
def desk(merchant: Merchant) -> Merchant:
    """One that is looked for, beside one of the same merchant and a twin of another's that must not be found."""
    written = {"title": "Brand", "payer_name": "Café Łódź", "payer_email": "ana@duarte.example", "payer_reference": "PO-77"}
    for owner in (merchant, make_merchant(slug="other")):
        publish(make_draft(owner, **written), now=NOW)
    make_draft(merchant, title="Other", payer_name="Kobayashi", payer_email="k@k.example", lines=[("Design", "1", "618.00")])
    return merchant


@pytest.mark.parametrize(
    "typed",
    [
        "INV-000001",
        "inv-0000",
        "brand",
        "BRAND cafe" + "\u0301",
        "Łódź",
        "łódź",
        "ANA@DUARTE",
        "po-77",
        "  Brand  ",
        "1800.00",
        "1,800.00",
        "1.800,00",
        "1800,00",
        "1,800",
        "1800",
    ],
)
def test_every_word_is_looked_for_in_number_title_payer_reference_and_total(desk: Merchant, typed: str) -> None:
    assert found(desk, typed) == ["Brand"]


@pytest.mark.parametrize("typed", ["brand kobayashi", "INV-000002", "1801.00", "nobody", "180000"])
def test_one_word_that_is_nowhere_finds_nothing(desk: Merchant, typed: str) -> None:
    assert found(desk, typed) == []


def test_signs_that_mean_something_to_a_database_are_looked_for_as_they_are(merchant: Merchant) -> None:
    for title in ("Discount of 10 %", "snake_case", "back\\slash", "quo'te", "Other"):
        make_draft(merchant, title=title, payer_email="k@k.example")
    assert [found(merchant, sign) for sign in ("%", "_", "\\", "'")] == [["Discount of 10 %"], ["snake_case"], ["back\\slash"], ["quo'te"]]


def test_of_a_word_with_signs_in_it_the_whole_is_looked_for(merchant: Merchant) -> None:
    for reference in ("PO-001234", "XX-001234", "PO 001234"):
        make_draft(merchant, title=reference, payer_reference=reference, payer_email="k@k.example")
    assert found(merchant, "po-001234") == ["PO-001234"]
    assert found(merchant, "po 001234") == ["PO 001234", "PO-001234"]
    assert found(merchant, "001234") == ["PO 001234", "PO-001234", "XX-001234"]


def test_more_than_eight_words_are_not_looked_for() -> None:
    assert search.words("a b c d e f g h i j") == ["a", "b", "c", "d", "e", "f", "g", "h"]
    assert search.words("  \0 ") == []


def test_an_edit_is_found_by_its_new_words_and_not_by_the_old(merchant: Merchant) -> None:
    draft = make_draft(merchant, title="Before")
    Invoice.objects.filter(pk=draft.pk).update(title="After")
    draft.refresh_from_db()
    search.refresh(draft)
    assert (found(merchant, "before"), found(merchant, "after")) == ([], ["After"])


def test_a_number_is_found_once_it_is_taken(merchant: Merchant) -> None:
    draft = make_draft(merchant, title="Brand")
    assert found(merchant, "INV-000001") == []
    publish(draft, now=NOW)
    assert found(merchant, "inv-000001") == ["Brand"]


def test_what_was_noted_stays_through_an_edit_and_stands_there_once(merchant: Merchant) -> None:
    draft = make_draft(merchant, title="Brand")
    for _time in range(2):
        search.note(draft, "0xABCDEF")
    draft.title = "Signage"
    search.refresh(draft)
    assert draft.search_text == "signage ana duarte ana@duarte.example 1800.00\n0xabcdef"
    assert Invoice.objects.get(pk=draft.pk).search_text == draft.search_text
    search.note(draft, "  ")
    assert Invoice.objects.get(pk=draft.pk).search_text == draft.search_text


def test_it_is_found_by_the_address_it_is_paid_at_and_by_the_transaction(merchant: Merchant) -> None:
    from payments import watcher

    sandbox.mine(now=NOW)
    invoice = publish(make_draft(merchant, title="Brand"), now=NOW)
    make_draft(merchant, title="Other")
    quote = quotes.ask(invoice, USDT, now=NOW)
    assert found(merchant, quote.receive_address.address.upper()) == ["Brand"]
    sandbox.pay(quote.receive_address.address, USDT, quote.amount_units, now=NOW)
    watcher.read("sandbox:harbour", now=NOW)
    txid = invoice.transfers.get().txid
    assert found(merchant, txid) == found(merchant, txid[:12]) == ["Brand"]


def test_the_migrations_fill_in_what_was_written_before_and_may_run_twice(merchant: Merchant) -> None:
    sandbox.mine(now=NOW)
    invoice = publish(make_draft(merchant), now=NOW)
    quote = quotes.ask(invoice, USDT, now=NOW)
    kept = Invoice.objects.get(pk=invoice.pk).search_text
    Invoice.objects.update(search_text="")
    own = importlib.import_module("invoicing.migrations.0005_search")
    notes = importlib.import_module("payments.migrations.0003_found_by_transfer")
    for _time in range(2):
        own.fill(apps, SimpleNamespace(connection=connection))
        notes.note(apps, SimpleNamespace(connection=connection))
    assert Invoice.objects.get(pk=invoice.pk).search_text == kept
    assert quote.receive_address.address.casefold() in kept


@pytest.mark.postgres
def test_on_postgresql_a_search_reads_its_index(merchant: Merchant) -> None:
    make_draft(merchant)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "invoice_search" in search.among(Invoice.objects.all(), "brand").explain()
