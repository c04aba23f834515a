"""Passkeys, codes and sessions in a real browser with a virtual authenticator, and the operator's way in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.totp.internal import auth as totp
from playwright.sync_api import Browser, Page, expect

from merchants.models import User
from tests.factories import PASSWORD, make_merchant, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(15_000)
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    key = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": {**key, "automaticPresenceSimulation": True}})
    yield page
    context.close()


def sign_in(page: Page, base: str, user: User) -> None:
    page.goto(f"{base}/accounts/login/")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def confirm_it_is_me(page: Page) -> None:
    page.wait_for_url("**/reauthenticate/**")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()


def sign_out(page: Page) -> None:
    page.locator("summary", has_text="Inês Matos").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/**")


def test_a_passkey_is_made_and_signs_in_without_a_password(page: Page, live_server: Any) -> None:
    user = make_user(password=PASSWORD)
    make_merchant(user)
    sign_in(page, live_server.url, user)
    page.wait_for_url("**/m/harbour-pine/")
    page.goto(f"{live_server.url}/accounts/2fa/webauthn/add/")
    confirm_it_is_me(page)
    page.get_by_label("Name").fill("Studio laptop")
    page.get_by_role("button", name="Make the passkey").click()
    page.wait_for_url(lambda url: "/webauthn/add/" not in url)
    page.goto(f"{live_server.url}/m/harbour-pine/")
    sign_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/m/harbour-pine/")


def test_an_operator_without_a_second_factor_is_sent_to_set_one_up_and_then_sees_the_desk(page: Page, live_server: Any) -> None:
    operator = make_user("operator@quittance.example", name="Olga Reis", password=PASSWORD, is_staff=True, is_superuser=True)
    make_merchant(make_user())
    sign_in(page, live_server.url, operator)
    page.goto(f"{live_server.url}/admin/")
    page.wait_for_url("**/accounts/2fa/**")
    page.goto(f"{live_server.url}/accounts/2fa/totp/activate/")
    confirm_it_is_me(page)
    secret = page.locator(".copyfield bdi").first.inner_text()
    counter = next(iter(totp.yield_hotp_counters_from_time()))
    page.get_by_label("Code from the app").fill(totp.format_hotp_value(totp.hotp_value(secret, counter)))
    page.get_by_role("button", name="Switch it on").click()
    page.wait_for_url(lambda url: "/totp/activate/" not in url)
    page.goto(f"{live_server.url}/admin/")
    for name in ("Merchants", "Invoices", "Transfers", "Deliveries", "Users"):
        expect(page.get_by_role("link", name=name, exact=True).first).to_be_visible()
    page.goto(f"{live_server.url}/admin/merchants/merchant/")
    expect(page.get_by_role("link", name="Harbour & Pine")).to_be_visible()
