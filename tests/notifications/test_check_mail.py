"""`manage.py check_mail` against a mail server and a name server on this machine."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.management import CommandError, call_command

from merchants.models import Merchant
from notifications.management.commands import check_mail
from notifications.models import MailServer
from tests.notifications.conftest import Mailserver

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


class Zone:
    """A name server on this machine that knows what a test tells it."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], list[str]] = {}
        self.is_silent = False
        self.plug = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.plug.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.plug.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def tells(self, name: str, kind: str, *values: str) -> None:
        self.known[name, kind] = [f'"{value}"' if kind == "TXT" else value for value in values]

    def _serve(self) -> None:
        while True:
            try:
                asked, whom = self.plug.recvfrom(4096)
            except OSError:
                return
            if not self.is_silent:
                self.plug.sendto(self._answer(dns.message.from_wire(asked)).to_wire(), whom)

    def _answer(self, asked: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.RA
        [question] = asked.question
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        if values := self.known.get((name, kind)):
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *values))
        elif not any(known == name or known.endswith(f".{name}") for known, _kind in self.known):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer


@pytest.fixture
def zone() -> Iterator[Zone]:
    """What is right for quittance.example."""
    found = Zone()
    found.tells("quittance.example", "TXT", "v=spf1 mx -all", "some-verification=1")
    found.tells("quittance.example", "MX", "10 mail.quittance.example.")
    found.tells("mail._domainkey.quittance.example", "TXT", "v=DKIM1; k=rsa; p=MIGf")
    found.tells("_dmarc.quittance.example", "TXT", "v=DMARC1; p=quarantine; rua=mailto:post@quittance.example")
    yield found
    found.plug.close()


def run(zone: Zone | None = None, **options: Any) -> tuple[str, bool]:
    """What it says, one finding a line, and whether all is well."""
    said = StringIO()
    try:
        call_command("check_mail", stdout=said, nameserver=zone.address if zone else None, no_dns=zone is None, **options)
    except CommandError:
        return said.getvalue(), False
    return said.getvalue(), True


# --- the mail server ----------------------------------------------------------------------------------------------
def test_all_is_well(mailserver: Mailserver, zone: Zone) -> None:
    said, is_well = run(zone, to="me@quittance.example")
    assert is_well
    assert said.splitlines()[0] == "Mails from quittance@quittance.example"
    assert "  ok    The server takes mails from quittance@quittance.example." in said
    assert "  note  The connection is not protected. On this machine that does no harm." in said
    assert "  ok    SPF: quittance.example names its servers: v=spf1 mx -all. See that the mail server is among them." in said
    assert "  ok    DKIM: quittance.example has the key mail. See that the mail server signs with it." in said
    assert "  ok    DMARC: forged mails of quittance.example are turned away (p=quarantine)." in said
    assert "  ok    Answers and bounces can be mailed to quittance.example." in said
    assert len(mailserver.taken) == 1


def test_mails_that_do_not_leave_are_said(settings: Any) -> None:
    said, is_well = run()
    assert not is_well
    assert "WRONG Mails do not leave: they are kept on this machine. Set EMAIL_URL to a mail server." in said


def test_nobody_listens(mailserver: Mailserver, settings: Any) -> None:
    settings.EMAIL_PORT = 9
    said, is_well = run()
    assert not is_well
    assert "Nothing listens on port 9 of 127.0.0.1. Usual are 587 and 465." in said


def test_a_name_that_is_unknown(mailserver: Mailserver, settings: Any) -> None:
    settings.EMAIL_HOST = "mail.nowhere.example"
    assert "The name mail.nowhere.example is not known to the domain name system." in run()[0]


def test_a_server_without_starttls(mailserver: Mailserver, settings: Any) -> None:
    settings.EMAIL_USE_TLS = True
    assert "offers no STARTTLS" in run()[0]


def test_a_server_without_sign_in(mailserver: Mailserver, settings: Any) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "studio", "pine"
    assert "offers no sign-in on port" in run()[0]


def test_tls_spoken_to_a_server_that_does_not(mailserver: Mailserver, settings: Any) -> None:
    settings.EMAIL_USE_SSL = True
    assert "does not speak TLS on port" in run()[0]


class Picky(Mailserver):
    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]) -> str:
        if not address.endswith("@harbourpine.example"):
            return "550 5.7.1 Not your address"
        envelope.mail_from = address
        return "250 OK"


Start = Callable[..., int]


@pytest.fixture
def start(settings: Any) -> Iterator[Start]:
    """A picky server, with what aiosmtpd is told; its port."""
    started: list[Controller] = []

    def begin(**options: Any) -> int:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        started.append(Controller(Picky(), hostname="127.0.0.1", port=port, **options))
        started[-1].start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        return port

    yield begin
    for controller in started:
        controller.stop()


