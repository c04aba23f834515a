"""The payer's mail sent once more: which, to whom, and when not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from invoicing import lifecycle
from invoicing.models import Invoice
from merchants import clock
from merchants.models import Event, Merchant, User
from notifications import fanout
from notifications.mail import emails
from notifications.models import Delivery
from tests.factories import make_draft, publish
from tests.invoicing.test_views_pages import url, words


@pytest.fixture
def desk(client_as: Callable[[User], Client], owner: User, merchant: Merchant) -> Client:
    return client_as(owner)


def issued(merchant: Merchant, **fields: Any) -> Invoice:
    now = clock.now()
    return publish(make_draft(merchant, **{"due_at": now + timedelta(days=14), **fields}), now=now)


def mailed(template: str) -> list[Delivery]:
    """The mails of this kind, once what happened is fanned out and has left."""
    fanout.run(clock.now())
    found = Delivery.objects.filter(channel="email", template=template).order_by("id")
    found.update(status="sent", sent_at=clock.now())
    return list(found)


def pay(invoice: Invoice) -> None:
    lifecycle.account(invoice, lifecycle.Money(invoice.total_minor, 0, False, False, False), now=clock.now())


@pytest.mark.parametrize(
    ("after", "template", "question"),
    [
        (lambda _invoice, _by: None, "issued", "Send the invoice again?"),
        (lambda invoice, _by: pay(invoice), "receipt", "Send the receipt again?"),
        (lambda invoice, by: lifecycle.void(invoice, by=by, reason="x", now=clock.now()), "cancelled", "Send the cancellation again?"),
    ],
    ids=["open", "paid", "void"],
)
def test_the_mail_that_fits_the_state_goes_again_as_a_new_message(
    desk: Client, merchant: Merchant, owner: User, after: Any, template: str, question: str
) -> None:
    invoice = issued(merchant)
    after(invoice, owner)
    first = mailed(template)[0]
    path = url("invoice_resend", merchant, invoice.pk)
    asked = words(desk.get(path))
    assert question in asked
    assert "ana@duarte.example will be mailed at once" in asked
    assert "delivered" in asked
    assert "It goes to ana@duarte.example at once." in words(desk.post(path, follow=True))
    second = Delivery.objects.filter(template=template).latest("id")
    assert (second.pk != first.pk, second.message_id != first.message_id, second.recipient) == (True, True, "ana@duarte.example")
    event = Event.objects.get(kind="delivery.resent")
    assert (event.actor, event.facts["template"], second.event) == (owner, template, event)


def test_asking_sends_nothing_and_pressed_twice_one_goes(desk: Client, merchant: Merchant) -> None:
    invoice = issued(merchant)
    mailed("issued")
    path = url("invoice_resend", merchant, invoice.pk)
    desk.get(path)
    assert Delivery.objects.filter(template="issued").count() == 1
    desk.post(path)
    desk.post(path)
    assert Delivery.objects.filter(template="issued").count() == 2


def test_past_its_due_time_it_goes_all_the_same_for_a_member_has_said_so(desk: Client, merchant: Merchant) -> None:
    invoice = issued(merchant)
    mailed("issued")
    Invoice.objects.update(due_at=clock.now() - timedelta(days=1))
    path = url("invoice_resend", merchant, invoice.pk)
    assert "It is overdue; the mail goes out all the same." in words(desk.get(path))
    desk.post(path)
    again = Delivery.objects.latest("id")
    assert again.is_forced is True
    assert "INV-000001" in emails.write(again, now=clock.now()).subject


def test_nobody_is_asked_again_for_what_is_confirming(desk: Client, merchant: Merchant) -> None:
    invoice = issued(merchant)
    mailed("issued")
    Invoice.objects.update(pending_minor=invoice.total_minor)
    asked = words(desk.get(url("invoice_resend", merchant, invoice.pk)))
    assert "A payment of the whole amount is confirming; nobody is asked for it again." in asked
    assert "Send it again" not in asked


def test_a_wrong_address_is_mended_by_void_and_replacement(desk: Client, merchant: Merchant) -> None:
    invoice = issued(merchant)
    mailed("issued")
    answer = desk.get(url("invoice_resend", merchant, invoice.pk))
    assert "What an issued invoice says is frozen, its address too. Void it and write a replacement" in words(answer)
    assert f'href="{url("invoice_void", merchant, invoice.pk)}"' in answer.content.decode()


def test_before_the_first_has_been_made_ready_there_is_nothing_to_send_again(desk: Client, merchant: Merchant) -> None:
    invoice = issued(merchant)
    path = url("invoice_resend", merchant, invoice.pk)
    assert "still on its way" in words(desk.get(path))
    assert "The first mail is still on its way." in words(desk.post(path, follow=True))
    assert Delivery.objects.count() == 0


def test_what_was_not_issued_was_mailed_to_nobody(desk: Client, merchant: Merchant) -> None:
    draft = make_draft(merchant)
    for answer in (
        desk.get(url("invoice_resend", merchant, draft.pk), follow=True),
        desk.post(url("invoice_resend", merchant, draft.pk), follow=True),
    ):
        assert "nothing has been mailed yet" in words(answer)


def test_the_page_shows_no_link_of_the_payer(desk: Client, merchant: Merchant) -> None:
    invoice = issued(merchant)
    assert invoice.public_id not in desk.get(url("invoice_resend", merchant, invoice.pk)).content.decode()
