"""The operators' desk: a second factor to get in, money and status to look at, the product's own doors to act."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from invoicing.models import CreditNote, Invoice, Payer, Reminder, Rendering
from merchants import secrets, team
from merchants.models import Event, Membership, Merchant, User
from notifications.models import Attempt, Delivery, Endpoint, MailServer
from payments import quotes
from payments.models import Claim, Cursor, Price, Quote, ReceiveAddress, Refund, SandboxBlock, SandboxTransaction, Transfer, Wallet
from payments.rails import sandbox
from tests.factories import NOW, PASSWORD, make_draft, make_merchant, make_user, publish

pytestmark = pytest.mark.django_db

SECRET = "whsec_the-tide-is-out-and-nobody-may-know"
USDT = "sandbox:harbour/token:usdt"


@pytest.fixture
def operator(db: None) -> User:
    user = make_user("op@quittance.example", name="Operator", password=PASSWORD, is_staff=True)
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "JBSWY3DPEHPK3PXP"})
    return user


@pytest.fixture
def desk(operator: User, client_as: Any) -> Client:
    return client_as(operator)


def one_of_each(slug: str = "harbour-pine") -> dict[type, Any]:
    """A business with a row in every table that the desk shows."""
    merchant = make_merchant(slug=slug)
    invoice = publish(make_draft(merchant))
    quote = quotes.ask(invoice, USDT, now=NOW)
    address = quote.receive_address
    txid = f"{slug:f<64}"[:64]
    transfer = Transfer.objects.create(
        network="sandbox:harbour",
        txid=txid,
        place=0,
        invoice=invoice,
        receive_address=address,
        quote=quote,
        asset_id=USDT,
        amount_units=1_954_860_000,
        first_seen_at=NOW,
        confirmations_needed=3,
        credit_minor=180_000,
    )
    endpoint = Endpoint.objects.create(merchant=merchant, url=f"https://{slug}.example/hooks", secret=secrets.encrypt(SECRET))
    event = Event.objects.filter(merchant=merchant).first()
    delivery = Delivery.objects.create(
        merchant=merchant,
        event=event,
        channel="email",
        template="invoice_issued",
        recipient="ana@duarte.example",
        invoice=invoice,
        message_id=f"<1@{slug}>",
        next_at=NOW,
        created_at=NOW,
        status="failed",
    )
    Attempt.objects.create(delivery=delivery, number=1, started_at=NOW, succeeded=False, code="550", answer="No such mailbox")
    note = CreditNote.objects.create(merchant=merchant, invoice=invoice, number="CN-000001", amount_minor=5_000, issued_at=NOW)
    refund = Refund.objects.create(
        merchant=merchant,
        invoice=invoice,
        form_key="f" * 43,
        nonce=f"nonce-{slug}",
        basis="other",
        amount_minor=5_000,
        asset_id=USDT,
        amount_units=54_300_000,
        created_at=NOW,
        claim_until=NOW,
        credit_note=note,
    )
    claim = Claim.objects.create(refund=refund, nonce=f"nonce-{slug}", for_nonce=f"nonce-{slug}", address="sandbox1payer", given_at=NOW, until=NOW)
    height = SandboxBlock.objects.count()
    return {
        User: User.objects.order_by("-id").first(),
        Merchant: merchant,
        Membership: Membership.objects.filter(merchant=merchant).first(),
        Event: event,
        Invoice: invoice,
        Payer: Payer.objects.create(merchant=merchant, name="Ana Duarte", email="ana@duarte.example"),
        Reminder: Reminder.objects.create(invoice=invoice, days=-3, send_at=NOW),
        Rendering: Rendering.objects.create(invoice=invoice, kind="receipt", error="No fonts"),
        Wallet: address.wallet,
        ReceiveAddress: address,
        Quote: quote,
        Transfer: transfer,
        CreditNote: note,
        Refund: refund,
        Claim: claim,
        Cursor: Cursor.objects.create(network=f"sandbox:{slug}"[:60]),
        Price: Price.objects.create(name=slug[:20], currency="EUR", value="2790.10", source="Kraken, Coinbase", at=NOW),
        SandboxBlock: SandboxBlock.objects.create(network="sandbox:harbour", height=height, hash=f"{height:064d}", at=NOW),
        SandboxTransaction: SandboxTransaction.objects.create(
            network="sandbox:harbour", txid=txid, address=address.address, asset_id=USDT, amount_units=1_954_860_000, created_at=NOW
        ),
        Endpoint: endpoint,
        Delivery: delivery,
        MailServer: MailServer.objects.create(
            merchant=merchant, host="smtp.harbourpine.example", sender="studio@harbourpine.example", password=secrets.encrypt(SECRET)
        ),
    }


def url(model: type, page: str, *args: Any) -> str:
    meta = model._meta  # type: ignore[attr-defined]
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=args)


# --- who gets in ------------------------------------------------------------------------------------------------
def test_a_stranger_is_sent_to_the_same_sign_in_as_everyone(client):
    asked = client.get("/admin/", follow=True)
    assert asked.redirect_chain[-1][0] == "/accounts/login/?next=%2Fadmin%2F"


def test_a_member_without_staff_rights_is_refused(client_as, owner):
    assert client_as(owner).get("/admin/", follow=True).status_code == 403


def test_staff_without_a_second_factor_is_sent_to_set_one_up(client_as):
    staff = client_as(make_user("op@quittance.example", is_staff=True, is_superuser=True))
    asked = staff.get("/admin/merchants/user/", follow=True)
    assert asked.redirect_chain[-1][0] == reverse("mfa_index")
    assert "Operators sign in with a second factor." in asked.content.decode()


def test_an_operator_gets_in_and_back_to_the_page_asked_for(desk):
    assert desk.get("/admin/").status_code == 200
    assert desk.get("/admin/login/?next=/admin/merchants/user/").url == "/admin/merchants/user/"
    assert desk.get("/admin/login/?next=https://elsewhere.example/").url == "/admin/"


def test_passwords_are_changed_where_everyone_changes_theirs(desk):
    assert desk.get("/admin/password_change/").url == reverse("account_change_password")


# --- what is there ----------------------------------------------------------------------------------------------
SHOWN = {User, Merchant, Membership, Event, Invoice, Payer, Rendering, Wallet, ReceiveAddress, Quote, Transfer, Cursor, Price}
SHOWN |= {SandboxBlock, SandboxTransaction, Endpoint, Delivery, CreditNote, Refund, Claim, Reminder, MailServer}


def test_the_desk_shows_these_tables_and_no_other():
    assert set(admin.site._registry) == SHOWN


def test_every_list_and_every_page_opens_and_none_shows_a_secret_or_a_payers_link(desk):
    rows = one_of_each()
    assert set(rows) == SHOWN
    stored = (rows[Endpoint].secret, rows[MailServer].password)
    for model, row in rows.items():
        for page in (url(model, "changelist"), url(model, "changelist") + "?q=harbour", url(model, "change", row.pk)):
            answer = desk.get(page)
            text = answer.content.decode()
            assert answer.status_code == 200, page
            assert rows[Invoice].public_id not in text, page
            assert SECRET not in text, page
            assert not any(secret in text for secret in stored), page
            assert rows[Refund].nonce not in text, page


def test_no_list_asks_more_questions_for_more_rows(desk):
    def questions() -> dict[str, int]:
        counted = {}
        for model in SHOWN:
            with CaptureQueriesContext(
                connection,
            ) as asked:
                desk.get(url(model, "changelist"))
            counted[model.__name__] = len(asked)
        return counted

    one_of_each()
    desk.get("/admin/")
    at_one = questions()
    one_of_each("secret-orchard")
    one_of_each("third-quay")
    assert questions() == at_one


def test_money_reads_as_on_the_invoice(desk):
    rows = one_of_each()
    assert "1,800.00" in desk.get(url(Invoice, "changelist")).content.decode()
    assert "1,954.86 USDT" in desk.get(url(Transfer, "change", rows[Transfer].pk)).content.decode()


# --- what can be changed ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("model", sorted(SHOWN, key=lambda model: model.__name__))
def test_nothing_is_added_or_deleted(desk, model):
    row = one_of_each()[model]
    before = model.objects.count()
    assert desk.post(url(model, "add"), {}).status_code == 403
    assert desk.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    desk.post(url(model, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes", "index": 0})
    assert model.objects.count() == before


@pytest.mark.parametrize("model", sorted(SHOWN - {User, Merchant}, key=lambda model: model.__name__))
def test_what_is_only_shown_cannot_be_posted(desk, model):
    row = one_of_each()[model]
    before = model.objects.filter(pk=row.pk).values().get()
    written = dict.fromkeys(before, "1") | {"status": "paid", "total_minor": "1", "credited_minor": "1", "address": "sbx1thief", "secret": "mine"}
    assert desk.post(url(model, "change", row.pk), written).status_code == 403
    assert model.objects.filter(pk=row.pk).values().get() == before


def no_rows(*prefixes: str) -> dict[str, str]:
    return {f"{prefix}-{count}_FORMS": "0" for prefix in prefixes for count in ("TOTAL", "INITIAL")}


def test_a_user_can_be_closed_and_made_staff_and_nothing_else(desk):
    user = make_user("ana@duarte.example", password=PASSWORD)
    password = user.password
    fields = {"name": "Ana D.", "is_staff": "on", "email": "thief@elsewhere.example", "password": "x", "is_superuser": "on"}
    assert desk.post(url(User, "change", user.pk), fields | no_rows("memberships")).status_code == 302
    user.refresh_from_db()
    assert (user.name, user.is_active, user.is_staff, user.is_superuser) == ("Ana D.", False, True, False)
    assert (user.email, user.password) == ("ana@duarte.example", password)


def test_a_merchant_changes_through_its_own_door_and_stays_a_test_for_ever(desk, operator):
    merchant = make_merchant()
    fields = {"name": "Harbour & Pine", "email": "new@harbourpine.example", "time_zone": "Europe/Lisbon", "daily_mail_limit": "20"}
    taken = {"is_test": "", "slug": "taken", "accepted_assets": "[]", "next_number": "900", "late_policy": "hold"}
    posted = fields | taken | no_rows("memberships", "invitations", "number_segments")
    assert desk.post(url(Merchant, "change", merchant.pk), posted).status_code == 302
    merchant.refresh_from_db()
    assert (merchant.email, merchant.daily_mail_limit) == ("new@harbourpine.example", 20)
    assert (merchant.is_test, merchant.slug, merchant.next_number, merchant.late_policy) == (True, "harbour-pine", 1, "rate")
    event = Event.objects.get(kind="merchant.changed")
    assert (event.actor, event.facts) == (operator, {"fields": ["daily_mail_limit", "email"]})


# --- what can be done -------------------------------------------------------------------------------------------
def act(desk: Client, model: type, action: str, *rows: Any, **fields: str) -> str:
    answer = desk.post(url(model, "changelist"), {"action": action, "_selected_action": [row.pk for row in rows], "index": 0, **fields}, follow=True)
    return answer.content.decode()


def test_an_invoice_is_voided_through_its_door_with_the_reason(desk, operator):
    merchant = make_merchant()
    invoice, draft = publish(make_draft(merchant)), make_draft(merchant)
    page = act(desk, Invoice, "void", invoice, draft, reason="Sent by a stolen account")
    invoice.refresh_from_db()
    draft.refresh_from_db()
    assert (invoice.status, invoice.void_reason, draft.status) == ("void", "Sent by a stolen account", "draft")
    assert Event.objects.get(kind="invoice.voided").actor == operator
    assert "is draft; it cannot be voided." in page


def test_an_invoice_is_not_voided_without_a_reason(desk):
    invoice = publish(make_draft(make_merchant()))
    assert "Give the reason beside the action" in act(desk, Invoice, "void", invoice, reason="  ")
    invoice.refresh_from_db()
    assert invoice.status == "open"


def test_a_failed_delivery_is_sent_again_as_a_new_one(desk, operator):
    failed = one_of_each()[Delivery]
    act(desk, Delivery, "send_again", failed)
    failed.refresh_from_db()
    new = Delivery.objects.exclude(pk=failed.pk).get(recipient="ana@duarte.example")
    assert (failed.status, new.status, new.event.actor) == ("failed", "queued", operator)
    assert "already on its way" in act(desk, Delivery, "send_again", failed)


def test_a_block_is_mined_on_the_sandbox(desk):
    sandbox.mine(now=NOW)
    block = SandboxBlock.objects.get()
    page = act(desk, SandboxBlock, "mine", block)
    assert SandboxBlock.objects.count() == 2
    assert f"Block {block.height + 1} is mined." in page


def test_an_invitation_is_shown_without_what_opens_it(desk, merchant, owner):
    invitation = team.invite(merchant, email="rui@harbourpine.example", role="viewer", by=owner, now=NOW)
    page = desk.get(url(Merchant, "change", merchant.pk)).content.decode()
    assert "rui@harbourpine.example" in page
    assert invitation.nonce not in page
    assert team.link_token(invitation) not in page
