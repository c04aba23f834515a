"""The notices of payments on their way and in part, of what did not arrive, and of endpoints that gave up: who hears when, in which words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from invoicing.models import Invoice
from merchants.events import record
from merchants.models import Merchant, User
from notifications import fanout, outbox
from notifications.mail import emails
from notifications.models import Channel, Delivery, Endpoint
from notifications.transports import Outcome, Withheld
from payments.models import BY_BALANCE, Transfer
from tests.factories import NOW, make_draft, publish
from tests.notifications.conftest import take
from tests.notifications.test_emails import happen, letter, links, words

pytestmark = pytest.mark.django_db
TXID = "0f9a".ljust(60, "0") + "1b2c"
SEEN = {
    "network": "sandbox:harbour",
    "network_name": "Sandbox",
    "symbol": "USDT",
    "amount": "1629.000000",
    "credit": "1500.00",
    "txid": TXID,
    "place": 0,
    "late": False,
    "held": False,
}
REFUSED = Outcome(False, permanent=True, code="550", answer="5.1.1 No such user here")


def mails() -> set[tuple[str, str]]:
    while fanout.run(NOW).events:
        pass
    return set(Delivery.objects.filter(channel=Channel.EMAIL).values_list("template", "recipient"))


def want(merchant: Merchant, *off: str) -> None:
    merchant.notices_off = list(off)
    merchant.save()


def arrives(invoice: Invoice, state: str) -> Transfer:
    columns = {"network": "sandbox:harbour", "txid": TXID, "place": 0, "asset_id": "sandbox:harbour/token:usdt", "amount_units": 1_629_000_000}
    return Transfer.objects.create(**columns, invoice=invoice, status=state, first_seen_at=NOW, confirmations_needed=3)


# --- seen -------------------------------------------------------------------------------------------------------
def test_a_payment_on_its_way_is_told_with_what_it_will_count_for(invoice: Invoice) -> None:
    want(invoice.merchant)
    happen(invoice, "payment.detected", transfer=SEEN)
    found = letter("seen")
    page = f"http://testserver/m/harbour-pine/invoices/{invoice.pk}/"

    assert found.subject == "Seen, confirming: 1,629.000000 USDT for INV-000001"
    assert found.text.startswith(f"""\
1,629.000000 USDT for invoice INV-000001, Brand identity, phase 2, to Ana Duarte, has been seen on Sandbox.
It will count as 1,500.00 EUR. It is not final yet: do not act on it. You are told when it is.

Transaction: {TXID}

Check Details: {page}
""")
    assert links(found.html)[:2] == [page, page]
    assert "Seen, confirming 1,629.000000 USDT It will count as 1,500.00 EUR." in words(found.html)


def test_a_payment_that_is_held_is_not_promised_a_value(invoice: Invoice) -> None:
    want(invoice.merchant)
    happen(invoice, "payment.detected", transfer=SEEN | {"credit": None, "held": True})

    assert "It counts for nothing until you decide on it; you are told by another mail.\n" in letter("seen").text


def test_a_new_merchant_is_told_of_payments_when_they_are_final_and_not_before(invoice: Invoice) -> None:
    happen(invoice, "payment.detected", transfer=SEEN)
    take(invoice, 428040)

    assert {template for template, _to in mails()} == {"issued", "receipt", "paid"}


def test_notices_follow_the_invoices_choice_of_mails(invoice: Invoice) -> None:
    want(invoice.merchant)
    Invoice.objects.filter(pk=invoice.pk).update(notify_email=False)
    happen(invoice, "payment.detected", transfer=SEEN)
    take(invoice, 428040)

    assert {template for template, _to in mails()} == {"issued", "receipt"}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("dropped", "Its network had taken the payment back before this could be sent."),
        ("final", "The payment was final before this could be sent; what it did is told by another mail."),
    ],
)
def test_what_is_no_longer_on_its_way_is_not_told_as_such(invoice: Invoice, state: str, reason: str) -> None:
    want(invoice.merchant)
    arrives(invoice, state)
    happen(invoice, "payment.detected", transfer=SEEN)

    with pytest.raises(Withheld) as told:
        letter("seen")
    assert told.value.reason == reason


def test_of_a_balance_no_transaction_is_named(invoice: Invoice) -> None:
    want(invoice.merchant)
    happen(invoice, "payment.detected", transfer=SEEN | {"txid": f"{BY_BALANCE}17"})

    assert "Transaction" not in letter("seen").text + letter("seen").html


# --- a part -----------------------------------------------------------------------------------------------------
def test_a_part_is_told_to_payer_and_business_each_in_its_own_words(invoice: Invoice) -> None:
    take(invoice, 150000, units=1_629_000_000)
    happen(invoice, "payment.part_received")
    found = letter("part_paid")

    assert ("part_received", "ana@duarte.example") in mails()
    assert ("part_paid", "studio@harbourpine.example") in mails()
    assert found.subject == "Ana Duarte paid a part of INV-000001: 2,780.40 EUR still due"
    assert found.text.startswith("""\
Ana Duarte has paid 1,500.00 of 4,280.40 EUR on invoice INV-000001 for Brand identity, phase 2.
Ana Duarte is mailed the link that pays the rest. Nothing is asked of you.

Still due: 2,780.40 EUR
by Tuesday 1 December 2026, 10:00, Lisbon time

