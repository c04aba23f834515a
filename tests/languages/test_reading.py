"""Which language is read where: the dashboard's, the invoice's, the browser's; and from which side."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from invoicing.models import Invoice, Payer
from invoicing.pdf import paper
from merchants import clock
from merchants.models import Merchant, User
from notifications import fanout
from notifications.mail import emails
from notifications.models import Delivery
from tests.factories import NOW, make_draft, publish
from tests.invoicing.page import sent
from tests.payments.money import USDT, Story

pytestmark = pytest.mark.django_db
GERMAN = {"accept-language": "de"}


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def issued(merchant: Merchant, language: str) -> Invoice:
    return publish(make_draft(merchant, language=language))


def html(invoice: Invoice, name: str = "public_invoice", **headers: str) -> str:
    return Client(headers=headers or None).get(reverse(name, args=[invoice.public_id])).content.decode()


@pytest.mark.parametrize(
    ("language", "tag", "word", "amount"),
    [
        ("en", 'lang="en" dir="ltr"', "Amount due", "1,800.00"),
        ("de", 'lang="de" dir="ltr"', "Offener Betrag", "1.800,00"),
        ("zh-hans", 'lang="zh-hans" dir="ltr"', "应付金额", "1,800.00"),
        ("ar", 'lang="ar" dir="rtl"', "المبلغ المستحق", "1,800.00"),
    ],
)
def test_page_checkout_paper_and_mail_speak_the_invoices_language(merchant: Merchant, language: str, tag: str, word: str, amount: str) -> None:
    invoice = issued(merchant, language)
    fanout.run(NOW)
    with translation.override(language):
        printed = paper.html(invoice, "invoice")
    mail = emails.write(Delivery.objects.get(template="issued"), now=NOW)
    for shown in (html(invoice), html(invoice, "checkout"), mail.html):
        assert word in shown
    for shown in (html(invoice), html(invoice, "checkout"), printed, mail.html):
        assert f"<html {tag}" in shown
        assert amount in shown
    assert translation.get_language() == "en"


def test_what_the_browser_asks_for_does_not_move_an_invoice_nor_the_dashboard(merchant: Merchant, owner: User, client_as: Any) -> None:
    assert "Amount due" in html(issued(merchant, "en"), **GERMAN)
    page = client_as(owner).get(reverse("overview", args=[merchant.slug]), headers=GERMAN)
    assert (page["Content-Language"], 'lang="en"' in page.content.decode()) == ("en", True)


def test_a_page_of_no_invoice_speaks_what_the_browser_asks_for(db: None) -> None:
    page = Client(headers=GERMAN).get(reverse("checkout", args=["nonsense"]))
    assert (page.status_code, page["Content-Language"], "Hier ist nichts" in page.content.decode()) == (404, "de", True)
    assert "There is nothing here" in Client(headers={"accept-language": "ja"}).get(reverse("checkout", args=["nonsense"])).content.decode()


def test_the_dashboard_writes_rates_and_the_payers_page_does_each_in_its_own_language(merchant: Merchant, owner: User, client_as: Any) -> None:
    story = Story(merchant, language="de")
    story.pay(USDT)
    story.blocks(5)
    desk = client_as(owner).get(reverse("invoice", args=[merchant.slug, story.invoice.pk])).content.decode()
    assert "1 EUR = 1.0860 USDT" in desk
    assert "1,0860" not in desk
    assert "1 EUR = 1,0860 USDT" in html(story.invoice, "checkout")


def test_a_language_that_is_offered_no_more_is_read_in_english(merchant: Merchant, settings: Any) -> None:
    invoice = issued(merchant, "de")
    settings.LANGUAGES = [("en", "English")]
    assert "Amount due" in html(invoice)


def test_the_form_starts_with_the_merchants_language_and_keeps_the_chosen_one(merchant: Merchant, owner: User, client_as: Any) -> None:
    Merchant.objects.update(language="de")
    merchant.refresh_from_db()
    client = client_as(owner)
    page = client.get(reverse("invoice_new", args=[merchant.slug])).content.decode()
    assert '<option value="de" selected>Deutsch</option>' in page
    client.post(reverse("invoice_new", args=[merchant.slug]), sent(language="ar", act="save"))
    made = Invoice.objects.get()
    assert (made.language, Payer.objects.get().language) == ("ar", "ar")
    page = client.get(reverse("invoice_edit", args=[merchant.slug, made.pk])).content.decode()
    assert '<option value="ar" selected>العربية</option>' in page
