"""Where webhooks may go. Nothing here leaves this machine: what is refused is refused before a connection."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer

from notifications.transports import guard
from notifications.transports.guard import AddressRefused, GuardedAdapter, allowed, objection


@pytest.mark.parametrize(
    ("ip", "public", "in_the_demo"),
    [
        ("93.184.215.14", True, True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True, True),
        ("127.0.0.1", False, True),
        ("127.8.9.10", False, True),
        ("::1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("0.0.0.0", False, False),  # noqa: S104
        ("::", False, False),
        ("10.0.0.1", False, False),
        ("172.16.0.1", False, False),
        ("172.31.255.255", False, False),
        ("192.168.1.1", False, False),
        ("100.64.0.1", False, False),
        ("100.100.100.200", False, False),  # metadata
        ("169.254.169.254", False, False),  # metadata
        ("192.0.0.192", False, False),  # metadata
        ("168.63.129.16", False, False),  # metadata
        ("198.18.0.1", False, False),
        ("203.0.113.5", False, False),
        ("224.0.0.1", False, False),
        ("240.0.0.1", False, False),
        ("255.255.255.255", False, False),
        ("fe80::1", False, False),
        ("fe80::1%eth0", False, False),
        ("fc00::1", False, False),
        ("fd00:ec2::254", False, False),  # metadata
        ("fec0::1", False, False),
        ("ff02::1", False, False),
        ("2001:db8::1", False, False),
        ("::ffff:10.0.0.1", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a00:1", False, False),  # 10.0.0.1 by NAT64
        ("64:ff9b::a9fe:a9fe", False, False),  # 169.254.169.254 by NAT64
        ("2002:a00:1::", False, False),  # 10.0.0.1 by 6to4
        ("::ffff:93.184.215.14", True, True),
    ],
)
def test_which_addresses_are_allowed(ip: str, public: bool, in_the_demo: bool) -> None:
    assert (allowed(ip, loopback_ok=False), allowed(ip, loopback_ok=True)) == (public, in_the_demo)


NO_URL = "This is not a web address. Write it like https://example.com/hooks."
NO_TLS = "The address must begin with https://, so that nobody on the way can read along."


@pytest.mark.parametrize(
    ("url", "public", "in_the_demo"),
    [
        ("https://example.com/hooks", None, None),
        ("https://example.com:8443/hooks?x=1", None, None),
        ("http://example.com/hooks", NO_TLS, NO_TLS),
        ("http://127.0.0.1:9000/hooks", NO_TLS, None),
        ("http://localhost:9000/hooks", NO_TLS, None),
        ("http://[::1]:9000/hooks", NO_TLS, None),
        ("http://10.0.0.1/", NO_TLS, NO_TLS),
        ("https://localhost/", "localhost is inside a private network. Webhooks go to public addresses.", None),
        (
            "https://169.254.169.254/",
            "169.254.169.254 is inside a private network. Webhooks go to public addresses.",
            "169.254.169.254 is inside a private network. Webhooks go to public addresses.",
        ),
        ("ftp://example.com/", NO_URL, NO_URL),
        ("file:///etc/passwd", NO_URL, NO_URL),
        ("https://", NO_URL, NO_URL),
        ("https://example.com:99999/", NO_URL, NO_URL),
        (
            "https://user:pass@example.com/",
            "Leave the name and password out of the address; the signature says who sends.",
            "Leave the name and password out of the address; the signature says who sends.",
        ),
    ],
)
def test_what_is_said_of_an_address(url: str, public: str | None, in_the_demo: str | None) -> None:
    assert (objection(url, loopback_ok=False), objection(url, loopback_ok=True)) == (public, in_the_demo)


def session(*, loopback_ok: bool) -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    for scheme in ("http://", "https://"):
        made.mount(scheme, GuardedAdapter(loopback_ok=loopback_ok))
    return made


def resolving_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Name servers at the edge: each question gets the next answer. The questions are returned."""
    asked: list[str] = []
    left = list(answers)

    def look_up(host: str, port: int, *_args: Any, **_more: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in left.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize("url", ["https://hooks.example/", "http://hooks.example/"])
@pytest.mark.parametrize("answer", [["10.0.0.1"], ["169.254.169.254"], ["93.184.215.14", "192.168.0.1"]])
def test_a_name_that_leads_inside_is_refused_before_any_connection(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, url: str, answer: list[str]
) -> None:
    """Where it leads is for the operator, not for whoever asks names of our network."""
    resolving_to(monkeypatch, answer)

    with session(loopback_ok=True) as out, pytest.raises(AddressRefused) as refused:
        out.post(url, timeout=2)
    assert str(refused.value) == "hooks.example is inside a private network. Webhooks go to public addresses."
    assert f"hooks.example is at {answer[0] if url.startswith('http:') else answer[-1]}" in caplog.text


def test_plain_http_reaches_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving_to(monkeypatch, ["93.184.215.14"])

    with session(loopback_ok=True) as out, pytest.raises(AddressRefused):
        out.post("http://localhost/", timeout=2)


def test_a_name_is_asked_for_once_and_that_answer_is_connected_to(monkeypatch: pytest.MonkeyPatch, receiver: HTTPServer) -> None:
    """A name server that answers differently the second time gets no second question."""
    receiver.expect_request("/hooks").respond_with_data("here")
    asked = resolving_to(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])

    with session(loopback_ok=True) as out:
        answer = out.post(f"http://rebinding.example:{receiver.port}/hooks", timeout=2)

    assert (answer.text, asked) == ("here", ["rebinding.example"])


