"""`python -m config.run`: the whole of Quittance under one parent.

Broker (unless REDIS_URL names one), web server, worker, the sender of messages, the watcher of networks and prices, and beat. Each line they write
is prefixed with who wrote it. Ctrl-C or TERM stops them all, the broker last; when one of them ends by itself, so do the others;
and nothing is left behind even when this process is killed (see config.guard). `make run` gives it the settings of the demo;
by itself it takes those of production, as wsgi and the worker do.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import IO

from django.core.exceptions import ImproperlyConfigured

from config import broker, env, translations
from config.guard import GRACE_SECONDS, Guard, end_group

DEMO_SETTINGS = "config.settings.demo"
WEB_WORKERS, WEB_THREADS, TASK_PROCESSES, SEND_THREADS, WATCH_THREADS = 2, 4, 2, 8, 16
WIDTH = len("watcher")


class CannotRun(Exception):
    """The reason, as a sentence for the operator."""


class Child:
    """One program in a group of its own, its lines passed on under its name."""

    def __init__(self, name: str, argv: list[str], guard: Guard) -> None:
        self.name = name
        self.process = subprocess.Popen(  # noqa: S603 - our own programs, see `programs`
            argv, cwd=env.ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        guard.watch(self.process.pid)
        self._reader = threading.Thread(target=self._pass_on, daemon=True)
        self._reader.start()

    def _pass_on(self) -> None:
        lines: IO[bytes] = self.process.stdout  # type: ignore[assignment]
        for line in lines:
            if text := line.decode(errors="replace").rstrip():
                say(f"{self.name:<{WIDTH}} | {text}")

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def ask_to_stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)  # to nobody where it has ended already

    def end(self) -> None:
        """After it was asked: a grace, then KILL; also for what it started itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE_SECONDS)
        end_group(self.process.pid)
        self.process.wait()
        self._reader.join(timeout=1)


class Supervisor:
    def __init__(self, port: int) -> None:
        self.port = port
        self.children: list[Child] = []
        self.stopping = False
        self.own_socket: Path | None = None
        self.guard = Guard()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)

    def _asked_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def run(self, data_dir: Path) -> int:
        """Start everything, and stay until it is to end. The exit code."""
        try:
            if not os.environ.get("REDIS_URL"):
                self._start_broker(data_dir)
            if self.stopping:
                return 0
            for name, argv in programs(self.port, data_dir).items():
                self.children.append(Child(name, argv, self.guard))
            return self._stay()
        finally:
            self._stop()

    def _start_broker(self, data_dir: Path) -> None:
        self.own_socket = broker.socket_path(data_dir)
        child = Child("broker", broker.command(self.own_socket, data_dir=data_dir), self.guard)
        self.children.append(child)
        os.environ["REDIS_URL"] = f"unix://{self.own_socket}"
        broker.wait(os.environ["REDIS_URL"], alive=lambda: not child.has_ended(), stopping=lambda: self.stopping)

    def _stay(self) -> int:
        announced = False
        while not self.stopping:
            if ended := next((child for child in self.children if child.has_ended()), None):
                say(f"Quittance stops: its {ended.name} ended with code {ended.process.returncode}. The lines above say why.")
                return 1
            if not announced and answers(self.port):
                announced = True
                say(welcome(self.port))
            time.sleep(0.2)
        say("Quittance stops.")
        return 0

    def _stop(self) -> None:
        """All are asked at once, but for the broker, which outlives those who talk to it."""
        brokers = self.children[:1] if self.own_socket else []
        for part in (self.children[len(brokers) :], brokers):
            for child in part:
                child.ask_to_stop()
            for child in part:
                child.end()
        self.guard.dismiss()
        if self.own_socket and self.own_socket.parent.name != "valkey":
            shutil.rmtree(self.own_socket.parent, ignore_errors=True)


