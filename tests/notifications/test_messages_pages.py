"""The merchant's mails on the desk: the list, one mail, and once more."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from invoicing.attention import matters
from invoicing.models import Invoice
from merchants.models import Event, Merchant, User
from notifications import courier, delivery_lists, fanout, outbox
from notifications.mail import copies, emails, unreached
from notifications.models import Delivery
from notifications.transports import Outcome
from tests.factories import NOW, add_member, make_draft, make_merchant, publish

pytestmark = pytest.mark.django_db

SECRET = "7Qm2xVb9tKc4"  # of the payer's link
AS = Callable[[User], Client]


def page(client: Client, name: str, *args: Any, query: str = "") -> str:
    answer = client.get(reverse(name, args=["harbour-pine", *args]) + query)
    assert answer.status_code == 200
    return answer.content.decode().replace("<wbr>", "")


def refused(delivery: Delivery, answer: str = "No such person") -> Delivery:
    """The mail server takes it never."""
    Delivery.objects.filter(pk=delivery.pk).update(next_at=NOW)
    [claimed] = outbox.claim("email", now=NOW, limit=1)
    assert claimed.pk == delivery.pk
    outbox.finish(claimed, lease=claimed.lease, outcome=Outcome(False, permanent=True, code="550", answer=answer), now=NOW)
    return Delivery.objects.get(pk=delivery.pk)


def mailed(invoice: Invoice, recipient: str, **fields: Any) -> Delivery:
    """A mail about `invoice` of an event of its own."""
    event = Event.objects.create(merchant=invoice.merchant, kind="invoice.reminded", subject_kind="invoice", subject_id=invoice.pk, at=NOW)
    values = {"template": "issued", "channel": "email", "status": "queued", "next_at": NOW, "created_at": NOW, **fields}
    return Delivery.objects.create(
        merchant=invoice.merchant, event=event, invoice=invoice, recipient=recipient, message_id=f"<{event.pk}@test>", **values
    )


# --- the list -------------------------------------------------------------------------------------------------------
def test_the_list_says_what_to_whom_and_how_it_went(issued_mail: Delivery, viewer: User, client_as: AS) -> None:
    refused(issued_mail)
    shown = page(client_as(viewer), "messages")

    for said in ("Invoice issued", "INV-000001", "ana@duarte.example", "Given up", "550 No such person"):
        assert said in shown
    assert SECRET not in shown


def test_each_filter_shows_its_own(invoice: Invoice, owner: User, client_as: AS) -> None:
    fanout.run(NOW)
    for state in ("queued", "sending", "sent", "failed", "cancelled"):
        mailed(invoice, f"{state}@duarte.example", status=state, template="receipt" if state == "sent" else "issued")
    Delivery.objects.filter(recipient="ana@duarte.example").delete()
    client = client_as(owner)

    def there(query: str) -> list[str]:
        shown = page(client, "messages", query=query)
        return [state for state in ("queued", "sending", "sent", "failed", "cancelled") if f"{state}@duarte.example</bdi>" in shown]

    assert there("") == ["queued", "sending", "sent", "failed", "cancelled"]
    assert there("?show=waiting") == ["queued", "sending"]
    assert there("?show=delivered") == ["sent"]
    assert there("?show=failed") == ["failed"]
    assert there("?show=withheld") == ["cancelled"]
    assert there("?kind=receipt") == ["sent"]
    assert there("?q=EUED@duarte") == ["queued"]
    assert there("?q=ANCEL&show=failed") == []
    assert there("?show=nonsense&kind=nonsense&before=x&after=%00") == ["queued", "sending", "sent", "failed", "cancelled"]


def test_pages_go_by_key_and_back(invoice: Invoice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_lists, "PAGE", 2)
    pks = [mailed(invoice, f"{n}@duarte.example").pk for n in range(5)]

    def turn(**at: str) -> tuple[list[int], str, str]:
        found = delivery_lists.page(Delivery.objects.all(), **at)
        return [row.pk for row in found.rows], found.newer, found.older

    one, two, three, four, five = pks
    assert turn() == ([five, four], "", str(four))
    assert turn(before=str(four)) == ([three, two], str(three), str(two))
    assert turn(before=str(two)) == ([one], str(one), "")
    assert turn(after=str(one)) == ([three, two], str(three), str(two))
    assert turn(after=str(three)) == ([five, four], "", str(four))


def test_the_list_costs_the_same_for_one_and_for_three(invoice: Invoice, owner: User, client_as: AS, django_assert_num_queries: Any) -> None:
    client = client_as(owner)
    fanout.run(NOW)
    page(client, "messages")
    with CaptureQueriesContext(connection) as one:
        page(client, "messages")
    for n in range(2):
        mailed(publish(make_draft(invoice.merchant)), f"{n}@duarte.example")
    with django_assert_num_queries(len(one)):
        page(client, "messages")


def test_a_merchant_without_a_mail_is_told_what_will_be_here(merchant: Merchant, owner: User, client_as: AS) -> None:
    assert "No mail has been sent yet" in page(client_as(owner), "messages")


# --- one mail -------------------------------------------------------------------------------------------------------
def test_a_mail_is_shown_as_it_left_in_a_frame_that_runs_nothing(issued_mail: Delivery, viewer: User, client_as: AS) -> None:
    copies.keep(issued_mail, emails.write(issued_mail, now=NOW), NOW)
    [claimed] = outbox.claim("email", now=NOW, limit=1)
    outbox.finish(claimed, lease=1, outcome=Outcome(True, code="250", answer="taken"), now=NOW, duration_ms=40)
    Invoice.objects.update(title="Something else")
    client = client_as(viewer)
    shown = page(client, "message", issued_mail.pk)
    answer = client.get(reverse("message_mail", args=["harbour-pine", issued_mail.pk]))
    framed = answer.content.decode()

    for said in ("As it was sent", "Invoice INV-000001 from Harbour &amp; Pine: 4,280.40 EUR", "250 taken", "40 ms", "Hello Ana Duarte,"):
        assert said in shown
    assert 'sandbox=""' in shown
    assert "Send again" not in shown  # a viewer
    assert "Brand identity, phase 2" in framed
    assert SECRET not in shown + framed
    assert "script-src" not in answer["Content-Security-Policy"]
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "SAMEORIGIN"


def test_an_invitation_is_listed_and_shown_to_nobody(merchant: Merchant, owner: User, client_as: AS) -> None:
    from merchants import team

    team.invite(merchant, email="rui@harbourpine.example", role="viewer", by=owner, now=NOW)
    fanout.run(NOW)
    mail, client = Delivery.objects.get(template="invitation"), client_as(owner)

    assert "An invitation is for who is invited alone; it is shown to nobody else." in page(client, "message", mail.pk)
    assert client.get(reverse("message_mail", args=["harbour-pine", mail.pk])).status_code == 404
    client.post(reverse("message_again", args=["harbour-pine", mail.pk]))
    assert Delivery.objects.count() == 1


def test_a_webhook_is_no_mail(issued_mail: Delivery, owner: User, client_as: AS) -> None:
    Delivery.objects.update(channel="webhook")
    assert client_as(owner).get(reverse("message", args=["harbour-pine", issued_mail.pk])).status_code == 404


def test_sending_again_is_a_new_message_and_leads_to_it(issued_mail: Delivery, manager: User, client_as: AS) -> None:
    failed = refused(issued_mail)
    client = client_as(manager)
    assert "Send again" in page(client, "message", failed.pk)
    answer = client.post(reverse("message_again", args=["harbour-pine", failed.pk]))
    again = Delivery.objects.get(event__kind="delivery.resent")

    assert answer.url == reverse("message", args=["harbour-pine", again.pk])
    assert (again.status, again.recipient, again.message_id != failed.message_id) == ("queued", "ana@duarte.example", True)


def test_what_waits_goes_at_once_instead(issued_mail: Delivery, manager: User, client_as: AS) -> None:
    Delivery.objects.update(next_at=NOW + timedelta(days=9000))
    client_as(manager).post(reverse("message_again", args=["harbour-pine", issued_mail.pk]))

    assert Delivery.objects.get().next_at < NOW + timedelta(days=9000)


# --- what was not delivered -----------------------------------------------------------------------------------------
def test_a_payer_who_was_not_reached_is_told_of_until_it_is_sent_again(issued_mail: Delivery, merchant: Merchant, owner: User, client_as: AS) -> None:
    client, pk = client_as(owner), issued_mail.invoice_id
    assert "could not be reached" not in page(client, "invoice", pk)
    failed = refused(issued_mail)
    publish(make_draft(make_merchant(slug="another")))

    shown = page(client, "invoice", pk)
    assert "ana@duarte.example could not be reached." in shown
    assert "550 No such person" in shown
    assert "not delivered</span>" in shown  # beside Messages in the navigation
    [row] = matters(merchant, NOW)
    assert (row.title, row.text) == ("ana@duarte.example could not be reached", "Invoice issued of INV-000001, for Ana Duarte. 550 No such person")
    assert row.link == reverse("invoice", args=["harbour-pine", pk])

    outbox.send_again(failed, by=owner, now=NOW)
    assert matters(merchant, NOW) == []
    shown = page(client, "invoice", pk)
    assert "could not be reached" not in shown
    assert "not delivered</span>" not in shown


def test_one_that_came_back_says_so(issued_mail: Delivery, owner: User, client_as: AS) -> None:
    Delivery.objects.update(status="failed", bounced_at=NOW, reason="550 Mailbox gone")
    client = client_as(owner)

    assert "The mail to ana@duarte.example came back." in page(client, "invoice", issued_mail.invoice_id)
    assert "It came back." in page(client, "message", issued_mail.pk)


def test_a_new_address_in_its_place_settles_the_old_one_but_not_a_copy(invoice: Invoice, merchant: Merchant) -> None:
    mailed(invoice, "old@duarte.example", status="failed")
    copy = mailed(invoice, "books@duarte.example", status="failed", copy="cc")
    assert unreached.count(merchant) == 2
    mailed(invoice, "new@duarte.example")

    assert list(unreached.mails(merchant)) == [copy]
    Event.objects.create(merchant=merchant, kind="invoice.recipients_changed", subject_kind="invoice", subject_id=invoice.pk, at=NOW)
    assert list(unreached.mails(merchant)) == []


def test_a_copy_beside_it_does_not_settle_the_mail_itself(invoice: Invoice, merchant: Merchant) -> None:
    first = mailed(invoice, "ana@duarte.example", status="failed")
    beside = mailed(invoice, "books@duarte.example", status="sent", copy="cc")
    Delivery.objects.filter(pk=beside.pk).update(event=first.event)

    assert list(unreached.mails(merchant)) == [first]


def test_sending_one_address_again_does_not_settle_another(merchant: Merchant, owner: User) -> None:
    publish(make_draft(merchant, mail_copies={"to": ["rui@duarte.example"]}), now=NOW)
    fanout.run(NOW)
    Delivery.objects.filter(recipient="ana@duarte.example").update(status="failed")
    Delivery.objects.filter(recipient="rui@duarte.example").update(status="sent", sent_at=NOW)
    outbox.send_again(Delivery.objects.get(recipient="rui@duarte.example"), by=owner, now=NOW)

    assert [mail.recipient for mail in unreached.mails(merchant)] == ["ana@duarte.example"]


def test_another_mail_of_another_kind_or_invoice_settles_nothing(invoice: Invoice, merchant: Merchant) -> None:
    first = mailed(invoice, "ana@duarte.example", status="failed")
    mailed(invoice, "ana@duarte.example", template="receipt")
    mailed(publish(make_draft(merchant)), "ana@duarte.example")

    assert list(unreached.mails(merchant)) == [first]


def test_a_viewer_never_reads_the_payers_link_in_what_a_mail_server_said(
    issued_mail: Delivery, merchant: Merchant, client_as: AS, mailserver: Any
) -> None:
    mailserver.answers = [f"554 5.7.1 blocked URL https://pay.example/i/{SECRET}/pay/"]
    courier.round_of("email", now=NOW)
    client = client_as(add_member(merchant, "viewer"))

    seen = page(client, "message", issued_mail.pk)
    assert "blocked URL https://pay.example/i/…/pay/" in seen
    assert SECRET not in seen + page(client, "invoice", issued_mail.invoice_id) + page(client, "messages")
