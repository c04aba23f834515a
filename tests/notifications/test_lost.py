"""'Lost my link': the address learns its open invoices, whoever typed it learns nothing."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from invoicing import lifecycle
from invoicing.models import Invoice
from merchants.models import Event, Merchant, User
from notifications import fanout
from notifications.mail import emails, lost
from notifications.models import Delivery
from notifications.transports import Withheld
from tests.factories import NOW, make_draft, make_merchant, publish
from tests.notifications.test_emails import words

pytestmark = pytest.mark.django_db
ANA = "ana@duarte.example"


def ask(client: Client, email: str = ANA) -> tuple[int, str]:
    answer = client.post(reverse("lost"), {"email": email})
    return answer.status_code, answer.headers.get("Location", "")


def made() -> list[tuple[str, str]]:
    """The mails with links, by business and address."""
    fanout.run(NOW)
    return list(Delivery.objects.filter(template="links").order_by("id").values_list("merchant__slug", "recipient"))


def shown(answer: object) -> str:
    """A page without what differs from one request to the next."""
    return re.sub(r'nonce="[^"]*"|name="csrfmiddlewaretoken" value="[^"]*"', "", answer.content.decode())  # type: ignore[attr-defined]


def test_the_payer_is_mailed_every_open_invoice_with_its_link(invoice: Invoice, merchant: Merchant, owner: User) -> None:
    publish(make_draft(merchant, public_id="9kLm3nPq5rSt", title="Signage", due_at=NOW + timedelta(days=7)))
    lifecycle.void(publish(make_draft(merchant, public_id="cancelled000")), by=owner, reason="", now=NOW)
    publish(make_draft(merchant, public_id="notherstoday", payer_email="rui@elsewhere.example"))
    lost.ask("Ana@Duarte.example ", now=NOW)

    assert made() == [("harbour-pine", ANA)]
    found = emails.write(Delivery.objects.get(template="links"), now=NOW)
    assert found.subject == "Your 2 open invoices from Harbour & Pine"
    assert found.text.startswith("""\
Hello,

you asked for your links: these 2 invoices from Harbour & Pine are open.

INV-000002, Signage
1,800.00 EUR, by Tuesday 24 November 2026, 10:00, Lisbon time
http://testserver/i/9kLm3nPq5rSt/

INV-000001, Brand identity, phase 2
4,280.40 EUR, by Tuesday 1 December 2026, 10:00, Lisbon time
http://testserver/i/7Qm2xVb9tKc4/

If you did not ask, somebody entered your address on our page. They have learnt nothing from it.
""")
    assert "cancelled000" not in found.text + found.html
    assert "notherstoday" not in found.text + found.html
    assert "Signage INV-000002 1,800.00 EUR, by Tuesday 24 November" in words(found.html)


def test_one_open_invoice_has_the_button(invoice: Invoice) -> None:
    lost.ask(ANA, now=NOW)
    made()
    found = emails.write(Delivery.objects.get(template="links"), now=NOW)

    assert found.subject == "Your open invoice from Harbour & Pine"
    assert "Open the invoice Or open this link: http://testserver/i/7Qm2xVb9tKc4/" in words(found.html)


def test_each_business_sends_its_own(invoice: Invoice) -> None:
    publish(make_draft(make_merchant(slug="secret-orchard", name="Secret Orchard")))

    assert lost.ask(ANA, now=NOW) == 2
    assert sorted(made()) == [("harbour-pine", ANA), ("secret-orchard", ANA)]
    assert "Orchard" not in emails.write(Delivery.objects.get(template="links", merchant=invoice.merchant), now=NOW).text


def test_an_address_that_was_corrected_gets_the_links_and_the_wrong_one_nothing(invoice: Invoice) -> None:
    Invoice.objects.filter(pk=invoice.pk).update(mail_to="accounts@duarte.example")

    assert lost.ask(ANA, now=NOW) == 0
    assert lost.ask("Accounts@duarte.example", now=NOW) == 1
    assert made() == [("harbour-pine", "accounts@duarte.example")]


def test_the_answer_is_the_same_whether_anything_is_open_or_not(client: Client, invoice: Invoice) -> None:
    known, unknown = ask(client), ask(client, "nobody@elsewhere.example")

    assert known == unknown == (302, "/lost/?sent")
    assert shown(client.get("/lost/?sent")) == shown(Client().get("/lost/?sent"))
    assert made() == [("harbour-pine", ANA)]


def test_nobodys_mailbox_is_filled(client: Client, invoice: Invoice) -> None:
    assert {ask(client) for _press in range(5)} == {(302, "/lost/?sent")}
    assert Event.objects.filter(kind="links.asked").count() == 1


def test_asked_again_it_mails_again_after_six_hours_and_not_while_the_last_one_waits(invoice: Invoice) -> None:
    hours = timedelta(hours=1)
    assert [lost.ask(ANA, now=NOW + at * hours) for at in (0, 1, 5)] == [1, 0, 0]
    assert made() == [("harbour-pine", ANA)]
    assert lost.ask(ANA, now=NOW + 7 * hours) == 0
    Delivery.objects.filter(template="links").update(status="sent", sent_at=NOW)
    assert lost.ask(ANA, now=NOW + 7 * hours) == 1


def test_strangers_do_not_use_up_a_businesss_mails_of_the_day(merchant: Merchant) -> None:
    payers = [f"p{number}@duarte.example" for number in range(9)]
    for payer in payers:
        publish(make_draft(merchant, payer_email=payer))
    asked = 0
    for hour in range(0, 24, 6):
        for payer in payers:
            asked += lost.ask(payer, now=NOW + timedelta(hours=hour))
        fanout.run(NOW)
        Delivery.objects.filter(template="links").update(status="sent", sent_at=NOW)

    assert asked == 20
    assert lost.ask(payers[0], now=NOW + timedelta(hours=25)) == 1


def test_one_place_asks_for_twenty_addresses_an_hour(client: Client) -> None:
    answers = [ask(client, f"{number}@elsewhere.example")[0] for number in range(21)]

    assert answers == [302] * 20 + [429]


def test_what_is_no_address_is_mended_on_the_page(client: Client) -> None:
    answer = client.post(reverse("lost"), {"email": "ana"})

    assert answer.status_code == 422
    assert "This is not an email address." in answer.content.decode()


def test_it_is_not_sent_once_nothing_is_open(invoice: Invoice, owner: User) -> None:
    lost.ask(ANA, now=NOW)
    made()
    lifecycle.void(invoice, by=owner, reason="", now=NOW)

    with pytest.raises(Withheld, match="None of its invoices was open"):
        emails.write(Delivery.objects.get(template="links"), now=NOW)


def test_the_way_there_stands_where_a_link_leads_nowhere(client: Client) -> None:
    assert 'href="/lost/"' in client.get("/i/nosuchlink/").content.decode()
    assert 'href="/lost/"' in client.get("/r/nosuchlink/").content.decode()
