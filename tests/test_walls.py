"""Every URL of the installation, tried as a stranger, as another merchant, and as each role.

The table below names every URL of the urlconf, and the urlconf has every URL of the table: a new page without
a line here fails, and so does a line without its page. Beside the businesses tried stands another, Secret Orchard,
full of rows that could leak.
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from merchants import team
from merchants.models import Merchant, User
from notifications.mail import unsubscribing
from payments import claims
from tests.businesses import FORM_KEY, LEAKS, USDT, Business, World, side_by_side
from tests.payments.refunding import payers_address

pytestmark = pytest.mark.sqlite  # who may come in does not depend on the database

# Who tries. A stranger is not signed in; a neighbour owns Secret Orchard alone.
WHO = ("stranger", "neighbour", "viewer", "manager", "owner")
SIGN_IN = "sign in"  # a redirect to the sign-in page
MAIL = "20261117-100000-1"
HOOK = {"url": "https://hooks.harbourpine.example/2/", "description": "Bookkeeping", "which": "all"}
Expected = dict[str, int | str]


@pytest.fixture(scope="module")
def side(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Both businesses, made once. What a test does to them is rolled back after it, and they are with the last one."""
    with django_db_blocker.unblock(), contextlib.suppress(RolledBack), transaction.atomic():
        yield side_by_side()
        raise RolledBack


class RolledBack(Exception):
    """Takes a transaction back."""


@pytest.fixture
def world(side: World, db: None, tmp_path: Any, settings: Any) -> World:
    settings.EMAIL_FILE_PATH = str(tmp_path)
    (tmp_path / f"{MAIL}.log").write_bytes(b"Subject: INV-000001\nFrom: a@b.example\nTo: c@d.example\n\nPay Now\n" + b"-" * 79 + b"\n")
    return copy.deepcopy(side)


# --- the table --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Page:
    expected: Expected
    args: Callable[[Business], list[Any]] = lambda _of: []
    method: str = "GET"
    data: Callable[[Business], dict[str, Any]] = field(default=lambda _of: {})
    is_ours_alone: bool = False  # under /m/<merchant>/
    wants_fresh: bool = False  # asks for the password again
    has_ids: bool = False  # beside the merchant's


def members(*args: Callable[[Business], Any], right: str, ok: int = 200, method: str = "GET", data: Any = None, fresh: bool = False) -> Page:
    """A page under /m/<merchant>/ that needs `right`, by the table of roles in product.md."""
    allowed = {"see": WHO[2:], "write": WHO[3:], "money": WHO[3:], "profile": WHO[3:], "own": WHO[4:]}[right]
    expected: Expected = {"stranger": SIGN_IN, "neighbour": 404} | {role: ok if role in allowed else 403 for role in WHO[2:]}
    return Page(expected, lambda of: [of.slug, *(arg(of) for arg in args)], method, data or (lambda _of: {}), True, fresh, bool(args))


def anyone(*args: Callable[[Business], Any], ok: int | str = 200, method: str = "GET", data: Any = None) -> Page:
    return Page(dict.fromkeys(WHO, ok), lambda of: [arg(of) for arg in args], method, data or (lambda _of: {}))


def payers(*args: Callable[[Business], Any], ok: int = 200, method: str = "GET", data: Any = None, invoice: str = "open") -> Page:
    """A page that opens for whoever has the link, and only with it."""
    return anyone(lambda of: getattr(of, invoice).public_id, *args, ok=ok, method=method, data=data)


def account(signed_in: int | str, *, stranger: int | str = SIGN_IN, args: tuple[Any, ...] = ()) -> Page:
    expected: Expected = {"stranger": stranger} | dict.fromkeys(WHO[1:], signed_in)
    return Page(expected, lambda _of: list(args))


def draft(of: Business) -> int:
    return of.draft.pk


def known(of: Business) -> int:
    return of.payer.pk


def recurring(of: Business) -> int:
    return of.schedule.pk


def unpublished(of: Business) -> int:
    return of.schedule_draft.pk


def opened(of: Business) -> int:
    return of.open.pk


def wallet(of: Business) -> int:
    return of.merchant.wallets.get().pk


def letter(of: Business) -> int:
    return of.mail.pk


def hook(of: Business) -> int:
    return of.endpoint.pk


