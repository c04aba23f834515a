"""The PDF of a credit note: what stands on it, that it never changes, and who prints it."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pypdf
import pytest
from django.test import Client
from django.urls import reverse

from invoicing import attention, credit_notes, pdf, tasks
from invoicing.models import CreditNote, Invoice, Rendering
from invoicing.pdf import credit
from merchants.models import Merchant, User
from tests.factories import NOW, make_draft, publish

PAID_BACK = {
    "reference": "F-7K2M9Q",
    "amount": "54.300000",
    "symbol": "USDT",
    "network": "Sandbox",
    "address": "sandbox1qpayer0000000000000000000000000000",
    "txid": "5f2a" * 16,
    "rate": "0.92081",
}
LATER = NOW + timedelta(days=3)


@pytest.fixture
def invoice(merchant: Merchant) -> Invoice:
    lines = [("Logo and wordmark", "1", "1800.00", "23"), ("Books", "2", "50.00", "6"), ("Postage", "1", "20.00")]
    return publish(make_draft(merchant, lines))


def issue(invoice: Invoice, minor: int = 50_000, **fields: Any) -> CreditNote:
    values = {"amount_minor": minor, "reason": "Two proofs were never printed", "paid_back": PAID_BACK, "now": LATER}
    return credit_notes.issue(invoice, **values | fields)


def text_of(content: bytes) -> str:
    """The one page's text, with every run of white space as one space."""
    (page,) = pypdf.PdfReader(io.BytesIO(content)).pages
    return " ".join(page.extract_text().split()).replace("\N{NO-BREAK SPACE}", " ")


def test_it_says_what_it_takes_back_of_which_invoice_and_how_it_went(invoice: Invoice):
    text = text_of(credit.render(issue(invoice)))
    # 2,340.00 in all: 2,214.00 at 23 %, 106.00 at 6 %, 20.00 without tax; 500.00 of it is 473.08, 22.65 and 4.27.
    expected = [
        "Credit note", "CN-000001", "Harbour & Pine", "Ana Duarte", "For invoice INV-000001 of 17 November 2026", "20 November 2026",
        "This takes back a part of what invoice INV-000001 billed.", "Reason: Two proofs were never printed",
        "Part of invoice INV-000001, VAT 23 % 384.62 88.46 473.08", "VAT 6 % 21.37 1.28 22.65", "Part of invoice INV-000001, without tax 4.27 4.27",
        "Credited without tax 410.26", "VAT 23 % of 384.62 88.46", "VAT 6 % of 21.37 1.28", "Total credited 500.00 EUR",
        "Refunded", "54.30 USDT on Sandbox", "1 EUR = 1.0860 USDT", "F-7K2M9Q", "CN-000001, page 1 of 1",
    ]  # fmt: skip
    assert [words for words in expected if words not in text] == []
    joined = text.replace(" ", "")
    assert (PAID_BACK["txid"] in joined, PAID_BACK["address"] in joined) == (True, True)


def test_without_tax_there_are_no_columns_for_it(merchant: Merchant):
    text = text_of(credit.render(issue(publish(make_draft(merchant)), 180_000, reason="")))
    assert "What is credited EUR Part of invoice INV-000001 1,800.00 Total credited 1,800.00 EUR" in text
    assert "This takes back all that invoice INV-000001 billed." in text
    assert [word for word in ("Tax", "Reason", "Pay with", "Due") if word in text] == []


def test_it_carries_no_link_to_the_invoice(invoice: Invoice):
    (page,) = pypdf.PdfReader(io.BytesIO(credit.render(issue(invoice)))).pages
    assert "/Annots" not in page
    assert invoice.public_id not in page.extract_text()


def test_of_a_currency_with_three_digits_and_of_one_with_none_it_says_every_digit_and_no_more(merchant: Merchant):
    dinar = publish(make_draft(merchant, [("A refinery", "1", "999999.999", "5")], currency="KWD"))
    yen = publish(make_draft(merchant, [("A seal", "1", "618000", "10")], currency="JPY"))
    assert "Total credited 1,049,999.999 KWD" in text_of(credit.render(issue(dinar, 1_049_999_999)))
    assert "Total credited 679,800 JPY" in text_of(credit.render(issue(yen, 679_800)))


def test_in_another_language_the_same_figures_stand_as_it_writes_them(merchant: Merchant):
    invoice = publish(make_draft(merchant, language="pt"))
    assert "1.234,50 EUR" in text_of(credit.render(issue(invoice, 123_450)))


def test_it_is_the_same_to_the_byte_when_everything_around_it_has_changed(merchant: Merchant, invoice: Invoice):
    note = issue(invoice)
    first = credit.render(CreditNote.objects.get(pk=note.pk))
    merchant.name, merchant.brand_color, merchant.footer, merchant.paper = "Another name", "#AA0000", "New", "Letter"
    merchant.save()
    Invoice.objects.filter(pk=invoice.pk).update(public_id="another-link", refunded_minor=50_000)
    credit_notes.withdraw(note, now=LATER)
    assert credit.render(CreditNote.objects.get(pk=note.pk)) == first


def test_the_sweep_prints_it_once_and_each_note_of_an_invoice_for_itself(invoice: Invoice):
    one, two = issue(invoice), issue(invoice, 1_000)
    tasks.make_missing_pdfs()
    kept = {row.note_id: row for row in Rendering.objects.filter(invoice=invoice, kind="credit")}
    assert set(kept) == {one.pk, two.pk}
    assert pdf.content(kept[one.pk]) == credit.render(one)
    assert pdf.content(kept[two.pk]) == credit.render(two)
    made_at = kept[one.pk].made_at
    tasks.make_missing_pdfs()
    assert pdf.ensure_note(one.pk, now=LATER + timedelta(days=1)).made_at == made_at


def test_one_that_cannot_be_printed_is_shown_by_its_own_number(invoice: Invoice, monkeypatch: pytest.MonkeyPatch):
    note = issue(invoice)
    Rendering.objects.filter(kind="invoice").delete()
    monkeypatch.setattr(credit, "html", lambda _note: 1 / 0)
    for _try in range(4):
        tasks.make_missing_pdfs()
    row = Rendering.objects.get(note=note)
    assert (row.attempts, row.error) == (3, "ZeroDivisionError: division by zero")
    titles = [matter.title for matter in attention.matters(invoice.merchant, LATER)]
    assert "The PDF of CN-000001 could not be made" in titles


def test_a_member_downloads_it_under_its_number_also_while_it_is_withdrawn(invoice: Invoice, viewer: User, client_as: Callable[[User], Client]):
    note = issue(invoice)
    credit_notes.withdraw(note, now=LATER)
    answer = client_as(viewer).get(reverse("credit_note_pdf", args=[invoice.merchant.slug, note.pk]))
    assert answer["Content-Disposition"] == 'attachment; filename="CN-000001.pdf"'
    assert answer.content == credit.render(note)


def test_one_that_cannot_be_printed_leads_back_to_the_invoice_with_the_reason(
    invoice: Invoice, owner: User, client_as: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
):
    note = issue(invoice)
    monkeypatch.setattr(credit, "html", lambda _note: 1 / 0)
    answer = client_as(owner).get(reverse("credit_note_pdf", args=[invoice.merchant.slug, note.pk]), follow=True)
    assert answer.redirect_chain == [(reverse("invoice", args=[invoice.merchant.slug, invoice.pk]), 302)]
    assert "The PDF of CN-000001 could not be made yet." in answer.content.decode()
