"""A merchant's own mail server: guarded, tested before it is switched on, and used for payers' mails alone."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from django.test import Client

from merchants import secrets
from merchants.models import Event, Merchant, User
from notifications import courier, fanout, outbox, turns
from notifications.mail import mailservers, own_server
from notifications.mail.own_server import Wanted
from notifications.models import Delivery, MailServer
from tests.factories import NOW, PASSWORD, make_draft, publish
from tests.notifications.conftest import Mailserver, take

pytestmark = pytest.mark.django_db
PAGE = "/m/harbour-pine/settings/mail/server/"


class Own(Mailserver):
    """The merchant's server: takes the user 'studio' with the password 'pine'."""

    def __init__(self) -> None:
        super().__init__()
        self.port = 0
        self.signed_in: list[bool] = []

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        right = (data.login, data.password) == (b"studio", b"pine")
        self.signed_in.append(right)
        return AuthResult(success=right, handled=False)


@pytest.fixture
def own() -> Iterator[Own]:
    handler = Own()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        handler.port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port, authenticator=handler.authenticate, auth_require_tls=False)
    controller.start()
    yield handler
    controller.stop()


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.WEBHOOK_ALLOW_LOOPBACK = True


def wanted(own: Own, **changes: Any) -> Wanted:
    values = {"host": "127.0.0.1", "port": own.port, "security": "none", "username": "studio", "password": "pine"}
    values["sender"] = "bills@harbourpine.example"
    return Wanted(**{**values, **changes})


@pytest.fixture
def server(merchant: Merchant, owner: User, own: Own) -> MailServer:
    own_server.save(merchant, wanted=wanted(own), by=owner, now=NOW)
    return MailServer.objects.get()


def test_mails_to_payers_leave_through_it_and_no_others(server: MailServer, owner: User, own: Own, mailserver: Mailserver) -> None:
    assert own_server.test(server, by=owner, now=NOW) == ""
    own_server.switch_on(MailServer.objects.get(), by=owner, now=NOW)
    invoice = publish(make_draft(Merchant.objects.get()), now=NOW)
    take(invoice, invoice.total_minor)
    fanout.run(NOW)
    while courier.round_of("email", now=NOW + timedelta(seconds=6)):
        pass

    ours = [message_from_bytes(raw, policy=policy.default) for raw in own.taken]
    assert {message["From"] for message in ours} == {"Harbour & Pine <bills@harbourpine.example>"}
    assert {message["To"] for message in ours} == {owner.email, "ana@duarte.example"}
    theirs = [message_from_bytes(raw, policy=policy.default) for raw in mailserver.taken]
    assert theirs
    assert {message["From"].addresses[0].addr_spec for message in theirs} == {"quittance@quittance.example"}
    assert "ana@duarte.example" not in {message["To"] for message in theirs}
    assert all(own.signed_in)


def test_it_is_switched_on_only_once_tested_and_off_again_by_every_change(server: MailServer, merchant: Merchant, owner: User, own: Own) -> None:
    with pytest.raises(own_server.Refused, match="Send yourself a test mail first"):
        own_server.switch_on(server, by=owner, now=NOW)
    own_server.test(server, by=owner, now=NOW)
    assert own_server.switch_on(server, by=owner, now=NOW)
    assert not own_server.switch_on(server, by=owner, now=NOW)
    assert own_server.save(merchant, wanted=wanted(own, sender="other@harbourpine.example", password=""), by=owner, now=NOW)
    changed = MailServer.objects.get()
    assert (changed.is_enabled, changed.tested_at, secrets.decrypt(changed.password)) == (False, None, "pine")
    assert not own_server.save(merchant, wanted=wanted(own, sender="other@harbourpine.example", password=""), by=owner, now=NOW)


def test_a_kept_password_never_goes_to_another_server(server: MailServer, merchant: Merchant, owner: User, own: Own) -> None:
    with pytest.raises(own_server.Refused, match="Type the password again"):
        own_server.save(merchant, wanted=wanted(own, host="localhost", password=""), by=owner, now=NOW)
    assert MailServer.objects.get().host == "127.0.0.1"


def test_a_test_says_what_the_server_said(merchant: Merchant, owner: User, own: Own) -> None:
    own_server.save(merchant, wanted=wanted(own, password="oak"), by=owner, now=NOW)
    server = MailServer.objects.get()
    assert own_server.test(server, by=owner, now=NOW) == "535 The mail server refused our sign-in."
    own_server.save(merchant, wanted=wanted(own), by=owner, now=NOW)
    own.answers = ["550 5.7.1 Not your sender"]
    assert own_server.test(MailServer.objects.get(), by=owner, now=NOW) == "550 5.7.1 Not your sender"
    assert MailServer.objects.get().tested_at is None


def test_a_server_that_drips_does_not_hold_the_page(merchant: Merchant, owner: User, own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_server, "TEST_TIMEOUT", 0.5)
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        plug, _address = listener.accept()
        with contextlib.suppress(OSError), plug:
            for _number in range(40):
                plug.sendall(b"2")
                time.sleep(0.1)

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    own_server.save(merchant, wanted=wanted(own, port=listener.getsockname()[1]), by=owner, now=NOW)
    began = time.monotonic()
    assert own_server.test(MailServer.objects.get(), by=owner, now=NOW) == "The mail server did not answer in 1 s."
    assert time.monotonic() - began < 3
    thread.join()
    listener.close()


