"""What every test shares: people, a business, a clean clock, and walls towards the outside."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import socket
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from config import translations
from merchants.models import Merchant, User
from tests.chains.anvil import anvil, anvil_node, other_anvil, other_anvil_node  # noqa: F401  (fixtures)
from tests.chains.esplora import esplora  # noqa: F401  (fixtures)
from tests.chains.litecoin import litecoin, litecoin_nodes, other_litecoin  # noqa: F401
from tests.factories import NOW, PASSWORD, add_member, make_merchant, make_user
from tests.payments.rails.contract import RailContract
from tests.sinks import MailSink, WebSink
from tests.stack import Stack

# Playwright's synchronous interface keeps an event loop in this thread; the ORM is used from the same thread all the same.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

CONTRACT = re.compile(r"rails/test_\w+\.py::Test(\w+)Rail::")
ITS_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server"}
IN_CI = os.environ.get("CI") == "true"
translations.compile_all()  # before the first string is asked for
ON_POSTGRES = settings.DATABASES["default"]["ENGINE"].endswith("postgresql")
CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


# --- what runs where --------------------------------------------------------------------------------------------
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of the database's guards run on PostgreSQL only; those in a browser, on the whole stack or on a real
    node only beside SQLite, as do those marked so because the database makes no difference to them. The storm takes a machine
    for itself: `make chaos` asks for it by its mark."""
    elsewhere = {"browser", "stack", "chain", "sqlite"} if ON_POSTGRES else {"postgres"}
    if "chaos" not in config.getoption("-m"):
        elsewhere.add("chaos")
    if reason := os.environ.get("POSTGRES_MISSING"):
        elsewhere = set()
        items[:] = [item for item in items if item.get_closest_marker("postgres")]
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))
    gone = [item for item in items if any(item.get_closest_marker(name) for name in elsewhere) or (ON_POSTGRES and not _asks_the_database(item))]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in set(gone)]
    if CHROMIUM is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="Chromium is not installed: apt-get install chromium"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Beside a failed journey stands what its processes said, and which rows its page could have been about."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, Stack):
        report.sections.append(("the stack", "\n".join([*stack.said().splitlines()[-80:], stack.rows()])))
    return report


def _asks_the_database(item: pytest.Item) -> bool:
    """What asks none says the same beside any; it runs once, with SQLite."""
    return item.get_closest_marker("django_db") is not None or bool(ITS_FIXTURES & set(getattr(item, "fixturenames", ())))


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    ran = Counter(found.group(1) for report in terminalreporter.stats.get("passed", []) if (found := CONTRACT.search(report.nodeid)))
    for rail, count in sorted(ran.items()):
        terminalreporter.write_line(f"rail contract: {rail} passed {count} of {RailContract.SIZE + 1}")
    if IN_CI and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("CI=true: nothing may be skipped here, and something was. See the list below.", red=True, bold=True)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if IN_CI and reporter and reporter.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure() -> None:
    shutil.rmtree(settings.DATA_DIR, ignore_errors=True)


# --- walls ------------------------------------------------------------------------------------------------------
class OutsideWorld(Exception):
    """A test wanted to leave this machine."""


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host in ("localhost", "")


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """No test opens a connection to another machine, or asks one for a name."""
    real = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex")}
    look_up = socket.getaddrinfo

    def guarded(name: str) -> Callable[..., Any]:
        def connect(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_here(str(address[0])):
                raise OutsideWorld(f"A test tried to reach {address}; tests stay on this machine.")
            return real[name](self, address)

        return connect

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        try:
            ipaddress.ip_address(name or "127.0.0.1")
        except ValueError:
            if not _is_here(name):
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        return look_up(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        for name in real:
            patch.setattr(socket.socket, name, guarded(name))
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield


@pytest.fixture(autouse=True)
def clean_between_tests() -> Iterator[None]:
    """The clock and the cache (with it every rate limit) start each test as new."""
    yield
    Path(settings.CLOCK_FILE).unlink(missing_ok=True)
    cache.clear()


# --- people and a business --------------------------------------------------------------------------------------
@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def owner(db: None) -> User:
    return make_user(password=PASSWORD)


@pytest.fixture
def merchant(owner: User) -> Merchant:
    return make_merchant(owner)


@pytest.fixture
def manager(merchant: Merchant) -> User:
    return add_member(merchant, "manager")


@pytest.fixture
def viewer(merchant: Merchant) -> User:
    return add_member(merchant, "viewer")


@pytest.fixture
def client_as() -> Callable[[User], Client]:
    """`client_as(owner)` is a browser in which the owner has signed in."""

    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return signed_in


# --- the browser ------------------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The system's Chromium; as root it only starts without its own sandbox."""
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": ["--no-sandbox", "--disable-dev-shm-usage"]}


# --- the whole stack, and where its messages arrive -------------------------------------------------------------
@pytest.fixture(scope="module")
def mail_sink() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink


@pytest.fixture(scope="module")
def web_sink() -> Iterator[WebSink]:
    with WebSink() as sink:
        yield sink


@pytest.fixture(scope="module")
def stack(mail_sink: MailSink) -> Iterator[Stack]:
    """Everything `make run` starts, on a folder of its own; its mail arrives in `mail_sink`."""
    with Stack(EMAIL_URL=mail_sink.url) as running:
        yield running