""")
    assert "/i/7Qm2xVb9tKc4/" not in found.text + found.html


def test_a_part_is_not_told_once_the_rest_is_confirming_or_there(invoice: Invoice) -> None:
    take(invoice, 150000)
    happen(invoice, "payment.part_received")
    Invoice.objects.filter(pk=invoice.pk).update(pending_minor=278040)

    with pytest.raises(Withheld, match="A payment of the rest is confirming"):
        letter("part_paid")


# --- not delivered ----------------------------------------------------------------------------------------------
def fail(template: str, recipient: str = "") -> Delivery:
    mails()
    waiting = outbox.claim(Channel.EMAIL, now=NOW, limit=20)
    mail = next(one for one in waiting if one.template == template and recipient in ("", one.recipient.lower()))
    outbox.finish(mail, lease=mail.lease, outcome=REFUSED, now=NOW)
    return mail


def test_a_mail_that_did_not_reach_a_payer_is_told_to_the_business(invoice: Invoice) -> None:
    fail("issued")
    found = letter("undelivered")
    page = f"http://testserver/m/harbour-pine/invoices/{invoice.pk}/#messages"

    assert ("undelivered", "studio@harbourpine.example") in mails()
    assert found.subject == "Not delivered: a mail to Ana Duarte about INV-000001"
    assert found.text.startswith(f"""\
The mail “Invoice issued” about invoice INV-000001, Brand identity, phase 2, did not reach Ana Duarte at ana@duarte.example.

Why: 550 5.1.1 No such user here
When: Tuesday 17 November 2026, 10:00, Lisbon time

If the address is wrong, correct it on the page of the invoice, and send the mail again from there. It is tried no more by itself.

Look at the message: {page}
""")
    assert "/i/" not in found.text + found.html


def test_what_did_not_reach_the_business_itself_makes_no_mail_to_it(invoice: Invoice) -> None:
    take(invoice, 428040)
    fail("paid")

    assert {template for template, _to in mails()} == {"issued", "receipt", "paid"}


def test_nor_does_a_copy_to_an_address_of_the_business(invoice: Invoice) -> None:
    Merchant.objects.update(copies_to="Archive@harbourpine.example")
    fail("issued", "archive@harbourpine.example")

    assert "undelivered" not in {template for template, _to in mails()}


def test_nor_does_a_webhook(invoice: Invoice) -> None:
    with transaction.atomic():
        about = {"delivery": 1, "channel": "webhook", "template": "invoice.issued", "reason": "500"}
        record("delivery.failed", merchant=invoice.merchant, subject=invoice, now=NOW, facts=about)

    assert "undelivered" not in {template for template, _to in mails()}


def test_it_is_not_told_once_the_mail_was_sent_again(invoice: Invoice, owner: User) -> None:
    failed = fail("issued")
    outbox.send_again(Delivery.objects.get(pk=failed.pk), by=owner, now=NOW)

    with pytest.raises(Withheld, match="It had been sent again"):
        letter("undelivered")


def test_it_is_told_though_the_mail_went_to_somebody_else_beside_it(merchant: Merchant, owner: User) -> None:
    publish(make_draft(merchant, mail_copies={"to": ["rui@duarte.example"]}), now=NOW)
    mails()
    failed, beside = Delivery.objects.filter(template="issued").order_by("id")
    Delivery.objects.filter(pk=failed.pk).update(status="sending")
    outbox.finish(failed, lease=failed.lease, outcome=REFUSED, now=NOW)
    Delivery.objects.filter(pk=beside.pk).update(status="sent", sent_at=NOW)

    assert "did not reach Ana Duarte at ana@duarte.example." in letter("undelivered").text
    outbox.send_again(beside, by=owner, now=NOW)
    assert "did not reach Ana Duarte at ana@duarte.example." in letter("undelivered").text


# --- an endpoint that gave up -----------------------------------------------------------------------------------
def disabled(merchant: Merchant, *, by: User | None) -> Endpoint:
    url = "https://hooks.harbourpine.example/in/s3cr3t"
    since = NOW - timedelta(days=5)
    endpoint = Endpoint.objects.create(merchant=merchant, url=url, description="Bookkeeping", secret="x", is_enabled=False, failing_since=since)
    facts: dict[str, Any] = {"url": url, "business": merchant.name, "who": by.display_name if by else "", "owners": []}
    with transaction.atomic():
        record("endpoint.disabled", merchant=merchant, subject=endpoint, now=NOW, by=by, facts=facts | {"reason": "" if by else "It answered 500."})
    return endpoint


def test_an_endpoint_switched_off_by_itself_is_told_to_the_owners_with_the_way_back(merchant: Merchant, owner: User) -> None:
    endpoint = disabled(merchant, by=None)
    found = letter("endpoint_off")

    assert mails() == {("endpoint_off", owner.email)}
    assert found.subject == "Webhooks to hooks.harbourpine.example were switched off"
    assert (
        found.text
        == f"""\
No webhook has reached hooks.harbourpine.example since Thursday 12 November 2026, 10:00, Lisbon time, so nothing more is sent to it.

Why: It answered 500.
Endpoint: Bookkeeping
When: Tuesday 17 November 2026, 10:00, Lisbon time

Mend what answers there, then switch it on again on its page. It then catches up: what happened meanwhile is sent.

Open the endpoint: http://testserver/m/harbour-pine/developers/endpoints/{endpoint.pk}/

--
Quittance sends this to every owner of Harbour & Pine; it cannot be switched off.
This is a test. No real money moves.
"""
    )
    assert "s3cr3t" not in found.text + found.html


def test_one_that_an_owner_switched_off_is_told_as_every_change_is(merchant: Merchant, owner: User) -> None:
    disabled(merchant, by=owner)

    assert mails() == {("owners_told", owner.email)}


def test_it_is_not_told_once_the_endpoint_is_on_again(merchant: Merchant) -> None:
    endpoint = disabled(merchant, by=None)
    Endpoint.objects.filter(pk=endpoint.pk).update(is_enabled=True)
    mails()

    with pytest.raises(Withheld, match="switched on again"):
        emails.write(Delivery.objects.get(template="endpoint_off"), now=NOW)
