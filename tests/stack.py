"""The whole of Quittance, for a journey: broker, web server, worker and beat, under the supervisor that `make run` uses.

It runs on free ports, with SQLite and all its files in a folder of its own, and goes when the test goes, or when pytest
itself is killed.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from config.env import ROOT
from tests.postgres import die_with_the_parent

START_SECONDS = 60.0
SHARED = "QUITTANCE_STACKS"  # the name of a folder for every process of a test run; who finds none makes it, and removes it
if SHARED not in os.environ:
    os.environ[SHARED] = tempfile.mkdtemp(prefix="quittance-stacks-")
    atexit.register(shutil.rmtree, os.environ[SHARED], ignore_errors=True)
Found = TypeVar("Found")


class Stack:
    """`with Stack() as stack:` … `stack.url` answers, `stack.manage(…)` and `stack.ask(…)` work on its database."""

    def __init__(self, **environment: str) -> None:
        """`environment` is added to the processes' own, such as EMAIL_URL or SANDBOX_BLOCK_SECONDS."""
        self.folder = Path(tempfile.mkdtemp(prefix="quittance-stack-"))
        self.database = self.folder / "quittance.sqlite3"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.clock_file = self.folder / "clock"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")},
            "DJANGO_SETTINGS_MODULE": "config.settings.demo",
            "DATA_DIR": str(self.folder),
            "DATABASE_URL": f"sqlite:///{self.database}",
            "CLOCK_FILE": str(self.clock_file),
            "SANDBOX_BLOCK_SECONDS": "0.5",
            "PORT": str(self.port),
            "SITE_URL": self.url,
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.log = self.folder / "log"

    def __enter__(self) -> Stack:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- starting and stopping -------------------------------------------------------------------------------
    def start(self) -> None:
        """With every table made, start, and return when requests can be sent. Also after `stop` or `kill`, on the same data."""
        if not (ROOT / "staticfiles" / "staticfiles.json").exists():
            raise RuntimeError("The static files are not collected. Run: make static")
        if str(self.database) not in self.environment["DATABASE_URL"]:
            self.manage("migrate", "--verbosity", "0")
        elif not self.database.exists():
            _copy(self._migrated(), self.database)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.run"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_the_parent,
            )
        try:
            self.wait_for(self._is_ready, what="an answer from /readyz", timeout=START_SECONDS)
        except BaseException:
            self.stop()
            raise

    def _migrated(self) -> Path:
        """A database with every table and nothing in it: made by the first stack of a test run, since it takes ten seconds."""
        made = Path(os.environ[SHARED]) / "migrated.sqlite3"
        with made.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                part = made.with_suffix(".part")
                run = {**self.environment, "DATABASE_URL": f"sqlite:///{part}"}
                subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=run, check=True)
                _copy(part, made)
        return made

    def _is_ready(self) -> bool:
        assert self.process
        if self.process.poll() is not None:
            raise RuntimeError(f"The stack ended with code {self.process.returncode}:\n{self.said()}")
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:  # noqa: S310 - our own loopback address
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> int | None:
        """As an operator stops it, with TERM. Its exit code, None when it did not run."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int | None:
        """As a power cut or the kernel stops the supervisor, with KILL; the rest of it is gone when this returns."""
        code = self._end(signal.SIGKILL)
        self.wait_for(lambda: not self.processes(), what="the end of every process", timeout=30)
        return code

    def _end(self, how: signal.Signals) -> int | None:
        if self.process is None:
            return None
        self.process.send_signal(how)
        code = self.process.wait(timeout=60)
        self.process = None
        return code

    def processes(self) -> list[int]:
        """Every process that works on this stack's folder (Linux)."""
        mark = f"DATA_DIR={self.folder}\0".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (entry / "environ").read_bytes() + b"\0":
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def said(self) -> str:
        """What the processes have written so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    # --- working on it ---------------------------------------------------------------------------------------
    def manage(self, *arguments: str) -> str:
        """`manage.py …` on this stack's data; what it printed. An error carries what it said."""
        done = subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"manage.py {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def ask(self, code: str) -> Any:
        """Run `code` in a process of this stack, on its database; what it put into `answer`, through JSON."""
        wrapped = f"import json\nanswer = None\n{code}\nprint('\\x1e' + json.dumps(answer, default=str))"
        return json.loads(self.manage("shell", "--verbosity", "0", "-c", wrapped).rpartition("\x1e")[2])

    def select(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows that `sql` finds in this stack's SQLite: a hundred times as fast as `ask`, for what is asked again and again."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            return database.execute(sql, values).fetchall()

    def rows(self) -> str:
        """Whose invoices there are, in a line each: for the report of a journey that failed."""
        sql = "SELECT i.id, m.slug, i.status, i.number FROM invoicing_invoice i JOIN merchants_merchant m ON m.id = i.merchant_id LIMIT 20"
        try:
            return "\n".join(f"invoice {row}" for row in self.select(sql))
        except sqlite3.Error as error:
            return f"the database could not be asked: {error}"

    def move_clock(self, by: timedelta) -> None:
        """Let `by` pass for every process at once."""
        ahead = float(self.clock_file.read_text()) if self.clock_file.exists() else 0.0
        part = self.clock_file.with_suffix(".part")
        part.write_text(str(ahead + by.total_seconds()))
        part.replace(self.clock_file)

    def wait_for(self, found: Callable[[], Found], *, what: str, timeout: float = 45.0) -> Found:
        """Ask `found` until it answers with something true, and return that. AssertionError, with the log, when it does not."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if value := found():
                return value
            time.sleep(0.1)
        raise AssertionError(f"Waited {timeout:.0f} seconds for {what}. The stack said:\n{self.said()[-6000:]}")


def _copy(database: Path, to: Path) -> None:
    """By SQLite itself, which knows what of it is still in its log."""
    with contextlib.closing(sqlite3.connect(database)) as source, contextlib.closing(sqlite3.connect(to)) as target:
        source.backup(target)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