def test_mails_to_the_business_do_not_wait_behind_those_through_its_own_server(server: MailServer, merchant: Merchant) -> None:
    MailServer.objects.update(is_enabled=True)
    Merchant.objects.update(daily_mail_limit=1000)
    common = {"merchant": merchant, "event": Event.objects.first(), "channel": "email", "created_at": NOW}
    payers = [
        Delivery(template="issued", recipient=f"p{n}@duarte.example", message_id=f"<{n}>", next_at=NOW, **common) for n in range(turns.SHOWN + 1)
    ]
    news = Delivery(template="owners_told", recipient="owner@pine.example", message_id="<news>", **common | {"next_at": NOW + timedelta(minutes=1)})
    Delivery.objects.bulk_create([*payers, news])

    claimed = outbox.claim("email", now=NOW + timedelta(minutes=2), limit=6, busy={server.pk: 6})
    assert [mail.recipient for mail in claimed] == ["owner@pine.example"]


def test_a_server_that_went_down_holds_up_its_own_mails_alone(server: MailServer, owner: User, mailserver: Mailserver) -> None:
    MailServer.objects.update(is_enabled=True, tested_at=NOW, port=9)
    invoice = publish(make_draft(Merchant.objects.get()), now=NOW)
    take(invoice, invoice.total_minor)
    fanout.run(NOW)
    courier.round_of("email", now=NOW)
    states = set(Delivery.objects.filter(channel="email").values_list("recipient", "status"))
    assert ("ana@duarte.example", "queued") in states
    assert ("studio@harbourpine.example", "sent") in states


@pytest.mark.parametrize(
    ("host", "port", "security", "field"),
    [
        ("10.0.0.5", 587, "starttls", "host"),
        ("169.254.169.254", 25, "starttls", "host"),
        ("::ffff:127.0.0.1", 587, "starttls", "host"),
        ("localhost", 587, "starttls", "host"),
        ("127.0.0.1", 587, "starttls", "host"),
        ("http://mail.example.com", 587, "starttls", "host"),
        ("mail.example.com", 6379, "starttls", "port"),
        ("mail.example.com", 587, "none", "security"),
    ],
)
def test_what_a_server_cannot_be(merchant: Merchant, settings: Any, host: str, port: int, security: str, field: str) -> None:
    settings.WEBHOOK_ALLOW_LOOPBACK = False
    found = own_server.why_not(merchant, host, port, security)
    assert found is not None
    assert found[0] == field


def test_a_public_server_is_taken_and_one_on_this_machine_by_test_merchants_alone(merchant: Merchant) -> None:
    assert own_server.why_not(merchant, "mail.example.com", 465, "tls") is None
    assert own_server.why_not(merchant, "127.0.0.1", 1025, "none") is None
    merchant.is_test = False
    assert own_server.why_not(merchant, "127.0.0.1", 587, "starttls") == (
        "host",
        "127.0.0.1 is inside a private network. Mail goes through servers at public addresses.",
    )


@pytest.mark.parametrize(("security", "told"), [("starttls", "10.0.0.7"), ("tls", "10.0.0.7"), ("none", "93.184.216.34")])
def test_a_name_that_leads_inside_is_never_connected_to(
    server: MailServer, owner: User, monkeypatch: pytest.MonkeyPatch, security: str, told: str
) -> None:
    """Without TLS it goes to this machine alone, so there a public address is as far out of bounds."""
    tried: list[Any] = []
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (told, 587))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: answer)
    monkeypatch.setattr(socket.socket, "connect", lambda _self, address: tried.append(address))
    server.host, server.security = "mail.rebind.example", security
    assert "is inside a private network" in own_server.test(server, by=owner, now=NOW)
    assert tried == []


def test_a_password_that_cannot_be_read_any_more_says_so(server: MailServer, owner: User) -> None:
    server.password = "gAAAAAB-not-ours"
    assert "Type it again under Settings, Mail" in own_server.test(server, by=owner, now=NOW)
    assert mailservers.connection(987654) is not None


def test_owners_set_it_up_after_a_fresh_sign_in(merchant: Merchant, owner: User, own: Own, client_as: Callable[[User], Client]) -> None:
    client = client_as(owner)
    assert client.post(PAGE + "on/").url.startswith("/accounts/reauthenticate/")  # type: ignore[attr-defined]
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    typed = {"host": "127.0.0.1", "port": str(own.port), "security": "none", "username": "studio", "password": "pine", "sender": "bills@h.example"}
    assert client.post(PAGE, typed | {"host": "10.0.0.1"}).status_code == 422
    saved = client.post(PAGE, typed, follow=True)
    assert "Send yourself a test mail" in saved.content.decode()
    assert "pine" not in saved.content.decode().replace("harbour-pine", "")
    tested = client.post(PAGE + "test/", follow=True)
    assert f"The server took a mail to {owner.email}" in tested.content.decode()
    assert "leave through your server now" in client.post(PAGE + "on/", follow=True).content.decode()
    assert "from bills@h.example" in client.get("/m/harbour-pine/settings/mail/").content.decode()
    assert "through this site again" in client.post(PAGE + "off/", follow=True).content.decode()
    client.post(PAGE + "remove/")
    assert not MailServer.objects.exists()
    kinds = list(Event.objects.filter(kind__startswith="mail_server").order_by("id").values_list("kind", flat=True))
    assert kinds == ["mail_server.saved", "mail_server.on", "mail_server.off", "mail_server.removed"]
    fanout.run(NOW)
    assert Delivery.objects.filter(template="owners_told").count() == 4
    courier.round_of("email", now=NOW)
    assert set(Delivery.objects.filter(template="owners_told").values_list("status", flat=True)) == {"sent"}