def programs(port: int, data_dir: Path) -> dict[str, list[str]]:
    """What runs beside the broker: name → command line."""
    from config.celery import QUEUES, SEND, WATCH

    python = [sys.executable, "-m"]
    celery = [*python, "celery", "--app", "config", "--quiet"]
    return {
        "web": [
            *[*python, "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--no-ws", "--log-level", "warning"],
            *["--workers", str(WEB_WORKERS), "--blocking-threads", str(WEB_THREADS), "--workers-kill-timeout", "5"],
            "config.wsgi:application",
        ],
        "worker": [
            *[*celery, "worker", "--queues", ",".join(QUEUES), "--concurrency", str(TASK_PROCESSES), "--loglevel", "WARNING"],
            *["--without-gossip", "--without-mingle", "--hostname", "quittance@%h"],
        ],
        "sender": [
            *[*celery, "worker", "--queues", ",".join(SEND), "--pool", "threads", "--concurrency", str(SEND_THREADS), "--loglevel", "WARNING"],
            *["--without-gossip", "--without-mingle", "--hostname", "sender@%h"],
        ],
        "watcher": [
            *[*celery, "worker", "--queues", WATCH, "--pool", "threads", "--concurrency", str(WATCH_THREADS), "--loglevel", "WARNING"],
            *["--without-gossip", "--without-mingle", "--hostname", "watcher@%h"],
        ],
        "beat": [*celery, "beat", "--schedule", str(data_dir / "beat-schedule"), "--pidfile=", "--loglevel", "WARNING"],
    }


def answers(port: int) -> bool:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        line.request("GET", "/healthz")
        return line.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()


def welcome(port: int) -> str:
    from django.conf import settings

    address = settings.SITE_URL
    lines = [f"Quittance is ready: {address}/"]
    if os.environ["DJANGO_SETTINGS_MODULE"] == DEMO_SETTINGS:
        lines += [
            "  sign in as         demo@quittance.example, password demo-quittance",
            f"  look after it at   {address}/admin/ as operator@quittance.example, password demo-quittance",
        ]
    if getattr(settings, "EMAIL_FILE_PATH", None):
        lines.append(f"  mail goes to       {address}/dev/mailbox/ and never leaves this machine")
    else:
        lines.append(f"  mail goes to       {settings.EMAIL_HOST}:{settings.EMAIL_PORT}")
    if address.rpartition(":")[2] != str(port):
        lines.append(f"  listens on         127.0.0.1:{port}")
    return "\n".join([*lines, "  Ctrl-C stops it."])


_mouth = threading.Lock()


def say(text: str) -> None:
    with _mouth, contextlib.suppress(BrokenPipeError):
        print(text, flush=True)


def read_port() -> int:
    """PORT, 8000 without one. CannotRun when it is no port, or somebody else listens there."""
    text = os.environ.get("PORT", "8000")
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise CannotRun(f"PORT is {text!r}; it takes a number from 1 to 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except PermissionError:
            raise CannotRun(f"Port {text} takes the rights of root. Try PORT=8001 make run.") from None
        except OSError:
            raise CannotRun(f"Port {text} is taken. Try PORT={int(text) + 1 if int(text) < 65535 else 8001} make run.") from None
    return int(text)


def hold(data_dir: Path) -> IO[str]:
    """The one Quittance on this data folder; two would write over each other's broker log."""
    held = (data_dir / "run.lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise CannotRun(f"Another Quittance runs on {data_dir}. Stop that one, or give this one a DATA_DIR of its own.") from None
    return held


def prepare() -> tuple[int, Path]:
    """Read the settings and the port, and put what the children share into the environment."""
    env.read()
    port = read_port()
    if os.environ["DJANGO_SETTINGS_MODULE"] == DEMO_SETTINGS:
        os.environ.setdefault("PYTHONWARNINGS", "ignore:You're running the worker with superuser privileges")
    from django.conf import settings

    return port, Path(settings.DATA_DIR).resolve()


def main(arguments: list[str]) -> int:
    try:
        port, data_dir = prepare()
        with hold(data_dir):
            if arguments == ["--check"]:
                return 0
            translations.compile_all()
            return Supervisor(port).run(data_dir)
    except (CannotRun, broker.NoBroker, ImproperlyConfigured) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
