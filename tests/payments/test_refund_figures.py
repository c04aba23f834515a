"""The same figures wherever a refund is told of: pages, lists, files, the credit note, mails and webhooks."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from decimal import Decimal

import pypdf
import pytest
from django.test import Client
from django.urls import reverse

from invoicing.models import CreditNote
from invoicing.pdf import credit
from merchants.models import Event, Merchant, User
from notifications import fanout
from notifications.mail import emails
from notifications.models import Delivery
from payments import claims, refunds
from payments.refunds import Seen
from tests.invoicing.test_views_pages import words
from tests.notifications.test_emails import words as words_of
from tests.payments.refunding import RefundStory

pytestmark = pytest.mark.django_db
TXID = "a" * 64


class Told(RefundStory):
    """100.00 EUR paid as 108.60 USDT. 40.00 EUR have gone back as 43.43 USDT, 12.34 EUR are on their way as 13.40 USDT: 47.66 EUR are left."""

    def __init__(self, merchant: Merchant) -> None:
        super().__init__(merchant)
        self.back = self.approved("other", other_minor=4_000)
        self.back = refunds.found(self.back, Seen(TXID, 0, 90, "90", self.now, 9), now=self.now)
        self.coming = self.approved("other", other_minor=1_234)
        self.fresh()
        while fanout.run(self.now).events:
            pass


@pytest.fixture
def told(merchant: Merchant) -> Told:
    return Told(merchant)


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User) -> Client:
    return client_as(owner)


def page(desk: Client, name: str, *args: object) -> str:
    return words(desk.get(reverse(name, args=args)))


def table(desk: Client, name: str) -> list[dict[str, str]]:
    answer = desk.get(reverse(name, args=["harbour-pine"]))
    return list(csv.DictReader(b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()))


# --- pages ----------------------------------------------------------------------------------------------------------
def test_the_invoices_page_says_what_was_refunded_what_is_on_its_way_and_what_is_left(told: Told, desk: Client) -> None:
    text = page(desk, "invoice", "harbour-pine", told.invoice.pk)
    assert "Paid 100.00 EUR 100.00 received 40.00 refunded 12.34 on its way back" in text
    assert "13.40 USDT Sandbox To be paid 12.34 EUR" in text
    assert "43.43 USDT Sandbox Refunded CN-000001 40.00 EUR" in text
    assert "40.00 EUR refunded 12.34 EUR on its way back 47.66 EUR left" in text


def test_the_lists_say_the_same(told: Told, desk: Client) -> None:
    assert "12.34 going back 100.00 EUR" in page(desk, "invoices", "harbour-pine")
    text = page(desk, "refunds", "harbour-pine")
    assert "Refunded 40.00 EUR On its way back 12.34 EUR" in text
    assert "13.40 USDT 12.34 EUR" in text and "CN-000001 43.43 USDT 40.00 EUR" in text


def test_so_does_the_refunds_own_page_and_the_payers(told: Told, desk: Client) -> None:
    text = page(desk, "refund", "harbour-pine", told.back.pk)
    assert "Went back 43.43 USDT on Sandbox, counts as 40.00 EUR" in text and "1 EUR = 1.0860 USDT" in text
    assert "40.00 EUR refunded 12.34 EUR is going back to you." in page(Client(), "public_invoice", told.invoice.public_id)
    text = page(Client(), "refund_claim", claims.link_token(told.back))
    assert "40.00 EUR" in text and "43.43 USDT" in text and "1 EUR = 1.0860 USDT" in text and "CN-000001" in text


# --- files ----------------------------------------------------------------------------------------------------------
def test_the_file_of_refunds_says_the_same(told: Told, desk: Client) -> None:
    cells = ("Refund", "State", "Amount", "Currency", "Asset amount", "Rate", "Credit note")
    assert [tuple(row[cell] for cell in cells) for row in table(desk, "refunds_csv")] == [
        (told.coming.reference, "To be paid", "12.34", "EUR", "13.400000", "0.920810313076", ""),
        (told.back.reference, "Refunded", "40.00", "EUR", "43.430000", "0.920810313076", "CN-000001"),
    ]


def test_in_the_file_of_payments_what_stayed_is_the_sum_of_a_column(told: Told, desk: Client) -> None:
    rows = table(desk, "payments_csv")
    assert [(row["Kind"], row["Amount"], row["Value"]) for row in rows] == [("refund", "-43.430000", "-40.00"), ("transfer", "108.600000", "100.00")]
    assert sum(Decimal(row["Value"]) for row in rows) == Decimal("60.00")


def test_the_credit_note_says_the_same(told: Told) -> None:
    sheets = pypdf.PdfReader(io.BytesIO(credit.render(CreditNote.objects.get()))).pages
    text = " ".join("".join(sheet.extract_text() for sheet in sheets).split())
    assert "Total credited 40.00 EUR" in text and "Paid back 43.43 USDT on Sandbox" in text and "1 EUR = 1.0860 USDT" in text


# --- messages -------------------------------------------------------------------------------------------------------
def test_the_mails_say_the_same(told: Told) -> None:
    mails = {mail.template: emails.write(mail, now=told.now) for mail in Delivery.objects.filter(channel="email", event__kind="refund.confirmed")}
    assert set(mails) == {"refund_told", "refund_news"}
    assert "Your refund of 40.00 EUR has arrived, as 43.43 USDT on Sandbox." in mails["refund_told"].text
    assert "The refund of 40.00 EUR to Ana Duarte is confirmed on Sandbox." in mails["refund_news"].text
    for letter in mails.values():
        assert "Paid as: 43.43 USDT on Sandbox" in letter.text and "40.00 EUR" in words_of(letter.html) and "43.43 USDT" in words_of(letter.html)


def test_what_endpoints_are_told_says_the_same(told: Told) -> None:
    facts = Event.objects.filter(kind="refund.approved").latest("id").facts
    assert (facts["invoice"]["credited"], facts["invoice"]["refunded"], facts["invoice"]["returning"]) == ("100.00", "40.00", "12.34")
    assert (facts["refund"]["amount"], facts["refund"]["asset_amount"], facts["refund"]["rate"]) == ("12.34", "13.400000", "0.920810313076")
    facts = Event.objects.get(kind="refund.confirmed").facts
    assert (facts["refund"]["amount"], facts["refund"]["asset_amount"], facts["refund"]["credit_note"]) == ("40.00", "43.430000", "CN-000001")
