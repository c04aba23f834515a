"""Signing up, signing in, and the mails that go with it."""

from __future__ import annotations

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.core import mail
from django.test import Client
from django.urls import reverse

from merchants.models import User
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db

NEWCOMER = {"name": "Inês Matos", "email": "ines@harbourpine.example", "password1": PASSWORD}
MISMATCH = "The email address or the password is not right."
TOO_OFTEN = "That was too often."


def sign_in(client: Client, email: str, password: str = PASSWORD, **extra: str):
    return client.post(reverse("account_login"), {"login": email, "password": password, **extra})


def links(message: mail.EmailMessage) -> list[str]:
    return re.findall(r"https?://\S+", str(message.body))


def test_signing_up_confirming_the_address_and_arriving_at_the_business_profile(client):
    sent = client.post(reverse("account_signup"), NEWCOMER)
    assert sent.url == reverse("account_email_verification_sent")
    user = User.objects.get()
    assert (user.email, user.name) == ("ines@harbourpine.example", "Inês Matos")

    (message,) = mail.outbox
    assert message.to == ["ines@harbourpine.example"]
    assert message.subject == "Confirm your address for Quittance"
    (link,) = links(message)
    assert link.startswith("http://testserver/accounts/confirm-email/")

    client.get(link)
    assert not EmailAddress.objects.get().verified  # a mail scanner that follows the link confirms nothing
    arrived = client.post(link, follow=True)
    assert EmailAddress.objects.get().verified
    assert arrived.redirect_chain[-1][0] == reverse("welcome")


def test_an_account_mail_says_the_same_in_text_and_in_html(client):
    client.post(reverse("account_signup"), NEWCOMER)
    (message,) = mail.outbox
    ((page, kind),) = message.alternatives
    (link,) = links(message)
    assert kind == "text/html"
    assert f'href="{link}"' in page
    for sentence in ("Confirm it, and you can sign in.", "If this was not you, there is nothing to do"):
        assert sentence in message.body
        assert sentence in page
    assert ">Confirm this address</a>" in page
    assert "prefers-color-scheme" in page
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"


def test_nobody_signs_in_with_an_address_that_is_not_confirmed(client):
    client.post(reverse("account_signup"), NEWCOMER)
    client.post(reverse("account_logout"))
    assert sign_in(client, "ines@harbourpine.example").url == reverse("account_email_verification_sent")
    assert "_auth_user_id" not in client.session


def test_signing_up_with_a_taken_address_tells_only_its_owner(client):
    make_user("ines@harbourpine.example", name="Inês Matos", password=PASSWORD)
    answer = client.post(reverse("account_signup"), NEWCOMER | {"name": "Somebody else"})
    assert answer.url == reverse("account_email_verification_sent")
    assert User.objects.get().name == "Inês Matos"
    assert [message.subject for message in mail.outbox] == ["You already have a Quittance account"]


def test_a_short_password_is_refused(client):
    answer = client.post(reverse("account_signup"), NEWCOMER | {"password1": "tide-1887"})
    assert "at least 10 characters" in answer.content.decode()
    assert not User.objects.exists()


def test_sign_up_is_open_until_the_first_user_and_closed_after(client, settings):
    settings.SIGNUP_OPEN = False
    assert client.post(reverse("account_signup"), NEWCOMER).status_code == 302
    assert User.objects.count() == 1

    other = Client().post(reverse("account_signup"), NEWCOMER | {"email": "late@elsewhere.example"})
    assert other.status_code == 200  # the page that says it is closed
    assert User.objects.count() == 1


def test_the_way_to_an_account_is_shown_only_while_it_is_open(client, settings):
    settings.SIGNUP_OPEN = False
    assert "Create an account" in client.get(reverse("account_login")).content.decode()
    make_user()
    assert "Create an account" not in client.get(reverse("account_login")).content.decode()


def test_the_operator_can_keep_sign_up_open(client, settings):
    settings.SIGNUP_OPEN = True
    make_user()
    client.post(reverse("account_signup"), NEWCOMER | {"email": "late@elsewhere.example"})
    assert User.objects.count() == 2


def test_the_sixth_failed_sign_in_is_refused_even_with_the_right_password(client):
    make_user("ines@harbourpine.example", password=PASSWORD)
    for _attempt in range(5):
        assert MISMATCH in sign_in(client, "ines@harbourpine.example", "not the password").content.decode()
    for password in ("not the password", PASSWORD):
        assert TOO_OFTEN in sign_in(client, "ines@harbourpine.example", password).content.decode()
    assert "_auth_user_id" not in client.session


def test_failures_on_one_account_do_not_lock_another(client):
    make_user("ines@harbourpine.example", password=PASSWORD)
    make_user("ana@duarte.example", password=PASSWORD)
    for _attempt in range(6):
        sign_in(client, "ines@harbourpine.example", "not the password")
    assert sign_in(client, "ana@duarte.example").url == reverse("home")


