"""What is kept of a mail that left, and what a member sees of it."""

import base64
import re
from datetime import timedelta

import pytest

from invoicing import lifecycle
from invoicing.models import Invoice
from merchants import team
from merchants.models import Logo, Merchant, User
from notifications import fanout
from notifications.mail import copies, emails
from notifications.models import Delivery, MailCopy
from tests.factories import NOW

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
SECRET = "7Qm2xVb9tKc4"  # of the payer's link
PNG = b"\x89PNG of Harbour & Pine"


def kept(delivery: Delivery) -> Delivery:
    copies.keep(delivery, emails.write(delivery, now=NOW), NOW)
    Delivery.objects.filter(pk=delivery.pk).update(status="sent", sent_at=NOW)
    return Delivery.objects.get(pk=delivery.pk)


def test_a_mail_that_left_is_shown_as_it_left_whatever_has_changed_since(issued_mail: Delivery, merchant: Merchant, owner: User) -> None:
    sent = kept(issued_mail)
    lifecycle.void(Invoice.objects.get(), by=owner, reason="Agreed", now=NOW + MINUTE)
    merchant.name = "Another name"
    merchant.save()

    mail = copies.shown(sent, NOW + MINUTE)
    assert (mail.subject, mail.sender, mail.at) == ("Invoice INV-000001 from Harbour & Pine: 4,280.40 EUR", "Harbour & Pine", NOW)
    assert (mail.reply_to, mail.language) == ("studio@harbourpine.example", "en")
    assert "Hello Ana Duarte," in mail.text
    assert "Pay Now" in mail.html


def test_nothing_that_opens_the_invoice_is_kept_or_shown(issued_mail: Delivery) -> None:
    letter = emails.write(issued_mail, now=NOW)
    assert SECRET in letter.text  # there is something to hide
    assert SECRET in letter.html
    waiting = copies.shown(issued_mail, NOW)
    sent = copies.shown(kept(issued_mail), NOW)

    for mail in (waiting, sent):
        assert SECRET not in mail.subject + mail.text + mail.html
        assert "/i/…/pay/" in mail.text
    assert not re.search(r'href="(?!#)', sent.html)


def test_what_waits_is_shown_as_it_would_leave_now(issued_mail: Delivery) -> None:
    mail = copies.shown(issued_mail, NOW)

    assert (mail.subject, mail.at) == ("Invoice INV-000001 from Harbour & Pine: 4,280.40 EUR", None)
    assert not MailCopy.objects.exists()


def test_what_would_not_leave_any_more_says_why(issued_mail: Delivery, owner: User) -> None:
    lifecycle.void(Invoice.objects.get(), by=owner, reason="Agreed", now=NOW)

    with pytest.raises(copies.Hidden, match=re.escape("The invoice was void by the time this could be sent.")):
        copies.shown(issued_mail, NOW)


def test_a_mail_that_was_never_sent_is_not_made_up(issued_mail: Delivery) -> None:
    Delivery.objects.filter(pk=issued_mail.pk).update(status="cancelled")

    with pytest.raises(copies.Hidden, match=re.escape("It was never sent.")):
        copies.shown(Delivery.objects.get(pk=issued_mail.pk), NOW)


def test_an_invitation_is_neither_kept_nor_shown(merchant: Merchant, owner: User) -> None:
    team.invite(merchant, email="rui@harbourpine.example", role="viewer", by=owner, now=NOW)
    fanout.run(NOW)
    delivery = Delivery.objects.get(template="invitation")
    kept(delivery)

    assert not MailCopy.objects.exists()
    with pytest.raises(copies.Hidden):
        copies.shown(delivery, NOW)


def test_kept_twice_it_is_one_copy(issued_mail: Delivery) -> None:
    kept(issued_mail)
    copies.keep(issued_mail, emails.write(issued_mail, now=NOW), NOW + MINUTE)

    assert MailCopy.objects.get().at == NOW + MINUTE


def test_keeping_one_is_one_statement_and_small(issued_mail: Delivery, django_assert_num_queries: object) -> None:
    letter = emails.write(issued_mail, now=NOW)
    with django_assert_num_queries(1):  # type: ignore[operator]
        copies.keep(issued_mail, letter, NOW)

    assert len(MailCopy.objects.get().contents) < 8_000


def test_the_logo_is_in_the_frame_and_is_the_one_of_then(merchant: Merchant, invoice: Invoice) -> None:
    merchant.logo = Logo.keep(PNG)
    merchant.save()
    invoice.brand_logo = merchant.logo
    invoice.save(update_fields=["brand_logo"])
    fanout.run(NOW)
    mail = copies.shown(kept(Delivery.objects.get(template="issued")), NOW)

    merchant.logo = Logo.keep(b"another")
    merchant.save()
    later = copies.shown(Delivery.objects.get(template="issued"), NOW)

    for shown in (mail, later):
        assert f'src="data:image/png;base64,{base64.b64encode(PNG).decode()}"' in shown.html
        assert "cid:logo" not in shown.html
