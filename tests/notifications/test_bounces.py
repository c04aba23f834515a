"""A mail provider posts what became of mails: through django-anymail's own views, as Postmark words it."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from anymail.signals import tracking
from anymail.webhooks.postmark import PostmarkTrackingWebhookView
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.test import RequestFactory
from django.utils.module_loading import import_string

from config import mail
from merchants.models import Event
from notifications import courier, fanout
from notifications.mail import bounces
from notifications.models import Delivery
from tests.factories import NOW
from tests.notifications.conftest import Mailserver

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
SECRET = "provider:a-long-and-random-text"
BOUNCE = {
    "RecordType": "Bounce",
    "ID": 42,
    "Type": "HardBounce",
    "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
    "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
    "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist.",
    "Email": "ana@duarte.example",
    "BouncedAt": "2026-11-17T10:05:00Z",
}


@pytest.fixture
def _listening(settings: Any) -> Iterator[None]:
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET}
    tracking.connect(bounces.told)
    yield
    tracking.disconnect(bounces.told)


@pytest.fixture
def sent(issued_mail: Delivery, mailserver: Mailserver) -> Delivery:
    courier.round_of("email", now=NOW)
    Delivery.objects.filter(pk=issued_mail.pk).update(provider_id=BOUNCE["MessageID"])
    return Delivery.objects.get(pk=issued_mail.pk)


def post(told: dict[str, Any], secret: str = SECRET) -> int:
    sign_in = "Basic " + base64.b64encode(secret.encode()).decode()
    request = RequestFactory().post("/mail-events/", json.dumps(told), content_type="application/json", headers={"authorization": sign_in})
    status: int = PostmarkTrackingWebhookView.as_view()(request).status_code
    return status


def state(delivery: Delivery) -> tuple[str, str]:
    row = Delivery.objects.get(pk=delivery.pk)
    return row.status, row.reason


@pytest.mark.usefixtures("_listening")
def test_a_bounce_that_quotes_a_link_is_kept_without_it(sent: Delivery) -> None:
    said = "554 5.7.1 Message contains a blocked URL https://pay.example/i/7Qm2xVb9tKc4/pay/"
    post(BOUNCE | {"Description": said, "Details": said})

    assert state(sent) == ("failed", "It came back: 554 5.7.1 Message contains a blocked URL https://pay.example/i/…/pay/")
    assert "7Qm2xVb9tKc4" not in str(Event.objects.get(kind="delivery.failed").facts)


@pytest.mark.usefixtures("_listening")
def test_a_bounce_is_a_mail_that_could_not_be_delivered_and_the_merchant_is_told(sent: Delivery) -> None:
    assert post(BOUNCE) == 200
    assert state(sent) == ("failed", "It came back: smtp;550 5.1.1 The email account that you tried to reach does not exist.")
    assert Delivery.objects.get(pk=sent.pk).bounced_at is not None
    assert post(BOUNCE) == 200  # told twice
    assert Event.objects.filter(kind="delivery.failed").count() == 1
    fanout.run(NOW)
    assert Delivery.objects.get(template="undelivered").recipient == "studio@harbourpine.example"


@pytest.mark.usefixtures("_listening")
@pytest.mark.parametrize(
    "changes",
    [
        {"MessageID": "another-mail"},
        {"Email": "someone@else.example"},
        {"Type": "Transient"},  # the provider goes on trying
        {"RecordType": "Delivery", "Recipient": "ana@duarte.example"},
        {"RecordType": "Open"},
    ],
)
def test_what_is_no_bounce_of_ours_changes_nothing(sent: Delivery, changes: dict[str, str]) -> None:
    assert post(BOUNCE | changes) == 200
    assert state(sent) == ("sent", "")


@pytest.mark.usefixtures("_listening")
def test_whoever_does_not_know_the_secret_is_turned_away(sent: Delivery) -> None:
    with pytest.raises(SuspiciousOperation):  # a 400
        post(BOUNCE, secret="provider:guessed")
    assert state(sent) == ("sent", "")


# --- EMAIL_URL ------------------------------------------------------------------------------------------------------
def test_a_provider_is_named_in_the_url() -> None:
    assert mail.settings_of("anymail+postmark://6f1d-Aa@", events_secret=SECRET) == {
        "EMAIL_BACKEND": "anymail.backends.postmark.EmailBackend",
        "ANYMAIL": {"POSTMARK_SERVER_TOKEN": "6f1d-Aa", "WEBHOOK_SECRET": SECRET, "REQUESTS_TIMEOUT": 20},
        "MAIL_EVENTS": "anymail.webhooks.postmark.PostmarkTrackingWebhookView",
    }
    assert mail.settings_of("anymail+postmark://6f1d-Aa")["ANYMAIL"] == {"POSTMARK_SERVER_TOKEN": "6f1d-Aa", "REQUESTS_TIMEOUT": 20}
    mailgun = mail.settings_of("anymail+mailgun://key-1@mg.example.com")
    assert mailgun["ANYMAIL"] == {"MAILGUN_API_KEY": "key-1", "MAILGUN_SENDER_DOMAIN": "mg.example.com", "REQUESTS_TIMEOUT": 20}
    assert mailgun["MAIL_EVENTS"] == ""
    mailjet = mail.settings_of("anymail+mailjet://key:other@")
    assert mailjet["ANYMAIL"] == {"MAILJET_API_KEY": "key", "MAILJET_SECRET_KEY": "other", "REQUESTS_TIMEOUT": 20}


def test_an_smtp_url_means_what_it_did() -> None:
    found = mail.settings_of("smtp+tls://user:pass%40word@mail.example.com:587")
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"], found["EMAIL_HOST_USER"]) == ("mail.example.com", 587, "user")
    assert (found["EMAIL_HOST_PASSWORD"], found["EMAIL_USE_TLS"]) == ("pass@word", True)


@pytest.mark.parametrize(
    ("url", "secret", "said"),
    [
        ("anymail+pigeon://x", "", "EMAIL_URL names the mail provider pigeon; known are brevo, mailgun, mailjet, postmark, sendgrid, sparkpost."),
        ("anymail+mailgun://key-1", "", "EMAIL_URL lacks MAILGUN_API_KEY; write it as docs/operations.md shows for mailgun."),
        ("anymail+mailjet://key@", "", "EMAIL_URL lacks MAILJET_SECRET_KEY; write it as docs/operations.md shows for mailjet."),
        ("anymail+postmark://x", "short", "MAIL_EVENTS_SECRET is a name, a colon and a password, 20 characters or more together."),
    ],
)
def test_a_url_that_means_nothing_says_so(url: str, secret: str, said: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        mail.settings_of(url, events_secret=secret)
    assert str(refused.value) == said


@pytest.mark.parametrize("name", mail.PROVIDERS)
def test_what_is_named_is_there(name: str) -> None:
    assert import_string(f"anymail.backends.{name}.EmailBackend")
    assert import_string(f"anymail.webhooks.{name}.{mail.PROVIDERS[name].view}")
