"""Mail over a real SMTP server on this machine."""

import smtplib
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

import pytest

from invoicing.models import Invoice
from merchants.models import Event, Logo, Merchant, User
from notifications import courier, fanout, outbox
from notifications.models import Delivery
from notifications.transports.email import is_permanent
from notifications.transports.message import sender
from tests.factories import NOW, make_draft, publish
from tests.notifications.conftest import Mailserver

pytestmark = pytest.mark.django_db
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


def read(raw: bytes) -> EmailMessage:
    return cast(EmailMessage, message_from_bytes(raw, policy=policy.default))


def state(delivery: Delivery) -> tuple[str, str]:
    row = Delivery.objects.get(pk=delivery.pk)
    return row.status, row.reason


def test_the_message_as_it_goes_over_the_wire(issued_mail: Delivery, mailserver: Mailserver) -> None:
    assert courier.round_of("email", now=NOW) == 1
    [raw] = mailserver.taken
    message = read(raw)

    assert state(issued_mail) == ("sent", "")
    assert message["From"] == "Harbour & Pine <quittance@quittance.example>"
    assert message["To"] == "ana@duarte.example"
    assert message["Reply-To"] == "studio@harbourpine.example"
    assert message["Subject"] == "Invoice INV-000001 from Harbour & Pine: 4,280.40 EUR"
    assert message["Message-ID"] == issued_mail.message_id
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "en"
    assert message["Date"].datetime.replace(microsecond=0) == NOW
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]


def test_a_message_id_names_this_installation(issued_mail: Delivery) -> None:
    assert issued_mail.message_id.startswith("<")
    assert issued_mail.message_id.endswith("@testserver>")


def test_a_retry_is_the_same_message(issued_mail: Delivery, mailserver: Mailserver) -> None:
    mailserver.answers = ["451 Come back later"]
    courier.round_of("email", now=NOW)
    assert state(issued_mail) == ("queued", "")
    courier.round_of("email", now=NOW + timedelta(seconds=40))

    assert [read(raw)["Message-ID"] for raw in mailserver.taken] == [issued_mail.message_id]
    assert list(issued_mail.attempts.values_list("number", "succeeded", "is_permanent", "code", "answer")) == [
        (1, False, False, "451", "Come back later"),
        (2, True, False, "", "Accepted by the mail server."),
    ]


def test_a_resend_is_another_message(issued_mail: Delivery, mailserver: Mailserver, owner: User) -> None:
    courier.round_of("email", now=NOW)
    outbox.send_again(Delivery.objects.get(pk=issued_mail.pk), by=owner, now=NOW)
    courier.round_of("email", now=NOW)

    assert len({read(raw)["Message-ID"] for raw in mailserver.taken}) == 2


def test_a_refused_recipient_is_final(issued_mail: Delivery, mailserver: Mailserver) -> None:
    mailserver.answers = ["550 5.1.1 No such person"]
    courier.round_of("email", now=NOW)

    assert state(issued_mail) == ("failed", "550 5.1.1 No such person")


@pytest.mark.parametrize("path", ["/i/7Qm2xVb9tKc4/pay/", "/r/pVtqJ8vYw2cD4nRz/", "/r/confirm/pVtqJ8vYw2cD4nRz/"])
@pytest.mark.parametrize("code", ["451", "554"])
def test_a_refusal_that_quotes_a_link_is_kept_without_it(issued_mail: Delivery, mailserver: Mailserver, code: str, path: str) -> None:
    mailserver.answers = [f"{code} 5.7.1 Message contains a blocked URL https://pay.example{path}"]
    courier.round_of("email", now=NOW)

    kept = [issued_mail.attempts.get().answer, state(issued_mail)[1], *(str(event.facts) for event in Event.objects.filter(kind="delivery.failed"))]
    assert kept[0].startswith("5.7.1 Message contains a blocked URL https://pay.example/")
    assert not any(secret in text for text in kept for secret in ("7Qm2xVb9tKc4", "pVtqJ8vYw2cD4nRz"))