def test_a_sender_that_the_server_refuses(start: Start) -> None:
    start()
    said, is_well = run()
    assert not is_well
    assert "The server takes no mails from quittance@quittance.example: 550 5.7.1 Not your address. Use an address that belongs to its user." in said


def test_a_wrong_password(start: Start, settings: Any) -> None:
    def no(*_args: Any) -> AuthResult:
        return AuthResult(success=False, handled=False)

    start(authenticator=no, auth_require_tls=False)
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "studio", "oak"
    assert "The server refused user name and password: 535" in run()[0]


def test_a_certificate_that_nobody_vouches_for(start: Start, settings: Any, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(self_signed(tmp_path)))
    start(tls_context=context)
    settings.EMAIL_USE_TLS = True
    assert "The certificate of 127.0.0.1 cannot be trusted: self-signed certificate." in run()[0]


def self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=1))
    path = folder / "mail.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + private)
    return path


def test_a_merchants_own_server(merchant: Merchant, start: Start, settings: Any) -> None:
    with pytest.raises(CommandError, match="has no mail server of its own"):
        call_command("check_mail", merchant="harbour-pine", no_dns=True)
    port = start()
    settings.WEBHOOK_ALLOW_LOOPBACK = True
    MailServer.objects.create(merchant=merchant, host="127.0.0.1", port=port, security="none", sender="bills@harbourpine.example")
    said, is_well = run(merchant="harbour-pine")
    assert is_well
    assert "The server takes mails from bills@harbourpine.example." in said
    settings.WEBHOOK_ALLOW_LOOPBACK = False
    assert "127.0.0.1 is inside a private network." in run(merchant="harbour-pine")[0]


# --- what the name servers say --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "records", "said"),
    [
        ("quittance.example", [], "SPF: quittance.example does not say which servers may send for it."),
        ("quittance.example", ["v=spf1 a -all", "v=spf1 mx -all"], "SPF: quittance.example has several records, which counts as none."),
        ("quittance.example", ["v=spf1 +all"], "SPF: quittance.example lets every server of the world send for it (v=spf1 +all)."),
        ("quittance.example", ["v=spf1 mx"], "SPF: quittance.example does not say what to think of other servers (v=spf1 mx)."),
        ("mail._domainkey.quittance.example", ["v=DKIM1; p="], "DKIM: the key mail of quittance.example is withdrawn (p= is empty)."),
        ("_dmarc.quittance.example", [], "DMARC: quittance.example does not say what becomes of forged mails"),
        ("_dmarc.quittance.example", ["v=DMARC1; p=none"], "DMARC: quittance.example only watches (p=none)."),
        ("_dmarc.quittance.example", ["v=DMARC1; q=none"], "DMARC: the record of quittance.example names no policy."),
    ],
)
def test_what_is_wrong_with_a_record(mailserver: Mailserver, zone: Zone, name: str, records: list[str], said: str) -> None:
    zone.tells(name, "TXT", *records)
    assert said in run(zone)[0]


def test_no_keys_at_all_is_another_thing_than_a_key_under_an_unknown_name(mailserver: Mailserver, zone: Zone) -> None:
    del zone.known["mail._domainkey.quittance.example", "TXT"]
    assert "WRONG DKIM: quittance.example has no keys" in run(zone)[0]
    zone.tells("harbour._domainkey.quittance.example", "TXT", "v=DKIM1; p=MIGf")
    assert "note  DKIM: quittance.example has keys, under a name we cannot guess." in run(zone)[0]
    assert "ok    DKIM: quittance.example has the key harbour." in run(zone, selector=["harbour"])[0]
    assert "WRONG DKIM: quittance.example has no key under pine." in run(zone, selector=["pine"])[0]


def test_the_policy_of_the_domain_above_holds_below(mailserver: Mailserver, zone: Zone, settings: Any) -> None:
    settings.MAIL_FROM = "Quittance <bills@pay.quittance.example>"
    assert "DMARC: forged mails of quittance.example are turned away (p=quarantine)." in run(zone)[0]


def test_a_sender_that_nothing_can_be_mailed_to(mailserver: Mailserver, zone: Zone) -> None:
    del zone.known["quittance.example", "MX"]
    assert "Nothing can be mailed to quittance.example" in run(zone)[0]


def test_name_servers_that_keep_silent(mailserver: Mailserver, zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_mail, "PATIENCE", 0.3)
    zone.is_silent = True
    assert "The name servers do not answer, so nothing can be said of quittance.example." in run(zone)[0]
