"""Nothing inside is ever knocked at. Every attempt to connect is counted at the socket; one to another machine is recorded and
goes nowhere, so that a hole found here would still reach nobody. Live listeners on this machine count what they accept."""

import _socket
import ipaddress
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from invoicing.models import Invoice
from merchants.models import Merchant
from notifications import courier, fanout
from notifications.models import Attempt, Delivery, Endpoint
from notifications.transports.guard import AddressRefused
from notifications.transports.webhook import Request, _session, post
from tests.factories import NOW

pytestmark = pytest.mark.django_db
PUBLIC = "93.184.215.14"
LISTEN = ["127.0.0.1", "127.0.0.2", "127.8.9.10", "127.255.255.254", "::1"]

# Names as their servers would answer; whatever is a number in any spelling is read by the system, as it does for a browser.
NAMES = {
    "metadata.google.internal": ["169.254.169.254"],
    "instance-data.ec2.internal": ["169.254.169.254"],
    "metadata.azure.internal": ["168.63.129.16"],
    "kubernetes.default.svc": ["10.96.0.1"],
    "localhost": ["127.0.0.1"],
    "localhost.": ["127.0.0.1"],
    "app.localhost": ["127.0.0.1"],
    "localtest.example": ["127.0.0.1"],
    "six.example": ["::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "half.example": [PUBLIC, "10.0.0.7"],
    "other-half.example": ["10.0.0.7", PUBLIC],
    "nat64.example": ["64:ff9b::7f00:1"],
    "zero.example": ["0.0.0.0"],  # noqa: S104
}
SPELLINGS = [
    *("10.0.0.1", "172.16.5.4", "192.168.1.1", "100.64.0.1", "169.254.169.254", "0.0.0.0", "127.0.0.1", "127.8.9.10", "255.255.255.255"),  # noqa: S104
    *("2130706433", "017700000001", "0x7f000001", "0x7f.1", "127.1", "127.0.1", "0177.0.0.1", "0", "00.0.0.0", "3232235777", "0xa9fea9fe"),
    *("[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[2001:db8::1]", "[::ffff:10.0.0.1]", "[::ffff:7f00:1]"),
    *("[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "[2002:a00:1::]", "[::127.0.0.1]", "[0:0:0:0:0:ffff:a9fe:a9fe]", "[fec0::1]"),
    *NAMES,
]


class Knocks:
    """What Python tried to connect to, and what the listeners accepted."""

    def __init__(self, accepted: list[str]) -> None:
        self.tried: list[str] = []
        self.accepted = accepted


@pytest.fixture(scope="module")
def accepted() -> Iterator[list[str]]:
    """On one port at all of LISTEN, so that whatever an address comes out as, somebody is there."""
    seen: list[str] = []
    listeners = [_listener(address, seen) for address in LISTEN]
    yield seen
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)  # wakes whoever waits in accept
        listener.close()


@pytest.fixture
def knocks(monkeypatch: pytest.MonkeyPatch, accepted: list[str]) -> Knocks:
    accepted.clear()
    seen = Knocks(accepted)
    here = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> Any:
        if self.family == socket.AF_UNIX:
            return here(self, address)
        seen.tried.append(str(address[0]))
        if ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
            return here(self, address)
        raise ConnectionRefusedError("recorded")

    def getaddrinfo(host: str, port: int, *_args: Any, **_more: Any) -> list[Any]:
        found = NAMES.get(host)
        if found is None:
            return _socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
        return [entry for ip in found for entry in _socket.getaddrinfo(ip, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)]

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect)
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return seen


def _listener(address: str, seen: list[str]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, PORT))
    listener.listen()

    def accept() -> None:
        while True:
            try:
                plug, _other = listener.accept()
            except OSError:
                return
            seen.append(address)
            plug.close()

    threading.Thread(target=accept, daemon=True).start()
    return listener


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