def test_this_machine_is_refused_where_it_is_not_a_demonstration(receiver: HTTPServer) -> None:
    with session(loopback_ok=False) as out, pytest.raises(AddressRefused):
        out.post(receiver.url_for("/hooks"), timeout=2)
    assert receiver.log == []


@pytest.fixture
def hanging_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Name servers that answer nothing before this is set; then, that everything is on this machine."""
    answers = threading.Event()

    def look_up(_host: str, port: int, **_more: Any) -> list[Any]:
        answers.wait(10)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield answers
    answers.set()


def test_a_name_server_that_does_not_answer_holds_nobody_longer_than_connecting_may_take(hanging_names: threading.Event) -> None:
    began = time.monotonic()
    with session(loopback_ok=True) as out, pytest.raises(requests.ConnectTimeout):
        out.post("https://hooks.example/", timeout=(0.2, 5))

    assert time.monotonic() - began < 2


def test_a_question_that_was_left_behind_counts_until_it_is_answered(hanging_names: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    left = threading.Semaphore(1)
    monkeypatch.setattr(guard, "_left_behind", left)
    with pytest.raises(TimeoutError):
        guard.resolve("hooks.example", 443, loopback_ok=True, only_loopback=False, within=0.1)

    assert not left.acquire(blocking=False)
    hanging_names.set()
    assert left.acquire(timeout=5)


def test_when_very_many_were_left_behind_no_more_are(hanging_names: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_left_behind", threading.Semaphore(0))
    threading.Timer(0.5, hanging_names.set).start()

    assert guard.resolve("hooks.example", 443, loopback_ok=True, only_loopback=False, within=0.1)[0][4] == ("127.0.0.1", 443)


def test_this_machines_own_public_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert guard.allowed("93.184.215.14", False) is True
    monkeypatch.setattr(guard, "_can_bind", lambda ip: ip == "93.184.215.14")
    assert guard.allowed("93.184.215.14", False) is False
    assert guard.allowed("::ffff:93.184.215.14", False) is False
    assert guard.allowed("93.184.215.15", False) is True


def test_where_anything_can_be_bound_no_address_is_taken_for_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_can_bind", lambda _ip: True)
    assert guard.allowed("93.184.215.14", False) is True


def test_what_can_be_bound_is_what_this_machine_has() -> None:
    assert (guard._can_bind("127.0.0.1"), guard._can_bind("192.0.2.1")) == (True, False)


@pytest.mark.parametrize("url", ["https://pay.example.com/hooks", "https://PAY.example.com./hooks", "https://pay.example.com:8443/"])
def test_this_installation_is_no_endpoint(settings: Any, url: str) -> None:
    settings.SITE_URL = "https://pay.example.com"
    assert "is this installation itself" in (guard.objection(url, False) or "")
    assert guard.objection("https://shop.example.com/hooks", False) is None