def test_kept_signed_in_only_when_asked(client):
    make_user("ines@harbourpine.example", password=PASSWORD)
    sign_in(client, "ines@harbourpine.example")
    assert client.session.get_expire_at_browser_close() is True
    kept = Client()
    sign_in(kept, "ines@harbourpine.example", remember="on")
    assert kept.session.get_expire_at_browser_close() is False


def test_a_password_is_reset_by_a_link_that_works_once(client):
    make_user("ines@harbourpine.example", password=PASSWORD)
    client.post(reverse("account_reset_password"), {"email": "ines@harbourpine.example"})
    (message,) = mail.outbox
    assert message.subject == "Choose a new password for Quittance"
    (link,) = links(message)
    form = client.get(link, follow=True)
    client.post(form.redirect_chain[-1][0], {"password1": "ebb-and-flow-1902", "password2": "ebb-and-flow-1902"})
    assert sign_in(Client(), "ines@harbourpine.example", "ebb-and-flow-1902").url == reverse("home")
    again = Client().get(link, follow=True)
    assert 'name="password1"' not in again.content.decode()


def test_a_changed_password_is_told_to_its_owner(client):
    make_user("ines@harbourpine.example", password=PASSWORD)
    sign_in(client, "ines@harbourpine.example")
    fields = {"oldpassword": PASSWORD, "password1": "ebb-and-flow-1902", "password2": "ebb-and-flow-1902"}
    client.post(reverse("account_change_password"), fields, headers={"user-agent": "Lighthouse <b>7</b>"})
    (message,) = mail.outbox
    assert message.subject == "Your Quittance password has changed"
    assert "Browser: An unknown browser\n" in message.body
    ((page, _kind),) = message.alternatives
    assert "Lighthouse" not in page
    assert links(message) == ["http://testserver/accounts/password/reset/"]


def test_a_second_factor_is_asked_for_once_it_is_set_up(client):
    user = make_user("ines@harbourpine.example", password=PASSWORD)
    totp.TOTP.activate(user, "JBSWY3DPEHPK3PXP")
    assert sign_in(client, "ines@harbourpine.example").url == reverse("mfa_authenticate")
    assert "_auth_user_id" not in client.session


def test_the_key_of_an_authenticator_app_is_encrypted_at_rest():
    user = make_user("ines@harbourpine.example", password=PASSWORD)
    totp.TOTP.activate(user, "JBSWY3DPEHPK3PXP")
    assert "JBSWY3DPEHPK3PXP" not in str(Authenticator.objects.get().data)


def test_a_closed_account_does_not_sign_in(client):
    make_user("ines@harbourpine.example", password=PASSWORD, is_active=False)
    assert sign_in(client, "ines@harbourpine.example").url == reverse("account_inactive")


def reauthenticate(client: Client) -> None:
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})


@pytest.mark.parametrize("name", ["account_change_password", "account_email", "mfa_index", "mfa_activate_totp", "usersessions_list"])
def test_the_pages_of_an_account_open_for_its_owner(client, name):
    make_user("ines@harbourpine.example", password=PASSWORD)
    sign_in(client, "ines@harbourpine.example")
    reauthenticate(client)
    assert client.get(reverse(name)).status_code == 200


def test_sessions_are_listed_and_the_others_can_be_ended(client):
    make_user("ines@harbourpine.example", password=PASSWORD)
    elsewhere = Client(headers={"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"})
    sign_in(elsewhere, "ines@harbourpine.example")
    sign_in(client, "ines@harbourpine.example")
    assert "Firefox on Linux" in client.get(reverse("usersessions_list")).content.decode()
    client.post(reverse("usersessions_list"))
    assert elsewhere.get(reverse("welcome")).status_code == 302
    assert client.get(reverse("mfa_index")).status_code == 200


def test_a_stale_sign_in_is_asked_again_before_a_second_factor_changes(client):
    make_user("ines@harbourpine.example", password=PASSWORD)
    sign_in(client, "ines@harbourpine.example")
    asked = client.get(reverse("mfa_activate_totp"))
    assert asked.url.startswith(reverse("account_reauthenticate"))
    assert client.post(asked.url, {"password": PASSWORD}).url == reverse("mfa_activate_totp")


def test_only_the_demo_shows_the_way_to_its_mailbox(client, settings):
    settings.MAILBOX_PAGE = True
    assert 'href="/dev/mailbox/"' in client.get(reverse("account_email_verification_sent")).content.decode()
    settings.MAILBOX_PAGE = False
    assert "/dev/mailbox/" not in client.get(reverse("account_email_verification_sent")).content.decode()
