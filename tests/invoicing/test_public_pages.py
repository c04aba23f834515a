"""The document at its unguessable link."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from invoicing import lifecycle
from invoicing.models import Attachment, Invoice, Status
from merchants import clock
from merchants.models import Event, Logo, Merchant, User
from tests.factories import NOW, make_draft, make_merchant, publish

pytestmark = pytest.mark.django_db

LINES = [
    ("Logo and wordmark", "1", "1800.00", "23"),
    ("Colour and type system", "1", "1125.00", "23"),
    ("Stationery, per piece", "6", "92.50", "23"),
]


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def media(settings: Any, tmp_path: Path) -> Iterator[Path]:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def invoice(merchant: Merchant) -> Invoice:
    return publish(make_draft(merchant, lines=LINES, payer_reference="PO-77", description="Second of three phases."))


def page(invoice: Invoice, name: str = "public_invoice", *more: str, client: Client | None = None) -> HttpResponse:
    return (client or Client()).get(reverse(name, args=[invoice.public_id, *more]))


def words(response: HttpResponse) -> str:
    body = re.sub(r"<(script|svg|head)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)).replace("&amp;", "&")


def attached(invoice: Invoice, name: str = "statement-of-work.pdf") -> Attachment:
    file = ContentFile(b"%PDF-1.7 a contract", name=name)
    return Attachment.objects.create(
        merchant=invoice.merchant, invoice=invoice, name=name, size=19, content_type="application/pdf", sha256="0" * 64, file=file, created_at=NOW
    )


def test_an_open_invoice_shows_what_is_due_for_what_and_how_to_pay_it(invoice: Invoice) -> None:
    response = page(invoice)
    text = words(response)
    for sentence in (
        "Amount due 4,280.40 EUR",
        "by Tuesday 1 December 2026, 10:00, Lisbon time",
        "Pay with USDT, ETH or BTC from any wallet or exchange. No account needed.",
        "Brand identity, phase 2",
        "Second of three phases.",
        "6 × 92.50",
        "Subtotal 3,480.00",
        "VAT 23 % 800.40",
        "Total, EUR 4,280.40",
        "ana@duarte.example",
        "PO-77",
        "studio@harbourpine.example",
    ):
        assert sentence in text
    assert reverse("checkout", args=[invoice.public_id]) in response.content.decode()


def test_an_overdue_invoice_can_still_be_paid(invoice: Invoice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(days=15))
    assert "Overdue; it can still be paid here." in words(page(invoice))
    assert "Pay Now" in words(page(invoice))


def test_a_cancelled_invoice_says_so_and_links_to_what_replaces_it(invoice: Invoice) -> None:
    successor = publish(make_draft(invoice.merchant))
    lifecycle.void(invoice, by=None, reason="Wrong hours", now=NOW)
    Invoice.objects.filter(pk=invoice.pk).update(replaced_by=successor)
    response = page(invoice)
    assert "Harbour & Pine cancelled this invoice on 17 Nov 2026, 10:00, Lisbon time. There is nothing to pay." in words(response)
    assert "The reason given: Wrong hours" in words(response)
    assert reverse("public_invoice", args=[successor.public_id]) in response.content.decode()
    assert "Pay Now" not in words(response)


@pytest.mark.parametrize(
    ("money", "sentence"),
    [
        ({"credited_minor": 5_025}, "50.25 EUR was received for it. Ask Harbour & Pine about it."),
        ({"pending_minor": 700}, "7.00 EUR is confirming for it. Ask Harbour & Pine about it."),
        (
            {"credited_minor": 5_025, "pending_minor": 700},
            "50.25 EUR was received for it, and 7.00 EUR is confirming. Ask Harbour & Pine about it.",
        ),
    ],
)
def test_a_cancelled_invoice_says_what_came_for_it_in_the_words_of_its_issue(invoice: Invoice, money: dict[str, int], sentence: str) -> None:
    lifecycle.void(invoice, by=None, reason="", now=NOW)
    assert "Ask Harbour" not in words(page(invoice))
    Invoice.objects.filter(pk=invoice.pk).update(**money)
    Merchant.objects.filter(pk=invoice.merchant_id).update(name="Something else", currency="JPY")
    assert sentence in words(page(invoice))


def test_a_successor_that_was_not_sent_is_not_linked(invoice: Invoice) -> None:
    draft = make_draft(invoice.merchant)
    lifecycle.void(invoice, by=None, reason="", now=NOW)
    Invoice.objects.filter(pk=invoice.pk).update(replaced_by=draft)
    assert draft.public_id not in page(invoice).content.decode()


def test_a_missed_invoice_says_whom_to_ask(merchant: Merchant) -> None:
    missed = make_draft(merchant, status=Status.MISSED)
    text = words(page(missed))
    assert "This invoice was not sent in time" in text
    assert "Ask Harbour & Pine for a new one: studio@harbourpine.example" in text
    assert "Logo and wordmark" not in text
    assert page(missed, "public_pdf").status_code == 404


def test_the_teams_remark_is_never_on_the_page(merchant: Merchant) -> None:
    invoice = publish(make_draft(merchant, remark="pays late, watch out"))
    assert "watch out" not in page(invoice).content.decode()


# --- viewed -----------------------------------------------------------------------------------------------------
def test_looking_is_told_by_the_pages_own_beacon_once(invoice: Invoice) -> None:
    page(invoice)
    assert Event.objects.filter(kind="invoice.viewed").count() == 0
    for _time in range(2):
        assert Client().post(reverse("public_viewed", args=[invoice.public_id])).status_code == 204
    assert Event.objects.filter(kind="invoice.viewed").count() == 1


def test_a_member_who_looks_is_not_the_payer(invoice: Invoice, owner: User) -> None:
    client = Client()
    client.force_login(owner)
    assert client.post(reverse("public_viewed", args=[invoice.public_id])).status_code == 204
    invoice.refresh_from_db()
    assert invoice.viewed_at is None


def test_a_member_of_another_business_who_looks_counts(invoice: Invoice) -> None:
    other = make_merchant(slug="other")
    client = Client()
    client.force_login(other.members.get())
    client.post(reverse("public_viewed", args=[invoice.public_id]))
    invoice.refresh_from_db()
    assert invoice.viewed_at == NOW


# --- files ------------------------------------------------------------------------------------------------------
def test_whoever_holds_the_link_may_read_its_files(invoice: Invoice, media: Path) -> None:
    attachment = attached(invoice)
    assert "statement-of-work.pdf 1 kB" in words(page(invoice))
    response = page(invoice, "public_file", attachment.public_id)
    assert response.status_code == 200
    assert b"".join(response) == b"%PDF-1.7 a contract"
    assert response["Cache-Control"].startswith("private")


def test_a_file_of_another_invoice_is_a_404_through_this_link(invoice: Invoice, media: Path) -> None:
    other = publish(make_draft(invoice.merchant))
    attachment = attached(other)
    assert page(invoice, "public_file", attachment.public_id).status_code == 404
    found = page(other, "public_file", attachment.public_id)
    assert b"".join(found) == b"%PDF-1.7 a contract"


def test_a_file_of_a_draft_is_a_404(merchant: Merchant, media: Path) -> None:
    draft = make_draft(merchant)
    assert page(draft, "public_file", attached(draft).public_id).status_code == 404


def test_the_invoice_is_a_pdf_to_keep_and_the_receipt_waits_for_the_money(invoice: Invoice, media: Path) -> None:
    response = page(invoice, "public_pdf")
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == f'attachment; filename="{invoice.number}.pdf"'
    assert response.content.startswith(b"%PDF-")
    assert page(invoice, "public_receipt").status_code == 404


# --- the merchant's looks ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["", "pay/", "pay/status/", "brand.css", "logo.png", "invoice.pdf"])
def test_a_link_with_a_null_character_is_a_404(db: None, path: str) -> None:
    """PostgreSQL takes none in a text, and would answer with an error."""
    assert Client().get(f"/i/7Qm2xVb9%00tKc4/{path}").status_code == 404


def test_a_file_with_a_null_character_is_a_404(invoice: Invoice) -> None:
    assert Client().get(f"/i/{invoice.public_id}/files/a%00b/").status_code == 404


def test_logo_and_colour_are_those_of_the_day_it_was_issued(merchant: Merchant) -> None:
    Merchant.objects.update(logo=Logo.keep(b"\x89PNG old"), brand_color="#0B5563")
    merchant.refresh_from_db()
    invoice = publish(make_draft(merchant))
    Merchant.objects.update(logo=Logo.keep(b"\x89PNG new"), brand_color="#AA0000")
    logo, brand = page(invoice, "public_logo"), page(invoice, "public_brand")
    assert (logo["Content-Type"], logo.content) == ("image/png", b"\x89PNG old")
    assert brand["Content-Type"] == "text/css; charset=utf-8"
    assert "#0B5563" in brand.content.decode().upper()
    assert "#AA0000" not in brand.content.decode().upper()
    again = Client().get(reverse("public_brand", args=[invoice.public_id]), HTTP_IF_NONE_MATCH=brand["ETag"])
    assert (again.status_code, again["Cache-Control"]) == (304, "private, max-age=3600")


def test_without_a_logo_there_is_none(invoice: Invoice) -> None:
    assert page(invoice, "public_logo").status_code == 404