PORT = _free_port()


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("host", SPELLINGS)
def test_the_connection_itself_is_refused_however_the_address_is_spelt(knocks: Knocks, host: str, scheme: str) -> None:
    """Past every check before it: straight to what posts."""
    request = Request(f"{scheme}://{host}:{PORT}/", b"{}", {}, False, lambda _status, _body: True, NOW)
    outcome = post(_session(False), request)

    assert (knocks.tried, knocks.accepted) == ([], [])
    assert outcome.ok is False


@pytest.mark.parametrize("host", SPELLINGS)
def test_a_delivery_to_it_fails_without_an_attempt_to_connect(knocks: Knocks, endpoint: Endpoint, invoice: Invoice, host: str) -> None:
    Merchant.objects.update(is_test=False)
    fanout.run(NOW)
    Endpoint.objects.update(url=f"https://{host}:{PORT}/hooks")
    courier.round_of("webhook", now=NOW)

    assert (knocks.tried, knocks.accepted) == ([], [])
    assert Delivery.objects.get(channel="webhook", invoice=invoice).status == "failed"
    assert Attempt.objects.get(delivery__channel="webhook").is_permanent is True


def test_where_loopback_is_allowed_plain_http_reaches_nothing_else(knocks: Knocks) -> None:
    for host in ("10.0.0.1", "169.254.169.254", "half.example", "metadata.google.internal"):
        assert post(_session(True), Request(f"http://{host}:{PORT}/", b"{}", {}, True, lambda _status, _body: True, NOW)).permanent is True

    assert (knocks.tried, knocks.accepted) == ([], [])


def test_the_recorder_sees_a_connection_that_is_made(knocks: Knocks) -> None:
    """Or the tests above would prove nothing."""
    post(_session(True), Request(f"http://127.0.0.2:{PORT}/", b"{}", {}, True, lambda _status, _body: True, NOW))
    post(_session(False), Request("https://93.184.215.14/", b"{}", {}, False, lambda _status, _body: True, NOW))

    assert knocks.tried == ["127.0.0.2", PUBLIC]
    assert knocks.accepted == ["127.0.0.2"]


@pytest.mark.parametrize("second", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
def test_a_name_that_is_bound_anew_between_check_and_connection_gains_nothing(knocks: Knocks, monkeypatch: pytest.MonkeyPatch, second: str) -> None:
    answers = [PUBLIC, second, second]
    asked: list[str] = []

    def rebinding(host: str, port: int, *_args: Any, **_more: Any) -> list[Any]:
        asked.append(host)
        return _socket.getaddrinfo(answers[len(asked) - 1], port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    post(_session(False), Request(f"https://rebinding.example:{PORT}/", b"{}", {}, False, lambda _status, _body: True, NOW))

    assert (asked, knocks.tried, knocks.accepted) == (["rebinding.example"], [PUBLIC], [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_nowhere(endpoint: Endpoint, invoice: Invoice, receiver: HTTPServer, knocks: Knocks, status: int) -> None:
    inside = f"http://127.0.0.2:{PORT}/"
    receiver.expect_request("/hooks").respond_with_data("", status=status, headers={"location": inside, "refresh": f"0; url={inside}"})
    fanout.run(NOW)
    courier.round_of("webhook", now=NOW)

    assert set(knocks.tried) <= {"127.0.0.1", "::1"}
    assert (len(receiver.log), knocks.accepted) == (1, [])


def test_a_proxy_of_the_environment_is_not_asked(knocks: Knocks, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.2:{PORT}")
    post(_session(False), Request("https://93.184.215.14/", b"{}", {}, False, lambda _status, _body: True, NOW))

    assert (knocks.tried, knocks.accepted) == ([PUBLIC], [])


def test_a_session_says_where_it_does_not_go() -> None:
    with pytest.raises(AddressRefused, match="straight to their endpoint"):
        _session(False).get_adapter("https://example.com/").proxy_manager_for("http://127.0.0.1:9")