def asked(of: Business, **more: Any) -> dict[str, Any]:
    """The form of a refund of 2.00 of what was recorded."""
    return {"basis": "other", "other": "2.00", "keys": f"payment-{of.recorded.pk}", "asset": USDT, **more}


def of_family(page: Page) -> Page:
    """A page whose other part is no row of anybody's, but a family of networks."""
    return replace(page, has_ids=False, args=lambda of: [of.slug, "evm"])


def of_words(page: Page) -> Page:
    """A page whose other parts are a kind of mail and a language."""
    return replace(page, has_ids=False, args=lambda of: [of.slug, "issued", "en"])


REAUTH = "/accounts/reauthenticate/"
PAGES: dict[str, Page] = {
    # the front door
    "home": Page({"stranger": "/accounts/login/", "neighbour": "/m/secret-orchard/"} | dict.fromkeys(WHO[2:], "/m/harbour-pine/")),
    "welcome": account(200),
    "api_events": anyone(ok=401),  # App ID and secret, see tests/notifications/test_api.py
    # a merchant's own pages
    "overview": members(right="see"),
    "invoices": members(right="see"),
    "invoices_totals": members(right="see"),
    "invoices_csv": members(right="see"),
    "invoices_bulk": members(right="write", method="POST", data=lambda of: {"act": "void", "pk": [of.open.pk, of.paid.pk]}),
    "bundle": members(lambda of: of.bundle.pk, right="write"),  # PDFs print the payers' links
    "bundle_again": members(lambda of: of.bundle.pk, right="write", method="POST", ok=302),
    "bundle_file": members(lambda of: of.bundle.pk, right="write"),
    "invoice_new": members(right="write"),
    "invoice": members(opened, right="see"),
    "invoice_edit": members(draft, right="write"),
    "invoice_publish": members(draft, right="write", method="POST", ok=302, data=lambda of: {"version": of.draft.version}),
    "invoice_unschedule": members(lambda of: of.scheduled.pk, right="write", method="POST", ok=302),
    "invoice_void": members(opened, right="write", method="POST", ok=302, data=lambda _of: {"reason": "Agreed by telephone"}),
    "invoice_delete": members(draft, right="write", method="POST", ok=302),
    "invoice_duplicate": members(opened, right="write", method="POST", ok=302, data=lambda _of: {"form_key": "d" * 43}),
    "invoice_archive": members(opened, right="write", method="POST", ok=302),
    "invoice_unarchive": members(opened, right="write", method="POST", ok=302),
    "invoice_replace_link": members(opened, right="write"),
    "invoice_resend": members(opened, right="write"),
    "invoice_recipients": members(opened, right="write"),
    "invoice_remind": members(opened, right="write", method="POST", ok=302),
    "invoice_reminders": members(opened, right="write", method="POST", ok=302),
    "invoice_preview": members(draft, right="write"),
    "invoice_preview_page": members(draft, right="write"),
    "invoice_preview_pdf": members(draft, right="write"),
    "invoice_preview_mail": members(draft, right="write"),
    "preview_brand": members(right="see"),
    "invoice_remark": members(opened, right="write", method="POST", ok=302, data=lambda _of: {"remark": "Calls back in May"}),
    "invoice_pdf": members(opened, right="write"),  # it prints the payer's link
    "invoice_receipt": members(lambda of: of.paid.pk, right="see"),
    "invoice_file": members(opened, lambda of: of.file.public_id, right="see"),
    "invoice_totals": members(right="write", method="POST", data=lambda _of: {"currency": "EUR"}),
    "upload_add": members(
        right="write",
        method="POST",
        ok=201,
        data=lambda _of: {"form_key": FORM_KEY, "file": SimpleUploadedFile("note.txt", b"Two coats of varnish.", "text/plain")},
    ),
    "upload_remove": members(lambda of: of.pending.public_id, right="write", method="POST", ok=204),
    "transfer_decide": members(lambda of: of.held.pk, right="money"),
    "unassigned": members(right="see"),
    "unassigned_decide": members(
        lambda of: of.unassigned.pk, right="money", method="POST", ok=302, data=lambda _of: {"act": "handle", "note": "Sent back on Monday"}
    ),
    "payment_record": members(
        opened,
        right="money",
        method="POST",
        ok=302,
        data=lambda _of: {"form_key": FORM_KEY, "way": "bank", "amount": "5.00", "day": "2026-01-05", "at": "09:00"},
    ),
    "payment_reverse": members(opened, lambda of: of.recorded.pk, right="money", method="POST", ok=302),
    "payments_csv": members(right="see"),
    "refunds": members(right="see"),
    "refunds_csv": members(right="see"),
    "credit_note_pdf": members(lambda of: of.returned.credit_note_id, right="see"),
    "refund_create": members(opened, right="money", method="POST", ok=302, data=lambda of: asked(of, form_key="c" * 43)),
    "refund": members(lambda of: of.returned.pk, right="see"),
    "refund_change": members(lambda of: of.claimed.pk, right="money", method="POST", ok=302, data=lambda of: asked(of, version=of.claimed.version)),
    "refund_address": members(lambda of: of.wanted.pk, right="money", method="POST", ok=302, data=lambda _of: {"address": payers_address(9)}),
    "refund_approve": members(lambda of: of.claimed.pk, right="money", method="POST", ok=302, data=lambda of: {"version": of.claimed.version}),
    "refund_reject": members(lambda of: of.claimed.pk, right="money", method="POST", ok=302, data=lambda _of: {"why": "It was used"}),
    "refund_cancel": members(lambda of: of.owed.pk, right="money", method="POST", ok=302, data=lambda _of: {"why": "Agreed by telephone"}),
    "refund_renew": members(lambda of: of.wanted.pk, right="money", method="POST", ok=302),
    "refund_restart": members(lambda of: of.owed.pk, right="money", method="POST", ok=302),
    "refund_unsent": members(lambda of: of.owed.pk, right="money", method="POST", ok=302),  # refused: nothing was sent
    "refund_failed": members(lambda of: of.owed.pk, right="money", method="POST", ok=302, data=lambda _of: {"why": "Never arrived"}),  # and this
    "refund_pay": members(lambda of: of.owed.pk, right="money"),
    "refund_pay_status": members(lambda of: of.owed.pk, right="money"),
    "refund_pay_sandbox": members(lambda of: of.owed.pk, right="money", method="POST", ok=302, data=lambda _of: {"act": "exact"}),
    "messages": members(right="see"),
    "message": members(letter, right="see"),
    "message_mail": members(letter, right="see"),
    "message_again": members(letter, right="write", method="POST", ok=302),
    # these are test businesses: they connect nothing (tests/payments/test_wallet_pages.py has those that do)
    "wallets": members(right="see"),
    "wallet": members(wallet, right="see"),
    "wallet_addresses": members(wallet, right="see"),
    "wallet_rename": members(wallet, right="own", method="POST", ok=302, data=lambda _of: {"name": "Play money"}),
    "wallet_retire": members(wallet, right="own", method="POST", ok=302, fresh=True),
    "wallet_choose": members(right="own", ok=302),
    "wallet_family": of_family(members(right="own", ok=302, fresh=True)),
    "wallet_check": of_family(
        members(right="own", method="POST", ok=302, fresh=True, data=lambda _of: {"address": "0x" + "ab" * 20, "is_mine": "1"})
    ),
    "schedules": members(right="see"),
    "schedule_new": members(right="write"),
    "schedule": members(recurring, right="see"),
    "schedule_edit": members(recurring, right="write"),
    "schedule_file": members(recurring, lambda of: of.schedule_file.public_id, right="see"),
    "schedule_preview": members(recurring, right="write"),
    "schedule_preview_page": members(recurring, right="write"),
    "schedule_preview_mail": members(recurring, right="write"),
    "schedule_preview_pdf": members(recurring, right="write"),
    "schedule_publish": members(unpublished, right="write", method="POST", ok=302, data=lambda of: {"version": of.schedule_draft.version}),
    "schedule_pause": members(recurring, right="write", method="POST", ok=302),
    "schedule_resume": members(recurring, right="write", method="POST", ok=302),
    "schedule_stop": members(recurring, right="write", method="POST", ok=302),
    "schedule_skip": members(recurring, right="write", method="POST", ok=302, data=lambda _of: {"k": "4"}),
    "schedule_put_back": members(recurring, right="write", method="POST", ok=302, data=lambda _of: {"k": "3"}),
    "schedule_send": members(recurring, right="write", method="POST", ok=302, data=lambda _of: {"k": "2"}),
    "schedule_duplicate": members(recurring, right="write", method="POST", ok=302, data=lambda _of: {"form_key": "r" * 43}),
    "schedule_delete": members(unpublished, right="write", method="POST", ok=302),
    "settings": members(right="profile"),
    "settings_look": members(right="profile"),
    "settings_invoices": members(right="profile"),
    "settings_late_policy": members(right="own", method="POST", ok=302, fresh=True, data=lambda _of: {"late_policy": "hold"}),
    "settings_reminders": members(right="profile", method="POST", ok=302, data=lambda _of: {"act": "suggested"}),
    "settings_numbers": members(right="profile"),
    "settings_numbers_begin": members(right="profile", method="POST", ok=302, data=lambda _of: {"prefix": "HP-", "first": "500"}),
    "settings_tokens": members(right="profile"),
    "settings_prices": members(right="own", method="POST", ok=302, fresh=True, data=lambda _of: {"stable": "par", "spread": "1.25"}),
    "settings_refunds": members(right="profile"),
    "settings_refund_limit": members(right="own", method="POST", ok=302, fresh=True, data=lambda _of: {"limit": "500.00", "currency": "EUR"}),
    "settings_team": members(right="see"),
    "settings_mail": members(right="profile"),
    "settings_mail_server": members(right="own"),
    "settings_mail_server_test": members(right="own", method="POST", ok=302, fresh=True),
    "settings_mail_server_on": members(right="own", method="POST", ok=302, fresh=True),
    "settings_mail_server_off": members(right="own", method="POST", ok=302, fresh=True),
    "settings_mail_server_remove": members(right="own", method="POST", ok=302, fresh=True),
    "settings_wordings": members(right="profile"),
    "settings_wording": of_words(members(right="profile")),
    "settings_wording_preview": of_words(members(right="profile")),
    "settings_wording_test": of_words(members(right="profile", method="POST", ok=302)),
    "settings_wording_reset": of_words(members(right="profile", method="POST", ok=302)),
    "settings_notices": members(right="profile", method="POST", ok=302, data=lambda _of: {"seen": "on"}),
    "team_invite": members(right="own", method="POST", ok=302, fresh=True, data=lambda _of: {"email": "rui@harbourpine.example", "role": "viewer"}),
    "invitation_again": members(lambda of: of.invitation.pk, right="own", method="POST", ok=302, fresh=True),
    "invitation_withdraw": members(lambda of: of.invitation.pk, right="own", method="POST", ok=302, fresh=True),
    "member_role": members(lambda of: of.member.pk, right="own", method="POST", ok=302, fresh=True, data=lambda _of: {"role": "viewer"}),
    "member_remove": members(lambda of: of.member.pk, right="own", method="POST", ok=302, fresh=True),
    "team_leave": members(right="see", method="POST", ok=302),
    "team_hand_over": members(right="own", method="POST", ok=302, fresh=True, data=lambda of: {"to": str(of.member.pk), "stays": "manager"}),
    "payers": members(right="see"),
    "payer": members(known, right="see"),
    "payer_new": members(right="write", method="POST", ok=302, data=lambda _of: {"name": "Rui Sá", "email": "rui@sa.example"}),
    "payer_edit": members(known, right="write", method="POST", ok=302, data=lambda _of: {"name": "Ana D.", "email": "ana@duarte.example"}),
    "payer_delete": members(known, right="write", method="POST", ok=302),
    "payers_suggest": members(right="write"),
    "payer_statement": members(known, right="see"),
    "payer_statement_pdf": members(known, right="see"),
    "items": members(right="see"),
    "item": members(lambda of: of.item.pk, right="write"),
    "item_new": members(
        right="write", method="POST", ok=302, data=lambda _of: {"description": "Proofs", "currency": "EUR", "unit_price": "40", "tax": "23 %"}
    ),
    "item_delete": members(lambda of: of.item.pk, right="write", method="POST", ok=302),
    "items_suggest": members(right="write"),
    "merchant_logo": members(right="see"),
    "developers": members(right="see"),
    "developers_keys": members(right="see"),
    "developers_verify": members(right="see"),
    "developers_deliveries": members(right="see"),
    "api_secret": members(right="own", method="POST", ok=302, fresh=True),
    "endpoint": members(hook, right="see"),
    "endpoint_add": members(right="own", method="POST", ok=302, fresh=True, data=lambda _of: HOOK | {"format": "standard"}),
    "endpoint_change": members(hook, right="own", method="POST", ok=302, fresh=True, data=lambda _of: HOOK),
    "endpoint_secret": members(hook, right="own", method="POST", ok=302, fresh=True),
    "endpoint_pause": members(hook, right="own", method="POST", ok=302, fresh=True),
    "endpoint_resume": members(hook, right="own", method="POST", ok=302, fresh=True),
    "endpoint_disable": members(hook, right="own", method="POST", ok=302, fresh=True),
    "endpoint_enable": members(hook, right="own", method="POST", ok=302, fresh=True),
    "endpoint_remove": members(hook, right="own", method="POST", ok=302, fresh=True),
    "endpoint_test": members(hook, right="write", method="POST", ok=302, data=lambda _of: {"kind": "invoice.paid"}),
    "endpoint_resend_range": members(
        hook, right="write", method="POST", ok=302, data=lambda _of: {"since": "2020-01-01", "until": "2999-12-31", "which": "failed"}
    ),
    "delivery": members(lambda of: of.webhook.pk, right="see"),
    "delivery_again": members(lambda of: of.webhook.pk, right="write", method="POST", ok=302),
    # the payer's pages
    "public_invoice": payers(),
    "public_pdf": payers(),
    "public_receipt": payers(invoice="paid"),
    "public_file": payers(lambda of: of.file.public_id),
    "public_viewed": payers(method="POST", ok=204),
    "public_logo": payers(),
    "public_brand": payers(),
    "checkout": payers(),
    "checkout_quote": payers(method="POST", ok=302, data=lambda _of: {"asset": USDT}),
    "checkout_sent": payers(method="POST", ok=302, data=lambda _of: {"txid": "ab" * 32}),
    "checkout_status": payers(),
    "checkout_sandbox": payers(method="POST", ok=302, data=lambda _of: {"act": "exact"}),
    # a refund's payer: whoever has the link of the mail
    "refund_claim": anyone(lambda of: claims.link_token(of.wanted)),
    "refund_claim_again": anyone(lambda of: claims.link_token(of.claimed), method="POST"),
    "refund_claim_note": anyone(lambda of: claims.link_token(of.returned)),
    "refund_confirm": anyone(lambda of: claims.confirm_token(of.wanted.claims.get())),
    # an invitation: whoever has the link sees it; only the one it is for can accept it
    "invitation": anyone(lambda of: team.link_token(of.invitation)),
    "invitation_accept": Page({"stranger": SIGN_IN} | dict.fromkeys(WHO[1:], 302), lambda of: [team.link_token(of.invitation)], method="POST"),
    # accounts
    "account_login": account("/", stranger=200),
    "account_signup": account("/", stranger=200),
    "account_logout": account(200, stranger="/"),
    "account_inactive": anyone(),
    "account_reauthenticate": account(200),
    "account_email": account(200),
    "account_email_verification_sent": anyone(),
    "account_confirm_email": anyone(lambda _of: "no-such-key"),
    "account_change_password": account(200),
    "account_set_password": account("/accounts/password/change/"),
    "account_reset_password": anyone(),
    "account_reset_password_done": anyone(),
    "account_reset_password_from_key": anyone(lambda _of: "1", lambda _of: "no-such-key"),
    "account_reset_password_from_key_done": anyone(),
    "account_confirm_login_code": account("/", stranger="/accounts/login/"),
    "mfa_index": account(200),
    "mfa_authenticate": account("/", stranger="/accounts/login/"),
    "mfa_reauthenticate": account(REAUTH),
    "mfa_activate_totp": account(REAUTH),
    "mfa_deactivate_totp": account(404),
    "mfa_view_recovery_codes": account(404),
    "mfa_generate_recovery_codes": account(REAUTH),
    "mfa_download_recovery_codes": account(404),
    "mfa_list_webauthn": account(200),
    "mfa_add_webauthn": account(REAUTH),
    "mfa_remove_webauthn": account(REAUTH, args=(1,)),
    "mfa_edit_webauthn": account(REAUTH, args=(1,)),
    "mfa_reauthenticate_webauthn": account(REAUTH),
    "mfa_login_webauthn": account("/", stranger="/accounts/login/"),
    "usersessions_list": account(200),
    # operators
    "admin:index": anyone(ok="/admin/login/?next=/admin/"),
    "lost": anyone(),
    "unsubscribe": anyone(lambda of: unsubscribing.link(of.merchant.pk, "paid").split("/")[-2]),
    "healthz": anyone(),
    "readyz": anyone(),
    "status": anyone(ok=401),
    "mailbox": anyone(),
    "mail": anyone(lambda _of: f"{MAIL}-0"),
    "mail_html": anyone(lambda _of: f"{MAIL}-0"),
}
OURS = [name for name, page in PAGES.items() if page.is_ours_alone]