def test_many_messages_share_one_connection_and_one_refusal_stops_none_of_the_others(merchant: Merchant, mailserver: Mailserver) -> None:
    for number in range(4):
        publish(make_draft(merchant, payer_email=f"payer{number}@example.com"))
    fanout.run(NOW)
    mailserver.answers = ["550 No"]
    courier.round_of("email", now=NOW)

    assert len(mailserver.sessions) == 1
    assert sorted(Delivery.objects.values_list("status", flat=True)) == ["failed", "sent", "sent", "sent"]


def test_without_a_mail_server_everything_waits(issued_mail: Delivery, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    courier.round_of("email", now=NOW)

    assert state(issued_mail) == ("queued", "")
    assert issued_mail.attempts.get().answer == "The mail server could not be reached, or hung up."


def test_a_logo_travels_inside_the_message(merchant: Merchant, mailserver: Mailserver) -> None:
    merchant.logo = Logo.keep(PNG)
    merchant.save()
    publish(make_draft(merchant))
    fanout.run(NOW)
    courier.round_of("email", now=NOW)
    message = read(mailserver.taken[0])

    parts = [part.get_content_type() for part in message.walk()]
    assert parts == ["multipart/related", "multipart/alternative", "text/plain", "text/html", "image/png"]
    picture = list(message.walk())[-1]
    assert (picture["Content-ID"], picture.get_content_disposition(), picture.get_content()) == ("<logo>", "inline", PNG)
    html = message.get_body(("html",))
    assert html is not None
    assert 'src="cid:logo"' in html.get_content()


def test_no_name_or_title_can_add_a_header(merchant: Merchant, mailserver: Mailserver) -> None:
    evil = "Pine\r\nBcc: victim@example.com\r\n\r\nBody"
    invoice = publish(make_draft(merchant))
    Invoice.objects.filter(pk=invoice.pk).update(merchant_name=evil, title=evil, payer_name=evil)
    fanout.run(NOW)
    courier.round_of("email", now=NOW)
    [raw] = mailserver.taken
    message = read(raw)

    assert message["Bcc"] is None
    assert message["From"].addresses[0].display_name == "Pine Bcc: victim@example.com Body"
    assert message["From"].addresses[0].addr_spec == "quittance@quittance.example"
    assert message["Subject"] == "Invoice INV-000001 from Pine Bcc: victim@example.com Body: 1,800.00 EUR"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("Harbour & Pine", "Harbour & Pine <quittance@quittance.example>"),
        ("Pine, Harbour", '"Pine, Harbour" <quittance@quittance.example>'),
        ('Quo"te', '"Quo\\"te" <quittance@quittance.example>'),
        ("", "quittance@quittance.example"),
    ],
)
def test_the_sender_is_this_installation_under_the_merchants_name(name: str, header: str) -> None:
    assert sender(name, "quittance@quittance.example") == header


def test_a_name_beyond_ascii_is_encoded_and_read_back(merchant: Merchant, mailserver: Mailserver) -> None:
    publish(make_draft(merchant, merchant_name="Café Ñandú 株式会社"))
    fanout.run(NOW)
    courier.round_of("email", now=NOW)

    assert read(mailserver.taken[0])["From"].addresses[0].display_name == "Café Ñandú 株式会社"


@pytest.mark.parametrize(
    ("error", "permanent"),
    [
        (smtplib.SMTPRecipientsRefused({"a": (550, b"no")}), True),
        (smtplib.SMTPRecipientsRefused({"a": (450, b"later")}), False),
        (smtplib.SMTPDataError(554, b"spam"), True),
        (smtplib.SMTPDataError(452, b"full"), False),
        (smtplib.SMTPSenderRefused(552, b"too large", "x"), True),
        (smtplib.SMTPAuthenticationError(535, b"who"), False),
        (smtplib.SMTPConnectError(554, b"busy"), False),
        (smtplib.SMTPNotSupportedError("SMTPUTF8"), True),
        (smtplib.SMTPServerDisconnected("gone"), False),
        (TimeoutError(), False),
        (ConnectionRefusedError(), False),
    ],
)
def test_what_an_error_means(error: Exception, permanent: bool) -> None:
    assert is_permanent(error) is permanent
