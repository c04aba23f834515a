"""A pytest plugin: `pytest -p tests.postgres` runs the suite on a PostgreSQL of its own.

The server is started once, by the process that runs pytest (not by xdist's workers, who inherit its address), in a
temporary folder, on a free loopback port, as a user without rights when we are root. It goes when pytest goes, however
that happens. A TEST_DATABASE_URL from outside is used as it is. Without PostgreSQL on the machine the tests that need it
are skipped, and the summary says why; in CI that is a failure.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path

import pytest

MISSING = "PostgreSQL is not installed: no initdb on PATH or under /usr/lib/postgresql. Try: apt-get install postgresql"
USER_WITHOUT_RIGHTS = ("postgres", "nobody")
# Nothing here has to survive a power cut.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB")


class Server:
    """A PostgreSQL in a folder of its own, for as long as this process lives."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="quittance-pg-"))
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgres://quittance@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        as_user = _without_rights(self.folder)
        data = self.folder / "data"
        arguments = ["--auth=trust", "--username=quittance", "--encoding=UTF8", "--no-locale", "--no-sync"]
        subprocess.run([self.programs / "initdb", "-D", data, *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/", **as_user)
        options = [part for setting in (*QUICK, "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}") for part in ("-c", setting)]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", data, "-p", str(self.port), *options],
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C is for pytest; the server is stopped by `stop`
                preexec_fn=partial(die_with_the_parent, signal.SIGQUIT),
                **as_user,
            )
        self._wait()

    def _wait(self) -> None:
        assert self.process
        for _attempt in range(300):
            if self.process.poll() is not None:
                break
            ready = subprocess.run(
                [self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-d", "postgres", "-U", "quittance"], check=False
            )
            if ready.returncode == 0:
                return
            time.sleep(0.1)
        said = (self.folder / "log").read_text()
        self.stop()
        raise RuntimeError(f"PostgreSQL did not start:\n{said}")

    def stop(self) -> None:
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGQUIT)
            self.process.wait(timeout=20)
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)


def die_with_the_parent(how: signal.Signals = signal.SIGTERM) -> None:
    """For a new process, before its program starts: get `how` when the parent ends, also by kill -9 (Linux)."""
    pr_set_pdeathsig = 1
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, how)


def _without_rights(folder: Path) -> dict[str, object]:
    """PostgreSQL refuses to run as root; then it runs as another user, who gets `folder`."""
    if os.geteuid() != 0:
        return {}
    for name in USER_WITHOUT_RIGHTS:
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            os.chown(folder, user.pw_uid, user.pw_gid)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise RuntimeError(f"PostgreSQL does not run as root, and there is no user {' or '.join(USER_WITHOUT_RIGHTS)} to run it as.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def programs() -> Path | None:
    """The folder of initdb and postgres, the newest version first."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]), reverse=True)
    on_path = shutil.which("initdb")
    return found[0].parent if found else Path(on_path).parent if on_path else None


_server: Server | None = None


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None]:
    """Before anything reads Django's settings."""
    global _server
    if "TEST_DATABASE_URL" not in os.environ:
        folder = programs()
        if folder is None:
            if os.environ.get("CI") == "true":
                raise pytest.UsageError(MISSING)
            os.environ["POSTGRES_MISSING"] = MISSING
        else:
            _server = Server(folder)
            atexit.register(_stop)
            _server.start()
            os.environ["TEST_DATABASE_URL"] = _server.url
    return (yield)


def _stop() -> None:
    global _server
    if _server:
        _server.stop()
        _server = None
        del os.environ["TEST_DATABASE_URL"]


def pytest_unconfigure() -> None:
    _stop()