# --- the table and the urlconf are the same ---------------------------------------------------------------------
def named(resolver: URLResolver, namespace: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from named(pattern, f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace)
        elif isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name}"


def test_every_url_has_its_line_here_and_every_line_its_url():
    # The desk's own pages are tried one by one in tests/merchants/test_admin.py.
    urls = {name for name in named(get_resolver()) if name == "admin:index" or not name.startswith("admin:")}
    assert urls == set(PAGES)


# --- who gets what ----------------------------------------------------------------------------------------------
def ask(client: Client, name: str, of: Business, *, method: str = "", slug: str = "") -> Any:
    """Open or press `name` of a business, and read the answer to its end."""
    page = PAGES[name]
    args = page.args(of)
    return sent(client, reverse(name, args=[slug, *args[1:]] if slug else args), method or page.method, page.data(of))


def sent(client: Client, url: str, method: str, data: dict[str, Any]) -> Any:
    answer = client.post(url, data) if method == "POST" else client.get(url)
    answer.told = (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode(errors="replace").replace("<wbr>", "")
    return answer


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("name", PAGES)
def test_each_page_opens_for_whom_it_should_and_for_nobody_else(world, name, who):
    page = PAGES[name]
    answer = ask(world.browser(who, fresh=page.wants_fresh), name, world.ours)
    expected = page.expected[who]
    if isinstance(expected, int):
        assert answer.status_code == expected
        if expected == 302:
            assert not answer.url.startswith("/accounts/")
    else:
        where = "/accounts/login/?next=" if expected == SIGN_IN else expected
        assert (answer.status_code, answer.url[: len(where)]) == (302, where)
        assert expected != "/" or answer.url == "/"


def rows_of(merchant: Merchant) -> dict[str, list[dict[str, Any]]]:
    """Every row in which this merchant has a part."""
    paths = {
        "merchant": "merchant",
        "invoice": "invoice__merchant",
        "delivery": "delivery__merchant",
        "wallet": "wallet__merchant",
        "schedule": "schedule__merchant",
    }
    found = {"Merchant": list(Merchant.objects.filter(pk=merchant.pk).values())}
    for model in ours_all():
        names = {found.name for found in model._meta.get_fields()}
        path = next((path for name, path in paths.items() if name in names), None)
        if path and model is not User:
            found[model.__name__] = list(model.objects.filter(**{path: merchant}).order_by("pk").values())
    return found


def ours_all() -> list[Any]:
    return [model for app in ("merchants", "invoicing", "payments", "notifications") for model in apps.get_app_config(app).get_models()]


@pytest.mark.parametrize("name", OURS)
def test_another_merchants_pages_do_not_exist_for_us_and_nothing_of_them_is_told_or_changed(world, name):
    before = rows_of(world.theirs.merchant)
    for who in ("stranger", "viewer", "manager", "owner"):
        answer = ask(world.browser(who, fresh=who == "owner"), name, world.theirs)
        assert answer.status_code == (302 if who == "stranger" else 404)
        assert [leak for leak in LEAKS if leak in answer.told] == []
    assert rows_of(world.theirs.merchant) == before


@pytest.mark.parametrize("name", [name for name in OURS if PAGES[name].has_ids])
def test_another_merchants_ids_under_our_own_slug_are_not_found(world, name):
    page = PAGES[name]
    before = rows_of(world.theirs.merchant)
    owner = world.browser("owner", fresh=page.wants_fresh)
    answer = ask(owner, name, world.theirs, slug=world.ours.slug)
    assert answer.status_code == 404
    assert [leak for leak in LEAKS if leak in answer.told] == []
    assert rows_of(world.theirs.merchant) == before


def test_a_file_is_found_under_its_own_invoice_only(world):
    ours, owner = world.ours, world.browser("owner")
    for invoice in (ours.paid.pk, ours.draft.pk):
        assert owner.get(reverse("invoice_file", args=[ours.slug, invoice, ours.file.public_id])).status_code == 404
    assert owner.get(reverse("public_file", args=[ours.paid.public_id, ours.file.public_id])).status_code == 404
    assert owner.get(reverse("public_file", args=[ours.open.public_id, world.theirs.file.public_id])).status_code == 404


@pytest.mark.parametrize("name", OURS)
def test_a_list_or_a_page_of_ours_tells_nothing_of_the_neighbours(world, name):
    answer = ask(world.browser("owner", fresh=PAGES[name].wants_fresh), name, world.ours)
    assert [leak for leak in LEAKS if leak in answer.told] == []


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith(("public_", "checkout"))])
def test_a_payers_link_is_not_guessed_and_a_draft_has_none(world, name):
    page = PAGES[name]
    _link, *rest = page.args(world.ours)
    for link in ("x" * 22, str(world.ours.open.pk), world.ours.open.number, world.ours.draft.public_id, world.ours.scheduled.public_id):
        url = reverse(name, args=[link, *rest])
        for who in ("stranger", "owner"):
            assert sent(world.browser(who), url, page.method, page.data(world.ours)).status_code == 404


# --- nothing happens by itself ----------------------------------------------------------------------------------
@pytest.mark.parametrize("name", PAGES)
def test_looking_changes_nothing(world, name):
    def everything() -> dict[str, Any]:
        # Not a user's last sign-in, and not what the session knows of itself.
        return {model.__name__: list(model.objects.order_by("pk").values()) for model in ours_all() if model is not User}

    client = world.browser("owner", fresh=True)
    before = everything()
    ask(client, name, world.ours, method="GET")
    assert everything() == before


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if page.method == "POST"])
def test_another_site_cannot_press_a_button(world, name):
    before = rows_of(world.ours.merchant)
    for who in ("owner", "stranger"):
        client = world.browser(who, enforce_csrf_checks=True)
        answer = ask(client, name, world.ours)
        assert answer.status_code in (403, 302)
        assert answer.status_code == 403 or answer.url.startswith("/accounts/login/")
    assert rows_of(world.ours.merchant) == before


# They show a mail as mail programs do, framed, without scripts.
MAILS_FRAMED = ("mail_html", "message_mail", "invoice_preview_mail", "schedule_preview_mail", "settings_wording_preview")


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_the_strict_policy(world, name):
    if name in MAILS_FRAMED:
        return
    answer = ask(world.browser("owner", fresh=True), name, world.ours)
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert re.search(r"(^|; )default-src 'none'", policy)


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if page.wants_fresh])
def test_what_only_an_owner_may_do_asks_for_the_password_again(world, name):
    before = rows_of(world.ours.merchant)
    assert ask(world.browser("owner"), name, world.ours).url.startswith(REAUTH)
    assert rows_of(world.ours.merchant) == before


@pytest.mark.parametrize("name", ["mailbox", "mail", "mail_html"])
def test_outside_the_demo_there_is_no_mailbox(world, name, settings):
    settings.MAILBOX_PAGE = False
    assert ask(world.browser("owner"), name, world.ours).status_code == 404


def test_a_member_who_was_taken_out_is_a_stranger_at_once(world):
    manager = world.browser("manager")
    assert ask(manager, "overview", world.ours).status_code == 200
    world.people["manager"].memberships.all().delete()
    assert ask(manager, "overview", world.ours).status_code == 404


def test_the_session_of_a_closed_account_opens_nothing(world):
    owner = world.browser("owner")
    User.objects.filter(pk=world.people["owner"].pk).update(is_active=False)
    assert ask(owner, "overview", world.ours).url.startswith("/accounts/login/")
